"""References mean one thing of a scene, for a reader who knows nothing of how they were made."""

import pytest

from uamsim.contract import Thing
from uamsim.errors import ConfigError
from uamsim.perturbations.language.references import describe
from uamsim.perturbations.language.wording import Reference
from wordings import CAN, MADE, generator, scene_of

SCENE = scene_of(
    ("red", "can", -0.2, 0.1),
    ("green", "can", 0.0, -0.1),
    ("blue", "cube", 0.1, 0.0),
    ("white", "plate", 0.2, 0.05),
)
"""Left to right: two cans, a cube, a plate; the green can is nearest to the viewer."""


@pytest.mark.parametrize(
    ("phrase", "colour", "category"),
    [
        ("leftmost can", "red", "can"),
        ("rightmost can", "green", "can"),
        ("rightmost object", "blue", "cube"),
        ("frontmost thing", "green", "can"),
        ("rearmost object", "red", "can"),
        ("object to the right of the green can", "blue", "cube"),
        ("can to the left of the green can", "red", "can"),
        ("can in front of the blue cube", "green", "can"),
        ("object behind the blue cube", "red", "can"),
        ("object between the red can and the blue cube", "green", "can"),
        ("second object from the left", "green", "can"),
        ("first can from the right", "green", "can"),
        ("third thing from the right", "green", "can"),
        ("can that is not red", "green", "can"),
        ("object that is not the red can or the blue cube", "green", "can"),
        ("red object that is not a cube", "red", "can"),
        ("crimson item that is not a block", "red", "can"),
    ],
)
def test_references_mean_what_they_say(phrase, colour, category):
    goal = MADE.read(f"put the {phrase} on the white plate", SCENE)
    assert goal.thing == Thing(category=category, colour=colour)


def test_what_a_reference_does_not_settle_is_not_read():
    for phrase in ("object that is not red", "can behind the red cube", "fourth can from the left"):
        with pytest.raises(ConfigError, match="cannot read"):
            MADE.read(f"put the {phrase} on the white plate", SCENE)
    with pytest.raises(ConfigError, match="needs the scene"):
        MADE.read("put the leftmost can on the white plate")


def test_references_are_clear_and_keep_the_plain_name_out():
    rng = generator()
    for kind in ("spatial", "ordinal", "negation"):
        for _ in range(30):
            text = MADE.say(CAN, wording=[Reference(kind=kind)], rng=rng, scene=SCENE)
            assert "green can" not in text
    close = scene_of(("green", "can", 0.0, 0.0), ("red", "can", 0.01, 0.1), ("red", "cube", 0.2, 0))
    relations = {d.relation for d in describe(CAN.thing, close, "spatial")}
    assert "leftmost" not in relations  # by no more than 1 cm
    assert "frontmost" in relations


def test_references_say_what_they_need():
    with pytest.raises(ConfigError, match="needs the scene"):
        MADE.say(CAN, wording=[Reference()], rng=generator())
    twice = scene_of(*(("green", "can", x, 0.0) for x in (0.0, 0.1)), ("red", "can", 0.2, 0.0))
    for scene, why in ((twice, "has 2"), (scene_of(("red", "can", 0, 0)), "has 0")):
        with pytest.raises(ConfigError, match=why):
            MADE.say(CAN, wording=[Reference()], rng=generator(), scene=scene)
    with pytest.raises(ConfigError, match="choose another kind"):
        describe(CAN.thing, scene_of(("green", "can", 0, 0)), "ordinal")
