"""Recording demonstrations as a dataset of one's own, outside any experiment."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self, cast

from uamsim.bounds import Positive, Seed, Share, Within, check_bounds
from uamsim.contract import Control
from uamsim.data.config import DemonstrationConfig, PixelFormat
from uamsim.orchestration.runs.progress import duration, progress_bar
from uamsim.worlds import WORLDS, resolve_demonstrated

MIN_IMAGE_SIZE = 16
_DEFAULTS = DemonstrationConfig()


_Side = Annotated[int, Within(MIN_IMAGE_SIZE, 16_384)]


@dataclass(frozen=True, kw_only=True)
class CollectionRequest:
    """What to record, in a user's words.

    Attributes:
        tasks: names of the world's tasks; all that have an expert when none is given.
        episodes: successful episodes of each task.
        seed: first seed, also --first-seed; seeds at which the expert fails are skipped.
        image_size: height and width of the pictures.
        cameras: recorded cameras, of the world's.
        render_profile: how pictures are drawn, one of the world's ways.
        control: actions and state as gripper poses ("ee") or joint angles ("joint"), or actions
            that are movements ("relative"); one that the world has.
        fps: frames a second that are kept. It divides the world's own rate, and with control
            "relative" it is that rate; where an action takes no fixed time it is at most that.
        split: a named perturbation of every episode, such as distractors or chinese.
        max_failures: share of seeds that may fail before the expert is taken to be broken.
        pixel_format: of the videos: with "yuv420p" browsers play them, small things lose colour.
        quantiles: statistics have the quantiles that LeRobot normalises by for pi0.5.
    """

    tasks: tuple[str, ...] = ()
    episodes: Positive = 50
    seed: Seed = _DEFAULTS.seed0
    image_size: tuple[_Side, _Side] = _DEFAULTS.image_size
    cameras: tuple[str, ...] = _DEFAULTS.cameras
    render_profile: str = _DEFAULTS.render_profile
    control: str = _DEFAULTS.control
    fps: Positive = _DEFAULTS.fps
    split: str = "in_domain"
    max_failures: Share = _DEFAULTS.max_failures
    pixel_format: PixelFormat = _DEFAULTS.pixel_format
    quantiles: bool = _DEFAULTS.quantiles

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ConfigError: a value out of range.
        """
        check_bounds(self, "--")

    @classmethod
    def of_world(cls, world: str) -> Self:
        """What is recorded where nothing else is asked for."""
        spec = WORLDS[world]
        defaults = spec.demonstrations
        return cls(
            cameras=defaults.cameras,
            image_size=defaults.image_size,
            fps=defaults.fps,
            seed=defaults.seed0,
            control=spec.control,
            render_profile=spec.render_profile,
        )

    def to_config(self, env_ids: Sequence[str]) -> DemonstrationConfig:
        """What the collector takes.

        Raises:
            UnknownNameError: the world has no such control, camera or render profile.
            ConfigError: a value that its meaning does not allow.
        """
        return DemonstrationConfig(
            env_ids=tuple(env_ids),
            episodes_per_env=self.episodes,
            seed0=self.seed,
            fps=self.fps,
            cameras=tuple(dict.fromkeys(self.cameras)),
            image_size=self.image_size,
            control=cast(Control, self.control),
            render_profile=self.render_profile,
            max_failures=self.max_failures,
            pixel_format=self.pixel_format,
            quantiles=self.quantiles,
        )


@dataclass(frozen=True, kw_only=True)
class TaskCount:
    """What a task contributed.

    Attributes:
        episodes: successful ones.
        frames: of these episodes.
        failed: seeds that gave none.
    """

    episodes: int
    frames: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class CollectionSummary:
    """What came of it.

    Attributes:
        root: the dataset's folder.
        tasks: what each task contributed.
        fps: frames a second.
        num_bytes: of all files.
        seconds: that this call took.
        num_recorded: episodes that this call recorded; the others were there.
    """

    root: Path
    tasks: dict[str, TaskCount]
    fps: int
    num_bytes: int
    seconds: float
    num_recorded: int

    def __str__(self) -> str:
        """A table and where the dataset is."""
        episodes = sum(count.episodes for count in self.tasks.values())
        frames = sum(count.frames for count in self.tasks.values())
        failed = sum(count.failed for count in self.tasks.values())
        width = max(map(len, self.tasks))
        rows = [
            f"  {task:<{width}}  {count.episodes:>6} episodes  {count.frames:>8} frames  "
            f"{count.failed:>5} failed seeds skipped"
            for task, count in self.tasks.items()
        ]
        if self.num_recorded:
            rate = self.num_recorded / max(self.seconds, 1e-6)
            took = f"recorded {self.num_recorded} in {duration(self.seconds)}, {rate:.2f}/s"
        else:
            took = "all of them were there already"
        return "\n".join(
            [
                *rows,
                f"{episodes} episodes ({took}), {frames} frames at {self.fps} a second "
                f"({duration(frames / self.fps)}), {failed} failed seeds skipped",
                f"LeRobotDataset v3.0, {self.num_bytes / 1e6:.1f} MB, in {self.root}",
            ]
        )


def collect(world: str, request: CollectionRequest, out: Path, workers: int) -> CollectionSummary:
    """Records the dataset, or goes on with it, and shows a progress bar.

    Args:
        world: key of ``WORLDS``.
        request: what to record.
        out: the dataset's folder.
        workers: processes.

    Raises:
        UnknownNameError: a name that does not exist; names the nearest.
        ConfigError: the folder holds something else, or a recording with other settings.
        DatasetError: an expert fails too often, or something kept is damaged.
        StorageError: the disk is full; finished episodes are kept.
    """
    from uamsim.data.demonstrations import collect_demonstrations
    from uamsim.perturbations.splits import find_split

    tasks = resolve_demonstrated(world, request.tasks)
    perturbations = find_split(request.split).perturbations
    config = request.to_config(tuple(tasks.values()))
    started, root = time.time(), out.absolute()
    with progress_bar(f"collecting {world}", "episodes") as bar:
        collect_demonstrations(
            config, root, perturbations=perturbations, workers=workers, progress=bar
        )
    return _summarize(tasks, config, root, time.time() - started, bar.num_done)


def _summarize(
    tasks: dict[str, str],
    config: DemonstrationConfig,
    root: Path,
    seconds: float,
    num_recorded: int,
) -> CollectionSummary:
    from uamsim.data.demonstrations import count_failures
    from uamsim.data.lerobot import LeRobotDataset

    dataset = LeRobotDataset(root)
    frames: Counter[str] = Counter()
    for env_id, start, stop in zip(
        dataset.env_ids, dataset.episode_start, dataset.episode_stop, strict=True
    ):
        frames[env_id] += int(stop - start)
    episodes = Counter(dataset.env_ids)
    failed = count_failures(config, root)
    return CollectionSummary(
        root=root,
        tasks={
            task: TaskCount(episodes=episodes[env_id], frames=frames[env_id], failed=failed[env_id])
            for task, env_id in tasks.items()
        },
        fps=dataset.fps,
        num_bytes=sum(path.stat().st_size for path in root.rglob("*") if path.is_file()),
        seconds=seconds,
        num_recorded=num_recorded,
    )
