"""Goals that an episode does not have, for a policy that is told the wrong thing on purpose."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from uamsim.contract import Goal, SceneFacts, Thing
from uamsim.lexicon import LEXICON
from uamsim.perturbations.language.wording import Reference
from uamsim.perturbations.values import Composition


def other_goal(goal: Goal, scene: SceneFacts, rng: np.random.Generator) -> Goal:
    """The same task about something else.

    What to act on, or where to put it, becomes another thing of the scene of the same category;
    where there is none, what to act on becomes another of its kind (a button for a button); and
    where the scene has nothing else to offer, its colour changes to another of demonstrations.
    """
    thing, target = goal.thing, goal.target
    asked = {thing, target, *goal.then}
    seen = dict.fromkeys(Thing(category=t.category, colour=t.colour) for t in scene.things)
    free = [t for t in seen if t not in asked]
    goals = [replace(goal, thing=t) for t in free if t.category == thing.category]
    if target is not None:
        goals += [replace(goal, target=t) for t in free if t.category == target.category]
    if not goals:
        goals = [replace(goal, thing=t) for t in free if kind_of(t) == kind_of(thing)]
    if not goals:
        colours = [e.name for e in LEXICON.values() if e.kind == "colour" and e.in_action_data]
        others = [replace(thing, colour=colour) for colour in colours]
        goals = [replace(goal, thing=t) for t in others if t not in asked]
    return goals[int(rng.integers(len(goals)))]


def plainly_named(wording: Sequence) -> Composition:
    """The same wording without ``Reference``."""
    return Composition(*(axis for axis in wording if not isinstance(axis, Reference)))


def kind_of(thing: Thing) -> str:
    """The kind of a thing of the lexicon; others are of a kind of their own."""
    return LEXICON[thing.category].kind if thing.category in LEXICON else thing.category
