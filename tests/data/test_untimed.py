"""Demonstrations of a world whose actions take as long as they need, such as RoboTwin's."""

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


class Targets(SimulatedEnv):
    """Succeeds at the last of the expert's targets; the state is the last target."""

    metadata = {"render_fps": 17}  # noqa: RUF012 - as gym.Env has it
    timed = False

    def __init__(self, *, control, cameras, image_size, render_profile):
        self.control, self.cameras, self.image_size = control, cameras, image_size
        self.observation_space = gym.spaces.Dict()
        self.action_space = gym.spaces.Box(-1, 1, (14,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = np.zeros(14, np.float32)
        return self.observe(), {"is_success": False, "instruction": "go"}

    def observe(self) -> Observation:
        picture = np.zeros((*self.image_size, 3), np.uint8)
        return {"pixels": dict.fromkeys(self.cameras, picture), "agent_pos": self.state.copy()}

    def step_chunk(self, actions):
        self.state = np.array(actions[-1], np.float32)
        done = bool(self.state[0] == NUM_STEPS)
        return self.observe(), 0.0, done, False, {"is_success": done, "instruction": "go"}

    def expert(self, rng):
        for step in range(NUM_STEPS):
            yield np.full(14, step + 1, np.float32)


@pytest.fixture
def config():
    if "uamsim/Targets-v0" not in gym.registry:
        gym.register(id="uamsim/Targets-v0", entry_point=lambda **kwargs: Targets(**kwargs))
    return DemonstrationConfig(
        env_ids=("uamsim/Targets-v0",),
        episodes_per_env=1,
        fps=6,
        cameras=("head",),
        image_size=(16, 24),
        control="joint",
        render_profile="raster",
        timed=False,
    )


@pytest.mark.parametrize(
    ("fps", "targets"), [(17, [1, 2, 3, 4, 5, 6, 7, 7]), (8, [2, 4, 6, 7, 7]), (6, [3, 6, 7, 7])]
)
def test_every_nth_target_is_kept(config, tmp_path, fps, targets):
    config = DemonstrationConfig(**{**vars(config), "fps": fps})
    data = LeRobotDataset(collect_demonstrations(config, tmp_path / "data"))
    assert data.action[:, 0].tolist() == targets
    assert data.state[:, 0].tolist() == [0, *targets[:-1]]
    assert (data.fps, data.timed) == (fps, False)
    # A policy of it gives these targets, and the simulator finds the way.
    assert steps_per_frame("joint", fps, timed=False) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timed": True, "fps": 10}, "set DemonstrationConfig.timed to False"),
        ({"fps": 50}, "expert has 17 actions a second; fps must not be more, not 50"),
    ],
)
def test_what_does_not_fit_the_world_is_an_error(config, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        collect_demonstrations(
            DemonstrationConfig(**{**vars(config), **changes}), tmp_path / "data"
        )


def test_robotwin_has_its_own_defaults():
    request = CollectionRequest.of_world("robotwin")
    made = request.to_config(["uamsim_envs:uamsim/RoboTwin-lift_pot-v0"])
    assert (made.cameras, made.control, made.fps, made.timed, made.seed0) == (
        ("head", "left", "right"),
        "joint",
        17,
        False,
        0,
    )
    with pytest.raises(ConfigError, match="--fps must divide 50"):
        request.to_config(["uamsim_envs:uamsim/AlohaPickPlace-v0"])
