"""Runs one trial: tunes its variant, and measures it along the way and at the end."""

import contextlib
import time
from pathlib import Path
from typing import Any

from uamsim.orchestration.runs.progress import Report
from uamsim.orchestration.trials.trial import (
    TrialContext,
    TrialSpec,
    append_losses,
    load_done,
    trial_recipe,
)
from uamsim.storage import write_json
from uamsim.training.config import Questions, Sources


def run_trial(context: TrialContext, trial: TrialSpec, report: Report) -> dict[str, Any]:
    """Tunes, measures at snapshots and at the end, and leaves ``done.json``.

    A finished trial returns its result at once; one that was killed goes on from its last saved
    state. Training metrics go to ``OUT/tensorboard/<trial id>``, a row a snapshot and task to
    ``curve.jsonl``, losses to ``losses.jsonl``. Where several ranks train together each of them
    calls this, and only the first measures and reports; the others return {}.

    Returns:
        {"recipe", "checkpoint" (relative to the trial's folder), "checkpoint_hash", "scores",
        "S", "seconds" (since the trial was last started)}.

    Raises:
        UamsimError: training diverged, or a file is missing or corrupt.
        StorageError: the disk is full; what was saved is kept.
    """
    if done := load_done(context, trial):
        return done
    from uamsim.orchestration.trials import measuring
    from uamsim.runtime import limit_threads
    from uamsim.storage import sha256
    from uamsim.training.ranks import Ranks

    limit_threads()
    started = time.time()
    folder = context.folder(trial)
    first = Ranks.current().is_first
    checkpoint = _tune(context, trial, report, first=first)
    if not first:
        return {}
    scores = measuring.measure_policy(checkpoint, context.artifacts.vqa_test)
    done = {
        "recipe": trial_recipe(context, trial),
        "trial": {"variant": trial.variant, "e_sem": trial.e_sem, "seed": trial.seed},
        "checkpoint": checkpoint.relative_to(folder).as_posix(),
        "checkpoint_hash": sha256(checkpoint)[:16],
        "scores": scores,
        "S": measuring.scores_from_json(scores).mean,
        "seconds": round(time.time() - started, 1),
    }
    write_json(folder / "done.json", done)
    _tidy(folder, checkpoint)
    return done


def _tune(context: TrialContext, trial: TrialSpec, report: Report, *, first: bool) -> Path:
    from uamsim.orchestration.trials.snapshots import SnapshotRecorder
    from uamsim.orchestration.trials.watcher import Watcher
    from uamsim.reporting.tensorboard import TensorBoardLog
    from uamsim.training.tuning import tune

    spec, artifacts, runtime = context.spec, context.artifacts, context.runtime
    with contextlib.ExitStack() as stack:
        log = None
        if first:
            log = TensorBoardLog(context.out / "tensorboard" / trial.trial_id)
            stack.enter_context(log)

        def logged(step: int, total: int, metrics: dict[str, float]) -> None:
            assert log is not None
            log.scalars(step, {f"train/{name}": value for name, value in metrics.items()})
            append_losses(context, trial, step, metrics)
            report(step, total, metrics)

        def measured(step: int, checkpoint: Path) -> None:
            assert log is not None
            SnapshotRecorder(context, trial, log)(step, checkpoint)

        return tune(
            spec.tuning_of(trial.e_sem),
            spec.variant_model(trial.variant, trial.e_sem),
            Sources(
                demonstrations=artifacts.demonstrations,
                cameras=spec.demonstrations.cameras,
                vlm=artifacts.vlm / "model.safetensors",
                vae=artifacts.vae / "model.safetensors",
                generator=artifacts.generator / "model.safetensors",
                questions=artifacts.vqa
                and Questions(root=artifacts.vqa, pretraining=spec.pretraining.last_questions()),
            ),
            e_sem_trainable=trial.e_sem != "frozen",
            out=context.folder(trial),
            seed=trial.seed,
            report=logged,
            on_snapshot=measured,
            runtime=runtime,
            watch=Watcher(context, log) if runtime.watch_every else None,
        )


def _tidy(folder: Path, checkpoint: Path) -> None:
    """Keeps the last checkpoints, which the run is for; the rest only served to get there."""
    from uamsim.training.state import STATE_NAME, remove_state

    remove_state(folder / STATE_NAME)
    last = checkpoint.name.partition(".")[0]
    for file in folder.glob("step-*.safetensors"):
        if file.name.partition(".")[0] != last:
            file.unlink(missing_ok=True)
