"""Captions and pointing: dense supervision for the VLM. Training only; no skill is scored on them.

Both are what public vision-language models are trained on beside questions. On questions alone
the tiny VLM stays blind for thousands of steps, and knows the place of things by part of the table
only.
"""

from typing import Literal

import numpy as np

from uamsim.contract import SceneFacts, SceneThing
from uamsim.data.questions import (
    TONGUES,
    Draft,
    draft_instruction,
    names_of,
    put_into_words,
    single_things,
)
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
    facts: SceneFacts, rng: np.random.Generator, *, max_things: int = 6, cell_m: float = 0.02
) -> tuple[str, str]:
    """A request for a description, and the description: things from left to right.

    Half of the requests also ask for the cell that each thing lies in (as ``draw_pointing``).

    Args:
        facts: what the picture shows.
        rng: draws the language and the request.
        max_things: longer lists are cut.
        cell_m: side of a cell.
    """
    language = _LANGUAGES[int(rng.choice(len(_LANGUAGES), p=_SHARES))]
    with_place = bool(rng.random() < 0.5)
    ask = (_WHERE if with_place else _ASK)[language]
    things = sorted(facts.things, key=lambda thing: thing.pos_world[0])[:max_things]
    written = "english" if language == "english" else "chinese"
    comma = ", " if language == "english" else "，"
    text = comma.join(
        f"{_name(thing, written)} {_cell(thing, cell_m)}" if with_place else _name(thing, written)
        for thing in things
    )
    return ask, romanise(text) if language == "pinyin" else text


def _name(thing: SceneThing, language: Literal["english", "chinese"]) -> str:
    colour = LEXICON[thing.colour]
    is_label = thing.category == "label"
    if language == "english":
        noun = f"label {thing.text}" if is_label else LEXICON[thing.category].english
        return f"{colour.english} {noun}"
    noun = f"标签{thing.text}" if is_label else LEXICON[thing.category].chinese
    return f"{colour.chinese}{noun}"


_POINT: tuple[tuple[str, ...], tuple[str, ...]] = (("point to the {thing}",), ("指出{thing}",))
_ORIGIN_M = (-0.28, -0.16)


def draw_pointing(
    facts: SceneFacts,
    rng: np.random.Generator,
    *,
    cell_m: float = 0.02,
    instruction_share: float = 0.5,
) -> tuple[str, str] | None:
    """A thing to point to, or a robot's instruction, and the table's cells that are meant.

    A cell is a column and a row of squares, from the near left. An instruction's answer is the
    cell of the thing and, where there is one, of the target. Half of the requests are in English.

    Args:
        facts: what the picture shows.
        rng: draws the request.
        cell_m: side of a cell.
        instruction_share: of the requests that are a robot's instructions.

    Returns:
        Request and answer, or None where nothing can be told from all else.
    """
    single = single_things(facts)
    if not single:
        return None
    tongue = "english" if rng.random() < 0.5 else TONGUES[int(rng.integers(len(TONGUES)))]
    drafted = draft_instruction(single, rng) if rng.random() < instruction_share else None
    if drafted is None:
        thing, target = single[int(rng.integers(len(single)))], None
        draft = Draft(kind="point", answer="", slots={"thing": names_of(thing)}, templates=_POINT)
    else:
        draft, thing, target = drafted
    words = put_into_words(draft, tongue, rng)
    if words is None:
        return None
    meant = [item for item in (thing, target) if item is not None]
    return words[0], " ".join(_cell(item, cell_m) for item in meant)


def _cell(thing: SceneThing, side_m: float) -> str:
    column, row = (int((thing.pos_world[axis] - _ORIGIN_M[axis]) / side_m) for axis in range(2))
    return f"{column} {row}"
