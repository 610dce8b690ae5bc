"""Scripted demonstrations, recorded in parallel in the LeRobot layout."""

import dataclasses
import json
import math
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from uamsim.contract import CONTROL_HZ
from uamsim.data.config import DemonstrationConfig
from uamsim.data.lerobot_writer import (
    VIDEO_PATH,
    DatasetSpec,
    EpisodeData,
    file_indices,
    video_key,
    write_tables,
)
from uamsim.data.storage import (
    Progress,
    map_tasks,
    storage_errors,
    unfinished_folder,
    write_json,
)
from uamsim.data.video import encode_video
from uamsim.errors import DatasetError

EPISODES_PER_FILE = 20


def collect_demonstrations(
    config: DemonstrationConfig, root: Path, *, workers: int = 1, progress: Progress | None = None
) -> Path:
    """Records the experts' successful episodes; the same dataset for any ``workers``.

    Each file has seeds of its own and keeps the first that succeed, so that files can be made in
    any order. An interrupted call goes on where it stopped.

    Args:
        config: what to record.
        root: the dataset's folder.
        workers: processes.
        progress: called with (finished, total) episodes.

    Raises:
        DatasetError: an expert fails more often than ``config.max_failures``.
        StorageError: the disk is full; finished files are kept.
    """
    plan = [
        (env_id, file, min(EPISODES_PER_FILE, config.episodes_per_env - file * EPISODES_PER_FILE))
        for env_id in config.env_ids
        for file in range(math.ceil(config.episodes_per_env / EPISODES_PER_FILE))
    ]
    total, done = config.episodes_per_env * len(config.env_ids), 0
    with unfinished_folder(root, config) as folder:
        tasks = [(config, folder, i, *item) for i, item in enumerate(plan)]
        for i, _ in map_tasks(_record_file, tasks, workers=workers):
            done += plan[i][2]
            if progress is not None:
                progress(done, total)
        _assemble(config, folder, len(plan))
    return root


def _assemble(config: DemonstrationConfig, folder: Path, num_files: int) -> None:
    parts = [_read_part(folder / f"part-{i:05d}.npz") for i in range(num_files)]
    spec = DatasetSpec(
        fps=config.fps,
        cameras=config.cameras,
        image_size=config.image_size,
        control=config.control,
        render_profile=config.render_profile,
    )
    image_stats = {
        camera: _merge_image_stats([part[1][camera] for part in parts]) for camera in config.cameras
    }
    write_tables(folder, [part[0] for part in parts], spec, image_stats)
    failed = [seed for part in parts for seed in part[2]]
    write_json(
        folder / "meta/collection.json",
        {"config": dataclasses.asdict(config), "failed_seeds": failed},
    )
    for i in range(num_files):
        (folder / f"part-{i:05d}.npz").unlink()


def _record_file(
    config: DemonstrationConfig, folder: Path, number: int, env_id: str, file: int, count: int
) -> None:
    """Records the episodes of one file, unless that was done before."""
    path = folder / f"part-{number:05d}.npz"
    if path.exists():
        return
    block = math.ceil(EPISODES_PER_FILE / (1 - config.max_failures))
    first = config.seed0 + file * block
    episodes: list[EpisodeData] = []
    frames: dict[str, list[np.ndarray]] = {camera: [] for camera in config.cameras}
    failed: list[int] = []
    with closing(_make_env(config, env_id)) as env:
        for seed in range(first, first + block):
            if len(episodes) == count:
                break
            recorded = record_episode(env, env_id, seed, config.fps)
            if recorded is None:
                failed.append(seed)
                continue
            episodes.append(recorded[0])
            for camera in config.cameras:
                frames[camera] += recorded[1][camera]
    if len(episodes) < count:
        raise DatasetError(
            f"the expert of {env_id} failed at {len(failed)} of the {block} seeds from {first} "
            f"on, more than max_failures={config.max_failures} allows. Mend the expert, or raise "
            "max_failures."
        )
    stats = {}
    for camera, pictures in frames.items():
        name = VIDEO_PATH.format(video_key=video_key(camera), **file_indices(number))
        encode_video(folder / name, pictures, fps=config.fps)
        stats[camera] = _image_stats(np.stack(pictures))
    _write_part(path, episodes, stats, failed)


def _make_env(config: DemonstrationConfig, env_id: str) -> gym.Env[Any, Any]:
    return gym.make(
        env_id,
        control=config.control,
        cameras=config.cameras,
        image_size=config.image_size,
        render_profile=config.render_profile,
        disable_env_checker=True,
    )


