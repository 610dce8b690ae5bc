"""TensorBoard logs: curves and videos, without TensorFlow or torch."""

import io
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from uamsim.errors import ShapeError, StorageError


class TensorBoardLog:
    """One run's event file; use it as a context manager or call ``close``.

    Example:
        >>> with TensorBoardLog(out / "tensorboard" / trial_id) as log:
        ...     log.scalars(100, {"loss/action": 0.3})

    Args:
        folder: made if missing; TensorBoard shows one run a folder.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventFileWriter(str(folder))
        except OSError as error:
            raise StorageError(f"cannot write TensorBoard logs to {folder}: {error}.") from error

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point on the curve of each name; "loss/action" groups under "loss"."""
        self._add(
            step,
            *(Summary.Value(tag=name, simple_value=float(v)) for name, v in values.items()),
        )

    def picture(self, step: int, name: str, image: UInt8[np.ndarray, "H W 3"]) -> None:
        """A picture.

        Raises:
            ShapeError: not uint8 [H, W, 3].
        """
        self.video(step, name, image[None], fps=1)

    def video(
        self, step: int, name: str, frames: UInt8[np.ndarray, "T H W 3"], *, fps: float
    ) -> None:
        """A video, stored as a GIF, the only moving format TensorBoard shows.

        Raises:
            ShapeError: not uint8 [T >= 1, H, W, 3].
        """
        if frames.ndim != 4 or not len(frames) or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise ShapeError(
                f"{name}: expected uint8 [T >= 1, H, W, 3], got {frames.dtype} {frames.shape}."
            )
        pictures = [Image.fromarray(frame) for frame in frames]
        buffer = io.BytesIO()
        if len(pictures) == 1:
            pictures[0].save(buffer, "PNG")
        else:
            pictures[0].save(
                buffer,
                "GIF",
                save_all=True,
                append_images=pictures[1:],
                duration=round(1000 / fps),
                loop=0,
            )
        height, width = frames.shape[1:3]
        shown = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=buffer.getvalue()
        )
        self._add(step, Summary.Value(tag=name, image=shown))

    def close(self) -> None:
        """Writes out what is buffered."""
        self._writer.close()

    def _add(self, step: int, *values: Summary.Value) -> None:
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
        self._writer.add_event(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
