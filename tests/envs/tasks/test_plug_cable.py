"""What counts as plugged in, and that the sockets have less than a millimetre to spare."""

import math

import numpy as np
import pytest

from uamsim_envs.aloha.parts.cable import LINK, Curve
from uamsim_envs.aloha.tasks.plug_cable import (
    CLEARANCE,
    MIN_DEPTH,
    SOCKETS,
    AlohaPlugCableEnv,
)


@pytest.fixture(scope="module")
def env() -> AlohaPlugCableEnv:
    env = AlohaPlugCableEnv(image_size=(24, 32), cameras=("primary",))
    env.world.render = lambda cameras=None, *, shrink=1: {
        "primary": np.zeros((24, 32, 3), np.uint8)
    }
    return env


def _until(env: AlohaPlugCableEnv, seed: int, stop=lambda: False) -> dict:
    _, info = env.reset(seed=seed)
    for action in env.expert(np.random.default_rng(seed)):
        *_, terminated, _, info = env.step(action)
        if terminated or stop():
            break
    return info


@pytest.mark.parametrize("seed", [3, 4])
def test_expert_does_it(env, seed):
    info = _until(env, seed)
    assert info["is_success"]
    assert all(info["stages"].values())


def test_both_arms_are_asked_for(env):
    arms = set()
    for seed in range(8):
        env.reset(seed=seed)
        arms.add(env.layout.arm)
    assert arms == {0, 1}


def test_instruction_names_plug_and_socket(env):
    _, info = env.reset(seed=0)
    goal = info["goal"]
    assert f"{goal.thing.colour} plug" in info["instruction"]
    assert f"{goal.target.colour} socket" in info["instruction"]


def test_held_in_the_hole_does_not_count(env):
    info = _until(env, 3, lambda: env.tip()[0] > 0.9 * 0.022)
    assert env.tip()[0] > MIN_DEPTH * 0.022
    assert env.held("plug")
    assert not env._now()["plugged"]
    assert not info["is_success"]


def test_let_go_before_the_hole_does_not_count(env):
    _until(env, 3, lambda: env.tip()[0] > 0.2 * 0.022)
    action = env.world.agent_pos("ee")
    action[6 + 7 * env.layout.arm] = 1.0
    info = env.step_chunk(np.repeat(action[None], 40, axis=0))[-1]
    assert not info["is_success"]


def test_other_socket_does_not_count(env):
    _until(env, 3)
    assert env._now()["plugged"]
    env.socket = SOCKETS[1 - SOCKETS.index(env.socket)]
    assert not env._now()["plugged"]


def test_plug_in_the_hole_has_little_play(env):
    _until(env, 3)
    assert np.abs(env.tip()[1:]).max() < CLEARANCE + 2e-4


def test_plug_stays_on_the_table_when_nothing_is_done(env):
    env.reset(seed=5)
    before = env.pos("plug")
    rest = env.world.rest_action("ee")
    info = env.step_chunk(np.repeat(rest[None], 50, axis=0))[-1]
    assert np.linalg.norm(env.pos("plug") - before) < 2e-3
    assert not any(info["stages"].values())


def test_curve_has_equal_links_and_begins_where_it_should():
    curve = Curve(
        start=(0.1, 0.0),
        heading=math.pi,
        bend=2.0,
        wave=0.5,
        num_links=14,
        start_height=0.013,
        end_height=0.008,
    )
    points = curve.points()
    assert np.allclose(np.linalg.norm(np.diff(points, axis=0), axis=1), LINK)
    assert np.allclose(points[0], (0.1, 0.0, 0.013))
    assert points[-1][2] == pytest.approx(0.008)
