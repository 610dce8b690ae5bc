"""Captions: what lies on the table, in words. Training only; no skill is scored on them.

A caption is dense supervision, as in the alignment stage of public vision-language models. On
questions alone the tiny VLM stays blind for thousands of steps.
"""

from typing import Literal

import numpy as np

from uamsim.contract import SceneFacts, SceneThing
from uamsim.data.questions import WORDS, region
from uamsim.lexicon import LEXICON, romanise

_ASK: dict[str, str] = {
    "english": "describe the table",
    "chinese": "描述桌面",
    "pinyin": romanise("描述桌面"),
}
_LANGUAGES: tuple[Literal["english", "chinese", "pinyin"], ...] = ("english", "chinese", "pinyin")
_SHARES = (0.5, 0.25, 0.25)
_WHERE = {
    "english": "describe the table and where things are",
    "chinese": "描述桌面和位置",
    "pinyin": romanise("描述桌面和位置"),
}


def draw_caption(
    facts: SceneFacts, rng: np.random.Generator, *, max_things: int = 6
) -> tuple[str, str]:
    """A request for a description, and the description: things from left to right.

    Half of the requests also ask for the part of the table that each thing lies in.

    Args:
        facts: what the picture shows.
        rng: draws the language and the request.
        max_things: longer lists are cut.
    """
    language = _LANGUAGES[int(rng.choice(len(_LANGUAGES), p=_SHARES))]
    with_place = bool(rng.random() < 0.5)
    ask = (_WHERE if with_place else _ASK)[language]
    things = sorted(facts.things, key=lambda thing: thing.pos_world[0])[:max_things]
    written = "english" if language == "english" else "chinese"
    comma = ", " if language == "english" else "，"
    text = comma.join(
        _name(thing, written) + _place(thing, written, with_place) for thing in things
    )
    return ask, romanise(text) if language == "pinyin" else text


def _place(thing: SceneThing, language: Literal["english", "chinese"], wanted: bool) -> str:
    where = region(thing) if wanted else None
    if where is None:
        return ""
    return f" {where}" if language == "english" else WORDS[where]


def _name(thing: SceneThing, language: Literal["english", "chinese"]) -> str:
    colour = LEXICON[thing.colour]
    is_label = thing.category == "label"
    if language == "english":
        noun = f"label {thing.text}" if is_label else LEXICON[thing.category].english
        return f"{colour.english} {noun}"
    noun = f"标签{thing.text}" if is_label else LEXICON[thing.category].chinese
    return f"{colour.chinese}{noun}"
