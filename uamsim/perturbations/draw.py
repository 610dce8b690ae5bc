"""What an episode is about: its goal, its things and its words, drawn without a simulator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uamsim.contract import Goal, Thing
from uamsim.errors import UnknownNameError
from uamsim.lexicon import HELD_OUT_PAIRS, LEXICON, Kind, entries, is_held_out
from uamsim.perturbations.language import render_instruction
from uamsim.perturbations.objects import Distractors, NovelObject, NovelPair
from uamsim.perturbations.values import Composition, Perturbation
from uamsim.perturbations.wording import InstructionLanguage

TASKS: dict[str, Kind] = {"press_button": "button", "pick_place": "object"}
"""Task -> kind of its things."""
NUM_THINGS = 3
NUM_TARGETS = 2

CARRIED: tuple[type[Perturbation], ...] = (
    NovelObject,
    NovelPair,
    Distractors,
    InstructionLanguage,
)
"""What a draw decides."""


@dataclass(frozen=True, kw_only=True)
class EpisodeDraw:
    """An episode before it is laid out.

    Attributes:
        goal: what is asked for.
        things: buttons or objects, all different, the named one first.
        targets: targets, all different, the named one first; () for "press_button".
        instruction: the goal in words.
    """

    goal: Goal
    things: tuple[Thing, ...]
    targets: tuple[Thing, ...]
    instruction: str


def goal_names(goal: Goal) -> tuple[str, ...]:
    """Every word of the lexicon that a goal uses."""
    target = () if goal.target is None else (goal.target.category, goal.target.colour)
    return (goal.thing.category, goal.thing.colour, *target)


def draw_episode(
    task: str, rng: np.random.Generator, perturbations: Sequence[Perturbation] = ()
) -> EpisodeDraw:
    """Draws an episode.

    Goal, surroundings, added distractors and words each have a stream of their own, so that at
    one seed the splits that leave a part alone show the same part.

    Args:
        task: "press_button" or "pick_place".
        rng: one number is drawn from it for each stream.
        perturbations: at most one of each type; ``NovelObject`` and ``NovelPair`` exclude each
            other.

    Raises:
        UnknownNameError: no such task.
        ConfigError: perturbations that cannot be composed.
    """
    if task not in TASKS:
        raise UnknownNameError("task", task, TASKS)
    composition = Composition.of(perturbations)
    goal_rng, things_rng, distractor_rng, language_rng = (
        np.random.default_rng(int(seed)) for seed in rng.integers(2**62, size=4)
    )
    goal = _draw_goal(task, goal_rng, composition)
    things = _fill([goal.thing], _seen(TASKS[task]), NUM_THINGS, things_rng)
    distractors = composition.find(Distractors)
    if distractors is not None:
        anything = _all_things(TASKS[task])
        things = _fill(things, anything, NUM_THINGS + distractors.count, distractor_rng)
    targets = (
        []
        if goal.target is None
        else _fill([goal.target], _seen("target"), NUM_TARGETS, things_rng)
    )
    tongue = composition.find(InstructionLanguage) or InstructionLanguage()
    instruction = render_instruction(
        goal, language=tongue.language, rng=language_rng, ratio=tongue.ratio
    )
    return EpisodeDraw(
        goal=goal, things=tuple(things), targets=tuple(targets), instruction=instruction
    )


def _all_things(kind: Kind) -> list[Thing]:
    return [
        Thing(category=category.name, colour=colour.name)
        for category in entries(kind)
        for colour in entries("colour")
    ]


def _seen(kind: Kind) -> list[Thing]:
    """Things that demonstrations may show."""
    return [t for t in _all_things(kind) if not is_held_out((t.category, t.colour))]


def _pick(things: Sequence[Thing], rng: np.random.Generator) -> Thing:
    return things[int(rng.integers(len(things)))]


def _fill(
    first: Sequence[Thing], pool: Sequence[Thing], count: int, rng: np.random.Generator
) -> list[Thing]:
    """``first`` and then others of the pool, all different, ``count`` in all."""
    others = [thing for thing in pool if thing not in first]
    order = rng.permutation(len(others))[: count - len(first)]
    return [*first, *(others[int(i)] for i in order)]


def _draw_goal(task: str, rng: np.random.Generator, composition: Composition) -> Goal:
    kind = TASKS[task]
    if composition.find(NovelObject) is not None:
        new_category = bool(rng.random() < 0.5)
        things = [t for t in _all_things(kind) if _one_word_is_new(t, category=new_category)]
    else:
        things = _seen(kind)
    pair_is_new = composition.find(NovelPair) is not None
    if task == "press_button":
        if pair_is_new:
            things = [
                t
                for t in _all_things(kind)
                if (t.colour, t.category) in HELD_OUT_PAIRS and _words_are_seen(t)
            ]
        return Goal(task=task, thing=_pick(things, rng))
    targets = _seen("target")
    pairs = [
        (thing, target)
        for thing in things
        for target in targets
        if ((thing.category, target.category) in HELD_OUT_PAIRS) == pair_is_new
    ]
    thing, target = pairs[int(rng.integers(len(pairs)))]
    return Goal(task=task, thing=thing, target=target)


def _words_are_seen(thing: Thing) -> bool:
    return LEXICON[thing.category].in_action_data and LEXICON[thing.colour].in_action_data


def _one_word_is_new(thing: Thing, *, category: bool) -> bool:
    """Just the category, or just the colour, is held out."""
    return (
        LEXICON[thing.category].in_action_data != category
        and LEXICON[thing.colour].in_action_data == category
    )
