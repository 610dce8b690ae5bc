"""RoboTwin's tasks under every wording: what is said means the goal, and shows nothing else."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uamsim.contract import Goal
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.perturbations.language.vocabulary import WORD
from uamsim.perturbations.language.wording import (
    Chinese,
    CodeMix,
    NoiseWords,
    Paraphrase,
    Pinyin,
    Reference,
    Reordered,
    Synonyms,
)
from uamsim.perturbations.robotwin import (
    CARRIED,
    DIALECT,
    parse_robotwin,
    render_robotwin,
    slots_of,
)
from uamsim.perturbations.robotwin_sentences import (
    ARM,
    DEMONSTRATED,
    PARAPHRASES,
    REORDERED,
    REORDERED_PARAPHRASES,
    TABLES,
)
from uamsim.perturbations.robotwin_words import (
    ANY,
    CHINESE_OF,
    COLOURS,
    GOALS,
    NOUNS,
    ONE_ARM,
    WORDS,
)
from uamsim.perturbations.values import Composition
from uamsim_envs.robotwin.registration import PAPER_TASKS, TASKS
from uamsim_envs.robotwin.things import KEPT

TONGUES = (
    (),
    (Chinese(),),
    *((Pinyin.at(severity),) for severity in range(1, 6)),
    *((CodeMix.at(severity),) for severity in range(1, 6)),
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def goal_of(task: str, thing: str = "", pad: str = "teal") -> Goal:
    """A task's goal, with a colour for its thing ("" for its own) and for a pad of any colour."""
    goal = GOALS[task]
    if goal.target is not None and goal.target.colour == ANY:
        goal = replace(goal, target=replace(goal.target, colour=pad))
    return replace(goal, thing=replace(goal.thing, colour=thing)) if thing else goal


wordings = st.builds(
    lambda tongue, *others: Composition(*tongue, *(o for o in others if o is not None)),
    st.sampled_from(TONGUES),
    st.sampled_from([None, Paraphrase()]),
    st.sampled_from([None, Reordered()]),
    st.sampled_from([None, *map(Synonyms.at, range(6))]),
    st.sampled_from([None, *map(NoiseWords.at, range(6))]),
)
goals = st.builds(
    goal_of,
    st.sampled_from(sorted(GOALS)),
    st.sampled_from(["", *COLOURS]),
    st.sampled_from(COLOURS),
)


@given(
    goal=goals, wording=wordings, arm=st.sampled_from(["", "left", "right"]), seed=st.integers(0)
)
def test_every_composition_reads_back(goal, wording, arm, seed):
    text = render_robotwin(goal, rng=generator(seed), arm=arm, wording=wording)
    assert text == render_robotwin(goal, rng=generator(seed), arm=arm, wording=wording)
    read, said = parse_robotwin(text)
    assert read == goal, text
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
                    text = render_robotwin(goal_of(task), rng=generator(seed), wording=wording)
                    said.add(text)
                    assert parse_robotwin(text) == (goal_of(task), ""), text
                if ratio == 0.0 and not reordered:
                    assert len(said) == 2, said


@pytest.mark.parametrize("tongue", [(), (Chinese(),), (Pinyin(),)], ids=["en", "zh", "py"])
def test_every_colour_reads_back(tongue):
    for name in COLOURS:
        for seed in range(3):
            wording = [*tongue, Synonyms(ratio=seed / 2)]
            goal = goal_of("hanging_mug", name)
            text = render_robotwin(goal, rng=generator(seed), wording=wording)
            assert parse_robotwin(text)[0] == goal, text


def test_an_arm_is_said_where_one_begins_half_of_the_time():
    for task in GOALS:
        texts = [
            render_robotwin(goal_of(task), rng=generator(seed), arm="left") for seed in range(30)
        ]
        said = ["left arm" in text for text in texts]
        assert (5 < sum(said) < 25) == (task in ONE_ARM), task
        if any(said):
            assert parse_robotwin(texts[said.index(True)])[1] == "left"


def test_tables_hold_the_paper_s_tasks_in_two_tongues():
    assert set(GOALS) == set(KEPT) == set(PAPER_TASKS)
    for table, count in ((DEMONSTRATED, 2), (PARAPHRASES, 2)):
        assert {k: len(v) for k, v in table.items()} == {
            (task, tongue): count for task in GOALS for tongue in ("english", "chinese")
        }
    for table in (REORDERED, REORDERED_PARAPHRASES):
        assert {len(v) for v in table.values()} == {1}
        assert len(table) == 2 * len(GOALS)
    sentences = [(*key, text) for table in TABLES for key, some in table.items() for text in some]
    assert len(set(sentences)) == len(sentences)
    for task, goal in GOALS.items():
        assert set(slots_of(goal)) == set(KEPT[task])
        for table in TABLES:
            for tongue in ("english", "chinese"):
                for text in table[task, tongue]:
                    assert set(re.findall(r"\{(\w+)\}", text)) == set(slots_of(goal)), text


def test_words_are_translated_and_no_sentence_names_a_task():
    texts = [t for table in TABLES for task in GOALS for t in table[task, "english"]]
    words = {w for t in texts for w in WORD.findall(re.sub(r"\{\w+\}", " ", t))}
    assert words <= CHINESE_OF.keys()
    assert {w for arm in ARM for w in WORD.findall(arm["english"])} <= CHINESE_OF.keys()
    said = " ".join([*texts, *(form for name in WORDS for form in WORDS[name]["english"])])
    assert not re.search(r"_\w|\d|\.json|\.glb", re.sub(r"\{\w+\}", " ", said))
    assert not any(task in said for task in TASKS)
    assert set(NOUNS) | set(COLOURS) == set(WORDS)
    assert DIALECT.forms("cube", "english") == ("block", "cube", "brick")


def test_what_cannot_be_said_or_read_is_an_error():
    with pytest.raises(ConfigError, match="cannot read"):
        parse_robotwin("put the red block on the moon")
    with pytest.raises(ConfigError, match="cannot read"):
        parse_robotwin("hang the pot on the rack")
    with pytest.raises(ConfigError, match="cannot carry Reference"):
        render_robotwin(goal_of("lift_pot"), rng=generator(), wording=(Reference(),))
    with pytest.raises(ConfigError, match="'left' or 'right'"):
        render_robotwin(goal_of("lift_pot"), rng=generator(), arm="both")
    with pytest.raises(UnknownNameError, match="RoboTwin task"):
        render_robotwin(replace(goal_of("lift_pot"), task="lift_pan"), rng=generator())
    assert Reference not in CARRIED