def record_episode(
    env: gym.Env[Any, Any], env_id: str, seed: int, fps: int
) -> tuple[EpisodeData, dict[str, list[np.ndarray]]] | None:
    """One demonstration, or None where the expert does not succeed.

    The last frame is the one that shows the success; its action holds the last target.

    Args:
        env: with ``expert`` and ``step_chunk``.
        env_id: its name, kept with the episode.
        seed: of the episode and of the expert.
        fps: frames a second that are kept.
    """
    stride = CONTROL_HZ // fps
    world: Any = env.unwrapped
    observation, info = env.reset(seed=seed)
    instruction = info["instruction"]
    expert = world.expert(np.random.default_rng([seed, 1]))
    states: list[np.ndarray] = []
    actions: list[np.ndarray] = []
    frames: dict[str, list[np.ndarray]] = {camera: [] for camera in observation["pixels"]}

    def keep() -> None:
        states.append(np.asarray(observation["agent_pos"], dtype=np.float32))
        for camera, picture in observation["pixels"].items():
            frames[camera].append(np.array(picture))

    ended = False
    while not ended:
        keep()
        target = None
        for _ in range(stride):
            action = next(expert, None)
            if action is None:
                ended = True
                break
            target = np.asarray(action, dtype=np.float32)
            observation, _, terminated, truncated, info = world.step_chunk(target[None])
            if terminated or truncated:
                ended = True
                break
        if target is None:
            target = actions[-1] if actions else states[-1]
        actions.append(target)
    if not info["is_success"]:
        return None
    keep()
    actions.append(actions[-1])
    episode = EpisodeData(
        env_id=env_id,
        seed=seed,
        instruction=instruction,
        state=np.stack(states),
        action=np.stack(actions),
    )
    return episode, frames


def _image_stats(frames: np.ndarray) -> dict[str, list[float]]:
    """Sums over uint8 [N, H, W, 3] that ``_merge_image_stats`` puts together."""
    wide = frames.reshape(-1, 3).astype(np.float64) / 255
    return {
        "min": wide.min(axis=0).tolist(),
        "max": wide.max(axis=0).tolist(),
        "sum": wide.sum(axis=0).tolist(),
        "square": (wide**2).sum(axis=0).tolist(),
        "pixels": [len(wide)],
        "count": [len(frames)],
    }


def _merge_image_stats(parts: list[dict[str, list[float]]]) -> dict[str, Any]:
    """Statistics of a camera as the layout has them: [3, 1, 1] in [0, 1]."""
    stacked = {key: np.array([part[key] for part in parts]) for key in parts[0]}
    pixels = stacked["pixels"].sum()
    mean = stacked["sum"].sum(axis=0) / pixels
    variance = np.maximum(stacked["square"].sum(axis=0) / pixels - mean**2, 0)
    values = {
        "min": stacked["min"].min(axis=0),
        "max": stacked["max"].max(axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
    }
    merged: dict[str, Any] = {k: v.reshape(3, 1, 1).tolist() for k, v in values.items()}
    return merged | {"count": [int(stacked["count"].sum())]}


def _write_part(
    path: Path,
    episodes: list[EpisodeData],
    stats: dict[str, dict[str, list[float]]],
    failed: list[int],
) -> None:
    head = {
        "episodes": [[e.env_id, e.seed, e.instruction, len(e.state)] for e in episodes],
        "stats": stats,
        "failed": failed,
    }
    partial = path.with_name(f".{path.name}")
    with storage_errors(path):
        np.savez(
            partial,
            state=np.concatenate([e.state for e in episodes]),
            action=np.concatenate([e.action for e in episodes]),
            head=np.array(json.dumps(head, ensure_ascii=False)),
        )
        partial.replace(path)


def _read_part(
    path: Path,
) -> tuple[list[EpisodeData], dict[str, dict[str, list[float]]], list[int]]:
    with np.load(path, allow_pickle=False) as part:
        head = json.loads(str(part["head"]))
        state, action = part["state"], part["action"]
    episodes, start = [], 0
    for env_id, seed, instruction, length in head["episodes"]:
        span = slice(start, start + length)
        episodes.append(
            EpisodeData(
                env_id=env_id,
                seed=seed,
                instruction=instruction,
                state=state[span],
                action=action[span],
            )
        )
        start += length
    return episodes, head["stats"], head["failed"]
