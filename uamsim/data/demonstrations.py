"""Scripted demonstrations, recorded in parallel in the LeRobot layout.

A seed is the unit of work: its outcome is kept at once, in ``<root>.partial/episodes``. The
episodes of a file are put together from there when all of them are recorded, and the tables when
all files are.
"""

import dataclasses
import math
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from uamsim.data.archives import read_archive
from uamsim.data.config import DemonstrationConfig
from uamsim.data.data_files import (
    EPISODES_PER_FILE,
    data_file_path,
    drop_fragments,
    read_data_file,
    write_data_file,
    write_dataset,
)
from uamsim.data.files import exclusive, unfinished_folder
from uamsim.data.lerobot_writer import EPISODES_PATH, DatasetSpec
from uamsim.data.recording import (
    clip_name,
    close_env,
    episode_path,
    read_episode,
    read_failure,
    record_seed,
)
from uamsim.data.target import COLLECTION_PATH, SETTINGS_FILE, check_target, drop_empty, settings_of
from uamsim.data.video import read_clip
from uamsim.data.workers import Progress, open_executor
from uamsim.errors import DatasetError
from uamsim.storage import write_json
from uamsim.worlds import ActionSizes, world_of


def collect_demonstrations(
    config: DemonstrationConfig,
    root: Path,
    *,
    perturbations: Sequence[Any] = (),
    workers: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Records the experts' successful episodes; the same dataset for any ``workers``.

    Each file has seeds of its own and keeps the first that succeed, so that seeds can be tried in
    any order. An interrupted call goes on where it stopped, after any kind of end; a call that is
    finished is not repeated.

    Args:
        config: what to record.
        root: the dataset's folder.
        perturbations: what is changed about every episode, for ``gymnasium.make``.
        workers: processes.
        progress: called with (finished, total) episodes.

    Raises:
        ConfigError: the folder holds something else, or a recording with other settings.
        DatasetError: an expert fails more often than ``config.max_failures``, or something kept
            from an earlier call is damaged.
        StorageError: the disk is full; finished episodes are kept.
    """
    perturbations = tuple(perturbations)
    settings = settings_of(config, perturbations)
    files = _plan(config)
    total = sum(file.count for file in files)
    with exclusive(root):
        if check_target(root, settings):
            if progress is not None:
                progress(total, total)
            return root
        try:
            with unfinished_folder(root, settings if perturbations else config) as folder:
                write_json(folder / SETTINGS_FILE, settings)
                if not (folder / COLLECTION_PATH).exists():
                    _Recording(config, perturbations, folder, files).run(workers, progress)
                    _assemble(config, folder, settings, len(files))
                _clean_up(folder)
        finally:
            drop_empty(root)
    return root


def _clean_up(folder: Path) -> None:
    """Leaves the dataset alone in its folder."""
    for part in folder.glob("part-*.npz"):
        part.unlink()
    shutil.rmtree(folder / "episodes", ignore_errors=True)
    (folder / SETTINGS_FILE).unlink()


def count_failures(config: DemonstrationConfig, root: Path) -> dict[str, int]:
    """Environment id -> seeds of a finished recording that gave no demonstration."""
    table = pq.read_table(root / EPISODES_PATH, columns=["env_id", "seed"])
    kept = set(zip(table["env_id"].to_pylist(), table["seed"].to_pylist(), strict=True))
    counts = dict.fromkeys(config.env_ids, 0)
    for file in _plan(config):
        seeds = [seed for seed in file.seeds if (file.env_id, seed) in kept]
        counts[file.env_id] += seeds[-1] - file.seeds.start + 1 - len(seeds)
    return counts


@dataclasses.dataclass(kw_only=True)
class _File:
    """A file of the dataset, and what has become of its seeds."""

    number: int
    env_id: str
    count: int
    seeds: range
    kept: set[int] = dataclasses.field(default_factory=set)
    failed: dict[int, str] = dataclasses.field(default_factory=dict)
    pending: set[int] = dataclasses.field(default_factory=set)
    written: bool = False

    def next_seed(self) -> int | None:
        """A seed to try now, None where enough are or may become successes.

        So no seed is tried after the one that makes the file full, in whatever order they end.
        """
        if self.written or len(self.kept) + len(self.pending) >= self.count:
            return None
        tried = self.kept | self.pending | self.failed.keys()
        return next((seed for seed in self.seeds if seed not in tried), None)

    @property
    def full(self) -> bool:
        """Whether all its episodes are recorded."""
        return len(self.kept) == self.count


def _plan(config: DemonstrationConfig) -> list[_File]:
    block = math.ceil(EPISODES_PER_FILE / (1 - config.max_failures))
    files: list[_File] = []
    for env_id in config.env_ids:
        for file in range(math.ceil(config.episodes_per_env / EPISODES_PER_FILE)):
            first = config.seed0 + file * block
            left = config.episodes_per_env - file * EPISODES_PER_FILE
            files.append(
                _File(
                    number=len(files),
                    env_id=env_id,
                    count=min(EPISODES_PER_FILE, left),
                    seeds=range(first, first + block),
                )
            )
    return files


class _Recording:
    """Tries seeds until every file is full, and writes each file once it is."""

    def __init__(
        self,
        config: DemonstrationConfig,
        perturbations: tuple[Any, ...],
        folder: Path,
        files: list[_File],
    ) -> None:
        self.config, self.perturbations = config, perturbations
        self.folder, self.files = folder, files

    def run(self, workers: int, progress: Progress | None) -> None:
        """Goes on from what the folder holds.

        Raises:
            DatasetError: an expert fails too often, a worker died, or a kept file is damaged.
            StorageError: the disk is full.
        """
        self._take_up()
        total = sum(file.count for file in self.files)
        if progress is not None:
            progress(self._finished(), total)
        workers = min(workers, total)
        # Twice as many as work, so that no worker waits for this process.
        room = 1 if workers <= 1 else 2 * workers
        running: dict[Future[Any], tuple[_File, int | None]] = {}
        try:
            with open_executor(workers) as pool:
                while True:
                    while len(running) < room and (job := self._next_job()) is not None:
                        file, seed = job
                        running[pool.submit(*self._task(file, seed))] = job
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        file, seed = running.pop(future)
                        if seed is not None:
                            self._note(file, seed, future.result())
                            if progress is not None:
                                progress(self._finished(), total)
                        else:
                            future.result()
        except BrokenProcessPool as error:
            raise DatasetError(
                "a worker process was killed, perhaps because memory ran out. Run the same "
                "command again, with fewer workers; finished episodes are kept."
            ) from error
        finally:
            close_env()

    def _next_job(self) -> tuple[_File, int | None] | None:
        """A file that can be written, before a seed that can be tried."""
        for file in self.files:
            if file.full and not file.written:
                file.written = True
                return file, None
        for file in self.files:
            seed = file.next_seed()
            if seed is not None:
                file.pending.add(seed)
                return file, seed
        return None

    def _task(self, file: _File, seed: int | None) -> tuple[Any, ...]:
        if seed is None:
            kept, failed = sorted(file.kept), sorted(file.failed)
            return _write_file, self.config, self.folder, file.number, file.env_id, kept, failed
        path = episode_path(self.folder, file.number, seed)
        return record_seed, self.config, self.perturbations, path, file.env_id, seed

    def _note(self, file: _File, seed: int, failure: str | None) -> None:
        file.pending.discard(seed)
        if failure is None:
            file.kept.add(seed)
            return
        file.failed[seed] = failure
        tried = len(file.kept) + len(file.pending) + len(file.failed)
        if tried == len(file.seeds) and len(file.kept) + len(file.pending) < file.count:
            raise DatasetError(
                f"the expert of {file.env_id} failed at {len(file.failed)} of the "
                f"{len(file.seeds)} seeds from {file.seeds.start} on, more than "
                f"max_failures={self.config.max_failures} allows (seed {seed}: {failure}). Mend "
                "the expert, or raise max_failures."
            )

    def _finished(self) -> int:
        return sum(len(file.kept) for file in self.files)

    def _take_up(self) -> None:
        """Finds what an earlier call kept.

        Raises:
            DatasetError: some of it is damaged.
        """
        drop_fragments(self.folder)
        for file in self.files:
            if data_file_path(self.folder, file.number).exists():
                file.written = True
                written = read_data_file(self.folder, file.number, check=True)
                file.kept = {episode.seed for episode in written.episodes}
                file.failed = dict.fromkeys(written.failed, "")
                continue
            for seed in file.seeds:
                path = episode_path(self.folder, file.number, seed)
                if path.exists():
                    failure = read_failure(path)
                    if failure is None:
                        file.kept.add(seed)
                    else:
                        file.failed[seed] = failure


def _write_file(
    config: DemonstrationConfig,
    folder: Path,
    number: int,
    env_id: str,
    kept: list[int],
    failed: list[int],
) -> None:
    """Encodes a file's videos and keeps the rest of it for the tables."""
    paths = {seed: episode_path(folder, number, seed) for seed in kept}
    write_data_file(
        folder,
        number,
        [read_episode(path, env_id, seed) for seed, path in paths.items()],
        {camera: _pictures(list(paths.values()), camera) for camera in config.cameras},
        fps=config.fps,
        failed=failed,
        pixel_format=config.pixel_format,
    )
    for seed in (*kept, *failed):
        episode_path(folder, number, seed).unlink(missing_ok=True)


def _pictures(paths: Sequence[Path], camera: str) -> Iterator[np.ndarray]:
    name = clip_name(camera)
    for path in paths:
        _, arrays = read_archive(path, (name,))
        yield from read_clip(arrays[name])


def _assemble(
    config: DemonstrationConfig, folder: Path, settings: dict[str, Any], num_files: int
) -> None:
    world = world_of(config.env_ids[0])
    sizes = world.controls.get(config.control, ActionSizes())
    spec = DatasetSpec(
        fps=config.fps,
        image_sizes=dict.fromkeys(config.cameras, config.image_size),
        control=config.control,
        render_profile=config.render_profile,
        control_hz=config.control_hz,
        robot_type=world.robot_type,
        action_names=sizes.action_names,
        proprio_names=sizes.proprio_names,
        pixel_format=config.pixel_format,
        quantiles=config.quantiles,
    )
    failed = write_dataset(folder, num_files, spec)
    # Last: where it is, the dataset is whole.
    write_json(folder / COLLECTION_PATH, settings | {"failed_seeds": failed})
