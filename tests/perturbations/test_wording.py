"""Whatever its wording, an instruction means its goal, and shows nothing that it must not."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uamsim.contract import Goal, SceneFacts, SceneThing, Thing
from uamsim.errors import ConfigError
from uamsim.lexicon import LEXICON, romanise
from uamsim.perturbations import axes, phrasings
from uamsim.perturbations.language.reading import parse_instruction
from uamsim.perturbations.language.saying import in_domain_words, render_instruction
from uamsim.perturbations.language.vocabulary import (
    COLOURS,
    FUNCTION_WORDS,
    GENERIC,
    NOISE,
    OR,
    ORDINALS,
    REFERENCES,
    SYNONYMS,
    WORD,
    forms,
)
from uamsim.perturbations.language.wording import (
    WORDING,
    Chinese,
    CodeMix,
    NoiseWords,
    Paraphrase,
    Pinyin,
    Reference,
    Reordered,
    Synonyms,
)
from uamsim.perturbations.splits import SPLITS
from uamsim.perturbations.templates import ALL_TEMPLATES, DEMONSTRATED, USUAL, templates_of
from uamsim.perturbations.values import PERTURBATIONS, Composition, from_json, to_json

TASKS = sorted({task for task, _ in DEMONSTRATED})
TONGUES = (
    (),
    (Chinese(),),
    *((Pinyin.at(severity),) for severity in range(1, 6)),
    *((CodeMix.at(severity),) for severity in range(1, 6)),
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def usual(sorts: frozenset[str]) -> list[Thing]:
    return [
        Thing(category=e.name, colour=colour)
        for e in LEXICON.values()
        if e.kind != "colour" and (e.name in sorts or e.kind in sorts)
        for colour in sorted(COLOURS)
    ]


def draw_goal(task: str, rng: np.random.Generator) -> Goal:
    things, targets = (usual(sorts) for sorts in USUAL[task])
    template = DEMONSTRATED[task, "english"][0]
    num_then = sum(f"{{{slot}}}" in template for slot in ("second", "third", "fourth"))
    thing, *then = (things[i] for i in rng.permutation(len(things))[: 1 + num_then])
    target = targets[rng.integers(len(targets))] if targets else None
    return Goal(task=task, thing=thing, then=tuple(then), target=target)


def draw_scene(goal: Goal, rng: np.random.Generator) -> SceneFacts:
    """The goal's things and 1 to 3 others, of its kind or of any."""
    others = [*usual(USUAL[goal.task][0]), *usual(frozenset({"object", "target"}))]
    others = [thing for thing in dict.fromkeys(others) if thing != goal.thing]
    more = [others[i] for i in rng.permutation(len(others))[: rng.integers(1, 4)]]
    named = [goal.thing, *goal.then, *([goal.target] if goal.target else []), *more]
    return scene_of(
        *((t.colour, t.category, *rng.uniform(-0.2, 0.2, size=2)) for t in dict.fromkeys(named))
    )


def scene_of(*things: tuple[str, str, float, float]) -> SceneFacts:
    return SceneFacts(
        things=tuple(
            SceneThing(category=category, colour=colour, pos_world=(float(x), float(y), 0.0))
            for colour, category, x, y in things
        )
    )


def words_of(template: str) -> set[str]:
    return set(WORD.findall(re.sub(r"\{\w+\}", " ", template.lower())))


wordings = st.builds(
    lambda tongue, *others: Composition(*tongue, *(o for o in others if o is not None)),
    st.sampled_from(TONGUES),
    st.sampled_from([None, Paraphrase()]),
    st.sampled_from([None, Reordered()]),
    st.sampled_from([None, *map(Reference.at, (1, 3, 5))]),
    st.sampled_from([None, *map(Synonyms.at, range(6))]),
    st.sampled_from([None, *map(NoiseWords.at, range(6))]),
)


