"""A small environment that keeps the project's contract and checks what it is given.

Make it with ``gymnasium.make("uamsim.testing.envs:uamsim_testing/Reach-v0")``; importing this
module registers it, so that worker processes find it too.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from jaxtyping import Float32

from uamsim.contract import (
    ACTION_DIM,
    Control,
    Goal,
    Observation,
    SceneFacts,
    SceneThing,
    Thing,
    in_a_row,
)
from uamsim.errors import InvalidActionError, SceneError
from uamsim.perturbations.values import Perturbation
from uamsim.simulated import SimulatedEnv, Step

REACH_ID = "uamsim.testing.envs:uamsim_testing/Reach-v0"
CHAIN_ID = "uamsim.testing.envs:uamsim_testing/ReachChain-v0"
CHAIN_LENGTH = 3
RGB = {"red": (255, 0, 0), "blue": (0, 0, 255)}
SPEED = 0.04
TOLERANCE = 0.12
BLOCK = 3


class ReachEnv(SimulatedEnv):
    """Move the left gripper, a point in the square [-1, 1]^2, onto the named one of two blocks.

    Actions 0 and 1 are the place to move to, ``SPEED`` a step at most; the others only have to
    be finite. Reaching the wrong block ends the episode.
    """

    metadata = {"render_modes": [], "render_fps": 50}  # noqa: RUF012

    def __init__(
        self,
        *,
        control: Control = "ee",
        cameras: tuple[str, ...] = ("primary",),
        image_size: tuple[int, int] = (32, 48),
        render_profile: str = "fast",
        perturbations: tuple[Perturbation, ...] = (),
        max_episode_steps: int = 120,
    ) -> None:
        self.control, self.cameras, self.image_size = control, cameras, image_size
        self.render_profile, self.perturbations = render_profile, perturbations
        self.max_episode_steps = max_episode_steps
        picture = spaces.Box(0, 255, (*image_size, 3), np.uint8)
        self.observation_space = spaces.Dict(
            {
                "pixels": spaces.Dict({name: picture for name in cameras}),
                "agent_pos": spaces.Box(-np.inf, np.inf, (ACTION_DIM,), np.float32),
            }
        )
        self.action_space = spaces.Box(-np.inf, np.inf, (ACTION_DIM,), np.float32)
        self._blocks: dict[str, np.ndarray] = {}
        self._pos = np.zeros(ACTION_DIM, np.float32)
        self._named, self._steps, self._running = "red", 0, False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Two blocks, one on each side, and the centre as the start."""
        super().reset(seed=seed)
        self._lay_out()
        info = self._info() | {"goal": self._goal(), "scene": self._scene()}
        return self._observation(), info

    def _lay_out(self) -> None:
        rng = self.np_random
        colours = ["red", "blue"] if rng.uniform() < 0.5 else ["blue", "red"]
        self._blocks = {
            colour: np.array([side * rng.uniform(0.4, 0.85), rng.uniform(-0.85, 0.85)])
            for colour, side in zip(colours, (-1, 1), strict=True)
        }
        self._named = str(rng.choice(list(RGB)))
        self._pos = np.zeros(ACTION_DIM, np.float32)
        self._steps, self._running = 0, True

    def step(self, action: np.ndarray) -> Step:
        """One control step."""
        return self.step_chunk(action[None])

    def step_chunk(self, actions: Float32[np.ndarray, "T A"]) -> Step:
        """See ``SimulatedEnv.step_chunk``.

        Raises:
            InvalidActionError: not float32 [T >= 1, A], or not finite.
            SceneError: the episode has ended or not begun.
        """
        if not self._running:
            raise SceneError("the episode has ended or not begun; call reset first.")
        if actions.ndim != 2 or actions.shape[1] != ACTION_DIM or not len(actions):
            raise InvalidActionError(f"expected [T, {ACTION_DIM}] actions, got {actions.shape}.")
        if actions.dtype != np.float32 or not np.isfinite(actions).all():
            raise InvalidActionError(f"expected finite float32 actions, got {actions.dtype}.")
        reached, truncated = None, False
        for action in actions:
            move = action[:2] - self._pos[:2]
            length = float(np.linalg.norm(move))
            self._pos[:2] += move * min(1.0, SPEED / max(length, 1e-9))
            self._steps += 1
            reached = self._reached()
            truncated = self._steps >= self.max_episode_steps
            if reached is not None or truncated:
                self._running = False
                break
        success = reached == self._named
        terminated = reached is not None
        return self._observation(), float(success), terminated, truncated, self._info(success)

    def _reached(self) -> str | None:
        for colour, place in self._blocks.items():
            if np.linalg.norm(place - self._pos[:2]) < TOLERANCE:
                return colour
        return None

    def _observation(self) -> Observation:
        height, width = self.image_size
        picture = np.zeros((height, width, 3), np.uint8)
        for colour, (x, y) in self._blocks.items():
            row = round((1 - y) / 2 * (height - 1))
            column = round((x + 1) / 2 * (width - 1))
            rows = slice(max(0, row - BLOCK // 2), row + BLOCK // 2 + 1)
            picture[rows, max(0, column - BLOCK // 2) : column + BLOCK // 2 + 1] = RGB[colour]
        return {
            "pixels": {name: picture.copy() for name in self.cameras},
            "agent_pos": self._pos.copy(),
        }

    def _info(self, success: bool = False) -> dict[str, Any]:
        instruction = f"touch the {self._named} cube"
        return {
            "is_success": success,
            "instruction": instruction,
            "task_description": instruction,
            "_max_episode_steps": self.max_episode_steps,
            "num_steps": self._steps,
            "task": "reach",
            "stages": {"moved": bool(np.any(self._pos[:2])), "reached": success},
        }

    def _goal(self) -> Goal:
        return Goal(task="reach", thing=Thing(category="cube", colour=self._named))

    def other_instruction(self, rng: np.random.Generator) -> str:
        """See ``SimulatedEnv.other_instruction``; there is one other block."""
        return next(f"touch the {colour} cube" for colour in RGB if colour != self._named)

    def _scene(self) -> SceneFacts:
        return SceneFacts(
            things=tuple(
                SceneThing(category="cube", colour=colour, pos_world=(float(x), float(y), 0.0))
                for colour, (x, y) in self._blocks.items()
            )
        )


class ReachChainEnv(ReachEnv):
    """``CHAIN_LENGTH`` tasks of ``ReachEnv`` in a row, until one fails; the limit is of each."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """The first task."""
        self._done, self._steps_before = 0, 0
        return super().reset(seed=seed, options=options)

    def step_chunk(self, actions: Float32[np.ndarray, "T A"]) -> Step:
        """Goes on with the next task where one is done; drops what is left of the actions."""
        _, reward, terminated, truncated, info = super().step_chunk(actions)
        if info["is_success"]:
            self._done += 1
            if self._done < CHAIN_LENGTH:
                self._steps_before += self._steps
                self._lay_out()
                terminated = False
        info = self._info(self._done == CHAIN_LENGTH)
        return self._observation(), reward, terminated, truncated, info

    def _info(self, success: bool = False) -> dict[str, Any]:
        return super()._info(success) | {
            "_max_episode_steps": CHAIN_LENGTH * self.max_episode_steps,
            "num_steps": self._steps_before + self._steps,
            "task": "reach_chain",
            "stages": {in_a_row(i + 1): self._done > i for i in range(CHAIN_LENGTH)},
        }


gym.register(id="uamsim_testing/Reach-v0", entry_point="uamsim.testing.envs:ReachEnv")
gym.register(id="uamsim_testing/ReachChain-v0", entry_point="uamsim.testing.envs:ReachChainEnv")
