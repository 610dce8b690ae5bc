"""What counts as watering the named pot and what does not."""

import math
from typing import Any

import numpy as np
import pytest

from uamsim.contract import CONTROL_HZ
from uamsim_envs.aloha.tasks.water_flower import (
    MIN_TILT,
    POTS,
    WATER_SECONDS,
    AlohaWaterFlowerEnv,
)


def _made(seed: int = 0) -> tuple[AlohaWaterFlowerEnv, dict[str, Any]]:
    env = AlohaWaterFlowerEnv(image_size=(24, 32), cameras=("primary",))
    env.world.render = lambda cameras=None, *, shrink=1: {
        "primary": np.zeros((24, 32, 3), np.uint8)
    }
    return env, env.reset(seed=seed)[1]


def _put_can(
    env: AlohaWaterFlowerEnv, pos: np.ndarray, axis: tuple[float, ...], angle: float = math.pi / 2
) -> None:
    joint = env.world.data.joint("can")
    joint.qpos[:3] = pos
    joint.qpos[3:] = np.append(math.cos(angle / 2), math.sin(angle / 2) * np.array(axis))
    joint.qvel[:] = 0.0
    env.world.update_positions()


@pytest.fixture(name="poured", scope="module")
def _poured() -> list[np.ndarray]:
    """What the expert does in seed 0 until the pot is watered."""
    env, info = _made()
    actions: list[np.ndarray] = []
    for action in env.expert(np.random.default_rng(0)):
        actions.append(action)
        info = env.step(action)[-1]
        if info["stages"]["watered"]:
            break
    return actions


@pytest.mark.parametrize("seed", [0, 5])
def test_expert_does_it(seed):
    env, info = _made(seed)
    flowing = 0
    for action in env.expert(np.random.default_rng(seed)):
        *_, terminated, _, info = env.step(action)
        flowing += env.over("pot") and env.tilt() >= MIN_TILT
        if not info["stages"]["watered"]:
            assert flowing < WATER_SECONDS * CONTROL_HZ
        if terminated:
            break
    assert info["is_success"]
    assert all(info["stages"].values())


def test_instruction_names_the_can_and_the_pot():
    _, info = _made()
    goal = info["goal"]
    assert f"{goal.thing.colour} watering can" in info["instruction"]
    assert f"{goal.target.colour} flower pot" in info["instruction"]


def test_a_can_that_lies_is_not_set_down(poured):
    env, _ = _made()
    *_, info = env.step_chunk(np.array(poured))
    assert info["stages"]["watered"]
    assert not info["stages"]["set_down"]
    side = -1.0 if env.pos("can")[0] < 0 else 1.0
    _put_can(env, np.array([-0.2 * side, 0.0, 0.05]), (1.0, 0.0, 0.0))
    *_, info = env.step_chunk(np.tile(env.world.rest_action("ee"), (60, 1)))
    assert not info["stages"]["set_down"]


def test_the_other_pot_is_a_failure(poured):
    env, _ = _made()
    ids = [env.world.model.body(name).id for name in POTS]
    env.world.model.body_pos[ids] = env.world.model.body_pos[ids[::-1]]
    *_, terminated, _, info = env.step_chunk(np.array(poured))
    assert terminated
    assert not info["stages"]["over_pot"]
    assert not info["stages"]["watered"]


def test_only_a_held_can_waters():
    env, _ = _made()
    tilt, forwards = math.radians(50), (0.0, 1.0, 0.0)
    _put_can(env, np.zeros(3), forwards, tilt)
    over = env.pos("pot") + np.array([0.0, 0.0, 0.11]) - env.tip()
    _put_can(env, over, forwards, tilt)
    assert env.tilt() == pytest.approx(tilt)
    assert not env.over("pot")


def test_nothing_is_done_at_the_start():
    env, _ = _made(3)
    env.world.step()
    env.world.update_positions()
    assert not any(env._now().values())
    assert len({item.colour for item in env.items.values()}) == 3
