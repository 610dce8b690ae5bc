"""What all ALOHA environments share: spaces, checked actions, chunked stepping, pictures."""

import copy
import itertools
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from jaxtyping import Float32

from uamsim.contract import ACTION_DIM, CONTROL_HZ, Control, Goal, Observation, SceneFacts
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.perturbations.axes.actions import ActionChannel
from uamsim.perturbations.axes.sensors import Sensors
from uamsim.perturbations.values import Composition, Parameters, Perturbation
from uamsim.simulated import SimulatedEnv, Step
from uamsim_envs.actions import check_actions
from uamsim_envs.aloha.kinematics import JOINT_RANGE
from uamsim_envs.aloha.language import LANGUAGE
from uamsim_envs.aloha.perturbing import CARRIED, Perturber
from uamsim_envs.aloha.variants import prepare_slots
from uamsim_envs.aloha.world import CAMERAS, MAX_POSITION, MAX_ROTATION, World, WorldConfig
from uamsim_envs.info import EpisodeInfo

_NOISE = {
    "ee": np.array([0.0015] * 3 + [0.008] * 3 + [0.0], np.float32),
    "joint": np.array([0.003] * 6 + [0.0], np.float32),
}
"""Of one severity of ``ActionNoise``, on an arm's part of an action (m and rad)."""


def _action_space(control: Control) -> gym.spaces.Box:
    x, y, z = MAX_POSITION
    if control == "ee":
        low, high = [-x, -y, 0.0, *[-MAX_ROTATION] * 3, 0.0], [x, y, z, *[MAX_ROTATION] * 3, 1.0]
    else:
        low, high = [*JOINT_RANGE[:, 0], 0.0], [*JOINT_RANGE[:, 1], 1.0]
    return gym.spaces.Box(np.array(low * 2, np.float32), np.array(high * 2, np.float32))


