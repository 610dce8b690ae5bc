"""What every environment of this package has in common, whatever simulates it."""

import copy
import itertools
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypedDict

import gymnasium as gym
import numpy as np
from jaxtyping import Float32

from uamsim.contract import CONTROL_HZ, Control, Goal, Observation, SceneFacts
from uamsim.errors import ConfigError, InvalidActionError, UnknownNameError
from uamsim.perturbations.axes.actions import ActionChannel
from uamsim.perturbations.axes.sensors import Sensors
from uamsim.perturbations.language.language import Language
from uamsim.perturbations.values import Composition, Parameters, Perturbation
from uamsim.simulated import SimulatedEnv, Step
from uamsim.worlds import WorldSpec


class Settings(TypedDict, total=False):
    """What every environment can be made with; what is left out or None is the world's own.

    Attributes:
        control: what actions are; the world's first.
        cameras: names of the pictures in an observation.
        image_size: (H, W) of every picture.
        render_profile: how pictures are drawn; the world's first.
        perturbations: what is changed about every episode.
        max_episode_steps: control steps after which an episode is truncated. ``gymnasium.make``
            keeps an argument of this name for its own wrapper, which does not see ``step_chunk``:
            put it into ``kwargs`` of the spec that is made.
        render_mode: None or "rgb_array".
        fps: actions a second that ``step`` and ``step_chunk`` are given, each held until the next:
            that of a dataset, to step its actions one by one. None takes the world's own.
    """

    control: Control | None
    cameras: Sequence[str] | None
    image_size: tuple[int, int] | None
    render_profile: str | None
    perturbations: Sequence[Perturbation]
    max_episode_steps: int | None
    render_mode: str | None
    fps: int | None


