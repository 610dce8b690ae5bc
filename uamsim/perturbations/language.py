"""Goals put into words, and read back."""

import re
from functools import lru_cache

import numpy as np

from uamsim.contract import Goal, Thing
from uamsim.errors import ConfigError
from uamsim.lexicon import (
    INSTRUCTION_TEMPLATES,
    LEXICON,
    Entry,
    noun_phrase,
    placement_word,
    romanise,
)
from uamsim.perturbations.templates import BENCH_TEMPLATES
from uamsim.perturbations.wording import TONGUES, InstructionTongue


def render_instruction(
    goal: Goal, *, language: InstructionTongue, rng: np.random.Generator, ratio: float = 0.5
) -> str:
    """Words for a goal; the template is drawn, the meaning is not changed.

    Args:
        goal: what to ask for.
        language: the tongue. Pinyin has no tone marks.
        rng: draws the template and the words that "code_mix" replaces.
        ratio: chance of each noun and colour to be Chinese in "code_mix"; at least one is.

    Raises:
        ConfigError: an unknown task or language.
    """
    if language not in TONGUES:
        raise ConfigError(f"language must be one of {', '.join(TONGUES)}, not {language!r}.")
    written = "english" if language in ("english", "code_mix") else "chinese"
    known = {**INSTRUCTION_TEMPLATES, **BENCH_TEMPLATES}
    templates = known.get((goal.task, written))
    if templates is None:
        tasks = sorted({task for task, _ in known})
        raise ConfigError(f"task must be one of {', '.join(tasks)}, not {goal.task!r}.")
    template = templates[int(rng.integers(len(templates)))]
    things = [goal.thing, *goal.then, *([] if goal.target is None else [goal.target])]
    if language == "code_mix":
        phrases = _mixed_phrases(things, rng, ratio)
    else:
        phrases = [noun_phrase(t.category, t.colour, written) for t in things]
    on = "" if goal.target is None else placement_word(goal.target.category, written)
    named = dict(zip(("thing", "second", "third", "fourth"), phrases, strict=False))
    text = template.format(**named, target=phrases[-1], on=on)
    return romanise(text) if language == "pinyin" else text


def _mixed_phrases(things: list[Thing], rng: np.random.Generator, ratio: float) -> list[str]:
    names = [name for thing in things for name in (thing.colour, thing.category)]
    in_chinese = rng.random(len(names)) < ratio
    in_chinese[int(rng.integers(len(names)))] |= not in_chinese.any()
    words = [
        LEXICON[name].chinese if chinese else LEXICON[name].english
        for name, chinese in zip(names, in_chinese, strict=True)
    ]
    return [" ".join(words[i : i + 2]) for i in range(0, len(words), 2)]


@lru_cache(maxsize=1)
def _vocabulary() -> tuple[dict[str, Entry], re.Pattern[str]]:
    entries = {
        form: entry
        for entry in LEXICON.values()
        if entry.kind in ("colour", "object", "button", "target")
        for form in (entry.english, entry.chinese, romanise(entry.chinese))
    }
    forms = sorted(entries, key=len, reverse=True)
    alternatives = [rf"(?<![a-z]){f}(?![a-z])" if f.isascii() else f for f in forms]
    return entries, re.compile("|".join(alternatives))


def parse_instruction(text: str) -> Goal:
    """The goal that an instruction of any of the languages asks for.

    Raises:
        ConfigError: the words do not name one thing, or one thing and one target.
    """
    entries, pattern = _vocabulary()
    found = [entries[match] for match in pattern.findall(text.lower())]
    kinds = [entry.kind for entry in found]
    things = [
        Thing(category=noun.name, colour=colour.name)
        for colour, noun in zip(found[::2], found[1::2], strict=False)
    ]
    if kinds == ["colour", "button"]:
        return Goal(task="press_button", thing=things[0])
    if kinds == ["colour", "object", "colour", "target"]:
        return Goal(task="pick_place", thing=things[0], target=things[1])
    raise ConfigError(
        f"cannot read {text!r}: expected a colour and a button, or a colour and an object and a "
        f"colour and a target, found {kinds}."
    )
