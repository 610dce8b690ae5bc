"""Training batches and questions made from specs, and checks of what claims to be one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from uamsim.contract import ACTION_DIM, SKILLS, ActionBatch, Question
from uamsim.errors import ShapeError

BRIGHT = 200
DARK = 50


def fake_action_batch(
    rng: np.random.Generator,
    *,
    batch_size: int = 2,
    num_views: int = 1,
    image_size: tuple[int, int] = (64, 96),
    chunk: int = 4,
) -> ActionBatch:
    """A batch of noise that satisfies ``check_action_batch``."""
    mask = np.ones((batch_size, chunk), bool)
    mask[0, chunk // 2 :] = False
    return {
        "images": rng.integers(0, 256, (batch_size, num_views, *image_size, 3), np.uint8),
        "instructions": [f"press the red round button {row}" for row in range(batch_size)],
        "proprio": rng.normal(size=(batch_size, ACTION_DIM)).astype(np.float32),
        "actions": rng.normal(size=(batch_size, chunk, ACTION_DIM)).astype(np.float32),
        "action_mask": mask,
        "goal_images": rng.integers(0, 256, (batch_size, *image_size, 3), np.uint8),
        "goal_clamped": ~mask[:, -1],
        "frame_ids": np.stack([np.arange(batch_size), np.arange(batch_size) + chunk], axis=1),
    }


def check_action_batch(batch: ActionBatch) -> None:
    """Checks a batch against the contract.

    Raises:
        ShapeError: names the first field that does not fit, and how.
    """
    size, chunk = batch["actions"].shape[:2]
    height, width = batch["images"].shape[2:4]
    expected: dict[str, tuple[tuple[int, ...], type]] = {
        "images": ((size, batch["images"].shape[1], height, width, 3), np.uint8),
        "proprio": ((size, ACTION_DIM), np.float32),
        "actions": ((size, chunk, ACTION_DIM), np.float32),
        "action_mask": ((size, chunk), np.bool_),
        "goal_images": ((size, height, width, 3), np.uint8),
        "goal_clamped": ((size,), np.bool_),
        "frame_ids": ((size, 2), np.int64),
    }
    for name, (shape, dtype) in expected.items():
        array = np.asarray(batch[name])
        if array.shape != shape or array.dtype != dtype:
            raise ShapeError(
                f"{name}: expected {np.dtype(dtype)} {shape}, got {array.dtype} {array.shape}."
            )
        if array.dtype == np.float32 and not np.isfinite(array).all():
            raise ShapeError(f"{name}: expected finite values.")
    if len(batch["instructions"]) != size or not all(batch["instructions"]):
        raise ShapeError(f"instructions: expected {size} texts, got {batch['instructions']}.")


def fake_questions(
    count_per_skill: int, *, image_size: tuple[int, int] = (8, 12)
) -> tuple[UInt8[np.ndarray, "N H W 3"], list[tuple[int, Question]]]:
    """Bright and dark pictures, and questions of every skill whether a picture is bright.

    One in four is dark, so the best constant answer is right three times out of four.
    """
    values = [BRIGHT, BRIGHT, BRIGHT, DARK]
    images = np.stack([np.full((*image_size, 3), value, np.uint8) for value in values])
    questions = [
        (index % 4, Question(skill=skill, question="bright?", answer=("Yes", "no")[index % 4 == 3]))
        for skill in SKILLS
        for index in range(count_per_skill)
    ]
    return images, questions


class FakeAnswerer:
    """Answers ``fake_questions`` from the picture, and checks what it is given.

    Args:
        image_size: (H, W) that it expects.
        unknown: answers "no" to every question containing this text.
    """

    def __init__(self, image_size: tuple[int, int] = (8, 12), *, unknown: str = "\0") -> None:
        self._image_size, self._unknown = image_size, unknown

    def answer(
        self, images: UInt8[np.ndarray, "B H W 3"], questions: Sequence[str]
    ) -> Sequence[str]:
        """One answer for each picture.

        Raises:
            ShapeError: other pictures than promised, or not as many as questions.
        """
        if images.shape != (len(questions), *self._image_size, 3) or images.dtype != np.uint8:
            raise ShapeError(
                f"expected uint8 {(len(questions), *self._image_size, 3)}, got {images.dtype} "
                f"{images.shape}."
            )
        return [
            " yes" if image.mean() > 128 and self._unknown not in question else "no "
            for image, question in zip(images, questions, strict=True)
        ]
