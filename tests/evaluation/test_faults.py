"""Whatever ends a run early, the next one completes it to the same table."""

import signal
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faults import (
    NOISY,
    ScriptedWorkers,
    in_child,
    kill_me,
    make_job,
    noisy_jobs,
    table,
    undisturbed,
)
from uamsim.contract import EpisodeRecord
from uamsim.errors import TrialError
from uamsim.evaluation.backends.inline import InlineBackend
from uamsim.evaluation.backends.jobs import RolloutJob
from uamsim.evaluation.backends.ledger import Ledger
from uamsim.evaluation.backends.schedule import MAX_RETRIES, Schedule
from uamsim.testing.policies import BrokenPolicy, ReachPolicy

NUM_EPISODES = 12


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[EpisodeRecord]:
    records = undisturbed(tmp_path_factory.mktemp("whole") / "l.sqlite", noisy_jobs())
    assert {record.success for record in records} == {True, False}
    assert len(records) == NUM_EPISODES
    return records


def run_until_killed(path: Path, moment: str, number: int) -> None:
    """Runs all jobs, but the process is killed before, inside or after a commit."""

    class Dying(Ledger):
        num_added = 0

        def add(self, job: RolloutJob, record: EpisodeRecord) -> None:
            self.num_added += 1
            last = self.num_added == number
            if last and moment == "before":
                kill_me()
            if last and moment == "inside":
                self._db.set_trace_callback(lambda sql: kill_me() if sql == "COMMIT" else None)
            super().add(job, record)
            if last:
                kill_me()

    with Dying(path) as ledger:
        ledger.run(InlineBackend(), noisy_jobs())


@pytest.mark.parametrize("number", range(1, NUM_EPISODES + 1))
@pytest.mark.parametrize("moment", ["before", "inside", "after"])
def test_a_killed_driver(tmp_path: Path, expected, moment: str, number: int):
    path = tmp_path / "l.sqlite"
    assert in_child(partial(run_until_killed, path, moment, number)) == -signal.SIGKILL
    num_kept = number if moment == "after" else number - 1
    assert len(table(path)) == num_kept
    again: list[EpisodeRecord | None] = []
    with Ledger(path) as ledger:
        ledger.run(InlineBackend(), noisy_jobs(), lambda _, __, record: again.append(record))
    assert len(again) == 1 + NUM_EPISODES - num_kept
    assert table(path) == expected


@pytest.mark.parametrize("num_workers", [1, 2, 5])
def test_any_number_of_workers_gives_the_same_ledger(tmp_path: Path, expected, num_workers: int):
    path = tmp_path / "l.sqlite"
    with Ledger(path) as ledger:
        ledger.run(ScriptedWorkers(num_workers=num_workers), noisy_jobs())
    assert table(path) == expected


@pytest.mark.parametrize("num_workers", [1, 2, 5])
@pytest.mark.parametrize("event", range(1, 28, 2))
def test_a_killed_worker(tmp_path: Path, expected, num_workers: int, event: int):
    path = tmp_path / "l.sqlite"
    backend = ScriptedWorkers(num_workers=num_workers, kill_at=frozenset({event, event + 3}))
    with Ledger(path) as ledger:
        ledger.run(backend, noisy_jobs())
    assert backend.num_events > event
    assert table(path) == expected


class CrashesOnce(ReachPolicy):
    """Raises in its call of a number, over all that were made."""

    num_calls = 0

    def __init__(self, number: int) -> None:
        super().__init__(noise=0.4)
        self.number = number

    def act(self, inputs):
        CrashesOnce.num_calls += 1
        if CrashesOnce.num_calls == self.number:
            raise RuntimeError("the fake policy crashed as asked")
        return super().act(inputs)


@pytest.mark.parametrize("number", range(1, 11))
def test_an_exception_in_the_policy(tmp_path: Path, expected, number: int):
    CrashesOnce.num_calls = 0
    path = tmp_path / "l.sqlite"
    with Ledger(path) as ledger:
        ledger.run(InlineBackend(), noisy_jobs(partial(CrashesOnce, number)))
    assert CrashesOnce.num_calls > number
    assert table(path) == expected


def test_an_episode_that_always_fails_stops_no_other(tmp_path: Path, expected):
    path = tmp_path / "l.sqlite"
    state = {"at_seed": 5}

    def sick() -> BrokenPolicy:
        return BrokenPolicy(name="reach", noise=0.4, defect="crash", at_seed=state["at_seed"])

    with Ledger(path) as ledger:
        with pytest.raises(TrialError, match=r"2 episode\(s\) failed") as failure:
            ledger.run(InlineBackend(), noisy_jobs(sick))
        assert table(path) == [record for record in expected if record.seed != 5]
        assert "split 'in_domain', seed 5: RuntimeError" in str(failure.value)
        assert "split 'pinyin', seed 5: RuntimeError" in str(failure.value)
        state["at_seed"] = -1
        ledger.run(InlineBackend(), noisy_jobs(sick))
    assert table(path) == expected


def test_pieces_are_a_batch_while_there_is_enough_and_small_at_the_end():
    schedule, sizes = Schedule([make_job(NOISY, range(50))], num_workers=2), []
    while piece := schedule.next_piece():
        sizes.append(len(piece.job.unit.seeds))
    assert sizes == [13, 10, 7, 5, 4, 4, 4, 2, 1]  # of a batch of 4
    whole = Schedule([make_job(NOISY, range(50))], num_workers=1).next_piece()
    assert whole is not None
    assert len(whole.job.unit.seeds) == 50


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_schedule_finishes_or_names_every_episode(data: st.DataObject):
    num_workers = data.draw(st.integers(1, 5))
    bad = data.draw(st.sets(st.integers(0, 30)))
    jobs = [make_job(NOISY, range(12)), make_job(NOISY, range(12, 31), split="pinyin")]
    schedule = Schedule(jobs, num_workers=num_workers)
    tried, finished = dict.fromkeys(range(31), 0), list[int]()
    while piece := schedule.next_piece():
        assert set(piece.job.unit.seeds).isdisjoint(finished)
        seeds = piece.job.unit.seeds
        piece.is_ready = data.draw(st.booleans()) or len(seeds) > 1
        num_good = data.draw(st.integers(0, len(seeds)))
        ends_early = num_good < len(seeds)
        for position, seed in enumerate(seeds):
            if seed in bad:
                tried[seed] += position <= num_good + 3
                ends_early = True
            elif position < num_good:
                piece.finished.add(seed)
                finished.append(seed)
        if ends_early:
            schedule.failed(piece, "killed", may_pass=True)
    try:
        schedule.raise_failures()
        named = 0
    except TrialError as error:
        named = int(str(error).split()[0])
    assert len(finished) == len(set(finished))
    assert len(finished) + named == 31
    assert all(tries <= 2 * (MAX_RETRIES + 1) for tries in tried.values())
