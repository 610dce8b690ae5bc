"""Every world, wording, config and data set gives what it gave when ``identity.json`` was recorded.

A difference is a fault, or a change on purpose: then raise the version of what is kept in files,
and record anew what was meant to change (``identity.py`` says how).
"""

import functools
import json
from typing import Any

import pytest

import identity
from uamsim.worlds import list_simulators

RECORD = json.loads(identity.RECORD.read_text("utf-8"))
NEEDS = {name: name.rpartition(" ")[2] for name in RECORD}
NEEDS = {name: simulator for name, simulator in NEEDS.items() if simulator in list_simulators()}
"""Part of the record -> the simulator without which it is skipped."""
GROUPS = [
    pytest.param(
        part,
        group,
        id=f"{part} {group}",
        marks=[
            *([pytest.mark.sim(NEEDS[part])] if part in NEEDS else []),
            *([pytest.mark.slow] if part in ("experts", "robotwin") else []),
        ],
    )
    for part, record in RECORD.items()
    for group in record["found"]
]


@functools.cache
def _measured(part: str, group: str) -> dict[str, identity.Facts]:
    return {case: identity.MEASURES[part](group, case) for case in RECORD[part]["found"][group]}


def _without(facts: dict[str, Any], *names: str) -> dict[str, Any]:
    return {
        case: {name: value for name, value in found.items() if name not in names}
        for case, found in facts.items()
    }


@pytest.mark.parametrize(("part", "group"), GROUPS)
def test_words_and_states_are_those_recorded(part: str, group: str) -> None:
    """To the last bit on a machine like the recorded one, else to a millionth."""
    others = ["seen"] if identity.machine() == RECORD[part]["machine"] else ["seen", "bits"]
    measured, recorded = _measured(part, group), RECORD[part]["found"][group]
    assert _without(measured, *others) == _without(recorded, *others)


@pytest.mark.parametrize(
    ("part", "group"),
    [param for param in GROUPS if "seen" in str(RECORD[param.values[0]]["found"])],
)
def test_pictures_are_those_recorded(part: str, group: str) -> None:
    drawn_by = RECORD[part]["renderer"]
    if identity.renderer() != drawn_by:
        pytest.skip(f"recorded with {drawn_by}, and this is {identity.renderer()}")
    measured, recorded = _measured(part, group), RECORD[part]["found"][group]
    others = ("said", "state", "bits", "refused")
    assert _without(measured, *others) == _without(recorded, *others)
