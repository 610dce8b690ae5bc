"""Demonstrations of a world whose actions take as long as they need, such as RoboTwin's."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest

from uamsim.contract import Observation, steps_per_frame
from uamsim.data.config import DemonstrationConfig
from uamsim.data.demonstrations import collect_demonstrations
from uamsim.data.lerobot import LeRobotDataset
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.orchestration.worlds.collect import CollectionRequest
from uamsim.simulated import SimulatedEnv
from uamsim.worlds import WORLDS, ActionSizes, DemonstrationDefaults, EnvironmentEntry, WorldSpec

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


WORLD = WorldSpec(
    name="targets",
    package="uamsim_targets",
    environments=(EnvironmentEntry(id="uamsim/Targets-v0", entry_point=""),),
    controls={"joint": ActionSizes()},
    control_hz=None,
    demonstrations=DemonstrationDefaults(cameras=("head",), fps=17),
    cameras=("head",),
    render_profiles=("raster",),
)


@pytest.fixture
def config(monkeypatch):
    if "uamsim/Targets-v0" not in gym.registry:
        gym.register(id="uamsim/Targets-v0", entry_point=lambda **kwargs: Targets(**kwargs))
    assert "targets" not in WORLDS
    monkeypatch.setitem(WORLDS._values, "targets", WORLD)
    return DemonstrationConfig(
        env_ids=("uamsim/Targets-v0",),
        episodes_per_env=1,
        fps=6,
        cameras=("head",),
        image_size=(16, 24),
        control="joint",
        render_profile="raster",
    )


@pytest.mark.parametrize(
    ("fps", "targets"), [(17, [1, 2, 3, 4, 5, 6, 7, 7]), (8, [2, 4, 6, 7, 7]), (6, [3, 6, 7, 7])]
)
def test_every_nth_target_is_kept(config, tmp_path, fps, targets):
    config = dataclasses.replace(config, fps=fps)
    data = LeRobotDataset(collect_demonstrations(config, tmp_path / "data"))
    assert data.action[:, 0].tolist() == targets
    assert data.state[:, 0].tolist() == [0, *targets[:-1]]
    assert (data.fps, data.control_hz) == (fps, None)
    # A policy of it gives these targets, and the simulator finds the way.
    assert steps_per_frame("joint", fps, None) == 1


def test_more_frames_than_actions_are_an_error(config):
    with pytest.raises(ConfigError, match="fps in targets must be at least 1 and at most 17"):
        dataclasses.replace(config, fps=50)


def test_a_world_that_says_what_its_environment_is_not_is_an_error(config, tmp_path, monkeypatch):
    monkeypatch.setattr(Targets, "timed", True)
    with pytest.raises(ConfigError, match=r"WorldSpec .* must say control_hz=17"):
        collect_demonstrations(config, tmp_path / "data")


def test_timed_and_untimed_worlds_are_recorded_apart(config, monkeypatch):
    timed = dataclasses.replace(WORLDS["targets"], name="timed", control_hz=17)
    entry = dataclasses.replace(timed.environments[0], id="uamsim/Timed-v0")
    timed = dataclasses.replace(timed, environments=(entry,))
    monkeypatch.setitem(WORLDS._values, "timed", timed)
    with pytest.raises(ConfigError, match="one after the other"):
        dataclasses.replace(config, env_ids=("uamsim/Targets-v0", "uamsim/Timed-v0"), fps=17)


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
    aloha = ["uamsim_envs:uamsim/AlohaPickPlace-v0"]
    with pytest.raises(UnknownNameError, match="camera of aloha 'head'"):
        request.to_config(aloha)
    with pytest.raises(ConfigError, match="fps in aloha must divide 50"):
        CollectionRequest(fps=17).to_config(aloha)
