"""Collects what a run measured into results.json."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uamsim.contract import EpisodeRecord
from uamsim.errors import TrialError
from uamsim.evaluation.config import plan_units
from uamsim.evaluation.environments import identify, world_rows
from uamsim.evaluation.episode_tables import EPISODES_FILE, episode_rows, write_parquet
from uamsim.orchestration import chain_tables
from uamsim.orchestration.chain_tables import published
from uamsim.orchestration.experiment.policies import Entrant, result_rows
from uamsim.orchestration.trials import measuring
from uamsim.orchestration.trials.trial import TrialContext, TrialSpec, curve, load_done
from uamsim.statistics import compare, success_rates, suite_average
from uamsim.storage import read_json

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


def suite_rows(
    entrants: Sequence[Entrant], records: Sequence[EpisodeRecord]
) -> list[dict[str, Any]]:
    """The mean over tasks of each entrant and split, with both intervals of ``suite_average``."""
    rates = success_rates(records)
    rows = []
    for entrant in entrants:
        splits = dict.fromkeys(split for policy, _, split in rates if policy == entrant.name)
        for split in splits:
            tasks = [rate for key, rate in rates.items() if key[::2] == (entrant.name, split)]
            counts = [(rate.successes, rate.episodes) for rate in tasks]
            these = suite_average(counts, over="these_tasks")
            others = suite_average(counts, over="task_population")
            rows.append(
                {
                    "control": None,
                    **entrant.labels,
                    "split": split,
                    "tasks": len(tasks),
                    "episodes": sum(rate.episodes for rate in tasks),
                    "rate": these.value,
                    "ci_low": these.ci_low,
                    "ci_high": these.ci_high,
                    "clustered_low": others.ci_low,
                    "clustered_high": others.ci_high,
                }
            )
    return rows


def comparison_rows(
    entrants: Sequence[Entrant], records: Sequence[EpisodeRecord]
) -> list[dict[str, Any]]:
    """Each entrant beside another on the episodes that both ran, a row a split.

    A trained policy is the second beside the first variant of the same mode and training seed; a
    blind or deaf control is the second beside the policy that it was made from.
    """
    by_policy: dict[str, list[EpisodeRecord]] = {}
    for record in records:
        by_policy.setdefault(record.policy, []).append(record)
    references: dict[tuple[Any, ...], Entrant] = {}
    for entrant in entrants:
        if entrant.control is None:
            labels = entrant.labels
            references.setdefault((labels["e_sem"], labels["seed"]), entrant)
            references[labels["variant"], labels["e_sem"], labels["seed"]] = entrant
    rows = []
    for entrant in entrants:
        labels = entrant.labels
        key = (labels["e_sem"], labels["seed"])
        reference = references.get(key if entrant.control is None else (labels["variant"], *key))
        if reference is None or reference is entrant:
            continue
        rows += [
            {
                "control": None,
                **labels,
                "reference": reference.labels["variant"],
                **comparison.to_row(),
            }
            for comparison in compare(by_policy[reference.name], by_policy[entrant.name])
        ]
    return rows


def chain_rows(
    entrants: Sequence[Entrant], records: Sequence[EpisodeRecord]
) -> list[dict[str, Any]]:
    """Tasks done in a row of each entrant, in the environments whose episodes are chains."""
    labels = {entrant.name: {"control": None, **entrant.labels} for entrant in entrants}
    rows = chain_tables.chain_rows(records, dict.fromkeys(labels))
    return [{**row, **labels[row.pop("policy")]} for row in rows]


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
    everyone = [*policies[0], *controls[0]], [*policies[1], *controls[1]]
    chains = chain_rows(*everyone)
    gate = None if context.artifacts.gate is None else read_json(context.artifacts.gate)
    return {
        "schema_version": SCHEMA_VERSION,
        "experiment": spec.name,
        "scale": spec.scale,
        "rows": result_rows(*policies),
        "retention": retention_rows(context, trials),
        "controls": result_rows(*controls),
        "suites": suite_rows(*everyone),
        "comparisons": comparison_rows(*everyone),
        "chains": chains,
        "published": published(chains),
        "worlds": world_rows(identify(plan_units(spec.evaluation, spec.policy_spec))),
        "curves": [row for trial in trials for row in curve(context, trial)],
        "timing": {**timing, "total": sum(timing.values())},
        "provenance": dict(provenance),
        "spec": spec.to_json(),
        "media": dict(media),
        **({} if gate is None else {"gate": gate}),
    }


def write_tables(
    out: Path,
    collected: Mapping[str, Any],
    entrants: Sequence[Entrant],
    records: Sequence[EpisodeRecord],
) -> None:
    """Writes episodes, rates, suite averages and comparisons as parquet beside results.json.

    Args:
        out: the run's folder.
        collected: what ``collect`` returned.
        entrants: policies and controls.
        records: theirs.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    labels = {e.name: _named(e.labels) for e in entrants}
    rates = [
        {**labels[policy], "policy": policy, "task": task, "split": split, **vars(value)}
        for (policy, task, split), value in success_rates(records).items()
    ]
    write_parquet(out / EPISODES_FILE, episode_rows(records, labels))
    write_parquet(out / "rates.parquet", rates)
    write_parquet(out / "suites.parquet", [_named(row) for row in collected["suites"]])
    write_parquet(out / "comparisons.parquet", [_named(row) for row in collected["comparisons"]])


def _named(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Labels of one set of columns; an episode's seed keeps its name, the training's gets one."""
    renamed = {("training_seed" if name == "seed" else name): v for name, v in labels.items()}
    return {"control": None, **renamed}
