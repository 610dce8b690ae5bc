"""Perturbations and the ground floor's words know no world."""

from pathlib import Path

import pytest

import uamsim.lexicon
import uamsim.perturbations

ROOM = Path(uamsim.perturbations.__file__).parent
SOURCES = [Path(uamsim.lexicon.__file__), *sorted(ROOM.rglob("*.py"))]
WORLDS = ("aloha", "calvin", "robotwin", "robosuite")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_world_is_named(path):
    text = path.read_text("utf-8").lower()
    assert not [world for world in WORLDS if world in text]


def test_every_source_was_looked_at():
    assert {"language.py", "draw.py", "leaks.py", "lexicon.py"} <= {path.name for path in SOURCES}
