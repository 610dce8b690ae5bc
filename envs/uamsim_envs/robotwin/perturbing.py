"""What an episode of RoboTwin draws of its perturbations, in words and as the host applies it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from uamsim.contract import Thing
from uamsim.errors import ConfigError
from uamsim.lexicon import LEXICON, entries
from uamsim.perturbations.axes.actions import ACTIONS
from uamsim.perturbations.axes.objects import SMALLEST, Distractors, NovelObject, NovelSize
from uamsim.perturbations.axes.physics import Friction, Mass
from uamsim.perturbations.axes.scene import (
    Background,
    CameraPose,
    FieldOfView,
    Lighting,
    TableHeight,
    TableTexture,
)
from uamsim.perturbations.axes.sensors import SENSORS
from uamsim.perturbations.distance import ShapedThing, as_similar, distance_to_training, within
from uamsim.perturbations.values import (
    MAX_SEVERITY,
    Composition,
    Parameters,
    Perturbation,
    stream,
)
from uamsim_envs.library import INSTANCES
from uamsim_envs.library.shapes import rotation
from uamsim_envs.patterns import draw_pattern
from uamsim_envs.robotwin.language import GOALS, LANGUAGE
from uamsim_envs.robotwin.things import KEPT
from uamsim_envs.shape_table import surface_of

ANYWHERE: tuple[type[Perturbation], ...] = (
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
"""What every task can apply."""
NAMED: tuple[type[Perturbation], ...] = (
    TableHeight,
    NovelObject,
    NovelSize,
    Distractors,
    *LANGUAGE.carried,
)
"""What tasks of ``KEPT`` can apply besides: it is known what they are about."""

SHOWN, TABLE = ("red", "green", "blue"), "white"
"""What colours the tasks' blocks have, and their table."""
SIZABLE = frozenset(
    {
        "beat_block_hammer",
        "handover_block",
        "hanging_mug",
        "move_can_pot",
        "pick_diverse_bottles",
        "place_can_basket",
        "place_dual_shoes",
        "put_bottles_dustbin",
        "scan_object",
        "stamp_seal",
    }
)
"""Tasks whose meaning stays when ``NovelSize`` changes their thing. Elsewhere blocks that are
stacked or ranked are told by their height, or judged by it; a bin is judged by where balls in it
fall; a pot and a switch are grasped at a height that is written down, and a clock's button is
pressed by going down a length that is (the expert solves 1 of 5)."""
_AT_FIXED_HEIGHTS = frozenset({"dump_bin_bigbin", "scan_object"})
"""Tasks that put things at heights that do not rise with the table, so that it would be in them."""
_LARGEST = 1.2
"""Factor on the lengths of a thing that a gripper can hold: several fill most of its opening."""
_LIKE: dict[str, str] = {
    "cube": "cube_plain",
    "large_block": "cube_plain",
    "long_block": "cube_plain",
    "hammer": "marker_thick",
    "alarm_clock": "phone_keys",
    "table_bin": "garbage_can_plain",
    "mug": "cup_mug",
    "pot": "bowl_deep",
    "sauce_can": "can_short",
    "can": "can_short",
    "bottles": "can_tall",
    "shoes": "toy_car_saloon",
    "tea_box": "medicine_box_tall",
    "seal": "eraser_block",
    "switch": "tape_roll_plain",
}
"""Noun of a task's thing -> the instance of the library that stands for it when distractors are
to be more or less like it."""
_RADIUS, _HEIGHT = 0.055, 0.1
"""m, of a distractor at most."""
_METRES = {"table": (1.2, 0.7), "wall": (6.0, 3.0), "ground": (5.0, 5.0)}
"""Surface -> width and height of the side that is seen, or of a tile of the ground."""
_TEXELS_A_METRE = {"table": 256, "wall": 128, "ground": 64}


@dataclass(frozen=True, kw_only=True)
class SceneDraw:
    """What is different about an episode's world.

    Attributes:
        colour: of the task's thing in this episode; "" where it has its own.
        distractors: what lies about, in the order of the host's places.
        changes: for the host (``host.changes``), {} where nothing is.
        drawn: type name -> parameters, as JSON values.
    """

    colour: str = ""
    distractors: tuple[Thing, ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)
    drawn: dict[str, Parameters] = field(default_factory=dict)


def carried(task: str) -> tuple[type[Perturbation], ...]:
    """The axes that a task can apply."""
    if task not in KEPT:
        return ANYWHERE
    refused = {NovelSize: task not in SIZABLE, TableHeight: task in _AT_FIXED_HEIGHTS}
    return tuple(cls for cls in (*ANYWHERE, *NAMED) if not refused.get(cls))


