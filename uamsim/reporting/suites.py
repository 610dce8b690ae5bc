"""Tables of suite averages and of policies compared on the same episodes."""

from uamsim.reporting.labels import interval_text, points
from uamsim.reporting.results import Results, Row
from uamsim.reporting.tables import Table
from uamsim.statistics import Estimate

_VERDICTS = {"first": "worse", "second": "better", "equivalent": "equivalent"}


def suite_table(results: Results) -> Table:
    """Mean over tasks of every policy and control on every split, with both intervals."""
    return Table(
        head=["policy", "split", "tasks", "episodes", "mean of the tasks", "clustered by task"],
        rows=[
            [
                results.policy_title(row["policy"]),
                results.split_title(row["split"]),
                str(row["tasks"]),
                str(row["episodes"]),
                interval_text(_estimate(row, row["rate"], "ci")),
                interval_text(_estimate(row, row["rate"], "clustered")),
            ]
            for row in results.raw["suites"]
        ],
        note="Every task has the same weight. The first 95% interval is about these tasks and "
        "other episodes of them; the second, clustered by task, about tasks like these, which a "
        "few of them say little about.",
    )


def comparison_table(results: Results) -> Table:
    """Policies beside a reference on the same episodes, split by split."""
    return Table(
        head=["policy", "beside", "split", "pairs", "difference", "McNemar's p", "sequential test"],
        rows=[
            [
                results.policy_title(row["policy"]),
                results.policy_title(row["reference"]),
                results.split_title(row["split"]),
                str(row["episodes"]),
                points(_estimate(row, row["difference"], "ci")),
                f"{row['p_value']:.3g}",
                _verdict(row),
            ]
            for row in results.raw["comparisons"]
            if row["task"] is None
        ],
        note="The row's policy minus the one beside it, with Bonett and Price's 95% interval; "
        "exact test; anytime-valid test at 0.05 with the "
        "pair at which it could have stopped. Each row is a test by itself: of 20 without a "
        "difference one is expected below 0.05.",
    )


def _estimate(row: Row, value: float, interval: str) -> Estimate:
    low, high = row[f"{interval}_low"], row[f"{interval}_high"]
    return Estimate(value=value, ci_low=low, ci_high=high, n=row["episodes"])


def _verdict(row: Row) -> str:
    if row["verdict"] == "undecided":
        return "undecided"
    return f"{_VERDICTS[row['verdict']]}, after {row['decided_after']}"
