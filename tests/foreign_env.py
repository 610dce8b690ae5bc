"""An environment that knows nothing of uamsim, with gym-aloha's observation and info."""

from typing import Any

import gymnasium as gym
import numpy as np

PUSH_ID = "foreign_env:foreign/Push-v0"


class PushEnv(gym.Env):
    """Move a white point onto a red square; an action is a place, 0.1 a step at most."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012

    def __init__(
        self, obs_type: str = "pixels", render_mode: str | None = None, says: str = ""
    ) -> None:
        self.render_mode, self._says, self._obs_type = render_mode, says, obs_type
        self.action_space = gym.spaces.Box(-1.0, 1.0, (2,))
        self.observation_space = gym.spaces.Dict()  # of no use to who reads it

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self._at, self._goal = np.zeros(2), self.np_random.uniform(-0.8, 0.8, 2)
        return self._observe(), self._info(False)

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        way = action - self._at
        self._at = self._at + way * min(1.0, 0.1 / max(float(np.linalg.norm(way)), 1e-9))
        reached = bool(np.linalg.norm(self._at - self._goal) < 0.15)
        return self._observe(), 4.0 * reached, reached, False, self._info(reached)

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        if self.render_mode is None:
            return None
        picture = np.full((40, 60, 3), 90, np.uint8)
        for place, colour, radius in (
            (self._goal, (250, 0, 0), 4),
            (self._at, (255, 255, 255), 1),
        ):
            row, column = round((1 - place[1]) / 2 * 39), round((place[0] + 1) / 2 * 59)
            rows = slice(max(0, row - radius), row + radius + 1)
            picture[rows, max(0, column - radius) : column + radius + 1] = colour
        return picture

    def _info(self, reached: bool) -> dict[str, Any]:
        return {"is_success": reached} | ({"says": self._says} if self._says else {})

    def _observe(self) -> dict[str, Any]:
        if self._obs_type == "pixels":
            return {"top": self.render()}
        pixels = {"top": self.render(), "low": np.zeros((8, 8, 3), np.uint8)}
        return {"pixels": pixels, "agent_pos": self._at.copy()}


gym.register(id="foreign/Push-v0", entry_point="foreign_env:PushEnv", max_episode_steps=30)
gym.register(id="foreign/Endless-v0", entry_point="foreign_env:PushEnv")
