"""Axes of objects: distances make sense, grades follow them, nothing else is touched."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uamsim.contract import Goal, SceneFacts, SceneThing, Thing, content_hash
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.lexicon import HELD_OUT_PAIRS, LEXICON, entries, is_held_out
from uamsim.perturbations.axes.objects import (
    Distractors,
    NovelInstance,
    NovelObject,
    NovelPair,
    NovelSize,
    NovelTarget,
    NovelTexture,
)
from uamsim.perturbations.distance import (
    category_distance,
    colour_distance,
    distance,
    distance_to_training,
    lab,
    shape_distance,
)
from uamsim.perturbations.draw import TASKS, draw_episode
from uamsim.perturbations.leaks import Episode, check_leaks, held_out_in
from uamsim.perturbations.values import MAX_SEVERITY, PERTURBATIONS, Composition, from_json, to_json

AXES = tuple(cls for cls in PERTURBATIONS.values() if cls.layer == "objects")
seeds = st.integers(0, 2**32 - 1)
tasks = st.sampled_from(sorted(TASKS))
kinds = {"press_button": "button", "pick_place": "object"}
words = st.builds(
    Thing,
    category=st.sampled_from([e.name for e in LEXICON.values() if e.path]),
    colour=st.sampled_from([e.name for e in entries("colour")]),
)


def draw(task, seed, *perturbations):
    return draw_episode(task, np.random.default_rng(seed), perturbations)


def all_things(kind):
    return [Thing(category=a.name, colour=b.name) for a in entries(kind) for b in entries("colour")]


def shown(kind):
    return [t for t in all_things(kind) if not is_held_out((t.category, t.colour))]


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
    with pytest.raises(ConfigError, match="here they are"):
        draw("pick_place", 0, NovelObject(distance=(0.9, 1.0)))
    with pytest.raises(ConfigError, match="library"):
        draw("pick_place", 0, NovelInstance())
    with pytest.raises(ConfigError, match="no target"):
        draw("press_button", 0, NovelTarget())


PINNED = {
    ("press_button", "none"): "748b2391a7d48461",
    ("pick_place", "none"): "36c943780ca184a4",
    ("press_button", "object"): "a24cf2cf3bc846d6",
    ("pick_place", "object"): "a0610955a9fece8e",
    ("press_button", "pair"): "4f7c4a3057793937",
    ("pick_place", "pair"): "afef70132eca731a",
    ("press_button", "distractors"): "f4a3753404b3433b",
    ("pick_place", "distractors"): "a9867c7b94434497",
}
"""Measured results rest on these scenes."""


@pytest.mark.parametrize(("task", "split"), PINNED)
def test_scenes_stay_as_they_were(task, split):
    value = {
        "none": (),
        "object": (NovelObject(),),
        "pair": (NovelPair(),),
        "distractors": (Distractors(count=2),),
    }[split]
    episodes = [draw(task, seed, *value) for seed in range(50)]
    digest = content_hash([[e.goal, e.things, e.targets] for e in episodes])
    assert digest == PINNED[task, split]


@given(task=tasks, seed=seeds)
@settings(max_examples=30, deadline=None)
def test_severity_0_is_the_identity(task, seed):
    plain = draw(task, seed)
    for cls in AXES:
        assert draw(task, seed, cls.at(0)) == plain


@given(task=tasks, seed=seeds, fifth=st.integers(1, 5))
@settings(deadline=None)
def test_fifths_lie_apart(task, seed, fifth):
    seen = shown(kinds[task])
    episode = draw(task, seed, NovelObject.at(fifth))
    far = distance_to_training(episode.goal.thing, seen)
    assert episode.drawn["NovelObject"]["distance"] == far > 0
    new = [not LEXICON[n].in_action_data for n in vars(episode.goal.thing).values()]
    assert sum(new) == 1
    if fifth < 5:
        farther = draw(task, seed + 1, NovelObject.at(fifth + 1)).goal.thing
        assert far <= distance_to_training(farther, seen)


@given(task=tasks, seed=seeds, kind=st.sampled_from(["category", "colour"]))
@settings(deadline=None)
def test_kind_says_which_word_is_new(task, seed, kind):
    thing = draw(task, seed, NovelObject(kind=kind)).goal.thing
    assert not LEXICON[getattr(thing, kind)].in_action_data
    assert is_held_out((thing.category, thing.colour))
    assert LEXICON[{"category": thing.colour, "colour": thing.category}[kind]].in_action_data


@given(seed=seeds, low=st.floats(0.0, 0.2))
@settings(deadline=None)
def test_distance_bounds_hold(seed, low):
    episode = draw("pick_place", seed, NovelObject(distance=(low, low + 0.2)))
    assert low <= distance_to_training(episode.goal.thing, shown("object")) <= low + 0.2


@given(seed=seeds)
@settings(deadline=None)
def test_novel_target_alone_is_new(seed):
    episode = draw("pick_place", seed, NovelTarget())
    thing, target = episode.goal.thing, episode.goal.target
    assert target is not None
    assert is_held_out((target.category, target.colour))
    assert not is_held_out((thing.category, thing.colour))
    assert (thing.category, target.category) not in HELD_OUT_PAIRS
    for other in (*episode.things, *episode.targets[1:]):
        assert not is_held_out((other.category, other.colour))
    assert episode.drawn == {"NovelTarget": vars(target)}


@given(task=tasks, seed=seeds)
@settings(max_examples=30, deadline=None)
def test_distractors_are_as_similar_as_asked(task, seed):
    plain = draw(task, seed)
    means = []
    for similarity in (0.0, 0.5, 1.0):
        episode = draw(task, seed, Distractors(count=5, similarity=similarity))
        assert episode.things[:3] == plain.things
        assert (episode.goal, episode.targets) == (plain.goal, plain.targets)
        added = episode.things[3:]
        assert len({*episode.things}) == 8
        means.append(np.mean([distance(t, episode.goal.thing).mean for t in added]))
        assert len(episode.drawn["Distractors"]["things"]) == 5
    assert means[0] > means[1] > means[2]


@given(task=tasks, seed=seeds, severity=st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_size_and_texture_leave_what_there_is(task, seed, severity):
    plain = draw(task, seed)
    both = draw(task, seed, NovelSize.at(severity), NovelTexture.at(severity))
    assert (both.goal, both.things, both.targets) == (plain.goal, plain.things, plain.targets)
    alone = draw(task, seed, NovelSize.at(severity))
    assert both.drawn["NovelSize"] == alone.drawn["NovelSize"]
    assert json.loads(json.dumps(both.drawn)) == both.drawn
    assert both.drawn["NovelTexture"]["contrast"] == pytest.approx(0.13 * severity)


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


def episode_of(draw):
    things = tuple(
        SceneThing(category=t.category, colour=t.colour, pos_world=(0.0, 0.0, 0.0))
        for t in (*draw.things, *draw.targets)
    )
    facts = SceneFacts(things=things)
    return Episode(goal=draw.goal, scene=facts, instruction=draw.instruction(facts))


@pytest.mark.parametrize("task", TASKS)
def test_training_shows_nothing_held_out(task):
    for value in (NovelObject(), NovelPair(), Distractors(count=5)):
        training = (episode_of(draw(task, seed)) for seed in range(300))
        split = [episode_of(draw(task, 10_000 + seed, value)) for seed in range(100)]
        report = check_leaks(training, split)
        assert report.ok, report.leaked
        assert (report.num_training, report.num_split) == (300, 100)
        assert report.novel
        # What would be a leak is found as one.
        assert check_leaks(split, ()).leaked == report.novel


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
    assert held_out_in(Episode(goal=goal, scene=facts, instruction="")) == {
        ("cell", "cube x bowl"),
        ("colour", "cyan"),
        ("instance", "apple_tall"),
    }
    later = Goal(
        task="press_sequence", thing=red, then=(Thing(category="square_button", colour="red"),)
    )
    found = held_out_in(Episode(goal=later, scene=SceneFacts(things=()), instruction=""))
    assert found == {("cell", "red x square_button")}
