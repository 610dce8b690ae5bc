import os
from functools import partial
from pathlib import Path

import pytest

from uamsim.contract import EpisodeRecord
from uamsim.errors import ConfigError, StorageError, TrialError
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.episode_store import EpisodeStore
from uamsim.evaluation.jobs import InlineBackend, RolloutJob
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


def collect(backend, jobs) -> dict[str, list[EpisodeRecord]]:
    results: dict[str, list[EpisodeRecord]] = {}
    backend.run_units(jobs, lambda j, records: results.update({j.job_hash: records}))
    return results


@pytest.fixture
def inline():
    backend = InlineBackend()
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def ray_backend():
    pytest.importorskip("ray")
    from uamsim.evaluation.ray_backend import RayBackend

    backend = RayBackend(2)
    yield backend
    backend.close()


def test_store_resumes_and_redoes_torn_files(tmp_path: Path, inline: InlineBackend):
    store, jobs, seen = EpisodeStore(tmp_path / "episodes"), noisy_jobs(), []
    records = store.run(inline, jobs, lambda done, total: seen.append((done, total)))
    assert seen == [(n, 4) for n in range(5)]
    assert len(records) == 12
    torn, empty, other = (store.path(j) for j in jobs[:3])
    torn.write_text(torn.read_text()[:-40])
    empty.write_text("")
    other.write_text(store.path(jobs[3]).read_text())
    assert [store.load(j) is None for j in jobs] == [True, True, True, False]
    times = store.path(jobs[3]).stat().st_mtime_ns
    assert store.run(inline, jobs) == records
    assert store.path(jobs[3]).stat().st_mtime_ns == times
    assert store.run(None, jobs) == records  # type: ignore[arg-type]
    assert not list(store.root.glob("*.part"))


def test_store_says_that_it_cannot_write(tmp_path: Path, inline: InlineBackend):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="resume"):
        EpisodeStore(tmp_path / "file").run(inline, noisy_jobs()[:1])


def test_a_failed_unit_is_named_and_the_others_finish(tmp_path: Path, inline: InlineBackend):
    bad = job(partial(BrokenPolicy, name="sick"), 5, name="sick")
    jobs = [bad, *noisy_jobs()]
    store = EpisodeStore(tmp_path)
    with pytest.raises(TrialError, match=r"'sick' on .*seeds 5-7: InvalidActionError"):
        store.run(inline, jobs)
    assert [store.load(j) is None for j in jobs] == [True, False, False, False, False]


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
    results: list[str] = []
    with pytest.raises(TrialError, match=r"(?s)seeds 5-7: .*no policy today") as failure:
        ray_backend.run_units([bad, sick, noisy_jobs()[1]], lambda j, _: results.append(j.job_hash))
    assert "InvalidActionError: policy 'sick'" in str(failure.value)
    assert (tmp_path / "count").read_text() == "xxx"
    assert results == [noisy_jobs()[1].job_hash]


@pytest.mark.slow
def test_ray_workers_start_with_the_malloc_environment(ray_backend, tmp_path: Path):
    collect(ray_backend, [job(partial(environment_of, str(tmp_path / "environ")), 0)])
    environment = dict(
        entry.split("=", 1)
        for entry in (tmp_path / "environ").read_bytes().decode().split("\0")
        if "=" in entry
    )
    assert {name: environment.get(name) for name in MALLOC_ENV} == dict(MALLOC_ENV)
