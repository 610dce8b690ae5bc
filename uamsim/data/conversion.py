"""The official CALVIN dataset as a dataset in the LeRobot layout, an episode for each annotation.

A file of ``EPISODES_PER_FILE`` episodes is the unit of work: once its videos are there it is kept,
in ``<root>.partial``. Pictures pass one by one; the tables are put together at the end.
"""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from uamsim.data.calvin import (
    ACTION,
    CAMERAS,
    FPS,
    IMAGE_SIZES,
    STATE,
    CalvinDataset,
    Segment,
    read_pictures,
    read_values,
)
from uamsim.data.data_files import (
    EPISODES_PER_FILE,
    data_file_path,
    drop_fragments,
    read_data_file,
    write_data_file,
    write_dataset,
)
from uamsim.data.files import exclusive, unfinished_folder
from uamsim.data.lerobot_writer import DatasetSpec, EpisodeData
from uamsim.data.target import COLLECTION_PATH, SETTINGS_FILE, check_target, drop_empty
from uamsim.data.workers import Progress, map_tasks
from uamsim.errors import ConfigError, DatasetError
from uamsim.storage import write_json
from uamsim.worlds import WORLDS


@dataclass(frozen=True, kw_only=True)
class ConversionConfig:
    """What to convert.

    Attributes:
        source: folder of the official dataset.
        split: "training" or "validation".
        cameras: whose pictures are kept.
        image_size: (H, W) of all pictures; None leaves each camera's own.
        scenes: "A" to "D"; segments of others are left out. All when empty.
    """

    source: str
    split: str = "training"
    cameras: tuple[str, ...] = tuple(CAMERAS)
    image_size: tuple[int, int] | None = None
    scenes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            ConfigError: a camera that CALVIN does not have, none, or a size that is not positive.
        """
        if not self.cameras or not set(self.cameras) <= set(CAMERAS):
            raise ConfigError(f"cameras must be some of {', '.join(CAMERAS)}, not {self.cameras}.")
        if self.image_size is not None and min(self.image_size) < 1:
            raise ConfigError(f"image_size must be positive, not {self.image_size}.")


def convert_calvin(
    config: ConversionConfig, root: Path, *, workers: int = 1, progress: Progress | None = None
) -> Path:
    """Converts the annotated segments; the same dataset for any ``workers``.

    State is ``robot_obs``, an action is the ``rel_actions`` of its frame, an episode's seed the
    number of its first frame. An interrupted call goes on where it stopped; a call that is
    finished is not repeated.

    Args:
        config: what to convert.
        root: the new dataset's folder.
        workers: processes.
        progress: called with (finished, total) files.

    Raises:
        ConfigError: the folder holds something else, or a conversion with other settings.
        DatasetError: a file of the official dataset is missing or damaged, or nothing is left.
        StorageError: the disk is full; finished files are kept.
    """
    settings = json.loads(json.dumps({"config": dataclasses.asdict(config)}))
    with exclusive(root):
        if check_target(root, settings):
            return root
        try:
            with unfinished_folder(root, config) as folder:
                write_json(folder / SETTINGS_FILE, settings)
                if not (folder / COLLECTION_PATH).exists():
                    _convert(config, folder, workers, progress)
                    write_json(folder / COLLECTION_PATH, settings)
                for file in folder.glob("part-*.npz"):
                    file.unlink()
                (folder / SETTINGS_FILE).unlink()
        finally:
            drop_empty(root)
    return root


def _convert(
    config: ConversionConfig, folder: Path, workers: int, progress: Progress | None
) -> None:
    segments = _segments(config)
    total = math.ceil(len(segments) / EPISODES_PER_FILE)
    drop_fragments(folder)
    todo: list[tuple[ConversionConfig, Path, int, list[Segment]]] = []
    for number in range(total):
        if data_file_path(folder, number).exists():
            read_data_file(folder, number, check=True)
        else:
            first = number * EPISODES_PER_FILE
            mine = segments[first : first + EPISODES_PER_FILE]
            todo.append((config, folder, number, mine))
    done = total - len(todo)
    for _ in map_tasks(_convert_file, todo, workers=workers):
        done += 1
        if progress is not None:
            progress(done, total)
    world = WORLDS["calvin"]
    spec = DatasetSpec(
        fps=FPS,
        image_sizes={c: config.image_size or IMAGE_SIZES[c] for c in config.cameras},
        control="relative",
        render_profile="official",
        robot_type=world.robot_type,
        control_hz=world.control_hz,
        proprio_names=world.sizes("relative").proprio_names,
    )
    write_dataset(folder, total, spec)


def _segments(config: ConversionConfig) -> list[Segment]:
    """The segments that are wanted.

    Raises:
        DatasetError: the dataset is damaged, or there are none.
    """
    dataset = CalvinDataset(Path(config.source), config.split)
    found = [s for s in dataset.segments if not config.scenes or s.scene in config.scenes]
    if not found:
        there = ", ".join(sorted({repr(segment.scene) for segment in dataset.segments}))
        raise DatasetError(
            f"{dataset.folder} has no segment of the scenes {', '.join(config.scenes)}; it has "
            f"{len(dataset.segments)} segments, of the scenes {there or 'none'}."
        )
    return found


def _convert_file(
    config: ConversionConfig, folder: Path, number: int, segments: Sequence[Segment]
) -> None:
    source = Path(config.source) / config.split
    write_data_file(
        folder,
        number,
        [
            EpisodeData(
                env_id=f"uamsim_envs:uamsim/Calvin-{segment.scene}-v0" if segment.scene else "",
                seed=segment.start,
                instruction=segment.instruction,
                state=read_values(source, segment, STATE),
                action=read_values(source, segment, ACTION),
            )
            for segment in segments
        ],
        {
            camera: _pictures(source, segments, camera, config.image_size)
            for camera in config.cameras
        },
        fps=FPS,
    )


def _pictures(
    source: Path, segments: Sequence[Segment], camera: str, size: tuple[int, int] | None
) -> Iterator[np.ndarray]:
    pictures = itertools.chain.from_iterable(read_pictures(source, s, camera) for s in segments)
    for picture in pictures:
        if size is None or size == picture.shape[:2]:
            yield picture
        else:
            image = Image.fromarray(picture)
            yield np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))
