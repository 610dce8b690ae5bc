"""One policy and its controls, on environments and splits: what `uamsim evaluate` does."""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from uamsim.contract import Control as ActionControl
from uamsim.contract import EpisodeRecord, PolicySpec
from uamsim.errors import CheckpointError, ConfigError, TrialError
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.controls import CONTROLS, Control, ControlFactory, control_name
from uamsim.evaluation.experts import ExpertPlayer
from uamsim.evaluation.jobs import InlineBackend, PlayerFactory, RolloutBackend, RolloutJob
from uamsim.evaluation.ledger import LEDGER_FILE, Ledger
from uamsim.evaluation.realtime import RealTime
from uamsim.orchestration import evaluation_results
from uamsim.orchestration.policies import CheckpointFactory, ServerFactory, file_hash
from uamsim.orchestration.progress import ProgressBar, progress_bar
from uamsim.orchestration.run import alone_in
from uamsim.orchestration.tasks import resolve_environments
from uamsim.perturbations.splits import find_split

IN_DOMAIN = "in_domain"


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """What to evaluate: all that decides the episodes.

    Attributes:
        policy: a checkpoint, ws://host:port, random, expert; or blind:, deaf: or shuffled: before
            a checkpoint or address.
        env: tasks (pick_place), environment ids, or a world (aloha: all its tasks).
        split: names, axes at a severity (lighting@3), several at once (chinese+visual), or
            file.py:name.
        episodes: for each environment and split.
        seed: the first; each episode has its own, the same for every policy.
        controls: whether a trained policy's random, blind, deaf and shuffled controls run too, on
            in_domain if that is among the splits.
        batch: inputs in each call of the policy.
        device: where a checkpoint runs.
        render_profile: of the environments.
        max_episode_steps: control steps, or None for each environment's own limit.
        realtime: whether the policy's latency is charged to the simulated clock.
        latency_s: charged for every call; None measures it, which makes episodes depend on the
            machine.
        replan_steps: actions played of each chunk before the next is asked for; None plays all.
        server_keys: whose names a request to a server uses.
        cameras: that the policy looks at, where it does not say so itself.
        image_size: height and width of each picture, likewise.
        control: representation of its actions, likewise.
        horizon: control steps in its chunks, likewise.
    """

    policy: str
    env: tuple[str, ...] = ("aloha",)
    split: tuple[str, ...] = (IN_DOMAIN,)
    episodes: int = 50
    seed: int = 1_000_000
    controls: bool = True
    batch: int = 16
    device: str = "cpu"
    render_profile: str = "fast"
    max_episode_steps: int | None = None
    realtime: bool = False
    latency_s: float | None = None
    replan_steps: int | None = None
    server_keys: Literal["uamsim", "aloha", "libero"] = "uamsim"
    cameras: tuple[str, ...] | None = None
    image_size: tuple[int, int] = (96, 96)
    control: ActionControl = "ee"
    horizon: int = 24

    def __post_init__(self) -> None:
        for name in ("episodes", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("env", "split"):
            if not getattr(self, name):
                raise ConfigError(f"--{name} must name at least one.")
        if not self.realtime and (self.latency_s, self.replan_steps) != (None, None):
            raise ConfigError("--latency-s and --replan-steps need --realtime.")

    @property
    def spec(self) -> PolicySpec:
        """Of a policy that does not say what it needs."""
        return PolicySpec(
            cameras=self.cameras or (),
            image_size=self.image_size,
            control=self.control,
            horizon=self.horizon,
        )


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A policy that takes part.

    Attributes:
        name: in records, but for what real time adds.
        factory: makes it.
        spec: what it needs.
        control: which control it is of the policy that is evaluated, None for that itself.
    """

    name: str
    factory: PlayerFactory
    spec: PolicySpec
    control: Control | None = None


def find_policy(request: EvaluationRequest) -> Entrant:
    """The policy that the request names.

    Raises:
        CheckpointError: no checkpoint there, or not a policy's.
        PolicyServerError: no server there.
        ConfigError: the policy does not say what it needs.
    """
    for control in CONTROLS:
        if control != "random" and request.policy.startswith(f"{control}:"):
            base = replace(request, policy=request.policy.partition(":")[2])
            return _control(find_policy(base), control)
    if request.policy == "random":
        factory = ControlFactory(control="random", spec=request.spec)
        return Entrant(name=control_name("random"), factory=factory, spec=request.spec)
    if request.policy == "expert":
        return Entrant(name=ExpertPlayer.name, factory=ExpertPlayer, spec=request.spec)
    if request.policy.startswith(("ws://", "wss://")):
        return _server(request)
    path = Path(request.policy)
    if not path.is_file():
        raise CheckpointError(
            f"expected a checkpoint, ws://host:port, random or expert as --policy, got "
            f"{request.policy!r}; no such file is there."
        )
    name = f"{path.stem}:{file_hash(path)}"
    described = CheckpointFactory(name=name, checkpoint=path.absolute())()
    if request.device == "cpu":
        factory = CheckpointFactory(name=name, checkpoint=path.absolute())
    else:
        # Another device rounds in another way, and so plays other episodes.
        name = f"{name}@{request.device.partition(':')[0]}"
        factory = CheckpointFactory(name=name, checkpoint=path.absolute(), device=request.device)
    return Entrant(name=name, factory=factory, spec=described.spec)


def _server(request: EvaluationRequest) -> Entrant:
    spec = None if request.cameras is None else request.spec
    uri = request.policy
    first = ServerFactory(name=uri, uri=uri, spec=spec, keys=request.server_keys)
    with contextlib.closing(first.connect()) as policy:
        from uamsim.serving.protocol import encode

        metadata = policy.metadata or {}
        identity = hashlib.sha256(encode(metadata)).hexdigest()[:8]
        name = f"{metadata.get('name', uri)}:{identity}"
        found = policy.spec
    factory = ServerFactory(name=name, uri=uri, spec=spec, keys=request.server_keys)
    return Entrant(name=name, factory=factory, spec=found)


def _control(base: Entrant, control: Control) -> Entrant:
    if base.name in (ExpertPlayer.name, control_name("random")):
        raise ConfigError(f"{control}: needs a trained policy, {base.name} looks at nothing.")
    if control == "random":
        factory = ControlFactory(control=control, spec=base.spec)
    else:
        factory = ControlFactory(control=control, base=base.factory)  # pyright: ignore[reportArgumentType]
    return Entrant(
        name=control_name(control, base.name), factory=factory, spec=base.spec, control=control
    )


def find_entrants(request: EvaluationRequest) -> list[Entrant]:
    """The policy, and its controls where they apply."""
    policy = find_policy(request)
    # A control of a control, an expert or chance would say nothing.
    is_trained = policy.control is None and policy.name not in (ExpertPlayer.name, "random")
    entrants = [replace(policy, control=None)]
    if request.controls and is_trained and IN_DOMAIN in request.split:
        entrants += [_control(policy, control) for control in CONTROLS]
    return entrants


def plan_jobs(
    request: EvaluationRequest, entrants: Sequence[Entrant], env_ids: Sequence[str]
) -> list[RolloutJob]:
    """One job for each policy, split and environment; controls on in_domain alone.

    Raises:
        UnknownNameError: no such split.
    """
    realtime = None
    if request.realtime:
        realtime = RealTime(latency_s=request.latency_s, replan_steps=request.replan_steps)
    jobs = []
    for entrant in entrants:
        env_kwargs: dict[str, Any] = {
            "control": entrant.spec.control,
            "cameras": list(entrant.spec.cameras),
            "image_size": list(entrant.spec.image_size),
            "render_profile": request.render_profile,
        }
        if request.max_episode_steps is not None:
            env_kwargs["max_episode_steps"] = request.max_episode_steps
        for split in dict.fromkeys(request.split if entrant.control is None else (IN_DOMAIN,)):
            find_split(split)
            for env_id in env_ids:
                unit = RolloutUnit(
                    env_id=env_id,
                    split=split,
                    seeds=tuple(range(request.seed, request.seed + request.episodes)),
                    env_kwargs=env_kwargs,
                    batch_envs=request.batch,
                    realtime=None if entrant.factory is ExpertPlayer else realtime,
                )
                name = unit.record_name(entrant.name)
                jobs.append(RolloutJob(policy=name, policy_factory=entrant.factory, unit=unit))
    return jobs


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """How to evaluate: nothing here changes an episode.

    Attributes:
        out: folder of the ledger, results and videos; the same command goes on in it.
        workers: processes with environments; 0 runs in this one, without Ray and its watchdog.
        address: of a Ray cluster ("auto", "host:6379"); None starts Ray on this machine.
        inference: processes that hold the policy, which the workers then ask; 0 runs it in each
            worker.
        gpus_per_inference: GPUs that each of them takes.
        max_wait_ms: longest time that a request waits for those of other workers.
        envs_per_worker: episodes side by side in a worker; by default the batch.
        timeout_s: a worker that finishes no chunk for so long is killed, its episodes tried again.
        videos: most that are made, failures first.
        step: of the TensorBoard scalars, such as the training step of the checkpoint.
    """

    out: Path
    workers: int = 1
    address: str | None = None
    inference: int = 0
    gpus_per_inference: float = 0
    max_wait_ms: float = 5.0
    envs_per_worker: int | None = None
    timeout_s: float = 300.0
    videos: int = 8
    step: int = 0

    def __post_init__(self) -> None:
        for name in ("workers", "inference", "videos"):
            if getattr(self, name) < 0:
                raise ConfigError(f"--{name} must not be negative, got {getattr(self, name)}.")
        if not self.workers and (self.inference or self.address is not None):
            raise ConfigError("--inference and --address need --workers of at least 1.")


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
    failure = None
    with alone_in(options.out), Ledger(options.out / LEDGER_FILE) as ledger:
        try:
            with _backend(options) as backend, _progress(jobs, entrants[0].name) as progress:
                ledger.run(backend, jobs, progress)
        except TrialError as error:
            failure = error
        records = [record for job in jobs for record in ledger.find(job).values()]
        outcome = evaluation_results.Outcome(
            jobs=jobs, entrants=entrants, suites=env_ids, records=records
        )
        text = evaluation_results.write(options.out, outcome, request, command, options.step)
        if failure is not None:
            raise failure
        evaluation_results.film(options.out / "videos", outcome, options.videos)
    return text


@contextlib.contextmanager
def _backend(options: EvaluationOptions) -> Iterator[RolloutBackend]:
    if not options.workers:
        backend: RolloutBackend = InlineBackend()
    else:
        from uamsim.evaluation.ray_backend import Inference, RayBackend
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
    """Shows rate, time left, and the success of the policy so far in each split."""

    bar: ProgressBar
    policy: str
    counts: dict[str, list[int]] = field(default_factory=dict)

    def __call__(self, done: int, total: int, record: EpisodeRecord | None) -> None:
        if record is not None and record.policy == self.policy:
            count = self.counts.setdefault(record.split, [0, 0])
            count[0] += record.success
            count[1] += 1
            self.bar.note = ", ".join(f"{s} {k}/{n}" for s, (k, n) in self.counts.items())
        self.bar(done, total)


@contextlib.contextmanager
def _progress(jobs: Sequence[RolloutJob], policy: str) -> Iterator[_Progress]:
    name = next(job.policy for job in jobs if job.policy.startswith(policy))
    with progress_bar("evaluate", "episodes") as bar:
        yield _Progress(bar=bar, policy=name)
