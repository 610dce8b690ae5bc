"""What the generator knows that gen_init (3a) and uam (3b) start from."""

from collections.abc import Mapping
from typing import Any

from uamsim.reporting.results import Results
from uamsim.reporting.tables import Table


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
        "claims about gen_init (3a) and uam (3b) are not tested here, whatever their numbers are."
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
    return Table(head=["what", "measured", "needed", "passed"], rows=rows)


def _text(check: Mapping[str, Any]) -> str:
    return f"{check['name']} {check['value']:.2f}, needed {check['relation']} {check['limit']:.2f}"
