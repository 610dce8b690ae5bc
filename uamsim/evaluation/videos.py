"""Episodes as mp4 files with the instruction and the outcome written on them."""

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from uamsim.contract import EpisodeRecord, content_hash
from uamsim.errors import ConfigError, ShapeError
from uamsim.evaluation.rollout import VIDEO_FPS, Clip
from uamsim.storage import whole_file

FONT_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.fonts",
    "~/.local/share/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
)
CHINESE_FONTS = (
    "NotoSansCJK-Regular",
    "NotoSansCJKsc-Regular",
    "NotoSansSC-Regular",
    "NotoSerifCJK-Regular",
    "SourceHanSansSC-Regular",
    "wqy-microhei",
    "wqy-zenhei",
    "DroidSansFallbackFull",
    "PingFang",
    "STHeiti Light",
)
MIN_WIDTH = 384
HOLD_S = 1.0
_MIN_FONT, _MAX_FONT = 9, 44
_LONGEST_NAME = 120
GREEN, RED, WHITE = (90, 220, 110), (255, 110, 100), (255, 255, 255)


@lru_cache(maxsize=1)
def chinese_font_path() -> Path | None:
    """A font file that renders Chinese, or None."""
    found: dict[str, Path] = {}
    for folder in FONT_FOLDERS:
        for path in Path(folder).expanduser().rglob("*.tt[cf]"):
            found.setdefault(path.stem, path)
        for path in Path(folder).expanduser().rglob("*.otf"):
            found.setdefault(path.stem, path)
    return next((found[name] for name in CHINESE_FONTS if name in found), None)


@lru_cache(maxsize=8)
def _font(size: int, path: Path | None) -> ImageFont.FreeTypeFont:
    import matplotlib

    fallback = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path or fallback), size)


def label_font(size: int) -> ImageFont.FreeTypeFont:
    """A font that shows Chinese where the machine has one."""
    return _font(size, chinese_font_path())


def printable(text: str, *, has_chinese_font: bool) -> str:
    """The text, or with its Chinese in pinyin where no font could show it."""
    if text.isascii() or has_chinese_font:
        return text
    from pypinyin import lazy_pinyin  # its tables take a moment to load

    return " ".join(" ".join(lazy_pinyin(text)).split())


def pick_for_video(
    records: Sequence[EpisodeRecord], limit: int, *, failures: int | None = None
) -> list[EpisodeRecord]:
    """Episodes worth watching: failures first, then successes.

    Args:
        records: to choose from, in order.
        limit: how many at most.
        failures: how many of them may be failures; all where None. Successes fill the rest.
    """
    failed = [r for r in records if not r.success]
    chosen = failed[: limit if failures is None else min(failures, limit)]
    return chosen + [r for r in records if r.success][: limit - len(chosen)]


def draw_caption(
    frame: UInt8[np.ndarray, "H W 3"], instruction: str, outcome: str, colour: tuple[int, int, int]
) -> UInt8[np.ndarray, "H2 W2 3"]:
    """The frame, enlarged by a whole factor, over a bar with the instruction and the outcome."""
    factor = max(1, -(-MIN_WIDTH // frame.shape[1]))
    height, width = frame.shape[0] * factor, frame.shape[1] * factor
    text = printable(instruction, has_chinese_font=chinese_font_path() is not None)
    size = min(max(12, width // 26), _MAX_FONT)
    too_long = max(label_font(size).getlength(line) for line in (text, outcome)) / (width - size)
    font = label_font(max(_MIN_FONT, int(size / max(1.0, too_long))))
    # h264 with 4:2:0 colour takes even sizes only.
    canvas = Image.new("RGB", (width + width % 2, (height + 3 * size + 1) // 2 * 2))
    picture = Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas)
    draw.text((size // 2, height + size // 8), text, font=font, fill=WHITE)
    draw.text((size // 2, height + size + size // 2), outcome, font=font, fill=colour)
    return np.asarray(canvas)


def write_video(path: Path, clip: Clip, *, fps: int = VIDEO_FPS) -> Path:
    """Writes an episode as h264; its last picture, with the outcome, stays for a second.

    Raises:
        ShapeError: frames that are not uint8 [T >= 1, H, W, 3].
        StorageError: the file cannot be written.
    """
    frames, record = clip.frames, clip.record
    if frames.ndim != 4 or not len(frames) or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise ShapeError(f"expected uint8 frames [T, H, W, 3], got {frames.dtype} {frames.shape}.")
    end = ("success", GREEN) if record.success else ("failure", RED)
    captions = [(f"{record.split}, seed {record.seed}", WHITE)] * len(frames)
    captions[-1] = end
    told = clip.told or [record.instruction] * len(frames)
    drawn = [
        draw_caption(frame, instruction, *caption)
        for frame, instruction, caption in zip(frames, told, captions, strict=True)
    ]
    drawn += [drawn[-1]] * round(HOLD_S * fps)
    with whole_file(path) as partial:
        _encode(partial, drawn, fps)
    return path


def _encode(path: Path, frames: Sequence[UInt8[np.ndarray, "H W 3"]], fps: int) -> None:
    import av

    with av.open(str(path), mode="w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "23", "preset": "veryfast", "threads": "1"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def video_mark(setting: str, seed: int) -> str:
    """Ends the name of an episode's video: it tells episodes apart that differ in nothing else."""
    return content_hash([setting, seed])[:6]


def write_videos(
    folder: Path, clips: Sequence[Clip], *, limit: int, setting: str = ""
) -> list[tuple[Path, Clip]]:
    """Writes at most ``limit`` clips, failures first, and says which file shows which.

    Args:
        folder: of the videos; none is written outside.
        clips: episodes.
        limit: most that are written.
        setting: all that decides the episodes but their seeds.

    Raises:
        ConfigError: a negative limit.
        ShapeError, StorageError: as ``write_video``.
    """
    if limit < 0:
        raise ConfigError(f"the limit of videos must be at least 0, got {limit}.")
    ordered = sorted(clips, key=lambda clip: clip.record.success)[:limit]
    written = []
    for clip in ordered:
        record = clip.record
        outcome = "success" if record.success else "failure"
        mark = video_mark(setting, record.seed)
        name = f"{record.task}-{record.split}-{record.seed}-{outcome}-{mark}.mp4"
        # A split of a file is called by its path.
        name = re.sub(r"[^\w@+.-]+", "_", name)[-_LONGEST_NAME:]
        written.append((write_video(folder / name, clip), clip))
    return written
