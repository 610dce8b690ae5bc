"""Units of work with their policies, and what runs them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

from uamsim.contract import EpisodeRecord, Policy, canonical_json
from uamsim.errors import ConfigError
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import EnvPool
from uamsim.evaluation.rollout import iter_unit
from uamsim.perturbations.splits import find_split
from uamsim.perturbations.values import to_json


@runtime_checkable
class Player(Protocol):
    """What plays whole episodes by itself, as an environment's expert does."""

    @property
    def name(self) -> str:
        """Names it in records."""
        ...

    def play(self, unit: RolloutUnit, pool: EnvPool) -> Iterator[EpisodeRecord | None]:
        """As ``iter_unit``, one episode at a time."""
        ...


PolicyFactory = Callable[[], Policy]
"""Makes or loads a policy. For workers it must pickle: a function of a module, a
``functools.partial`` of one, or an instance of a module's class."""
PlayerFactory = Callable[[], Policy | Player]


@dataclass(frozen=True, kw_only=True, eq=False)
class RolloutJob:
    """A unit and the policy to run it with.

    Attributes:
        policy: what records will call the policy, known without loading it: its ``name``, as
            ``unit.record_name`` completes it.
        policy_factory: makes the policy, or what plays instead of one, where the job runs.
        unit: what to run.
    """

    policy: str
    policy_factory: PlayerFactory
    unit: RolloutUnit

    @cached_property
    def setting(self) -> str:
        """All that decides its episodes but their seeds, as canonical JSON."""
        unit = self.unit
        return canonical_json(
            {
                "policy": self.policy,
                "env_id": unit.env_id,
                "env_kwargs": dict(unit.env_kwargs),
                "split": unit.split,
                "perturbations": [to_json(p) for p in find_split(unit.split).perturbations],
                "batch_envs": unit.batch_envs,
                "realtime": unit.realtime,
                **({} if unit.world is None else {"world": dict(unit.world)}),
            }
        )

    def with_seeds(self, seeds: Sequence[int]) -> "RolloutJob":
        """The same with other seeds."""
        return replace(self, unit=replace(self.unit, seeds=tuple(seeds)))

    def describe(self) -> str:
        """One line for messages."""
        unit, seeds = self.unit, self.unit.seeds
        if len(seeds) < 2:
            shown = f"seed {seeds[0]}" if seeds else "no seeds"
        elif seeds == tuple(range(seeds[0], seeds[-1] + 1)):
            shown = f"seeds {seeds[0]}-{seeds[-1]}"
        else:
            shown = f"{len(seeds)} seeds from {seeds[0]} to {seeds[-1]}"
        return f"policy {self.policy!r} on {unit.env_id}, split {unit.split!r}, {shown}"


OnRecord = Callable[[RolloutJob, EpisodeRecord], None]
"""Called with an episode as soon as it ends, and the job, of all its seeds, that it is of."""


class RolloutBackend(Protocol):
    """Runs jobs; every backend gives the same records."""

    def run_units(self, jobs: Sequence[RolloutJob], on_record: OnRecord) -> None:
        """Runs all jobs and hands over each episode as soon as it ends, in any order.

        An episode that fails does not stop the others.

        Raises:
            TrialError: episodes failed; names each of them. What finished was handed over.
            StorageError: ``on_record`` could not store an episode; nothing more is run.
        """
        ...

    def close(self) -> None:
        """Closes environments and workers."""
        ...


def iter_job(
    job: RolloutJob, pool: EnvPool, *, max_envs: int | None = None
) -> Iterator[EpisodeRecord | None]:
    """Runs one job in this process; yields as ``iter_unit``.

    Raises:
        ConfigError: the policy does not bear the job's name.
    """
    policy = job.policy_factory()
    name = job.unit.record_name(policy.name)
    if name != job.policy:
        raise ConfigError(
            f"expected the policy to be named {job.policy!r}, its factory made {name!r}; "
            "records would be stored under the wrong name."
        )
    if isinstance(policy, Player):
        yield from policy.play(job.unit, pool)
    else:
        yield from iter_unit(policy, job.unit, pool, max_envs=max_envs)
