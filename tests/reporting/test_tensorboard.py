import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from uamsim.errors import ShapeError
from uamsim.reporting.tensorboard import TensorBoardLog


def test_scalars_and_videos_read_back(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (4, 16, 24, 3), np.uint8)
    with TensorBoardLog(tmp_path / "run") as log:
        log.scalars(1, {"loss/action": 0.5, "S": 0.9})
        log.scalars(2, {"loss/action": 0.25})
        log.video(2, "episode", frames, fps=10)
        log.picture(2, "world", frames[0])
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss/action")] == [(1, 0.5), (2, 0.25)]
    (video,) = events.Images("episode")
    assert (video.width, video.height) == (24, 16)
    assert video.encoded_image_string.startswith(b"GIF89a")


def test_a_wrong_video_is_refused(tmp_path):
    with (
        TensorBoardLog(tmp_path) as log,
        pytest.raises(ShapeError, match="expected uint8"),
    ):
        log.video(0, "episode", np.zeros((4, 16, 24, 3), np.float32), fps=10)  # pyright: ignore[reportArgumentType]
