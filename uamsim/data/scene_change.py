"""Scenes before and after a change put into words: a tiny image-editing set.

It stands in for what a public generative model was trained on, and pretrains the generator.
"""

import dataclasses
import json
import math
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from uamsim.contract import SceneFacts, SceneThing
from uamsim.data.config import SceneChangeConfig
from uamsim.data.files import create_array, load_json, open_array, unfinished_folder
from uamsim.data.questions import REGION_X_M
from uamsim.data.scenes import CHUNK, make_scene_env
from uamsim.data.workers import Progress, map_tasks
from uamsim.errors import DatasetError
from uamsim.lexicon import LEXICON, noun_phrase, placement_word
from uamsim.storage import storage_errors, write_json, write_text

_REMEDY = "Delete the folder and generate the scene changes again."
_TABLE_M = (0.23, 0.12)
"""Half extents that a moved thing stays in."""
_CLEARANCE_M = 0.095
_BESIDE_M = 0.1
_ON_TOP_M = 0.014
_HOVER_M = (0.05, 0.1)
_HANDS_APART_M = 0.14
_ATTEMPTS = 40
_REGIONS = {"left": -0.17, "middle": 0.0, "right": 0.17}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SceneChange:
    """A change in words, and the scene that it leads to."""

    instruction: str
    after: SceneFacts


def draw_change(facts: SceneFacts, rng: np.random.Generator) -> SceneChange | None:
    """A change that the scene allows: move, put onto, remove, or bring a hand over a thing.

    Only things that colour and category tell from all others are named. None where no attempt
    finds a change.
    """
    names = [(thing.colour, thing.category) for thing in facts.things]
    single = [
        thing
        for thing in facts.things
        if thing.category != "label" and names.count((thing.colour, thing.category)) == 1
    ]
    if not single:
        return None
    kinds = (_hover, _hover, _move_beside, _move_to_region, _put_on, _put_on, _remove)
    for _ in range(_ATTEMPTS):
        thing = single[int(rng.integers(len(single)))]
        other = single[int(rng.integers(len(single)))]
        change = kinds[int(rng.integers(len(kinds)))](facts, thing, other, rng)
        if change is not None:
            return change
    return None


def _phrase(thing: SceneThing) -> str:
    return f"the {noun_phrase(thing.category, thing.colour, 'english')}"


def _moved(facts: SceneFacts, thing: SceneThing, place: tuple[float, float, float]) -> SceneFacts:
    new = dataclasses.replace(thing, pos_world=place)
    things = tuple(new if item is thing else item for item in facts.things)
    return dataclasses.replace(facts, things=things)


def _is_free(facts: SceneFacts, x: float, y: float, *, without: SceneThing) -> bool:
    if abs(x) > _TABLE_M[0] or abs(y) > _TABLE_M[1]:
        return False
    return all(
        math.hypot(x - t.pos_world[0], y - t.pos_world[1]) >= _CLEARANCE_M
        for t in facts.things
        if t is not without
    )


def _move_beside(
    facts: SceneFacts, thing: SceneThing, other: SceneThing, rng: np.random.Generator
) -> SceneChange | None:
    if thing is other:
        return None
    is_left = bool(rng.random() < 0.5)
    x = other.pos_world[0] + (-_BESIDE_M if is_left else _BESIDE_M)
    y = other.pos_world[1]
    if not _is_free(facts, x, y, without=thing):
        return None
    side = "left" if is_left else "right"
    return SceneChange(
        instruction=f"move {_phrase(thing)} to the {side} of {_phrase(other)}",
        after=_moved(facts, thing, (x, y, thing.pos_world[2])),
    )


def _move_to_region(
    facts: SceneFacts, thing: SceneThing, other: SceneThing, rng: np.random.Generator
) -> SceneChange | None:
    del other
    column = tuple(_REGIONS)[int(rng.integers(len(_REGIONS)))]
    row = ("near", "far")[int(rng.integers(2))]
    x = _REGIONS[column] + float(rng.uniform(-0.03, 0.03))
    y = (-0.065 if row == "near" else 0.065) + float(rng.uniform(-0.03, 0.03))
    stays = abs(x - thing.pos_world[0]) < REGION_X_M and abs(y - thing.pos_world[1]) < 0.05
    if stays or not _is_free(facts, x, y, without=thing):
        return None
    return SceneChange(
        instruction=f"move {_phrase(thing)} to the {column} {row}",
        after=_moved(facts, thing, (x, y, thing.pos_world[2])),
    )


def _put_on(
    facts: SceneFacts, thing: SceneThing, other: SceneThing, rng: np.random.Generator
) -> SceneChange | None:
    del rng
    if LEXICON[thing.category].kind != "object" or LEXICON[other.category].kind != "target":
        return None
    x, y, z = other.pos_world
    return SceneChange(
        instruction=(
            f"put {_phrase(thing)} {placement_word(other.category, 'english')} {_phrase(other)}"
        ),
        after=_moved(facts, thing, (x, y, z + _ON_TOP_M)),
    )


def _remove(
    facts: SceneFacts, thing: SceneThing, other: SceneThing, rng: np.random.Generator
) -> SceneChange | None:
    del other, rng
    left = tuple(item for item in facts.things if item is not thing)
    return SceneChange(
        instruction=f"remove {_phrase(thing)}", after=dataclasses.replace(facts, things=left)
    )


def _hover(
    facts: SceneFacts, thing: SceneThing, other: SceneThing, rng: np.random.Generator
) -> SceneChange | None:
    """The hand on the thing's side goes over it, as a robot's does that presses or picks it."""
    del other
    x, y, z = thing.pos_world
    arm = 0 if x < 0 else 1
    rest = facts.gripper_pos_world[1 - arm]
    if rest is not None and math.hypot(rest[0] - x, rest[1] - y) < _HANDS_APART_M:
        return None
    height = z + float(rng.uniform(*_HOVER_M))
    hand = (x, y, height)
    hands = (hand, rest) if arm == 0 else (rest, hand)
    kind = LEXICON[thing.category].kind
    verb = "press" if kind == "button" else "reach for"
    side = ("left", "right")[arm]
    words = (f"{verb} {_phrase(thing)}", f"move the {side} hand over {_phrase(thing)}")
    return SceneChange(
        instruction=words[int(rng.integers(2))],
        after=dataclasses.replace(facts, gripper_pos_world=hands),
    )


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
                scene_seed, picture, change = _changeable(env, camera, seed)
                before[row] = picture
                observation, _ = env.reset(seed=scene_seed, options={"facts": change.after})
                after[row] = observation["pixels"][camera]
                lines.append(json.dumps({"instruction": change.instruction, "seed": scene_seed}))
        before.flush()
        after.flush()
    write_text(part, "".join(f"{line}\n" for line in lines))
    return len(seeds)


def _changeable(
    env: gym.Env[Any, Any], camera: str, seed: int
) -> tuple[int, np.ndarray, SceneChange]:
    """The first scene of a seed's stream that can be changed: its seed, picture and change."""
    rng = np.random.default_rng([seed, 2])
    for _ in range(_ATTEMPTS):
        scene_seed = int(rng.integers(2**31))
        observation, info = env.reset(seed=scene_seed)
        change = draw_change(info["scene"], rng)
        if change is not None:
            return scene_seed, np.array(observation["pixels"][camera]), change
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
