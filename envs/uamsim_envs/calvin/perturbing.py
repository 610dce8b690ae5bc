"""What an episode of CALVIN draws of its perturbations, in words and as the host applies it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from uamsim.contract import Thing
from uamsim.lexicon import entries
from uamsim.perturbations.axes.actions import ACTIONS
from uamsim.perturbations.axes.objects import (
    SMALLEST,
    Distractors,
    NovelObject,
    NovelSize,
    NovelTexture,
)
from uamsim.perturbations.axes.physics import Friction, Mass
from uamsim.perturbations.axes.scene import (
    Background,
    CameraPose,
    FieldOfView,
    Lighting,
    TableTexture,
)
from uamsim.perturbations.axes.sensors import SENSORS
from uamsim.perturbations.distance import ShapedThing, as_similar, distance, distance_to_training
from uamsim.perturbations.draw import narrowed
from uamsim.perturbations.values import Composition, Parameters, Perturbation, stream
from uamsim_envs.calvin.language import BLOCK
from uamsim_envs.calvin.shapes import (
    BLOCK_RGB,
    NOVEL_BLOCKS,
    block_parts,
    distractor_parts,
    distractor_things,
    rgb_of,
)
from uamsim_envs.calvin.textures import surface_textures
from uamsim_envs.patterns import draw_marks

_MARK_TEXELS = 64
"""Along a side of a block."""
CARRIED: tuple[type[Perturbation], ...] = (
    NovelObject,
    NovelSize,
    NovelTexture,
    Distractors,
    TableTexture,
    Background,
    Lighting,
    CameraPose,
    FieldOfView,
    Mass,
    Friction,
    *SENSORS,
    *ACTIONS,
)
"""What CALVIN's worlds can apply, besides the wording."""
BLOCKS: dict[str, Thing] = {
    f"{colour}_block": Thing(category=BLOCK, colour=colour) for colour in BLOCK_RGB
}
"""Name of a block in CALVIN -> what it is called."""
_LARGEST, _LARGEST_NOVEL = 1.5, 1.2
"""Factors on the lengths of a block, and of one of a novel shape, that a gripper can hold."""
_STAND_INS = {"pink": "purple"}
"""CALVIN's colours -> those of the lexicon that are nearest, to judge distances by."""


@dataclass(frozen=True, kw_only=True)
class SceneDraw:
    """What is different about an episode's world.

    Attributes:
        blocks: every block's name in CALVIN -> what it is called in this episode.
        distractors: what lies about, in the order of the host's places.
        changes: for the host (``host.changes``), {} where nothing is.
        drawn: type name -> parameters, as JSON values.
    """

    blocks: dict[str, Thing]
    distractors: tuple[Thing, ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)
    drawn: dict[str, Parameters] = field(default_factory=dict)


def draw_scene(
    composition: Composition, episode: int, *, named: str | None, scene: str, checkout: Path
) -> SceneDraw:
    """Draws an episode's world, each perturbation from a stream of its own.

    Args:
        composition: the perturbations; those of the wording, the sensors and the actions are
            ignored.
        episode: seed of the streams.
        named: the block that the task names, "red_block"; None where it names none, and then one
            is drawn for ``NovelObject`` and ``NovelSize``.
        scene: "A", "B", "C" or "D".
        checkout: of calvin_env.
    """
    active = composition.active("objects", "scene", "physics")
    drawn = {type(p).__name__: p.draw(stream(episode, p)) for p in active}
    blocks, changed = dict(BLOCKS), {}
    changes: dict[str, Any] = {}
    names = list(BLOCKS)
    block = named or names[int(np.random.default_rng(episode).integers(len(names)))]
    novel = next((p for p in active if isinstance(p, NovelObject)), None)
    if novel is not None:
        thing = _novel_block(novel, block, stream(episode, novel))
        blocks[block] = Thing(category=thing.category, colour=thing.colour)
        changed = _change(thing)
        drawn["NovelObject"] = {
            "block": block,
            "category": thing.category,
            "colour": thing.colour,
            "distance": distance_to_training(stand_in(thing), _shown()),
        }
    size = next((p for p in active if isinstance(p, NovelSize)), None)
    if size is not None:
        largest = _LARGEST_NOVEL if "parts" in changed else _LARGEST
        factor = size.scale(drawn["NovelSize"], (1.0, 1.0), (SMALLEST, largest))
        drawn["NovelSize"] = {"block": block, "larger": factor > 1.0, "factor": factor}
        changed["scale"] = factor
    if changed:
        changes["blocks"] = {block: changed}
    more = next((p for p in active if isinstance(p, Distractors)), None)
    added: list[ShapedThing] = []
    if more is not None:
        rng = stream(episode, more)
        added = _distractors(more, blocks, block, rng)
        changes["distractors"] = [distractor_parts(thing) for thing in added]
        changes["seed"] = int(rng.integers(2**62))
        drawn["Distractors"] = {"things": [_described(t, blocks[block]) for t in added]}
    _look(changes, drawn, scene, checkout)
    return SceneDraw(
        blocks=blocks,
        distractors=tuple(Thing(category=t.category, colour=t.colour) for t in added),
        changes=changes,
        drawn=drawn,
    )


