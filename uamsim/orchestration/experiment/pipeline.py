"""Runs an experiment from nothing to its report; every stage keeps what it finished."""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uamsim.contract import EpisodeRecord
from uamsim.evaluation.backends.jobs import RolloutJob
from uamsim.evaluation.backends.ledger import LEDGER_FILE, Ledger
from uamsim.evaluation.entrants import Entrant, plan_jobs
from uamsim.evaluation.tables import make_tables, write_tables
from uamsim.orchestration.artifacts import stages
from uamsim.orchestration.artifacts.gate import GATE_FILE
from uamsim.orchestration.artifacts.store import ArtifactStore
from uamsim.orchestration.experiment import interventions, media, policies, results
from uamsim.orchestration.runners.base import Runner
from uamsim.orchestration.runs.folder import alone_in, open_run, provenance
from uamsim.orchestration.runs.progress import Console
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.orchestration.trials import measuring
from uamsim.orchestration.trials.trial import (
    Artifacts,
    TrialContext,
    expand,
    is_finished,
)
from uamsim.storage import read_json, write_json
from uamsim.training.config import RuntimeConfig
from uamsim.worlds import resolve_environments

_TITLES = {
    "demonstrations": "demonstrations",
    "vqa_test": "test questions",
    "vqa": "training questions",
    "scene_changes": "scene changes",
    "tokenizer": "tokenizer",
}
_VERBS = {"gate": "measuring"}


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to run, as opposed to what.

    Attributes:
        out: folder of the run.
        resume: whether the folder may hold this experiment already.
        pretrain: whether models that ship with the package are made anew.
        cache: root of the artifact store, or None for the default.
        command: the user's words, for the record.
        runtime: how trials train.
    """

    out: Path
    resume: bool = False
    pretrain: bool = False
    cache: Path | None = None
    command: str = ""
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)


def run_experiment(
    spec: ExperimentSpec, options: RunOptions, runner: Runner, console: Console | None = None
) -> Path:
    """Runs what is not finished yet.

    Returns:
        The path of report.html.

    Raises:
        ConfigError: the folder holds another experiment, or another process runs there.
        TrialError: trials or roll-outs failed; what finished is kept.
        StorageError: the disk is full; what finished is kept.
    """
    out = options.out.absolute()
    with alone_in(out):
        return _run(spec, options, out, runner, console)


def _run(
    spec: ExperimentSpec, options: RunOptions, out: Path, runner: Runner, console: Console | None
) -> Path:
    run = open_run(spec, out, resume=options.resume, command=options.command)
    console = console or Console(out / "progress", out / "timing.json")
    store = ArtifactStore(options.cache, remake=run["id"] if options.pretrain else None)
    artifacts = prepare(spec, store, runner, console)
    context = TrialContext(
        spec=spec,
        out=out,
        artifacts=artifacts,
        before=_before(spec, out, artifacts, runner, console),
        runtime=options.runtime,
    )
    trials = expand(spec)
    todo = [trial for trial in trials if not is_finished(context, trial)]
    if todo:
        detail = f"{len(todo)} of {len(trials)} to run, {runner.workers} at a time"
        with console.stage("trials", detail, num_tasks=len(todo)):
            runner.run_trials(context, trials, console)
    trained = policies.trained(context, trials)
    controls = policies.controls(context, trained)
    jobs, records = _roll_out(context, trained, "roll-outs", runner, console)
    control_jobs, control_records = _roll_out(context, controls, "controls", runner, console)
    probes: dict[str, list[dict[str, Any]]] = {}
    if spec.interventions.names:
        with console.stage("interventions", f"{len(trials)} policies"):
            probes = interventions.measure_all(context, trials, runner)
    with console.stage("media"):
        shown = runner.run_calls(
            {
                "media": functools.partial(
                    media.make_media, context, jobs, records, console.report("media")
                )
            }
        )["media"]
    everyone, episodes = [*trained, *controls], [*records, *control_records]
    tables = make_tables(everyone, episodes, resolve_environments(spec.evaluation.env_ids))
    collected = results.collect(
        context,
        trials,
        tables,
        [*jobs, *control_jobs],
        media=shown,
        probes=probes,
        timing=console.timing,
        provenance=provenance(spec, run),
    )
    write_json(out / "results.json", collected)
    write_tables(out, tables, everyone, episodes)
    with console.stage("report"):
        from uamsim.reporting.report import build_report

        return build_report(out)


def prepare(
    spec: ExperimentSpec, store: ArtifactStore, runner: Runner, console: Console
) -> Artifacts:
    """Makes the data and the "public models" that are not there yet.

    Data is made by ``runner.workers`` processes; the VLM and the VAE, which do not need each
    other, are trained side by side.
    """
    plan = stages.plan(spec, store)
    needed = plan.needed
    for kind in (kind for kind in needed if kind in _TITLES):
        with console.stage(_TITLES[kind]):
            path = stages.make(plan, kind, runner.workers, console.report(kind))
            plan = plan.with_paths({kind: path})
    groups = (("vlm", "vae"), ("generator",), ("gate",))
    if plan.joint:
        groups = (("vlm_start", "vae"), ("generator",), ("vlm",), ("gate",))
    for group in groups:
        todo = [kind for kind in group if kind in needed]
        if todo:
            verbs: dict[str, list[str]] = {}
            for kind in todo:
                verb = "loading" if kind in plan.given else "pretraining"
                verbs.setdefault(_VERBS.get(kind, verb), []).append(kind)
            title = ", ".join(f"{verb} {' and '.join(kinds)}" for verb, kinds in verbs.items())
            with console.stage(title):
                made = runner.run_calls(
                    {
                        kind: functools.partial(stages.make, plan, kind, 1, console.report(kind))
                        for kind in todo
                    }
                )
            plan = plan.with_paths(made)
    paths = plan.paths
    return Artifacts(
        demonstrations=paths["demonstrations"],
        vqa_test=paths["vqa_test"],
        tokenizer=paths["tokenizer"],
        vlm=paths["vlm"],
        vae=paths["vae"],
        generator=paths["generator"],
        vqa=paths["vqa"] if spec.cotrains else None,
        gate=None if "generator" in plan.given else paths["gate"] / GATE_FILE,
    )


def _before(
    spec: ExperimentSpec, out: Path, artifacts: Artifacts, runner: Runner, console: Console
) -> dict[str, Any]:
    """S0 and floors, measured once for a VLM and question set."""
    identity = [artifacts.vlm.name, artifacts.vqa_test.name, spec.snapshot_questions]
    path = out / "before.json"
    found = read_json(path)
    if isinstance(found, dict) and found.get("identity") == identity:
        return found["before"]
    with console.stage("S0"):
        before = runner.run_calls(
            {
                "S0": functools.partial(
                    measuring.measure_before,
                    artifacts.vlm / stages.MODEL_FILE,
                    artifacts.vqa_test,
                    spec.snapshot_questions,
                )
            }
        )["S0"]
        write_json(path, {"identity": identity, "before": before})
    scores = measuring.scores_from_json(before["scores"])
    skills = ", ".join(f"{skill} {value.rate:.2f}" for skill, value in scores.skills.items())
    console.print(f"  S0 {scores.mean:.3f} ({skills})")
    return before


def _roll_out(
    context: TrialContext,
    entrants: list[Entrant],
    stage: str,
    runner: Runner,
    console: Console,
) -> tuple[list[RolloutJob], list[EpisodeRecord]]:
    jobs = plan_jobs(context.spec.evaluation, entrants)
    with Ledger(context.out / LEDGER_FILE) as ledger:
        found = [ledger.load(job) for job in jobs]
        if all(records is not None for records in found):
            return jobs, [record for records in found for record in records or ()]
        report = console.report(stage)
        with console.stage(stage, f"{len(entrants)} policies, {len(jobs)} units"):
            backend = runner.rollout_backend()
            try:
                return jobs, ledger.run(backend, jobs, lambda n, of, _: report(n, of, {}))
            finally:
                backend.close()