@given(wording=wordings, task=st.sampled_from(TASKS), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=600, deadline=None)
def test_every_composition_reads_back(wording, task, seed):
    rng = generator(seed)
    goal = draw_goal(task, rng)
    scene = draw_scene(goal, rng)
    text = render_instruction(goal, wording=wording, rng=generator(seed), scene=scene)
    assert text == render_instruction(goal, wording=wording, rng=generator(seed), scene=scene)
    assert parse_instruction(text, scene, task=task) == goal
    found = parse_instruction(text, scene)
    if task != "pick_place_objects":  # says the same as pick_place, of more things
        assert found == goal
    assert (found.thing, found.then, found.target) == (goal.thing, goal.then, goal.target)


@pytest.mark.parametrize("tongue", TONGUES)
@pytest.mark.parametrize("task", TASKS)
def test_every_template_reads_back(task, tongue):
    written = "chinese" if tongue and type(tongue[0]) in (Chinese, Pinyin) else "english"
    rng = generator()
    for paraphrased, reordered in ((False, False), (True, False), (False, True), (True, True)):
        wording = [*tongue, *[Paraphrase()] * paraphrased, *[Reordered()] * reordered]
        num = len(templates_of(task, written, paraphrased=paraphrased, reordered=reordered))
        for template in range(num):
            # The first number that is drawn decides on the template.
            seed = next(s for s in range(1000) if generator(s).integers(num) == template)
            goal = draw_goal(task, rng)
            text = render_instruction(goal, wording=wording, rng=generator(seed))
            assert parse_instruction(text, task=task) == goal


def test_pinyin_of_a_word_does_not_depend_on_its_neighbours():
    """Else joined pinyin without tones could not be read: the parser spells word by word."""

    def names(sorts: frozenset[str]) -> list[str]:
        return sorted({t.category for t in usual(sorts)})

    def spellings(slot: str, task: str | None) -> tuple[list[str], list[str]]:
        """What a slot can begin and end with."""
        colours = [f for c in COLOURS for f in forms(c, "chinese")]
        if slot in ("on", "ordinal"):
            fixed = ["里", "上"] if slot == "on" else list(ORDINALS["chinese"])
            return fixed, fixed
        if slot == "colour":
            return colours, colours
        categories = [n for n in LEXICON if n not in COLOURS]
        if task is not None:
            categories = names(USUAL[task][slot == "target"])
        nouns = [f for n in categories for f in forms(n, "chinese")]
        if slot in ("noun", "category"):
            nouns += [f for n in GENERIC for f in forms(n, "chinese")]
            return nouns, nouns
        return colours, nouns

    def check(*parts: str) -> None:
        spelt = " ".join(romanise(part) for part in parts)
        assert re.sub(r" ([,:])", r"\1", spelt) == romanise("".join(parts)), parts

    rows: list[tuple[str | None, str]] = [*ALL_TEMPLATES["chinese"]]
    rows += [(None, texts["chinese"]) for texts in REFERENCES.values()]
    rows += [(None, f"{{anchor}}{OR['chinese']}{{anchor}}")]
    for task, row in rows:
        literals, slots = re.split(r"\{\w+\}", row), re.findall(r"\{(\w+)\}", row)
        for i, slot in enumerate(slots):
            first, last = spellings(slot, task)
            for text in first if literals[i] else ():
                check(literals[i], text)
            for text in last if literals[i + 1] else ():
                check(text, literals[i + 1])


def test_no_two_phrases_are_alike():
    """All colours with all nouns, by any word for them, in the weakest spelling there is."""
    meanings: dict[str, tuple[str, str]] = {}
    for colour in COLOURS:
        for noun in [*(n for n in LEXICON if n not in COLOURS), *GENERIC]:
            for a in forms(colour, "chinese"):
                for b in forms(noun, "chinese"):
                    text = romanise(a, spaced=False) + romanise(b, spaced=False)
                    assert meanings.setdefault(text, (colour, noun)) == (colour, noun)


def all_wordings() -> list[Composition]:
    """Those of every split, every axis at every severity, and of much at once."""
    splits = [Composition.of(split.perturbations) for split in SPLITS.values()]
    some = [Composition(*split.active("language")) for split in splits]
    some += [Composition(cls.at(severity)) for cls in WORDING for severity in range(6)]
    return [*some, Paraphrase() | Reordered() | Synonyms() | NoiseWords(count=5) | Reference()]


