"""What an episode of RoboTwin is about: its goal and its things, as the project says them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from uamsim.contract import Goal, SceneFacts, SceneThing, Thing
from uamsim.perturbations.language.saying import things_of
from uamsim_envs.robotwin.language import ANY, GOALS, ONE_ARM

Positions = Sequence[Sequence[float]]


def episode_goal(task: str, named: Mapping[str, str], colour: str) -> Goal | None:
    """The goal of an episode; None for a task of which it is not known what it is about.

    Args:
        task: name of the task.
        named: what RoboTwin's instructions name, placeholder -> value.
        colour: that the thing has in this episode only; "" for its own.
    """
    goal = GOALS.get(task)
    if goal is None:
        return None
    if goal.target is not None and goal.target.colour == ANY:
        goal = replace(goal, target=replace(goal.target, colour=named["{B}"].lower()))
    return replace(goal, thing=replace(goal.thing, colour=colour)) if colour else goal


def episode_arm(task: str, named: Mapping[str, str]) -> str:
    """The arm that begins, of tasks whose sentences may say it; else ""."""
    return str(named["{a}"]) if task in ONE_ARM else ""


def scene_facts(
    goal: Goal | None,
    places: Mapping[str, Positions],
    distractors: Sequence[Thing],
    distractor_places: Positions,
) -> SceneFacts:
    """What is on the table, as one sees it who stands behind the robot: x to the right, y away.

    Args:
        goal: of the episode; None knows of no things.
        places: slot of the goal -> where what fills it is (m, world).
        distractors: further things.
        distractor_places: of each.
    """
    things = {} if goal is None else things_of(goal)
    shown = [(thing, place) for slot, thing in things.items() for place in places[slot]]
    shown += zip(distractors, distractor_places, strict=True)
    return SceneFacts(things=tuple(_fact(thing, place) for thing, place in shown))


def _fact(thing: Thing, pos_world: Sequence[float]) -> SceneThing:
    x, y, z = pos_world
    return SceneThing(category=thing.category, colour=thing.colour, pos_world=(x, y, z))
