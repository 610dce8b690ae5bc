"""Collects what a run measured into results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from uamsim.contract import EpisodeRecord
from uamsim.errors import TrialError
from uamsim.orchestration import measuring
from uamsim.orchestration.rollouts import Entrant, result_rows
from uamsim.orchestration.trials import TrialContext, TrialSpec, curve, load_done

SCHEMA_VERSION = 1


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
            kept = measuring.compare(before, after).to_json()
            rows.append({"variant": trial.variant, "e_sem": mode, "seed": trial.seed, **kept})
    return rows


def collect(
    context: TrialContext,
    trials: Sequence[TrialSpec],
    *,
    policies: tuple[Sequence[Entrant], Sequence[EpisodeRecord]],
    controls: tuple[Sequence[Entrant], Sequence[EpisodeRecord]],
    media: Mapping[str, Any],
    timing: Mapping[str, float],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of results.json.

    Args:
        context: of the run.
        trials: all of them, finished.
        policies: trained policies with their records.
        controls: controls with theirs.
        media: pictures and videos, paths relative to the run's folder.
        timing: stage -> seconds.
        provenance: what was run.
    """
    spec = context.spec
    return {
        "schema_version": SCHEMA_VERSION,
        "experiment": spec.name,
        "scale": spec.scale,
        "rows": result_rows(*policies),
        "retention": retention_rows(context, trials),
        "controls": result_rows(*controls),
        "curves": [row for trial in trials for row in curve(context, trial)],
        "timing": {**timing, "total": sum(timing.values())},
        "provenance": dict(provenance),
        "spec": spec.to_json(),
        "media": dict(media),
    }
