"""A LeRobotDataset that somebody else wrote, taken in as demonstrations."""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from uamsim.contract import Control, rate_facts
from uamsim.data.config import DataConfig
from uamsim.data.files import load_json
from uamsim.data.lerobot import DECODED, read_table
from uamsim.data.lerobot_writer import CODEBASE_VERSION, DATA_PATH, EPISODES_PATH, video_key
from uamsim.errors import DatasetError
from uamsim.storage import whole_file, write_json

_REMEDY = "Name the folder that holds meta, data and videos of a LeRobotDataset v3.0."


class GivenDataset:
    """What a dataset says of itself, checked against what is asked of it.

    Attributes:
        root: its folder.
        cameras: the policy's name of a camera -> the dataset's feature.
        control: what actions are.
        fps: frames a second.
        action_dim, proprio_dim: numbers of an action and of the state.
    """

    def __init__(self, config: DataConfig, cameras: Sequence[str] = ()) -> None:
        """Reads ``meta/info.json``.

        Args:
            config: where it is, and what is called how.
            cameras: those that are wanted where ``camera_map`` names none; () takes all.

        Raises:
            DatasetError: a file is missing, or the dataset lacks what is asked for; says which
                option maps it.
        """
        self.config, self.root = config, Path(config.path).expanduser()
        path = self.root / "meta/info.json"
        self._info: dict[str, Any] = load_json(path, _REMEDY)
        version = self._info.get("codebase_version")
        if version != CODEBASE_VERSION:
            raise DatasetError(
                f"{path} has codebase_version {version!r}, expected {CODEBASE_VERSION!r}. Convert "
                "the dataset with lerobot's own script."
            )
        self.fps = int(self._info["fps"])
        control = config.control or self._info.get("control")
        if control is None:
            raise DatasetError(
                f"{path} does not say what actions are, as LeRobot's own datasets do not: say "
                f"--data.control {'|'.join(get_args(Control))}."
            )
        self.control: Control = control
        self.action_dim = self._width(config.action, "--data.action")
        self.proprio_dim = self._width(config.state, "--data.state")
        own = [name for name, f in self._features.items() if f["dtype"] in ("video", "image")]
        named = {name.rpartition(".")[2]: name for name in own}
        mapped = dict(word.split("=", 1) for word in config.camera_map)
        self.cameras = mapped or {camera: named.get(camera, "") for camera in cameras or named}
        for camera, feature in self.cameras.items():
            if feature not in own:
                raise DatasetError(
                    f"{self.root} has no pictures {feature or camera!r} for the camera {camera!r}; "
                    f"it has {', '.join(own) or 'none'}. Say --data.camera-map {camera}=FEATURE."
                )

    @property
    def _features(self) -> Mapping[str, Any]:
        return self._info["features"]

    def _width(self, feature: str, option: str) -> int:
        known = self._features.get(feature)
        if known is None or len(known["shape"]) != 1:
            vectors = [name for name, f in self._features.items() if f["dtype"] == "float32"]
            raise DatasetError(
                f"{self.root} has no vector {feature!r}; it has {', '.join(vectors)}. Say {option}."
            )
        return int(known["shape"][0])

    @property
    def fingerprint(self) -> str:
        """16 hex digits of its tables, and of the names and sizes of its videos."""
        digest = hashlib.sha256((self.root / "meta/info.json").read_bytes())
        for path in sorted(p for p in self.root.rglob("*") if p.suffix in (".parquet", ".mp4")):
            digest.update(f"{path.relative_to(self.root)} {path.stat().st_size}\n".encode())
            if path.suffix == ".parquet":
                digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def seeds(self) -> set[tuple[str, int]]:
        """Environment and seed of each episode that says so, as those of this project do."""
        rows = self._episodes()
        return {(row["env_id"], row["seed"]) for row in rows if row.get("seed") is not None}

    def write(self, out: Path, image_size: tuple[int, int], control_hz: float | None) -> None:
        """Writes what ``LeRobotDataset`` reads: tables, and pictures decoded in another size.

        Args:
            out: an empty folder.
            image_size: (H, W) of the pictures.
            control_hz: actions a second of the world that the policy will act in.

        Raises:
            DatasetError: a file is missing, corrupt or incomplete.
            StorageError: the disk is full.
        """
        episodes = self._episodes()
        places = sorted({(r["data/chunk_index"], r["data/file_index"]) for r in episodes})
        columns: dict[tuple[int, int], pa.Table] = {
            place: read_table(self._file(self._info["data_path"], *place), _REMEDY)
            for place in places
        }
        rows: list[dict[str, Any]] = []
        parts: list[pa.Table] = []
        start = 0
        for number, row in enumerate(episodes):
            table = columns[row["data/chunk_index"], row["data/file_index"]]
            own = np.asarray(table["episode_index"]) == row["episode_index"]
            part = table.filter(pa.array(own))
            if len(part) != row["length"]:
                raise DatasetError(
                    f"episode {row['episode_index']} of {self.root} has {len(part)} frames in its "
                    f"table, meta/episodes says {row['length']}. {_REMEDY}"
                )
            if len(row["tasks"]) != 1:
                raise DatasetError(
                    f"episode {row['episode_index']} of {self.root} has {len(row['tasks'])} tasks; "
                    "expected one. Split it, an episode for each."
                )
            parts.append(part)
            rows.append(
                {
                    "episode_index": number,
                    "tasks": row["tasks"],
                    "length": len(part),
                    "data/chunk_index": 0,
                    "data/file_index": 0,
                    "dataset_from_index": start,
                    "dataset_to_index": start + len(part),
                    "env_id": row.get("env_id") or "",
                    "seed": row.get("seed"),
                }
            )
            start += len(part)
        self._write_tables(out, rows, parts, image_size, control_hz)
        for camera, feature in self.cameras.items():
            shape = (start, *image_size, 3)
            with whole_file(out / DECODED / f"{camera}.npy") as partial:
                frames = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
                if self._features[feature]["dtype"] == "image":
                    _take_images(parts, feature, frames)
                else:
                    self._take_videos(feature, episodes, rows, frames)
                frames.flush()
                del frames

    def _episodes(self) -> list[dict[str, Any]]:
        """The rows of all files of ``meta/episodes``, in order, without their statistics."""
        files = sorted((self.root / "meta/episodes").rglob("*.parquet"))
        if not files:
            raise DatasetError(f"{self.root / 'meta/episodes'} is missing or empty. {_REMEDY}")
        rows: list[dict[str, Any]] = []
        for file in files:
            table = read_table(file, _REMEDY)
            own = [name for name in table.column_names if not name.startswith("stats/")]
            rows += table.select(own).to_pylist()
        return sorted(rows, key=lambda row: row["episode_index"])

    def _file(self, pattern: str, chunk: int, file: int, feature: str = "") -> Path:
        return self.root / pattern.format(chunk_index=chunk, file_index=file, video_key=feature)

    def _write_tables(
        self,
        out: Path,
        rows: Sequence[Mapping[str, Any]],
        parts: Sequence[pa.Table],
        image_size: tuple[int, int],
        control_hz: float | None,
    ) -> None:
        table = pa.concat_tables(
            [part.select([self.config.state, self.config.action]) for part in parts]
        )
        vectors: dict[str, pa.Array] = {}
        for key, own, dim in (
            ("observation.state", self.config.state, self.proprio_dim),
            ("action", self.config.action, self.action_dim),
        ):
            flat = np.asarray(table[own].combine_chunks().flatten(), np.float32)
            if len(flat) != len(table) * dim:
                raise DatasetError(f"{own!r} of {self.root} has not {dim} numbers everywhere.")
            vectors[key] = pa.FixedSizeListArray.from_arrays(pa.array(flat), dim)
        vectors["index"] = pa.array(np.arange(len(table)))
        for name, content in (
            (DATA_PATH.format(chunk_index=0, file_index=0), pa.table(vectors)),
            (EPISODES_PATH, pa.Table.from_pylist(list(rows))),
        ):
            with whole_file(out / name) as partial:
                pq.write_table(content, partial)
        features: dict[str, Any] = {
            video_key(camera): {"dtype": "video", "shape": [*image_size, 3]}
            for camera in self.cameras
        }
        info = {
            "codebase_version": CODEBASE_VERSION,
            "robot_type": self._info.get("robot_type"),
            "total_episodes": len(rows),
            "total_frames": len(table),
            "fps": self.fps,
            "features": features,
            "control": self.control,
            **rate_facts(self.control, self.fps, control_hz),
        }
        write_json(out / "meta/info.json", info)

    def _take_videos(
        self,
        feature: str,
        episodes: Sequence[Mapping[str, Any]],
        rows: Sequence[Mapping[str, Any]],
        into: np.ndarray,
    ) -> None:
        key = f"videos/{feature}"
        files: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
        for row, ours in zip(episodes, rows, strict=True):
            place = row[f"{key}/chunk_index"], row[f"{key}/file_index"]
            first = round(row[f"{key}/from_timestamp"] * self.fps)
            files.setdefault(place, []).append((first, ours["dataset_from_index"], ours["length"]))
        for place, spans in files.items():
            path = self._file(self._info["video_path"], *place, feature)
            wanted = {first + i: index + i for first, index, length in spans for i in range(length)}
            taken = 0
            for number, picture in enumerate(_decode(path)):
                if number in wanted:
                    into[wanted[number]] = _resized(picture, into.shape[1:3])
                    taken += 1
            if taken != len(wanted):
                raise DatasetError(
                    f"{path} gives {taken} of the {len(wanted)} frames that meta/episodes names. "
                    "Merging videos of different codecs loses frames: encode all datasets alike "
                    "before they are merged."
                )


def _take_images(parts: Sequence[pa.Table], feature: str, into: np.ndarray) -> None:
    from PIL import Image

    index = 0
    for part in parts:
        for value in part[feature].to_pylist():
            picture = np.asarray(Image.open(io.BytesIO(value["bytes"])).convert("RGB"))
            into[index] = _resized(picture, into.shape[1:3])
            index += 1


def _decode(path: Path) -> Iterator[np.ndarray]:
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing. {_REMEDY}") from error
    except (FFmpegError, IndexError) as error:
        raise DatasetError(f"{path} is not a readable video ({error}). {_REMEDY}") from error


def _resized(picture: np.ndarray, size: Sequence[int]) -> np.ndarray:
    if picture.shape[:2] == tuple(size):
        return picture
    import cv2

    return cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA)
