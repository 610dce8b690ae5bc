"""RoboTwin's tasks under every wording: what is said means the goal, and shows nothing else."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uamsim.contract import Goal
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.perturbations.language.saying import things_of
from uamsim.perturbations.language.wording import (
    Chinese,
    Paraphrase,
    Pinyin,
    Reference,
    Reordered,
    Synonyms,
)
from uamsim_envs.robotwin.language import ANY, ARMS, GOALS, LANGUAGE, ONE_ARM, SENTENCES, read, say
from uamsim_envs.robotwin.registration import PAPER_TASKS, TASKS
from uamsim_envs.robotwin.things import KEPT
from wordings import MANNERS, generator, slots_of, wordings, words_of

COLOURS = tuple(SENTENCES.colours)


def goal_of(task: str, thing: str = "", pad: str = "teal") -> Goal:
    """A task's goal, with a colour for its thing ("" for its own) and for a pad of any colour."""
    goal = GOALS[task]
    if goal.target is not None and goal.target.colour == ANY:
        goal = replace(goal, target=replace(goal.target, colour=pad))
    return replace(goal, thing=replace(goal.thing, colour=thing)) if thing else goal


GOAL = st.builds(
    goal_of,
    st.sampled_from(sorted(GOALS)),
    st.sampled_from(["", *COLOURS]),
    st.sampled_from(COLOURS),
)


@given(
    goal=GOAL,
    wording=wordings(references=False),
    arm=st.sampled_from(["", "left", "right"]),
    seed=st.integers(0),
)
def test_every_composition_reads_back(goal, wording, arm, seed):
    text = say(goal, rng=generator(seed), arm=arm, wording=wording)
    assert text == say(goal, rng=generator(seed), arm=arm, wording=wording)
    meant, said = read(text)
    assert meant == goal, text
    assert said in ("", arm)


@pytest.mark.parametrize("tongue", [(), (Chinese(),), (Pinyin(),)], ids=["en", "zh", "py"])
@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_every_sentence_of_every_table_reads_back(tongue, ratio):
    """All 17 tasks in all four tables, so that no two sentences mean the same."""
    for task in GOALS:
        for paraphrased in (False, True):
            for reordered in (False, True):
                wording = [*tongue, Synonyms(ratio=ratio)]
                wording += [Paraphrase()] * paraphrased + [Reordered()] * reordered
                said = set()
                for seed in range(5):
                    text = say(goal_of(task), rng=generator(seed), wording=wording)
                    said.add(text)
                    assert read(text) == (goal_of(task), ""), text
                if ratio == 0.0 and not reordered:
                    assert len(said) == 2, said


@pytest.mark.parametrize("tongue", [(), (Chinese(),), (Pinyin(),)], ids=["en", "zh", "py"])
def test_every_colour_reads_back(tongue):
    for name in COLOURS:
        for seed in range(3):
            wording = [*tongue, Synonyms(ratio=seed / 2)]
            goal = goal_of("hanging_mug", name)
            text = say(goal, rng=generator(seed), wording=wording)
            assert read(text)[0] == goal, text


def test_an_arm_is_said_where_one_begins_half_of_the_time():
    for task in GOALS:
        texts = [say(goal_of(task), rng=generator(seed), arm="left") for seed in range(30)]
        said = ["left arm" in text for text in texts]
        assert (5 < sum(said) < 25) == (task in ONE_ARM), task
        if any(said):
            assert read(texts[said.index(True)])[1] == "left"


def test_tables_hold_the_paper_s_tasks_in_two_tongues():
    assert set(GOALS) == set(KEPT) == set(PAPER_TASKS)
    own = {key: texts for key, texts in SENTENCES.templates.items() if key[0] in GOALS}
    assert {key: len(texts) for key, texts in own.items()} == {
        (task, tongue, paraphrased, reordered): 1 if reordered else 2
        for task in GOALS
        for tongue in ("english", "chinese")
        for paraphrased, reordered in MANNERS
    }
    sentences = [(key[0], text) for key, texts in own.items() for text in texts]
    assert len(set(sentences)) == len(sentences)
    for (task, *_), texts in own.items():
        assert set(things_of(GOALS[task])) == set(KEPT[task])
        for text in texts:
            assert set(slots_of(text)) == set(things_of(GOALS[task])), text


def test_words_are_translated_and_no_sentence_names_a_task():
    texts = [text for _, text in SENTENCES.written_in("english")]
    words = set().union(*map(words_of, texts))
    assert words <= LANGUAGE.dialect.function_words.keys()
    assert {"using", *ARMS, "arm"} <= words
    named = SENTENCES.nouns | SENTENCES.colours
    said = " ".join([*texts, *(form for name in named for form in named[name]["english"])])
    assert not re.search(r"_\w|\d|\.json|\.glb", re.sub(r"\{\w+\}", " ", said))
    assert not any(task in said for task in TASKS)
    assert LANGUAGE.dialect.forms("cube", "english") == ("block", "cube", "brick")


def test_what_cannot_be_said_or_read_is_an_error():
    with pytest.raises(ConfigError, match="cannot read"):
        read("put the red block on the moon")
    with pytest.raises(ConfigError, match="cannot read"):
        read("hang the pot on the rack")
    with pytest.raises(ConfigError, match="cannot carry Reference"):
        say(goal_of("lift_pot"), rng=generator(), wording=(Reference(),))
    with pytest.raises(ConfigError, match="'left' or 'right'"):
        say(goal_of("lift_pot"), rng=generator(), arm="both")
    with pytest.raises(UnknownNameError, match="RoboTwin task"):
        say(replace(goal_of("lift_pot"), task="lift_pan"), rng=generator())
    assert Reference not in LANGUAGE.carried
