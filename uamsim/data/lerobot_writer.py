"""Writing action data in the LeRobotDataset v3.0 layout, without lerobot.

Several episodes share a parquet file and, for each camera, a video file; ``meta/episodes`` says
where each one lies. One column is added to the layout's own: "seed", with "env_id" beside it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from uamsim.contract import CONTROL_HZ, Control, rate_facts
from uamsim.data.config import PixelFormat
from uamsim.data.video import PIXEL_FORMAT
from uamsim.storage import whole_file, write_json

CODEBASE_VERSION = "v3.0"
FILES_PER_CHUNK = 1000
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"
TASKS_PATH = "meta/tasks.parquet"


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What all episodes of a dataset have in common.

    Attributes:
        fps: frames a second.
        image_sizes: camera -> (H, W) of its pictures.
        control: what actions are.
        render_profile: how pictures are drawn.
        robot_type: the layout's name for the robot.
        control_hz: actions a second; None where each takes as long as it needs.
        action_names: of the numbers of an action; () takes ``arm_names``.
        proprio_names: of those of the state; () takes the action's.
        pixel_format: of the videos.
        quantiles: whether statistics have those of ``QUANTILES``.
    """

    fps: int
    image_sizes: Mapping[str, tuple[int, int]]
    control: Control
    render_profile: str
    robot_type: str = "aloha"
    control_hz: float | None = CONTROL_HZ
    action_names: tuple[str, ...] = ()
    proprio_names: tuple[str, ...] = ()
    pixel_format: PixelFormat = PIXEL_FORMAT
    quantiles: bool = False


@dataclass(frozen=True, kw_only=True)
class EpisodeData:
    """One episode without its pictures.

    Attributes:
        env_id: where it was recorded.
        seed: the episode's seed there.
        instruction: what was asked for.
        state: float32 [N, P], the arms at each frame.
        action: float32 [N, A], the target commanded at the end of each frame's interval; or where
            actions are movements, the one that begins at the frame.
    """

    env_id: str
    seed: int
    instruction: str
    state: np.ndarray
    action: np.ndarray


def video_key(camera: str) -> str:
    """The layout's name for a camera's stream."""
    return f"observation.images.{camera}"


