"""Policies in Ray actors of their own, asked by workers that hold environments only."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import ray
from jaxtyping import Float32
from ray.exceptions import RayTaskError

from uamsim.batching import Batcher
from uamsim.bounds import Amount, Seconds, Size, check_bounds
from uamsim.contract import Policy, PolicyInput, PolicySpec
from uamsim.errors import ConfigError, UamsimError
from uamsim.evaluation.backends.jobs import Player, PlayerFactory, RolloutJob
from uamsim.runtime import process_environment

MAX_LOADED = 8
_NEVER = 2**31


@dataclass(frozen=True, kw_only=True)
class Inference:
    """How policies run in actors of their own.

    Attributes:
        num_actors: how many; workers are spread over them.
        gpus_each: GPUs that each of them takes.
        max_wait_s: longest time that a request waits for those of other workers.
    """

    num_actors: Size = 1
    gpus_each: Amount = 0
    max_wait_s: Seconds = 0.005

    def __post_init__(self) -> None:
        check_bounds(self)


class _Inference:
    """The actor. Every call says what it needs, so that one that was restarted just goes on."""

    def __init__(self, inference: Inference, num_workers: int) -> None:
        self._inference, self._num_workers = inference, num_workers
        self._loaded: OrderedDict[str, tuple[Policy, Batcher]] = OrderedDict()
        self._num_asking = 0

    async def describe(self, source: "_Source") -> tuple[str, PolicySpec]:
        policy, _ = self._load(source)
        return policy.name, policy.spec

    async def act(
        self, source: "_Source", inputs: Sequence[PolicyInput]
    ) -> Float32[np.ndarray, "B T A"]:
        _, batcher = self._load(source)
        self._num_asking += 1
        try:
            answers = await asyncio.gather(*(batcher.ask(item) for item in inputs))
        finally:
            self._num_asking -= 1
        return np.stack([answer.actions for answer in answers])

    def _load(self, source: "_Source") -> tuple[Policy, Batcher]:
        loaded = self._loaded.pop(source.key, None)
        if loaded is None:
            policy = source.factory()
            if isinstance(policy, Player):
                raise ConfigError(f"{policy.name!r} plays by itself; run it without inference.")
            batcher = Batcher(
                policy,
                batch_size=source.batch_size,
                max_wait_s=self._inference.max_wait_s,
                # Once every worker has asked there is nobody left to wait for.
                num_clients=lambda: 0 if self._num_asking >= self._num_workers else _NEVER,
            )
            loaded = policy, batcher
        self._loaded[source.key] = loaded
        while len(self._loaded) > MAX_LOADED:
            self._loaded.popitem(last=False)[1][1].close()
        return loaded


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A policy, and the size of its calls."""

    key: str
    factory: PlayerFactory
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class RemoteFactory:
    """Makes a policy that asks an inference actor; a picklable ``PolicyFactory``.

    Attributes:
        actor: that answers.
        source: what it is to load.
    """

    actor: Any
    source: _Source

    def __call__(self) -> "RemotePolicy":
        """The policy, once the actor has loaded it."""
        return RemotePolicy(self.actor, self.source)


class RemotePolicy:
    """A policy in an inference actor, which gathers what shares a call."""

    def __init__(self, actor: Any, source: _Source) -> None:
        self._actor, self._source = actor, source
        self.name, self.spec = get_result(actor.describe.remote(source))

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``; an input that is given twice, as for padding, is sent once."""
        unique = {id(item): replace(item, info={}) for item in inputs}
        rows = dict(zip(unique, range(len(unique)), strict=True))
        actions = get_result(self._actor.act.remote(self._source, list(unique.values())))
        return actions[[rows[id(item)] for item in inputs]]


class InferenceActors:
    """The actors of one backend.

    Args:
        inference: how many, and how they gather requests.
        num_workers: that will ask them.
    """

    def __init__(self, inference: Inference, num_workers: int) -> None:
        remote: Any = ray.remote(_Inference)
        # A call that its actor's death interrupts is made again on the restarted one.
        actor_class = remote.options(
            num_cpus=1,
            num_gpus=inference.gpus_each,
            max_restarts=-1,
            max_task_retries=2,
            runtime_env={"env_vars": process_environment()},
        )
        count = inference.num_actors
        self._actors = [
            actor_class.remote(inference, len(range(index, num_workers, count)))
            for index in range(count)
        ]

    def of_worker(self, index: int) -> Any:
        """The actor that a worker asks."""
        return self._actors[index % len(self._actors)]

    def remote_job(self, job: RolloutJob, index: int) -> RolloutJob:
        """The job with a policy that asks the worker's actor."""
        source = _Source(
            key=f"{job.policy} {job.unit.batch_envs}",
            factory=job.policy_factory,
            batch_size=job.unit.batch_envs,
        )
        factory = RemoteFactory(actor=self.of_worker(index), source=source)
        return replace(job, policy_factory=factory)

    def close(self) -> None:
        """Ends the actors."""
        for actor in self._actors:
            ray.kill(actor)


def get_result(reference: Any) -> Any:
    """What a task or actor of Ray returned, or an error of uamsim's as it was raised there.

    Ray wraps errors that tasks raise; who handles them needs their type and cause.

    Raises:
        UamsimError: the task did.
        RayError: it failed in another way, or its worker died.
    """
    try:
        return ray.get(reference)
    except RayTaskError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, UamsimError):
            raise cause from cause.__cause__
        raise
