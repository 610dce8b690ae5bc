"""RoboTwin's goals put into words of our own under the axes of language, and read back."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from uamsim.contract import Goal, Thing
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.perturbations.language.reading import FORMS, Form, Grammar, make_grammar, readings
from uamsim.perturbations.language.saying import finish, numbered, plain_phrase, written_in
from uamsim.perturbations.language.vocabulary import COMMA, THING_SLOTS, Dialect, Written
from uamsim.perturbations.language.wording import WORDING, Paraphrase, Reference, Reordered
from uamsim.perturbations.robotwin_sentences import ARM, SIDES, TABLES
from uamsim.perturbations.robotwin_words import (
    ANY,
    CHINESE_OF,
    COLOURS,
    GOALS,
    NOUNS,
    ONE_ARM,
    WORDS,
)
from uamsim.perturbations.values import Composition, Perturbation

DIALECT = Dialect(
    colours=frozenset(COLOURS), nouns=NOUNS, generic=(), own=WORDS, function_words=CHINESE_OF
)
"""RoboTwin's words."""
CARRIED = tuple(cls for cls in WORDING if cls is not Reference)
"""The axes of language that these sentences can have."""
_SLOT = re.compile(r"\{(\w+)\}")


def render_robotwin(
    goal: Goal,
    *,
    rng: np.random.Generator,
    arm: str = "",
    wording: Sequence[Perturbation] = (),
) -> str:
    """Words for a goal of RoboTwin's.

    Args:
        goal: one of ``GOALS``, of which colours may differ.
        rng: draws the sentence, and what the wording leaves to chance.
        arm: "left" or "right", which tasks of one arm may say, half of the time; "" for neither.
        wording: perturbations; those of other layers are ignored.

    Raises:
        UnknownNameError: no such task.
        ConfigError: an arm that is none, or a ``Reference``.
    """
    if goal.task not in GOALS:
        raise UnknownNameError("RoboTwin task with sentences of our own", goal.task, GOALS)
    if arm and arm not in SIDES:
        raise ConfigError(f"expected the arm 'left' or 'right', or '', got {arm!r}.")
    axes = Composition(*Composition.of(wording).active("language"))
    axes.check_carried("RoboTwin's language", CARRIED)
    written = written_in(axes)
    paraphrased, reordered = axes.find(Paraphrase) is not None, axes.find(Reordered) is not None
    templates = TABLES[paraphrased + 2 * reordered][goal.task, written]
    template = templates[int(rng.integers(len(templates)))]
    says_arm = rng.random() < 0.5
    if says_arm and arm and goal.task in ONE_ARM:
        template = _with_arm(template, arm, written, paraphrased, reordered)
    names: list[str] = []
    things = slots_of(goal)
    slots = {
        slot: _phrase(things[slot], written, names)
        for slot in dict.fromkeys(_SLOT.findall(template))
    }
    return finish(template.format(**slots), names, axes, rng, rng.spawn(3), DIALECT)


def parse_robotwin(text: str) -> tuple[Goal, str]:
    """The goal that an instruction asks for, and the arm, whatever its wording.

    Args:
        text: the instruction.

    Returns:
        The goal; "left", "right" or "" where no arm is said.

    Raises:
        ConfigError: not an instruction, or one with several meanings.
    """
    found = dict.fromkeys(_read(" ".join(text.split())))
    if len(found) != 1:
        raise ConfigError(
            f"{text!r} has several meanings: {', '.join(map(repr, found))}."
            if found
            else f"cannot read {text!r}: expected an instruction for one of {', '.join(GOALS)}."
        )
    return next(iter(found))


def _read(text: str) -> Iterator[tuple[Goal, str]]:
    for form in FORMS:
        for name, values in readings(text, form, _grammar(form), None):
            task, _, arm = name.partition("/")
            goal = _goal(GOALS[task], values)
            if goal is not None:
                yield goal, arm


def _goal(usual: Goal, values: Mapping[str, object]) -> Goal | None:
    """A task's goal with what was read; None where the task is about other things."""
    read: dict[str, Thing] = {}
    for slot, thing in slots_of(usual).items():
        given = values.get(slot, thing)
        assert isinstance(given, Thing)
        fits = slot == "thing" or thing.colour in (ANY, given.colour)
        if given.category != thing.category or not fits:
            return None
        read[slot] = given
    then = tuple(read[slot] for slot in THING_SLOTS[1:] if slot in read)
    return replace(usual, thing=read["thing"], target=read.get("target"), then=then)


def slots_of(goal: Goal) -> dict[str, Thing]:
    """Slot of a sentence -> what fills it."""
    things: dict[str, Thing] = {}
    things.update(zip(THING_SLOTS, (goal.thing, *goal.then), strict=False))
    return things if goal.target is None else things | {"target": goal.target}


def _phrase(thing: Thing, written: Written, names: list[str]) -> str:
    return plain_phrase(thing, written, names) if thing.colour else numbered(thing.category, names)


def _with_arm(template: str, arm: str, written: Written, paraphrased: bool, first: bool) -> str:
    clause = ARM[paraphrased][written].replace("~", SIDES[arm][written])
    return COMMA[written].join((clause, template) if first else (template, clause))


def _templates(written: Written) -> Iterator[tuple[str, str]]:
    """(task, or task/arm; template) of all tables, coloured things apart from others."""
    for number, table in enumerate(TABLES):
        for (task, tongue), templates in table.items():
            for template in templates if tongue == written else ():
                for variant in _variants(GOALS[task], template):
                    yield task, variant
                    for arm in SIDES if task in ONE_ARM else ():
                        said = _with_arm(variant, arm, written, number % 2 == 1, number > 1)
                        yield f"{task}/{arm}", said


def _variants(goal: Goal, template: str) -> Iterator[str]:
    """A template with its things' nouns in the place of slots, where they have no colour."""
    plain = template
    for slot, thing in slots_of(goal).items():
        if not thing.colour:
            plain = plain.replace(f"{{{slot}}}", f"{{{thing.category}}}")
    yield plain
    if not goal.thing.colour:
        yield plain.replace(f"{{{goal.thing.category}}}", "{thing}")


@lru_cache(maxsize=len(FORMS))
def _grammar(form: Form) -> Grammar:
    templates: Mapping[Written, list[tuple[str, str]]] = {
        "english": list(dict.fromkeys(_templates("english"))),
        "chinese": list(dict.fromkeys(_templates("chinese"))),
    }
    return make_grammar(form, templates, DIALECT, NOUNS)
