"""Runs trials with Ray Tune, and roll-outs and other calls on Ray workers."""

import functools
import importlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from uamsim.errors import ConfigError, MissingDependencyError, TrialError
from uamsim.evaluation.backends.jobs import RolloutBackend
from uamsim.jsonable import to_json
from uamsim.orchestration.runners.base import TrialFunction, raise_unfinished
from uamsim.orchestration.runs.progress import Console
from uamsim.orchestration.trials.trial import TrialContext, TrialSpec, is_finished, load_done
from uamsim.orchestration.trials.tune import run_trial
from uamsim.runtime import process_environment

MAX_FAILURES = 2
_OBJECT_STORE_BYTES = 128 * 2**20
_WAY_OUT = "Use --runner inline, which needs no Ray."

# Read by Ray when it is imported or started. The result loggers write what trials already write;
# Tune's own SIGINT handler would swallow Ctrl-C; Ray must not hide GPUs from CPU-only workers, nor
# run workers at a lower priority (15 by default) than everything else on the machine.
for _name, _value in {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_niceness": "0",
}.items():
    os.environ.setdefault(_name, _value)

try:
    import ray
    from ray import tune

    from uamsim.evaluation.backends.inference import get_result
except ImportError as error:
    raise MissingDependencyError(
        f"--runner ray needs Ray ({error}); install it with `pip install 'ray[tune]>=2.55'`. "
        f"{_WAY_OUT}"
    ) from error


class TuneRunner:
    """Trials as a grid of Ray Tune, ``workers`` at a time on one CPU each.

    Starts a local Ray where none is running, and stops it on ``close``.

    Args:
        workers: Ray's CPUs.
        trial_function: what a trial is; it must pickle.

    Raises:
        MissingDependencyError: Ray cannot start here; names the way out.
    """

    name = "ray"

    def __init__(self, workers: int, trial_function: TrialFunction = run_trial) -> None:
        if workers < 1:
            raise ConfigError(f"workers must be at least 1, got {workers}.")
        self.workers, self._trial_function = workers, trial_function
        self._environment = {"env_vars": process_environment()}
        self._own_ray = not ray.is_initialized()
        if not self._own_ray:
            return
        try:
            ray.init(
                num_cpus=workers,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env=self._environment,
            )
        except Exception as error:
            raise MissingDependencyError(f"Ray cannot start: {error}. {_WAY_OUT}") from error

    @property
    def _gpus(self) -> int:
        """GPUs a trial or a pretraining: one where Ray has any."""
        return int("GPU" in ray.cluster_resources())

    def run_trials(
        self, context: TrialContext, trials: Sequence[TrialSpec], console: Console
    ) -> None:
        """See ``Runner.run_trials``; a trial that dies is tried ``MAX_FAILURES`` more times.

        Raises:
            ConfigError: a trial has more ranks than Ray has CPUs.
        """
        ranks = context.runtime.ranks
        if ranks > self.workers:
            raise ConfigError(
                f"--ranks is {ranks}, but there are {self.workers} workers; raise --workers."
            )
        if ranks > 1:
            # Where Ray Train is not as it must be, this says so before a trial is tried.
            importlib.import_module("uamsim.orchestration.runners.ranks")
        unfinished = [trial for trial in trials if not is_finished(context, trial)]
        if not unfinished:
            return
        # Its tracebacks are in each trial's error.txt; the reasons are in the error raised here.
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        trainable = tune.with_resources(
            functools.partial(
                _trainable,
                context=context,
                folder=console.folder,
                trial_function=self._trial_function,
                gpu=bool(self._gpus),
            ),
            # Ranks are workers of their own, for which the trial only waits; Tune refuses nothing.
            {"cpu": 1, "gpu": self._gpus} if ranks == 1 else {"memory": 1},
        )
        results = self._tuner(trainable, trials, context.out, self.workers // ranks).fit()
        reasons = {
            result.config["trial"]["trial_id"]: _reason(result)
            for result in results
            if result.error is not None and result.config
        }
        raise_unfinished(context, trials, reasons)

    def _tuner(
        self, trainable: Any, trials: Sequence[TrialSpec], out: Path, at_once: int
    ) -> tune.Tuner:
        """Tune's own state where it can be restored, else a new grid.

        Both are right, since a finished trial returns at once; restoring keeps Tune's record.
        """
        grid = [to_json(trial) | {"trial_id": trial.trial_id} for trial in trials]
        space = {"trial": tune.grid_search(grid)}
        storage = (out / "ray").absolute()
        if tune.Tuner.can_restore(str(storage / "trials")):
            try:
                return tune.Tuner.restore(
                    str(storage / "trials"),
                    trainable,
                    resume_unfinished=True,
                    resume_errored=True,
                    param_space=space,
                )
            except Exception as error:
                # Killed while Tune wrote it; the trials' own files say what is finished.
                os.replace(storage, out / f"ray-unreadable-{os.getpid()}")
                print(f"Ray Tune's state was not readable ({error}); its grid is made anew.")
        return tune.Tuner(
            trainable,
            param_space=space,
            tune_config=tune.TuneConfig(
                max_concurrent_trials=at_once,
                # A worker that has imported torch once serves trial after trial.
                reuse_actors=True,
                trial_dirname_creator=_dirname,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=str(storage),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            ),
        )

    def run_calls(self, calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """See ``Runner.run_calls``."""
        remote = ray.remote(_call).options(
            num_cpus=1, num_gpus=self._gpus, max_retries=MAX_FAILURES
        )
        references = {name: remote.remote(call) for name, call in calls.items()}
        results = {}
        for name, reference in references.items():
            results[name] = get_result(reference)
        return results

    def rollout_backend(self) -> RolloutBackend:
        """See ``Runner.rollout_backend``."""
        from uamsim.evaluation.backends.ray import RayBackend

        return RayBackend(self.workers)

    def close(self) -> None:
        """Stops Ray, if this runner started it."""
        if self._own_ray and ray.is_initialized():
            ray.shutdown()


def _trainable(
    config: dict[str, Any],
    *,
    context: TrialContext,
    folder: Path,
    trial_function: TrialFunction,
    gpu: bool,
) -> None:
    from uamsim.orchestration.runs.progress import FileReport

    trial = TrialSpec.from_json(config["trial"])
    progress = folder / f"{trial.trial_id}.json"
    if context.runtime.ranks > 1:
        from uamsim.orchestration.runners.ranks import run_on_ranks

        if not is_finished(context, trial):
            run_on_ranks(
                context, trial, progress, trial_function, gpu=gpu, max_failures=MAX_FAILURES
            )
        done = load_done(context, trial)
        if done is None:
            raise TrialError(f"the ranks of {trial.trial_id} ended without a result.")
    else:
        done = trial_function(context, trial, FileReport(progress))
    tune.report({"S": done["S"], "seconds": done["seconds"]})


def _reason(result: tune.Result) -> str:
    last_line = str(result.error).strip().rpartition("\n")[2]
    return f"{last_line} (traceback: {result.path}/error.txt)"


def _dirname(trial: Any) -> str:
    return str(trial.config["trial"]["trial_id"])


def _call(call: Callable[[], Any]) -> Any:
    return call()
