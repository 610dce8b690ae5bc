"""Questions are answerable, right, in every language, and give a guesser little."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uamsim.contract import SKILLS, Question, SceneFacts, SceneThing
from uamsim.data.questions import INSTRUCTIONS, draw_question, region
from uamsim.data.vqa import balanced_questions, corpus
from uamsim.errors import DatasetError, UnknownNameError
from uamsim.lexicon import LEXICON, entries
from uamsim_envs.aloha.language import LANGUAGE

categories = [e.name for kind in ("object", "button", "target") for e in entries(kind)]
colours = [e.name for e in entries("colour")]
things = st.builds(
    SceneThing,
    category=st.sampled_from(categories),
    colour=st.sampled_from(colours[:3]),
    pos_world=st.tuples(st.floats(-0.28, 0.28), st.floats(-0.14, 0.14), st.just(0.0)),
)
labels = st.builds(
    SceneThing,
    category=st.just("label"),
    colour=st.sampled_from(colours),
    pos_world=st.just((0.0, 0.1, 0.0)),
    text=st.sampled_from(["A", "7X"]),
)
scenes = st.builds(
    lambda a, b: SceneFacts(things=(*a, *b)),
    st.lists(things, max_size=8),
    st.lists(labels, max_size=2),
)


def thing(category, colour, x=0.2, y=0.1, text=""):
    return SceneThing(category=category, colour=colour, pos_world=(x, y, 0.0), text=text)


@given(facts=scenes, seed=st.integers(0, 2**32 - 1), skill=st.sampled_from(SKILLS))
@settings(max_examples=400, deadline=None)
def test_any_scene_gives_a_short_clean_question_or_none(facts, seed, skill):
    drawn = draw_question(facts, skill, np.random.default_rng(seed))
    assert drawn == draw_question(facts, skill, np.random.default_rng(seed))
    if drawn is None:
        return
    question = drawn[1]
    assert question.skill == skill
    assert not set("{}_") & set(question.question + question.answer)
    assert 1 <= len(question.answer.split()) <= 4
    if skill != "multilingual":
        assert question.question.isascii()


@given(facts=scenes, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_answers_follow_from_the_facts(facts, seed):
    """Checks plain questions by reading them back, apart from how they are made."""
    rng = np.random.default_rng(seed)
    solid = [t for t in facts.things if t.category != "label"]
    english = {e.english: e.name for e in (*entries("colour"), *map_entries())}

    def named(phrase):
        colour, _, category = phrase.partition(" ")
        return [t for t in solid if (t.colour, t.category) == (colour, english[category])]

    for skill in ("recognition", "counting", "attribute", "spatial"):
        drawn = draw_question(facts, skill, rng)
        if drawn is None:
            continue
        kind, q = drawn[0].split("/")[0], drawn[1]
        words = q.question.rstrip("?").split(" ")
        if kind == "count_colour":
            assert int(q.answer) == sum(t.colour == words[2] for t in solid)
        elif kind == "count_category":
            name = english[" ".join(words[2:-2])[:-1]]
            assert int(q.answer) == sum(t.category == name for t in solid)
        elif kind == "where":
            [found] = named(
                " ".join(words[words.index("the", 2 if words[0] == "where" else 4) + 1 :])
            )
            assert q.answer == region(found)
        elif kind.startswith("next_"):
            [found] = named(" ".join(words[words.index("of") + 2 :]))
            row = sorted(facts.things, key=lambda t: t.pos_world[0])
            answer = row[row.index(found) + (1 if "right" in kind else -1)]
            assert q.answer in (answer.colour, LEXICON[answer.category].english)


def map_entries():
    return [e for kind in ("object", "button", "target") for e in entries(kind)]


def draw_many(facts, skill, count=2000):
    rng = np.random.default_rng(0)
    drawn = [draw_question(facts, skill, rng) for _ in range(count)]
    return [(kind, question) for kind, question in filter(None, drawn)]


def test_borders_and_twins_are_left_out():
    assert region(thing("cube", "red", x=-0.2, y=-0.1)) == "left near"
    assert region(thing("cube", "red", x=0.0, y=0.1)) == "middle far"
    assert region(thing("cube", "red", x=0.1, y=0.1)) is None
    assert region(thing("cube", "red", x=0.2, y=0.01)) is None
    twins = SceneFacts(things=(thing("cube", "red"), thing("cube", "red", x=-0.2)))
    assert draw_many(twins, "spatial", 100) == []
    assert draw_many(twins, "attribute", 100) == []


def test_empty_scene_can_only_be_counted():
    empty = SceneFacts(things=())
    assert {q.answer for _, q in draw_many(empty, "counting", 50)} == {"0"}
    for skill in ("recognition", "attribute", "spatial", "ocr"):
        assert draw_many(empty, skill, 20) == []


def test_multilingual_covers_all_tongues_and_instructions():
    facts = SceneFacts(
        things=(thing("cube", "red", x=-0.2, y=-0.1), thing("plate", "blue", x=0.2, y=0.1))
    )
    kinds = {kind for kind, _ in draw_many(facts, "multilingual")}
    for tongue in ("chinese", "pinyin", "code_mix"):
        for kind in ("what_is", "where", "instruction_where", "instruction_where_to"):
            assert f"{kind}/{tongue}" in kinds
    questions = {q.question: q.answer for _, q in draw_many(facts, "multilingual")}
    assert questions["把红色方块放到蓝色盘子上，它在哪里？"] == "左近"
    assert (
        questions["ba hong se fang kuai fang dao lan se pan zi shang, ta zai na li?"] == "zuo jin"
    )


def test_label_is_read_in_its_own_letters():
    facts = SceneFacts(things=(thing("label", "white", text="7X"),))
    assert {q.answer for _, q in draw_many(facts, "ocr", 10)} == {"7X"}


def test_test_set_is_balanced_and_fixed(make_facts):
    facts = [make_facts(seed) for seed in range(150)]
    questions = balanced_questions(facts, 30, seed=3)
    assert questions == balanced_questions(facts, 30, seed=3)
    for skill in SKILLS:
        asked = [q for _, q in questions if q.skill == skill]
        assert len(asked) == 30
        answers = [q.answer for q in asked]
        assert max(map(answers.count, answers)) <= 12
    with pytest.raises(DatasetError, match="Raise num_test_scenes"):
        balanced_questions(facts[:2], 500, seed=3)


def test_corpus_has_every_language():
    texts = corpus(np.random.default_rng(0), 600)
    assert len(texts) == 600
    together = "\n".join(texts)
    for piece in ("红色", "hong se", "red", "put the", "把", "fang dao", "?", "？", "近"):
        assert piece in together


def test_unknown_skill():
    with pytest.raises(UnknownNameError, match="spatial"):
        draw_question(SceneFacts(things=()), "spacial", np.random.default_rng(0))
    assert Question(skill="ocr", question="q", answer="a").skill in SKILLS


def test_instructions_are_those_that_demonstrations_say():
    for task, (english, chinese) in INSTRUCTIONS.items():
        said = LANGUAGE.sentences.templates
        assert (english, chinese) == (
            said[task, "english", False, False],
            said[task, "chinese", False, False],
        )
