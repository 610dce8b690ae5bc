"""What an episode of pressing a button or placing an object is about, drawn without a simulator."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from uamsim.contract import Goal, SceneFacts, Thing
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.lexicon import HELD_OUT_PAIRS, LEXICON, Kind, entries, is_held_out
from uamsim.perturbations.axes.objects import (
    Distractors,
    NovelInstance,
    NovelObject,
    NovelPair,
    NovelSize,
    NovelTarget,
    NovelTexture,
)
from uamsim.perturbations.distance import as_similar
from uamsim.perturbations.draw import drawn_objects, is_novel, narrowed
from uamsim.perturbations.values import Composition, Parameters, Perturbation
from uamsim_envs.aloha.language import LANGUAGE

TASKS: dict[str, Kind] = {"press_button": "button", "pick_place": "object"}
"""Task -> kind of its things."""
NUM_THINGS = 3
NUM_TARGETS = 2

CARRIED: tuple[type[Perturbation], ...] = (
    NovelObject,
    NovelPair,
    NovelSize,
    NovelTexture,
    Distractors,
    *LANGUAGE.carried,
)
"""What a draw decides for every task; for a task with targets also ``NovelTarget``."""


@dataclass(frozen=True, kw_only=True)
class EpisodeDraw:
    """An episode before it is laid out.

    Attributes:
        goal: what is asked for.
        things: buttons or objects, all different, the named one first.
        targets: targets, all different, the named one first; () for "press_button".
        language_seed: of the stream that the goal's words are drawn from.
        drawn: what was drawn for each perturbation of the objects, type name -> parameters.
    """

    goal: Goal
    things: tuple[Thing, ...]
    targets: tuple[Thing, ...]
    language_seed: int
    drawn: dict[str, Parameters] = field(default_factory=dict)

    def instruction(self, scene: SceneFacts | None, wording: Sequence[Perturbation] = ()) -> str:
        """The goal in words, once it is laid out.

        Args:
            scene: what is visible; ``Reference`` alone needs it.
            wording: perturbations; those of other layers are ignored.

        Raises:
            ConfigError: see ``Language.say``.
        """
        rng = np.random.default_rng(self.language_seed)
        return LANGUAGE.say(self.goal, wording=wording, rng=rng, scene=scene)


def draw_episode(
    task: str, rng: np.random.Generator, perturbations: Sequence[Perturbation] = ()
) -> EpisodeDraw:
    """Draws an episode.

    Goal, surroundings, added distractors and words each have a stream of their own, so that at
    one seed the splits that leave a part alone show the same part.

    Args:
        task: "press_button" or "pick_place".
        rng: one number is drawn from it for each stream.
        perturbations: at most one of each type.

    Raises:
        UnknownNameError: no such task.
        ConfigError: perturbations that cannot be composed, or that the task has no use for.
    """
    if task not in TASKS:
        raise UnknownNameError("task", task, TASKS)
    composition = Composition.of(perturbations)
    active = Composition(*composition.active("objects"))
    _check_task(task, active)
    seeds = [int(seed) for seed in rng.integers(2**62, size=4)]
    goal_rng, things_rng, distractor_rng = map(np.random.default_rng, seeds[:3])
    goal = _draw_goal(task, goal_rng, active)
    seen = _seen(TASKS[task])
    things = _fill([goal.thing], seen, NUM_THINGS, things_rng)
    distractors = active.find(Distractors)
    if distractors is not None:
        pool = [thing for thing in _all_things(TASKS[task]) if thing not in things]
        if distractors.similarity is not None:
            pool = as_similar(pool, goal.thing, distractors.similarity, distractors.count)
        things = _fill(things, pool, NUM_THINGS + distractors.count, distractor_rng)
    targets = (
        []
        if goal.target is None
        else _fill([goal.target], _seen("target"), NUM_TARGETS, things_rng)
    )
    return EpisodeDraw(
        goal=goal,
        things=tuple(things),
        targets=tuple(targets),
        language_seed=seeds[3],
        drawn=drawn_objects(active, seeds[0], goal, goal.thing, things[NUM_THINGS:], seen),
    )


def _check_task(task: str, active: Composition) -> None:
    if active.find(NovelInstance) is not None:
        raise ConfigError(
            f"{task} has one shape of each category, so that NovelInstance has nothing to draw; "
            f"use a world of the library of things, such as uamsim/AlohaPickPlaceObjects-v0."
        )
    if task == "press_button" and active.find(NovelTarget) is not None:
        raise ConfigError(f"{task} has no target, so that NovelTarget has nothing to change.")


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


def _draw_goal(task: str, rng: np.random.Generator, active: Composition) -> Goal:
    kind = TASKS[task]
    things = _named_things(kind, rng, active)
    pair_is_new = active.find(NovelPair) is not None
    if task == "press_button":
        if pair_is_new:
            things = [
                t
                for t in _all_things(kind)
                if (t.colour, t.category) in HELD_OUT_PAIRS and _words_are_seen(t)
            ]
        return Goal(task=task, thing=_pick(things, rng))
    targets = _seen("target")
    if active.find(NovelTarget) is not None:
        targets = [t for t in _all_things("target") if is_novel(t)]
    pairs = [
        (thing, target)
        for thing in things
        for target in targets
        if ((thing.category, target.category) in HELD_OUT_PAIRS) == pair_is_new
    ]
    thing, target = pairs[int(rng.integers(len(pairs)))]
    return Goal(task=task, thing=thing, target=target)


def _named_things(kind: Kind, rng: np.random.Generator, active: Composition) -> list[Thing]:
    novel = active.find(NovelObject)
    if novel is None:
        return _seen(kind)
    held_out = [t for t in _all_things(kind) if is_novel(t)]
    if novel == NovelObject():
        new_category = bool(rng.random() < 0.5)
        return [t for t in held_out if LEXICON[t.category].in_action_data != new_category]
    return narrowed(held_out, novel, _seen(kind))


def _words_are_seen(thing: Thing) -> bool:
    return LEXICON[thing.category].in_action_data and LEXICON[thing.colour].in_action_data
