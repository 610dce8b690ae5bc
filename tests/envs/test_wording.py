"""Whatever its wording, an instruction means its goal, and shows nothing that it must not."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uamsim.contract import Goal, SceneFacts, Thing
from uamsim.lexicon import LEXICON, placement_word, romanise
from uamsim.perturbations import axes
from uamsim.perturbations.language.language import Language
from uamsim.perturbations.language.vocabulary import (
    COLOURS,
    FUNCTION_WORDS,
    GENERIC,
    NOISE,
    OR,
    ORDINALS,
    REFERENCES,
    WORD,
    forms,
)
from uamsim.perturbations.language.wording import Chinese, Paraphrase, Pinyin, Reordered
from uamsim.perturbations.splits import SPLITS
from uamsim.perturbations.values import PERTURBATIONS
from uamsim_envs.aloha import language as aloha
from uamsim_envs.calvin import language as calvin
from uamsim_envs.robosuite import language as robosuite
from uamsim_envs.robotwin import language as robotwin
from wordings import (
    MANNERS,
    TONGUES,
    all_wordings,
    generator,
    scene_of,
    slots_of,
    worded,
    wordings,
    words_of,
)

LANGUAGES = {"aloha": aloha.LANGUAGE, "robosuite": robosuite.LANGUAGE}
CASES = [(world, task) for world in LANGUAGES for task in LANGUAGES[world].sentences.tasks]


def usual(sorts: tuple[str, ...]) -> list[Thing]:
    return [
        Thing(category=e.name, colour=colour)
        for e in LEXICON.values()
        if e.kind != "colour" and (e.name in sorts or e.kind in sorts)
        for colour in sorted(COLOURS)
    ]


def draw_goal(language: Language, task: str, rng: np.random.Generator) -> Goal:
    things, targets = (usual(sorts) for sorts in language.sentences.about[task])
    template = language.templates(task)[0]
    num_then = sum(f"{{{slot}}}" in template for slot in ("second", "third", "fourth"))
    thing, *then = (things[i] for i in rng.permutation(len(things))[: 1 + num_then])
    target = targets[rng.integers(len(targets))] if targets else None
    return Goal(task=task, thing=thing, then=tuple(then), target=target)


def draw_scene(language: Language, goal: Goal, rng: np.random.Generator) -> SceneFacts:
    """The goal's things and 1 to 3 others, of its kind or of any."""
    others = [*usual(language.sentences.about[goal.task][0]), *usual(("object", "target"))]
    others = [thing for thing in dict.fromkeys(others) if thing != goal.thing]
    more = [others[i] for i in rng.permutation(len(others))[: rng.integers(1, 4)]]
    named = [goal.thing, *goal.then, *([goal.target] if goal.target else []), *more]
    return scene_of(
        *((t.colour, t.category, *rng.uniform(-0.2, 0.2, size=2)) for t in dict.fromkeys(named))
    )


@given(wording=wordings(), case=st.sampled_from(CASES), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=600, deadline=None)
def test_every_composition_reads_back(wording, case, seed):
    language, task = LANGUAGES[case[0]], case[1]
    rng = generator(seed)
    goal = draw_goal(language, task, rng)
    scene = draw_scene(language, goal, rng)
    text = language.say(goal, wording=wording, rng=generator(seed), scene=scene)
    assert text == language.say(goal, wording=wording, rng=generator(seed), scene=scene)
    assert language.read(text, scene, task=task) == goal
    found = language.read(text, scene)
    if task != "pick_place_objects":  # says the same as pick_place, of more things
        assert found == goal
    assert (found.thing, found.then, found.target) == (goal.thing, goal.then, goal.target)


@pytest.mark.parametrize("tongue", TONGUES)
@pytest.mark.parametrize(("world", "task"), CASES)
def test_every_template_reads_back(world, task, tongue):
    language = LANGUAGES[world]
    rng = generator()
    for paraphrased, reordered in MANNERS:
        wording = [*tongue, *[Paraphrase()] * paraphrased, *[Reordered()] * reordered]
        num = len(language.templates(task, wording))
        assert num
        for template in range(num):
            # The first number that is drawn decides on the template.
            seed = next(s for s in range(1000) if generator(s).integers(num) == template)
            goal = draw_goal(language, task, rng)
            text = language.say(goal, wording=wording, rng=generator(seed))
            assert language.read(text, task=task) == goal


