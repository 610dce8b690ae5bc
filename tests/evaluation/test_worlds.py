"""What a world is made of is a part of what its episodes are filed under."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import pytest

from uamsim.contract import EpisodeRecord
from uamsim.errors import ConfigError
from uamsim.evaluation.backends.jobs import OnRecord, RolloutJob
from uamsim.evaluation.backends.ledger import Ledger
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.controls import ControlFactory
from uamsim.evaluation.environments import EnvPool, identify, make_env, world_rows
from uamsim.simulated import simulated
from uamsim.testing.envs import REACH_ID, ReachEnv

FOREIGN = "uamsim_test/Foreign-v0"


class Foreign(ReachEnv):
    """A world that depends on more than this repository."""

    assets: ClassVar[str] = "made up"
    closed: ClassVar[list[str]] = []
    kept_idle = False

    @property
    def identity(self) -> dict[str, str]:
        return {"assets": self.assets}

    def prepare(self, seed: int) -> Iterator[None]:
        yield from (None,) * seed

    def close(self) -> None:
        self.closed.append(self.render_profile)


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    gym.register(id=FOREIGN, entry_point=f"{__name__}:Foreign")
    yield
    del gym.registry[FOREIGN]
    Foreign.assets = "made up"
    Foreign.closed.clear()


def unit(env_id: str = FOREIGN, **kwargs: Any) -> RolloutUnit:
    return RolloutUnit(env_id=env_id, split="in_domain", seeds=(0,), env_kwargs=kwargs)


def job(given: RolloutUnit) -> RolloutJob:
    factory: Any = ControlFactory
    return RolloutJob(policy="x", policy_factory=factory, unit=given)


def test_only_foreign_worlds_are_identified() -> None:
    own, foreign = identify([unit(REACH_ID), unit(render_profile="fine")])
    assert own == unit(REACH_ID)
    world = {"assets": "made up", "renderer": "fine", "comparable": False}
    assert foreign.world == world
    assert world_rows([own, foreign, foreign]) == [{"env_id": FOREIGN, **world}]
    # What was stored before there were such worlds keeps its key.
    assert "world" not in job(own).setting


def test_other_assets_are_other_episodes_and_no_worker_mixes_them() -> None:
    (before,) = identify([unit()])
    make_env(before).close()
    Foreign.assets = "real"
    (after,) = identify([unit()])
    assert job(before).setting != job(after).setting
    with pytest.raises(ConfigError, match=r'planned with .*"made up".* here it has .*"real"'):
        make_env(before)


def test_an_environment_that_costs_memory_goes_when_another_comes() -> None:
    pool = EnvPool()
    first, second = unit(render_profile="a"), unit(render_profile="b")
    (env,) = pool.get(first, 1)
    assert pool.get(first, 1) == [env]
    assert not Foreign.closed
    pool.get(second, 1)
    assert Foreign.closed == ["a"]
    pool.get(unit(REACH_ID), 1)
    assert Foreign.closed == ["a", "b"]
    pool.close()


class Order:
    """A backend that plays nothing and keeps the order."""

    def __init__(self) -> None:
        self.envs: list[str] = []

    def run_units(self, jobs: Sequence[RolloutJob], on_record: OnRecord) -> None:
        for job in jobs:
            self.envs.append(job.unit.env_id)
            record = EpisodeRecord(
                policy=job.policy,
                env_id=job.unit.env_id,
                task="",
                split="",
                seed=0,
                instruction="",
                success=True,
                stages={},
                num_steps=1,
                render_profile="",
            )
            on_record(job, record)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(("world", "order"), [(None, "abab"), ({"assets": "x"}, "aabb")])
def test_a_foreign_world_is_used_up_before_the_next(
    tmp_path: Path, world: dict[str, str] | None, order: str
) -> None:
    jobs = [
        replace(job(replace(unit(env_id), world=world)), policy=policy)
        for policy in ("first", "second")
        for env_id in "ab"
    ]
    backend = Order()
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        records = ledger.run(backend, jobs)
    assert "".join(backend.envs) == order
    assert [record.env_id for record in records] == list("abab")


def test_what_takes_long_is_done_in_parts() -> None:
    env = make_env(unit())
    assert len(list(simulated(env).prepare(3))) == 3
    assert not list(simulated(make_env(replace(unit(), env_id=REACH_ID))).prepare(3))
