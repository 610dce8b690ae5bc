"""Draws keep what they promise, for any seed; words keep their meaning in every language."""

import json
import unicodedata

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from uamsim.errors import ConfigError, UnknownNameError
from uamsim.lexicon import HELD_OUT_PAIRS, LEXICON, entries, is_held_out, romanise
from uamsim.perturbations.axes.objects import Distractors, NovelObject, NovelPair
from uamsim.perturbations.draw import TASKS, draw_episode, goal_names
from uamsim.perturbations.language.reading import parse_instruction
from uamsim.perturbations.splits import SPLITS
from uamsim.perturbations.values import from_json, to_json

seeds = st.integers(0, 2**32 - 1)
tasks = st.sampled_from(sorted(TASKS))


def draw(task, seed, split):
    return draw_episode(task, np.random.default_rng(seed), SPLITS[split].perturbations)


@given(task=tasks, seed=seeds, split=st.sampled_from(sorted(SPLITS)))
@example(task="pick_place", seed=0, split="novel_target")
@settings(max_examples=300, deadline=None)
def test_every_draw_is_unambiguous_and_says_what_it_means(task, seed, split):
    assume((task, split) != ("press_button", "novel_target"))
    episode = draw(task, seed, split)
    assert episode == draw(task, seed, split)
    assert len(set(episode.things)) == len(episode.things)
    assert len(set(episode.targets)) == len(episode.targets)
    assert episode.things[0] == episode.goal.thing
    assert episode.goal.target == (episode.targets[0] if episode.targets else None)
    assert len(episode.things) == 3 + 2 * (split == "distractors")
    assert len(episode.targets) == (2 if task == "pick_place" else 0)
    instruction = episode.instruction(None, SPLITS[split].perturbations)
    assert parse_instruction(instruction) == episode.goal
    for leaked in (*SPLITS, *TASKS, "_"):
        assert leaked not in instruction


@given(
    task=tasks, seed=seeds, split=st.sampled_from(["in_domain", "chinese", "pinyin", "code_mix"])
)
@settings(max_examples=300, deadline=None)
def test_in_domain_shows_nothing_held_out(task, seed, split):
    episode = draw(task, seed, split)
    assert not is_held_out(goal_names(episode.goal))
    for thing in (*episode.things, *episode.targets):
        assert not is_held_out((thing.category, thing.colour))


@given(task=tasks, seed=seeds)
@settings(deadline=None)
def test_novel_object_has_one_new_word(task, seed):
    episode = draw(task, seed, "novel_object")
    new = [name for name in goal_names(episode.goal) if not LEXICON[name].in_action_data]
    assert len(new) == 1
    assert new[0] in (episode.goal.thing.category, episode.goal.thing.colour)
    names = goal_names(episode.goal)
    assert not any((a, b) in HELD_OUT_PAIRS for a in names for b in names)
    for thing in (*episode.things[1:], *episode.targets):
        assert not is_held_out((thing.category, thing.colour))


@given(task=tasks, seed=seeds)
@settings(deadline=None)
def test_novel_pair_has_seen_words_in_a_new_pair(task, seed):
    episode = draw(task, seed, "novel_pair")
    names = goal_names(episode.goal)
    assert all(LEXICON[name].in_action_data for name in names)
    assert is_held_out(names)


@given(task=tasks, seed=seeds)
@settings(deadline=None)
def test_splits_share_what_they_leave_alone(task, seed):
    base = draw(task, seed, "in_domain")
    more = draw(task, seed, "distractors")
    other = draw(task, seed, "chinese")
    assert more.things[:3] == base.things
    assert more.targets == base.targets
    assert more.instruction(None) == base.instruction(None)
    assert (other.goal, other.things, other.targets) == (base.goal, base.things, base.targets)


def test_draws_cover_the_lexicon():
    rng = np.random.default_rng(0)
    named = {split: set() for split in ("in_domain", "novel_object", "distractors")}
    for _ in range(400):
        for split, seen in named.items():
            for task in TASKS:
                episode = draw_episode(task, rng, SPLITS[split].perturbations)
                things = episode.things if split == "distractors" else episode.things[:1]
                seen |= {name for t in things for name in (t.category, t.colour)}
    words = {e.name for kind in ("colour", "object", "button") for e in entries(kind)}
    assert named["distractors"] == words
    assert named["novel_object"] == words
    assert named["in_domain"] == {name for name in words if LEXICON[name].in_action_data}


@given(
    value=st.one_of(
        st.just(NovelObject()),
        st.just(NovelPair()),
        st.builds(Distractors, count=st.integers(1, 4)),
    )
)
def test_json_round_trip(value):
    assert from_json(json.loads(json.dumps(to_json(value)))) == value


def test_bad_values_say_what_to_do():
    rng = np.random.default_rng(0)
    with pytest.raises(UnknownNameError, match="press_button"):
        draw_episode("press_buton", rng)
    with pytest.raises(ConfigError, match="do not go together"):
        draw_episode("pick_place", rng, (NovelObject(), NovelPair()))
    with pytest.raises(ConfigError, match="at most one"):
        draw_episode("pick_place", rng, (Distractors(), Distractors(count=1)))
    with pytest.raises(ConfigError, match="0 to 5"):
        Distractors(count=9)
    with pytest.raises(UnknownNameError, match="Distractors"):
        from_json({"type": "Distractor", "count": 2})
    with pytest.raises(ConfigError, match="cannot take"):
        from_json({"type": "Distractors", "number": 2})
    with pytest.raises(UnknownNameError, match="novel_object"):
        SPLITS["novel_objekt"]


def test_romanise_agrees_with_the_table():
    for entry in LEXICON.values():
        plain = unicodedata.normalize("NFD", entry.pinyin.replace("ǜ", "v"))
        plain = "".join(c for c in plain if not unicodedata.combining(c))
        assert romanise(entry.chinese) == plain
