"""What environments whose simulator runs in a host process have in common."""

import itertools
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from jaxtyping import Float32

from uamsim.contract import Control, Observation
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.perturbations.axes.actions import ActionChannel
from uamsim.perturbations.axes.sensors import Sensors
from uamsim.perturbations.values import Composition, Parameters, Perturbation
from uamsim.simulated import SimulatedEnv, Step
from uamsim.simulators import Installation, Simulator, find_installation, install_command
from uamsim_envs.actions import check_actions
from uamsim_envs.host.client import Host
from uamsim_envs.info import EpisodeInfo


class HostedEnv(EpisodeInfo, SimulatedEnv):
    """One environment of a foreign simulator, stepped and looked at through its host.

    A subclass names its simulator, starts the host (``_open``), lays out episodes (``reset``, which
    ends with ``_begin``) and says what pictures and actions are like. The host's object has

    - ``advance(actions=[T, A])`` -> steps, success, failed, stages;
    - ``observe(cameras=, picture_step=, proprio_step=)`` -> pixels, agent_pos, of control steps of
      this episode;
    - ``begin_expert(seed=)`` and ``next_action()``; ``state()``, arrays for tests.

    Attributes:
        simulator: the foreign one.
        factory: "module:callable" that makes the host's object.
        controls: what actions can be.
        render_profiles: how pictures can be drawn.
        primary: the camera of ``render``.
        action_noise: of one severity of ``ActionNoise``, in the actions' units [A].
        cameras: names of the pictures in an observation.
        render_profile: one of ``render_profiles``.
        max_episode_steps: control steps after which an episode is truncated.
        composition: the perturbations of every episode.
        drawn: what the present episode drew of them, type name -> parameters.
    """

    simulator: ClassVar[Simulator]
    factory: ClassVar[str]
    controls: ClassVar[tuple[Control, ...]]
    render_profiles: ClassVar[tuple[str, ...]]
    primary: ClassVar[str]
    action_noise: Float32[np.ndarray, " A"]

    def __init__(
        self,
        *,
        label: str,
        control: Control,
        cameras: Sequence[str],
        render_profile: str,
        perturbations: Sequence[Perturbation],
        carried: Sequence[type[Perturbation]],
        max_episode_steps: int,
        render_mode: str | None,
    ) -> None:
        """Starts nothing; the first reset starts the host.

        Args:
            label: of the environment, for messages.
            control: one of ``controls``.
            cameras: names of the pictures, of ``all_cameras``.
            render_profile: one of ``render_profiles``.
            perturbations: what is changed about every episode.
            carried: the axes that this environment can apply.
            max_episode_steps: after which the episode is truncated.
            render_mode: None or "rgb_array".

        Raises:
            MissingDependencyError: the simulator is not installed; says how to.
            UnknownNameError: no such camera or render profile.
            ConfigError: another control, or a perturbation that is not carried.
        """
        self._label = label
        self._installation = find_installation(self.simulator)
        if control not in self.controls:
            allowed = " or ".join(map(repr, self.controls))
            raise ConfigError(f"control must be {allowed} in {label}, not {control!r}.")
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"render_mode must be None or 'rgb_array', not {render_mode!r}.")
        if render_profile not in self.render_profiles:
            raise UnknownNameError("render profile", render_profile, self.render_profiles)
        if max_episode_steps < 1:
            raise ConfigError(f"max_episode_steps must be at least 1, not {max_episode_steps}.")
        self.control: Control = control
        self.cameras = tuple(cameras)
        self._check_cameras(self.cameras)
        self.render_profile = render_profile
        self.composition = Composition.of(perturbations)
        self.composition.check_carried(label, tuple(carried))
        self.max_episode_steps = max_episode_steps
        self.render_mode = render_mode
        self._host: Host | None = None
        self._begun = False
        self._num_steps = 0
        self._stages: dict[str, bool] = {}
        self.drawn: dict[str, Parameters] = {}

    @abstractmethod
    def _open(self, host: Host) -> None:
        """Builds the simulator in a host that has just started."""

    @abstractmethod
    def rest_action(self) -> Float32[np.ndarray, " A"]:
        """The action that leaves the arms where they were when the episode began."""

    @property
    def installation(self) -> Installation:
        """The simulator's environment."""
        return self._installation

    @property
    def host(self) -> Host:
        """The simulator's process; a process that has none yet, such as a fork, starts its own.

        Raises:
            SimulatorError: it does not start.
        """
        if self._host is None or self._host.owner_pid != os.getpid():
            self._host = Host(
                self._label,
                self.factory,
                python=self._installation.python,
                expected=self.simulator.versions,
                mend=f"Run: {install_command(self.simulator.name)} --again",
            )
            self._open(self._host)
        return self._host

    def _spaces(
        self,
        sizes: Mapping[str, tuple[int, int]],
        proprio_dim: int,
        low: Sequence[float],
        high: Sequence[float],
    ) -> None:
        """Sets the spaces.

        Args:
            sizes: camera -> (H, W).
            proprio_dim: numbers of ``agent_pos``.
            low: of each number of an action [A].
            high: the same.
        """
        if min(min(size) for size in sizes.values()) < 1:
            raise ConfigError(f"image_size must be positive, not {sizes}.")
        pictures: dict[str, gym.Space[Any]] = {
            camera: gym.spaces.Box(0, 255, (*sizes[camera], 3), np.uint8) for camera in self.cameras
        }
        self.observation_space = gym.spaces.Dict(
            {
                "pixels": gym.spaces.Dict(pictures),
                "agent_pos": gym.spaces.Box(-10.0, 10.0, (proprio_dim,), np.float32),
            }
        )
        self._action_dim = len(low)
        self.action_space = gym.spaces.Box(np.array(low, np.float32), np.array(high, np.float32))

    def _begin(self, episode: int) -> tuple[Observation, dict[str, Any]]:
        """Begins the episode that the host has laid out, and looks.

        Args:
            episode: what its sensors and actions draw from.
        """
        self._sensors = Sensors(self.composition, episode)
        self._channel = None
        if self.composition.active("actions"):
            self._channel = ActionChannel(
                self.composition, episode, rest=self.rest_action(), noise=self.action_noise
            )
        self._num_steps, self._begun = 0, True
        return self._observe(), self._info(success=False)

    def step(self, action: Float32[np.ndarray, " A"]) -> Step:
        """One control step.

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
        self, actions: Iterator[Float32[np.ndarray, " A"]], max_steps: int | None = None
    ) -> tuple[Float32[np.ndarray, "T A"], Step]:
        """Steps actions that are drawn one at a time, so that an expert reads the live state.

        Args:
            actions: such as an expert's.
            max_steps: how many are drawn at most; None goes on until the episode or they end.

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

    def _check_begun(self) -> None:
        if not self._begun:
            raise gym.error.ResetNeeded("call reset() before step().")

    def _advance(self, actions: np.ndarray) -> tuple[bool, bool]:
        """Steps actions and returns whether the last state is a success, and a failure."""
        actions = actions[: max(1, self.max_episode_steps - self._num_steps)]
        if self._channel is not None:
            actions = np.stack([self._channel.step(action) for action in actions])
        done = self.host.call("advance", actions=actions)
        self._num_steps += done["steps"]
        self._stages = done["stages"]
        self._note(done)
        return done["success"], done["failed"]

    def _note(self, done: dict[str, Any]) -> None:
        """Keeps what else the host's ``advance`` said."""

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
        return None if self.render_mode is None else self.look((self.primary,))[self.primary]

    def expert(self, rng: np.random.Generator) -> Iterator[Float32[np.ndarray, " A"]]:
        """Actions of the task's scripted expert, one for each control step.

        It lives in the host and reads the live state there.

        Args:
            rng: varies its speed and paths.

        Raises:
            ConfigError: the task has none.
        """
        self.host.call("begin_expert", seed=int(rng.integers(2**62)))
        while (action := self.host.call("next_action")) is not None:
            yield action

    def state(self) -> dict[str, np.ndarray]:
        """Positions and velocities of all joints, for tests and for comparisons."""
        return self.host.call("state")

    def close(self) -> None:
        """Ends the host; may be called twice."""
        if self._host is not None:
            self._host.close()
            self._host = None
