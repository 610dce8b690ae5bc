"""What counts as nested bowls."""

from typing import Any

import numpy as np
import pytest

from uamsim_envs.aloha.skills.motion import UP
from uamsim_envs.aloha.tasks.stack_bowls import NAMES, AlohaStackBowlsEnv

SEED = 1


@pytest.fixture(name="env", scope="module")
def _env() -> AlohaStackBowlsEnv:
    env = AlohaStackBowlsEnv(image_size=(24, 32), cameras=("primary",))
    env.world.render = lambda cameras=None, *, shrink=1: {
        "primary": np.zeros((24, 32, 3), np.uint8)
    }
    return env


def _put(env: AlohaStackBowlsEnv, name: str, pos: Any, roll: float = 0.0) -> None:
    joint = env.world.data.joint(name)
    joint.qpos[:3] = pos
    joint.qpos[3:] = (np.cos(roll / 2), np.sin(roll / 2), 0.0, 0.0)
    joint.qvel[:] = 0.0


def _settle(env: AlohaStackBowlsEnv, steps: int = 40) -> dict[str, Any]:
    info: dict[str, Any] = {}
    for _ in range(steps):
        *_, info = env.step(env.world.rest_action(env.control))
    return info


@pytest.mark.parametrize("seed", [0, 3])
def test_expert_does_it(env, seed):
    _, info = env.reset(seed=seed)
    gripped = 0
    for action in env.expert(np.random.default_rng(seed)):
        *_, terminated, _, info = env.step(action)
        if "first" in env.touching("second") and env.held("second"):
            gripped += 1
            assert not env.nested("second", "first")
        if terminated:
            break
    assert gripped > 0
    assert info["is_success"]
    assert all(info["stages"].values())


def _nest(env: AlohaStackBowlsEnv, order: tuple[str, ...]) -> dict[str, Any]:
    env.reset(seed=SEED)
    pos = env.pos(order[0])
    for level, name in enumerate(order[1:], 1):
        _put(env, name, pos + 0.025 * level * UP)
    return _settle(env)


def test_bowls_slide_into_each_other(env):
    _nest(env, NAMES)
    assert env.nested("second", "first")
    assert env.nested("third", "second")
    depth = max(-contact.dist for contact in env.world.data.contact[: env.world.data.ncon])
    assert depth < 0.001


@pytest.mark.parametrize("order", [("second", "first", "third"), ("first", "third", "second")])
def test_other_order_is_none(env, order):
    assert not _nest(env, order)["is_success"]


def test_two_are_not_three(env):
    assert not _nest(env, NAMES[:2])["stages"]["nested"]


def test_bowl_beside_or_on_its_rim_is_not_nested(env):
    env.reset(seed=SEED)
    pos = env.pos("first")
    _put(env, "second", np.add(pos, (0.05, 0.0, 0.045)))
    _settle(env, 40)
    assert not env.nested("second", "first")


def test_bowl_upside_down_is_not_nested(env):
    env.reset(seed=SEED)
    _put(env, "second", env.pos("first") + 0.085 * UP, roll=np.pi)
    _settle(env, 40)
    assert not env.nested("second", "first")


def test_instruction_names_the_bowls_in_order(env):
    _, info = env.reset(seed=SEED)
    colours = [thing.colour for thing in (info["goal"].thing, *info["goal"].then)]
    assert [env.items[name].colour for name in NAMES] == colours
    assert all(f"{colour} bowl" in info["instruction"] for colour in colours)
