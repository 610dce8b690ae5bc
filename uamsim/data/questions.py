"""Questions with one right answer, drawn from the facts of a scene. No picture is needed.

Answers are balanced so that a guesser gains little: no question is answered by yes or no, counts
are drawn before what is counted, and things whose answer is not clear in the picture are left out.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

import numpy as np

from uamsim.contract import SKILLS, Question, SceneFacts, SceneThing
from uamsim.errors import UnknownNameError
from uamsim.lexicon import LEXICON, entries, placement_word, romanise

Tongue = Literal["english", "chinese", "pinyin", "code_mix"]
T = TypeVar("T")

REGION_X_M = 0.093
"""Left and right of +-this is "left" and "right", else "middle"."""
REGION_MARGIN_M = 0.02
"""Things closer than this to a border between regions are not asked about."""
RELATION_MARGIN_M = 0.06
MAX_COUNT = 3
TONGUES: tuple[Tongue, ...] = ("chinese", "pinyin", "code_mix")
_TONGUE_EDGES = (0.4, 0.75)
"""A multilingual question is Chinese 40%, pinyin 35% and code-mixed 25% of the time."""

_COLOURS = [entry.name for entry in entries("colour")]
_CATEGORIES = [e.name for k in ("object", "button", "target") for e in entries(k)]

WORDS = {
    "left near": "左近",
    "left far": "左远",
    "middle near": "中近",
    "middle far": "中远",
    "right near": "右近",
    "right far": "右远",
}

_TEMPLATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "what_is": (
        ("what is the {colour} thing?", "what thing is {colour}?"),
        ("{colour}的东西是什么？", "什么东西是{colour}的？"),
    ),
    "what_colour": (
        ("what colour is the {category}?", "which colour does the {category} have?"),
        ("{category}是什么颜色？", "{category}的颜色是什么？"),
    ),
    "count_category": (("how many {plural} are there?",), ("有几个{category}？",)),
    "count_colour": (("how many {colour} things are there?",), ("有几个{colour}的东西？",)),
    "count_buttons": (("how many buttons are there?",), ("有几个按钮？",)),
    "count_things": (("how many things are there?",), ("有几个东西？",)),
    "where": (
        ("where is the {thing}?", "in which part is the {thing}?"),
        ("{thing}在哪里？", "{thing}在什么位置？"),
    ),
    "next_left_category": (
        ("what is next to the left of the {thing}?",),
        ("{thing}左边第一个是什么？",),
    ),
    "next_right_category": (
        ("what is next to the right of the {thing}?",),
        ("{thing}右边第一个是什么？",),
    ),
    "next_left_colour": (
        ("which colour is next to the left of the {thing}?",),
        ("{thing}左边第一个是什么颜色？",),
    ),
    "next_right_colour": (
        ("which colour is next to the right of the {thing}?",),
        ("{thing}右边第一个是什么颜色？",),
    ),
    "label": (
        ("what does the label say?", "what is written on the label?"),
        ("标签上写着什么？",),
    ),
}
INSTRUCTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "press_button": (
        ("press the {thing}", "push the {thing}", "please press the {thing}"),
        ("按下{thing}", "按一下{thing}", "请按下{thing}"),
    ),
    "pick_place": (
        (
            "put the {thing} {on} the {target}",
            "place the {thing} {on} the {target}",
            "please put the {thing} {on} the {target}",
        ),
        ("把{thing}放到{target}{on}", "将{thing}放在{target}{on}", "请把{thing}放到{target}{on}"),
    ),
}
"""What is asked of a robot, in English and Chinese, and asked about here. Shipped models know
these sentences: other words for demonstrations do not change them."""
_WHERE_NOW = ("{instruction}: where is it?", "{instruction}，它在哪里？")
_WHERE_TO = ("{instruction}: where to?", "{instruction}，放到哪里？")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A question before it is put into words.

    Attributes:
        kind: names its templates, and groups questions with comparable answers.
        answer: a name of the lexicon, a word of ``WORDS``, or text as it is.
        slots: slot of the template -> names of the lexicon, colour first.
        templates: English and Chinese ones; by default those of ``kind``.
    """

    kind: str
    answer: str
    slots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    templates: tuple[tuple[str, ...], tuple[str, ...]] | None = None


def _choice(items: Sequence[T], rng: np.random.Generator) -> T:
    return items[int(rng.integers(len(items)))]


def names_of(thing: SceneThing) -> tuple[str, str]:
    """Colour and category of a thing."""
    return (thing.colour, thing.category)


def _solid(facts: SceneFacts) -> list[SceneThing]:
    return [thing for thing in facts.things if thing.category != "label"]


