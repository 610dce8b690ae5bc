"""The yardsticks beside the policies that they are made from, in one table."""

from collections.abc import Sequence

from uamsim.reporting.labels import MODE_TITLES, interval_text
from uamsim.reporting.remarks import is_beaten
from uamsim.reporting.results import Results, Row, pool
from uamsim.reporting.tables import MISSING, Table

MEANING = {
    "random": "acts by chance",
    "blind": "sees no picture",
    "deaf": "hears no instruction",
    "shuffled": "is told another goal",
}


def control_table(results: Results) -> Table:
    """A row for each policy that has controls and each split: its success beside theirs."""
    present = {row["control"] for row in results.controls}
    kinds = [kind for kind in MEANING if kind in present]
    tested = [row for row in results.raw["comparisons"] if row["control"] and row["task"] is None]
    owners = dict.fromkeys(
        (row["variant"], row["e_sem"], row["split"]) for row in results.controls if row["variant"]
    )
    rows = []
    for variant, mode, split in owners:
        own = results.rows(variant, mode, [split])
        cells = [_cell(results, kind, (variant, mode, split), tested) for kind in kinds]
        rows.append(
            [
                f"{results.variant_title(variant)}, {MODE_TITLES.get(mode, mode)}",
                results.split_title(split),
                interval_text(pool(own)) if own else MISSING,
                *cells,
            ]
        )
    return Table(
        head=["policy", "split", "itself", *(f"{k}: {MEANING[k]}" for k in kinds)],
        rows=rows,
        note="Success, tasks and training seeds pooled. ✓ the policy does better than its control "
        "(McNemar's exact test at 0.05 on the episodes that both ran, in every training seed); "
        "✗ nothing shows that it does. Random actions are compared with one policy alone.",
        source=("rows", "comparisons"),
    )


def _cell(results: Results, kind: str, owner: tuple[str, str, str], tested: Sequence[Row]) -> str:
    variant, mode, split = owner
    found = [
        row
        for row in results.controls
        if (row["control"], row["split"]) == (kind, split)
        and (kind == "random" or (row["variant"], row["e_sem"]) == (variant, mode))
    ]
    if not found:
        return MISSING
    policies = {row["policy"] for row in results.rows(variant, mode, [split])}
    tests = [
        row
        for row in tested
        if row["control"] == kind and row["split"] == split and row["reference"] in policies
    ]
    mark = ""
    if tests:
        mark = " ✓" if all(map(is_beaten, tests)) else " ✗"
    return interval_text(pool(found)) + mark
