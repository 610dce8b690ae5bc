"""Intervals on success rates, comparisons of policies on the same episodes, and planning.

Every difference is the second's value minus the first's.

For an evaluation engine: ``success_rates`` and ``suite_average`` of what is finished, and one
``SequentialComparison`` for two policies that run the same episodes and may stop early.
"""

from uamsim.statistics.chains import (
    ChainResult,
    average_length,
    chain_result,
    is_chain,
)
from uamsim.statistics.factors import interaction
from uamsim.statistics.intervals import (
    Estimate,
    Rate,
    rate,
    success_rates,
    suite_average,
    wilson_interval,
)
from uamsim.statistics.paired import (
    Comparison,
    compare,
    mcnemar_exact,
    paired_difference,
)
from uamsim.statistics.planning import (
    Design,
    episodes_for,
    power_of,
    resolvable_difference,
)
from uamsim.statistics.seeds import difference, over_seeds, wider
from uamsim.statistics.sequential import SequentialComparison, Verdict

__all__ = [
    "ChainResult",
    "Comparison",
    "Design",
    "Estimate",
    "Rate",
    "SequentialComparison",
    "Verdict",
    "average_length",
    "chain_result",
    "compare",
    "difference",
    "episodes_for",
    "interaction",
    "is_chain",
    "mcnemar_exact",
    "over_seeds",
    "paired_difference",
    "power_of",
    "rate",
    "resolvable_difference",
    "success_rates",
    "suite_average",
    "wider",
    "wilson_interval",
]
