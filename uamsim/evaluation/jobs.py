"""Units of work with their policies, what runs them, and the backend inside one process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from uamsim.contract import EpisodeRecord, Policy, content_hash
from uamsim.errors import ConfigError, TrialError
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.rollout import EnvPool, run_unit

PolicyFactory = Callable[[], Policy]
"""Makes or loads a policy. For workers it must pickle: a function of a module, a
``functools.partial`` of one, or an instance of a module's class."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RolloutJob:
    """A unit and the policy to run it with.

    Attributes:
        policy: the identity that the policy will give as its ``name``, known without loading it.
        policy_factory: makes the policy where the job runs.
        unit: what to run.
    """

    policy: str
    policy_factory: PolicyFactory
    unit: RolloutUnit

    @property
    def job_hash(self) -> str:
        """Names the job by all that decides its records."""
        return content_hash([self.policy, self.unit])

    def describe(self) -> str:
        """One line for messages."""
        unit = self.unit
        seeds = f"seeds {unit.seeds[0]}-{unit.seeds[-1]}" if unit.seeds else "no seeds"
        return f"policy {self.policy!r} on {unit.env_id}, split {unit.split!r}, {seeds}"


OnDone = Callable[[RolloutJob, list[EpisodeRecord]], None]


class RolloutBackend(Protocol):
    """Runs jobs; every backend gives the same records."""

    def run_units(self, jobs: Sequence[RolloutJob], on_done: OnDone) -> None:
        """Runs all jobs and hands over the records of each as soon as it ends, in any order.

        A job that fails does not stop the others.

        Raises:
            TrialError: jobs failed; names each of them. What finished was handed over.
        """
        ...

    def close(self) -> None:
        """Closes environments and workers."""
        ...


def run_job(job: RolloutJob, pool: EnvPool) -> list[EpisodeRecord]:
    """Runs one job in this process.

    Raises:
        ConfigError: the policy does not bear the job's name.
    """
    policy = job.policy_factory()
    if policy.name != job.policy:
        raise ConfigError(
            f"expected the policy to be named {job.policy!r}, its factory made {policy.name!r}; "
            "records would be stored under the wrong name."
        )
    return run_unit(policy, job.unit, pool=pool)


def raise_failures(failures: Sequence[tuple[RolloutJob, str]]) -> None:
    """Raises one error for all failed jobs, if there are any.

    Raises:
        TrialError: names each failed job and why it failed.
    """
    if failures:
        lines = "\n".join(f"- {job.describe()}: {reason}" for job, reason in failures)
        raise TrialError(
            f"{len(failures)} roll-out unit(s) failed; finished units are kept and a resumed run "
            f"does not repeat them.\n{lines}"
        )


class InlineBackend:
    """Runs jobs one after another in this process, without retries."""

    def __init__(self) -> None:
        self._pool = EnvPool()

    def run_units(self, jobs: Sequence[RolloutJob], on_done: OnDone) -> None:
        """See ``RolloutBackend.run_units``."""
        failures: list[tuple[RolloutJob, str]] = []
        cause: Exception | None = None
        for job in jobs:
            try:
                records = run_job(job, self._pool)
            except Exception as error:
                failures.append((job, f"{type(error).__name__}: {error}"))
                cause = cause or error
            else:
                on_done(job, records)
        try:
            raise_failures(failures)
        except TrialError as error:
            raise error from cause

    def close(self) -> None:
        """Closes the environments."""
        self._pool.close()
