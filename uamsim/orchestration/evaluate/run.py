"""One policy and its controls, or two policies, on environments and splits: `uamsim evaluate`."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from uamsim.contract import EpisodeRecord
from uamsim.errors import ConfigError, TrialError
from uamsim.evaluation.backends.inline import InlineBackend
from uamsim.evaluation.backends.jobs import RolloutBackend, RolloutJob
from uamsim.evaluation.backends.ledger import LEDGER_FILE, Ledger
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import identify
from uamsim.evaluation.experts import ExpertPlayer
from uamsim.evaluation.realtime import RealTime
from uamsim.orchestration.evaluate import results as evaluation_results
from uamsim.orchestration.evaluate.policies import Entrant, find_entrants
from uamsim.orchestration.evaluate.request import (
    IN_DOMAIN,
    EvaluationOptions,
    EvaluationRequest,
)
from uamsim.orchestration.runs.folder import alone_in
from uamsim.orchestration.runs.progress import ProgressBar, progress_bar
from uamsim.perturbations.splits import find_split
from uamsim.worlds import resolve_environments, world_of


def plan_jobs(
    request: EvaluationRequest, entrants: Sequence[Entrant], env_ids: Sequence[str]
) -> list[RolloutJob]:
    """One job for each policy, split and environment; controls on in_domain alone.

    Raises:
        UnknownNameError: no such split.
        ConfigError: real time for a policy whose actions are movements.
    """
    realtime = None
    if request.realtime:
        if not all(world_of(env_id).control_hz for env_id in env_ids):
            raise ConfigError(
                "--realtime needs actions that take a fixed time, in which thinking is counted; "
                "RoboTwin's take as long as the arms need. Leave --realtime out."
            )
        if any(entrant.spec.control == "relative" for entrant in entrants):
            raise ConfigError(
                "--realtime needs actions that are targets, since the robot holds the last one "
                "while the policy thinks; those of a policy with control 'relative' are movements. "
                "Leave --realtime out."
            )
        realtime = RealTime(latency_s=request.latency_s, replan_steps=request.replan_steps)
    jobs = []
    for entrant in entrants:
        env_kwargs: dict[str, Any] = {
            "control": entrant.spec.control,
            "cameras": list(entrant.spec.cameras),
            "image_size": list(entrant.spec.image_size),
        }
        if request.max_episode_steps is not None:
            env_kwargs["max_episode_steps"] = request.max_episode_steps
        for split in dict.fromkeys(request.split if entrant.control is None else (IN_DOMAIN,)):
            find_split(split)
            for env_id in env_ids:
                profile = request.render_profile or world_of(env_id).render_profile
                unit = RolloutUnit(
                    env_id=env_id,
                    split=split,
                    seeds=tuple(range(request.seed, request.seed + request.episodes)),
                    env_kwargs=env_kwargs | {"render_profile": profile},
                    batch_envs=request.batch,
                    realtime=None if entrant.factory is ExpertPlayer else realtime,
                )
                (unit,) = identify([unit])
                name = unit.record_name(entrant.name)
                jobs.append(RolloutJob(policy=name, policy_factory=entrant.factory, unit=unit))
    return jobs


def evaluate(request: EvaluationRequest, options: EvaluationOptions, command: str = "") -> str:
    """Runs the episodes that the folder's ledger lacks, then writes results of all it asked for.

    Returns:
        The rates and what the controls say, as text.

    Raises:
        TrialError: episodes failed; the results of the others are written.
        StorageError: the disk is full; no finished episode is lost.
        UamsimError: as ``find_policy`` and ``plan_jobs``.
    """
    env_ids = resolve_environments(request.env)
    entrants = find_entrants(request)
    jobs = plan_jobs(request, entrants, list(env_ids))
    rivals = len(entrants) if request.compare is not None else 1
    names = [entrant.name for entrant in entrants[:rivals]]
    failure = None
    with alone_in(options.out), Ledger(options.out / LEDGER_FILE) as ledger:
        try:
            with _backend(options) as backend, _progress(jobs, names) as progress:
                for jobs in _rounds(request, jobs, ledger):  # noqa: B020 - the last is what ran
                    ledger.run(backend, jobs, progress)
        except TrialError as error:
            failure = error
        outcome = evaluation_results.Outcome(
            jobs=jobs, entrants=entrants, suites=env_ids, records=_records(jobs, ledger)
        )
        text = evaluation_results.write(options.out, outcome, request, command, options.step)
        if failure is not None:
            raise failure
        evaluation_results.film(options.out / "videos", outcome, options.videos)
    return text


def _rounds(
    request: EvaluationRequest, jobs: Sequence[RolloutJob], ledger: Ledger
) -> Iterator[list[RolloutJob]]:
    """All jobs, each time with more seeds, until what is compared is decided in every split.

    Nothing but the outcomes decides where it ends: not the workers, nor what ran before.
    """
    if request.compare is None:
        yield list(jobs)
        return
    seeds = -(-request.look_every // len({job.unit.env_id for job in jobs}))
    counts = dict.fromkeys((job.unit.split for job in jobs), 0)
    going = set(counts)
    while going:
        for split in going:
            counts[split] = min(counts[split] + seeds, request.episodes)
        now = [job.with_seeds(job.unit.seeds[: counts[job.unit.split]]) for job in jobs]
        yield now
        found = evaluation_results.head_to_head(request, now, _records(now, ledger))
        decided = {c.split for c in found if c.verdict != "undecided"}
        going = {s for s in going - decided if counts[s] < request.episodes}


def _records(jobs: Sequence[RolloutJob], ledger: Ledger) -> list[EpisodeRecord]:
    return [record for job in jobs for record in ledger.find(job).values()]


@contextlib.contextmanager
def _backend(options: EvaluationOptions) -> Iterator[RolloutBackend]:
    if not options.workers:
        backend: RolloutBackend = InlineBackend()
    else:
        from uamsim.evaluation.backends.ray import Inference, RayBackend
        from uamsim.serving.batching import Batcher

        inference = None
        if options.inference:
            inference = Inference(
                batching=Batcher,
                num_actors=options.inference,
                gpus_each=options.gpus_per_inference,
                max_wait_s=options.max_wait_ms / 1000,
            )
        backend = RayBackend(
            options.workers,
            address=options.address,
            timeout_s=options.timeout_s,
            max_envs=options.envs_per_worker,
            inference=inference,
        )
    try:
        yield backend
    finally:
        backend.close()


@dataclass(kw_only=True)
class _Progress:
    """Shows rate, time left, and the success of the policies so far in each split."""

    bar: ProgressBar
    policies: Sequence[str]
    counts: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    def __call__(self, done: int, total: int, record: EpisodeRecord | None) -> None:
        if record is not None and record.policy in self.policies:
            split = self.counts.setdefault(record.split, {name: [0, 0] for name in self.policies})
            split[record.policy][0] += record.success
            split[record.policy][1] += 1
            self.bar.note = ", ".join(
                f"{name} {' vs '.join(f'{k}/{n}' for k, n in split.values())}"
                for name, split in self.counts.items()
            )
        self.bar(done, total)


@contextlib.contextmanager
def _progress(jobs: Sequence[RolloutJob], policies: Sequence[str]) -> Iterator[_Progress]:
    recorded = dict.fromkeys(job.policy for job in jobs)
    names = [next(r for r in recorded if r.startswith(name)) for name in policies]
    with progress_bar("evaluate", "episodes") as bar:
        yield _Progress(bar=bar, policies=names)
