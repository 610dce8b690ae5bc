"""What is particular to wiping: what takes a stain away, and that the other one stays."""

from collections.abc import Iterator

import numpy as np
import pytest

from uamsim_envs.aloha.tasks.wipe_table import SPARED_SHARE, AlohaWipeTableEnv


@pytest.fixture(scope="module")
def env() -> Iterator[AlohaWipeTableEnv]:
    env = AlohaWipeTableEnv(image_size=(16, 16), cameras=())
    yield env
    env.close()


def _shift_cloth(env: AlohaWipeTableEnv, to: np.ndarray) -> None:
    """Puts the whole cloth elsewhere on the table, at rest."""
    model, data = env.world.model, env.world.data
    start = model.jnt_qposadr[model.body_jntadr[model.flex_vertbodyid]]
    by = to - np.array(env.cloth.centre)
    for axis in (0, 1):
        data.qpos[start + axis] += by[axis]
    data.qvel[:] = 0.0


def test_a_cloth_that_lies_on_the_stain_does_not_wipe_it(env: AlohaWipeTableEnv) -> None:
    _, info = env.reset(seed=1)
    wanted = info["goal"].thing.colour
    _shift_cloth(env, env._stains[wanted])
    action = env.world.rest_action("ee")
    for _ in range(20):
        *_, info = env.step(action)
    assert env.share_wiped(wanted) == 0.0
    assert not any(info["stages"].values())


def test_wiping_the_other_stain_fails(env: AlohaWipeTableEnv) -> None:
    env.reset(seed=2)
    other = next(colour for colour in env.wiped if colour != env._wanted)
    for colour in env.wiped:
        env.wiped[colour][:] = True
    assert env.share_wiped(other) > 1 - SPARED_SHARE
    *_, terminated, _, info = env.step(env.world.rest_action("ee"))
    assert terminated
    assert not info["is_success"]


def test_a_wiped_stain_counts_once_the_cloth_is_let_go(env: AlohaWipeTableEnv) -> None:
    _, info = env.reset(seed=3)
    held_while_wiped = False
    for action in env.expert(np.random.default_rng(3)):
        *_, terminated, truncated, info = env.step(action)
        held = any(env.state.pinched())
        held_while_wiped |= held and env.share_wiped(env._wanted) >= 0.9
        assert not (held and info["is_success"])
        if terminated or truncated:
            break
    assert held_while_wiped
    assert info["is_success"]
    assert info["stages"] == dict.fromkeys(env.stage_names, True)


def test_instruction_names_the_stain(env: AlohaWipeTableEnv) -> None:
    _, info = env.reset(seed=4)
    assert info["goal"].thing.colour in info["instruction"]
    assert info["goal"].thing.category == "stain"
