"""RoboTwin's goals put into words of our own under the axes of language, and read back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from uamsim.contract import Goal, Thing
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.perturbations.language.language import Language, manner_of, only_meaning
from uamsim.perturbations.language.saying import things_of
from uamsim.perturbations.language.sentences import read_sentences
from uamsim.perturbations.language.vocabulary import (
    COMMA,
    FUNCTION_WORDS,
    THING_SLOTS,
    Dialect,
    Written,
)
from uamsim.perturbations.values import Perturbation

SENTENCES = read_sentences(Path(__file__).with_name("sentences.txt"))
ANY = "any"
"""Colour of a goal's thing that every episode draws."""
ARMS = ("left", "right")
ONE_ARM = frozenset(
    {
        "beat_block_hammer",
        "click_alarmclock",
        "move_can_pot",
        "place_can_basket",
        "stamp_seal",
        "turn_switch",
    }
)
"""Tasks whose expert says with which arm it begins."""


def _thing(text: str) -> Thing:
    colour, _, noun = text.rpartition(" ")
    return Thing(category=noun, colour=colour)


GOALS: Mapping[str, Goal] = {
    task: Goal(
        task=task,
        thing=_thing(things[0]),
        target=_thing(target[0]) if target else None,
        then=tuple(map(_thing, things[1:])),
    )
    for task, (things, target) in SENTENCES.about.items()
}
"""Task of the UAM paper -> what it asks for; a colour is "" where none is named, and ``ANY`` where
it is drawn."""


def say(
    goal: Goal,
    *,
    rng: np.random.Generator,
    arm: str = "",
    wording: Sequence[Perturbation] = (),
) -> str:
    """Words for a goal.

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
    if arm and arm not in ARMS:
        raise ConfigError(f"expected the arm 'left' or 'right', or '', got {arm!r}.")
    template = LANGUAGE.draw_template(goal.task, rng, wording)
    if rng.random() < 0.5 and arm and goal.task in ONE_ARM:
        template = _with_arm(template, arm, *manner_of(wording))
    return LANGUAGE.say(goal, rng=rng, wording=wording, template=template)


def read(text: str) -> tuple[Goal, str]:
    """The goal that an instruction asks for, and the arm, whatever its wording.

    Args:
        text: the instruction.

    Returns:
        The goal; "left", "right" or "" where no arm is said.

    Raises:
        ConfigError: not an instruction, or one with several meanings.
    """
    return only_meaning(text, _meanings(text), f"one of {', '.join(GOALS)}")


def _meanings(text: str) -> Iterator[tuple[Goal, str]]:
    for name, values in LANGUAGE.readings(text):
        task, _, arm = name.partition("/")
        goal = _goal(GOALS[task], values)
        if goal is not None:
            yield goal, arm


def _goal(usual: Goal, values: Mapping[str, Thing]) -> Goal | None:
    """A task's goal with what was read; None where the task is about other things."""
    read: dict[str, Thing] = {}
    for slot, thing in things_of(usual).items():
        given = values.get(slot, thing)
        fits = slot == "thing" or thing.colour in (ANY, given.colour)
        if given.category != thing.category or not fits:
            return None
        read[slot] = given
    then = tuple(read[slot] for slot in THING_SLOTS[1:] if slot in read)
    return replace(usual, thing=read["thing"], target=read.get("target"), then=then)


def _with_arm(template: str, arm: str, written: Written, paraphrased: bool, first: bool) -> str:
    (clause,) = SENTENCES.templates[f"arm_{arm}", written, paraphrased, False]
    return COMMA[written].join((clause, template) if first else (template, clause))


def _heard(written: Written) -> Iterator[tuple[str, str]]:
    """(task, or task/arm; sentence), coloured things apart from others."""
    for (task, tongue, *manner), templates in SENTENCES.templates.items():
        for template in templates if tongue == written and task in GOALS else ():
            for variant in _variants(GOALS[task], template):
                yield task, variant
                for arm in ARMS if task in ONE_ARM else ():
                    yield f"{task}/{arm}", _with_arm(variant, arm, written, *manner)


def _variants(goal: Goal, template: str) -> Iterator[str]:
    """A sentence with its things' nouns in the place of slots, where they have no colour."""
    plain = template
    for slot, thing in things_of(goal).items():
        if not thing.colour:
            plain = plain.replace(f"{{{slot}}}", f"{{{thing.category}}}")
    yield plain
    if not goal.thing.colour:
        yield plain.replace(f"{{{goal.thing.category}}}", "{thing}")


LANGUAGE = Language(
    SENTENCES,
    Dialect(
        colours=frozenset(SENTENCES.colours),
        nouns=tuple(SENTENCES.nouns),
        generic=(),
        own=SENTENCES.nouns | SENTENCES.colours,
        function_words=FUNCTION_WORDS | SENTENCES.translations,
    ),
    references=False,
    goal_first=False,
    heard={
        "english": list(dict.fromkeys(_heard("english"))),
        "chinese": list(dict.fromkeys(_heard("chinese"))),
    },
)
"""RoboTwin's words and our own sentences."""
