"""Reading action data in the LeRobotDataset v3.0 layout, without lerobot."""

import os
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from uamsim.contract import Control, content_hash, stored_rate
from uamsim.data.files import load_json, open_array
from uamsim.data.lerobot_writer import (
    CODEBASE_VERSION,
    DATA_PATH,
    EPISODES_PATH,
    VIDEO_PATH,
    video_key,
)
from uamsim.data.video import decode_video
from uamsim.errors import DatasetError, UnknownNameError
from uamsim.runtime import default_root
from uamsim.storage import whole_file

DECODED = ".cache/huggingface/uamsim"
"""In a dataset's folder, of decoded pictures: what the hub's uploads leave out by themselves."""
_REMEDY = "Delete the dataset's folder and collect it again."


class LeRobotDataset:
    """A dataset in the v3.0 layout, its tables in memory.

    Attributes:
        root: its folder.
        info: ``meta/info.json``.
        state: float32 [N, P].
        action: float32 [N, A].
        episode_index: int64 [N].
        episode_start: int64 [E], first frame of each episode.
        episode_stop: int64 [E], one past its last frame.
        instructions: one for each episode.
        env_ids: one for each episode, "" where the dataset does not say.
    """

    def __init__(self, root: Path, *, control: Control | None = None) -> None:
        """Reads and checks the tables.

        Args:
            root: the folder.
            control: what actions are, where ``meta/info.json`` does not say: others than this
                project do not write it, and LeRobot drops it when it splits or merges.

        Raises:
            DatasetError: a file is missing or corrupt, the files do not fit each other, or nobody
                says what actions are.
        """
        self.root = root
        self.info: dict[str, Any] = load_json(root / "meta/info.json", _REMEDY)
        version = self.info.get("codebase_version") if isinstance(self.info, dict) else None
        if version != CODEBASE_VERSION:
            raise DatasetError(
                f"{root / 'meta/info.json'} has codebase_version {version!r}, expected "
                f"{CODEBASE_VERSION!r}. Convert the dataset with lerobot's own script."
            )
        if self.info.setdefault("control", control) is None:
            raise DatasetError(
                f"{root / 'meta/info.json'} does not say what actions are: it has no 'control', "
                "which LeRobot drops when it splits or merges a dataset, and others do not write. "
                f'Add "control": one of {", ".join(get_args(Control))} to it, or pass control=.'
            )
        episodes = read_table(root / EPISODES_PATH)
        try:
            self._read(episodes)
        except (KeyError, ValueError, TypeError, pa.ArrowException) as error:
            raise DatasetError(
                f"the tables of {root} are not what meta/info.json says ({error}). {_REMEDY}"
            ) from error
        if not np.isfinite(self.state).all() or not np.isfinite(self.action).all():
            raise DatasetError(f"{root} holds states or actions that are not finite. {_REMEDY}")

    def _read(self, episodes: pa.Table) -> None:
        self._episodes: list[dict[str, Any]] = sorted(
            episodes.select(
                [name for name in episodes.column_names if not name.startswith("stats/")]
            ).to_pylist(),
            key=lambda row: row["episode_index"],
        )
        places = sorted({(r["data/chunk_index"], r["data/file_index"]) for r in self._episodes})
        table = pa.concat_tables(
            [
                read_table(self.root / DATA_PATH.format(chunk_index=chunk, file_index=file))
                for chunk, file in places
            ]
        )
        self.episode_start = np.array([r["dataset_from_index"] for r in self._episodes])
        self.episode_stop = np.array([r["dataset_to_index"] for r in self._episodes])
        self.instructions = [r["tasks"][0] for r in self._episodes]
        self.env_ids = [r.get("env_id", "") for r in self._episodes]
        frames, count = len(table), len(self._episodes)
        if (frames, count) != (self.info["total_frames"], self.info["total_episodes"]):
            raise ValueError(f"{frames} frames in {count} episodes")
        if list(self.episode_start) != [0, *self.episode_stop[:-1]] or (
            self.episode_stop[-1] != frames
        ):
            raise ValueError("episodes do not follow each other")
        columns = {
            key: np.asarray(table[key].combine_chunks().flatten(), dtype=np.float32)
            for key in ("observation.state", "action")
        }
        self.state = columns["observation.state"].reshape(frames, -1)
        self.action = columns["action"].reshape(frames, -1)
        self.episode_index = np.repeat(
            np.arange(count), np.asarray(self.episode_stop) - self.episode_start
        )
        if not np.array_equal(np.asarray(table["index"]), np.arange(frames)):
            raise ValueError("the column 'index' does not count the frames")

    @property
    def cameras(self) -> tuple[str, ...]:
        """Cameras that the dataset has."""
        prefix = video_key("")
        return tuple(k.removeprefix(prefix) for k in self.info["features"] if k.startswith(prefix))

    @property
    def fps(self) -> int:
        """Frames a second."""
        return int(self.info["fps"])

    @property
    def control(self) -> Control:
        """Representation of actions and of the arm's state."""
        return self.info["control"]

    @property
    def control_hz(self) -> float | None:
        """Actions a second; None where each takes as long as it needs."""
        return stored_rate(self.info)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.state)

    def frames(self, camera: str) -> np.ndarray:
        """All pictures of a camera, uint8 [N, H, W, 3], decoded once and then mapped from disk.

        They are kept in ``DECODED``, of a read-only dataset in the cache.

        Raises:
            UnknownNameError: no such camera.
            DatasetError: a video is missing or corrupt.
            StorageError: no room for the decoded frames.
        """
        if camera not in self.cameras:
            raise UnknownNameError("camera", camera, self.cameras)
        shape = (len(self), *self.info["features"][video_key(camera)]["shape"])
        path = self._frames_file(camera)
        if not path.exists():
            with whole_file(path) as partial:
                frames = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
                self._decode(camera, frames)
                frames.flush()
                del frames
        return open_array(path, f"Delete {path}; it is made again.", shape=shape)

    def _frames_file(self, camera: str) -> Path:
        """Where a camera's decoded pictures are kept: with the dataset, or in the cache."""
        path = self.root / DECODED / f"{camera}.npy"
        if path.exists() or os.access(self.root, os.W_OK):
            return path
        written = (self.root / "meta/info.json").stat().st_mtime_ns
        place = content_hash([str(self.root.resolve()), written])
        return default_root() / "frames" / place / path.name

    def _decode(self, camera: str, frames: np.ndarray) -> None:
        key = f"videos/{video_key(camera)}"
        spans: dict[tuple[int, int], list[int]] = {}
        for row in self._episodes:
            place = (row[f"{key}/chunk_index"], row[f"{key}/file_index"])
            span = spans.setdefault(place, [row["dataset_from_index"], 0])
            span[1] = row["dataset_to_index"]
        for (chunk, file), (start, stop) in spans.items():
            name = VIDEO_PATH.format(
                video_key=video_key(camera), chunk_index=chunk, file_index=file
            )
            decode_video(self.root / name, frames[start:stop], _REMEDY)


def read_table(path: Path, remedy: str = _REMEDY) -> pa.Table:
    """A parquet file that must be there.

    Raises:
        DatasetError: it is missing or not readable.
    """
    try:
        return pq.read_table(path)
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing. {remedy}") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DatasetError(f"{path} is not a readable parquet file ({error}). {remedy}") from error
