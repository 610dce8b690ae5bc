"""How much flows through which expert: trained policies with parts hidden from their actions."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from uamsim.contract import IN_DOMAIN, content_hash
from uamsim.errors import TrialError
from uamsim.evaluation.aim import aim_errors
from uamsim.evaluation.backends.inline import InlineBackend
from uamsim.evaluation.config import plan_units
from uamsim.models.interventions import INTERVENTIONS
from uamsim.models.wiring import Kind
from uamsim.orchestration.experiment.policies import checkpoint_factory
from uamsim.orchestration.runners.base import Runner
from uamsim.orchestration.trials import measuring
from uamsim.orchestration.trials.trial import TrialContext, TrialSpec, curve, load_done
from uamsim.serving.refs import CheckpointFactory
from uamsim.statistics import Rate, rate
from uamsim.storage import read_json, write_json
from uamsim.worlds import world_of

VERSION = 1
"""Raised when code changes what is measured."""
FILE = "interventions.json"
SEED0_GOALS = 7_900_000
"""Of scenes that nothing else uses."""
NONE = "none"
_NO_RATE: dict[str, Any] = dict.fromkeys(("episodes", "successes", "rate", "ci_low", "ci_high"))
Row = dict[str, Any]


def measure_all(
    context: TrialContext, trials: Sequence[TrialSpec], runner: Runner
) -> dict[str, list[Row]]:
    """``measure`` of every trial, those not yet measured side by side.

    Returns:
        The parts of results.json: "interventions", a row for each trial, intervention and task,
        and "goal_accuracy", a row for each trial that predicts goals.
    """
    calls = {t.trial_id: functools.partial(measure, context, t) for t in trials}
    found = runner.run_calls(calls)
    return {
        part: [row for trial in trials for row in found[trial.trial_id][part]]
        for part in ("interventions", "goal_accuracy")
    }


def measure(context: TrialContext, trial: TrialSpec) -> dict[str, list[Row]]:
    """Aim and success of a finished trial's policy with and without what is hidden.

    What was measured once is kept in the trial's folder.

    Raises:
        TrialError: the trial is not finished.
    """
    done = load_done(context, trial)
    if done is None:
        raise TrialError(f"trial {trial.trial_id} is not finished; run again with --resume.")
    spec, path = context.spec, context.folder(trial) / FILE
    asked = [spec.interventions, spec.evaluation, spec.scene_changes]
    identity = content_hash([VERSION, done["checkpoint_hash"], asked])
    kept = read_json(path)
    if isinstance(kept, dict) and kept.get("identity") == identity:
        return kept["rows"]
    who = {"variant": trial.variant, "e_sem": trial.e_sem, "seed": trial.seed}
    policy = checkpoint_factory(context, trial, trial.e_sem)
    rows = {
        "interventions": [{**who, **row} for row in _interventions(context, trial, policy)],
        "goal_accuracy": [{**who, **row} for row in _goals(context, policy)],
    }
    write_json(path, {"identity": identity, "rows": rows})
    return rows


def _interventions(
    context: TrialContext, trial: TrialSpec, policy: CheckpointFactory
) -> Iterator[Row]:
    """A row for each intervention and task; "none" stands for the policy as it is."""
    spec = context.spec
    config = spec.variant_model(trial.variant, trial.e_sem)
    hidden = {NONE: frozenset[Kind]()}
    hidden |= {name: INTERVENTIONS[name].hides(config) for name in spec.interventions.names}
    policies = {NONE: policy} | {
        name: dataclasses.replace(policy, name=f"{policy.name}+{name}", intervention=name)
        for name, kinds in hidden.items()
        if name != NONE and kinds
    }
    aims = dict(_aims(context, env_id, policies) for env_id in spec.evaluation.env_ids)
    plain = _success(context, trial, NONE, policy)
    for name, kinds in hidden.items():
        rates = plain
        if name != NONE:
            rates = _success(context, trial, name, policies[name]) if name in policies else {}
        for task in filter(None, dict.fromkeys((*aims, *plain))):
            aim, success = aims.get(task, {}).get(name), rates.get(task)
            yield {
                "intervention": name,
                "hidden": sorted(kinds),
                "applicable": name in policies,
                "task": task,
                "aim_cm": None if aim is None else round(100 * float(np.median(aim)), 2),
                "aims_cm": None if aim is None else [round(100 * float(v), 2) for v in aim],
                **(_NO_RATE if success is None else vars(success)),
            }


def _aims(
    context: TrialContext, env_id: str, policies: Mapping[str, CheckpointFactory]
) -> tuple[str, dict[str, np.ndarray]]:
    """The task, and errors by intervention; none where actions are no places of a hand."""
    spec = context.spec
    needs, evaluation = spec.policy_spec, spec.evaluation
    hands = world_of(env_id).sizes(needs.control).hands
    if not hands or not spec.interventions.aims:
        return "", {}
    one = dataclasses.replace(evaluation, env_ids=(env_id,), unit_episodes=spec.interventions.aims)
    (unit,) = plan_units(one, needs, splits=(IN_DOMAIN,), episodes=spec.interventions.aims)
    return aim_errors({n: make() for n, make in policies.items()}, unit, hands, needs.horizon)


def _success(
    context: TrialContext, trial: TrialSpec, name: str, policy: CheckpointFactory
) -> Mapping[str, Rate]:
    """Task -> success on the episodes of snapshots, of which the last is the policy as it is."""
    if name == NONE:
        last = context.spec.tuning.steps
        rows = [row for row in curve(context, trial) if row["step"] == last]
        return {row["task"]: rate(row["successes"], row["episodes"]) for row in rows}
    backend = InlineBackend()
    try:
        return measuring.in_domain_rates(context.spec, policy.name, policy, backend)
    finally:
        backend.close()


def _goals(context: TrialContext, policy: CheckpointFactory) -> list[Row]:
    """How often a predicted goal is the one asked for; nothing where none is predicted."""
    spec, count = context.spec, context.spec.interventions.goal_scenes
    model = policy().policy.model if count else None
    if model is None or model.goal_noise_shape is None or model.config.num_views > 1:
        return []
    from uamsim.data.goal_choices import draw_goal_choices
    from uamsim.training.goals import right_goals

    choices = draw_goal_choices(spec.scene_changes, count, SEED0_GOALS)
    right = np.concatenate(right_goals(model, choices, "english"))
    guessing = float(np.mean([1 / len(choice.goals) for choice in choices]))
    found = rate(int(right.sum()), len(right))
    return [
        {"right": found.successes, "goals": found.episodes, "guessing": guessing}
        | {key: getattr(found, key) for key in ("rate", "ci_low", "ci_high")}
    ]
