from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uamsim.contract import PolicyInput
from uamsim.errors import ConfigError
from uamsim.evaluation.backends.jobs import RolloutJob, iter_job
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import EnvPool
from uamsim.evaluation.realtime import Playback, RealTime, act_timed, thinking_steps
from uamsim.evaluation.rollout import Clip, run_unit
from uamsim.testing.envs import REACH_ID
from uamsim.testing.policies import ReachPolicy

UNIT = RolloutUnit(
    env_id=REACH_ID, split="in_domain", seeds=tuple(range(7)), env_kwargs={}, batch_envs=4
)


def chunk(first: float, count: int = 6) -> np.ndarray:
    return (first + np.arange(count, dtype=np.float32))[:, None].repeat(2, axis=1)


def played(playback: Playback, first: float, latency_s: float, max_steps: int = 99) -> list[float]:
    return playback.play(chunk(first), latency_s, max_steps)[:, 0].tolist()


@pytest.mark.parametrize(
    ("latency_s", "steps"), [(0, 0), (0.02, 1), (0.04, 2), (0.041, 3), (0.06, 3), (0.3, 15)]
)
def test_a_latency_is_whole_control_steps(latency_s: float, steps: int):
    assert thinking_steps(latency_s) == steps


def test_a_robot_that_has_played_everything_holds():
    playback = Playback(RealTime(latency_s=0.04), np.full(2, -1, np.float32))
    assert played(playback, 10, 0.04) == [-1, -1, 10, 11, 12, 13, 14, 15]
    assert played(playback, 20, 0.02) == [15, 20, 21, 22, 23, 24, 25]


def test_what_is_left_is_played_while_the_policy_thinks_and_the_past_is_skipped():
    playback = Playback(RealTime(latency_s=0.04, replan_steps=3), np.zeros(2, np.float32))
    assert played(playback, 10, 0) == [10, 11, 12]
    assert played(playback, 20, 0.04) == [13, 14, 22, 23, 24]
    # One action is left: then it is held, and one action of the new chunk is skipped.
    assert played(playback, 30, 0.06) == [25, 25, 25, 31, 32, 33]


def test_thinking_ends_with_the_episode():
    playback = Playback(RealTime(latency_s=1e9), np.zeros(2, np.float32))
    assert played(playback, 10, 1e9, max_steps=4)[:4] == [0, 0, 0, 0]


@given(
    latencies=st.lists(st.floats(0, 0.5), min_size=1, max_size=6),
    replan=st.none() | st.integers(1, 6),
)
def test_every_step_of_every_latency_is_charged(latencies: list[float], replan: int | None):
    playback = Playback(RealTime(replan_steps=replan), np.zeros(2, np.float32))
    for index, latency_s in enumerate(latencies):
        values = played(playback, 10 * (index + 1), latency_s)
        assert len(values) == thinking_steps(latency_s) + (replan or 6)
        assert values[-1] >= 10 * (index + 1)


def test_no_latency_is_the_normal_rollout_to_the_bit():
    policy = ReachPolicy(noise=0.3)
    plain, charged = list[Clip](), list[Clip]()
    expected = run_unit(policy, UNIT, clips=plain)
    unit = replace(UNIT, realtime=RealTime(latency_s=0))
    assert run_unit(policy, unit, clips=charged) == expected
    for a, b in zip(plain, charged, strict=True):
        np.testing.assert_array_equal(a.frames, b.frames)


def test_a_fixed_latency_costs_its_steps_and_is_deterministic():
    """Towards a block that does not move, waiting only takes time."""
    free = run_unit(ReachPolicy(), UNIT)
    unit = replace(UNIT, realtime=RealTime(latency_s=0.1))
    slow = run_unit(ReachPolicy(), unit)
    assert slow == run_unit(ReachPolicy(), replace(unit, batch_envs=1))
    for fast_record, slow_record in zip(free, slow, strict=True):
        calls = -(-fast_record.num_steps // 10)
        # The first wait is a hold; later ones go on towards the place, which is where it goes.
        assert fast_record.num_steps < slow_record.num_steps <= fast_record.num_steps + 5 * calls
        assert slow_record.policy == "reach+realtime(0.1s)"
        assert slow_record.episode_hash != fast_record.episode_hash
    late = replace(UNIT, realtime=RealTime(latency_s=10.0))
    assert not any(r.success for r in run_unit(ReachPolicy(), late))
    assert {r.num_steps for r in run_unit(ReachPolicy(), late)} == {120}


class TimedReach(ReachPolicy):
    """Says that each answer took as many control steps as its seed."""

    def act_timed(self, inputs: Sequence[PolicyInput]) -> tuple[np.ndarray, np.ndarray]:
        return self.act(inputs), np.array([item.seed * 0.02 for item in inputs])


def test_a_policy_may_say_how_long_each_answer_took():
    unit = replace(UNIT, seeds=tuple(range(4)), realtime=RealTime())
    for seed, record in enumerate(run_unit(TimedReach(), unit)):
        fixed = replace(UNIT, seeds=(seed,), realtime=RealTime(latency_s=seed * 0.02))
        assert record.num_steps == run_unit(ReachPolicy(), fixed)[0].num_steps
        assert record.policy == "reach+realtime(measured)"


def test_the_whole_call_is_measured_otherwise():
    item = PolicyInput(
        observation={
            "pixels": {"primary": np.zeros((32, 48, 3), np.uint8)},
            "agent_pos": np.zeros(14, np.float32),
        },
        instruction="touch the red cube",
        seed=0,
        step=0,
    )
    chunks, latency_s = act_timed(ReachPolicy(), [item] * 3)
    assert chunks.shape == (3, 10, 14)
    assert latency_s.shape == (3,)
    assert 0 < latency_s[0] < 10


def test_jobs_know_it_by_its_full_name():
    unit = replace(UNIT, seeds=(1,), realtime=RealTime(latency_s=0.1))
    job = RolloutJob(policy=unit.record_name("reach"), policy_factory=ReachPolicy, unit=unit)
    pool = EnvPool()
    records = [record for record in iter_job(job, pool) if record is not None]
    assert [record.policy for record in records] == [job.policy]
    with pytest.raises(ConfigError, match=r"reach\+realtime"):
        list(iter_job(replace(job, policy="reach"), pool))
    pool.close()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"latency_s": -1}, "latency_s"),
        ({"latency_s": float("nan")}, "latency_s"),
        ({"replan_steps": 0}, "replan_steps"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        RealTime(**values)


def test_more_steps_than_a_chunk_has_are_refused():
    with pytest.raises(ConfigError, match="horizon 10, got 11"):
        run_unit(ReachPolicy(), replace(UNIT, realtime=RealTime(replan_steps=11)))
