"""Success and retention while a trial is being tuned."""

from pathlib import Path

from uamsim.evaluation.backends.inline import InlineBackend
from uamsim.orchestration.trials import measuring
from uamsim.orchestration.trials.trial import (
    TrialContext,
    TrialSpec,
    append_curve,
    curve,
)
from uamsim.reporting.tensorboard import TensorBoardLog
from uamsim.serving.refs import CheckpointFactory


class SnapshotRecorder:
    """Called with (step, checkpoint) during tuning; leaves a row for each task.

    Args:
        context: of the run.
        trial: that is being tuned.
        log: for TensorBoard.
    """

    def __init__(self, context: TrialContext, trial: TrialSpec, log: TensorBoardLog) -> None:
        self._context, self._trial, self._log = context, trial, log

    def __call__(self, step: int, checkpoint: Path) -> None:
        """Measures one snapshot, unless a killed run had already.

        Raises:
            CheckpointError: the checkpoint is corrupt.
            StorageError: the disk is full.
        """
        context, trial = self._context, self._trial
        spec = context.spec
        if any(row["step"] == step for row in curve(context, trial)):
            return
        scores = measuring.measure_policy(
            checkpoint, context.artifacts.vqa_test, per_skill=spec.snapshot_questions
        )
        kept = measuring.retention_since(context.before["snapshot"], scores).to_json()
        name = f"{trial.trial_id}@{step}"
        factory = CheckpointFactory(name=name, checkpoint=checkpoint)
        backend = InlineBackend()
        try:
            rates = measuring.in_domain_rates(spec, name, factory, backend)
        finally:
            backend.close()
        rows = [
            {
                "variant": trial.variant,
                "e_sem": trial.e_sem,
                "seed": trial.seed,
                "step": step,
                "S": kept["S"],
                "S_corrected": kept["S_corrected"],
                "task": task,
                **vars(value),
            }
            for task, value in rates.items()
        ]
        self._log.scalars(
            step,
            {"retention/S": kept["S"], "retention/S_corrected": kept["S_corrected"]}
            | {f"success/{task}": value.rate for task, value in rates.items()},
        )
        append_curve(context, trial, rows)