class AlohaEnv(EpisodeInfo, SimulatedEnv):
    """Base of the ALOHA environments.

    An episode depends on its seed alone, not on earlier episodes. Subclasses lay out an episode
    in ``_begin``, judge a state in ``_judge`` and script an ``expert``.

    Attributes:
        control: representation of actions and of ``agent_pos``.
        cameras: names of the pictures in an observation.
        render_profile: "fast" or "quality".
        max_episode_steps: control steps after which an episode is truncated. ``gym.make`` keeps
            an argument of this name for its own wrapper, which does not see ``step_chunk``: put
            it into ``kwargs`` of the spec that is made.
        world: model and state, for experts and tests.
        composition: the perturbations of every episode.
        drawn: what the present episode drew of them, type name -> parameters.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - an instance variable in gym.Env
        "render_modes": ["rgb_array"],
        "render_fps": CONTROL_HZ,
    }
    task = "scene"
    language = LANGUAGE
    all_cameras = CAMERAS
    carried: ClassVar[tuple[type[Perturbation], ...]] = ()
    """What a task can apply besides ``perturbing.CARRIED``."""

    def __init__(
        self,
        config: WorldConfig,
        *,
        control: Control,
        perturbations: Sequence[Perturbation] = (),
        max_episode_steps: int,
        render_mode: str | None = None,
    ) -> None:
        """Compiles the model; no GL context is made.

        Raises:
            ConfigError: an unknown control or render mode, or not a number of steps.
        """
        if control not in ("ee", "joint"):
            raise ConfigError(f"control must be 'ee' or 'joint', not {control!r}.")
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"render_mode must be None or 'rgb_array', not {render_mode!r}.")
        if max_episode_steps < 1:
            raise ConfigError(f"max_episode_steps must be at least 1, not {max_episode_steps}.")
        self.control: Control = control
        self.cameras = config.cameras
        self.render_profile = config.render_profile
        self.composition = Composition.of(perturbations)
        self.composition.check_carried(type(self).__name__, (*CARRIED, *self.carried))
        self.max_episode_steps = max_episode_steps
        self.render_mode = render_mode
        self._perturber = Perturber(self.composition)
        self.world = World(
            config,
            self._perturber.prepare,
            lambda spec, slots: prepare_slots(spec, self.composition, slots),
        )
        height, width = config.image_size
        picture = gym.spaces.Box(0, 255, (height, width, 3), np.uint8)
        self.observation_space = gym.spaces.Dict(
            {
                "pixels": gym.spaces.Dict(dict.fromkeys(config.cameras, picture)),
                "agent_pos": gym.spaces.Box(-10.0, 10.0, (ACTION_DIM,), np.float32),
            }
        )
        self.action_space = _action_space(control)
        self._facts = SceneFacts(things=())
        self._goal: Goal | None = None
        self._instruction = ""
        self._stages: dict[str, bool] = {}
        self._num_steps = 0
        self._over: bool | None = None
        self.drawn: dict[str, Parameters] = {}
        self._sensors = Sensors()
        self._history: list[np.ndarray] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Lays out a new episode.

        Raises:
            SceneError: the scene cannot be laid out.
        """
        super().reset(seed=seed)
        self._perturber.restore(self.world.model)
        self.world.reset()
        self._num_steps = 0
        self._over = False
        episode = int(copy.deepcopy(self.np_random).integers(2**62)) if self.composition else 0
        self.drawn = self._perturber.draw(episode)
        self._begin(self.np_random, options or {})
        self._perturber.apply(self.world, self.drawn)
        self.world.fix_places()
        self._sensors = Sensors(self.composition, episode)
        self._channel = (
            ActionChannel(
                self.composition,
                episode,
                rest=self.world.start_action(self.control),
                noise=np.tile(_NOISE[self.control], 2),
            )
            if self.composition.active("actions")
            else None
        )
        self._history = [self.world.data.qpos.copy()]
        return self._observe(), self._info(success=False)

    def step(self, action: Float32[np.ndarray, "14"]) -> Step:
        """One control step of 20 ms.

        Raises:
            InvalidActionError: a wrong shape, or values that are not finite.
        """
        return self.step_chunk(np.asarray(action)[None])

    def step_chunk(self, actions: Float32[np.ndarray, "T 14"]) -> Step:
        """Physics for every action until the episode ends, and one observation, of the end.

        The states and the final frame are those of calling ``step`` T times.

        Returns:
            Observation, summed reward, terminated, truncated, info of the last state.

        Raises:
            InvalidActionError: a wrong shape, or values that are not finite; nothing has moved.
        """
        actions = check_actions(actions, ACTION_DIM)
        return self._advance(iter(actions))

    def play(
        self, actions: Iterator[Float32[np.ndarray, "14"]], max_steps: int | None = None
    ) -> tuple[Float32[np.ndarray, "T 14"], Step]:
        """Steps actions that are drawn one at a time, so that an expert reads the live state.

        Args:
            actions: such as an expert's.
            max_steps: how many are drawn at most; None goes on until the episode or they end.

        Returns:
            The actions that were stepped, T <= ``max_steps``, and what ``step_chunk`` returns for
            them; T is 0 where there were none left.

        Raises:
            InvalidActionError: an action that is not finite or not of shape [14].
        """
        taken: list[np.ndarray] = []

        def draw() -> Iterator[np.ndarray]:
            for action in itertools.islice(actions, max_steps):
                taken.append(check_actions(np.asarray(action)[None], ACTION_DIM)[0])
                yield taken[-1]

        result = self._advance(draw())
        return np.array(taken, np.float32).reshape(-1, ACTION_DIM), result

    def _advance(self, actions: Iterator[np.ndarray]) -> Step:
        if self._over is None:
            raise gym.error.ResetNeeded("call reset() before step().")
        reward, terminated, success = 0.0, False, False
        for action in actions:
            carried_out = action if self._channel is None else self._channel.step(action)
            self.world.command(carried_out, self.control)
            self.world.step()
            self._num_steps += 1
            if self._sensors.looks_back:
                self._history.append(self.world.data.qpos.copy())
            success, failure = self._judge()
            reward += float(success)
            terminated = success or failure
            if terminated or self._num_steps >= self.max_episode_steps:
                break
        truncated = not terminated and self._num_steps >= self.max_episode_steps
        return self._observe(), reward, terminated, truncated, self._info(success=success)

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """The primary camera's picture, uint8 [H, W, 3], with ``render_mode="rgb_array"``."""
        if self.render_mode is None:
            return None
        return self.world.render(("primary",))["primary"]

    def look(self, cameras: Sequence[str]) -> dict[str, np.ndarray]:
        """What any of the world's cameras gives now, uint8 [H, W, 3] each.

        Raises:
            UnknownNameError: no such camera.
        """
        for camera in cameras:
            if camera not in CAMERAS:
                raise UnknownNameError("camera", camera, CAMERAS)
        return self._pictures(tuple(cameras))

    def close(self) -> None:
        """Frees the renderer; may be called twice."""
        self.world.close()

    def _begin(self, rng: np.random.Generator, options: dict[str, Any]) -> None:
        """Lays out an episode: slots, facts, goal, instruction, stages."""
        raise NotImplementedError

    def _judge(self) -> tuple[bool, bool]:
        """Updates the stages after a control step; (success, irrecoverable failure)."""
        return False, False

    def _observe(self) -> Observation:
        with self._as_at(self._sensors.proprio_step(self._num_steps)):
            agent_pos = self.world.agent_pos(self.control)
        return Observation(pixels=self._pictures(self.cameras), agent_pos=agent_pos)

    def _pictures(self, cameras: tuple[str, ...]) -> dict[str, np.ndarray]:
        step = self._sensors.picture_step(self._num_steps)
        size = self.world.config.image_size
        with self._as_at(step):
            pictures = self.world.render(cameras, shrink=self._sensors.shrink(size[0]))
        return {name: self._sensors.see(p, name, step, size) for name, p in pictures.items()}

    def _as_at(self, step: int) -> AbstractContextManager[None]:
        """Within it, the world shows an earlier control step of the episode."""
        if step == self._num_steps:
            return nullcontext()
        return self.world.shown_at(self._history[step])


__all__ = ["CAMERAS", "AlohaEnv"]
