"""Rolls out on Ray actors, each a process with its own environments and loaded policies."""

import os
import socket
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from uamsim.contract import EpisodeRecord
from uamsim.errors import (
    ConfigError,
    MissingDependencyError,
    PolicyServerError,
    TrialError,
    UamsimError,
)
from uamsim.evaluation.backends.jobs import OnRecord, RolloutJob, iter_job
from uamsim.evaluation.backends.schedule import Piece, Schedule
from uamsim.evaluation.environments import EnvPool
from uamsim.runtime import process_environment

# A local Ray gives its workers niceness 15, so that they would wait behind all else that runs.
os.environ.setdefault("RAY_worker_niceness", "0")

try:
    import ray
    from ray.exceptions import RayError

    from uamsim.evaluation.backends.inference import Inference, InferenceActors
except ImportError as error:
    raise MissingDependencyError(
        "rolling out on workers needs Ray; install it with `pip install 'ray[tune]>=2.55'`, or "
        "use the inline runner."
    ) from error

BEAT_S = 1.0
MAX_FAILED_STARTS = 3
START_TIMEOUT_S = 300.0
CONNECT_TIMEOUT_S = 10.0


@dataclass(kw_only=True)
class _Report:
    """What a worker says after a while.

    Attributes:
        records: of episodes that ended meanwhile.
        is_done: whether the piece is at its end.
        error: what ended it early; text where it is not uamsim's own, since not every exception
            survives pickling.
    """

    records: list[EpisodeRecord] = field(default_factory=list)
    is_done: bool = False
    error: UamsimError | str | None = None


