"""What is done to a sentence to make an instruction of it; ``reading`` undoes it."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from uamsim.contract import Goal, Thing
from uamsim.lexicon import romanise
from uamsim.perturbations.language.references import Description
from uamsim.perturbations.language.vocabulary import (
    COMMA,
    NOISE,
    OR,
    ORDINALS,
    REFERENCES,
    THING_SLOTS,
    WORD,
    Dialect,
    Written,
)
from uamsim.perturbations.language.wording import Chinese, CodeMix, NoiseWords, Pinyin, Synonyms
from uamsim.perturbations.values import Composition


def things_of(goal: Goal) -> dict[str, Thing]:
    """Slot of a sentence -> the thing of a goal that fills it, in the goal's order."""
    things = dict(zip(THING_SLOTS, (goal.thing, *goal.then), strict=False))
    return things if goal.target is None else things | {"target": goal.target}


def finish(
    text: str,
    names: Sequence[str],
    axes: Composition,
    rng: np.random.Generator,
    streams: Sequence[np.random.Generator],
    dialect: Dialect,
) -> str:
    """A sentence with all that is done to it once it is chosen.

    Args:
        text: with a numbered slot for each name, as ``numbered`` leaves it.
        names: what the slots stand for.
        axes: how it is worded.
        rng: draws which names are Chinese in code-mixing.
        streams: draw synonyms, noise and the other words of code-mixing.
        dialect: whose words they are.
    """
    synonym_rng, noise_rng, mix_rng = streams
    pinyin, noise, mix = axes.find(Pinyin), axes.find(NoiseWords), axes.find(CodeMix)
    written = written_in(axes)
    if noise is not None:
        text = _with_noise(text, written, noise.count, noise_rng)
    in_chinese = np.full(len(names), written == "chinese")
    if mix is not None:
        in_chinese = _mixed(names, mix, rng, dialect.colours)
        text = _mix_function_words(text, mix.function_ratio, mix_rng, dialect.function_words)
    text = text.format(*_words(names, in_chinese, axes.find(Synonyms), synonym_rng, dialect))
    return text if pinyin is None else romanise(text, pinyin.tones, spaced=pinyin.spaced)


def written_in(axes: Composition) -> Written:
    """What a wording's sentences are written in."""
    return "chinese" if axes.find(Pinyin) or axes.find(Chinese) else "english"


def numbered(name: str, names: list[str]) -> str:
    """A numbered slot for a name of the lexicon or of ``GENERIC``, which joins ``names``."""
    names.append(name)
    return f"{{{len(names) - 1}}}"


def plain_phrase(thing: Thing, written: Written, names: list[str]) -> str:
    """A thing's noun phrase in numbered slots, without a colour where it has none."""
    if not thing.colour:
        return numbered(thing.category, names)
    space = " " if written == "english" else ""
    return f"{numbered(thing.colour, names)}{space}{numbered(thing.category, names)}"


def referring_phrase(description: Description, written: Written, names: list[str]) -> str:
    """A reference's noun phrase in numbered slots."""
    d = description
    slots = {"noun": numbered(d.noun, names)}
    if d.colour:
        slots["colour"] = numbered(d.colour, names)
    if d.category:
        slots["category"] = numbered(d.category, names)
    if d.rank:
        slots["ordinal"] = ORDINALS[written][d.rank - 1]
    anchors = [plain_phrase(a, written, names) for a in d.anchors]
    slots |= dict(zip(("anchor", "other"), anchors, strict=False))
    slots["others"] = OR[written].join(anchors)
    return REFERENCES[d.relation][written].format(**slots)


def _with_noise(text: str, written: Written, count: int, rng: np.random.Generator) -> str:
    clauses = text.split(COMMA[written])
    phrases = NOISE[written]
    for index in rng.permutation(len(phrases))[:count]:
        clauses.insert(int(rng.integers(len(clauses) + 1)), phrases[int(index)])
    return COMMA[written].join(clauses)


def _at_least_one(limits: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Each with its chance; where it is none of them, one at random."""
    chosen = rng.random(len(limits)) < np.array(limits)
    chosen[int(rng.integers(len(limits)))] |= not chosen.any()
    return chosen


def _mixed(
    names: Sequence[str], mix: CodeMix, rng: np.random.Generator, colours: frozenset[str]
) -> np.ndarray:
    return _at_least_one(
        [mix.colour_ratio if name in colours else mix.ratio for name in names], rng
    )


def _mix_function_words(
    text: str, ratio: float, rng: np.random.Generator, chinese: Mapping[str, str]
) -> str:
    def replace(word: re.Match[str]) -> str:
        return chinese[word.group()] if rng.random() < ratio else word.group()

    return WORD.sub(replace, text)


def _words(
    names: Sequence[str],
    in_chinese: np.ndarray,
    synonyms: Synonyms | None,
    rng: np.random.Generator,
    dialect: Dialect,
) -> list[str]:
    ratio = 0.0 if synonyms is None else synonyms.ratio
    other = _at_least_one([ratio] * len(names), rng) if ratio else np.zeros(len(names), bool)
    words = []
    for name, chinese, replaced in zip(names, in_chinese, other, strict=True):
        written: Written = "chinese" if chinese else "english"
        own, *others = dialect.forms(name, written)
        words.append(others[int(rng.integers(len(others)))] if replaced else own)
    return words