def stand_in(thing: Thing) -> Thing:
    """The thing, or one like it whose distance to others is known."""
    return replace(thing, colour=_STAND_INS.get(thing.colour, thing.colour))


def _look(
    changes: dict[str, Any], drawn: dict[str, Parameters], scene: str, checkout: Path
) -> None:
    if "NovelTexture" in drawn:
        changes["pattern"] = draw_marks(drawn["NovelTexture"], _MARK_TEXELS)
    textures = surface_textures(checkout, scene, drawn)
    if textures:
        changes["textures"] = textures
    if "Lighting" in drawn:
        # CALVIN's renderer has one lamp.
        drawn["Lighting"] = {k: v for k, v in drawn["Lighting"].items() if k != "lamps"}
        changes["light"] = drawn["Lighting"]
    if "CameraPose" in drawn:
        changes["camera"] = drawn["CameraPose"]
    if "FieldOfView" in drawn:
        changes["focal"] = drawn["FieldOfView"]["focal"]
    for name in ("Mass", "Friction"):
        if name in drawn:
            changes[name.lower()] = drawn[name]["factor"]


def _shown() -> list[Thing]:
    """What demonstrations show of what can be named with a colour."""
    return [stand_in(thing) for thing in BLOCKS.values()]


def _novel_block(novel: NovelObject, block: str, rng: np.random.Generator) -> ShapedThing:
    """A block with one word that demonstrations never show."""
    own = BLOCKS[block]
    shapes = [
        ShapedThing(category=category, colour=own.colour, instance=instance)
        for category, (instance, _) in NOVEL_BLOCKS.items()
    ]
    colours = [
        ShapedThing(category=own.category, colour=e.name, instance="cube_plain")
        for e in entries("colour")
        if e.name not in (*BLOCK_RGB, *_STAND_INS.values())
    ]
    if novel.kind != "any":
        pool = shapes if novel.kind == "category" else colours
    elif novel.distance is None and novel.fifth is None:
        pool = shapes if rng.random() < 0.5 else colours
    else:
        pool = shapes + colours
    graded = NovelObject(distance=novel.distance, fifth=novel.fifth)
    by_words = {stand_in(thing): thing for thing in pool}
    chosen = narrowed(list(by_words), graded, _shown())
    return by_words[chosen[int(rng.integers(len(chosen)))]]


def _change(thing: ShapedThing) -> dict[str, Any]:
    """What the host makes of a block."""
    if thing.category == BLOCK:
        return {"rgb": rgb_of(thing.colour)}
    return {"parts": block_parts(thing)}


def _distractors(
    more: Distractors, blocks: Mapping[str, Thing], named: str, rng: np.random.Generator
) -> list[ShapedThing]:
    """Things to add, none of which could be called what a block is called."""
    words = {(thing.category, thing.colour) for thing in blocks.values()}
    pool = {
        stand_in(thing): thing
        for thing in distractor_things()
        if (thing.category, thing.colour) not in words
    }
    choice: Sequence[Thing] = list(pool)
    if more.similarity is not None:
        choice = as_similar(choice, stand_in(blocks[named]), more.similarity, more.count)
    return [pool[choice[int(i)]] for i in rng.permutation(len(choice))[: more.count]]


def _described(thing: ShapedThing, named: Thing) -> Parameters:
    return {
        "category": thing.category,
        "colour": thing.colour,
        "instance": thing.instance,
        "distance": distance(thing, stand_in(named)).mean,
    }
