"""Every world, wording, config and data set gives what it gave when ``identity.json`` was recorded.

A difference is a fault, or a change on purpose: then raise the version of what is kept in files,
and record anew what was meant to change (``identity.py`` says how).
"""

import json
from typing import Any

import pytest

import identity
from uamsim.worlds import list_simulators

RECORD = json.loads(identity.RECORD.read_text("utf-8"))
NEEDS = {name: name.rpartition(" ")[2] for name in RECORD}
NEEDS = {name: simulator for name, simulator in NEEDS.items() if simulator in list_simulators()}
"""Part of the record -> the simulator without which it is skipped."""
GROUPS = {
    (part, group): pytest.param(
        (part, group),
        id=f"{part} {group}",
        marks=[
            *([pytest.mark.sim(NEEDS[part])] if part in NEEDS else []),
            *([pytest.mark.slow] if part in ("experts", "robotwin") else []),
        ],
    )
    for part, record in RECORD.items()
    for group in record["found"]
}


@pytest.fixture(name="group", scope="module")
def _group(request: pytest.FixtureRequest) -> tuple[str, dict[str, identity.Facts], Any]:
    """A part of the record, what one of its groups gives now, and what is recorded of it.

    Of the module, so that both tests of a group follow each other and measure it once.
    """
    part, group = request.param
    recorded = RECORD[part]["found"][group]
    return part, {case: identity.MEASURES[part](group, case) for case in recorded}, recorded


def _without(facts: dict[str, Any], *names: str) -> dict[str, Any]:
    return {
        case: {name: value for name, value in found.items() if name not in names}
        for case, found in facts.items()
    }


@pytest.mark.parametrize("group", GROUPS.values(), indirect=True)
def test_words_and_states_are_those_recorded(group: tuple[str, Any, Any]) -> None:
    """To the last bit on a machine like the recorded one, else to a millionth."""
    part, measured, recorded = group
    others = ["seen"] if identity.machine() == RECORD[part]["machine"] else ["seen", "bits"]
    assert _without(measured, *others) == _without(recorded, *others)


@pytest.mark.parametrize(
    "group",
    [param for (part, _), param in GROUPS.items() if "seen" in str(RECORD[part]["found"])],
    indirect=True,
)
def test_pictures_are_those_recorded(group: tuple[str, Any, Any]) -> None:
    part, measured, recorded = group
    drawn_by = RECORD[part]["renderer"]
    if identity.renderer() != drawn_by:
        pytest.skip(f"recorded with {drawn_by}, and this is {identity.renderer()}")
    others = ("said", "state", "bits", "refused")
    assert _without(measured, *others) == _without(recorded, *others)
