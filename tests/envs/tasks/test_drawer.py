"""What counts as an open drawer, a shut one, and a thing put away in one."""

from typing import Any, TypeVar

import numpy as np
import pytest

from uamsim_envs.aloha.parts.cabinet import CEILING, FLOOR
from uamsim_envs.aloha.tasks.drawer import (
    MIN_OPEN,
    AlohaDrawerCloseEnv,
    AlohaDrawerOpenEnv,
    AlohaDrawerPutEnv,
    DrawerEnv,
)

Made = TypeVar("Made", bound=DrawerEnv)
TASKS = (AlohaDrawerOpenEnv, AlohaDrawerCloseEnv, AlohaDrawerPutEnv)


def _made(task: type[Made], seed: int = 0) -> tuple[Made, dict[str, Any]]:
    env = task(image_size=(24, 32), cameras=("primary",))
    env.world.render = lambda cameras=None, *, shrink=1: {
        "primary": np.zeros((24, 32, 3), np.uint8)
    }
    return env, env.reset(seed=seed)[1]


def _slide(env: DrawerEnv, drawer: str, out: float) -> None:
    env.world.data.joint(drawer).qpos[0] = out
    env.world.update_positions()


def _wait(env: DrawerEnv, steps: int = 30) -> dict[str, Any]:
    action = env.world.rest_action("ee")
    info = env.step_chunk(np.repeat(action[None], steps, axis=0))[-1]
    assert isinstance(info, dict)
    return info


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", [3, 4])
def test_expert_does_it(task, seed):
    env, info = _made(task, seed)
    for action in env.expert(np.random.default_rng(seed)):
        *_, terminated, _, info = env.step(action)
        if terminated:
            break
    assert info["is_success"]
    assert all(info["stages"].values())


@pytest.mark.parametrize("task", TASKS)
def test_instruction_names_the_drawer(task):
    _, info = _made(task)
    goal = info["goal"]
    drawer = goal.thing if goal.target is None else goal.target
    assert f"{drawer.colour} drawer" in info["instruction"]


@pytest.mark.parametrize(
    ("named", "other", "expected"),
    [(0.09, 0.0, True), (MIN_OPEN - 0.005, 0.0, False), (0.09, 0.02, False), (0.0, 0.09, False)],
)
def test_open_is_far_enough_and_the_named_one_alone(named, other, expected):
    env, _ = _made(AlohaDrawerOpenEnv)
    env.guided = named
    _slide(env, env.named, named)
    _slide(env, env.other, other)
    assert _wait(env)["is_success"] is expected


@pytest.mark.parametrize(("task", "out"), [(AlohaDrawerOpenEnv, 0.09), (AlohaDrawerCloseEnv, 0.0)])
def test_drawer_moved_without_its_handle_does_not_count(task, out):
    env, _ = _made(task)
    _slide(env, env.named, out)
    assert not _wait(env)["is_success"]


def test_shutting_both_does_not_count():
    env, _ = _made(AlohaDrawerCloseEnv)
    _slide(env, env.named, 0.0)
    env.guided = -0.09
    assert env._now()["closed"]
    _slide(env, env.other, 0.0)
    assert not env._now()["closed"]


def _lay(env: AlohaDrawerPutEnv, drawer: str, height: float) -> None:
    x = env.cabinet.offset(drawer)
    qpos = env.world.data.joint("thing").qpos
    qpos[:3] = env.cabinet.world(x, 0.05, height)
    env.world.update_positions()


@pytest.mark.parametrize(
    ("drawer", "height", "expected"),
    [("named", FLOOR, True), ("other", FLOOR, False), ("named", CEILING + 0.01, False)],
)
def test_thing_must_be_in_the_named_drawer(drawer, height, expected):
    env, _ = _made(AlohaDrawerPutEnv)
    _lay(env, getattr(env, drawer), height)
    assert _wait(env)["is_success"] is expected


def test_drawer_with_the_thing_must_be_shut():
    env, _ = _made(AlohaDrawerPutEnv)
    _slide(env, env.named, 0.03)
    _lay(env, env.named, FLOOR)
    info = _wait(env)
    assert info["stages"]["thing_inside"]
    assert not info["is_success"]