def draw_scene(composition: Composition, episode: int, *, task: str) -> SceneDraw:
    """Draws an episode's world, each perturbation from a stream of its own.

    Args:
        composition: the perturbations; those of the wording, the sensors and the actions are
            ignored.
        episode: seed of the streams.
        task: name of the task.

    Raises:
        ConfigError: no thing is so near or so far as ``NovelObject`` asks for.
    """
    active = composition.active("objects", "scene", "physics")
    drawn = {type(p).__name__: p.draw(stream(episode, p)) for p in active}
    changes: dict[str, Any] = {}
    changed: dict[str, Any] = {}
    colour, added = "", list[ShapedThing]()
    for p in active:
        rng = stream(episode, p)
        if isinstance(p, NovelObject):
            thing = _novel(p, rng)
            colour = thing.colour
            changed["rgb"] = LEXICON[colour].rgb
            drawn["NovelObject"] = {
                "colour": colour,
                "distance": distance_to_training(thing, _shown()),
            }
        elif isinstance(p, NovelSize):
            factor = p.scale(drawn["NovelSize"], (1.0, 1.0), (SMALLEST, _LARGEST))
            drawn["NovelSize"] = {"larger": factor > 1.0, "factor": factor}
            changed["factor"] = factor
        elif isinstance(p, Distractors):
            added = _distractors(p, GOALS[task].thing, rng)
            changes["distractors"] = [_parts(thing) for thing in added]
            changes["seed"] = int(rng.integers(2**62))
            drawn["Distractors"] = {
                "things": [
                    {"category": t.category, "colour": t.colour, "instance": t.instance}
                    for t in added
                ]
            }
    if changed:
        changes["thing"] = {"kept": list(KEPT[task]["thing"]), **changed}
    _look(changes, drawn)
    return SceneDraw(
        colour=colour,
        distractors=tuple(Thing(category=t.category, colour=t.colour) for t in added),
        changes=changes,
        drawn=drawn,
    )


def _look(changes: dict[str, Any], drawn: Mapping[str, Parameters]) -> None:
    for name, surfaces in (("TableTexture", ("table",)), ("Background", ("wall", "ground"))):
        for surface in surfaces if name in drawn else ():
            changes.setdefault("surfaces", {})[surface] = {
                "pattern": _pattern(drawn[name], surface),
                "strength": drawn[name]["strength"],
            }
    for name, key in (("Lighting", "light"), ("CameraPose", "camera")):
        if name in drawn:
            changes[key] = drawn[name]
    for name, key, value in (
        ("FieldOfView", "focal", "focal"),
        ("TableHeight", "height_m", "height_m"),
        ("Mass", "mass", "factor"),
        ("Friction", "friction", "factor"),
    ):
        if name in drawn:
            changes[key] = drawn[name][value]


def _pattern(drawn: Parameters, surface: str) -> np.ndarray:
    """What is seen of a surface, uint8 [H, W, 3]."""
    density = _TEXELS_A_METRE[surface]
    x, y = np.meshgrid(
        *((np.arange(round(metres * density)) + 0.5) / density for metres in _METRES[surface])
    )
    return np.rint(255 * np.clip(draw_pattern(drawn, x, y), 0.0, 1.0)).astype(np.uint8)


def _cube(colour: str) -> ShapedThing:
    return ShapedThing(category="cube", colour=colour, instance="cube_plain")


def _shown() -> list[Thing]:
    return [_cube(colour) for colour in SHOWN]


def _novel(novel: NovelObject, rng: np.random.Generator) -> Thing:
    """What stands for the thing in a colour that no block has."""
    if novel.kind == "category":
        raise ConfigError(
            "RoboTwin's tasks are about things of one category each, so that NovelObject takes "
            "kind='colour' or 'any' here, not 'category'."
        )
    pool = [_cube(e.name) for e in entries("colour") if e.name not in (*SHOWN, TABLE)]
    if novel.distance is not None:
        pool = within(pool, _shown(), novel.distance)
    if novel.fifth is not None:  # there are four colours for five grades
        pool.sort(key=lambda thing: distance_to_training(thing, _shown()))
        pool = [pool[(novel.fifth - 1) * len(pool) // MAX_SEVERITY]]
    return pool[int(rng.integers(len(pool)))]


def _distractors(more: Distractors, thing: Thing, rng: np.random.Generator) -> list[ShapedThing]:
    """Things to add, none of a kind that a task is about."""
    kinds = {INSTANCES[name].category for name in _LIKE.values()}
    pool = [
        ShapedThing(category=instance.category, colour=colour, instance=name)
        for name, instance in INSTANCES.items()
        if instance.radius <= _RADIUS and instance.height <= _HEIGHT
        if instance.category not in kinds
        for colour in instance.colours
    ]
    if more.similarity is not None:
        like = INSTANCES[_LIKE[thing.category]]
        named = ShapedThing(
            category=like.category, colour=thing.colour or like.colours[0], instance=like.name
        )
        pool = as_similar(pool, named, more.similarity, more.count)
    return [pool[int(i)] for i in rng.permutation(len(pool))[: more.count]]


def _parts(thing: ShapedThing) -> dict[str, Any]:
    """A thing of the library as ``host.distractors`` builds it."""
    instance = INSTANCES[thing.instance]
    rgb = LEXICON[thing.colour].rgb
    assert rgb is not None
    parts = []
    for shape in instance.shapes:
        surface = surface_of(shape)
        parts.append(
            {
                "vertices": surface.vertices @ rotation(shape.euler).T + shape.pos,
                "faces": surface.faces,
                "rgb": shape.colour(rgb),
                "visible": shape.visible,
                "solid": shape.solid,
            }
        )
    return {
        "parts": parts,
        "radius": instance.radius,
        "height": instance.height,
        "mass": instance.mass,
    }