def file_indices(number: int) -> dict[str, int]:
    """Chunk and file index of a dataset's n-th file."""
    return {"chunk_index": number // FILES_PER_CHUNK, "file_index": number % FILES_PER_CHUNK}


def arm_names(control: Control, dim: int) -> list[str]:
    """Names of the numbers of one or two arms with 7 each; those of anything else are counted."""
    parts = (
        ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
        if control == "joint"
        else ("x", "y", "z", "rot_x", "rot_y", "rot_z")
    )
    sides = {7: ("",), 14: ("left_", "right_")}.get(dim)
    if sides is None:
        return [f"number_{i}" for i in range(dim)]
    return [f"{side}{part}" for side in sides for part in (*parts, "gripper")]


QUANTILES: Mapping[str, float] = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
"""The layout's names of quantiles."""


def describe(values: np.ndarray, *, quantiles: bool = False) -> dict[str, list[float]]:
    """Minimum, maximum, mean, deviation and count of [N, dim] values, as the layout stores them.

    Args:
        values: [N, dim].
        quantiles: whether ``QUANTILES`` come with them.
    """
    wide = values.astype(np.float64)
    found = {
        "min": wide.min(axis=0).tolist(),
        "max": wide.max(axis=0).tolist(),
        "mean": wide.mean(axis=0).tolist(),
        "std": wide.std(axis=0).tolist(),
        "count": [len(wide)],
    }
    if quantiles:
        shares = np.quantile(wide, list(QUANTILES.values()), axis=0)
        found |= {name: share.tolist() for name, share in zip(QUANTILES, shares, strict=True)}
    return found


def write_tables(
    root: Path,
    files: Sequence[Sequence[EpisodeData]],
    spec: DatasetSpec,
    image_stats: dict[str, dict[str, Any]],
) -> None:
    """Writes everything but the videos, which are there already.

    Args:
        root: the dataset's folder.
        files: the episodes in each of its files, in order.
        spec: what they have in common.
        image_stats: camera -> statistics in the layout's form.

    Raises:
        StorageError: the disk is full.
    """
    flat = [episode for file in files for episode in file]
    instructions = sorted({episode.instruction for episode in flat})
    task_index = {text: i for i, text in enumerate(instructions)}
    rows: list[dict[str, Any]] = []
    start = 0
    for number, episodes in enumerate(files):
        file_start = start
        tables = []
        for episode in episodes:
            index, stop = len(rows), start + len(episode.state)
            tables.append(_frame_table(episode, index, start, spec, task_index))
            rows.append(_episode_row(episode, index, (start, stop), number, file_start, spec))
            start = stop
        _write_table(root / DATA_PATH.format(**file_indices(number)), pa.concat_tables(tables))
    _write_table(root / EPISODES_PATH, pa.Table.from_pylist(rows))
    _write_table(root / TASKS_PATH, _tasks_table(instructions))
    stats = {
        "observation.state": describe(
            np.concatenate([e.state for e in flat]), quantiles=spec.quantiles
        ),
        "action": describe(np.concatenate([e.action for e in flat]), quantiles=spec.quantiles),
    } | {video_key(camera): stats for camera, stats in image_stats.items()}
    write_json(root / "meta/stats.json", stats)
    write_json(root / "meta/info.json", _info(spec, flat[0], len(flat), start, len(instructions)))


def _frame_table(
    episode: EpisodeData, index: int, start: int, spec: DatasetSpec, task_index: dict[str, int]
) -> pa.Table:
    count = len(episode.state)
    frame = np.arange(count, dtype=np.int64)
    columns: dict[str, pa.Array] = {
        key: pa.FixedSizeListArray.from_arrays(
            pa.array(values.astype(np.float32).ravel()), values.shape[1]
        )
        for key, values in (("observation.state", episode.state), ("action", episode.action))
    }
    columns |= {
        "timestamp": pa.array((frame / spec.fps).astype(np.float32)),
        "frame_index": pa.array(frame),
        "episode_index": pa.array(np.full(count, index, dtype=np.int64)),
        "index": pa.array(frame + start),
        "task_index": pa.array(np.full(count, task_index[episode.instruction], dtype=np.int64)),
        "next.done": pa.array(frame == count - 1),
    }
    return pa.table(columns)


def _episode_row(
    episode: EpisodeData,
    index: int,
    span: tuple[int, int],
    number: int,
    file_start: int,
    spec: DatasetSpec,
) -> dict[str, Any]:
    place = file_indices(number)
    row: dict[str, Any] = {
        "episode_index": index,
        "tasks": [episode.instruction],
        "length": span[1] - span[0],
        "data/chunk_index": place["chunk_index"],
        "data/file_index": place["file_index"],
        "dataset_from_index": span[0],
        "dataset_to_index": span[1],
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
        "seed": episode.seed,
        "env_id": episode.env_id,
    }
    for camera in spec.image_sizes:
        key = f"videos/{video_key(camera)}"
        row[f"{key}/chunk_index"] = place["chunk_index"]
        row[f"{key}/file_index"] = place["file_index"]
        row[f"{key}/from_timestamp"] = (span[0] - file_start) / spec.fps
        row[f"{key}/to_timestamp"] = (span[1] - file_start) / spec.fps
    for name, values in (("observation.state", episode.state), ("action", episode.action)):
        for statistic, value in describe(values, quantiles=spec.quantiles).items():
            row[f"stats/{name}/{statistic}"] = value
    return row


def _tasks_table(instructions: list[str]) -> pa.Table:
    """The task's text is the table's index, which pandas finds by the schema's metadata."""
    name = "__index_level_0__"
    table = pa.table({"task_index": pa.array(range(len(instructions))), name: instructions})
    column = {"pandas_type": "int64", "numpy_type": "int64", "metadata": None}
    text = {"pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    metadata = {
        "index_columns": [name],
        "column_indexes": [],
        "columns": [
            {"name": "task_index", "field_name": "task_index"} | column,
            {"name": None, "field_name": name} | text,
        ],
        "pandas_version": "2.2.0",
    }
    return table.replace_schema_metadata({"pandas": json.dumps(metadata)})


def _write_table(path: Path, table: pa.Table) -> None:
    with whole_file(path, alone=True) as partial:
        pq.write_table(table, partial)


def _info(
    spec: DatasetSpec, example: EpisodeData, episodes: int, frames: int, tasks: int
) -> dict[str, Any]:
    vectors = {
        name: {
            "dtype": "float32",
            "shape": [values.shape[1]],
            "names": {"motors": list(names) or arm_names(spec.control, values.shape[1])},
            "fps": spec.fps,
        }
        for name, values, names in (
            ("observation.state", example.state, spec.proprio_names or spec.action_names),
            ("action", example.action, spec.action_names),
        )
    }
    features: dict[str, Any] = {
        video_key(camera): {
            "dtype": "video",
            "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": height,
                "video.width": width,
                "video.codec": "h264",
                "video.pix_fmt": spec.pixel_format,
                "video.is_depth_map": False,
                "video.fps": spec.fps,
                "video.channels": 3,
                "has_audio": False,
            },
        }
        for camera, (height, width) in spec.image_sizes.items()
    }
    features |= vectors
    for name, dtype in (
        ("timestamp", "float32"),
        ("frame_index", "int64"),
        ("episode_index", "int64"),
        ("index", "int64"),
        ("task_index", "int64"),
        ("next.done", "bool"),
    ):
        features[name] = {"dtype": dtype, "shape": [1], "names": None, "fps": spec.fps}
    return {
        "codebase_version": CODEBASE_VERSION,
        "robot_type": spec.robot_type,
        "total_episodes": episodes,
        "total_frames": frames,
        "total_tasks": tasks,
        "chunks_size": FILES_PER_CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": spec.fps,
        "splits": {"train": f"0:{episodes}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH,
        "features": features,
        "control": spec.control,
        **rate_facts(spec.control, spec.fps, spec.control_hz),
        "render_profile": spec.render_profile,
    }
