"""One trial on several ranks: Ray Train inside a trial of Ray Tune."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from uamsim.errors import MissingDependencyError
from uamsim.orchestration.runners.base import TrialFunction
from uamsim.orchestration.runs.progress import FileReport
from uamsim.orchestration.trials.trial import TrialContext, TrialSpec
from uamsim.training.ranks import TIMEOUT, training_device

try:
    # Nothing public tells of a worker group that dies while it starts (see ``GiveBack``).
    from ray.train.v2._internal.constants import RAY_TRAIN_CALLBACKS_ENV_VAR
    from ray.train.v2._internal.execution.callback import ControllerCallback, WorkerGroupCallback
    from ray.train.v2._internal.execution.worker_group import WorkerGroup
except ImportError as error:
    raise MissingDependencyError(
        f"--ranks needs parts of Ray Train's inside, which Ray {ray.__version__} does not have "
        f"({error}). They were tested with Ray 2.60: pip install 'ray[tune]==2.60.*', or leave "
        "--ranks out."
    ) from error


class GiveBack(ControllerCallback, WorkerGroupCallback):
    """Gives back the CPUs of all ranks where one dies before every one has started.

    Ray Train 2.60 forgets such a group as it is: those who wait for the dead one keep their CPUs,
    and the next group waits for these for ever.
    """

    _group: WorkerGroup | None = None

    def _end(self) -> None:
        """Ends what Ray Train has not ended itself."""
        group, self._group = self._group, None
        if group is not None and group.has_started():
            group.shutdown()

    @contextlib.contextmanager
    def on_worker_group_start(self) -> Iterator[None]:
        """Around the start of a group; the group is known once its workers live."""
        self._end()
        try:
            yield
        except Exception:
            self._end()
            raise

    async def before_controller_shutdown(self) -> None:
        """After Ray Train's own clearing up; ends a group that died while it was launched."""
        self._end()

    def after_worker_group_start(self, worker_group: WorkerGroup) -> None:
        """Before the workers join one another, if this is the first callback."""
        self._group = worker_group


def run_on_ranks(
    context: TrialContext,
    trial: TrialSpec,
    progress: Path,
    trial_function: TrialFunction,
    *,
    gpu: bool,
    max_failures: int,
) -> None:
    """Runs the trial on ``context.runtime.ranks`` workers, one CPU (and one GPU) each.

    Where a worker dies, all are started again, and go on from the last saved state.

    Args:
        context: of the run.
        trial: to run.
        progress: file of the first rank's progress.
        trial_function: what a trial is; every rank calls it.
        gpu: whether each rank takes a GPU.
        max_failures: times that workers are started again, and that a start may fail.
    """
    # Ray Train's own callbacks come after those named so, and before those of ``RunConfig``.
    os.environ[RAY_TRAIN_CALLBACKS_ENV_VAR] = f"{GiveBack.__module__}.{GiveBack.__name__}"
    trainer = TorchTrainer(
        _rank,
        train_loop_config={"call": (trial_function, context, trial, progress)},
        torch_config=TorchConfig(
            backend="nccl" if gpu else "gloo", timeout_s=int(TIMEOUT.total_seconds())
        ),
        scaling_config=ScalingConfig(num_workers=context.runtime.ranks, use_gpu=gpu),
        run_config=RunConfig(
            name=trial.trial_id,
            storage_path=str((context.out / "ray" / "ranks").absolute()),
            failure_config=FailureConfig(
                max_failures=max_failures,
                # Of starts that fail, which by default are repeated for ever.
                controller_failure_limit=max_failures,
            ),
        ),
    )
    trainer.fit()


def _rank(config: dict[str, Any]) -> None:
    trial_function, context, trial, progress = config["call"]
    device = training_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    trial_function(context, trial, FileReport(progress))
