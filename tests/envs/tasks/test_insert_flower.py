"""What counts as a flower in its bottle and what does not."""

from typing import Any

import numpy as np
import pytest

from uamsim_envs.aloha.tasks.insert_flower import MIN_DEPTH, AlohaInsertFlowerEnv


def _made(seed: int = 0) -> tuple[AlohaInsertFlowerEnv, dict[str, Any]]:
    env = AlohaInsertFlowerEnv(image_size=(24, 32), cameras=("primary",))
    env.world.render = lambda cameras=None, *, shrink=1: {
        "primary": np.zeros((24, 32, 3), np.uint8)
    }
    return env, env.reset(seed=seed)[1]


def _put(env: AlohaInsertFlowerEnv, name: str, pos: np.ndarray, quat: tuple[float, ...]) -> None:
    joint = env.world.data.joint(name)
    joint.qpos[:3], joint.qpos[3:] = pos, quat
    joint.qvel[:] = 0.0
    env.world.update_positions()


def _wait(env: AlohaInsertFlowerEnv) -> tuple[bool, dict[str, Any]]:
    *_, terminated, _, info = env.step_chunk(np.tile(env.world.rest_action("ee"), (80, 1)))
    assert isinstance(info, dict)
    return terminated, info


@pytest.mark.parametrize("seed", [0, 2])
def test_expert_does_it(seed):
    env, info = _made(seed)
    for action in env.expert(np.random.default_rng(seed)):
        *_, terminated, _, info = env.step(action)
        if terminated:
            break
    assert info["is_success"]
    assert all(info["stages"].values())


def test_instruction_names_the_flower_and_the_bottle():
    _, info = _made()
    goal = info["goal"]
    assert f"{goal.thing.colour} flower" in info["instruction"]
    assert f"{goal.target.colour} bottle" in info["instruction"]


@pytest.mark.parametrize(("bottle", "expected"), [("bottle", True), ("other_bottle", False)])
def test_it_must_be_the_named_bottle(bottle, expected):
    env, _ = _made()
    _put(env, "flower", env.pos(bottle) + np.array([0.0, 0.0, 0.012]), (1, 0, 0, 0))
    _, info = _wait(env)
    assert info["is_success"] == expected
    assert env.upright("flower") > 0.9


def test_a_held_flower_does_not_count():
    env, info = _made()
    deep = False
    for action in env.expert(np.random.default_rng(0)):
        info = env.step(action)[-1]
        rim = env.pos("bottle")[2] + env.items["bottle"].height
        deep |= bool(env.pos("flower")[2] < rim - MIN_DEPTH) and info["stages"]["over_vase"]
        if deep and not env.held("flower"):
            break
        assert not info["stages"]["inserted"]
    assert deep


@pytest.mark.parametrize("height", [0.0, 0.08])
def test_beside_the_bottle_does_not_count(height):
    env, _ = _made()
    _put(env, "flower", env.pos("bottle") + np.array([0.0, -0.06, height]), (1, 0, 0, 0))
    _, info = _wait(env)
    assert not info["stages"]["inserted"]


def test_a_fallen_bottle_is_a_failure():
    env, _ = _made()
    _put(env, "bottle", env.pos("bottle") + np.array([0.0, 0.0, 0.045]), (0.7071, 0.7071, 0, 0))
    terminated, info = _wait(env)
    assert terminated
    assert not info["is_success"]
