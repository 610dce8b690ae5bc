"""What counts as pressing buttons in order."""

from typing import Any

import numpy as np
import pytest

from uamsim.lexicon import is_held_out
from uamsim_envs.aloha.skills.motion import Motion, Move
from uamsim_envs.aloha.tasks.press_sequence import NAMES, TRAVEL, AlohaPressSequenceEnv
from uamsim_envs.contacts import FINGER_TIP

SEED = 2


@pytest.fixture(name="env", scope="module")
def _env() -> AlohaPressSequenceEnv:
    env = AlohaPressSequenceEnv(image_size=(24, 32), cameras=("primary",))
    env.world.render = lambda cameras=None, *, shrink=1: {
        "primary": np.zeros((24, 32, 3), np.uint8)
    }
    return env


def _press(
    env: AlohaPressSequenceEnv, names: tuple[str, ...], deep: float = TRAVEL
) -> tuple[bool, dict[str, Any]]:
    """Presses buttons one after another, then waits; (terminated, info)."""
    _, info = env.reset(seed=SEED)
    motion = Motion(env.world, env.control)

    def actions():
        for name in names:
            item = env.items[name]
            x, y, _ = item.pos
            arm, top = int(x > 0), item.height + FINGER_TIP
            yield from motion.go(Move(arm=arm, pos=(x, y, top + 0.05)), seconds=0.8)
            yield from motion.go(Move(arm=arm, pos=(x, y, top - deep)), seconds=0.3)
            yield from motion.wait(0.12)
            yield from motion.go(Move(arm=arm, pos=(x, y, top + 0.05)), seconds=0.3)
            yield from motion.rest(arm)
        yield from motion.wait(0.5)

    terminated = False
    for action in actions():
        *_, terminated, _, info = env.step(action)
        if terminated:
            break
    return terminated, info


@pytest.mark.parametrize("seed", [0, 1])
def test_expert_does_it(env, seed):
    _, info = env.reset(seed=seed)
    for action in env.expert(np.random.default_rng(seed)):
        *_, terminated, _, info = env.step(action)
        if terminated:
            break
    assert info["is_success"]


def test_order_of_the_instruction_succeeds(env):
    terminated, info = _press(env, NAMES[:3])
    assert terminated
    assert info["is_success"]


@pytest.mark.parametrize(
    ("names", "num_pressed"),
    [
        (("second",), 0),
        (("other",), 0),
        (("first", "third"), 1),
        (("first", "first"), 1),
        (("first", "second", "other"), 2),
    ],
)
def test_wrong_button_fails(env, names, num_pressed):
    terminated, info = _press(env, names)
    assert terminated
    assert not info["is_success"]
    assert sum(info["stages"].values()) == num_pressed


def test_two_of_three_are_not_enough(env):
    terminated, info = _press(env, NAMES[:2])
    assert not terminated
    assert not info["is_success"]


def test_touching_is_not_pressing(env):
    terminated, info = _press(env, NAMES[:1], deep=0.004)
    assert not terminated
    assert not any(info["stages"].values())


def test_cap_moved_without_a_finger_is_not_pressed(env):
    _, info = env.reset(seed=SEED)
    for _ in range(20):
        env.world.data.joint("first/cap").qpos[0] = TRAVEL
        *_, info = env.step(env.world.rest_action(env.control))
    assert not any(info["stages"].values())


def test_goal_is_of_seen_buttons_of_different_colours(env):
    for seed in range(20):
        _, info = env.reset(seed=seed)
        things = [info["goal"].thing, *info["goal"].then]
        colours = [item.colour for item in env.items.values()]
        assert len(things) == 3
        assert len(set(colours)) == len(NAMES)
        for item in env.items.values():
            assert not is_held_out((item.colour, item.instance.category))
        assert all(thing.colour in info["instruction"] for thing in things)
