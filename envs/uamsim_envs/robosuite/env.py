"""robosuite's tasks in the project's contract; the simulator itself is in a host process."""

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
from jaxtyping import Float32

from uamsim.contract import Goal, Observation, SceneFacts, SceneThing, Thing
from uamsim.errors import UnknownNameError
from uamsim.lexicon import LEXICON
from uamsim.perturbations.axes.actions import ACTIONS
from uamsim.perturbations.axes.objects import Distractors
from uamsim.perturbations.axes.sensors import SENSORS
from uamsim.perturbations.draw import drawn_objects
from uamsim.perturbations.language.wording import WORDING, Reference
from uamsim.worlds import world_of
from uamsim_envs.env import Settings
from uamsim_envs.host.client import Host
from uamsim_envs.host.env import HostedEnv
from uamsim_envs.robosuite.language import LANGUAGE
from uamsim_envs.robosuite.registration import SIMULATOR, WORLD
from uamsim_envs.robosuite.tasks import TASKS, draw_distractors, stand_in

_ARM_LOW = (-1.2, -1.2, 0.6, -np.pi, -np.pi, -np.pi, 0.0)
_ARM_HIGH = (1.2, 1.2, 1.8, np.pi, np.pi, np.pi, 1.0)
_NOISE = np.array([0.0015] * 3 + [0.008] * 3 + [0.0], np.float32)
"""Of one severity of ``ActionNoise``, on an arm's part of an action (m and rad)."""


class RobosuiteEnv(HostedEnv):
    """One task of robosuite 1.5.2, judged by robosuite, in a process of its own.

    An episode depends on its seed alone. An action is, for each arm, the gripper's position (3, m,
    world), its rotation vector (3, rad, world) away from pointing straight down, and its opening
    (1 open to 0 closed), at 50 a second; the world's x points away from the first robot, y to its
    left. ``agent_pos`` is the same of the measured state.

    Attributes:
        spec_of_task: what robosuite and the project call things.
    """

    simulator = SIMULATOR
    language = LANGUAGE
    factory = "uamsim_envs.robosuite.host.world:World"

    def __init__(self, *, name: str, **settings: Unpack[Settings]) -> None:
        """Starts nothing; the first reset starts the host.

        Args:
            name: of the task in robosuite.
            settings: see ``Settings``. The render profile "fast" draws no shadows and has no
                multisampling.

        Raises:
            MissingDependencyError: robosuite is not installed; says how to.
            UnknownNameError: no such task, camera or render profile.
            ConfigError: another control, or a perturbation that is not carried.
        """
        if name not in TASKS:
            raise UnknownNameError("robosuite task", name, TASKS)
        task = self.spec_of_task = TASKS[name]
        self.task, self.label = task.task, f"Robosuite-{name}"
        self.world_spec = world_of(f"{WORLD.package}:uamsim/{self.label}-v0")
        self.picture_sizes = dict.fromkeys(self.world_spec.cameras, (240, 320))
        self.default_cameras = self.world_spec.views
        # A lone thing cannot be told from others by where it is.
        wording = [cls for cls in WORDING if cls is not Reference or len(task.things) > 1]
        objects = (Distractors,) if task.has_room else ()
        self.carried = (*objects, *SENSORS, *ACTIONS, *wording)
        self.time_limit = task.time_limit
        super().__init__(**settings)
        self.action_noise = np.tile(_NOISE, task.num_arms)

    def _action_bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        arms = self.spec_of_task.num_arms
        return _ARM_LOW * arms, _ARM_HIGH * arms

    @property
    def has_expert(self) -> bool:
        """Whether the task has a scripted expert."""
        return self.spec_of_task.has_expert

    def _open(self, host: Host) -> None:
        host.call(
            "open",
            task=self.spec_of_task.name,
            image_size=self.image_sizes["primary"],
            render_profile=self.render_profile,
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Lays out a new episode.

        Raises:
            SceneError: there is no room for all things.
            SimulatorError: the simulator fails, hangs or has died.
        """
        super().reset(seed=seed)
        episode = self._episode_seed()
        layout, goal_seed, more, words = (int(s) for s in self.np_random.integers(2**62, size=4))
        task = self.spec_of_task
        things = list(task.things.values())
        index = int(np.random.default_rng(goal_seed).integers(task.num_targets))
        target = None if task.target is None else things[task.target]
        self._goal = Goal(task=task.task, thing=things[index], target=target)
        added: list[Thing] = []
        distractors = self.composition.find(Distractors)
        if distractors is not None and not distractors.is_identity:
            rng = np.random.default_rng(more)
            added = draw_distractors(distractors, things[index], things, rng)
        places = self.host.call(
            "reset",
            seed=layout,
            target=index,
            distractors=[
                {
                    "name": f"distractor{i}",
                    "category": thing.category,
                    "rgb": LEXICON[thing.colour].rgb,
                }
                for i, thing in enumerate(added)
            ],
        )
        named = {**task.things, **{f"distractor{i}_main": t for i, t in enumerate(added)}}
        self._facts = SceneFacts(things=tuple(_fact(t, places[b]) for b, t in named.items()))
        self._instruction = LANGUAGE.say(
            self._goal,
            wording=self.composition,
            rng=np.random.default_rng(words),
            scene=self._facts,
        )
        self.drawn = drawn_objects(
            self.composition, episode, self._goal, stand_in(things[index]), added, ()
        )
        self._stages = dict.fromkeys(task.stages, False)
        return self._begin_episode(episode)

    def rest_action(self) -> Float32[np.ndarray, " A"]:
        """The action that leaves the arms where they were when the episode began."""
        return self.host.call("rest").astype(np.float32)


def _fact(thing: Thing, pos_world: Sequence[float]) -> SceneThing:
    """As the primary camera sees it, which looks at the first robot: x right, y away from it."""
    x, y, z = pos_world
    return SceneThing(category=thing.category, colour=thing.colour, pos_world=(y, -x, z))