class BaseEnv(SimulatedEnv):
    """Checks what it is given, steps and looks, and says what an episode is.

    A world says the first group of attributes on its class, or in its constructor before this one
    is called. It lays out an episode in ``reset``, which ends with ``_begin_episode``; steps its
    simulator in ``_advance`` and looks at it in ``_look``. An episode depends on its seed alone,
    not on earlier episodes.

    Attributes:
        world_spec: the world's controls, cameras and render profiles.
        language: what its goals are said and read in; None leaves both to a subclass.
        label: what messages call the environment; by default its class.
        picture_sizes: camera -> its (H, W) where no ``image_size`` is given.
        default_cameras: those in an observation where none are named; () takes all.
        carried: the axes that this environment can apply.
        time_limit: the usual ``max_episode_steps``.
        action_noise: of one severity of ``ActionNoise``, in the actions' units [A].

        control: what actions are.
        cameras: names of the pictures in an observation.
        image_sizes: camera -> (H, W).
        render_profile: how pictures are drawn.
        max_episode_steps: control steps after which an episode is truncated.
        held_for: control steps that each given action is held for.
        composition: the perturbations of every episode.
        task: name of the present episode's.
        drawn: what the present episode drew of its perturbations, type name -> parameters.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - an instance variable in gym.Env
        "render_modes": ["rgb_array"],
        "render_fps": CONTROL_HZ,
    }
    world_spec: WorldSpec
    language: ClassVar[Language | None] = None
    label: str = ""
    picture_sizes: Mapping[str, tuple[int, int]]
    default_cameras: tuple[str, ...] = ()
    carried: tuple[type[Perturbation], ...] = ()
    time_limit: int
    action_noise: Float32[np.ndarray, " A"]
    task: str
    _goal: Goal | None
    _channel: ActionChannel | None

    def __init__(
        self,
        *,
        control: Control | None = None,
        cameras: Sequence[str] | None = None,
        image_size: tuple[int, int] | None = None,
        render_profile: str | None = None,
        perturbations: Sequence[Perturbation] = (),
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        fps: int | None = None,
    ) -> None:
        """Checks the settings, see ``Settings``, and makes the spaces.

        Raises:
            UnknownNameError: no such camera or render profile.
            ConfigError: another control, render mode, size, rate or number of steps than there can
                be, or a perturbation that is not carried.
        """
        spec = self.world_spec
        self.label = self.label or type(self).__name__
        control = spec.control if control is None else control
        if control not in spec.controls:
            allowed = " or ".join(map(repr, spec.controls))
            raise ConfigError(f"control must be {allowed} in {self.label}, not {control!r}.")
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"render_mode must be None or 'rgb_array', not {render_mode!r}.")
        profile = spec.render_profile if render_profile is None else render_profile
        if profile not in spec.render_profiles:
            raise UnknownNameError("render profile", profile, spec.render_profiles)
        steps = self.time_limit if max_episode_steps is None else max_episode_steps
        if steps < 1:
            raise ConfigError(f"max_episode_steps must be at least 1, not {steps}.")
        if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
            raise ConfigError(f"image_size must be (height, width) in pixels, not {image_size}.")
        self.control, self.render_profile, self.max_episode_steps = control, profile, steps
        self.render_mode, self.timed = render_mode, spec.control_hz is not None
        frames = spec.control_hz or spec.demonstrations.fps
        if fps is not None:
            spec.check_fps(control, fps)
        self.held_for = 1 if fps is None or not self.timed else frames // fps
        self.metadata = self.metadata | {"render_fps": frames // self.held_for}
        self.all_cameras = tuple(self.picture_sizes)
        usual = self.default_cameras or self.all_cameras
        self.cameras = usual if cameras is None else tuple(cameras)
        self._check_cameras(self.cameras)
        self.image_sizes = {c: image_size or own for c, own in self.picture_sizes.items()}
        self.composition = Composition.of(perturbations)
        self.composition.check_carried(self.label, self.carried)
        self._make_spaces()
        self.drawn: dict[str, Parameters] = {}
        self._begun, self._num_steps = False, 0
        self._instruction, self._goal = "", None
        self._stages: dict[str, bool] = {}
        self._facts = SceneFacts(things=())
        self._sensors, self._channel = Sensors(), None

    def _check_cameras(self, cameras: Sequence[str]) -> None:
        for camera in cameras:
            if camera not in self.all_cameras:
                raise UnknownNameError("camera", camera, self.all_cameras)

    def _make_spaces(self) -> None:
        pictures = {
            c: gym.spaces.Box(0, 255, (*self.image_sizes[c], 3), np.uint8) for c in self.cameras
        }
        proprio = gym.spaces.Box(-10.0, 10.0, (self.world_spec.sizes(self.control).proprio_dim,))
        self.observation_space = gym.spaces.Dict(
            {"pixels": gym.spaces.Dict({**pictures}), "agent_pos": proprio}
        )
        low, high = (np.array(bound, np.float32) for bound in self._action_bounds())
        self.action_space = gym.spaces.Box(low, high)
        self._action_dim = len(low)

    # What a world writes.

    @abstractmethod
    def _action_bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        """Lowest and highest of each number of an action [A]."""

    @abstractmethod
    def rest_action(self) -> Float32[np.ndarray, " A"]:
        """The action that leaves the arms where they were when the episode began."""

    @abstractmethod
    def _advance(self, actions: Float32[np.ndarray, "T A"]) -> tuple[bool, bool]:
        """Steps actions until the episode ends, at least one; keeps count and stages.

        Returns:
            Whether the last state is a success, and a failure that nothing can mend.
        """

    @abstractmethod
    def _look(
        self, cameras: tuple[str, ...], picture_step: int, proprio_step: int
    ) -> tuple[dict[str, np.ndarray], Float32[np.ndarray, " P"]]:
        """Pictures of one control step of this episode, and the measured state of another."""

    # The episode.

    def _episode_seed(self) -> int:
        """What sensors, actions and scene draw from; the generator of the layout stays as it is."""
        return int(copy.deepcopy(self.np_random).integers(2**62))

    def _begin_episode(self, episode: int) -> tuple[Observation, dict[str, Any]]:
        """Begins the episode that is laid out, and looks.

        Args:
            episode: what its sensors and actions draw from.
        """
        self._sensors, self._channel = Sensors(self.composition, episode), None
        if self.composition.active("actions"):
            self._channel = ActionChannel(
                self.composition, episode, rest=self.rest_action(), noise=self.action_noise
            )
        self._num_steps, self._begun = 0, True
        return self._observe(), self._info(success=False)

    def _carried_out(self, action: Float32[np.ndarray, " A"]) -> Float32[np.ndarray, " A"]:
        """What becomes of an action on its way to the arms."""
        return action if self._channel is None else self._channel.step(action)

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
        actions = self._checked(actions)
        self._check_begun()
        return self._after(*self._advance(np.repeat(actions, self.held_for, axis=0)))

    def play(
        self, actions: Iterator[Float32[np.ndarray, " A"]], max_steps: int | None = None
    ) -> tuple[Float32[np.ndarray, "T A"], Step]:
        """Steps actions that are drawn one at a time, and looks once, at the end.

        Args:
            actions: such as an expert's, one a control step whatever ``fps`` is.
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
            checked = self._checked(np.asarray(action)[None])
            taken.append(checked[0])
            ended = self._advance(checked)
            if any(ended) or self._num_steps >= self.max_episode_steps:
                break
        stepped = np.array(taken, np.float32).reshape(-1, self._action_dim)
        return stepped, self._after(*ended)

    def _checked(self, actions: Any) -> Float32[np.ndarray, "T A"]:
        """A chunk of actions that may be stepped."""
        array, dim = np.asarray(actions), self._action_dim
        expected = f"actions of shape [T, {dim}] (T >= 1) with finite numbers"
        if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] != dim:
            raise InvalidActionError(
                f"expected {expected}, got shape {list(array.shape)} of {array.dtype}."
            )
        if len(array) == 0:
            raise InvalidActionError(f"expected {expected}, got no action.")
        if not np.isfinite(array).all():
            step, index = (int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise InvalidActionError(
                f"expected {expected}, got {array[step, index]} at step {step}, index {index}."
            )
        return array.astype(np.float32)

    def _check_begun(self) -> None:
        if not self._begun:
            raise gym.error.ResetNeeded("call reset() before step().")

    def _after(self, success: bool, failed: bool) -> Step:
        terminated = success or failed
        truncated = not terminated and self._num_steps >= self.max_episode_steps
        info = self._info(success=success)
        return self._observe(), float(success), terminated, truncated, info

    # What it shows and says.

    def _observe(self) -> Observation:
        pixels, agent_pos = self._sense(self.cameras)
        return Observation(pixels=pixels, agent_pos=agent_pos)

    def _sense(self, cameras: tuple[str, ...]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        sensors, now = self._sensors, self._num_steps
        step = sensors.picture_step(now)
        pictures, agent_pos = self._look(cameras, step, sensors.proprio_step(now))
        sizes = self.image_sizes
        return {c: sensors.see(p, c, step, sizes[c]) for c, p in pictures.items()}, agent_pos

    def look(self, cameras: Sequence[str]) -> dict[str, np.ndarray]:
        """What any of the world's cameras gives now, uint8 [H, W, 3] each.

        Raises:
            UnknownNameError: no such camera.
        """
        self._check_cameras(cameras)
        return self._sense(tuple(cameras))[0]

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """The first camera's picture, uint8 [H, W, 3], with ``render_mode="rgb_array"``."""
        if self.render_mode is None:
            return None
        camera = self.all_cameras[0]
        return self.look((camera,))[camera]

    def other_instruction(self, rng: np.random.Generator) -> str | None:
        """See ``SimulatedEnv.other_instruction``."""
        if self.language is None or self._goal is None:
            return None
        return self.language.say_other(self._goal, self._facts, self.composition, rng)

    def reads_back(self) -> bool | None:
        """See ``SimulatedEnv.reads_back``."""
        if self.language is None or self._goal is None:
            return None
        return self.language.means(self._instruction, self._goal, self._facts)

    # LeRobot's evaluation asks vectors of environments for these two.

    @property
    def task_description(self) -> str:
        """The present instruction."""
        return self._instruction

    @property
    def _max_episode_steps(self) -> int:
        """Given actions after which an episode is truncated."""
        return -(-self.max_episode_steps // self.held_for)

    def _info(self, *, success: bool) -> dict[str, Any]:
        return {
            "is_success": success,
            "instruction": self._instruction,
            "task_description": self._instruction,
            "_max_episode_steps": self._max_episode_steps,
            "task": self.task,
            "stages": dict(self._stages),
            "goal": self._goal,
            "scene": self._facts,
            "num_steps": -(-self._num_steps // self.held_for),
            "perturbations": copy.deepcopy(self.drawn),
        }
