from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from uamsim.contract import EpisodeRecord
from uamsim.errors import ConfigError, ShapeError, StorageError
from uamsim.evaluation.attention import overlay, write_png
from uamsim.evaluation.rollout import Clip
from uamsim.evaluation.videos import (
    draw_caption,
    pick_for_video,
    printable,
    write_video,
    write_videos,
)

RECORD = EpisodeRecord(
    policy="p",
    env_id="e",
    task="reach",
    split="chinese",
    seed=1,
    instruction="按红色圆按钮",
    success=True,
    stages={},
    num_steps=20,
    render_profile="fast",
)


def clip(seed: int, success: bool) -> Clip:
    frames = np.random.default_rng(seed).integers(0, 256, (4, 33, 49, 3), np.uint8)
    return Clip(record=replace(RECORD, seed=seed, success=success), frames=frames)


def test_video_has_the_frames_and_holds_the_end(tmp_path: Path):
    path = write_video(tmp_path / "a" / "v.mp4", clip(1, True))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert stream.codec_context.name == "h264"
    assert len(frames) == 4 + 10
    assert frames[0].shape[1] >= 384
    assert [p.name for p in path.parent.iterdir()] == ["v.mp4"]


def test_videos_are_capped_failures_first(tmp_path: Path):
    clips = [clip(1, True), clip(2, False), clip(3, True), clip(4, False)]
    written = write_videos(tmp_path, clips, limit=3)
    assert [c.record.seed for _, c in written] == [2, 4, 1]
    assert all(path.exists() for path, _ in written)
    assert "failure" in written[0][0].name
    with pytest.raises(ConfigError):
        write_videos(tmp_path, clips, limit=-1)


def test_videos_of_another_setting_or_of_a_file_of_splits_are_further_files_in_the_folder(
    tmp_path: Path,
):
    shown = clip(1, True)
    far = replace(shown, record=replace(shown.record, split="../../own/<file>.py:mine"))
    written = [write_videos(tmp_path / "v", [far], limit=1, setting=name) for name in "ab"]
    assert sorted((tmp_path / "v").iterdir()) == sorted(path for ((path, _),) in written)
    assert len(list(tmp_path.iterdir())) == 1


def test_picking_prefers_failures():
    records = [clip(seed, seed % 2 == 0).record for seed in range(8)]
    assert [r.seed for r in pick_for_video(records, 3)] == [1, 3, 5]
    assert [r.seed for r in pick_for_video(records, 4, failures=2)] == [1, 3, 0, 2]


def test_captions_show_text_and_fall_back_to_pinyin():
    frame = np.zeros((33, 49, 3), np.uint8)
    one = draw_caption(frame, "press the red button", "success", (0, 255, 0))
    two = draw_caption(frame, "", "success", (0, 255, 0))
    assert one.shape == two.shape
    assert one.shape[0] % 2 == one.shape[1] % 2 == 0
    assert (one != two).any()
    assert printable("按红色圆按钮", has_chinese_font=True) == "按红色圆按钮"
    assert printable("press 红色 button", has_chinese_font=False) == "press hong se button"


def test_video_errors(tmp_path: Path):
    with pytest.raises(ShapeError):
        write_video(tmp_path / "v.mp4", Clip(record=RECORD, frames=np.zeros((0, 4, 4, 3), "u1")))
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_video(tmp_path / "file" / "v.mp4", clip(1, True))


def test_overlay_is_hot_where_attention_is(tmp_path: Path):
    image = np.full((64, 96, 3), 128, np.uint8)
    attention = np.zeros((4, 6))
    attention[1, 4] = 1.0
    mixed = overlay(image, attention).astype(int)
    hot, cold = mixed[24, 72], mixed[56, 8]
    assert hot[0] - hot[2] > 50
    assert cold[2] - cold[0] > 50
    flat = overlay(image, np.full((4, 6), 0.3))
    assert (flat == flat[0, 0]).all()
    with pytest.raises(ShapeError):
        overlay(image, np.full((4, 6), np.nan))
    path = write_png(tmp_path / "m" / "a.png", overlay(image, attention), min_width=300)
    with Image.open(path) as picture:
        assert picture.size == (384, 256)
