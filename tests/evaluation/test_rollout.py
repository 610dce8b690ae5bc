import dataclasses

import gymnasium as gym
import numpy as np
import pytest

from uamsim.contract import (
    KeyedPolicy,
    Observation,
    Policy,
    PolicyInput,
    PolicySpec,
)
from uamsim.errors import (
    ConfigError,
    InvalidActionError,
    MissingDependencyError,
    UnknownNameError,
)
from uamsim.evaluation.config import EvaluationConfig, RolloutUnit, plan_units
from uamsim.evaluation.controls import (
    CONTROLS,
    BlindPolicy,
    ControlFactory,
    DeafPolicy,
    RandomPolicy,
    ShuffledPolicy,
    control_name,
)
from uamsim.evaluation.environments import EnvPool, make_env
from uamsim.evaluation.rollout import Clip, iter_unit, run_unit, running_seeds
from uamsim.simulated import SimulatedEnv
from uamsim.testing.envs import REACH_ID, ReachEnv
from uamsim.testing.policies import BrokenPolicy, ReachPolicy

KWARGS = {"control": "ee", "cameras": ["primary"], "image_size": [32, 48]}


def unit(seeds: tuple[int, ...], **changes) -> RolloutUnit:
    values = {
        "env_id": REACH_ID,
        "split": "in_domain",
        "env_kwargs": KWARGS,
        "batch_envs": 4,
    } | changes
    return RolloutUnit(seeds=seeds, **values)


def test_fakes_keep_the_contract():
    assert isinstance(ReachPolicy(), Policy)
    assert isinstance(make_env(unit((1,))).unwrapped, SimulatedEnv)


def test_a_good_policy_succeeds_and_records_say_all():
    records = run_unit(ReachPolicy(), unit(tuple(range(6))))
    assert [r.seed for r in records] == list(range(6))
    assert all(r.success and r.stages == {"moved": True, "reached": True} for r in records)
    assert {r.task for r in records} == {"reach"}
    assert {r.render_profile for r in records} == {"fast"}
    assert all(0 < r.num_steps < 120 and r.wall_s > 0 for r in records)
    assert len({r.episode_hash for r in records}) == 6


def test_an_episode_depends_on_its_seed_alone():
    policy = ReachPolicy(noise=0.5, name="noisy")
    short = KWARGS | {"max_episode_steps": 25}
    together = run_unit(policy, unit(tuple(range(11)), env_kwargs=short))
    alone = [run_unit(policy, unit((seed,), env_kwargs=short))[0] for seed in range(11)]
    assert together == alone
    assert {r.success for r in together} == {True, False}
    assert len({r.num_steps for r in together}) > 1


def test_the_policy_always_sees_a_full_batch():
    policy = ReachPolicy()
    run_unit(policy, unit((1, 2, 3, 4, 5)))
    run_unit(policy, unit((1,)))
    assert set(policy.calls) == {4}


class Keyed(ReachPolicy):
    """Rounds in another way where instructions are mixed."""

    def batch_key(self, item):
        return item.instruction

    def act(self, inputs):
        mixed = len({item.instruction for item in inputs}) > 1
        return super().act(inputs) + np.float32(mixed)


def test_inputs_share_a_call_only_where_the_policy_allows_it():
    expected = run_unit(ReachPolicy(), unit(tuple(range(9))))
    assert run_unit(Keyed(), unit(tuple(range(9)))) == expected
    policy = Keyed()
    run_unit(policy, unit(tuple(range(9))))
    assert set(policy.calls) == {4}
    for wrapper in (BlindPolicy, DeafPolicy, ShuffledPolicy):
        assert isinstance(wrapper(policy), KeyedPolicy)


def test_episodes_side_by_side_change_no_record():
    policy, pool = ReachPolicy(noise=0.5), EnvPool()
    expected = run_unit(policy, unit(tuple(range(7))))
    for max_envs in (1, 2, 9):
        played = list(iter_unit(policy, unit(tuple(range(7))), pool, max_envs=max_envs))
        assert sorted([r for r in played if r], key=lambda r: r.seed) == expected
        begun = [len(running_seeds(unit(tuple(range(7))), n, max_envs)) for n in (0, 3)]
        assert begun == [min(max_envs, 4), 3 + min(max_envs, 4)]
    pool.close()


