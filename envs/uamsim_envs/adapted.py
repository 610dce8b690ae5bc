"""Any Gymnasium environment with pictures and an instruction, as one of ours."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import gymnasium as gym
import numpy as np
from jaxtyping import Float32

from uamsim.adapter import Adapter, find
from uamsim.contract import CONTROL_HZ, Control, Observation
from uamsim.errors import ConfigError
from uamsim.perturbations.axes.actions import ACTIONS
from uamsim.perturbations.axes.sensors import SENSORS
from uamsim.perturbations.language.free import FreeLanguage
from uamsim.worlds import ActionSizes, EnvironmentEntry, WorldSpec, find_spec
from uamsim_envs.env import BaseEnv, Settings

SAID = ("instruction", "task_description")
SUCCESS = ("is_success", "success")
NOISE = 0.01
"""Standard deviation of ``ActionNoise`` for each severity, as a share of an action's range."""


class AdaptedEnv(BaseEnv):
    """An environment that knows nothing of uamsim, read through an ``Adapter``.

    Perturbations of sensors and actions, and of language as far as ``FreeLanguage`` has them, act
    on what goes in and comes out.

    Attributes:
        world_spec: what it says of itself.
    """

    def __init__(
        self, *, adapts: str, adapter: Mapping[str, Any], **settings: Unpack[Settings]
    ) -> None:
        """Makes the environment and looks at one episode's beginning.

        Args:
            adapts: its id, with its package.
            adapter: of ``Adapter.to_json``.
            settings: see ``Settings``.

        Raises:
            ConfigError: it does not have what the adapter names, or is of another kind.
            UamsimError: as ``find_spec`` and ``BaseEnv``.
        """
        self.adapter, self.label = Adapter.from_json(adapter), adapts
        spec = copy.deepcopy(find_spec(adapts))
        self.time_limit = self.adapter.max_steps or spec.max_episode_steps or 0
        if not self.time_limit:
            raise ConfigError(
                f"{adapts} is registered without a limit of steps, so that an episode might never "
                "end; say --adapter.max-steps."
            )
        # This class counts steps itself.
        spec.max_episode_steps = None
        try:
            self._inner = gym.make(spec, disable_env_checker=True, **self.adapter.arguments)
        except TypeError as error:
            raise ConfigError(f"{adapts} cannot be made so: {error}.") from error
        sentences = self.adapter.sentences
        self._words = FreeLanguage(Path(sentences) if sentences else None, self.adapter.section)
        self.carried = (*SENSORS, *ACTIONS, *self._words.carried)
        self._seen, self._told = self._inner.reset(seed=0)
        self._cameras = self._find_cameras()
        self.picture_sizes = {name: self._picture(name).shape[:2] for name in self._cameras}
        self._find_instruction()
        self.world_spec = self._describe()
        low, high = (np.array(bound) for bound in self._action_bounds())
        span = np.where(np.isfinite(high - low), high - low, 2.0)
        self.action_noise = (NOISE * span).astype(np.float32)
        super().__init__(**settings)
        self._history: dict[int, tuple[dict[str, np.ndarray], np.ndarray]] = {}

    def _find_cameras(self) -> dict[str, str]:
        """Name -> path of each camera."""
        words = self.adapter.camera
        if not words:
            pixels = find(self._seen, "pixels", f"the observation of {self.label}")
            inside = isinstance(pixels, Mapping)
            words = tuple(f"pixels.{name}" for name in pixels) if inside else ("primary=pixels",)
        named = (word.rpartition("=") for word in words)
        return {name or path.rpartition(".")[2]: path for name, _, path in named}

    def _describe(self) -> WorldSpec:
        actions = self._inner.action_space
        if not isinstance(actions, gym.spaces.Box) or len(actions.shape) != 1:
            raise ConfigError(f"{self.label} must take actions of a 1-D Box, not {actions}.")
        dim, proprio = actions.shape[0], len(self._state())
        usual: Control = "joint" if dim == proprio else "relative"
        bounds = zip(*self._action_bounds(), strict=True)
        places = [(low, high) if np.isfinite(high - low) else (-1, 1) for low, high in bounds]
        sizes = ActionSizes(
            action_dim=dim,
            proprio_dim=proprio,
            gripper_dims=(),
            places=tuple(places),
        )
        package, _, name = self.label.rpartition(":")
        fps = self.adapter.control_hz or self._inner.metadata.get("render_fps") or CONTROL_HZ
        return WorldSpec(
            name=name.partition("/")[0],
            package=package,
            environments=(EnvironmentEntry(id=name, entry_point=f"{__name__}:AdaptedEnv"),),
            controls={self.adapter.control or usual: sizes},
            control_hz=int(fps),
            cameras=tuple(self._cameras),
            views=tuple(self._cameras),
            render_profiles=("default",),
            fine_profile="default",
            has_expert=False,
        )

    def _action_bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        space = self._inner.action_space
        assert isinstance(space, gym.spaces.Box)
        return space.low.tolist(), space.high.tolist()

    # What the environment shows and says.

    def _picture(self, camera: str) -> np.ndarray:
        path = self._cameras[camera]
        if path == "render":
            picture = self._inner.render()
        else:
            picture = find(self._seen, path, f"the observation of {self.label}")
        array = np.asarray(picture)
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
            raise ConfigError(
                f"camera {camera!r} of {self.label} must give uint8 [H, W, 3], got {array.dtype} "
                f"{list(array.shape)}; see --adapter.camera"
                + (", and --adapter.make render_mode=rgb_array." if path == "render" else ".")
            )
        return array

    def _pictures(self, cameras: Sequence[str]) -> dict[str, np.ndarray]:
        """Of now, in the sizes that are asked for."""
        import cv2  # takes long to load, and a foreign environment is seldom made

        found = {}
        for camera in cameras:
            picture, (height, width) = self._picture(camera), self.image_sizes[camera]
            if picture.shape[:2] != (height, width):
                picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
            found[camera] = np.array(picture)
        return found

    def _state(self) -> np.ndarray:
        parts = [
            np.ravel(find(self._seen, path, f"the observation of {self.label}"))
            for path in self.adapter.state
        ]
        return np.concatenate(parts).astype(np.float32)

    def _find_instruction(self) -> str:
        word = self.adapter.instruction
        if word.startswith("info."):
            return str(find(self._told, word.removeprefix("info."), f"info of {self.label}"))
        if word:
            return word
        for name in SAID:
            said = self._told.get(name) or getattr(self._inner.unwrapped, name, None)
            if said:
                return str(said)
        raise ConfigError(
            f"{self.label} does not say what is asked for: neither info nor the environment has "
            f"{' or '.join(SAID)}. Say --adapter.instruction with the sentence, or info.KEY; info "
            f"has {', '.join(self._told) or 'nothing'}."
        )

    def _succeeds(self, reward: float, terminated: bool) -> bool:
        rule = self.adapter.success
        if rule == "terminated":
            return terminated
        if rule.startswith("reward>="):
            return reward >= float(rule.removeprefix("reward>="))
        known = [name for name in SUCCESS if name in self._told]
        if not rule and not known:
            raise ConfigError(
                f"{self.label} does not say whether an episode succeeded: info has no "
                f"{' and no '.join(SUCCESS)}. Say --adapter.success with a path in info, "
                f"terminated, or reward>=NUMBER; info has {', '.join(self._told) or 'nothing'}."
            )
        return bool(find(self._told, rule or known[0], f"info of {self.label}"))

    # The episode.

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Lays out a new episode: the environment's own of this seed."""
        super().reset(seed=seed)
        episode = self._episode_seed()
        words = np.random.default_rng([episode, 1])
        self._seen, self._told = self._inner.reset(seed=seed, options=options)
        self._history = {}
        self.task = self.label.rpartition("/")[2].rpartition(":")[2]
        self._instruction = self._words.say(self._find_instruction(), words, self.composition)
        self._stages = {"done": False}
        self._rest = self._state()
        return self._begin_episode(episode)

    def rest_action(self) -> Float32[np.ndarray, " A"]:
        """Where it is, as a target; or no movement."""
        size = self._action_dim
        return np.zeros(size, np.float32) if self.control == "relative" else self._rest.copy()

    def _advance(self, actions: Float32[np.ndarray, "T A"]) -> tuple[bool, bool]:
        success = ended = False
        space = self._inner.action_space
        assert isinstance(space, gym.spaces.Box)
        for action in actions:
            if self._sensors.looks_back:
                self._remember()
            carried = np.clip(self._carried_out(action), space.low, space.high).astype(space.dtype)
            self._seen, reward, terminated, truncated, self._told = self._inner.step(carried)
            self._num_steps += 1
            success = self._succeeds(float(reward), terminated)
            ended = terminated or truncated
            if success or ended or self._num_steps >= self.max_episode_steps:
                break
        self._stages = {"done": success}
        return success, ended and not success

    def _remember(self) -> None:
        if self._num_steps not in self._history:
            self._history[self._num_steps] = self._pictures(self.all_cameras), self._state()

    def _look(
        self, cameras: tuple[str, ...], picture_step: int, proprio_step: int
    ) -> tuple[dict[str, np.ndarray], Float32[np.ndarray, " P"]]:
        if not self._sensors.looks_back:
            return self._pictures(cameras), self._state()
        self._remember()
        for old in [step for step in self._history if step < min(picture_step, proprio_step)]:
            del self._history[old]
        pictures = self._history[picture_step][0]
        return {camera: pictures[camera] for camera in cameras}, self._history[proprio_step][1]

    def close(self) -> None:
        """Closes the environment inside."""
        self._inner.close()
