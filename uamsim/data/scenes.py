"""Pictures of scenes with their facts, rendered in chunks that any process can make."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from uamsim.contract import SceneFacts
from uamsim.data.files import create_array, open_array
from uamsim.data.workers import Progress, map_tasks
from uamsim.errors import DatasetError
from uamsim.storage import storage_errors, write_text

CHUNK = 100
"""Scenes rendered by one environment before it is made anew."""


def make_scene_env(
    env_id: str, *, image_size: tuple[int, int], camera: str, render_profile: str
) -> gym.Env[Any, Any]:
    """The environment that renders scenes."""
    return gym.make(
        env_id,
        image_size=image_size,
        cameras=(camera,),
        render_profile=render_profile,
        disable_env_checker=True,
    )


def _render_chunk(
    env_id: str, env_kwargs: dict[str, Any], folder: Path, start: int, seeds: tuple[int, ...]
) -> int:
    """Renders ``seeds`` into the rows from ``start`` on; what is there already is kept."""
    facts_path = folder / f"facts-{start:08d}.jsonl"
    if facts_path.exists():
        return len(seeds)
    lines = []
    with storage_errors(folder):
        images = np.lib.format.open_memmap(folder / "images.npy", mode="r+")
        with closing(make_scene_env(env_id, **env_kwargs)) as env:
            for row, seed in enumerate(seeds, start):
                observation, info = env.reset(seed=seed)
                images[row] = observation["pixels"][env_kwargs["camera"]]
                lines.append(json.dumps(info["scene"].to_json(), ensure_ascii=False))
        images.flush()
    write_text(facts_path, "".join(f"{line}\n" for line in lines))
    return len(seeds)


def render_scenes(
    folder: Path,
    env_id: str,
    env_kwargs: dict[str, Any],
    *,
    seed0: int,
    count: int,
    workers: int,
    progress: Progress | None = None,
) -> None:
    """Writes ``images.npy`` (uint8 [N, H, W, 3]) and ``facts.jsonl`` for ``count`` scenes.

    Scene i has seed ``seed0 + i``, so that the result does not depend on ``workers``. An
    interrupted call goes on where it stopped.

    Raises:
        StorageError: the disk is full.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    create_array(folder / "images.npy", (count, *env_kwargs["image_size"], 3))
    tasks = [
        (env_id, env_kwargs, folder, i, tuple(range(seed0 + i, seed0 + min(i + CHUNK, count))))
        for i in range(0, count, CHUNK)
    ]
    done = 0
    for _, finished in map_tasks(_render_chunk, tasks, workers=workers):
        done += finished
        if progress is not None:
            progress(done, count)
    parts = sorted(folder.glob("facts-*.jsonl"))
    write_text(folder / "facts.jsonl", "".join(p.read_text(encoding="utf-8") for p in parts))
    for part in parts:
        part.unlink()


def read_scenes(folder: Path, remedy: str) -> tuple[np.ndarray, list[SceneFacts]]:
    """Pictures (a read-only memory map) and facts of a folder that ``render_scenes`` wrote.

    Raises:
        DatasetError: a file is missing, corrupt, or does not fit the other.
    """
    images = open_array(folder / "images.npy", remedy, shape=(None, None, None, 3))
    path = folder / "facts.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        facts = [SceneFacts.from_json(json.loads(line)) for line in lines]
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing. {remedy}") from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DatasetError(f"{path} cannot be read ({error}). {remedy}") from error
    if len(facts) != len(images):
        raise DatasetError(
            f"{path} has {len(facts)} scenes and images.npy {len(images)} pictures. {remedy}"
        )
    return images, facts
