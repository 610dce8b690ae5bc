"""Recording demonstrations as a dataset of one's own, outside any experiment."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast, get_args

from uamsim.contract import CONTROL_HZ, Control
from uamsim.data.config import DemonstrationConfig
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.orchestration.runs.progress import duration, progress_bar
from uamsim.orchestration.tasks import customs_of, resolve_tasks

RENDER_PROFILES = (
    "fast",
    "quality",
    "tiny",
    "tiny-lowpoly",
    "egl",
    "raster",
    "raster-shadowless",
    "ray-traced",
)
MIN_IMAGE_SIZE = 16
_DEFAULTS = DemonstrationConfig()
_OF_WORLD: Mapping[str, Mapping[str, Any]] = {
    "calvin": {
        "cameras": ("static", "gripper"),
        "render_profile": "tiny",
        "control": "relative",
        "fps": 30,
    },
    "robotwin": {
        "cameras": ("head", "left", "right"),
        "image_size": (240, 320),
        "render_profile": "raster",
        "control": "joint",
        "fps": 17,
        "seed": 0,
    },
}
"""What a world's defaults have in place of the others'."""


@dataclass(frozen=True, kw_only=True)
class CollectionRequest:
    """What to record, in a user's words.

    Attributes:
        tasks: names of the world's tasks; all when none is given.
        episodes: successful episodes of each task.
        seed: first seed, also --first-seed; seeds at which the expert fails are skipped.
        image_size: height and width of the pictures.
        cameras: recorded cameras; aloha has primary, left_wrist, right_wrist and top, calvin
            static and gripper, robotwin head, left and right.
        render_profile: how pictures are drawn, "fast" or "quality"; in calvin "tiny", "egl" or
            "tiny-lowpoly"; in robotwin "raster", "raster-shadowless" or "ray-traced".
        control: actions and state as gripper poses ("ee") or joint angles ("joint"),
            of which robosuite has "ee" alone; calvin has its own movements ("relative").
        fps: frames a second that are kept; divides 50, is 30 in calvin, and in robotwin 17 for
            each frame of its demonstrations or 6 for each third.
        split: a named perturbation of every episode, such as distractors or chinese.
        max_failures: share of seeds that may fail before the expert is taken to be broken.
    """

    tasks: tuple[str, ...] = ()
    episodes: int = 50
    seed: int = _DEFAULTS.seed0
    image_size: tuple[int, int] = _DEFAULTS.image_size
    cameras: tuple[str, ...] = _DEFAULTS.cameras
    render_profile: str = _DEFAULTS.render_profile
    control: str = _DEFAULTS.control
    fps: int = _DEFAULTS.fps
    split: str = "in_domain"
    max_failures: float = _DEFAULTS.max_failures

    def __post_init__(self) -> None:
        """Checks the fields that nothing else checks before work begins.

        Raises:
            UnknownNameError: no such control or render profile; names the nearest.
            ConfigError: a value out of range.
        """
        for kind, name, known in (
            ("control", self.control, get_args(Control)),
            ("render profile", self.render_profile, RENDER_PROFILES),
        ):
            if name not in known:
                raise UnknownNameError(kind, name, known)
        for flag, value, least in (
            ("--episodes", self.episodes, 1),
            ("--seed", self.seed, 0),
            ("--image-size", min(self.image_size), MIN_IMAGE_SIZE),
        ):
            if value < least:
                raise ConfigError(f"{flag} must be at least {least}, got {value}.")

    @classmethod
    def of_world(cls, world: str) -> Self:
        """What is recorded where nothing else is asked for."""
        return cls(**_OF_WORLD.get(world, {}))

    def to_config(self, env_ids: Sequence[str]) -> DemonstrationConfig:
        """What the collector takes.

        Raises:
            ConfigError: a value that its meaning does not allow.
        """
        timed = customs_of(env_ids[0]).timed
        if self.fps < 1 or (timed and self.control != "relative" and CONTROL_HZ % self.fps):
            allowed = [fps for fps in range(1, CONTROL_HZ + 1) if CONTROL_HZ % fps == 0]
            raise ConfigError(
                f"--fps must divide {CONTROL_HZ}: one of {', '.join(map(str, allowed))}, "
                f"got {self.fps}."
            )
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
            timed=timed,
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
        world: key of ``tasks.WORLDS``.
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

    tasks = resolve_tasks(world, request.tasks)
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
