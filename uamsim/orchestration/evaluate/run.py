"""One policy and its controls, or two policies, on environments and splits: `uamsim evaluate`."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from uamsim.contract import EpisodeRecord
from uamsim.errors import ConfigError, TrialError
from uamsim.evaluation.backends.inline import InlineBackend
from uamsim.evaluation.backends.jobs import RolloutBackend, RolloutJob
from uamsim.evaluation.backends.ledger import LEDGER_FILE, Ledger
from uamsim.evaluation.entrants import Entrant, plan_jobs
from uamsim.orchestration.evaluate import results as evaluation_results
from uamsim.orchestration.evaluate.policies import find_entrants
from uamsim.orchestration.evaluate.request import (
    EvaluationOptions,
    EvaluationRequest,
)
from uamsim.orchestration.runs.folder import alone_in
from uamsim.orchestration.runs.progress import ProgressBar, progress_bar
from uamsim.worlds import world_of


def plan(request: EvaluationRequest, entrants: Sequence[Entrant]) -> list[RolloutJob]:
    """One job for each policy, split and environment; controls on in_domain alone.

    Raises:
        UnknownNameError: no such split.
        ConfigError: real time in a world whose actions take as long as they need.
    """
    config = request.config
    worlds = map(world_of, config.env_ids)
    untimed = sorted({world.name for world in worlds if world.control_hz is None})
    if request.charged and untimed:
        raise ConfigError(
            "--realtime needs actions that take a fixed time, in which thinking is counted; "
            f"those of {', '.join(untimed)} take as long as each needs. Leave --realtime out."
        )
    return plan_jobs(config, entrants)


def evaluate(request: EvaluationRequest, options: EvaluationOptions, command: str = "") -> str:
    """Runs the episodes that the folder's ledger lacks, then writes results of all it asked for.

    Returns:
        The rates and what the controls say, as text.

    Raises:
        TrialError: episodes failed; the results of the others are written.
        StorageError: the disk is full; no finished episode is lost.
        UamsimError: as ``find_entrants`` and ``plan``.
    """
    entrants = find_entrants(request)
    planned = plan(request, entrants)
    leading = [entrant.policy for entrant in entrants if entrant.control is None]
    failure = None
    jobs = planned
    with alone_in(options.out), Ledger(options.out / LEDGER_FILE) as ledger:
        try:
            with _backend(options) as backend, _progress(leading) as progress:
                for jobs in _rounds(request, planned, ledger):
                    ledger.run(backend, jobs, progress)
        except TrialError as error:
            failure = error
        outcome = evaluation_results.Outcome(
            request=request, jobs=jobs, entrants=entrants, records=_records(jobs, ledger)
        )
        text = evaluation_results.write(options.out, outcome, command, options.step)
        if failure is not None:
            raise failure
        evaluation_results.film_episodes(options.out / "videos", outcome, options.videos)
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
        own: dict[str, list[EpisodeRecord]] = {job.policy: [] for job in jobs}
        for record in _records(now, ledger):
            own[record.policy].append(record)
        found = evaluation_results.paired_test(request).compare(*own.values())
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

        inference = None
        if options.inference:
            inference = Inference(
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
def _progress(policies: Sequence[str]) -> Iterator[_Progress]:
    with progress_bar("evaluate", "episodes") as bar:
        yield _Progress(bar=bar, policies=policies)
