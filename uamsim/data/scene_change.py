"""Pictures of scenes before and after a change put into words; they pretrain the generator."""

import dataclasses
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from uamsim.data.changes import SceneChange, draw_change
from uamsim.data.config import SceneChangeConfig
from uamsim.data.files import create_array, load_json, open_array, unfinished_folder
from uamsim.data.scenes import CHUNK, make_scene_env
from uamsim.data.workers import Progress, map_tasks
from uamsim.errors import DatasetError
from uamsim.storage import storage_errors, write_json, write_text

_REMEDY = "Delete the folder and generate the scene changes again."
_ATTEMPTS = 40


def _render_pairs(
    env_id: str, env_kwargs: dict[str, Any], folder: Path, start: int, seeds: tuple[int, ...]
) -> int:
    part = folder / f"pairs-{start:08d}.jsonl"
    if part.exists():
        return len(seeds)
    lines = []
    camera = env_kwargs["camera"]
    with storage_errors(folder):
        before = np.lib.format.open_memmap(folder / "before.npy", mode="r+")
        after = np.lib.format.open_memmap(folder / "after.npy", mode="r+")
        with closing(make_scene_env(env_id, **env_kwargs)) as env:
            for row, seed in enumerate(seeds, start):
                scene_seed, change = _changeable(env, seed)
                for pictures, facts in ((before, change.before), (after, change.after)):
                    observation, _ = env.reset(seed=scene_seed, options={"facts": facts})
                    pictures[row] = observation["pixels"][camera]
                lines.append(json.dumps({"instruction": change.instruction, "seed": scene_seed}))
        before.flush()
        after.flush()
    write_text(part, "".join(f"{line}\n" for line in lines))
    return len(seeds)


def _changeable(env: gym.Env[Any, Any], seed: int) -> tuple[int, SceneChange]:
    """The first scene of a seed's stream that can be changed: its seed and its change."""
    rng = np.random.default_rng([seed, 2])
    for _ in range(_ATTEMPTS):
        scene_seed = int(rng.integers(2**31))
        _, info = env.reset(seed=scene_seed)
        change = draw_change(info["scene"], rng)
        if change is not None:
            return scene_seed, change
    raise DatasetError(f"{env.spec.id if env.spec else env} draws no scene that can be changed.")


def generate_scene_changes(
    config: SceneChangeConfig, root: Path, workers: int = 1, progress: Progress | None = None
) -> Path:
    """Renders the pairs; the same files for any ``workers``.

    Raises:
        StorageError: the disk is full; finished pairs are kept.
    """
    env_kwargs = {
        "image_size": config.image_size,
        "camera": config.camera,
        "render_profile": config.render_profile,
    }
    count, done = config.num_pairs, 0
    with unfinished_folder(root, config) as folder:
        for name in ("before", "after"):
            create_array(folder / f"{name}.npy", (count, *config.image_size, 3))
        tasks = [
            (
                config.env_id,
                env_kwargs,
                folder,
                i,
                tuple(range(config.seed0 + i, config.seed0 + min(i + CHUNK, count))),
            )
            for i in range(0, count, CHUNK)
        ]
        for _, finished in map_tasks(_render_pairs, tasks, workers=workers):
            done += finished
            if progress is not None:
                progress(done, count)
        parts = sorted(folder.glob("pairs-*.jsonl"))
        lines = [line for p in parts for line in p.read_text(encoding="utf-8").splitlines()]
        write_json(folder / "pairs.json", [json.loads(line) for line in lines])
        for part in parts:
            part.unlink()
        write_json(folder / "config.json", dataclasses.asdict(config))
    return root


class SceneChangeDataset:
    """Pairs that ``generate_scene_changes`` wrote.

    Attributes:
        before: uint8 [N, H, W, 3], a read-only memory map.
        after: the same of the changed scenes.
        instructions: N sentences that name the change.
    """

    def __init__(self, root: Path) -> None:
        """Opens the pairs.

        Raises:
            DatasetError: a file is missing, corrupt, or does not fit the others.
        """
        self.before = open_array(root / "before.npy", _REMEDY, shape=(None, None, None, 3))
        self.after = open_array(root / "after.npy", _REMEDY, shape=self.before.shape)
        rows = load_json(root / "pairs.json", _REMEDY)
        try:
            self.instructions = [str(row["instruction"]) for row in rows]
        except (TypeError, KeyError) as error:
            raise DatasetError(f"{root / 'pairs.json'} does not fit: {error}. {_REMEDY}") from error
        if len(self.instructions) != len(self.before):
            raise DatasetError(
                f"{root / 'pairs.json'} has {len(self.instructions)} pairs and before.npy "
                f"{len(self.before)} pictures. {_REMEDY}"
            )

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.instructions)
