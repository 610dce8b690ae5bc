"""What is particular to sweeping: what counts as swept, and as the broom put down."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pytest

from uamsim_envs.aloha.parts.cleaning import PAN_FLOOR, PAN_GRIP, PAN_LIP
from uamsim_envs.aloha.tasks.sweep_rubbish import AlohaSweepRubbishEnv


@pytest.fixture(scope="module")
def env() -> Iterator[AlohaSweepRubbishEnv]:
    env = AlohaSweepRubbishEnv(image_size=(16, 16), cameras=())
    yield env
    env.close()


def _wait(env: AlohaSweepRubbishEnv, steps: int) -> dict[str, Any]:
    _, (*_, info) = env.play(repeat(env.world.rest_action("ee")), steps)
    return info["stages"] | {"is_success": info["is_success"]}


def _move(env: AlohaSweepRubbishEnv, name: str, pos: np.ndarray) -> None:
    env.world.data.joint(name).qpos[:3] = pos
    env.world.data.joint(name).qvel[:] = 0.0


def _drop(env: AlohaSweepRubbishEnv, names: Sequence[str], pan: str, x: float, z: float) -> None:
    """Puts tissues side by side into a dustpan."""
    for k, name in enumerate(names):
        local = np.array([x, 0.026 * (k - 2), z])
        _move(env, name, env.pos(pan) + env.rotation(pan) @ local)


def test_broom_must_have_been_grasped(env: AlohaSweepRubbishEnv) -> None:
    env.reset(seed=1)
    _drop(env, env.tissues, "dustpan", 0.0, PAN_FLOOR)
    stages = _wait(env, 30)
    assert stages["half_swept"]
    assert stages["swept"]
    assert not stages["put_down"]


def test_one_tissue_left_does_not_count(env: AlohaSweepRubbishEnv) -> None:
    env.reset(seed=1)
    _drop(env, env.tissues[1:], "dustpan", 0.0, PAN_FLOOR)
    stages = _wait(env, 30)
    assert stages["half_swept"]
    assert not stages["swept"]


@pytest.mark.parametrize(
    ("pan", "x"), [("other", 0.0), ("dustpan", PAN_LIP - 0.012), ("dustpan", PAN_GRIP[0] - 0.07)]
)
def test_tissues_elsewhere_do_not_count(env: AlohaSweepRubbishEnv, pan: str, x: float) -> None:
    """In the other dustpan, on the ramp, behind the dustpan."""
    env.reset(seed=2)
    _drop(env, env.tissues, pan, x, PAN_FLOOR)
    assert not _wait(env, 30)["half_swept"]


def test_falling_tissues_do_not_count(env: AlohaSweepRubbishEnv) -> None:
    env.reset(seed=2)
    _drop(env, env.tissues, "dustpan", 0.0, 0.3)
    assert not _wait(env, 8)["half_swept"]


def test_broom_in_a_dustpan_is_not_put_down(env: AlohaSweepRubbishEnv) -> None:
    env.reset(seed=3)
    _drop(env, env.tissues, "dustpan", -0.03, PAN_FLOOR)
    _move(env, "broom", env.pos("other") + np.array([0.0, 0.0, PAN_FLOOR]))
    env._stages["broom_grasped"] = True
    stages = _wait(env, 30)
    assert stages["swept"]
    assert not stages["put_down"]


@pytest.mark.parametrize("seed", [1, 3])
def test_expert_sweeps(env: AlohaSweepRubbishEnv, seed: int) -> None:
    _, info = env.reset(seed=seed)
    assert info["goal"].thing.colour in info["instruction"]
    assert info["goal"].target.colour in info["instruction"]
    assert env.items["dustpan"].colour == info["goal"].target.colour
    for action in env.expert(np.random.default_rng(seed)):
        *_, terminated, _, info = env.step(action)
        if terminated:
            break
    assert info["is_success"]
    assert all(info["stages"].values())