def single_things(facts: SceneFacts) -> list[SceneThing]:
    """Things that colour and category tell from all others."""
    things = _solid(facts)
    names = [names_of(thing) for thing in things]
    return [thing for thing in things if names.count(names_of(thing)) == 1]


def region(thing: SceneThing) -> str | None:
    """The part of the table a thing lies in, such as "left near"; None close to a border."""
    x, y, _ = thing.pos_world
    if abs(abs(x) - REGION_X_M) < REGION_MARGIN_M or abs(y) < REGION_MARGIN_M:
        return None
    column = "middle" if abs(x) < REGION_X_M else ("left" if x < 0 else "right")
    return f"{column} {'near' if y < 0 else 'far'}"


def _recognition(facts: SceneFacts, rng: np.random.Generator) -> Draft | None:
    colours = [thing.colour for thing in facts.things]
    unique = [thing for thing in _solid(facts) if colours.count(thing.colour) == 1]
    if not unique:
        return None
    thing = _choice(unique, rng)
    return Draft(kind="what_is", answer=thing.category, slots={"colour": (thing.colour,)})


def _attribute(facts: SceneFacts, rng: np.random.Generator) -> Draft | None:
    things = _solid(facts)
    categories = [thing.category for thing in things]
    unique = [thing for thing in things if categories.count(thing.category) == 1]
    if not unique:
        return None
    thing = _choice(unique, rng)
    return Draft(kind="what_colour", answer=thing.colour, slots={"category": (thing.category,)})


def _counting(facts: SceneFacts, rng: np.random.Generator) -> Draft | None:
    things = _solid(facts)
    label_colours = {thing.colour for thing in facts.things if thing.category == "label"}
    by_count: dict[int, list[tuple[str, Mapping[str, tuple[str, ...]]]]] = defaultdict(list)
    categories = [thing.category for thing in things]
    for name in _CATEGORIES:
        by_count[categories.count(name)].append(("count_category", {"category": (name,)}))
    colours = [thing.colour for thing in things]
    for name in _COLOURS:
        if name not in label_colours:
            by_count[colours.count(name)].append(("count_colour", {"colour": (name,)}))
    buttons = sum(LEXICON[thing.category].kind == "button" for thing in things)
    by_count[buttons].append(("count_buttons", {}))
    if not label_colours:
        by_count[len(things)].append(("count_things", {}))
    counts = [count for count in sorted(by_count) if count <= MAX_COUNT]
    if not counts:
        return None
    count = _choice(counts, rng)
    kind, slots = _choice(by_count[count], rng)
    return Draft(kind=kind, answer=str(count), slots=slots)


def _spatial(facts: SceneFacts, rng: np.random.Generator) -> Draft | None:
    single = single_things(facts)
    draw = rng.random()
    if draw < 0.35:
        return _instruction_like(single, rng)
    if draw < 0.55:
        return _neighbour(facts, single, rng)
    clear = [thing for thing in single if region(thing) is not None]
    if not clear:
        return None
    thing = _choice(clear, rng)
    return Draft(kind="where", answer=region(thing) or "", slots={"thing": names_of(thing)})


def _neighbour(
    facts: SceneFacts, single: list[SceneThing], rng: np.random.Generator
) -> Draft | None:
    """Which thing comes next, to the left or to the right?"""
    row = sorted(facts.things, key=lambda thing: thing.pos_world[0])
    pairs = [
        (row[i], row[i + step], "right" if step > 0 else "left")
        for step in (-1, 1)
        for i in range(max(0, -step), min(len(row), len(row) - step))
        if row[i] in single
        and row[i + step].category != "label"
        and abs(row[i].pos_world[0] - row[i + step].pos_world[0]) > RELATION_MARGIN_M
    ]
    if not pairs:
        return None
    thing, answer, side = _choice(pairs, rng)
    asks_colour = rng.random() < 0.5
    return Draft(
        kind=f"next_{side}_{'colour' if asks_colour else 'category'}",
        answer=answer.colour if asks_colour else answer.category,
        slots={"thing": names_of(thing)},
    )


def draft_instruction(
    single: Sequence[SceneThing], rng: np.random.Generator
) -> tuple[Draft, SceneThing, SceneThing | None] | None:
    """A robot's instruction about things that are there: its words, the thing and the target."""
    of_kind = {
        kind: [thing for thing in single if LEXICON[thing.category].kind == kind]
        for kind in ("button", "object", "target")
    }
    pairs = [(a, b) for a in of_kind["object"] for b in of_kind["target"]]
    if pairs and (not of_kind["button"] or rng.random() < 0.5):
        thing, target = _choice(pairs, rng)
        task, slots = "pick_place", {"thing": names_of(thing), "target": names_of(target)}
    elif of_kind["button"]:
        thing, target = _choice(of_kind["button"], rng), None
        task, slots = "press_button", {"thing": names_of(thing)}
    else:
        return None
    english, chinese = (
        tuple(text.replace("{on}", _on(target, tongue)) for text in texts)
        for tongue, texts in zip(("english", "chinese"), INSTRUCTIONS[task], strict=True)
    )
    draft = Draft(kind="instruction", answer="", slots=slots, templates=(english, chinese))
    return draft, thing, target


