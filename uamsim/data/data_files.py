"""The files of a dataset that is being made: each one's videos, and what the tables need of it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uamsim.data.archives import damaged, read_archive, write_archive
from uamsim.data.config import PixelFormat
from uamsim.data.image_stats import ImageSums, merge_image_stats
from uamsim.data.lerobot_writer import (
    VIDEO_PATH,
    DatasetSpec,
    EpisodeData,
    file_indices,
    video_key,
    write_tables,
)
from uamsim.data.video import PIXEL_FORMAT, encode_video

EPISODES_PER_FILE = 20


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file whose videos are written.

    Attributes:
        episodes: in order, without their pictures.
        image_sums: camera -> sums of ``ImageSums``.
        failed: seeds that gave no episode.
    """

    episodes: list[EpisodeData]
    image_sums: dict[str, dict[str, list[float]]]
    failed: list[int]


def data_file_path(folder: Path, number: int) -> Path:
    """Where what the tables need of the n-th file is kept; whatever is there is whole."""
    return folder / f"part-{number:05d}.npz"


def drop_fragments(folder: Path) -> None:
    """Removes files that a process was writing when it was killed."""
    for fragment in folder.rglob(".*"):
        if fragment.is_file() and fragment.name != ".recipe":
            fragment.unlink()


def write_data_file(
    folder: Path,
    number: int,
    episodes: Sequence[EpisodeData],
    pictures: Mapping[str, Iterable[np.ndarray]],
    *,
    fps: int,
    failed: Sequence[int] = (),
    pixel_format: PixelFormat = PIXEL_FORMAT,
) -> None:
    """Encodes a file's videos and keeps the rest of it for the tables.

    Args:
        folder: of the unfinished dataset.
        number: of the file.
        episodes: in order.
        pictures: camera -> uint8 [H, W, 3] pictures of all its episodes, one after the other.
        fps: frames a second.
        failed: seeds that gave no episode.
        pixel_format: of the videos.

    Raises:
        StorageError: the disk is full.
    """
    stats, videos = {}, {}
    for camera, frames in pictures.items():
        sums = ImageSums()
        name = VIDEO_PATH.format(video_key=video_key(camera), **file_indices(number))
        summed = _summed(frames, sums)
        encode_video(folder / name, summed, fps=fps, pixel_format=pixel_format)
        stats[camera], videos[name] = sums.to_json(), _checksum(folder / name)
    head = {
        "episodes": [[e.env_id, e.seed, e.instruction, len(e.state)] for e in episodes],
        "stats": stats,
        "failed": list(failed),
        "videos": videos,
    }
    arrays = {
        "state": np.concatenate([e.state for e in episodes]),
        "action": np.concatenate([e.action for e in episodes]),
    }
    write_archive(data_file_path(folder, number), head, arrays)


def _summed(frames: Iterable[np.ndarray], sums: ImageSums) -> Iterator[np.ndarray]:
    for picture in frames:
        sums.add(picture)
        yield picture


def read_data_file(folder: Path, number: int, *, check: bool = False) -> DataFile:
    """What the tables need of a file.

    Args:
        folder: of the unfinished dataset.
        number: of the file.
        check: whether its videos are compared with what was written.

    Raises:
        DatasetError: it is missing or damaged.
    """
    path = data_file_path(folder, number)
    head, arrays = read_archive(path, ("state", "action"))
    for name, checksum in head.get("videos", {}).items() if check else ():
        if not (folder / name).exists() or _checksum(folder / name) != checksum:
            raise damaged(path, f"{folder / name} is not the video that was written")
    episodes, start = [], 0
    for env_id, seed, instruction, length in head["episodes"]:
        span = slice(start, start + length)
        episodes.append(
            EpisodeData(
                env_id=env_id,
                seed=seed,
                instruction=instruction,
                state=arrays["state"][span],
                action=arrays["action"][span],
            )
        )
        start += length
    return DataFile(episodes=episodes, image_sums=head["stats"], failed=head["failed"])


def write_dataset(folder: Path, num_files: int, spec: DatasetSpec) -> list[int]:
    """Writes the tables once all files are there.

    Returns:
        The seeds that gave no episode.

    Raises:
        DatasetError: a file is missing or damaged.
        StorageError: the disk is full.
    """
    files = [read_data_file(folder, number) for number in range(num_files)]
    image_stats: dict[str, dict[str, Any]] = {
        camera: merge_image_stats([file.image_sums[camera] for file in files])
        for camera in spec.image_sizes
    }
    write_tables(folder, [file.episodes for file in files], spec, image_stats)
    return [seed for file in files for seed in file.failed]


def _checksum(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
