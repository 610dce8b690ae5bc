"""What the generator knows that some variants start from."""

from collections.abc import Mapping, Sequence
from typing import Any

from uamsim.reporting.labels import interval_text
from uamsim.reporting.results import Results
from uamsim.reporting.tables import Table
from uamsim.statistics import rate


def fails_gate(results: Results) -> bool:
    """Whether the generator was measured and found wanting."""
    gate = results.raw.get("gate")
    return gate is not None and not gate["passed"]


def gate_verdict(results: Results) -> str:
    """What the checks mean for the claims, in a sentence; empty where nothing was measured."""
    gate = results.raw.get("gate")
    if gate is None:
        return ""
    failed = [check for check in gate["checks"] if not check["passed"]]
    if not failed:
        return "The generator passes every check before its variants are compared."
    worst = ", ".join(_text(check) for check in failed[:3])
    more = f", and {len(failed) - 3} more" if len(failed) > 3 else ""
    return (
        f"The generator fails {len(failed)} of {len(gate['checks'])} checks ({worst}{more}), so "
        "claims about variants that start from it are not tested here, whatever their numbers are."
    )


def gate_table(results: Results) -> Table:
    """Each check with its limit; no rows where nothing was measured."""
    gate = results.raw.get("gate") or {"checks": []}
    rows = [
        [
            check["name"],
            f"{check['value']:.3f}",
            f"{check['relation']} {check['limit']:.3f}",
            "yes" if check["passed"] else "no",
        ]
        for check in gate["checks"]
    ]
    return Table(head=["what", "measured", "needed", "passed"], rows=rows, source=("gate",))


def goal_verdict(goals: Sequence[Mapping[str, Any]]) -> str:
    """How many predicted goals are right, in a sentence; empty where nobody looked.

    Args:
        goals: of ``media``.
    """
    judged = [goal for goal in goals if goal.get("right") is not None]
    if not judged:
        return ""
    right = rate(sum(goal["right"] for goal in judged), len(judged)).estimate
    return (
        f"{sum(goal['right'] for goal in judged)} of {len(judged)} are right "
        f"({interval_text(right)}; guessing gives 50%): the picture that is predicted for the "
        "instruction is nearer to the true one than the picture for another instruction."
    )


def _text(check: Mapping[str, Any]) -> str:
    return f"{check['name']} {check['value']:.2f}, needed {check['relation']} {check['limit']:.2f}"