def test_nothing_internal_is_said():
    internal = {*SPLITS, *PERTURBATIONS, *axes.AXES, *TASKS, "english", "chinese", "severity"}
    patterns = [re.compile(rf"(?<![a-z]){re.escape(n.lower())}(?![a-z])") for n in internal]
    rng = generator()
    for wording in dict.fromkeys(all_wordings()):
        for task in TASKS:
            goal = draw_goal(task, rng)
            scene = draw_scene(goal, rng)
            text = render_instruction(goal, wording=wording, rng=rng, scene=scene).lower()
            assert not re.search(r"[_{}\d]", re.sub(r"(?<=[a-zü])[1-5]", "", text)), text
            for pattern in patterns:
                assert not pattern.search(text), (pattern, text)


def test_demonstrations_have_none_of_the_other_words():
    shown = in_domain_words()
    rng = generator()
    for task in TASKS:
        for _ in range(50):
            goal = draw_goal(task, rng)
            things = [goal.thing, *goal.then, *([goal.target] if goal.target else [])]
            names = {name for t in things for name in (t.category, t.colour)}
            said = set(WORD.findall(render_instruction(goal, rng=rng)))
            held_out = [name for name in names if not LEXICON[name].in_action_data]
            assert bool(said - shown) == bool(held_out)
    for name in (e.name for e in LEXICON.values() if not e.in_action_data):
        assert not words_of(LEXICON[name].english) <= shown
    assert not words_of(" ".join(NOISE["english"])) & shown
    for name in SYNONYMS:
        for synonym in SYNONYMS[name]["english"]:
            assert not words_of(synonym) <= shown
    demonstrated = {t for templates in DEMONSTRATED.values() for t in templates}
    characters = set("".join(t for _, t in ALL_TEMPLATES["chinese"] if t in demonstrated))
    for table in (phrasings.PARAPHRASES, phrasings.REORDERED_PARAPHRASES):
        for (_, written), templates in table.items():
            for template in templates:
                if written == "english":
                    assert not words_of(template) <= shown
                else:
                    assert not set(re.sub(r"\{\w+\}", "", template)) <= characters


def test_tables_are_whole():
    assert set(SYNONYMS) == {*LEXICON, *GENERIC}
    assert set(USUAL) == set(TASKS)
    for table in (phrasings.PARAPHRASES, phrasings.REORDERED, phrasings.REORDERED_PARAPHRASES):
        assert set(table) == set(DEMONSTRATED)
    seen: set[str] = set()
    for written in ("english", "chinese"):
        for task, template in ALL_TEMPLATES[written]:
            slots = sorted(re.findall(r"\{(\w+)\}", template))
            first = sorted(re.findall(r"\{(\w+)\}", DEMONSTRATED[task, "english"][0]))
            assert set(slots) - {"on"} == set(first) - {"on"}
            assert len(slots) == len(set(slots))
        shown = {t for (_, w), some in DEMONSTRATED.items() if w == written for t in some}
        for table in (phrasings.PARAPHRASES, phrasings.REORDERED, phrasings.REORDERED_PARAPHRASES):
            own = [t for (_, w), some in table.items() if w == written for t in some]
            assert shown.isdisjoint(own)
            assert len(own) == len(set(own))
    for text in (*(t for _, t in ALL_TEMPLATES["english"]), *NOISE["english"], OR["english"]):
        seen |= words_of(text)
    for texts in REFERENCES.values():
        seen |= words_of(texts["english"])
    assert seen | {"on", "into", *ORDINALS["english"]} == set(FUNCTION_WORDS)


CAN = Goal(
    task="pick_place",
    thing=Thing(category="can", colour="green"),
    target=Thing(category="plate", colour="white"),
)


def test_severity_zero_is_the_identity():
    for cls in WORDING:
        assert cls.at(0).is_identity
        assert not any(cls.at(severity).is_identity for severity in range(1, 6))
        for seed in range(20):
            plain = render_instruction(CAN, rng=generator(seed))
            assert render_instruction(CAN, wording=[cls.at(0)], rng=generator(seed)) == plain


