"""What a simulated world is, which there are, and their environments by name.

A package brings a world with a file ``WORLD/registration.py``, whose ``WORLD`` is a ``WorldSpec``.
Such a file is read alone, without importing its package, and imports from uamsim the ground floor
only: commands know what a world is without loading Gymnasium or a simulator. Packages are found by
the entry point group ``uamsim.worlds``, whose values name them, or by an environment id that names
one: "PACKAGE:NAMESPACE/Name-v0".
"""

import dataclasses
import functools
import importlib
import importlib.util
import re
import runpy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uamsim import plugins
from uamsim.contract import ACTION_DIM, CONTROL_HZ, Control
from uamsim.errors import ConfigError, MissingDependencyError, UnknownNameError
from uamsim.registry import Registry
from uamsim.simulators import Simulator

PACKAGE = "uamsim_envs"
"""The package of this repository's own worlds."""
ENTRY_POINT_GROUP = "uamsim.worlds"
_VERSIONED = re.compile(r"-v\d+$")


@dataclass(frozen=True, kw_only=True)
class ActionSizes:
    """The numbers of one representation of actions, and of the state beside it.

    Attributes:
        action_dim: of an action.
        proprio_dim: of ``agent_pos``.
        gripper_dims: those of an action that open and close grippers.
        action_names: what datasets call the numbers of an action; () is for arms of 7.
        proprio_names: the same of ``agent_pos``; () takes the action's.
        places: between what each number of a random action lies, None where it stays; () takes
            those of ``RandomPolicy``.
        hands: the numbers of an action that are where a hand is to be (x, y, z in m), a triple a
            hand; () where actions are joints or movements.
    """

    action_dim: int = ACTION_DIM
    proprio_dim: int = ACTION_DIM
    gripper_dims: tuple[int, ...] = (6, 13)
    action_names: tuple[str, ...] = ()
    proprio_names: tuple[str, ...] = ()
    places: tuple[tuple[float, float] | None, ...] = ()
    hands: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class DemonstrationDefaults:
    """What ``uamsim collect`` records where nothing else is asked for.

    Attributes:
        cameras: recorded ones.
        image_size: (H, W).
        fps: frames a second that are kept.
        seed0: first seed.
    """

    cameras: tuple[str, ...] = ("primary",)
    image_size: tuple[int, int] = (64, 96)
    fps: int = 10
    seed0: int = 1_000_000


