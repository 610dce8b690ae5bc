"""What counts as put down, and when a thing has to change hands."""

from typing import Any

import numpy as np
import pytest

from uamsim.lexicon import is_held_out
from uamsim_envs.aloha.parts.choosing import fits
from uamsim_envs.aloha.skills.carrying import HOVER, picks, release_height, two_handed
from uamsim_envs.aloha.skills.handling import grasp
from uamsim_envs.aloha.skills.motion import UP, Motion, reach_error
from uamsim_envs.aloha.tasks.pick_place_objects import AlohaPickPlaceObjectsEnv


@pytest.fixture(name="env", scope="module")
def _env() -> AlohaPickPlaceObjectsEnv:
    env = AlohaPickPlaceObjectsEnv(image_size=(24, 32), cameras=("primary",))
    env.world.render = lambda cameras=None, *, shrink=1: {
        "primary": np.zeros((24, 32, 3), np.uint8)
    }
    return env


def _kind(env: AlohaPickPlaceObjectsEnv) -> str:
    thing, target = env.items["thing"], env.items["target"]
    low = np.array([*target.pos[:2], release_height(target) + thing.grasps[0].height])
    for reach in picks(thing, thing.pos, thing.yaw):
        misses = [reach_error(reach.arm, low + up * UP) for up in (0.0, HOVER)]
        if max(misses) < 0.004:
            return "direct"
    return "table" if two_handed(thing) is None else "air"


def _play(env: AlohaPickPlaceObjectsEnv, seed: int) -> dict[str, Any]:
    _, info = env.reset(seed=seed)
    for action in env.expert(np.random.default_rng(seed)):
        *_, terminated, _, info = env.step(action)
        if terminated:
            break
    return info


def _drop(env: AlohaPickPlaceObjectsEnv, above: Any) -> dict[str, Any]:
    """Lets the thing fall from a point above the table; its last info."""
    joint = env.world.data.joint("thing")
    joint.qpos[:3] = above
    joint.qvel[:] = 0.0
    info: dict[str, Any] = {}
    for _ in range(60):
        *_, info = env.step(env.world.rest_action(env.control))
    return info


@pytest.fixture(name="kinds", scope="module")
def _kinds(env: AlohaPickPlaceObjectsEnv) -> list[str]:
    kinds = []
    for seed in range(30):
        env.reset(seed=seed)
        kinds.append(_kind(env))
    return kinds


def test_some_must_change_hands(kinds):
    assert 0.1 < np.mean([kind != "direct" for kind in kinds]) < 0.55


@pytest.mark.parametrize("kind", ["table", "air"])
def test_expert_does_it(env, kinds, kind):
    info = _play(env, kinds.index(kind))
    assert info["is_success"]
    assert all(info["stages"].values())


@pytest.mark.parametrize("kind", ["table", "air"])
def test_first_arm_alone_does_not_reach_the_target(env, kinds, kind):
    seed = kinds.index(kind)
    env.reset(seed=seed)
    thing = env.items["thing"]
    motion = Motion(env.world, env.control)
    info: dict[str, Any] = {}
    for action in grasp(motion, picks(thing, thing.pos, thing.yaw)[0]):
        *_, info = env.step(action)
    assert info["stages"]["grasped"]
    assert not info["stages"]["handed_over"]


def test_thing_that_no_finger_lifted_does_not_count(env):
    env.reset(seed=0)
    info = _drop(env, env.pos("target") + 0.08 * UP)
    assert env.lies_in("thing", "target")
    assert not info["is_success"]


def test_thing_beside_the_target_or_in_the_other_does_not_count(env):
    env.reset(seed=0)
    env._stages["grasped"] = True
    other = env.pos("other_target")
    assert not _drop(env, other + 0.08 * UP)["is_success"]
    _drop(env, (0.0, -0.2, 0.01))
    assert not env.lies_in("thing", "target")


def test_thing_held_over_the_target_does_not_count(env, kinds):
    """While fingers touch it, whatever else it touches."""
    seed, borne = kinds.index("direct"), False
    env.reset(seed=seed)
    for action in env.expert(np.random.default_rng(seed)):
        env.step(action)
        if env.held("thing") and env.items["target"].covers(
            *(env.pos("thing") - env.items["target"].pos)[:2]
        ):
            borne = True
            assert not env.lies_in("thing", "target")
    assert borne
    assert env.succeeded


def test_goal_is_seen_unambiguous_and_fits(env):
    for seed in range(15):
        _, info = env.reset(seed=seed)
        goal, items = info["goal"], env.items
        assert not is_held_out((goal.thing.category, goal.target.category))
        assert fits(items["thing"], items["target"])
        assert all(item.instance.in_action_data for item in items.values())
        names = [(item.instance.category, item.colour) for item in items.values()]
        assert names.count((goal.thing.category, goal.thing.colour)) == 1
        assert names.count((goal.target.category, goal.target.colour)) == 1
        assert len(items) in (5, 6)
        assert goal.thing.colour in info["instruction"]
        assert goal.target.colour in info["instruction"]