def test_pinyin_of_a_word_does_not_depend_on_its_neighbours():
    """Else joined pinyin without tones could not be read: the parser spells word by word."""

    def names(sorts: tuple[str, ...]) -> list[str]:
        return sorted({t.category for t in usual(sorts)})

    def spellings(slot: str, about: tuple[tuple[str, ...], ...] | None):
        """What a slot can begin and end with."""
        colours = [f for c in COLOURS for f in forms(c, "chinese")]
        if slot in ("on", "ordinal"):
            fixed = ["里", "上"] if slot == "on" else list(ORDINALS["chinese"])
            return fixed, fixed
        if slot == "colour":
            return colours, colours
        categories = [n for n in LEXICON if n not in COLOURS]
        if about is not None:
            categories = names(about[slot == "target"])
        nouns = [f for n in categories for f in forms(n, "chinese")]
        if slot in ("noun", "category"):
            nouns += [f for n in GENERIC for f in forms(n, "chinese")]
            return nouns, nouns
        return colours, nouns

    def check(*parts: str) -> None:
        spelt = " ".join(romanise(part) for part in parts)
        assert re.sub(r" ([,:])", r"\1", spelt) == romanise("".join(parts)), parts

    rows = [
        (language.sentences.about[task], text)
        for language in LANGUAGES.values()
        for task, text in language.sentences.written_in("chinese")
    ]
    rows += [(None, texts["chinese"]) for texts in REFERENCES.values()]
    rows += [(None, f"{{anchor}}{OR['chinese']}{{anchor}}")]
    for about, row in rows:
        literals, slots = re.split(r"\{\w+\}", row), slots_of(row)
        for i, slot in enumerate(slots):
            first, last = spellings(slot, about)
            for text in first if literals[i] else ():
                check(literals[i], text)
            for text in last if literals[i + 1] else ():
                check(text, literals[i + 1])


@pytest.mark.parametrize("world", LANGUAGES)
def test_nothing_internal_is_said(world):
    language = LANGUAGES[world]
    internal = {*SPLITS, *PERTURBATIONS, *axes.AXES, "english", "chinese", "severity"}
    internal |= {task for _, task in CASES}
    patterns = [re.compile(rf"(?<![a-z]){re.escape(n.lower())}(?![a-z])") for n in internal]
    rng = generator()
    for wording in dict.fromkeys(all_wordings()):
        for task in language.sentences.tasks:
            goal = draw_goal(language, task, rng)
            scene = draw_scene(language, goal, rng)
            text = language.say(goal, wording=wording, rng=rng, scene=scene).lower()
            assert not re.search(r"[_{}\d]", re.sub(r"(?<=[a-zü])[1-5]", "", text)), text
            for pattern in patterns:
                assert not pattern.search(text), (pattern, text)


def demonstrated_words() -> set[str]:
    """Every word that an instruction of a demonstration of these worlds may have."""
    words: set[str] = set()
    for language in LANGUAGES.values():
        for _, text in worded(language.sentences, "english", (False, False)):
            words |= words_of(text)
    for entry in LEXICON.values():
        words |= words_of(placement_word(entry.name, "english"))
        words |= words_of(entry.english) if entry.in_action_data else set()
    return words


def test_demonstrations_have_none_of_the_other_words():
    shown = demonstrated_words()
    rng = generator()
    for world, task in CASES:
        for _ in range(50):
            goal = draw_goal(LANGUAGES[world], task, rng)
            things = [goal.thing, *goal.then, *([goal.target] if goal.target else [])]
            names = {name for t in things for name in (t.category, t.colour)}
            said = set(WORD.findall(LANGUAGES[world].say(goal, rng=rng)))
            held_out = [name for name in names if not LEXICON[name].in_action_data]
            assert bool(said - shown) == bool(held_out)
    for name in (e.name for e in LEXICON.values() if not e.in_action_data):
        assert not words_of(LEXICON[name].english) <= shown
    assert not words_of(" ".join(NOISE["english"])) & shown
    for name in (*LEXICON, *GENERIC):
        for synonym in forms(name, "english")[1:]:
            assert not words_of(synonym) <= shown
    plain = [
        t for one in LANGUAGES.values() for _, t in worded(one.sentences, "chinese", MANNERS[0])
    ]
    for language in LANGUAGES.values():
        for _, text in worded(language.sentences, "english", MANNERS[1], MANNERS[3]):
            assert not words_of(text) <= shown, text
        for _, text in worded(language.sentences, "chinese", MANNERS[1], MANNERS[3]):
            assert not set(re.sub(r"\{\w+\}", "", text)) <= set(plain), text


