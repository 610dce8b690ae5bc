"""What TensorBoard shows of a model while it is being tuned: S, and predicted goals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from uamsim.data.action_data import ActionDataset
from uamsim.evaluation.retention import score
from uamsim.models.sampling import Sampler
from uamsim.orchestration.trials import measuring
from uamsim.orchestration.trials.trial import TrialContext
from uamsim.reporting.tensorboard import TensorBoardLog

NUM_GOALS = 4
"""Frames of the demonstrations whose goals are shown."""


class Watcher:
    """Called with (step, model) during tuning, on every rank alike, since they share the weights.

    Args:
        context: of the run.
        log: where it is shown; None on all ranks but the first.
    """

    def __init__(self, context: TrialContext, log: TensorBoardLog | None) -> None:
        self._log, self._before = log, context.before["snapshot"]
        spec = context.spec
        self._images, questions = measuring.test_set(context.artifacts.vqa_test)
        self._questions = measuring.subset(questions, spec.snapshot_questions)
        cameras = spec.demonstrations.cameras
        root = context.artifacts.demonstrations
        data = ActionDataset(root, chunk=spec.model.chunk, cameras=cameras)
        self._frames = data.batch(np.linspace(0, len(data) - 1, NUM_GOALS + 2).astype(int)[1:-1])

    def __call__(self, step: int, model: Any) -> None:
        """Measures S of the weights as they are, and shows goals where the model predicts them."""
        scores = score(_Answerer(model.vlm), self._questions, self._images)
        kept = measuring.retention_since(self._before, measuring.scores_to_json(scores)).to_json()
        goals = self._goals(model)
        if self._log is None:
            return
        self._log.scalars(
            step, {"watch/S": kept["S"], "watch/S_corrected": kept["S_corrected"] or 0.0}
        )
        if goals is not None:
            self._log.picture(step, "goals: now, predicted, true", goals)

    def _goals(self, model: Any) -> np.ndarray | None:
        """Rows of the picture now, the predicted and the true one, uint8 [H, W, 3]."""
        if model.prediction is None:
            return None
        frames, device = self._frames, model.vlm.device
        images = torch.from_numpy(frames["images"]).to(device)
        noise, shape = None, model.goal_noise_shape
        if shape is not None:
            drawn = torch.randn((NUM_GOALS, *shape), generator=torch.Generator().manual_seed(0))
            noise = drawn.to(device)
        predicted = Sampler(model).predict_goal(images, frames["instructions"], noise)
        columns = (frames["images"][:, 0], predicted.cpu().numpy(), frames["goal_images"])
        return np.concatenate([np.concatenate(list(column)) for column in columns], axis=1)


class _Answerer:
    """E_sem of a model that is being trained."""

    def __init__(self, vlm: Any) -> None:
        self._vlm = vlm

    def answer(self, images: np.ndarray, questions: Sequence[str]) -> list[str]:
        return self._vlm.answer(torch.from_numpy(images).to(self._vlm.device), questions)
