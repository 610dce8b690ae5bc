"""CALVIN's experts do its tasks by its own oracle, and starts are what they say."""

import types
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from uamsim_envs.calvin.chains import TASKS as OFFICIAL_TASKS
from uamsim_envs.calvin.host.arm import YAW_RANGE, tool_direction, unwrap, yaws_for
from uamsim_envs.calvin.host.experts import TASKS, expert
from uamsim_envs.calvin.host.furniture import Block, rotation_of
from uamsim_envs.calvin.host.state import STATE_NAMES, pack_scene, unpack_scene
from uamsim_envs.calvin.registration import SCENES

sim = pytest.mark.sim("calvin")
SAMPLE = {  # one of each kind of script, spread over the scenes
    "A": ("turn_on_lightbulb", "lift_red_block_slider", "push_blue_block_right"),
    "B": ("turn_on_lightbulb", "rotate_pink_block_left", "stack_block"),
    "C": ("move_slider_left", "place_in_slider", "open_drawer"),
    "D": ("push_into_drawer", "turn_off_led", "place_in_drawer", "unstack_block", "close_drawer"),
}


def fake_original(*names: str) -> Any:
    movable = [types.SimpleNamespace(name=name) for name in names]
    return types.SimpleNamespace(scene=types.SimpleNamespace(movable_objects=movable))


def test_blocks_are_mapped_by_name_in_the_order_of_the_scene() -> None:
    original = fake_original("block_pink", "block_blue", "block_red")  # scene A
    named: dict[str, Any] = {name: 0.1 * i for i, name in enumerate(STATE_NAMES[:6])}
    named |= {f"{c}_block": np.full(6, i) for i, c in enumerate(("red", "blue", "pink"))}
    scene_obs = pack_scene(original, named)
    assert scene_obs[6::6].tolist() == [2, 1, 0]
    again = unpack_scene(original, scene_obs)
    assert list(again) == list(STATE_NAMES)
    assert all(np.array_equal(again[name], named[name]) for name in STATE_NAMES)


def test_a_state_without_a_block_is_refused() -> None:
    original = fake_original("block_red", "block_blue", "block_pink")
    with pytest.raises(ValueError, match="pink_block"):
        pack_scene(original, dict.fromkeys(STATE_NAMES[:-1], 0.0))
    with pytest.raises(ValueError, match=r"\(24,\).*\(23,\)"):
        unpack_scene(original, np.zeros(23))


def test_hand_angles_open_the_fingers_along_a_direction() -> None:
    for direction in np.linspace(-np.pi, np.pi, 9):
        yaws = yaws_for(direction)
        assert yaws
        assert all(YAW_RANGE[0] <= yaw <= YAW_RANGE[1] for yaw in yaws)
        assert all(np.isclose(np.sin(yaw - np.pi / 2 - direction), 0.0) for yaw in yaws)
    assert np.isclose(unwrap(-np.pi / 2), 1.5 * np.pi)
    np.testing.assert_allclose(tool_direction(0.0, 1.0), [0.0, 0.0, -1.0])
    # At yaw pi/2 a negative lean points the fingers away from the robot.
    assert tool_direction(-0.5, np.pi / 2)[1] > 0.4


def test_level_axes_and_extents_of_a_turned_block() -> None:
    quarter = rotation_of([0.0, 0.0, np.sin(np.pi / 4), np.cos(np.pi / 4)])
    block = Block(0, np.zeros(3), quarter, np.array([0.04, 0.02, 0.02]))
    np.testing.assert_allclose(block.extent(np.array([0.0, 1.0, 0.0])), 0.04)
    np.testing.assert_allclose(block.half_height, 0.02)
    angles = [angle for angle, _ in block.level_axes()]
    np.testing.assert_allclose(np.abs(angles), [np.pi / 2, np.pi])


def test_experts_know_the_34_tasks() -> None:
    assert set(TASKS) == set(OFFICIAL_TASKS)
    with pytest.raises(ValueError, match="fly_away"):
        next(expert(None, "fly_away", np.random.default_rng(0)))


@pytest.fixture(name="env", scope="module", params=SCENES)
def _env(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = gym.make(
        f"uamsim_envs:uamsim/Calvin-{request.param}-v0", cameras=(), disable_env_checker=True
    )
    yield made.unwrapped
    made.close()


@sim
def test_experts_succeed_by_the_oracle(env: Any) -> None:
    for task in SAMPLE[env.scene]:
        actions, info = play(env, task, seed=3)
        assert info["is_success"], f"{env.scene} {task} after {len(actions)} steps"
        assert np.abs(actions[:, :6]).max() <= 1.0
        assert set(np.abs(actions[:, 6])) == {1.0}


@sim
def test_an_expert_repeats_itself_from_the_same_seed_and_varies_with_it(env: Any) -> None:
    task = SAMPLE[env.scene][0]
    first, again, other = (play(env, task, 5, chance)[0] for chance in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[:10], other[:10])


@sim
def test_starts_are_not_done_and_hold_a_block_where_the_task_needs_one(env: Any) -> None:
    for task, gripper in (("place_in_slider", -1.0), ("stack_block", -1.0), ("open_drawer", 1.0)):
        observation, info = env.reset(seed=7, options={"task": task})
        assert not info["is_success"]
        assert observation["agent_pos"][14] == gripper
        assert (0.03 < observation["agent_pos"][6] < 0.07) == (gripper < 0.0)


def play(env: Any, task: str, seed: int, chance: int = 1) -> tuple[np.ndarray, dict[str, Any]]:
    env.reset(seed=seed, options={"task": task})
    actions, step = env.play(env.expert(np.random.default_rng(chance)), env.max_episode_steps)
    return actions, step[-1]
