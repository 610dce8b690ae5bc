"""Runs everything in this process, one after another: for debugging, and without Ray."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uamsim.errors import ConfigError
from uamsim.evaluation.backends.inline import InlineBackend
from uamsim.evaluation.backends.jobs import RolloutBackend
from uamsim.orchestration.runners.base import TrialFunction, raise_unfinished
from uamsim.orchestration.runs.progress import Console
from uamsim.orchestration.trials.trial import TrialContext, TrialSpec, is_finished
from uamsim.orchestration.trials.tune import run_trial


class InlineRunner:
    """The same work as ``TuneRunner``, without retries: the first error stops the run.

    Args:
        workers: processes that make data; all else runs in this one.
        trial_function: what a trial is.
    """

    name = "inline"

    def __init__(self, workers: int = 1, trial_function: TrialFunction = run_trial) -> None:
        self.workers, self._trial_function = workers, trial_function

    def run_trials(
        self, context: TrialContext, trials: Sequence[TrialSpec], console: Console
    ) -> None:
        """See ``Runner.run_trials``.

        Raises:
            ConfigError: a trial is to run on several ranks.
        """
        if context.runtime.ranks > 1:
            raise ConfigError(
                f"--ranks is {context.runtime.ranks}, but --runner inline is one process; use "
                "--runner ray."
            )
        for trial in trials:
            if not is_finished(context, trial):
                self._trial_function(context, trial, console.report(trial.trial_id))
        raise_unfinished(context, trials, {})

    def run_calls(self, calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """See ``Runner.run_calls``."""
        return {name: call() for name, call in calls.items()}

    def rollout_backend(self) -> RolloutBackend:
        """See ``Runner.rollout_backend``."""
        return InlineBackend()

    def close(self) -> None:
        """Nothing to stop."""
