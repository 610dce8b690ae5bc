"""Camera streams as H.264 files, and lossless clips on the way there."""

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from uamsim.data.config import PixelFormat
from uamsim.errors import DatasetError
from uamsim.storage import whole_file

PIXEL_FORMAT: PixelFormat = "yuv444p"
"""Full chroma: at a few thousand pixels, halved chroma smears the colours of small things."""
_CRF = "12"
_KEYFRAME_EVERY = 10


def encode_video(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    fps: int,
    pixel_format: PixelFormat = PIXEL_FORMAT,
) -> None:
    """Writes uint8 [H, W, 3] frames; the file appears when it is whole.

    Args:
        path: the file.
        frames: in order.
        fps: frames a second.
        pixel_format: with "yuv420p" browsers play it; height and width are then even.

    Raises:
        StorageError: the disk is full.
    """
    import av

    with (
        whole_file(path, alone=True) as partial,
        av.open(str(partial), "w", format="mp4") as container,
    ):
        stream = None
        for picture in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=fps)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = pixel_format
                stream.time_base = Fraction(1, fps)
                stream.options = {"crf": _CRF, "preset": "fast", "g": str(_KEYFRAME_EVERY)}
                stream.codec_context.thread_count = 1
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode())


def decode_video(path: Path, into: np.ndarray, remedy: str) -> None:
    """Decodes every frame into a uint8 [N, H, W, 3] array.

    Raises:
        DatasetError: the file is missing, corrupt, or holds another number or size of frames.
    """
    import av
    from av.error import FFmpegError

    count = 0
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                picture = frame.to_ndarray(format="rgb24")
                if count >= len(into) or picture.shape != into.shape[1:]:
                    count = -1
                    break
                into[count] = picture
                count += 1
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing. {remedy}") from error
    except (FFmpegError, IndexError) as error:
        raise DatasetError(f"{path} is not a readable video ({error}). {remedy}") from error
    if count != len(into):
        raise DatasetError(
            f"{path} does not hold the {len(into)} frames of {list(into.shape[1:])} that the "
            f"tables name. {remedy}"
        )


class ClipWriter:
    """An episode's pictures of one camera, compressed without loss as they come.

    So an episode of any length is held in little memory until its outcome is known.
    """

    def __init__(self) -> None:
        import av

        self._buffer = io.BytesIO()
        self._container = av.open(self._buffer, "w", format="matroska")
        self._stream: Any = None

    def add(self, picture: np.ndarray) -> None:
        """Takes a uint8 [H, W, 3] picture; it may be changed afterwards."""
        import av

        if self._stream is None:
            self._stream = self._container.add_stream("libx264rgb", rate=10)
            self._stream.height, self._stream.width = picture.shape[:2]
            self._stream.pix_fmt = "rgb24"
            self._stream.options = {"qp": "0", "preset": "ultrafast", "tune": "zerolatency"}
            self._stream.codec_context.thread_count = 1
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> np.ndarray:
        """The clip's bytes as uint8 [size]; nothing can be added any more."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()
        return np.frombuffer(self._buffer.getvalue(), np.uint8)


def read_clip(clip: np.ndarray) -> Iterator[np.ndarray]:
    """The uint8 [H, W, 3] pictures that a ``ClipWriter`` was given, one by one."""
    import av

    with av.open(io.BytesIO(clip.tobytes()), "r") as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")
