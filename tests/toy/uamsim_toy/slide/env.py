"""The world's one environment."""

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Float32, UInt8

from uamsim.contract import Control, Goal, Observation, SceneFacts, SceneThing, Thing
from uamsim.errors import InvalidActionError
from uamsim.perturbations.axes.actions import ACTIONS, ActionChannel
from uamsim.perturbations.axes.sensors import ImageBlur, ImageNoise, Sensors
from uamsim.perturbations.language.language import Language
from uamsim.perturbations.language.sentences import read_sentences
from uamsim.perturbations.language.wording import Chinese, CodeMix, Pinyin
from uamsim.perturbations.values import Composition, Perturbation
from uamsim.simulated import SimulatedEnv, Step
from uamsim_toy.slide.registration import WORLD

LANGUAGE = Language(read_sentences(Path(__file__).with_name("sentences.txt")))
RGB = {"red": (230, 30, 30), "blue": (30, 30, 230)}
SPEED, REACH = 0.04, 0.12
CARRIED = (ImageBlur, ImageNoise, *ACTIONS, Chinese, CodeMix, Pinyin)


class SlideEnv(SimulatedEnv):
    """Slide onto the named one of two cubes on a board [-1, 1]^2, and close there.

    An action is a place to slide to, ``SPEED`` a step at most, and an opening from 1 to 0.
    ``agent_pos`` is both as they are.
    """

    metadata = {"render_modes": [], "render_fps": WORLD.control_hz}  # noqa: RUF012
    all_cameras = WORLD.cameras

    def __init__(
        self,
        *,
        control: Control = WORLD.control,
        cameras: Sequence[str] = WORLD.cameras,
        image_size: tuple[int, int] = (48, 64),
        render_profile: str = WORLD.render_profile,
        perturbations: Sequence[Perturbation] = (),
        max_episode_steps: int = 100,
    ) -> None:
        WORLD.sizes(control)
        WORLD.check_pictures(cameras, render_profile)
        self.control, self.render_profile = control, render_profile
        self._cameras, self._size = tuple(cameras), image_size
        self.composition = Composition.of(perturbations)
        self.composition.check_carried("Slide", CARRIED)
        self.max_episode_steps = max_episode_steps
        picture = gym.spaces.Box(0, 255, (*image_size, 3), np.uint8)
        self.observation_space = gym.spaces.Dict(
            {
                "pixels": gym.spaces.Dict(dict.fromkeys(self._cameras, picture)),
                "agent_pos": gym.spaces.Box(-1.0, 1.0, (3,), np.float32),
            }
        )
        self.action_space = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Lays two cubes out, one on each side."""
        super().reset(seed=seed)
        rng = self.np_random
        episode = int(copy.deepcopy(rng).integers(2**62))
        self._cubes = {
            colour: rng.uniform((0.3, -0.8), 0.8) * (side, 1)
            for colour, side in zip(rng.permutation(list(RGB)).tolist(), (-1, 1), strict=True)
        }
        self._named = str(rng.choice(list(RGB)))
        self._goal = Goal(task="slide", thing=Thing(category="cube", colour=self._named))
        self._scene = SceneFacts(
            things=tuple(
                SceneThing(category="cube", colour=colour, pos_world=(float(x), float(y), 0.0))
                for colour, (x, y) in self._cubes.items()
            )
        )
        self._instruction = LANGUAGE.say(
            self._goal, rng=rng, wording=self.composition, scene=self._scene
        )
        self._sensors = Sensors(self.composition, episode)
        noise = np.full(3, 0.01, np.float32)
        rest = np.array([0.0, 0.0, 1.0], np.float32)
        self._channel = ActionChannel(self.composition, episode, rest=rest, noise=noise)
        self._place, self._opening, self._steps = np.zeros(2, np.float32), 1.0, 0
        return self._observe(), self._info(success=False)

    def step(self, action: Float32[np.ndarray, "3"]) -> Step:
        """One control step; closing on the wrong cube ends the episode."""
        if np.shape(action) != (3,) or not np.isfinite(action).all():
            raise InvalidActionError(f"expected 3 finite numbers, got {action!r}.")
        done = self._channel.step(np.asarray(action, np.float32))
        way = np.clip(done[:2], -1, 1) - self._place
        self._place += way * min(1.0, SPEED / max(float(np.linalg.norm(way)), 1e-9))
        self._opening = float(np.clip(done[2], 0, 1))
        self._steps += 1
        here = {c for c, at in self._cubes.items() if np.linalg.norm(at - self._place) < REACH}
        closed = bool(here) and self._opening < 0.5
        success = closed and self._named in here
        truncated = not closed and self._steps >= self.max_episode_steps
        return self._observe(), float(success), closed, truncated, self._info(success=success)

    def expert(self, rng: np.random.Generator) -> Iterator[Float32[np.ndarray, "3"]]:
        """Goes there straight, then closes."""
        at = self._cubes[self._named] + rng.normal(0, 0.01, 2)
        while True:
            near = np.linalg.norm(at - self._place) < REACH / 2
            yield np.array([*at, 0.0 if near else 1.0], np.float32)

    def look(self, cameras: Sequence[str]) -> dict[str, UInt8[np.ndarray, "H W 3"]]:
        """The board from above, and in a mirror."""
        height, width = self._size
        picture = np.full((height, width, 3), 120, np.uint8)
        marks = [(place, RGB[colour], 3) for colour, place in self._cubes.items()]
        for (x, y), colour, radius in [*marks, (self._place, (250, 250, 250), 1)]:
            row, column = round((1 - y) / 2 * (height - 1)), round((x + 1) / 2 * (width - 1))
            rows = slice(max(0, row - radius), row + radius + 1)
            picture[rows, max(0, column - radius) : column + radius + 1] = colour
        if self.render_profile == "edged":
            picture[[0, -1]] = 0
        views = {"overhead": picture, "mirrored": picture[:, ::-1].copy()}
        return {c: self._sensors.see(views[c], c, self._steps, (height, width)) for c in cameras}

    def other_instruction(self, rng: np.random.Generator) -> str:
        """The other cube's, in the same words."""
        return LANGUAGE.say_other(self._goal, self._scene, self.composition, rng)

    def reads_back(self) -> bool:
        """Whether the instruction means the goal."""
        return LANGUAGE.means(self._instruction, self._goal, self._scene)

    def _observe(self) -> Observation:
        return {
            "pixels": self.look(self._cameras),
            "agent_pos": np.append(self._place, np.float32(self._opening)),
        }

    def _info(self, *, success: bool) -> dict[str, Any]:
        return {
            "is_success": success,
            "instruction": self._instruction,
            "task_description": self._instruction,
            "_max_episode_steps": self.max_episode_steps,
            "task": "slide",
            "stages": {"moved": bool(self._place.any()), "closed": success},
            "goal": self._goal,
            "scene": self._scene,
            "num_steps": self._steps,
            "perturbations": {},
        }
