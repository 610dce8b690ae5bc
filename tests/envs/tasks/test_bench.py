"""What holds for every task of the bench."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RecordVideo

from uamsim.errors import ConfigError
from uamsim.lexicon import noun_phrase
from uamsim.perturbations.axes.scene import Layout
from uamsim.perturbations.language.wording import Chinese, CodeMix, Pinyin, Reference
from uamsim.perturbations.values import Perturbation
from uamsim_envs.aloha.kinematics import MAX_JOINT_SPEED
from uamsim_envs.aloha.registration import WORLD
from uamsim_envs.aloha.task import TaskEnv

IDS = tuple(entry.id for entry in WORLD.environments if ".tasks." in entry.entry_point)
SMALL: dict[str, Any] = {"image_size": (32, 48), "cameras": ("primary",)}


@pytest.fixture(name="env", scope="module", params=IDS)
def _env(request: pytest.FixtureRequest) -> Iterator[TaskEnv]:
    env = gym.make(request.param, **SMALL).unwrapped
    assert isinstance(env, TaskEnv)
    yield env
    env.close()


def test_stages_are_those_it_names(env: TaskEnv) -> None:
    _, info = env.reset(seed=0)
    assert tuple(info["stages"]) == env.stage_names
    assert not any(info["stages"].values())
    assert info["task"] == env.task


def test_scenes_rest(env: TaskEnv) -> None:
    """Nothing falls, flies or sinks in before an arm has moved, and no finger touches a thing."""
    for seed in range(3):
        env.reset(seed=seed)
        deepest = min((c.dist for c in env.world.data.contact[: env.world.data.ncon]), default=0.0)
        assert deepest > -0.003
        _, _, terminated, _, info = env.step_chunk(
            np.tile(env.world.rest_action(env.control), (25, 1))
        )
        assert not terminated
        assert not any(info["stages"].values())


def test_the_expert_keeps_to_the_joints_speed(env: TaskEnv) -> None:
    env.reset(seed=1)
    joints = []
    for action in itertools.islice(env.expert(np.random.default_rng(1)), 200):
        env.world.command(action, env.control)
        env.world.step()
        env.world.update_positions()
        joints.append(np.concatenate([env.world.joints(0), env.world.joints(1)]))
    speed = np.abs(np.diff(joints, axis=0)).max() * 50
    assert 0.1 < speed < 1.05 * MAX_JOINT_SPEED


@pytest.mark.parametrize("tongue", [Chinese(), Pinyin(), CodeMix()])
def test_instructions_come_in_other_tongues(env: TaskEnv, tongue: Perturbation) -> None:
    _, info = env.reset(seed=0)
    other = type(env)(perturbations=[tongue], **SMALL)
    _, told = other.reset(seed=0)
    assert told["goal"] == info["goal"]
    assert told["instruction"] != info["instruction"]
    if tongue != CodeMix():
        assert told["instruction"].isascii() == (tongue == Pinyin())
    for text in (told["instruction"], info["instruction"]):
        assert "{" not in text
        assert "_" not in text
    other.close()


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_references_mean_the_goal(env: TaskEnv, severity: int) -> None:
    other = type(env)(perturbations=[Reference.at(severity)], **SMALL)
    for seed in range(5):
        _, told = other.reset(seed=seed)
        plain = noun_phrase(told["goal"].thing.category, told["goal"].thing.colour, "english")
        assert plain not in told["instruction"]
        assert other.reads_back(), told["instruction"]
    other.close()


def test_what_it_does_not_carry_is_an_error(env: TaskEnv) -> None:
    with pytest.raises(ConfigError, match="cannot carry Layout"):
        type(env)(perturbations=[Layout(severity=1)], **SMALL)


@pytest.mark.filterwarnings("ignore:.*Overwriting existing videos.*")
def test_record_video(tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    env = RecordVideo(
        gym.make(IDS[0], render_mode="rgb_array", **SMALL), str(tmp_path), disable_logger=True
    )
    env.reset(seed=0)
    for _ in range(3):
        env.step(env.action_space.sample())
    env.close()
    assert list(tmp_path.glob("*.mp4"))
