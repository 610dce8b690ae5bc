"""Demonstrations of a world whose actions are movements, such as CALVIN's."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest

from uamsim.contract import Observation, steps_per_frame
from uamsim.data.config import DemonstrationConfig
from uamsim.data.demonstrations import collect_demonstrations
from uamsim.data.lerobot import LeRobotDataset
from uamsim.errors import ConfigError
from uamsim.orchestration.worlds.collect import CollectionRequest
from uamsim.simulated import SimulatedEnv

NUM_STEPS = 7


class Movements(SimulatedEnv):
    """Succeeds after a number of movements; the state is what was moved so far."""

    metadata = {"render_fps": 30}  # noqa: RUF012 - as gym.Env has it

    def __init__(self, *, control, cameras, image_size, render_profile):
        self.control, self.cameras, self.image_size = control, cameras, image_size
        self.observation_space = gym.spaces.Dict()
        self.action_space = gym.spaces.Box(-1, 1, (7,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state, self.steps = np.zeros(15, np.float32), 0
        return self.observe(), {"is_success": False, "instruction": "move"}

    def observe(self) -> Observation:
        picture = np.full((*self.image_size, 3), 30 * self.steps, np.uint8)
        return {"pixels": dict.fromkeys(self.cameras, picture), "agent_pos": self.state.copy()}

    def step_chunk(self, actions):
        for action in actions:
            self.state[:7] += action
            self.steps += 1
        done = self.steps >= NUM_STEPS
        return self.observe(), 0.0, done, False, {"is_success": done, "instruction": "move"}

    def expert(self, rng):
        for _ in range(NUM_STEPS):
            yield np.array([*rng.uniform(-1, 1, size=6), -1.0], np.float32)


@pytest.fixture
def config():
    if "uamsim/Movements-v0" not in gym.registry:
        gym.register(id="uamsim/Movements-v0", entry_point=lambda **kwargs: Movements(**kwargs))
    return DemonstrationConfig(
        env_ids=("uamsim/Movements-v0",),
        episodes_per_env=2,
        fps=30,
        cameras=("static", "gripper"),
        image_size=(16, 24),
        control="relative",
        render_profile="tiny",
    )


def test_every_movement_is_kept_and_none_follows_the_last(config, tmp_path):
    data = LeRobotDataset(collect_demonstrations(config, tmp_path / "data"))
    assert (data.control, data.fps, data.cameras) == ("relative", 30, ("static", "gripper"))
    assert data.state.shape == (2 * (NUM_STEPS + 1), 15)
    assert data.action.shape == (2 * (NUM_STEPS + 1), 7)
    first = slice(data.episode_start[0], data.episode_stop[0])
    moved = np.diff(data.state[first, :7], axis=0)
    np.testing.assert_allclose(moved, data.action[first][:-1], atol=1e-5)
    assert data.action[first][-1].tolist() == [0, 0, 0, 0, 0, 0, -1]


def test_movements_are_not_thinned_out(config, tmp_path):
    other = dataclasses.replace(config, fps=10)
    with pytest.raises(ConfigError, match="takes 30 movements a second"):
        collect_demonstrations(other, tmp_path / "data")
    assert steps_per_frame("relative", 30) == 1
    assert steps_per_frame("ee", 10) == 5
    with pytest.raises(ConfigError, match="fps must divide 50, not 30"):
        steps_per_frame("ee", 30)
    with pytest.raises(ConfigError, match="fps must divide 50, not 0"):
        steps_per_frame("relative", 0)


def test_a_world_has_its_own_defaults():
    request = CollectionRequest.of_world("calvin")
    assert (request.cameras, request.control, request.fps, request.render_profile) == (
        ("static", "gripper"),
        "relative",
        30,
        "tiny",
    )
    assert CollectionRequest.of_world("aloha") == CollectionRequest()
