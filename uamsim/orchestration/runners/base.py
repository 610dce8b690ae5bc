"""What the pipeline asks of a runner."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from uamsim.errors import TrialError
from uamsim.evaluation.backends.jobs import RolloutBackend
from uamsim.orchestration.runs.progress import Console, Report
from uamsim.orchestration.trials.trial import TrialContext, TrialSpec, is_finished

TrialFunction = Callable[[TrialContext, TrialSpec, Report], Mapping[str, Any]]
"""What a trial is: ``run_trial``, or a stand-in of a test."""


class Runner(Protocol):
    """Runs trials, roll-outs and other calls; every runner gives the same numbers."""

    name: str
    workers: int

    def run_trials(
        self, context: TrialContext, trials: Sequence[TrialSpec], console: Console
    ) -> None:
        """Runs the trials that are not finished.

        Raises:
            TrialError: trials did not finish; names each with its reason. The others are kept.
        """
        ...

    def run_calls(self, calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """Results of independent calls by name; calls and results must pickle."""
        ...

    def rollout_backend(self) -> RolloutBackend:
        """A new backend; the caller closes it."""
        ...

    def close(self) -> None:
        """Stops workers."""
        ...


def raise_unfinished(
    context: TrialContext, trials: Sequence[TrialSpec], reasons: Mapping[str, str]
) -> None:
    """Raises one error for all trials without a result, if there are any.

    Args:
        context: of the trials.
        trials: all trials.
        reasons: trial id -> why it failed, as far as known.

    Raises:
        TrialError: names the trials.
    """
    failed = [trial.trial_id for trial in trials if not is_finished(context, trial)]
    if not failed:
        return
    lines = "\n".join(f"- {name}: {reasons.get(name, 'it did not finish')}" for name in failed)
    raise TrialError(
        f"{len(failed)} of {len(trials)} trials failed; the finished ones are kept, and the same "
        f"command with --resume runs only these:\n{lines}"
    )