@dataclass(frozen=True, kw_only=True)
class EnvironmentEntry:
    """One environment of a world, as Gymnasium registers it.

    Attributes:
        id: "NAMESPACE/Name-v0".
        entry_point: "module:Class".
        kwargs: what the class is made with.
        task: what the environment is called in a command; "" where it has no task to solve.
        protocol: how the task is laid out and judged, where a world has several ways; "" is the
            one that a task's name alone means.
        differs: fields of ``WorldSpec`` -> their values for this environment alone.
    """

    id: str
    entry_point: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""
    protocol: str = ""
    differs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WorldSpec:
    """Everything that others have to know of a world. The defaults are those of ``contract``.

    Attributes:
        name: what the world is called in a command.
        package: the one whose import registers its environments.
        summary: one line.
        environments: all of them.
        suites: environments that are evaluated together: name -> their ids.
        controls: representation of actions -> its numbers; the first is the usual one.
        control_hz: actions a second; None where each takes as long as it needs.
        cameras: all of them; the first is filmed.
        views: cameras of the stills that show the world.
        render_profiles: ways of drawing pictures; the first is the usual one.
        fine_profile: the one for stills.
        demonstrations: what is recorded.
        has_expert: whether scripted experts solve the tasks.
        robot_type: LeRobot's name of the robot.
        simulator: the foreign one that the world needs, in a process of its own.
        made_with: further arguments that its environments are made with.
    """

    name: str
    package: str
    summary: str = ""
    environments: tuple[EnvironmentEntry, ...] = ()
    suites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    controls: Mapping[Control, ActionSizes] = field(default_factory=lambda: {"ee": ActionSizes()})
    control_hz: int | None = CONTROL_HZ
    cameras: tuple[str, ...] = ("primary", "left_wrist", "right_wrist")
    views: tuple[str, ...] = ("primary", "left_wrist", "right_wrist")
    render_profiles: tuple[str, ...] = ("fast", "quality")
    fine_profile: str = "quality"
    demonstrations: DemonstrationDefaults = DemonstrationDefaults()
    has_expert: bool = True
    robot_type: str = "aloha"
    simulator: Simulator | None = None
    made_with: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks what others rely on.

        Raises:
            ConfigError: numbers that do not go together.
        """
        for control, sizes in self.controls.items():
            for kind, names, dim in (
                ("action_names", sizes.action_names, sizes.action_dim),
                ("proprio_names", sizes.proprio_names, sizes.proprio_dim),
                ("places", sizes.places, sizes.action_dim),
            ):
                if names and len(names) != dim:
                    raise ConfigError(
                        f"{kind} of {self.name} with control {control!r} must be {dim}, not "
                        f"{len(names)}."
                    )
            if control != "relative" and sizes.proprio_dim != sizes.action_dim:
                raise ConfigError(
                    f"{self.name} says that targets have {sizes.action_dim} numbers with control "
                    f"{control!r} and agent_pos {sizes.proprio_dim}; a policy goes from one to "
                    "the other, so they must be alike."
                )

    @property
    def control(self) -> Control:
        """The usual representation of actions."""
        return next(iter(self.controls))

    @property
    def render_profile(self) -> str:
        """The usual way of drawing pictures."""
        return self.render_profiles[0]

    @property
    def tasks(self) -> dict[str, str]:
        """Task -> environment id with its package, of environments without a protocol."""
        return {
            entry.task: f"{self.package}:{entry.id}"
            for entry in self.environments
            if entry.task and not entry.protocol
        }

    def sizes(self, control: Control) -> ActionSizes:
        """The numbers of a representation of actions.

        Raises:
            UnknownNameError: the world has no such control; names the nearest.
        """
        if control not in self.controls:
            raise UnknownNameError(f"control of {self.name}", control, self.controls)
        return self.controls[control]

    def find(self, task: str, protocol: str = "") -> str:
        """The environment id of a task under a protocol, with its package.

        Raises:
            UnknownNameError: no such task or protocol; names the nearest.
        """
        entries = {entry.task: entry for entry in self.environments if entry.protocol == protocol}
        if not entries:
            known = {entry.protocol for entry in self.environments if entry.protocol}
            raise UnknownNameError(f"{self.name} protocol", protocol, known)
        if task not in entries:
            raise UnknownNameError(f"{self.name} task", task, filter(None, entries))
        return f"{self.package}:{entries[task].id}"

    def suite_tasks(self, suite: str) -> tuple[str, ...]:
        """Names of the tasks of a suite.

        Raises:
            UnknownNameError: no such suite; names the nearest.
        """
        if suite not in self.suites:
            raise UnknownNameError(f"{self.name} suite", suite, self.suites)
        tasks = {entry.id: entry.task for entry in self.environments}
        return tuple(tasks[env_id] for env_id in self.suites[suite])

    def check_pictures(self, cameras: Sequence[str], render_profile: str) -> None:
        """Checks names of cameras and of a render profile, if the world says which it has.

        Raises:
            UnknownNameError: the world has no such camera or profile; names the nearest.
        """
        known = (("camera", cameras, self.cameras),)
        known += (("render profile", (render_profile,), self.render_profiles),)
        for kind, names, own in known if self.environments else ():
            for name in names:
                if name not in own:
                    raise UnknownNameError(f"{kind} of {self.name}", name, own)

    def check_fps(self, control: Control, fps: int) -> None:
        """Checks how many frames a second demonstrations keep.

        Where actions take a fixed time, frames of targets fall on every n-th action; movements
        (``control="relative"``) are kept all. Else there are at most as many as the expert gives,
        which are the world's usual number.

        Raises:
            UnknownNameError: the world has no such control; names the nearest.
            ConfigError: another number is needed.
        """
        hz, rule = self.control_hz, ""
        if self.environments:
            self.sizes(control)
        if control == "relative":
            if self.environments and fps != hz:
                rule = f"be {hz}, since every movement is kept"
        elif hz is None:
            most = self.demonstrations.fps
            rule = "" if 1 <= fps <= most else f"be at least 1 and at most {most}"
        elif fps < 1 or hz % fps:
            divisors = ", ".join(str(n) for n in range(1, hz + 1) if hz % n == 0)
            rule = f"divide {hz}: one of {divisors}"
        if rule:
            raise ConfigError(f"fps in {self.name} must {rule}; got {fps}.")


class _Worlds(Registry[WorldSpec]):
    """The worlds of all packages, which are looked for at the first question."""

    def __init__(self) -> None:
        super().__init__("world")
        self._found = False

    def _find(self) -> None:
        if not self._found:
            self._found = True
            for package in list_packages():
                for world in worlds_of(package):
                    self.add(world.name, world)

    def __getitem__(self, name: str) -> WorldSpec:
        self._find()
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._find()
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self._find()
        return super().__iter__()

    def __len__(self) -> int:
        self._find()
        return super().__len__()


WORLDS: Registry[WorldSpec] = _Worlds()
"""World -> what it is. A task that several have is the first's."""


