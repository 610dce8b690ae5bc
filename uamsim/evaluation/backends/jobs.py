"""Units of work with their policies, and what runs them."""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

from uamsim.contract import EpisodeRecord, Policy, canonical_json, json_fields
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


def decides(made: Any) -> Any:
    """All of a value that may decide what a policy does, as JSON.

    Of a dataclass these are its type and all its fields but those of ``contract.PLACE``, of a
    ``functools.partial`` its function and arguments, of a function or class its name, and of what
    is none of them the name of its type.
    """
    if made is None or isinstance(made, bool | int | float | str):
        return made
    if isinstance(made, Mapping):
        return {str(key): decides(value) for key, value in made.items()}
    if isinstance(made, list | tuple):
        return [decides(value) for value in made]
    if isinstance(made, os.PathLike):
        return os.fspath(made)
    if isinstance(made, functools.partial):
        return {"partial": [decides(made.func), decides(made.args), decides(made.keywords)]}
    if dataclasses.is_dataclass(made) and not isinstance(made, type):
        places = {f.name for f in dataclasses.fields(made) if f.metadata.get("place")}
        values = {k: decides(v) for k, v in json_fields(made).items() if k not in places}
        return {"type": type(made).__qualname__, **values}
    named = made if hasattr(made, "__qualname__") else type(made)
    return f"{named.__module__}:{named.__qualname__}"


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
        """All that decides its episodes but their seeds, as canonical JSON.

        Every field of the unit and of the factory is in it, so that one that is added is too.
        """
        unit = json_fields(self.unit)
        del unit["seeds"]
        split = find_split(self.unit.split)
        return canonical_json(
            {
                **unit,
                "policy": self.policy,
                "made_by": decides(self.policy_factory),
                "perturbations": [to_json(p) for p in split.perturbations],
                "gl": os.environ.get("MUJOCO_GL", "").lower(),
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
