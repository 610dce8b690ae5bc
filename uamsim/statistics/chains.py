"""Rates of tasks done in a row, and their average number, as CALVIN's tables have them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from uamsim.contract import EpisodeRecord, in_a_row
from uamsim.errors import ConfigError
from uamsim.statistics.intervals import Estimate, Rate, check_share, rate, wilson


@dataclass(frozen=True, kw_only=True)
class ChainResult:
    """What came of chains of tasks, each stopped at its first failure.

    Attributes:
        rates: of chains with at least 1, 2, ... tasks done in a row, with Wilson's intervals.
        length: the average number of tasks done in a row.
    """

    rates: tuple[Rate, ...]
    length: Estimate

    @property
    def chains(self) -> int:
        """How many there are."""
        return self.rates[0].episodes

    def to_row(self) -> dict[str, Any]:
        """A flat row of a table."""
        row: dict[str, Any] = {"chains": self.chains}
        for count, found in enumerate(self.rates, start=1):
            name = in_a_row(count)
            row |= {name: found.rate, f"{name}_low": found.ci_low, f"{name}_high": found.ci_high}
        length = self.length
        return row | {
            "length": length.value,
            "length_low": length.ci_low,
            "length_high": length.ci_high,
        }


def is_chain(record: EpisodeRecord) -> bool:
    """Whether an episode is a chain of tasks, which is what its stages say."""
    stages = tuple(record.stages)
    return bool(stages) and stages == tuple(in_a_row(i + 1) for i in range(len(stages)))


def chain_result(records: Sequence[EpisodeRecord], *, confidence: float = 0.95) -> ChainResult:
    """Rates and average length of chains that all have as many tasks.

    Raises:
        ConfigError: no records, or not all of chains as long.
    """
    sizes = {len(record.stages) if is_chain(record) else 0 for record in records}
    if len(sizes) != 1 or 0 in sizes:
        raise ConfigError(
            "expected records of chains of tasks, all as long, whose stages are "
            f"{in_a_row(1)!r} and so on; got stages {[list(r.stages) for r in records[:3]]}."
        )
    reached = np.array([list(record.stages.values()) for record in records], bool)
    return ChainResult(
        rates=tuple(
            rate(int(column.sum()), len(column), confidence=confidence) for column in reached.T
        ),
        length=average_length(reached.sum(axis=1).tolist(), sizes.pop(), confidence=confidence),
    )


def average_length(lengths: Sequence[int], longest: int, *, confidence: float = 0.95) -> Estimate:
    """The mean of numbers of tasks done in a row.

    The interval is Wilson's for the share of all tasks, at the effective number of chains (as
    ``suite_average``): that which would give a plain rate the variance of this mean. Unlike the
    bootstrap it has a width where all chains end alike. Measured: its 95% interval holds the truth
    in 0.89 to 0.98 of samples of 10 chains whose average is 0.06 to 4.95, the bootstrap's in 0.11
    to 0.96; from 100 chains on they are 0.91 to 0.98, and 0.63 to 0.97.

    Args:
        lengths: tasks done in a row, of each chain.
        longest: tasks in a chain.
        confidence: of the interval.

    Raises:
        ConfigError: no chains, or a length out of range.
    """
    check_share("confidence", confidence)
    values = np.asarray(lengths, np.float64)
    if not len(values) or values.min() < 0 or values.max() > longest:
        raise ConfigError(
            f"expected lengths from 0 to {longest}, of a chain or more, got {list(lengths)[:10]}."
        )
    count, shares = len(values), values / longest
    mean = float(shares.mean())
    most = mean * (1 - mean)
    # One more chain that ends at once or never: chains that end alike still have a variance.
    variance = (count * float(shares.var()) + most) / (count + 1) / count
    effective = max(count, most / variance) if variance > 0 else count
    low, high = wilson(mean, effective, float(scipy.stats.norm.ppf(0.5 + confidence / 2)))
    return Estimate(value=longest * mean, ci_low=longest * low, ci_high=longest * high, n=count)
