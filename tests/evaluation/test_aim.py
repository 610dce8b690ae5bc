import numpy as np
import pytest

from uamsim.contract import PolicySpec
from uamsim.evaluation.aim import aim_errors
from uamsim.evaluation.config import ENV_IDS, EvaluationConfig, plan_units
from uamsim.evaluation.environments import make_env
from uamsim.simulated import expert_episode, simulated
from uamsim.worlds import world_of

HORIZON = 120
SPEC = PolicySpec(cameras=("primary",), image_size=(32, 48), control="ee", horizon=HORIZON)
OFF = np.array([0.03, 0.0, 0.04])


class Replay:
    """Plays the expert's chunk of each seed, both hands moved by ``off``."""

    name, spec = "replay", SPEC

    def __init__(self, chunks, off):
        self.chunks, self.off = chunks, off

    def act(self, inputs):
        chunks = [self.chunks[item.seed].copy() for item in inputs]
        for chunk in chunks:
            chunk[:, 0:3] += self.off
            chunk[:, 7:10] += self.off
        return np.stack(chunks)


def test_aim_is_the_distance_from_where_the_expert_goes():
    config = EvaluationConfig(env_ids=ENV_IDS[:1], seed0=31)
    (unit,) = plan_units(config, SPEC, splits=("in_domain",), episodes=2)
    env = make_env(unit)
    chunks = {}
    for seed in unit.seeds:
        moments = expert_episode(simulated(env), seed, HORIZON)
        next(moments)
        chunks[seed] = np.array(next(moments).actions)
    env.close()
    hands = world_of(unit.env_id).sizes("ee").hands
    policies = {"same": Replay(chunks, 0 * OFF), "off": Replay(chunks, OFF)}
    task, errors = aim_errors(policies, unit, hands, HORIZON)
    assert task == "press_button"
    assert errors["same"] == pytest.approx([0, 0])
    assert errors["off"] == pytest.approx([0.05, 0.05], abs=1e-6)
