"""Questions with one right answer, drawn from the facts of a scene. No picture is needed.

Answers are balanced so that a guesser gains little: yes and no are equally likely, counts are
drawn before what is counted, and things whose answer is not clear in the picture are left out.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np

from uamsim.contract import SKILLS, Question, SceneFacts, SceneThing
from uamsim.errors import UnknownNameError
from uamsim.lexicon import (
    INSTRUCTION_TEMPLATES,
    LEXICON,
    entries,
    placement_word,
    romanise,
)

Tongue = Literal["english", "chinese", "pinyin", "code_mix"]
T = TypeVar("T")

REGION_X_M = 0.093
"""Left and right of +-this is "left" and "right", else "middle"."""
REGION_MARGIN_M = 0.02
"""Things closer than this to a border between regions are not asked about."""
RELATION_MARGIN_M = 0.06
MAX_COUNT = 3
_TONGUES: tuple[Tongue, ...] = ("chinese", "pinyin", "code_mix")
_TONGUE_EDGES = (0.4, 0.75)
"""A multilingual question is Chinese 40%, pinyin 35% and code-mixed 25% of the time."""

_COLOURS = [entry.name for entry in entries("colour")]
_CATEGORIES = [e.name for k in ("object", "button", "target") for e in entries(k)]

WORDS = {
    "yes": "是",
    "no": "否",
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
    "exists": (
        ("is there {a_thing}?", "do you see {a_thing}?"),
        ("有{thing}吗？", "能看到{thing}吗？"),
    ),
    "what_colour": (
        ("what colour is the {category}?", "which colour does the {category} have?"),
        ("{category}是什么颜色？", "{category}的颜色是什么？"),
    ),
    "is_colour": (("is the {category} {colour}?",), ("{category}是{colour}的吗？",)),
    "count_category": (("how many {plural} are there?",), ("有几个{category}？",)),
    "count_colour": (("how many {colour} things are there?",), ("有几个{colour}的东西？",)),
    "count_buttons": (("how many buttons are there?",), ("有几个按钮？",)),
    "count_things": (("how many things are there?",), ("有几个东西？",)),
    "where": (
        ("where is the {thing}?", "in which part is the {thing}?"),
        ("{thing}在哪里？", "{thing}在什么位置？"),
    ),
    "left_of": (("is the {thing} left of the {other}?",), ("{thing}在{other}的左边吗？",)),
    "right_of": (("is the {thing} right of the {other}?",), ("{thing}在{other}的右边吗？",)),
    "label": (
        ("what does the label say?", "what is written on the label?"),
        ("标签上写着什么？",),
    ),
}
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


def _names(thing: SceneThing) -> tuple[str, str]:
    return (thing.colour, thing.category)


def _solid(facts: SceneFacts) -> list[SceneThing]:
    return [thing for thing in facts.things if thing.category != "label"]


def _single(facts: SceneFacts) -> list[SceneThing]:
    """Things that colour and category tell from all others."""
    things = _solid(facts)
    names = [_names(thing) for thing in things]
    return [thing for thing in things if names.count(_names(thing)) == 1]


def region(thing: SceneThing) -> str | None:
    """The part of the table a thing lies in, such as "left near"; None close to a border."""
    x, y, _ = thing.pos_world
    if abs(abs(x) - REGION_X_M) < REGION_MARGIN_M or abs(y) < REGION_MARGIN_M:
        return None
    column = "middle" if abs(x) < REGION_X_M else ("left" if x < 0 else "right")
    return f"{column} {'near' if y < 0 else 'far'}"


def _recognition(facts: SceneFacts, rng: np.random.Generator) -> Draft | None:
    things = _solid(facts)
    if rng.random() < 0.5:
        colours = [thing.colour for thing in facts.things]
        unique = [thing for thing in things if colours.count(thing.colour) == 1]
        if not unique:
            return None
        thing = _choice(unique, rng)
        return Draft(kind="what_is", answer=thing.category, slots={"colour": (thing.colour,)})
    if not things:
        return None
    present = {_names(thing) for thing in things}
    if rng.random() < 0.5:
        names, answer = _names(_choice(things, rng)), "yes"
    else:
        colours = sorted({c for c, _ in present})
        categories = sorted({c for _, c in present})
        near = [(a, b) for a in colours for b in categories if (a, b) not in present]
        if near and rng.random() < 0.5:
            names = _choice(near, rng)
        else:
            # One word of a thing that is there, so that neither word alone gives the answer.
            colour, category = _names(_choice(things, rng))
            if rng.random() < 0.5:
                colour = _choice([name for name in _COLOURS if name != colour], rng)
            else:
                kind = LEXICON[category].kind
                category = _choice([e.name for e in entries(kind) if e.name != category], rng)
            names = (colour, category)
        answer = "yes" if names in present else "no"
    return Draft(kind="exists", answer=answer, slots={"thing": names})


def _attribute(facts: SceneFacts, rng: np.random.Generator) -> Draft | None:
    things = _solid(facts)
    categories = [thing.category for thing in things]
    unique = [thing for thing in things if categories.count(thing.category) == 1]
    if not unique:
        return None
    thing = _choice(unique, rng)
    if rng.random() < 0.65:
        return Draft(kind="what_colour", answer=thing.colour, slots={"category": (thing.category,)})
    colour, answer = thing.colour, "yes"
    if rng.random() < 0.5:
        around = sorted({other.colour for other in things} - {thing.colour})
        anywhere = [name for name in _COLOURS if name != thing.colour]
        colour = _choice(around if around and rng.random() < 0.5 else anywhere, rng)
        answer = "no"
    slots = {"category": (thing.category,), "colour": (colour,)}
    return Draft(kind="is_colour", answer=answer, slots=slots)


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
    single = _single(facts)
    draw = rng.random()
    if draw < 0.35:
        return _instruction_like(single, rng)
    if draw < 0.60:
        pairs = [
            (a, b)
            for a in single
            for b in single
            if a.pos_world[0] < b.pos_world[0] - RELATION_MARGIN_M
        ]
        if not pairs:
            return None
        left, right = _choice(pairs, rng)
        is_left, asks_left = rng.random() < 0.5, rng.random() < 0.5
        thing, other = (left, right) if is_left else (right, left)
        return Draft(
            kind="left_of" if asks_left else "right_of",
            answer="yes" if is_left == asks_left else "no",
            slots={"thing": _names(thing), "other": _names(other)},
        )
    clear = [thing for thing in single if region(thing) is not None]
    if not clear:
        return None
    thing = _choice(clear, rng)
    return Draft(kind="where", answer=region(thing) or "", slots={"thing": _names(thing)})


def _instruction_like(single: list[SceneThing], rng: np.random.Generator) -> Draft | None:
    """A robot's instruction as a question: where is what it names?"""
    of_kind = {
        kind: [thing for thing in single if LEXICON[thing.category].kind == kind]
        for kind in ("button", "object", "target")
    }
    pairs = [(a, b) for a in of_kind["object"] for b in of_kind["target"]]
    pick_place = bool(pairs) and (not of_kind["button"] or rng.random() < 0.5)
    if pick_place:
        thing, target = _choice(pairs, rng)
        asked, ask = (thing, _WHERE_NOW) if rng.random() < 0.5 else (target, _WHERE_TO)
    elif of_kind["button"]:
        thing, target = _choice(of_kind["button"], rng), None
        asked, ask = thing, _WHERE_NOW
    else:
        return None
    answer = region(asked)
    if answer is None:
        return None
    task = "pick_place" if target is not None else "press_button"
    slots = {"thing": _names(thing)}
    if target is not None:
        slots["target"] = _names(target)
    english, chinese = (
        tuple(
            ask[i].format(instruction=template.replace("{on}", _on(target, tongue)))
            for template in INSTRUCTION_TEMPLATES[task, tongue]
        )
        for i, tongue in enumerate(("english", "chinese"))
    )
    kind = "instruction_where" if ask is _WHERE_NOW else "instruction_where_to"
    return Draft(kind=kind, answer=answer, slots=slots, templates=(english, chinese))


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


def _put_into_words(
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
    if "thing" in words:
        words["a_thing"] = f"{'an' if words['thing'][0] in 'aeiou' else 'a'} {words['thing']}"
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
        tongue = _TONGUES[int(np.searchsorted(_TONGUE_EDGES, rng.random(), side="right"))]
        content = _choice(_TRANSLATED, rng)
    draft = _PLAIN[content](facts, rng)
    if draft is None:
        return None
    words = _put_into_words(draft, tongue, rng)
    if words is None:
        return None
    kind = f"{draft.kind}/{tongue}"
    return kind, Question(skill=skill, question=words[0], answer=words[1])