@pytest.mark.parametrize("world", LANGUAGES)
def test_tables_are_whole(world):
    sentences = LANGUAGES[world].sentences
    assert set(sentences.about) == set(sentences.tasks)
    assert set(sentences.templates) == {
        (task, written, *manner)
        for task in sentences.tasks
        for written in ("english", "chinese")
        for manner in MANNERS
    }
    for written in ("english", "chinese"):
        for task, text in sentences.written_in(written):
            first = sentences.templates[task, "english", False, False][0]
            assert set(slots_of(text)) - {"on"} == set(slots_of(first)) - {"on"}
            assert len(slots_of(text)) == len(set(slots_of(text)))
        shown = {text for _, text in worded(sentences, written, MANNERS[0])}
        for manner in MANNERS[1:]:
            own = [text for _, text in worded(sentences, written, manner)]
            assert shown.isdisjoint(own)
            assert len(own) == len(set(own))


def test_every_translation_is_of_use_and_has_one_place():
    """The common table has what is said everywhere, a file what it says differently or alone."""
    worlds = {
        "aloha": aloha.LANGUAGE.sentences,
        "robosuite": robosuite.LANGUAGE.sentences,
        "robotwin": robotwin.SENTENCES,
        "calvin": calvin.SENTENCES,  # CALVIN's own sentences have more words
    }
    said = {
        world: set().union(*(words_of(text) for _, text in sentences.written_in("english")))
        for world, sentences in worlds.items()
    }
    everywhere = {"on", "into", *ORDINALS["english"]}
    for text in (*NOISE["english"], OR["english"], *(t["english"] for t in REFERENCES.values())):
        everywhere |= words_of(text)
    assert everywhere <= set(FUNCTION_WORDS)
    assert set(FUNCTION_WORDS) <= everywhere.union(*said.values())
    for world, sentences in worlds.items():
        if world != "calvin":
            assert set(sentences.translations) <= said[world], world
        for word, chinese in sentences.translations.items():
            assert FUNCTION_WORDS.get(word) != chinese, (world, word)


def test_one_sentence_of_two_tasks_needs_the_task():
    read = aloha.LANGUAGE.read
    text = "put the green can on the white plate"
    assert read(text).task == "pick_place"
    assert read(text, task="pick_place_objects").task == "pick_place_objects"
    assert read(text.replace("plate", "saucer")).task == "pick_place_objects"
    assert read("put the red flower into the blue bottle").task == "insert_flower"


@pytest.mark.parametrize(
    ("text", "things"),
    [
        ("stack the red cube on the blue cube, then the white cube and the green cube", "brwg"),
        ("先放蓝色方块，再依次叠上红色方块、白色方块、绿色方块", "brwg"),
        ("make a column: the azure block lowest, next the red cube, next the white cube, "
         "the green cube last", "brwg"),
        ("put the red bowl into the blue bowl, then the white bowl on top of them", "brw"),
        ("lánsèwǎndiàndǐ, hóngsèwǎntàojìnqù, báisèwǎngēzuìshàngcéng", "brw"),
        ("press the blue round button, then the red round button, then the white round button",
         "brw"),
    ],
)  # fmt: skip
def test_order_is_as_said(text, things):
    goal = aloha.LANGUAGE.read(text)
    assert "".join(t.colour[0] for t in (goal.thing, *goal.then)) == things


def test_meant_is_what_is_read():
    language, rng = aloha.LANGUAGE, generator()
    goal = draw_goal(language, "stack_bowls", rng)
    text = language.say(goal, rng=rng, wording=(Chinese(),))
    assert language.means(text, goal)
    assert not language.means(text, draw_goal(language, "stack_bowls", rng))
    assert not language.means("stack them", goal)
    assert language.means(language.say(goal, rng=rng, wording=(Pinyin(),)), goal)
