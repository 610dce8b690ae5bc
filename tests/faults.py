"""Jobs on cheap environments, and ways to end them early."""

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from uamsim.contract import EpisodeRecord
from uamsim.evaluation.backends.inline import InlineBackend
from uamsim.evaluation.backends.jobs import OnRecord, PolicyFactory, RolloutJob, iter_job
from uamsim.evaluation.backends.ledger import Ledger, read_ledger
from uamsim.evaluation.backends.schedule import Piece, Schedule
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import EnvPool
from uamsim.testing.envs import REACH_ID
from uamsim.testing.policies import ReachPolicy

NOISY = partial(ReachPolicy, noise=0.4)


def make_job(
    factory: PolicyFactory, seeds: Sequence[int], name: str = "reach", **changes
) -> RolloutJob:
    unit = RolloutUnit(
        env_id=REACH_ID,
        split="in_domain",
        seeds=tuple(seeds),
        env_kwargs={"cameras": ["primary"], "image_size": [32, 48], "max_episode_steps": 40},
        batch_envs=4,
    )
    return RolloutJob(policy=name, policy_factory=factory, unit=replace(unit, **changes))


def noisy_jobs(factory: PolicyFactory = NOISY) -> list[RolloutJob]:
    """Twelve episodes of which some fail."""
    return [
        make_job(factory, range(7)),
        make_job(factory, range(3, 8), split="pinyin"),
    ]


def table(path: Path) -> list[EpisodeRecord]:
    """All episodes of a ledger; records are equal where all but their wall time is."""
    return read_ledger(path)


def undisturbed(path: Path, jobs: Sequence[RolloutJob]) -> list[EpisodeRecord]:
    with Ledger(path) as ledger:
        ledger.run(InlineBackend(), jobs)
    return table(path)


def kill_me() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(work) -> int:
    """Runs the work in a forked process and returns its status, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@dataclass(kw_only=True)
class ScriptedWorkers:
    """A backend of workers that take turns in this process and are killed by a script.

    Attributes:
        num_workers: side by side.
        kill_at: numbers of the events (chunks and records, over all workers) after which the
            worker that had it is dead; its record is lost if it was one.
    """

    num_workers: int
    kill_at: frozenset[int] = frozenset()
    num_events: int = 0
    played: list[int] = field(default_factory=list)

    def run_units(self, jobs: Sequence[RolloutJob], on_record: OnRecord) -> None:
        schedule = Schedule(jobs, num_workers=self.num_workers)
        pools = [EnvPool() for _ in range(self.num_workers)]
        running: dict[int, tuple[Piece, Iterator[EpisodeRecord | None]]] = {}
        while True:
            for index in range(self.num_workers):
                if index not in running and (piece := schedule.next_piece()):
                    running[index] = piece, iter_job(piece.job, pools[index])
            if not running:
                break
            for index, (piece, played) in list(running.items()):
                try:
                    record = next(played)
                except StopIteration:
                    del running[index]
                    continue
                self.num_events += 1
                if self.num_events in self.kill_at:
                    del running[index]
                    pools[index] = EnvPool()
                    schedule.failed(piece, "killed", may_pass=True)
                    continue
                piece.is_ready = True
                if record is not None:
                    on_record(piece.whole, record)
                    piece.finished.add(record.seed)
        schedule.raise_failures()

    def close(self) -> None:
        pass
