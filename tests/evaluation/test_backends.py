import os
from functools import partial
from pathlib import Path

import pytest

from uamsim.contract import EpisodeRecord
from uamsim.errors import ConfigError, TrialError
from uamsim.evaluation.backends.inline import InlineBackend
from uamsim.evaluation.backends.jobs import RolloutJob
from uamsim.evaluation.backends.ledger import Ledger
from uamsim.evaluation.config import RolloutUnit
from uamsim.runtime import MALLOC_ENV
from uamsim.testing.envs import REACH_ID
from uamsim.testing.policies import BrokenPolicy, ReachPolicy


def job(factory, first_seed: int, count: int = 3, name: str = "reach") -> RolloutJob:
    unit = RolloutUnit(
        env_id=REACH_ID,
        split="in_domain",
        seeds=tuple(range(first_seed, first_seed + count)),
        env_kwargs={"cameras": ["primary"], "image_size": [32, 48]},
        batch_envs=2,
    )
    return RolloutJob(policy=name, policy_factory=factory, unit=unit)


def noisy_jobs() -> list[RolloutJob]:
    factory = partial(ReachPolicy, noise=0.4)
    return [job(factory, first) for first in (0, 10, 20, 30)]


def die_once(marker: str) -> ReachPolicy:
    if not os.path.exists(marker):
        Path(marker).write_text("died")
        os._exit(1)
    return ReachPolicy()


def count_and_crash(marker: str) -> ReachPolicy:
    with open(marker, "a") as file:
        file.write("x")
    raise RuntimeError("no policy today")


def environment_of(path: str) -> ReachPolicy:
    Path(path).write_bytes(Path("/proc/self/environ").read_bytes())
    return ReachPolicy()


def collect(backend, jobs) -> list[tuple[int, list[EpisodeRecord]]]:
    records: list[list[EpisodeRecord]] = [[] for _ in jobs]
    backend.run_units(jobs, lambda j, record: records[jobs.index(j)].append(record))
    return [(n, sorted(some, key=lambda r: r.seed)) for n, some in enumerate(records)]


@pytest.fixture
def inline():
    backend = InlineBackend()
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def ray_backend():
    pytest.importorskip("ray")
    from uamsim.evaluation.backends.ray import RayBackend

    backend = RayBackend(2)
    yield backend
    backend.close()


def test_a_failed_episode_is_named_and_the_others_finish(tmp_path: Path, inline: InlineBackend):
    sick = partial(BrokenPolicy, name="sick", at_seed=6)
    bad = job(sick, 5, count=5, name="sick")
    jobs = [bad, *noisy_jobs()]
    with Ledger(tmp_path / "l.sqlite") as ledger:
        with pytest.raises(TrialError, match=r"(?s)1 episode.*'sick' on .*seed 6: InvalidAction"):
            ledger.run(inline, jobs)
        assert list(ledger.find(bad)) == [5, 7, 8, 9]
        assert [ledger.load(j) is None for j in jobs] == [True, False, False, False, False]
        with pytest.raises(TrialError, match="1 episode"):
            ledger.run(inline, jobs)


def test_a_policy_must_bear_its_jobs_name(inline: InlineBackend):
    with pytest.raises(TrialError, match="'other'") as failure:
        collect(inline, [job(ReachPolicy, 0, name="other")])
    assert isinstance(failure.value.__cause__, ConfigError)


@pytest.mark.slow
def test_ray_gives_what_inline_gives(ray_backend, inline: InlineBackend):
    assert collect(ray_backend, noisy_jobs()) == collect(inline, noisy_jobs())


@pytest.mark.slow
def test_ray_retries_a_dead_worker(ray_backend, inline: InlineBackend, tmp_path: Path):
    jobs = [job(partial(die_once, str(tmp_path / "marker")), 0), *noisy_jobs()[1:]]
    assert collect(ray_backend, jobs) == collect(inline, jobs)


@pytest.mark.slow
def test_ray_gives_up_after_two_retries_and_names_the_unit(ray_backend, tmp_path: Path):
    bad = job(partial(count_and_crash, str(tmp_path / "count")), 5)
    sick = job(partial(BrokenPolicy, name="sick"), 5, name="sick")
    seeds: list[int] = []
    with pytest.raises(TrialError, match=r"(?s)seeds 5-7: .*no policy today") as failure:
        ray_backend.run_units([bad, sick, noisy_jobs()[1]], lambda _, r: seeds.append(r.seed))
    assert "seed 6: InvalidActionError: policy 'sick'" in str(failure.value)
    assert (tmp_path / "count").read_text() == "xxx"
    assert sorted(seeds) == [10, 11, 12]


@pytest.mark.slow
def test_ray_workers_start_with_the_malloc_environment(ray_backend, tmp_path: Path):
    collect(ray_backend, [job(partial(environment_of, str(tmp_path / "environ")), 0)])
    environment = dict(
        entry.split("=", 1)
        for entry in (tmp_path / "environ").read_bytes().decode().split("\0")
        if "=" in entry
    )
    assert {name: environment.get(name) for name in MALLOC_ENV} == dict(MALLOC_ENV)