def list_packages() -> list[str]:
    """The packages that bring worlds: this repository's own, then others' by name."""
    found = plugins.brought(ENTRY_POINT_GROUP).values()
    return [PACKAGE, *sorted({entry.value for entry in found} - {PACKAGE})]


_ADOPTED: dict[str, WorldSpec] = {}
"""Environment id -> what was found of one that no package describes."""


def adopt(env_id: str, world: WorldSpec) -> None:
    """Lets ``world_of`` know an environment that no package describes, in this process."""
    _ADOPTED[env_id] = world


@functools.cache
def worlds_of(package: str) -> tuple[WorldSpec, ...]:
    """The worlds of a package, in alphabetical order; none where it is not there.

    Raises:
        ConfigError: a file ``registration.py`` defines no world of this package.
    """
    try:
        found = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        found = None
    folders = [Path(f) for f in (found.submodule_search_locations or ())] if found else []
    worlds = []
    for path in sorted(path for folder in folders for path in folder.glob("*/registration.py")):
        world = runpy.run_path(str(path)).get("WORLD")
        if not isinstance(world, WorldSpec) or world.package != package:
            raise ConfigError(f"{path} must define WORLD, a WorldSpec with package={package!r}.")
        worlds.append(world)
    return tuple(worlds)


def register_environments(package: str) -> None:
    """Registers the environments of a package's worlds with Gymnasium; done twice, it is once."""
    import gymnasium as gym

    for world in worlds_of(package):
        for entry in world.environments:
            if entry.id not in gym.registry:
                gym.register(id=entry.id, entry_point=entry.entry_point, kwargs=dict(entry.kwargs))


def world_of(env_id: str) -> WorldSpec:
    """The world of an environment, with what differs in this environment.

    Of an environment that no world has, such as one that a user registered, only the contract is
    known: the world is called as its namespace and has the defaults of ``WorldSpec``, unless it
    was adopted.
    """
    if env_id in _ADOPTED:
        return _ADOPTED[env_id]
    package, _, name = env_id.rpartition(":")
    for world in worlds_of(package) if package else WORLDS.values():
        for entry in world.environments:
            if entry.id == name:
                return dataclasses.replace(world, **entry.differs)
    return WorldSpec(name=name.partition("/")[0], package=package)


