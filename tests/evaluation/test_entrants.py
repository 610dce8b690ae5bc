"""Both verbs plan, name and count alike."""

import dataclasses

import numpy as np
import pytest

from uamsim.contract import EpisodeRecord, Observation, PolicyInput
from uamsim.evaluation import entrants
from uamsim.evaluation.config import EvaluationConfig
from uamsim.evaluation.controls import RandomPolicy
from uamsim.evaluation.entrants import Entrant, control_of, not_applicable, plan_jobs
from uamsim.evaluation.realtime import RealTime
from uamsim.evaluation.tables import PairedTest, make_tables
from uamsim.orchestration.evaluate.policies import find_entrants
from uamsim.orchestration.evaluate.request import EvaluationRequest
from uamsim.orchestration.evaluate.run import plan
from uamsim.reporting.remarks import not_applicable_remarks
from uamsim.simulated import SimulatedEnv
from uamsim.testing.envs import REACH_ID, ReachEnv
from uamsim.testing.policies import ReachPolicy
from uamsim.worlds import WORLDS, world_of

POLICY = Entrant(
    name="reach",
    factory=ReachPolicy,
    spec=ReachPolicy().spec,
    variant="uam",
    e_sem="frozen",
    seed=3,
)
CONFIG = EvaluationConfig(
    env_ids=(REACH_ID,),
    splits=("pinyin", "in_domain"),
    episodes=5,
    in_domain_episodes=7,
    control_episodes=3,
    unit_episodes=4,
    render_profile=None,
)


def test_the_shuffled_control_is_left_out_where_no_other_goal_can_be_told(monkeypatch):
    everyone = [POLICY, control_of(POLICY, "deaf"), control_of(POLICY, "shuffled")]
    assert not_applicable([REACH_ID], {"shuffled"}) == []
    assert len({job.policy for job in plan_jobs(CONFIG, everyone)}) == 3
    monkeypatch.setattr(ReachEnv, "other_instruction", SimulatedEnv.other_instruction)
    jobs = plan_jobs(CONFIG, everyone)
    assert {job.policy for job in jobs} == {"reach", "reach+deaf"}
    tables = make_tables(everyone, [], {REACH_ID: "s"})
    (row,) = tables.not_applicable
    assert (row["control"], row["env_id"]) == ("shuffled", REACH_ID)
    (remark,) = not_applicable_remarks(tables.not_applicable)
    assert remark.startswith("The shuffled control is not applicable in")
    assert make_tables(everyone[:2], [], {REACH_ID: "s"}).not_applicable == []


def test_controls_run_a_few_episodes_in_domain_the_first_of_their_policys():
    jobs = plan_jobs(CONFIG, [POLICY, control_of(POLICY, "deaf")])
    seeds = {}
    for job in jobs:
        seeds.setdefault((job.policy, job.unit.split), []).extend(job.unit.seeds)
    start = CONFIG.seed0
    assert seeds == {
        ("reach", "pinyin"): list(range(start, start + 5)),
        ("reach", "in_domain"): list(range(start, start + 7)),
        ("reach+deaf", "in_domain"): list(range(start, start + 3)),
    }
    assert max(len(job.unit.seeds) for job in jobs) == 4


def test_an_experiment_and_an_evaluation_plan_the_same_episodes():
    request = EvaluationRequest(policy="reach", env=(REACH_ID,), episodes=6)
    config = EvaluationConfig(
        env_ids=(REACH_ID,), splits=("in_domain",), in_domain_episodes=6, render_profile=None
    )
    (asked,), (planned,) = plan(request, [POLICY]), plan_jobs(config, [POLICY])
    assert asked.setting == planned.setting
    assert asked.unit.seeds == planned.unit.seeds


def test_a_policy_that_is_charged_for_its_latency_is_another_one():
    charged = dataclasses.replace(POLICY, realtime=RealTime(latency_s=0.1))
    deaf = control_of(charged, "deaf")
    jobs = plan_jobs(CONFIG, [charged, deaf])
    assert {job.policy for job in jobs} == {charged.policy, deaf.policy}
    assert charged.policy != POLICY.policy
    assert deaf.beside == charged.policy
    assert all(job.unit.realtime == charged.realtime for job in jobs)