def count_new(wording: Sequence, pattern: str) -> float:
    texts = [render_instruction(CAN, wording=wording, rng=generator(s)) for s in range(200)]
    return sum(len(re.findall(pattern, t)) for t in texts) / 200


def test_more_severe_is_more_of_it():
    chinese = r"[^\x00-\x7f]+"
    mixed = [count_new([CodeMix.at(s)], chinese) for s in range(6)]
    assert mixed[0] == 0 < 1 <= mixed[1]
    assert all(b > a + 0.1 for a, b in pairwise(mixed))
    assert count_new([CodeMix(ratio=1.0)], "[a-z]") == 0
    nouns, colours = "罐子|盘子", "绿色|白色"
    early = [count_new([CodeMix(ratio=0.3)], p) for p in (nouns, colours)]
    assert early[0] > 1.5 * early[1] > 0
    assert count_new([CodeMix()], chinese) == count_new([CodeMix()], f"{nouns}|{colours}")
    others = "tin|dish|emerald|snowy|ivory"
    replaced = [count_new([Synonyms.at(s)], others) for s in range(6)]
    assert replaced[0] == 0 < 1 <= replaced[1]
    assert replaced == sorted(replaced)
    assert replaced[5] == 4
    noise = [count_new([NoiseWords.at(s)], ", ") for s in range(6)]
    assert noise == list(range(6))


def test_pinyin_comes_in_every_spelling():
    seed = next(s for s in range(99) if generator(s).integers(3) == 0)  # the first template
    spellings = map(Pinyin.at, range(1, 6))
    texts = [render_instruction(CAN, wording=[p], rng=generator(seed)) for p in spellings]
    assert texts == [
        "bǎ lǜ sè guàn zi fàng dào bái sè pán zi shàng",
        "ba3 lv4 se4 guan4 zi fang4 dao4 bai2 se4 pan2 zi shang4",
        "ba lv se guan zi fang dao bai se pan zi shang",
        "bǎlǜsèguànzifàngdàobáisèpánzishàng",
        "balvseguanzifangdaobaisepanzishang",
    ]


def test_tongues_exclude_each_other():
    for one, other in ((Chinese(), Pinyin()), (Pinyin(), CodeMix()), (CodeMix(), Chinese())):
        with pytest.raises(ConfigError, match="do not go together"):
            _ = one | other
    with pytest.raises(ConfigError, match="marks, numbers, none"):
        Pinyin(tones="some")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="spatial, ordinal, negation"):
        Reference(kind="left")  # type: ignore[arg-type]
    for bad in (lambda: CodeMix(ratio=1.1), lambda: Synonyms(ratio=-0.1)):
        with pytest.raises(ConfigError, match="0 to 1"):
            bad()
    with pytest.raises(ConfigError, match="0 to 8"):
        NoiseWords(count=9)
    with pytest.raises(ConfigError, match="task must be one of"):
        render_instruction(Goal(task="juggle", thing=CAN.thing), rng=generator())


@pytest.mark.parametrize("cls", WORDING)
def test_json_round_trip(cls):
    for severity in range(6):
        value = cls.at(severity)
        assert from_json(json.loads(json.dumps(to_json(value)))) == value


def test_reading_sees_through_case_and_noise():
    text = "Well, on the White plate, um, put the green can, thanks"
    assert parse_instruction(text) == CAN
    with pytest.raises(ConfigError, match="cannot read"):
        parse_instruction("do the task")
    with pytest.raises(ConfigError, match="instruction of press_button"):
        parse_instruction(text, task="press_button")


def test_one_sentence_of_two_tasks_needs_the_task():
    text = "put the green can on the white plate"
    assert parse_instruction(text).task == "pick_place"
    assert parse_instruction(text, task="pick_place_objects").task == "pick_place_objects"
    assert parse_instruction(text.replace("plate", "saucer")).task == "pick_place_objects"
    assert parse_instruction("put the red flower into the blue bottle").task == "insert_flower"


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
    goal = parse_instruction(text)
    assert "".join(t.colour[0] for t in (goal.thing, *goal.then)) == things
