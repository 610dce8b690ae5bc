"""What is particular to pouring fries: what counts as poured, and what the lid is for."""

import math
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import mujoco
import numpy as np
import pytest

from uamsim_envs.aloha.tasks.pour_fries import POURED_SHARE, AlohaPourFriesEnv


@pytest.fixture(scope="module")
def env() -> Iterator[AlohaPourFriesEnv]:
    env = AlohaPourFriesEnv(image_size=(16, 16), cameras=())
    yield env
    env.close()


def _wait(env: AlohaPourFriesEnv, steps: int) -> dict[str, bool]:
    _, (*_, info) = env.play(repeat(env.world.rest_action("ee")), steps)
    return info["stages"] | {"is_success": info["is_success"]}


def _move(env: AlohaPourFriesEnv, name: str, pos: np.ndarray, quat: Sequence[float]) -> None:
    env.world.data.joint(name).qpos[:] = [*pos, *quat]
    env.world.data.joint(name).qvel[:] = 0.0


def _lay(env: AlohaPourFriesEnv, names: Sequence[str], place: str, height: float = 0.015) -> None:
    """Lays fries side by side on a plate, five to a layer."""
    for k, name in enumerate(names):
        offset = (0.0, 0.011 * (k % 5 - 2), height + 0.009 * (k // 5))
        lying = (math.sqrt(0.5), 0.0, math.sqrt(0.5), 0.0)
        _move(env, name, env.pos(place) + offset, lying)


def test_fries_on_the_named_plate_count(env: AlohaPourFriesEnv) -> None:
    env.reset(seed=1)
    enough = math.ceil(POURED_SHARE * len(env.fries))
    _lay(env, env.fries[:enough], "plate")
    assert _wait(env, 60)["is_success"]
    assert env.on_plate() == set(env.fries[:enough])


def test_too_few_fries_do_not_count(env: AlohaPourFriesEnv) -> None:
    env.reset(seed=1)
    few = env.fries[: math.ceil(POURED_SHARE * len(env.fries)) - 1]
    _lay(env, few, "plate")
    assert not _wait(env, 60)["poured"]
    assert env.on_plate() == set(few)


@pytest.mark.parametrize("where", ["other", "beside", "falling"])
def test_fries_elsewhere_do_not_count(env: AlohaPourFriesEnv, where: str) -> None:
    env.reset(seed=2)
    _lay(env, env.fries, "plate" if where == "falling" else "other")
    if where == "falling":
        _lay(env, env.fries, "plate", height=0.3)
    elif where == "beside":
        for name in env.fries:
            env.world.data.joint(name).qpos[1] *= 0.3
    assert not _wait(env, 8 if where == "falling" else 40)["poured"]


def test_carton_over_the_plate_does_not_count(env: AlohaPourFriesEnv) -> None:
    env.reset(seed=3)
    _lay(env, env.fries, "plate")
    info: dict[str, Any] = {}
    for _ in range(40):
        _move(env, "carton", env.pos("plate") + np.array([0.03, 0.0, 0.15]), (1, 0, 0, 0))
        info = env.step(env.world.rest_action("ee"))[-1]
    assert len(env.on_plate()) == len(env.fries)
    assert not info["stages"]["poured"]
    assert not info["stages"]["lifted"]


def test_shut_lid_keeps_the_fries_in(env: AlohaPourFriesEnv) -> None:
    """The heavy weightless carton stays where it is while down becomes up."""
    env.reset(seed=4)
    model, body = env.world.model, env.world.model.body("carton").id
    model.body_gravcomp[body] = 1.0
    model.body_mass[body], model.body_inertia[body] = 100.0, 1.0
    mujoco.mj_setConst(model, env.world.data)
    for step in range(70):
        tilt = min(1.0, step / 30) * math.pi
        model.opt.gravity[:] = (9.81 * math.sin(tilt), 0.0, -9.81 * math.cos(tilt))
        env.step(env.world.rest_action("ee"))
    away = [np.linalg.norm(env.pos(name) - env.pos("carton")) for name in env.fries]
    assert max(away) < 0.08
    assert env.joint("lid") < 0.1


@pytest.mark.parametrize("seed", [0, 3])
def test_expert_pours(env: AlohaPourFriesEnv, seed: int) -> None:
    _, info = env.reset(seed=seed)
    assert info["goal"].thing.colour in info["instruction"]
    assert info["goal"].target.colour in info["instruction"]
    assert env.items["plate"].colour == info["goal"].target.colour
    for action in env.expert(np.random.default_rng(seed)):
        *_, terminated, _, info = env.step(action)
        if terminated:
            break
    assert info["is_success"]
    assert all(info["stages"].values())
