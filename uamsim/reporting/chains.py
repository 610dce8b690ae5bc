"""The table of chains of tasks, as CALVIN's papers print it, with their rows below ours."""

from collections.abc import Sequence

from uamsim.contract import in_a_row
from uamsim.reporting.labels import interval_text, spoken
from uamsim.reporting.results import Results, Row
from uamsim.reporting.tables import MISSING, Table
from uamsim.statistics import Estimate


def chain_table(results: Results) -> Table:
    """Chains with 1, 2, ... tasks done in a row and the average, measured and published."""
    measured = results.raw.get("chains", ())
    longest = max((row["tasks"] for row in measured), default=0)
    counts = range(1, longest + 1)
    head = ["policy", "environment", "split", "chains", *map(str, counts), "average in a row"]
    return Table(
        head=head,
        rows=[
            *([*_ours(row, results), *_rates(row, counts)] for row in measured),
            *(_published(row, longest) for row in results.raw.get("published", ())),
        ],
        note="Share of chains with so many tasks done in a row, with Wilson's 95% interval, and "
        "their average number. Published rows were not run here; * marks what that paper's "
        "authors ran themselves, its other rows are copied there from the methods' own papers.",
    )


def _ours(row: Row, results: Results) -> list[str]:
    environment = spoken(row["env_id"].rpartition("/")[2].removesuffix("-v0"))
    return [
        results.policy_title(row["policy"]),
        environment,
        results.split_title(row["split"]),
        str(row["chains"]),
    ]


def _rates(row: Row, counts: Sequence[int]) -> list[str]:
    names = map(in_a_row, counts)
    cells = [interval_text(_estimate(row, name)) if name in row else "" for name in names]
    return [*cells, interval_text(_estimate(row, "length"), percent=False)]


def _published(row: Row, longest: int) -> list[str]:
    rates = [MISSING if value is None else f"{100 * value:.1f}%" for value in row["in_a_row"]]
    length = MISSING if row["length"] is None else f"{row['length']:.2f}"
    return [
        f"published ({row['paper']}): {row['method']}{'*' if row['reproduced'] else ''}",
        spoken(row["env_id"].rpartition("/")[2].removesuffix("-v0")),
        f"{row['trained_on']} → D",
        "",
        *(rates + [MISSING] * longest)[:longest],
        length,
    ]


def _estimate(row: Row, name: str) -> Estimate:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return Estimate(value=row[name], ci_low=low, ci_high=high, n=row["chains"])
