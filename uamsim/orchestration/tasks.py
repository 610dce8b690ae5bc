"""The tasks of each simulated world by name, from what its package registers with Gymnasium."""

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from uamsim.contract import ACTION_DIM, CONTROL_HZ, Control
from uamsim.errors import UnknownNameError

PACKAGE = "uamsim_envs"
WORLDS: Mapping[str, str] = {
    "aloha": "Aloha",
    "robosuite": "Robosuite-",
    "calvin": "Calvin-",
    "robotwin": "RoboTwin-",
}
"""World -> how the names of its environments begin; a task that several have is the first's."""
_NO_TASK = {"Scene"}


@dataclass(frozen=True, kw_only=True)
class Customs:
    """What a world's environments are made with where nothing else is asked for.

    Attributes:
        control: representation of actions.
        action_dim: numbers of an action.
        proprio_dim: numbers of ``agent_pos``.
        control_hz: actions a second, None where each takes as long as it needs.
        render_profile: how pictures are drawn.
        camera: the one that videos show.
        views: cameras of the stills that show a world.
        fine_profile: how those are drawn.
        timed: whether an action takes a fixed time.
    """

    control: Control = "ee"
    action_dim: int = ACTION_DIM
    proprio_dim: int = ACTION_DIM
    control_hz: float | None = CONTROL_HZ
    render_profile: str = "fast"
    camera: str = "primary"
    views: tuple[str, ...] = ("primary", "left_wrist", "right_wrist")
    fine_profile: str = "quality"
    timed: bool = True


_CUSTOMS: Mapping[str, Customs] = {
    "Calvin": Customs(
        control="relative",
        action_dim=7,
        proprio_dim=15,
        control_hz=30,
        render_profile="tiny",
        camera="static",
        views=("static", "gripper"),
        fine_profile="tiny",
    ),
    "RoboTwin": Customs(
        control="joint",
        control_hz=None,
        render_profile="raster",
        camera="head",
        views=("head", "left", "right"),
        fine_profile="raster",
        timed=False,
    ),
}
"""How the names of environments begin -> their customs."""


def customs_of(env_id: str) -> Customs:
    """What an environment is made with where nothing else is asked for."""
    name = env_id.rpartition("/")[2]
    found = (customs for start, customs in _CUSTOMS.items() if name.startswith(start))
    return next(found, Customs())


def list_tasks(world: str) -> dict[str, str]:
    """Task, such as "pick_place" -> environment id; scenes without a task are left out.

    Raises:
        UnknownNameError: no such world; names the nearest.
    """
    if world not in WORLDS:
        raise UnknownNameError("world", world, WORLDS)
    import gymnasium as gym

    importlib.import_module(PACKAGE)
    found = {}
    for env_id in gym.registry:
        match = re.fullmatch(rf"uamsim/{WORLDS[world]}([A-Za-z]\w*)-v\d+", env_id)
        if match and match[1] not in _NO_TASK:
            found[snake_case(match[1])] = f"{PACKAGE}:{env_id}"
    return found


def resolve_tasks(world: str, tasks: Sequence[str]) -> dict[str, str]:
    """Task -> environment id for the named tasks, each once; for all tasks when none is named.

    Raises:
        UnknownNameError: no such world or task; names the nearest.
    """
    known = list_tasks(world)
    for task in tasks:
        if task not in known:
            raise UnknownNameError(f"{world} task", task, known)
    return {task: known[task] for task in dict.fromkeys(tasks or known)}


def resolve_environment(name: str, others: Iterable[str] = ()) -> str:
    """The environment id of a task's name, such as "pick_place"; an id stays what it is.

    Args:
        name: of a task, or an id.
        others: names that would have been known as well, for the error.

    Raises:
        UnknownNameError: neither an id nor a task of any world.
        MissingDependencyError: an id's package cannot be imported.
    """
    if "/" in name:
        from uamsim.evaluation.environments import find_spec

        env_id = f"{PACKAGE}:{name}" if name.startswith("uamsim/") else name
        find_spec(env_id)
        return env_id
    known: dict[str, str] = {}
    for world in WORLDS:
        known = list_tasks(world) | known
    if name not in known:
        raise UnknownNameError("environment", name, [*known, *others])
    return known[name]


def list_suites() -> dict[str, tuple[str, ...]]:
    """Suite, such as "robotwin16" -> the ids of its environments."""
    suites: Mapping[str, Sequence[str]] = importlib.import_module(PACKAGE).SUITES
    return {name: tuple(f"{PACKAGE}:{i}" for i in ids) for name, ids in suites.items()}


def resolve_environments(words: Sequence[str]) -> dict[str, str]:
    """Environment id -> suite, for worlds (all their tasks), suites, tasks and ids.

    A suite is one that holds the environment, its world, or of an id outside all of these what is
    before its "/".

    Raises:
        UnknownNameError: no world, suite, task or id.
    """
    found: dict[str, str] = {}
    suites = list_suites()
    for word in words:
        if word in WORLDS:
            ids = tuple(list_tasks(word).values())
        else:
            ids = suites.get(word) or (resolve_environment(word, suites),)
        for env_id in ids:
            namespace, _, name = env_id.rpartition(":")[2].partition("/")
            held = [suite for suite, members in suites.items() if env_id in members]
            worlds = [world for world, start in WORLDS.items() if name.startswith(start)]
            found[env_id] = [*held, *worlds, namespace][0]
    return found


def snake_case(name: str) -> str:
    """Words of a class's name with underscores: PickPlace becomes pick_place."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
