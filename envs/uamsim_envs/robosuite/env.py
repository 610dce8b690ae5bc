"""robosuite's tasks in the project's contract; the simulator itself is in a host process."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32

from uamsim.contract import CONTROL_HZ, Control, Goal, Observation, SceneFacts, SceneThing, Thing
from uamsim.errors import UnknownNameError
from uamsim.lexicon import LEXICON
from uamsim.perturbations.axes.actions import ACTIONS
from uamsim.perturbations.axes.objects import Distractors
from uamsim.perturbations.axes.sensors import SENSORS
from uamsim.perturbations.draw import drawn_objects
from uamsim.perturbations.language.wording import WORDING, Reference
from uamsim.perturbations.values import Perturbation
from uamsim_envs.host.client import Host
from uamsim_envs.host.env import HostedEnv
from uamsim_envs.robosuite.language import LANGUAGE
from uamsim_envs.robosuite.registration import SIMULATOR
from uamsim_envs.robosuite.tasks import TASKS, draw_distractors, stand_in

_ARM_LOW = (-1.2, -1.2, 0.6, -np.pi, -np.pi, -np.pi, 0.0)
_ARM_HIGH = (1.2, 1.2, 1.8, np.pi, np.pi, np.pi, 1.0)
_NOISE = np.array([0.0015] * 3 + [0.008] * 3 + [0.0], np.float32)
"""Of one severity of ``ActionNoise``, on an arm's part of an action (m and rad)."""
CARRIED: tuple[type[Perturbation], ...] = (*SENSORS, *ACTIONS)
"""What every task can apply, besides the wording and, where there is room, ``Distractors``."""


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
    controls = ("ee",)
    render_profiles = ("fast", "quality")
    primary = "primary"
    metadata: dict[str, Any] = {  # noqa: RUF012 - an instance variable in gym.Env
        "render_modes": ["rgb_array"],
        "render_fps": CONTROL_HZ,
    }

    def __init__(
        self,
        *,
        name: str,
        control: Control = "ee",
        cameras: Sequence[str] | None = None,
        image_size: tuple[int, int] = (240, 320),
        render_profile: str = "fast",
        perturbations: Sequence[Perturbation] = (),
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Starts nothing; the first reset starts the host.

        Args:
            name: of the task in robosuite.
            control: "ee", the only one.
            cameras: names of the pictures; None takes the first and the wrists'.
            image_size: (H, W).
            render_profile: "fast" (no shadows, no multisampling) or "quality".
            perturbations: what is changed about every episode.
            max_episode_steps: after which the episode is truncated; None takes the task's own.
            render_mode: None or "rgb_array".

        Raises:
            MissingDependencyError: robosuite is not installed; says how to.
            UnknownNameError: no such task, camera or render profile.
            ConfigError: another control, or a perturbation that is not carried.
        """
        if name not in TASKS:
            raise UnknownNameError("robosuite task", name, TASKS)
        task = self.spec_of_task = TASKS[name]
        self.task, self.all_cameras = task.task, task.cameras
        # A lone thing cannot be told from others by where it is.
        wording = [cls for cls in WORDING if cls is not Reference or len(task.things) > 1]
        objects = (Distractors,) if task.has_room else ()
        super().__init__(
            label=f"Robosuite-{name}",
            control=control,
            cameras=task.cameras[: 1 + task.num_arms] if cameras is None else cameras,
            render_profile=render_profile,
            perturbations=perturbations,
            carried=(*objects, *CARRIED, *wording),
            max_episode_steps=task.time_limit if max_episode_steps is None else max_episode_steps,
            render_mode=render_mode,
        )
        self.image_size = (image_size[0], image_size[1])
        self.action_noise = np.tile(_NOISE, task.num_arms)
        self._spaces(
            dict.fromkeys(task.cameras, self.image_size),
            7 * task.num_arms,
            _ARM_LOW * task.num_arms,
            _ARM_HIGH * task.num_arms,
        )

    @property
    def has_expert(self) -> bool:
        """Whether the task has a scripted expert."""
        return self.spec_of_task.has_expert

    def _open(self, host: Host) -> None:
        host.call(
            "open",
            task=self.spec_of_task.name,
            image_size=self.image_size,
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
        episode = int(copy.deepcopy(self.np_random).integers(2**62))
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
        return self._begin(episode)

    def rest_action(self) -> Float32[np.ndarray, " A"]:
        """The action that leaves the arms where they were when the episode began."""
        return self.host.call("rest").astype(np.float32)


def _fact(thing: Thing, pos_world: Sequence[float]) -> SceneThing:
    """As the primary camera sees it, which looks at the first robot: x right, y away from it."""
    x, y, z = pos_world
    return SceneThing(category=thing.category, colour=thing.colour, pos_world=(y, -x, z))