def test_a_control_belongs_to_its_policys_training_but_chance_to_none():
    assert control_of(POLICY, "blind").columns == {
        "policy": "reach+blind",
        "control": "blind",
        "variant": "uam",
        "e_sem": "frozen",
        "seed": 3,
    }
    random = control_of(POLICY, "random")
    assert (random.variant, random.e_sem, random.beside) == (None, None, "reach")


def record(policy, seed, success, *, env_id="a", split="in_domain"):
    return EpisodeRecord(
        policy=policy,
        env_id=env_id,
        task=env_id,
        split=split,
        seed=seed,
        instruction="",
        success=success,
        stages={},
        num_steps=1,
        render_profile="fast",
    )


def test_every_table_says_whose_its_rows_are_and_counts_the_same_episodes():
    blind = control_of(POLICY, "blind")
    records = [
        record(policy, seed, policy == "reach" or seed % 2 == 0, env_id=env_id)
        for policy in ("reach", "reach+blind")
        for env_id in ("a", "b")
        for seed in reversed(range(20))
    ]
    tables = make_tables([POLICY, blind], records, {"a": "s", "b": "s"})
    for rows in (tables.rows, tables.suites, tables.comparisons):
        for row in rows:
            owner = next(e for e in (POLICY, blind) if e.policy == row["policy"])
            assert owner.columns.items() <= row.items()
    assert [(row["policy"], row["task"], row["successes"]) for row in tables.rows] == [
        ("reach", "a", 20),
        ("reach", "b", 20),
        ("reach+blind", "a", 10),
        ("reach+blind", "b", 10),
    ]
    # In the order of the seeds, however they finished.
    assert tables.rows[2]["outcomes"] == [True, False] * 10
    assert [(row["suite"], row["tasks"], row["rate"]) for row in tables.suites] == [
        ("s", 2, 1.0),
        ("s", 2, 0.5),
    ]
    pooled, *alone = tables.comparisons
    assert (pooled["reference"], pooled["task"], pooled["episodes"]) == ("reach", None, 40)
    assert pooled["difference"] == -0.5
    assert [row["task"] for row in alone] == ["a", "b"]


@pytest.mark.parametrize("seeds", [range(5), range(0)])
def test_policies_without_a_shared_episode_are_not_compared(seeds):
    rival = dataclasses.replace(POLICY, name="rival", beside="reach")
    records = [record("reach", seed, True) for seed in range(5)]
    records += [record("rival", seed, True, split="pinyin") for seed in seeds]
    assert make_tables([POLICY, rival], records, {"a": "s"}).comparisons == []


def test_a_comparison_says_with_which_error_rate_it_was_made():
    rival = dataclasses.replace(POLICY, name="rival", beside="reach")
    records = [
        record(name, seed, name == "rival") for name in ("reach", "rival") for seed in range(9)
    ]
    (loose,), (strict,) = (
        make_tables([POLICY, rival], records, {"a": "s"}, PairedTest(alpha=alpha)).comparisons
        for alpha in (0.2, 0.01)
    )
    assert (loose["alpha"], strict["alpha"]) == (0.2, 0.01)
    assert loose["ci_low"] > strict["ci_low"]


@pytest.mark.parametrize("name", list(WORLDS))
def test_chance_moves_in_every_environment(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(entrants, "identify", list)  # which asks for foreign simulators
    world = WORLDS[name]
    entries = [entry for entry in world.environments if entry.task]
    request = EvaluationRequest(policy="random", env=tuple(entry.id for entry in entries))
    jobs = plan_jobs(request.config, find_entrants(request))
    assert {job.policy for job in jobs} == {"random"}
    for job in jobs:
        own = world_of(job.unit.env_id)
        sizes, policy = own.sizes(own.control), job.policy_factory()
        assert isinstance(policy, RandomPolicy)
        state = np.zeros(sizes.proprio_dim, np.float32)
        seen = Observation(pixels={}, agent_pos=state)
        chunks = policy.act([PolicyInput(observation=seen, instruction="", seed=1, step=0)])
        assert chunks.shape == (1, 24, sizes.action_dim)
        assert np.isfinite(chunks).all()
        assert policy.spec.control_hz == own.control_hz