def test_no_seeds_is_no_episode():
    assert run_unit(ReachPolicy(), unit(())) == []


def test_filming_changes_no_record():
    policy, clips = ReachPolicy(noise=0.4, name="noisy"), list[Clip]()
    plain = run_unit(policy, unit((1, 2, 3)))
    large = {"image_size": (64, 96)}
    assert run_unit(policy, unit((1, 2, 3)), clips=clips, film_kwargs=large) == plain
    assert sorted(clip.record.seed for clip in clips) == [1, 2, 3]
    for clip in clips:
        assert clip.frames.shape == (1 + -(-clip.record.num_steps // 5), 64, 96, 3)
        assert clip.frames.dtype == np.uint8


def test_the_pool_reuses_and_evicts():
    pool = EnvPool(max_envs=4)
    first = pool.get(unit((1,)), 2)
    assert pool.get(unit((9, 10)), 2)[0] is first[0]
    assert pool.get(unit((1,)), 3)[:2] == first
    other = unit((1,), split="pinyin")
    pool.get(other, 2)
    assert pool.get(unit((1,)), 1)[0] is not first[0]
    assert make_env(other).unwrapped.perturbations  # type: ignore[attr-defined]
    pool.close()


@pytest.mark.parametrize("defect", ["nan", "shape"])
def test_bad_actions_name_policy_seed_and_shape(defect: str):
    policy = BrokenPolicy(name="sick", defect=defect, at_seed=3)
    with pytest.raises(InvalidActionError, match=r"'sick', episode seed 3.*\(.*14\)"):
        run_unit(policy, unit((3,)))
    assert len(run_unit(policy, unit((1, 2)))) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env_kwargs": KWARGS | {"control": "joint"}}, "control='ee'"),
        ({"env_kwargs": KWARGS | {"cameras": ["left_wrist"]}}, "'primary'"),
        ({"env_kwargs": KWARGS | {"image_size": [16, 16]}}, "image_size"),
    ],
)
def test_an_environment_that_does_not_fit_is_named(changes: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        run_unit(ReachPolicy(), unit((1,), **changes))


def test_a_policy_of_another_rate_is_refused():
    """Its movements would be played faster or slower than they were meant."""
    for rate in (30, None):
        spec = dataclasses.replace(ReachPolicy().spec, control_hz=rate)
        with pytest.raises(ConfigError, match=f"gives {rate} actions a second.*takes 50"):
            run_unit(ReachPolicy(spec=spec), unit((1,)))


def test_unknown_split_gets_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'in_domain'"):
        run_unit(ReachPolicy(), unit((1,), split="in_domian"))
    with pytest.raises(UnknownNameError, match="Did you mean 'pinyin'"):
        EvaluationConfig(splits=("pinyn",))


def test_plan_covers_every_split_and_seed_once():
    config = EvaluationConfig(
        env_ids=(REACH_ID,), episodes=5, in_domain_episodes=7, unit_episodes=3, seed0=100
    )
    units = plan_units(config, ReachPolicy().spec)
    assert {u.split for u in units} == set(config.splits)
    seeds = [s for u in units if u.split == "in_domain" for s in u.seeds]
    assert seeds == list(range(100, 107))
    assert sum(len(u.seeds) for u in units) == 7 + 6 * 5
    assert len({u.unit_hash for u in units}) == len(units)
    assert all(len(u.seeds) <= 3 for u in units)
    few = plan_units(config, ReachPolicy().spec, splits=("in_domain",), episodes=2)
    assert [u.seeds for u in few] == [(100, 101)]


def test_controls_lose_what_they_lack():
    seeds = unit(tuple(range(20)), batch_envs=8)
    sees = sum(r.success for r in run_unit(ReachPolicy(), seeds))
    blind = sum(r.success for r in run_unit(BlindPolicy(ReachPolicy()), seeds))
    deaf = sum(r.success for r in run_unit(DeafPolicy(ReachPolicy()), seeds))
    shuffled = sum(r.success for r in run_unit(ShuffledPolicy(ReachPolicy()), seeds))
    assert sees == 20
    assert blind == 0
    assert shuffled == 0
    assert 0 < deaf < 20


class OneGoalEnv(ReachEnv):
    """Asks for the same in every episode, and counts its resets."""

    resets = 0

    def _lay_out(self) -> None:
        super()._lay_out()
        self._named = "red"
        OneGoalEnv.resets += 1


def test_a_shuffled_policy_is_told_another_goal_without_a_reset(register):
    """Also where all episodes ask for the same, so that no other episode's words would do."""
    seeds = unit(tuple(range(6)), env_id=register(OneGoalEnv))
    OneGoalEnv.resets = 0
    records = run_unit(ShuffledPolicy(ReachPolicy()), seeds)
    assert {record.instruction for record in records} == {"touch the blue cube"}
    assert not any(record.success for record in records)
    assert OneGoalEnv.resets == 6


def test_an_environment_that_knows_no_other_goal_is_named(register):
    says_nothing = {"other_instruction": lambda self, rng: None}
    silent = unit((1,), env_id=register(type("Silent", (ReachEnv,), says_nothing)))
    with pytest.raises(ConfigError, match="does not say what else"):
        run_unit(ShuffledPolicy(ReachPolicy()), silent)
    assert run_unit(ReachPolicy(), silent)[0].success


@pytest.fixture(name="register")
def _register():
    """Makes an environment's class known to Gymnasium; gives its id."""
    known: list[str] = []

    def register(entry_point) -> str:
        known.append(f"uamsim_testing/{entry_point.__name__}-v0")
        gym.register(id=known[-1], entry_point=entry_point)
        return known[-1]

    yield register
    for env_id in known:
        del gym.registry[env_id]


@pytest.mark.parametrize("control", ["ee", "joint"])
def test_random_policy_is_smooth_seeded_and_inside(control):
    spec = PolicySpec(cameras=("primary",), image_size=(32, 48), control=control, horizon=10)
    policy = RandomPolicy(spec)
    kwargs = unit((1, 2), env_kwargs=KWARGS | {"control": control})
    assert run_unit(policy, kwargs) == run_unit(RandomPolicy(spec), kwargs)
    assert run_unit(policy, kwargs)[0].policy == "random"


def test_random_movements_stay_in_range_and_leave_the_gripper_one_way():
    spec = PolicySpec(
        cameras=(), image_size=(8, 8), control="relative", horizon=6, action_dim=7, proprio_dim=15
    )
    observation = Observation(pixels={}, agent_pos=np.full(15, 9, np.float32))
    inputs = [
        PolicyInput(observation=observation, instruction="", seed=seed, step=0)
        for seed in range(30)
    ]
    chunks = RandomPolicy(spec).act(inputs)
    assert chunks.shape == (30, 6, 7)
    assert np.abs(chunks).max() <= 1
    assert (chunks == chunks[:, :1]).all()
    assert set(np.unique(chunks[..., 6])) == {-1.0, 1.0}
    assert len(np.unique(chunks[:, 0, 0])) == 30


def test_control_factory():
    for control in CONTROLS:
        factory = ControlFactory(control=control, spec=ReachPolicy().spec, base=ReachPolicy)
        assert factory().name == control_name(control, "reach")
    with pytest.raises(ConfigError, match="base policy"):
        ControlFactory(control="blind")
    with pytest.raises(UnknownNameError, match="Did you mean 'blind'"):
        ControlFactory(control="blnd")  # type: ignore[arg-type]


def test_a_missing_package_is_named():
    with pytest.raises(MissingDependencyError, match="no_such_package"):
        run_unit(ReachPolicy(), unit((1,), env_id="no_such_package:x/Y-v0"))
