"""RoboTwin's tasks keep the project's contract, and are laid out and judged by RoboTwin."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from uamsim.errors import (
    ConfigError,
    RenderingUnavailableError,
    UnknownNameError,
)
from uamsim.perturbations.axes.objects import NovelPair
from uamsim.simulators import find_installation
from uamsim_envs.robotwin import language
from uamsim_envs.robotwin.env import RoboTwinEnv
from uamsim_envs.robotwin.instructions import draw_instruction, is_instruction
from uamsim_envs.robotwin.registration import PAPER_TASKS, SIMULATOR, TASKS
from uamsim_envs.robotwin.tasks import CHECKOUT, list_tasks, step_limit

sim = pytest.mark.sim("robotwin")
TASK = "stack_blocks_three"


def make_env(task: str = TASK, **kwargs: Any) -> RoboTwinEnv:
    spec = copy.deepcopy(gym.spec(f"uamsim/RoboTwin-{task}-v0"))
    spec.kwargs |= {"render_profile": "raster-shadowless", **kwargs}
    env = gym.make(spec, disable_env_checker=True).unwrapped
    assert isinstance(env, RoboTwinEnv)
    return env


@pytest.fixture(name="env", scope="module")
def _env() -> Iterator[RoboTwinEnv]:
    """Made once: a host takes seconds to start and to draw."""
    env = make_env()
    yield env
    env.close()


def make_descriptions(root: Path, unseen: list[str]) -> Path:
    folder = root / "description" / "task_instruction"
    folder.mkdir(parents=True)
    (folder / "lift.json").write_text(json.dumps({"seen": ["Lift {A}."], "unseen": unseen}))
    things = root / "description" / "objects_description" / "001_cup"
    things.mkdir(parents=True)
    (things / "base0.json").write_text(json.dumps({"seen": ["red cup"], "unseen": ["old cup"]}))
    return root


def test_a_sentence_names_all_things_and_all_arms_or_none(tmp_path: Path) -> None:
    root = make_descriptions(tmp_path, ["Take {A} with {a}.", "Take {A}.", "Take it.", "{A}, {B}"])
    named = {"{A}": "001_cup/base0", "{a}": "left"}
    drawn = {
        draw_instruction(root, "lift", named, sentences="unseen", rng=np.random.default_rng(i))
        for i in range(40)
    }
    assert drawn == {"Take the old cup with the left arm.", "Take the old cup."}
    seen = draw_instruction(root, "lift", named, sentences="seen", rng=np.random.default_rng(0))
    assert seen == "Lift the red cup."
    for text in drawn:
        assert is_instruction(text, root, "lift", named, sentences="unseen")
        assert not is_instruction(text, root, "lift", named, sentences="seen")
        assert not is_instruction(text, root, "lift", {"{A}": "it"}, sentences="unseen")


def test_no_sentence_is_an_error_and_not_the_task_s_name(tmp_path: Path) -> None:
    root = make_descriptions(tmp_path, ["Take {A} and {B}."])
    for named, message in (
        ({"{A}": "001_cup/base0"}, "no unseen sentence"),
        ({"{A}": "001_cup/base9", "{B}": "x"}, "base9.json cannot be read"),
    ):
        with pytest.raises(ConfigError, match=message):
            draw_instruction(root, "lift", named, sentences="unseen", rng=np.random.default_rng(0))


def test_every_id_is_registered() -> None:
    for name in ("RoboTwin", "RoboTwinClean", "RoboTwinRandomized"):
        for task in TASKS:
            assert f"uamsim/{name}-{task}-v0" in gym.registry
    assert len(PAPER_TASKS) == 17
    assert set(PAPER_TASKS) <= set(TASKS)


@sim
def test_ids_are_the_repository_s() -> None:
    checkout = find_installation(SIMULATOR).checkout(CHECKOUT)
    assert list_tasks(checkout) == TASKS
    assert step_limit(checkout, TASK) == 1200
    with pytest.raises(UnknownNameError, match=TASK):
        RoboTwinEnv(task="stack_block_three")
    with pytest.raises(ConfigError, match="no step limit for nothing"):
        step_limit(checkout, "nothing")


@sim
@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"config": "demo_cleen"}, UnknownNameError, "demo_clean"),
        ({"control": "relative"}, ConfigError, "'joint' or 'ee'"),
        ({"cameras": ("front",)}, UnknownNameError, "camera"),
        ({"perturbations": (NovelPair(),)}, ConfigError, "cannot carry NovelPair"),
        ({"task": "shake_bottle", "sentences": "own"}, UnknownNameError, "sentences of our own"),
    ],
)
def test_wrong_options_are_errors(
    kwargs: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_env(**kwargs)


@sim
def test_without_a_vulkan_device_the_error_names_the_doctor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("VK_ICD_FILENAMES", "VK_DRIVER_FILES"):
        monkeypatch.setenv(name, str(tmp_path / "none.json"))
    env = make_env()
    with pytest.raises(RenderingUnavailableError, match="uamsim doctor"):
        env.reset(seed=0)
    env.close()


@sim
def test_an_episode_shows_three_cameras_and_what_the_joints_measure(env: RoboTwinEnv) -> None:
    observation, info = env.reset(seed=3)
    assert {c: p.shape for c, p in observation["pixels"].items()} == dict.fromkeys(
        ("head", "left", "right"), (240, 320, 3)
    )
    assert observation["pixels"]["head"].std() > 5
    assert info["drive_targets"].shape == observation["agent_pos"].shape == (14,)
    # Gravity makes what is measured another than what is told, by little.
    assert 0 < np.abs(info["drive_targets"] - observation["agent_pos"]).max() < 0.1
    assert info["_max_episode_steps"] == 1200
    assert "red block" in info["instruction"]
    assert not info["comparable"]
    action = env.rest_action()
    action[0] += 0.1
    assert abs(env.step(action)[0]["agent_pos"][0] - action[0]) < 0.05
    for seed in range(20):
        other, _ = language.read(env.other_instruction(np.random.default_rng(seed)))
        assert other.task != env.task


@sim
def test_the_expert_s_own_paths_succeed(env: RoboTwinEnv) -> None:
    env.reset(seed=0)
    done = env.host.call("check_seed", seed=0)
    assert done["success"]
    assert done["info"]["{A}"] == "red block"
    assert done["physics_steps"] > 1000
