"""Collects what an experiment measured into results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from uamsim.errors import TrialError
from uamsim.evaluation.backends.jobs import RolloutJob
from uamsim.evaluation.tables import Tables
from uamsim.models.sizes import count_parameters, flops_per_sample
from uamsim.orchestration.experiments import own_claims
from uamsim.orchestration.results import shared_results
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.orchestration.trials import measuring
from uamsim.orchestration.trials.trial import (
    TrialContext,
    TrialSpec,
    curve,
    load_done,
    losses,
)
from uamsim.storage import read_json


def retention_rows(context: TrialContext, trials: Sequence[TrialSpec]) -> list[dict[str, Any]]:
    """A row for each trial, and for each restored probe, whose S is S0: its E_sem is the old one.

    Raises:
        TrialError: a trial is not finished.
    """
    rows = []
    before = dict(context.before)
    for trial in trials:
        done = load_done(context, trial)
        if done is None:
            raise TrialError(f"trial {trial.trial_id} is not finished; run again with --resume.")
        scores: dict[str, Any] = {trial.e_sem: done["scores"]}
        if context.spec.restored and trial.e_sem == "unfrozen":
            scores["restored"] = before["scores"]
        for mode, after in scores.items():
            kept = measuring.retention_since(before, after).to_json()
            rows.append({"variant": trial.variant, "e_sem": mode, "seed": trial.seed, **kept})
    return rows


def cost_rows(spec: ExperimentSpec) -> list[dict[str, Any]]:
    """What a training step of each trial costs, for comparisons at equal compute."""
    rows = []
    for variant, e_sem in spec.trained:
        model, batch = spec.variant_model(variant, e_sem), spec.tuning.batch_size
        flops = flops_per_sample(model, e_sem_trainable=e_sem != "frozen")["training"]
        parameters = count_parameters(model)["total"]
        cost = {"parameters": parameters, "flops_per_step": batch * flops}
        rows.append({"variant": variant, "e_sem": e_sem, **cost})
    return rows


def loss_rows(context: TrialContext, trials: Sequence[TrialSpec]) -> list[dict[str, Any]]:
    """The losses of each trial as columns, step by step as they were reported."""
    found = []
    for trial in trials:
        rows = losses(context, trial)
        who = {"variant": trial.variant, "e_sem": trial.e_sem, "seed": trial.seed}
        columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
        found.append({**who, **columns})
    return found


def collect(
    context: TrialContext,
    trials: Sequence[TrialSpec],
    tables: Tables,
    jobs: Sequence[RolloutJob],
    *,
    media: Mapping[str, Any],
    probes: Mapping[str, Any],
    timing: Mapping[str, float],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of results.json.

    Args:
        context: of the run.
        trials: all of them, finished.
        tables: of trained policies and controls.
        jobs: theirs.
        media: pictures and videos, paths relative to the run's folder.
        probes: what flows through what, where it was measured.
        timing: stage -> seconds.
        provenance: what was run.
    """
    spec = context.spec
    gate = None if context.artifacts.gate is None else read_json(context.artifacts.gate)
    return {
        **shared_results("experiment", tables, jobs),
        "experiment": spec.name,
        "scale": spec.scale,
        "claims": list(own_claims(spec)),
        "retention": retention_rows(context, trials),
        "curves": [row for trial in trials for row in curve(context, trial)],
        "costs": cost_rows(spec),
        "losses": loss_rows(context, trials),
        "timing": {**timing, "total": sum(timing.values())},
        "provenance": dict(provenance),
        "spec": spec.to_json(),
        "media": dict(media),
        **({} if gate is None else {"gate": gate}),
        **probes,
    }
