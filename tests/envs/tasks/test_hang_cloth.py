"""What is particular to hanging: held, lying on the table and on the wrong rod do not count."""

from collections.abc import Iterator

import numpy as np
import pytest

from uamsim_envs.aloha.parts.cloth import COUNT
from uamsim_envs.aloha.tasks.hang_cloth import ROD_HEIGHT, AlohaHangClothEnv


@pytest.fixture(scope="module")
def env() -> Iterator[AlohaHangClothEnv]:
    env = AlohaHangClothEnv(image_size=(16, 16), cameras=())
    yield env
    env.close()


def _drape(env: AlohaHangClothEnv, rod: str) -> None:
    """Lays the cloth over a rod: its middle row above it, the others down on both sides."""
    x, y = env._rods[rod]
    model, data = env.world.model, env.world.data
    spacing_x, spacing_y = (side / (COUNT - 1) for side in env.cloth.size)
    starts = model.jnt_qposadr[model.body_jntadr[model.flex_vertbodyid]]
    homes = env.state.vertices - data.qpos[starts[:, None] + np.arange(3)]
    middle = COUNT // 2
    for k, start in enumerate(starts):
        i, j = divmod(k, COUNT)
        off = j - middle
        side = 0.0 if off == 0 else np.sign(off) * 0.015
        target = np.array(
            [x + (i - middle) * spacing_x, y + side, ROD_HEIGHT + 0.014 - abs(off) * spacing_y]
        )
        data.qpos[start : start + 3] = target - homes[k]
    data.qvel[:] = 0.0


@pytest.mark.parametrize("named", [True, False])
def test_only_the_named_rod_counts(env: AlohaHangClothEnv, named: bool) -> None:
    _, info = env.reset(seed=1)
    wanted = info["goal"].target.colour
    rod = wanted if named else next(colour for colour in env._rods if colour != wanted)
    _drape(env, rod)
    action = env.world.rest_action("ee")
    _, (*_, info) = env.play(iter([action] * 250), 250)
    assert info["is_success"] == named
    assert info["stages"]["hung"] == named


def test_a_cloth_on_the_table_is_not_hung(env: AlohaHangClothEnv) -> None:
    env.reset(seed=2)
    *_, info = env.step_chunk(np.repeat(env.world.rest_action("ee")[None], 30, axis=0))
    assert not any(info["stages"].values())


def test_expert_hangs_it_and_a_held_cloth_does_not_count(env: AlohaHangClothEnv) -> None:
    _, info = env.reset(seed=3)
    held_high = False
    for action in env.expert(np.random.default_rng(3)):
        *_, terminated, truncated, info = env.step(action)
        held_high |= env._now()["lifted"]
        assert not (env._now()["hung"] and env.state.held())
        if terminated or truncated:
            break
    assert held_high
    assert info["is_success"]
    assert info["stages"] == dict.fromkeys(env.stage_names, True)