def find_spec(env_id: str) -> Any:
    """What Gymnasium knows of an environment, whose package is imported for it.

    Args:
        env_id: "NAME", or "PACKAGE:NAME".

    Raises:
        MissingDependencyError: the package cannot be imported.
        UnknownNameError: nobody registered it; names the nearest.
    """
    import gymnasium as gym

    package, _, name = env_id.rpartition(":")
    try:
        importlib.import_module(package or "gymnasium")
    except ImportError as error:
        raise MissingDependencyError(
            f"cannot import {package!r}, which registers {env_id!r}: {error}. Run "
            "`uamsim doctor` to see what is missing."
        ) from error
    try:
        return gym.spec(name)
    except gym.error.Error as error:
        namespace = name.rpartition("/")[0]
        known = {entry.id for world in WORLDS.values() for entry in world.environments}
        known |= {other for other in gym.registry if other.rpartition("/")[0] == namespace}
        raise UnknownNameError("environment", name, sorted(known)) from error


def resolve_tasks(world: str, tasks: Sequence[str]) -> dict[str, str]:
    """Task -> environment id for the named tasks, each once; for all tasks when none is named.

    Raises:
        UnknownNameError: no such world or task; names the nearest.
    """
    known = WORLDS[world].tasks
    for task in tasks:
        if task not in known:
            raise UnknownNameError(f"{world} task", task, known)
    return {task: known[task] for task in dict.fromkeys(tasks or known)}


def resolve_demonstrated(world: str, tasks: Sequence[str]) -> dict[str, str]:
    """``resolve_tasks``, of tasks that have a scripted expert.

    Raises:
        UnknownNameError: no such world or task; names the nearest.
        ConfigError: a named task has no expert.
    """
    found = resolve_tasks(world, tasks)
    solved = {task: env_id for task, env_id in found.items() if world_of(env_id).has_expert}
    for task in tasks:
        if task not in solved:
            raise ConfigError(f"{task} of {world} has no scripted expert.")
    return solved


def resolve_environment(name: str, others: Iterable[str] = ()) -> str:
    """The environment id of a task's name, such as "pick_place"; an id stays what it is.

    Args:
        name: of a task, or an id; that of a known world may leave its package out.
        others: names that would have been known as well, for the error.

    Raises:
        UnknownNameError: neither an id nor a task of any world.
        MissingDependencyError: an id's package cannot be imported.
    """
    if "/" in name or ":" in name or _VERSIONED.search(name):
        package = "" if ":" in name else world_of(name).package
        env_id = f"{package}:{name}" if package else name
        find_spec(env_id)
        return env_id
    known: dict[str, str] = {}
    for world in WORLDS.values():
        known = world.tasks | known
    if name not in known:
        raise UnknownNameError("environment", name, [*known, *others])
    return known[name]


def list_suites() -> dict[str, tuple[str, ...]]:
    """Suite, such as "robotwin16" -> the ids of its environments, of all worlds."""
    return {
        suite: tuple(f"{world.package}:{env_id}" for env_id in ids)
        for world in WORLDS.values()
        for suite, ids in world.suites.items()
    }


def resolve_environments(words: Sequence[str]) -> dict[str, str]:
    """Environment id -> suite, for worlds (all their tasks), suites, tasks and ids.

    A suite is one that holds the environment, its world, or of an id outside all of these what is
    before its "/".

    Raises:
        UnknownNameError: no world, suite, task or id.
    """
    suites = list_suites()
    found: dict[str, str] = {}
    for word in words:
        if word in WORLDS:
            ids = tuple(WORLDS[word].tasks.values())
        else:
            ids = suites.get(word) or (resolve_environment(word, suites),)
        for env_id in ids:
            held = [suite for suite, members in suites.items() if env_id in members]
            found[env_id] = [*held, world_of(env_id).name][0]
    return found


def list_simulators() -> dict[str, Simulator]:
    """Name -> simulator, of all worlds that need one."""
    needed = (world.simulator for world in WORLDS.values())
    return {simulator.name: simulator for simulator in needed if simulator is not None}


def find_simulator(name: str) -> Simulator:
    """A simulator by its name.

    Raises:
        UnknownNameError: no world needs one of that name; names the nearest.
    """
    known = list_simulators()
    if name not in known:
        raise UnknownNameError("simulator", name, known)
    return known[name]
