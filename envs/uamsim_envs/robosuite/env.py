"""robosuite's tasks in the project's contract; the simulator itself is in a host process."""

import copy
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Float32

from uamsim.contract import CONTROL_HZ, Control, Goal, Observation, SceneFacts, SceneThing, Thing
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.lexicon import LEXICON
from uamsim.perturbations.actions import ActionChannel, ActionDelay, ActionNoise
from uamsim.perturbations.draw import drawn_objects
from uamsim.perturbations.language import render_instruction
from uamsim.perturbations.objects import Distractors
from uamsim.perturbations.sensors import DroppedFrames, ImageBlur, ImageNoise, Latency, Sensors
from uamsim.perturbations.values import Composition, Parameters, Perturbation
from uamsim.perturbations.wording import WORDING, Reference
from uamsim.simulators import SIMULATORS, find_installation, install_command
from uamsim_envs.actions import check_actions
from uamsim_envs.host.client import Host
from uamsim_envs.info import EpisodeInfo
from uamsim_envs.robosuite.tasks import TASKS, draw_distractors, stand_in

NAME = "robosuite"
RENDER_PROFILES = ("fast", "quality")
_ARM_LOW = (-1.2, -1.2, 0.6, -np.pi, -np.pi, -np.pi, 0.0)
_ARM_HIGH = (1.2, 1.2, 1.8, np.pi, np.pi, np.pi, 1.0)
_NOISE = np.array([0.0015] * 3 + [0.008] * 3 + [0.0], np.float32)
"""Of one severity of ``ActionNoise``, on an arm's part of an action (m and rad)."""
CARRIED: tuple[type[Perturbation], ...] = (
    Latency,
    DroppedFrames,
    ImageBlur,
    ImageNoise,
    ActionDelay,
    ActionNoise,
)
"""What every task can apply, besides the wording and, where there is room, ``Distractors``."""

Step = tuple[Observation, float, bool, bool, dict[str, Any]]


