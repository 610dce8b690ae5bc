"""Which policies are rolled out on what, and the rows that come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from uamsim.contract import EpisodeRecord
from uamsim.errors import TrialError
from uamsim.evaluation.backends.jobs import PolicyFactory, RolloutJob
from uamsim.evaluation.config import plan_units
from uamsim.evaluation.controls import ControlFactory, control_name
from uamsim.evaluation.environments import identify
from uamsim.orchestration.artifacts.stages import MODEL_FILE
from uamsim.orchestration.policies import CheckpointFactory
from uamsim.orchestration.spec import Control, ESem
from uamsim.orchestration.trials.measuring import rate_fields
from uamsim.orchestration.trials.trial import TrialContext, TrialSpec, load_done
from uamsim.statistics import rate

Mode = ESem | Literal["restored"]


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A policy that is rolled out, with what its rows say about it.

    Attributes:
        labels: fields of its rows beside task, split and counts.
        name: its name in records.
        factory: loads it.
        control: None for a trained policy as it is.
    """

    labels: Mapping[str, Any]
    name: str
    factory: PolicyFactory
    control: Control | None = None


def trained(context: TrialContext, trials: Sequence[TrialSpec]) -> list[Entrant]:
    """The tuned policies, and the restored probes of those with E_sem unfrozen."""
    entrants = []
    for trial in trials:
        modes: list[Mode] = [trial.e_sem]
        if context.spec.restored and trial.e_sem == "unfrozen":
            modes.append("restored")
        for mode in modes:
            factory = checkpoint_factory(context, trial, mode)
            labels = {"variant": trial.variant, "e_sem": mode, "seed": trial.seed}
            entrants.append(Entrant(labels=labels, name=factory.name, factory=factory))
    return entrants


def controls(context: TrialContext, trials: Sequence[TrialSpec]) -> list[Entrant]:
    """The random policy, and unfrozen policies made blind or deaf or told something else."""
    spec = context.spec
    entrants = []
    if "random" in spec.controls:
        entrants.append(
            Entrant(
                labels={"control": "random", "variant": None, "e_sem": None, "seed": spec.seeds[0]},
                name=control_name("random"),
                factory=ControlFactory(control="random", spec=spec.policy_spec),
                control="random",
            )
        )
    for trial in trials:
        if trial.e_sem != "unfrozen" or trial.variant not in spec.control_variants:
            continue
        base = checkpoint_factory(context, trial, "unfrozen")
        for control in spec.controls:
            if control == "random":
                continue
            labels = {"control": control, "variant": trial.variant, "e_sem": "unfrozen"}
            entrants.append(
                Entrant(
                    labels=labels | {"seed": trial.seed},
                    name=control_name(control, base.name),
                    factory=ControlFactory(control=control, base=base),
                    control=control,
                )
            )
    return entrants


def checkpoint_factory(context: TrialContext, trial: TrialSpec, mode: Mode) -> CheckpointFactory:
    """Loads a finished trial's policy.

    Raises:
        TrialError: the trial is not finished.
    """
    done = load_done(context, trial)
    if done is None:
        raise TrialError(f"trial {trial.trial_id} is not finished; run again with --resume.")
    suffix = "+restored" if mode == "restored" else ""
    return CheckpointFactory(
        name=f"{trial.trial_id}:{done['checkpoint_hash']}{suffix}",
        checkpoint=context.folder(trial) / done["checkpoint"],
        e_sem_from=context.artifacts.vlm / MODEL_FILE if mode == "restored" else None,
    )


def plan_jobs(context: TrialContext, entrants: Sequence[Entrant]) -> list[RolloutJob]:
    """Every entrant on its splits; controls on the in-domain split alone."""
    evaluation, policy_spec = context.spec.evaluation, context.spec.policy_spec
    usual = identify(plan_units(evaluation, policy_spec))
    for_controls = identify(
        plan_units(
            evaluation, policy_spec, splits=("in_domain",), episodes=evaluation.control_episodes
        )
    )
    return [
        RolloutJob(policy=entrant.name, policy_factory=entrant.factory, unit=unit)
        for entrant in entrants
        for unit in (for_controls if entrant.control else usual)
    ]


def result_rows(
    entrants: Sequence[Entrant], records: Sequence[EpisodeRecord]
) -> list[dict[str, Any]]:
    """A row for each entrant, task and split, its outcomes in the order of the seeds."""
    outcomes: dict[tuple[str, str, str], dict[int, bool]] = {}
    for record in records:
        key = (record.policy, record.task, record.split)
        outcomes.setdefault(key, {})[record.seed] = record.success
    rows = []
    for entrant in entrants:
        for (policy, task, split), by_seed in outcomes.items():
            if policy != entrant.name:
                continue
            values = [by_seed[seed] for seed in sorted(by_seed)]
            rows.append(
                {
                    **entrant.labels,
                    "task": task,
                    "split": split,
                    **rate_fields(rate(sum(values), len(values))),
                    "outcomes": values,
                }
            )
    return rows