class _Worker:
    """The actor: runs a piece a little further with each call."""

    def __init__(self) -> None:
        self._pool = EnvPool()
        self._played: Iterator[EpisodeRecord | None] = iter(())

    def ready(self) -> bool:
        return True

    def begin(self, job: RolloutJob, max_envs: int | None) -> _Report:
        """Makes what the job needs."""
        self._played = iter_job(job, self._pool, max_envs=max_envs)
        return self._advance(0)

    def advance(self) -> _Report:
        """Goes on until an episode ends, or for about ``BEAT_S`` as a sign of life."""
        return self._advance(BEAT_S)

    def _advance(self, duration_s: float) -> _Report:
        started = time.monotonic()
        try:
            for record in self._played:
                if record is not None:
                    return _Report(records=[record])
                if time.monotonic() - started >= duration_s:
                    return _Report()
        except UamsimError as error:
            return _Report(error=error)
        except Exception as error:
            return _Report(error=f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
        return _Report(is_done=True)


@dataclass(kw_only=True, eq=False)
class _Handle:
    """A worker as the driver sees it.

    Attributes:
        index: its place, which decides whom it asks for inference.
        call: in progress.
        since: when the call was made (s, monotonic).
        piece: that it runs, None while it starts or waits.
    """

    actor: Any
    index: int
    call: Any = None
    since: float = field(default_factory=time.monotonic)
    piece: Piece | None = None


class RayBackend:
    """Runs jobs on ``num_workers`` actors of one CPU each.

    Episodes whose worker dies, hangs or raises an unexpected error are tried ``MAX_RETRIES`` more
    times, alone and on a new worker. An error of uamsim's own (a NaN action, an unknown split)
    would only come again and is not. Joins the Ray that runs, or starts one on this machine and
    stops it on ``close``.

    Args:
        num_workers: actors with environments.
        address: of a cluster ("auto", or "host:6379"); None joins what this process is connected
            to, or starts a Ray of its own.
        timeout_s: a worker that finishes no chunk for so long is killed. Making the policy and the
            environments counts as one.
        max_envs: episodes that a worker runs side by side, where fewer than a batch of the policy.
        inference: policies run in actors of their own; None runs them in the workers.

    Raises:
        ConfigError: a number that its meaning does not allow, or no cluster at the address.
    """

    def __init__(
        self,
        num_workers: int,
        *,
        address: str | None = None,
        timeout_s: float = 300.0,
        max_envs: int | None = None,
        inference: Inference | None = None,
    ) -> None:
        if num_workers < 1 or (max_envs is not None and max_envs < 1):
            raise ConfigError(
                f"num_workers and max_envs must be at least 1, got {num_workers}, {max_envs}."
            )
        if timeout_s <= 2 * BEAT_S:
            raise ConfigError(f"timeout_s must be more than {2 * BEAT_S:g}, got {timeout_s}.")
        self._num_workers, self._timeout_s, self._max_envs = num_workers, timeout_s, max_envs
        self._own_ray = not ray.is_initialized()
        if self._own_ray:
            _connect(address, num_workers + (0 if inference is None else inference.num_actors))
        gpus = 0.0 if inference is None else inference.gpus_each
        there = ray.cluster_resources().get("GPU", 0.0) if gpus else 0.0
        if gpus > there:
            if self._own_ray:
                ray.shutdown()
            raise ConfigError(
                f"an inference process was to take {gpus:g} GPUs (--gpus-per-inference), and Ray "
                f"has {there:g}. Leave it out to run on CPUs, or name a cluster with --address."
            )
        self._inference = None if inference is None else InferenceActors(inference, num_workers)
        remote_worker: Any = ray.remote(_Worker)
        self._actor_class = remote_worker.options(
            num_cpus=1, runtime_env={"env_vars": process_environment()}
        )
        self._workers: list[_Handle] = []

    def run_units(self, jobs: Sequence[RolloutJob], on_record: OnRecord) -> None:
        """See ``RolloutBackend.run_units``."""
        schedule = Schedule(jobs, num_workers=self._num_workers, max_envs=self._max_envs)
        num_failed_starts = 0
        try:
            while len(schedule) or any(worker.piece for worker in self._workers):
                self._hire(sum(len(job.unit.seeds) for job in jobs))
                self._hand_out(schedule)
                for worker in self._ended():
                    starting, piece = worker.piece is None, worker.piece
                    try:
                        report: Any = ray.get(worker.call)
                    except RayError as error:
                        self._dismiss(worker)
                        reason = f"its worker died: {error}"
                        if piece is not None:
                            schedule.failed(piece, reason, may_pass=True)
                            continue
                        num_failed_starts += 1
                        if num_failed_starts > MAX_FAILED_STARTS:
                            raise TrialError(f"workers do not start: {error}") from error
                        continue
                    worker.call = None
                    if not starting:
                        self._take(schedule, worker, report, on_record)
                self._watch(schedule)
        finally:
            for worker in [w for w in self._workers if w.piece]:
                self._dismiss(worker)
        schedule.raise_failures()

    def _take(
        self, schedule: Schedule, worker: _Handle, report: _Report, on_record: OnRecord
    ) -> None:
        """Hands over what a worker has finished, and lets it go on."""
        piece, error = worker.piece, report.error
        assert piece is not None
        goes_on = error is None and not report.is_done
        if goes_on:  # while its records are stored
            worker.call, worker.since = worker.actor.advance.remote(), time.monotonic()
        for record in report.records:
            on_record(piece.whole, record)
            piece.finished.add(record.seed)
        if goes_on:
            piece.is_ready = True
            return
        worker.piece = None
        if error is not None:
            may_pass = isinstance(error, (str, PolicyServerError))
            if may_pass:
                self._dismiss(worker)
            schedule.failed(piece, error, may_pass=may_pass)

    def _hire(self, num_needed: int) -> None:
        """Starts workers for the places that are free."""
        taken = {worker.index for worker in self._workers}
        for index in range(min(self._num_workers, num_needed)):
            if index not in taken:
                actor = self._actor_class.remote()
                self._workers.append(_Handle(actor=actor, index=index, call=actor.ready.remote()))

    def _hand_out(self, schedule: Schedule) -> None:
        for worker in self._workers:
            if worker.call is None and (piece := schedule.next_piece()):
                job = piece.job
                if self._inference is not None:
                    job = self._inference.remote_job(job, worker.index)
                worker.piece, worker.since = piece, time.monotonic()
                worker.call = worker.actor.begin.remote(job, self._max_envs)

    def _ended(self) -> list[_Handle]:
        """The workers whose calls have ended; waits for the first, but not past a time-out."""
        calls = {worker.call: worker for worker in self._workers if worker.call is not None}
        ended, _ = ray.wait(list(calls), num_returns=1, timeout=BEAT_S)
        if ended:
            ended, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0)
        return [calls[call] for call in ended]

    def _watch(self, schedule: Schedule) -> None:
        """Kills workers that are silent for too long.

        Raises:
            TrialError: no worker has started, and none runs.
        """
        late = time.monotonic() - self._timeout_s
        for worker in [w for w in self._workers if w.piece and w.call and w.since < late]:
            piece = worker.piece
            if ray.wait([worker.call], timeout=0)[0]:
                continue  # it was this process that was slow
            self._dismiss(worker)
            if self._inference is not None:
                # It may be what hangs; a restarted one answers the others' calls again.
                ray.kill(self._inference.of_worker(worker.index), no_restart=False)
            if piece is not None:
                reason = f"no sign of life for {self._timeout_s:g} s (--timeout-s)"
                schedule.failed(piece, reason, may_pass=True)
        starting = [w for w in self._workers if w.call and not w.piece]
        late = time.monotonic() - START_TIMEOUT_S
        if len(starting) == len(self._workers) and any(w.since < late for w in starting):
            free = ray.available_resources()
            raise TrialError(
                f"no worker has started for {START_TIMEOUT_S:g} s. Each takes one CPU; free are "
                f"{free.get('CPU', 0):g} CPUs and {free.get('GPU', 0):g} GPUs. Ask for fewer "
                "workers, or for more of the cluster."
            )

    def _dismiss(self, worker: _Handle) -> None:
        ray.kill(worker.actor)
        self._workers.remove(worker)
        worker.piece = worker.call = None

    def close(self) -> None:
        """Stops the workers, and Ray if this backend started it."""
        for worker in list(self._workers):
            self._dismiss(worker)
        if self._inference is not None:
            self._inference.close()
        if self._own_ray and ray.is_initialized():
            ray.shutdown()


def _connect(address: str | None, num_cpus: int) -> None:
    if address is None:
        ray.init(
            address="local",
            num_cpus=num_cpus,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
        )
        return
    host, colon, port = address.rpartition(":")
    try:
        if colon and "://" not in address and port.isdecimal():
            # Ray itself would try for minutes.
            socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S).close()
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"no Ray cluster at {address!r}: {error}. Start one with `ray start --head`, or leave "
            "out --address to run on this machine."
        ) from error