def _instruction_like(single: list[SceneThing], rng: np.random.Generator) -> Draft | None:
    """A robot's instruction as a question: where is what it names?"""
    drafted = draft_instruction(single, rng)
    if drafted is None:
        return None
    draft, thing, target = drafted
    asked, ask, kind = thing, _WHERE_NOW, "instruction_where"
    if target is not None and rng.random() < 0.5:
        asked, ask, kind = target, _WHERE_TO, "instruction_where_to"
    answer = region(asked)
    if answer is None or draft.templates is None:
        return None
    english, chinese = (
        tuple(ask[i].format(instruction=words) for words in draft.templates[i]) for i in range(2)
    )
    return replace(draft, kind=kind, answer=answer, templates=(english, chinese))


def _on(target: SceneThing | None, tongue: str) -> str:
    if target is None:
        return ""
    return placement_word(target.category, "english" if tongue == "english" else "chinese")


def _ocr(facts: SceneFacts, rng: np.random.Generator) -> Draft | None:
    del rng
    labels = [thing for thing in facts.things if thing.category == "label" and thing.text]
    if len(labels) != 1:
        return None
    return Draft(kind="label", answer=labels[0].text)


_PLAIN: dict[str, Callable[[SceneFacts, np.random.Generator], Draft | None]] = {
    "recognition": _recognition,
    "attribute": _attribute,
    "counting": _counting,
    "spatial": _spatial,
    "ocr": _ocr,
}
_TRANSLATED = ("recognition", "attribute", "counting", "spatial", "spatial")
"""Where the content of a multilingual question comes from."""


def _english(names: tuple[str, ...], is_chinese: np.ndarray) -> str:
    words = (
        LEXICON[name].chinese if chinese else LEXICON[name].english
        for name, chinese in zip(names, is_chinese, strict=True)
    )
    return " ".join(words)


def put_into_words(
    draft: Draft, tongue: Tongue, rng: np.random.Generator
) -> tuple[str, str] | None:
    """Question and answer in one tongue; None where there is nothing to mix in."""
    english, chinese = draft.templates or _TEMPLATES[draft.kind]
    answer_word = LEXICON.get(draft.answer)
    if tongue in ("chinese", "pinyin"):
        words = {
            slot: "".join(LEXICON[name].chinese for name in names)
            for slot, names in draft.slots.items()
        }
        question = _choice(chinese, rng).format(**words)
        answer = WORDS.get(draft.answer, draft.answer)
        if answer_word is not None:
            answer = answer_word.chinese
        if tongue == "chinese":
            return question, answer
        return romanise(question), romanise(answer)
    count = sum(len(names) for names in draft.slots.values())
    is_chinese = np.zeros(count, dtype=bool)
    if tongue == "code_mix":
        if count == 0:
            return None
        is_chinese = rng.random(count) < 0.5
        is_chinese[int(rng.integers(count))] |= not is_chinese.any()
    words, start = {}, 0
    for slot, names in draft.slots.items():
        words[slot] = _english(names, is_chinese[start : start + len(names)])
        start += len(names)
    if "category" in words:
        words["plural"] = words["category"] + ("s" if words["category"].isascii() else "")
    question = _choice(english, rng).format(**words)
    return question, draft.answer if answer_word is None else answer_word.english


def draw_question(
    facts: SceneFacts, skill: str, rng: np.random.Generator
) -> tuple[str, Question] | None:
    """One question of a skill, or None where this draw finds none in the scene.

    Args:
        facts: what the picture shows.
        skill: one of ``contract.SKILLS``.
        rng: decides everything.

    Returns:
        The kind of question, within which answers are comparable, and the question.

    Raises:
        UnknownNameError: no such skill.
    """
    if skill not in SKILLS:
        raise UnknownNameError("skill", skill, SKILLS)
    tongue: Tongue = "english"
    content = skill
    if skill == "multilingual":
        tongue = TONGUES[int(np.searchsorted(_TONGUE_EDGES, rng.random(), side="right"))]
        content = _choice(_TRANSLATED, rng)
    draft = _PLAIN[content](facts, rng)
    if draft is None:
        return None
    words = put_into_words(draft, tongue, rng)
    if words is None:
        return None
    kind = f"{draft.kind}/{tongue}"
    return kind, Question(skill=skill, question=words[0], answer=words[1])