class RobosuiteEnv(EpisodeInfo, gym.Env[Observation, np.ndarray]):
    """One task of robosuite 1.5.2, judged by robosuite, in a process of its own.

    An episode depends on its seed alone. An action is, for each arm, the gripper's position (3, m,
    world), its rotation vector (3, rad, world) away from pointing straight down, and its opening
    (1 open to 0 closed), at 50 a second; the world's x points away from the first robot, y to its
    left. ``agent_pos`` is the same of the measured state.

    Attributes:
        spec_of_task: what robosuite and the project call things.
        cameras: names of the pictures in an observation.
        render_profile: "fast" or "quality".
        max_episode_steps: control steps after which an episode is truncated.
        composition: the perturbations of every episode.
        drawn: what the present episode drew of them, type name -> parameters.
    """

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
        self._installation = find_installation(NAME)
        if control != "ee":
            raise ConfigError(f"control must be 'ee' in robosuite's worlds, not {control!r}.")
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"render_mode must be None or 'rgb_array', not {render_mode!r}.")
        if render_profile not in RENDER_PROFILES:
            raise UnknownNameError("render profile", render_profile, RENDER_PROFILES)
        if min(image_size) < 1:
            raise ConfigError(f"image_size must be positive, not {image_size}.")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ConfigError(f"max_episode_steps must be at least 1, not {max_episode_steps}.")
        self.control: Control = control
        self.task = task.task
        self.cameras = task.cameras[: 1 + task.num_arms] if cameras is None else tuple(cameras)
        self._check_cameras(self.cameras)
        self.render_profile = render_profile
        self.image_size = (image_size[0], image_size[1])
        self.composition = Composition.of(perturbations)
        # A lone thing cannot be told from others by where it is.
        wording = [cls for cls in WORDING if cls is not Reference or len(task.things) > 1]
        objects = (Distractors,) if task.has_room else ()
        self.composition.check_carried(f"Robosuite-{name}", (*objects, *CARRIED, *wording))
        self.max_episode_steps = max_episode_steps or task.time_limit
        self.render_mode = render_mode
        picture = gym.spaces.Box(0, 255, (*self.image_size, 3), np.uint8)
        dim = 7 * task.num_arms
        self.observation_space = gym.spaces.Dict(  # type: ignore[assignment]
            {
                "pixels": gym.spaces.Dict(dict.fromkeys(self.cameras, picture)),
                "agent_pos": gym.spaces.Box(-10.0, 10.0, (dim,), np.float32),
            }
        )
        low, high = _ARM_LOW * task.num_arms, _ARM_HIGH * task.num_arms
        self.action_space = gym.spaces.Box(np.array(low, np.float32), np.array(high, np.float32))
        self._host: Host | None = None
        self._over: bool | None = None
        self._num_steps = 0
        self._stages: dict[str, bool] = {}
        self.drawn: dict[str, Parameters] = {}

    @property
    def all_cameras(self) -> tuple[str, ...]:
        """Names of all cameras of this world."""
        return self.spec_of_task.cameras

    @property
    def has_expert(self) -> bool:
        """Whether the task has a scripted expert."""
        return self.spec_of_task.has_expert

    @property
    def host(self) -> Host:
        """The simulator's process; a process that has none yet, such as a fork, starts its own.

        Raises:
            SimulatorError: it does not start.
        """
        if self._host is None or self._host.owner_pid != os.getpid():
            self._host = Host(
                f"robosuite's {self.spec_of_task.name}",
                "uamsim_envs.robosuite.host.world:World",
                python=self._installation.python,
                expected=SIMULATORS[NAME].versions,
                mend=f"Run: {install_command(NAME)} --again",
            )
            self._host.call(
                "open",
                task=self.spec_of_task.name,
                image_size=self.image_size,
                render_profile=self.render_profile,
            )
        return self._host

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
        self._instruction = render_instruction(
            self._goal,
            wording=self.composition,
            rng=np.random.default_rng(words),
            scene=self._facts,
        )
        self.drawn = drawn_objects(
            self.composition, episode, self._goal, stand_in(things[index]), added, ()
        )
        self._stages = dict.fromkeys(task.stages, False)
        self._sensors = Sensors(self.composition, episode)
        self._channel = None
        if self.composition.active("actions"):
            noise = np.tile(_NOISE, task.num_arms)
            rest = self.rest_action()
            self._channel = ActionChannel(self.composition, episode, rest=rest, noise=noise)
        self._num_steps, self._over = 0, False
        return self._observe(), self._info(success=False)

    def step(self, action: Float32[np.ndarray, " A"]) -> Step:
        """One control step of 20 ms.

        Raises:
            InvalidActionError: a wrong shape, or values that are not finite.
            SimulatorError: the simulator fails, hangs or has died.
        """
        return self.step_chunk(np.asarray(action)[None])

    def step_chunk(self, actions: Float32[np.ndarray, "T A"]) -> Step:
        """Physics for every action until the episode ends, and one observation, of the end.

        The states and the final frame are those of calling ``step`` T times.

        Returns:
            Observation, summed reward, terminated, truncated, info of the last state.

        Raises:
            InvalidActionError: a wrong shape, or values that are not finite; nothing has moved.
            SimulatorError: the simulator fails, hangs or has died.
        """
        self._check_begun()
        ended = self._advance(check_actions(actions, self._action_dim))
        return self._after(*ended)

    def play(
        self, actions: Iterator[Float32[np.ndarray, " A"]], max_steps: int
    ) -> tuple[Float32[np.ndarray, "T A"], Step]:
        """Steps actions that are drawn one at a time, so that an expert reads the live state.

        Args:
            actions: such as an expert's.
            max_steps: how many are drawn at most.

        Returns:
            The actions that were stepped, T <= ``max_steps``, and what ``step_chunk`` returns for
            them; T is 0 where there were none left.

        Raises:
            InvalidActionError: an action that is not finite or not of the right shape.
            SimulatorError: the simulator fails, hangs or has died.
        """
        self._check_begun()
        taken: list[np.ndarray] = []
        ended = (False, False)
        for action in itertools.islice(actions, max_steps):
            taken.append(check_actions(np.asarray(action)[None], self._action_dim)[0])
            ended = self._advance(taken[-1][None])
            if any(ended) or self._num_steps >= self.max_episode_steps:
                break
        stepped = np.array(taken, np.float32).reshape(-1, self._action_dim)
        return stepped, self._after(*ended)

    @property
    def _action_dim(self) -> int:
        return 7 * self.spec_of_task.num_arms

    def _check_begun(self) -> None:
        if self._over is None:
            raise gym.error.ResetNeeded("call reset() before step().")

    def _advance(self, actions: np.ndarray) -> tuple[bool, bool]:
        """Steps actions and returns whether the last state is a success, and a failure."""
        actions = actions[: max(1, self.max_episode_steps - self._num_steps)]
        if self._channel is not None:
            actions = np.stack([self._channel.step(action) for action in actions])
        done = self.host.call("advance", actions=actions)
        self._num_steps += done["steps"]
        self._stages = done["stages"]
        return done["success"], done["failed"]

    def _after(self, success: bool, failed: bool) -> Step:
        terminated = success or failed
        truncated = not terminated and self._num_steps >= self.max_episode_steps
        info = self._info(success=success)
        return self._observe(), float(success), terminated, truncated, info

    def _observe(self) -> Observation:
        pixels, agent_pos = self._look(self.cameras)
        return Observation(pixels=pixels, agent_pos=agent_pos)

    def _look(self, cameras: tuple[str, ...]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        step = self._sensors.picture_step(self._num_steps)
        seen = self.host.call(
            "observe",
            cameras=cameras,
            picture_step=step,
            proprio_step=self._sensors.proprio_step(self._num_steps),
        )
        pixels = {
            c: self._sensors.see(p, c, step, (p.shape[0], p.shape[1]))
            for c, p in seen["pixels"].items()
        }
        return pixels, seen["agent_pos"]

    def look(self, cameras: Sequence[str]) -> dict[str, np.ndarray]:
        """What any of the world's cameras gives now, uint8 [H, W, 3] each.

        Raises:
            UnknownNameError: no such camera.
        """
        self._check_cameras(cameras)
        return self._look(tuple(cameras))[0]

    def _check_cameras(self, cameras: Sequence[str]) -> None:
        for camera in cameras:
            if camera not in self.all_cameras:
                raise UnknownNameError("camera", camera, self.all_cameras)

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """The primary camera's picture, uint8 [H, W, 3], with ``render_mode="rgb_array"``."""
        return None if self.render_mode is None else self.look(("primary",))["primary"]

    def expert(self, rng: np.random.Generator) -> Iterator[Float32[np.ndarray, " A"]]:
        """Actions of robosuite's scripted expert here, one for each control step.

        It lives in the host and reads the live state there.

        Args:
            rng: varies its speed and paths.

        Raises:
            ConfigError: the task has none.
        """
        self.host.call("begin_expert", seed=int(rng.integers(2**62)))
        while (action := self.host.call("next_action")) is not None:
            yield action

    def rest_action(self) -> Float32[np.ndarray, " A"]:
        """The action that leaves the arms where they were when the episode began."""
        return self.host.call("rest").astype(np.float32)

    def state(self) -> dict[str, np.ndarray]:
        """Positions and velocities of all joints, for tests and for comparisons."""
        return self.host.call("state")

    def close(self) -> None:
        """Ends the host; may be called twice."""
        if self._host is not None:
            self._host.close()
            self._host = None


def _fact(thing: Thing, pos_world: Sequence[float]) -> SceneThing:
    """As the primary camera sees it, which looks at the first robot: x right, y away from it."""
    x, y, z = pos_world
    return SceneThing(category=thing.category, colour=thing.colour, pos_world=(y, -x, z))
