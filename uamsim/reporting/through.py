"""How much flows through which expert: trained policies with tokens hidden from their actions."""

from collections.abc import Sequence

import numpy as np

from uamsim.models.interventions import INTERVENTIONS
from uamsim.reporting.labels import MODE_TITLES, interval_text, spoken
from uamsim.reporting.results import Results, Row, pool
from uamsim.reporting.tables import MISSING, Table

_NONE = "none"


def intervention_table(results: Results) -> Table:
    """A row a trained variant and mode, a column an intervention: success and aim."""
    found = results.raw.get("interventions", ())
    names = list(dict.fromkeys(row["intervention"] for row in found))
    accuracy = results.raw.get("goal_accuracy", ())
    rows = []
    for variant, mode in dict.fromkeys((row["variant"], row["e_sem"]) for row in found):
        own = [row for row in found if (row["variant"], row["e_sem"]) == (variant, mode)]
        cells = [_cell([row for row in own if row["intervention"] == name]) for name in names]
        goals = [row for row in accuracy if (row["variant"], row["e_sem"]) == (variant, mode)]
        title = f"{results.variant_title(variant)}, {MODE_TITLES.get(mode, mode)}"
        rows.append([title, *cells, _goals(goals)])
    return Table(
        head=["policy", *map(_title, names), "right goals"],
        rows=rows,
        note="In-domain success on the episodes of snapshots, tasks and training seeds pooled, and "
        "the median distance in cm from where the first chunk takes the hand lowest to where the "
        "expert's does. Hidden tokens are hidden from the actions alone. Right goals: how often a "
        f"predicted goal is the one asked for, among those of the scene{_guessing(accuracy)}.",
        source=("interventions", "goal_accuracy"),
    )


def _title(name: str) -> str:
    if name == _NONE:
        return "as it is"
    known = dict(INTERVENTIONS.items())
    return known[name].title if name in known else spoken(name)


def _cell(rows: Sequence[Row]) -> str:
    if not any(row["applicable"] for row in rows):
        return MISSING
    played = [row for row in rows if row["episodes"]]
    aims = [aim for row in rows for aim in row["aims_cm"] or ()]
    parts = [interval_text(pool(played))] if played else []
    parts += [f"{np.median(aims):.1f} cm"] if aims else []
    return "; ".join(parts) or MISSING


def _goals(rows: Sequence[Row]) -> str:
    if not rows:
        return MISSING
    counts = [{"successes": row["right"], "episodes": row["goals"]} for row in rows]
    return interval_text(pool(counts))


def _guessing(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    return f" (guessing gives {100 * np.mean([row['guessing'] for row in rows]):.0f}%)"
