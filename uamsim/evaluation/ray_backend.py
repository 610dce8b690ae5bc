"""Rolls out on Ray actors, each a process with its own environments and loaded policies."""

import traceback
from collections import deque
from collections.abc import Sequence
from typing import Any

from uamsim.contract import EpisodeRecord
from uamsim.errors import ConfigError, MissingDependencyError, UamsimError
from uamsim.evaluation.jobs import OnDone, RolloutJob, raise_failures, run_job
from uamsim.evaluation.rollout import EnvPool
from uamsim.runtime import process_environment

try:
    import ray
    from ray.exceptions import RayActorError, RayTaskError
except ImportError as error:
    raise MissingDependencyError(
        "rolling out on workers needs Ray; install it with `pip install 'ray[tune]>=2.55'`, or "
        "use the inline runner."
    ) from error

MAX_RETRIES = 2


class _Worker:
    """The actor: errors come back as text, since not every exception survives pickling."""

    def __init__(self) -> None:
        self._pool = EnvPool()

    def run(self, job: RolloutJob) -> tuple[list[EpisodeRecord] | None, str, bool]:
        """Records, or None with the reason and whether another attempt could help."""
        try:
            return run_job(job, self._pool), "", False
        except UamsimError as error:
            return None, f"{type(error).__name__}: {error}", False
        except Exception as error:
            return None, f"{type(error).__name__}: {error}\n{traceback.format_exc()}", True


class RayBackend:
    """Runs jobs on ``num_workers`` actors of one CPU each.

    A job whose worker dies or raises an unexpected error is tried ``MAX_RETRIES`` more times, on
    a new worker; an error of uamsim's own (a NaN action, an unknown split) would only come again
    and is not. Starts a local Ray where none is running, and stops it on ``close``.
    """

    def __init__(self, num_workers: int) -> None:
        if num_workers < 1:
            raise ConfigError(f"num_workers must be at least 1, got {num_workers}.")
        self._num_workers = num_workers
        self._own_ray = not ray.is_initialized()
        if self._own_ray:
            ray.init(
                num_cpus=num_workers,
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
            )
        remote_worker: Any = ray.remote(_Worker)
        self._actor_class = remote_worker.options(
            num_cpus=1, runtime_env={"env_vars": process_environment()}
        )
        self._idle: list[Any] = []

    def run_units(self, jobs: Sequence[RolloutJob], on_done: OnDone) -> None:
        """See ``RolloutBackend.run_units``; a job's records arrive when it ends."""
        waiting = deque((job, 0) for job in jobs)
        running: dict[Any, tuple[Any, RolloutJob, int]] = {}
        failures: list[tuple[RolloutJob, str]] = []
        try:
            while waiting or running:
                while waiting and len(running) < self._num_workers:
                    job, attempt = waiting.popleft()
                    actor = self._idle.pop() if self._idle else self._actor_class.remote()
                    running[actor.run.remote(job)] = (actor, job, attempt)
                (done,), _ = ray.wait(list(running), num_returns=1)
                actor, job, attempt = running.pop(done)
                try:
                    records, reason, retry = ray.get(done)
                except (RayActorError, RayTaskError) as error:
                    records, reason, retry = None, f"the worker died: {error}", True
                if retry:
                    ray.kill(actor)
                else:
                    self._idle.append(actor)
                if records is not None:
                    on_done(job, records)
                elif retry and attempt < MAX_RETRIES:
                    waiting.append((job, attempt + 1))
                else:
                    failures.append((job, reason))
        finally:
            for actor, _, _ in running.values():
                ray.kill(actor)
        raise_failures(failures)

    def close(self) -> None:
        """Stops the workers, and Ray if this backend started it."""
        for actor in self._idle:
            ray.kill(actor)
        self._idle.clear()
        if self._own_ray and ray.is_initialized():
            ray.shutdown()
