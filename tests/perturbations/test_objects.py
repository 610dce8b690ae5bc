"""Axes of objects: distances make sense, grades follow them, nothing else is touched."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uamsim.contract import Goal, SceneFacts, SceneThing, Thing
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.lexicon import LEXICON, entries
from uamsim.perturbations.axes.objects import (
    Distractors,
    NovelInstance,
    NovelObject,
    NovelPair,
    NovelSize,
    NovelTarget,
)
from uamsim.perturbations.distance import (
    category_distance,
    colour_distance,
    distance,
    lab,
    shape_distance,
)
from uamsim.perturbations.leaks import Episode, held_out_in
from uamsim.perturbations.splits import SPLITS
from uamsim.perturbations.values import MAX_SEVERITY, PERTURBATIONS, Composition, from_json, to_json

AXES = tuple(cls for cls in PERTURBATIONS.values() if cls.layer == "objects")
words = st.builds(
    Thing,
    category=st.sampled_from([e.name for e in LEXICON.values() if e.path]),
    colour=st.sampled_from([e.name for e in entries("colour")]),
)


def test_the_tree_has_every_category_once():
    for kind in ("object", "button", "target", "item", "receptacle"):
        for entry in entries(kind):
            assert entry.path[-1] == entry.name
            assert len(entry.path) >= 3


@given(first=words, second=words)
@settings(deadline=None)
def test_distances_are_symmetric_and_nothing_is_apart_from_itself(first, second):
    there, back = distance(first, second), distance(second, first)
    for value in (there.shape, there.colour, there.category, there.mean):
        assert 0.0 <= value <= 1.0
    assert there == back
    assert (there.mean == 0.0) == (first == second)


@pytest.mark.parametrize(
    ("part", "near", "far"),
    [
        (shape_distance, ("apple", "ball"), ("apple", "banana")),
        (shape_distance, ("banana", "carrot"), ("banana", "cube")),
        (shape_distance, ("plate", "tray"), ("plate", "ball")),
        (shape_distance, ("apple_round", "apple_tall"), ("apple_round", "banana_long")),
        (colour_distance, ("orange", "yellow"), ("orange", "blue")),
        (colour_distance, ("purple", "blue"), ("purple", "green")),
        (category_distance, ("tangerine", "lemon"), ("tangerine", "banana")),
        (category_distance, ("tangerine", "banana"), ("tangerine", "carrot")),
        (category_distance, ("tangerine", "carrot"), ("tangerine", "cube")),
    ],
)
def test_what_is_alike_is_near(part, near, far):
    assert part(*near) < part(*far)


def test_lab_of_known_colours():
    # White is the reference; sRGB red from CIE 15 by any colour calculator.
    np.testing.assert_allclose(lab((1, 1, 1)), (100, 0, 0), atol=0.01)
    np.testing.assert_allclose(lab((1, 0, 0)), (53.24, 80.09, 67.20), atol=0.1)
    np.testing.assert_allclose(lab((0, 0, 0)), (0, 0, 0), atol=0.01)


def test_unknown_names_and_what_has_no_place_in_the_tree():
    with pytest.raises(UnknownNameError, match="shape"):
        shape_distance("cube", "cubes")
    with pytest.raises(UnknownNameError, match="colour"):
        colour_distance("red", "cube")
    with pytest.raises(ConfigError, match="tree"):
        category_distance("cube", "drawer")


@pytest.mark.parametrize("cls", AXES)
def test_severities(cls):
    assert cls.at(0).is_identity
    for severity in range(1, MAX_SEVERITY + 1):
        value = cls.at(severity)
        assert not value.is_identity
        assert from_json(json.loads(json.dumps(to_json(value)))) == value
    for bad in (-1, 6, 1.5, True):
        with pytest.raises(ConfigError, match="0 to 5"):
            cls.at(bad)


@given(
    value=st.one_of(
        st.just(NovelObject()),
        st.just(NovelPair()),
        st.builds(Distractors, count=st.integers(1, 4)),
    )
)
def test_json_round_trip(value):
    assert from_json(json.loads(json.dumps(to_json(value)))) == value


def test_bounds_come_back_from_json_as_they_were():
    value = NovelObject(kind="colour", distance=(0.0, 0.2))
    again = from_json(json.loads(json.dumps(to_json(value))))
    assert again == value
    assert hash(again) == hash(value)


def test_what_does_not_go_together():
    excluded = {
        frozenset(pair)
        for pair in (
            (NovelObject, NovelPair),
            (NovelObject, NovelInstance),
            (NovelTarget, NovelPair),
        )
    }
    for first, second in itertools.combinations(AXES, 2):
        if {first, second} in excluded:
            with pytest.raises(ConfigError, match="do not go together"):
                Composition(first(), second())
        else:
            assert len(Composition(first(), second())) == 2


def test_bad_values_say_what_to_do():
    with pytest.raises(ConfigError, match="any, category, colour"):
        NovelObject(kind="shape")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="not both"):
        NovelObject(distance=(0, 1), fifth=2)
    with pytest.raises(ConfigError, match="low, high"):
        NovelObject(distance=(0.5, 0.1))
    with pytest.raises(ConfigError, match="0 to 1"):
        Distractors(similarity=1.5)
    with pytest.raises(ConfigError, match="0 to 5"):
        Distractors(count=9)
    with pytest.raises(UnknownNameError, match="Distractors"):
        from_json({"type": "Distractor", "count": 2})
    with pytest.raises(ConfigError, match="cannot take"):
        from_json({"type": "Distractors", "number": 2})
    with pytest.raises(UnknownNameError, match="novel_object"):
        SPLITS["novel_objekt"]


@given(
    larger=st.booleans(),
    low=st.floats(0.3, 0.9),
    high=st.floats(1.0, 2.0),
)
def test_sizes_leave_the_demonstrated_range_and_stay_usable(larger, low, high):
    sizes = [
        NovelSize.at(k).scale({"larger": larger}, (0.9, 1.08), (low, high)) for k in range(1, 6)
    ]
    grows = larger and high >= 1.1 * 1.08
    assert sizes == sorted(sizes, reverse=not grows)
    assert all(s > 1.08 for s in sizes) if grows else all(s <= 0.9 for s in sizes)
    assert sizes[-1] == pytest.approx(high if grows else low)


@pytest.mark.parametrize(
    ("instruction", "word"),
    [
        ("put the Star on the plate", "star"),
        ("put the starry cube on the plate", None),
        ("把紫色方块放到盘子上", "紫色"),
        ("ba zi se fang kuai fang dao pan zi shang", "zi se"),
        ("put the 蘑菇 on the plate", "蘑菇"),
        ("把红色方块放到盘子上", None),
    ],
)
def test_held_out_words_are_found_in_any_language(instruction, word):
    found = held_out_in(Episode(goal=None, scene=SceneFacts(things=()), instruction=instruction))
    assert found == (frozenset() if word is None else {("word", word)})


def test_every_kind_of_leak_is_found():
    red = Thing(category="cube", colour="red")
    goal = Goal(task="pick_place", thing=red, target=Thing(category="bowl", colour="cyan"))
    apple = SceneThing(
        category="apple", colour="red", pos_world=(0.0, 0.0, 0.0), instance="apple_tall"
    )
    facts = SceneFacts(things=(apple,))
    assert SceneFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts
    episode = Episode(goal=goal, scene=facts, instruction="", held_out=frozenset({"apple_tall"}))
    assert held_out_in(episode) == {
        ("cell", "cube x bowl"),
        ("colour", "cyan"),
        ("instance", "apple_tall"),
    }
    later = Goal(
        task="press_sequence", thing=red, then=(Thing(category="square_button", colour="red"),)
    )
    found = held_out_in(Episode(goal=later, scene=SceneFacts(things=()), instruction=""))
    assert found == {("cell", "red x square_button")}
