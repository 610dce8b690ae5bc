"""The policies of an experiment: its trained ones and their controls."""

from collections.abc import Sequence
from typing import Literal

from uamsim.errors import TrialError
from uamsim.evaluation.entrants import Entrant, control_of
from uamsim.orchestration.artifacts.stages import MODEL_FILE
from uamsim.orchestration.spec import ESem
from uamsim.orchestration.trials.trial import TrialContext, TrialSpec, load_done
from uamsim.serving.refs import CheckpointFactory

Mode = ESem | Literal["restored"]


def trained(context: TrialContext, trials: Sequence[TrialSpec]) -> list[Entrant]:
    """The tuned policies, and the restored probes of those with E_sem unfrozen.

    Each is compared with the first variant of its mode and training seed.
    """
    entrants: list[Entrant] = []
    first: dict[tuple[str, int], str] = {}
    for trial in trials:
        modes: list[Mode] = [trial.e_sem]
        if context.spec.restored and trial.e_sem == "unfrozen":
            modes.append("restored")
        for mode in modes:
            factory = checkpoint_factory(context, trial, mode)
            reference = first.setdefault((mode, trial.seed), factory.name)
            entrants.append(
                Entrant(
                    name=factory.name,
                    factory=factory,
                    spec=context.spec.policy_spec,
                    beside=None if reference == factory.name else reference,
                    variant=trial.variant,
                    e_sem=mode,
                    seed=trial.seed,
                )
            )
    return entrants


def controls(context: TrialContext, policies: Sequence[Entrant]) -> list[Entrant]:
    """The random policy, and unfrozen policies made blind or deaf or told something else.

    Args:
        context: of the run.
        policies: ``trained``.
    """
    spec = context.spec
    unfrozen = [policy for policy in policies if policy.e_sem == "unfrozen"]
    entrants = []
    if "random" in spec.controls and policies:
        # One for the run, beside the policy that it is about.
        known = [p for p in unfrozen if p.variant == "uam"] or unfrozen or list(policies)
        entrants.append(control_of(known[0], "random"))
    for policy in unfrozen:
        if policy.variant in spec.control_variants:
            entrants += [control_of(policy, kind) for kind in spec.controls if kind != "random"]
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
        checkpoint_hash=done["checkpoint_hash"],
        e_sem_from=context.artifacts.vlm / MODEL_FILE if mode == "restored" else None,
    )
