"""What results mean, in sentences: controls beside their policy, and foreign worlds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

NOT_COMPARABLE = "not comparable with published"
ALPHA = 0.05
_MAX_NAMED = 3
_SHOWN = {
    "random": ("the task rewards more than chance", "it does no better than chance motion"),
    "blind": ("it uses its pictures", "nothing shows that it uses its pictures"),
    "deaf": ("it listens to its instructions", "nothing shows that it uses its instructions"),
    "shuffled": ("it does what it is told", "nothing shows that it follows its instructions"),
}
"""What it means that a policy does better than the control, and that it does not."""


def control_remarks(
    comparisons: Sequence[Mapping[str, Any]],
    title: Callable[[str], str] = lambda _: "the policy",
    *,
    warnings_only: bool = False,
) -> list[str]:
    """A sentence for each control, split by split: does its policy do better than it?

    One test decides, McNemar's exact one at ``ALPHA`` on the episodes that both ran.

    Args:
        comparisons: rows of ``results.json``.
        title: name of a policy in records -> what the sentences call it.
        warnings_only: leaves out controls that the policy beats.
    """
    rows = [row for row in comparisons if row["control"]]
    remarks = []
    for row in (row for row in rows if row["task"] is None):
        of = ("policy", "reference", "split")
        tasks = [r for r in rows if r["task"] and all(r[key] == row[key] for key in of)]
        open_tasks = [task for task in tasks if not is_beaten(task)]
        if not (warnings_only and is_beaten(row)):
            remarks.append(_sentence(row, title(row["reference"])) + _in_tasks(open_tasks, tasks))
    return remarks


def not_applicable_remarks(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each environment in which a control was not run; rows of ``results.json``."""
    return [
        f"The {row['control']} control is not applicable in {row['env_id']}: {row['reason']}."
        for row in rows
    ]


def is_beaten(row: Mapping[str, Any]) -> bool:
    """Whether a policy does better than its control, a row of ``comparisons``."""
    return row["p_value"] < ALPHA and row["difference"] < 0


def _sentence(row: Mapping[str, Any], policy: str) -> str:
    beaten = is_beaten(row)
    relation = "does better than" if beaten else "cannot be told from"
    if not beaten and row["p_value"] < ALPHA:
        relation = "is worse than"
    yes, no = _SHOWN[row["control"]]
    return (
        f"In {row['split']}, {policy} ({row['first_successes']} of {row['episodes']}) {relation} "
        f"its {row['control']} control ({row['second_successes']} of {row['episodes']}; McNemar's "
        f"p = {row['p_value']:.2g}): {yes if beaten else no}."
    )


def _in_tasks(open_tasks: Sequence[Mapping[str, Any]], tasks: Sequence[Any]) -> str:
    """Where a policy beats its control in some tasks by themselves and not in others."""
    if not 0 < len(open_tasks) < len(tasks):
        return ""
    counts = [
        f"{row['task']} ({row['first_successes']} and {row['second_successes']} of "
        f"{row['episodes']})"
        for row in open_tasks[:_MAX_NAMED]
    ]
    more = len(open_tasks) - len(counts)
    named = ", ".join(counts) + (f" and {more} more" if more else "")
    return f" Alone, {len(open_tasks)} of {len(tasks)} tasks do not show it: {named}."


def world_remarks(worlds: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for all environments of one kind.

    Args:
        worlds: rows with "env_id", "comparable", and what else an environment is made of.
    """
    kinds: dict[str, list[str]] = {}
    for row in worlds:
        made = {k: str(v) for k, v in row.items() if k not in ("env_id", "comparable")}
        text = ", ".join(f"{name} {value}" for name, value in made.items())
        label = "" if row["comparable"] else f" are {NOT_COMPARABLE} ones"
        name = row["env_id"].rpartition("/")[2]
        kinds.setdefault(f"{label}: {text}.", []).append(name)
    return [f"Results of {_shorten(names)}{text}" for text, names in kinds.items()]


def _shorten(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
