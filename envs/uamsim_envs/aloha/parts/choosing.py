"""Which things of the library an episode of putting one on or into another shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from uamsim.errors import SceneError
from uamsim.lexicon import HELD_OUT_PAIRS, LEXICON, entries
from uamsim.perturbations.axes.objects import (
    Distractors,
    NovelInstance,
    NovelObject,
    NovelPair,
    NovelSize,
    NovelTarget,
)
from uamsim.perturbations.distance import ShapedThing, as_similar
from uamsim.perturbations.draw import is_novel, narrowed
from uamsim.perturbations.values import Composition, Parameters
from uamsim_envs.aloha.skills.carrying import HOLLOW
from uamsim_envs.aloha.task import Item
from uamsim_envs.aloha.variants import GRASPABLE
from uamsim_envs.contacts import FINGER_TIP
from uamsim_envs.library import INSTANCES, Instance, instances_of
from uamsim_envs.library.shapes import points

THINGS: tuple[str, ...] = (
    "apple",
    "banana",
    "lemon",
    "pear",
    "tomato",
    "pepper",
    "corn",
    "potato",
    "baozi",
    "computer_mouse",
    "phone",
    "medicine_box",
    "cube",
)
LONG: tuple[str, ...] = ("banana", "corn", "computer_mouse", "phone", "medicine_box")
"""Half of the things that change hands are drawn from these: most can do so in mid-air."""
NEW_THINGS: tuple[str, ...] = (
    "tangerine",
    "strawberry",
    "carrot",
    "eggplant",
    "mushroom",
    "star",
    "tape_roll",
    "duck",
)
"""Held-out categories that a gripper can pick."""
TARGETS: tuple[str, ...] = ("plate", "tray", "box", "garbage_can")
NEW_TARGETS: tuple[str, ...] = ("basket",)
"""Held-out categories that things have room in."""
_OVERHANG = 1.5
"""By how much a thing may be longer than what it is put on."""
_SMALLEST, _LARGEST = 0.65, 1.5
"""Factors on a thing's lengths; smaller round things are too light to stay between fingers."""
_LEAST_HEIGHT = FINGER_TIP + 0.003
"""m that a thing must be high for fingers that just clear the table to hold it."""
_TRIES = 200


@dataclass(frozen=True, kw_only=True)
class Draw:
    """A thing before it has a place; see ``Item``."""

    name: str
    instance: Instance
    colour: str
    scale: float
    yaw: float

    def at(self, x: float, y: float) -> Item:
        """The thing with its base centre at a point of the table (m)."""
        return Item(
            name=self.name,
            instance=self.instance,
            colour=self.colour,
            scale=self.scale,
            yaw=self.yaw,
            pos=(x, y, 0.0),
            static=self.instance.category in (*TARGETS, *NEW_TARGETS),
        )

    @property
    def radius(self) -> float:
        """Of the circle that it covers on the table (m)."""
        return self.scale * self.instance.radius

    @property
    def thing(self) -> ShapedThing:
        """What it is, without its size."""
        return ShapedThing(
            category=self.instance.category, colour=self.colour, instance=self.instance.name
        )


def _draw(rng: np.random.Generator, name: str, category: str, not_colour: str = "") -> Draw:
    """An instance of a category that demonstrations may show, in one of its colours."""
    return _pick(rng, name, instances_of(category, in_action_data=True), not_colour)


def _pick(
    rng: np.random.Generator, name: str, instances: list[Instance], not_colour: str = ""
) -> Draw:
    seen = [e.name for e in entries("colour", in_action_data=True) if e.name != not_colour]
    kinds = [i for i in instances if set(i.colours) & set(seen)]
    instance = kinds[int(rng.integers(len(kinds)))]
    colours = [colour for colour in instance.colours if colour in seen]
    return _sized(rng, name, instance, colours[int(rng.integers(len(colours)))])


def _sized(rng: np.random.Generator, name: str, instance: Instance, colour: str) -> Draw:
    turn = 0.5 if instance.category in (*TARGETS, *NEW_TARGETS) else math.pi
    return Draw(
        name=name,
        instance=instance,
        colour=colour,
        scale=float(rng.uniform(*instance.scale)),
        yaw=float(rng.uniform(-turn, turn)),
    )


def _draw_from(rng: np.random.Generator, name: str, things: Sequence[ShapedThing]) -> Draw:
    thing = things[int(rng.integers(len(things)))]
    return _sized(rng, name, INSTANCES[thing.instance], thing.colour)


def fits(thing: Draw | Item, target: Draw | Item) -> bool:
    """Whether a thing has room in a receptacle, or lies safely on it."""
    opening = target.instance.opening
    if opening is None:
        return False
    cloud = np.concatenate([points(shape) for shape in thing.instance.shapes if shape.solid])
    radius = thing.scale * float(np.linalg.norm(cloud[:, :2], axis=1).max())
    x, y = (target.scale * half for half in opening.half)
    if target.instance.category in HOLLOW:
        return radius <= min(x, y)
    return radius <= _OVERHANG * max(x, y)


@lru_cache(maxsize=8)
def _pool(categories: tuple[str, ...]) -> tuple[ShapedThing, ...]:
    return tuple(
        ShapedThing(category=category, colour=colour, instance=instance.name)
        for category in categories
        for instance in instances_of(category)
        for colour in instance.colours
    )


def shown_things() -> list[ShapedThing]:
    """Things that demonstrations may ask for."""
    return [
        t
        for t in _pool(THINGS)
        if INSTANCES[t.instance].in_action_data and LEXICON[t.colour].in_action_data
    ]


def _novel_things(rng: np.random.Generator, novel: NovelObject) -> Sequence[ShapedThing]:
    if novel == NovelObject():
        return _novel_pool(NovelObject(kind="category" if rng.random() < 0.5 else "colour"))
    return _novel_pool(novel)


@lru_cache(maxsize=16)
def _novel_pool(novel: NovelObject) -> Sequence[ShapedThing]:
    held_out = [t for t in _pool((*THINGS, *NEW_THINGS)) if _one_word_is_new(t)]
    return narrowed(held_out, novel, shown_things())


def _one_word_is_new(thing: ShapedThing) -> bool:
    """Just its category or just its colour; of a seen category it has a seen shape."""
    new_category = not LEXICON[thing.category].in_action_data
    return is_novel(thing) and (new_category or INSTANCES[thing.instance].in_action_data)


def choose(
    rng: np.random.Generator,
    handed: bool,
    active: Composition,
    size: Parameters | None,
) -> list[Draw]:
    """Target, thing, the other receptacle, and two or three other things.

    Args:
        rng: of the scene.
        handed: whether the thing is to change hands.
        active: perturbations of the objects that change something.
        size: what ``NovelSize`` drew, where there is one.

    Raises:
        SceneError: no thing fits any target.
    """
    long = handed and rng.random() < 0.5
    categories = LONG if long else THINGS
    category = categories[int(rng.integers(len(categories)))]
    novel, new_pair = active.find(NovelObject), active.find(NovelPair) is not None
    new_things = None if novel is None else _novel_things(rng, novel)
    for _ in range(_TRIES):
        if new_things is not None:
            thing = _draw_from(rng, "thing", new_things)
        elif active.find(NovelInstance) is not None:
            thing = _pick(rng, "thing", instances_of(category, in_action_data=False))
        else:
            thing = _draw(rng, "thing", category)
        if size is not None:
            thing = _resized(thing, active, size)
        if active.find(NovelTarget) is None:
            target = _draw(rng, "target", TARGETS[int(rng.integers(len(TARGETS)))])
        else:
            pool = [t for t in _pool((*TARGETS, *NEW_TARGETS)) if _one_word_is_new(t)]
            target = _draw_from(rng, "target", pool)
        pair = thing.instance.category, target.instance.category
        if fits(thing, target) and (pair in HELD_OUT_PAIRS) == new_pair:
            break
        if new_pair:
            category = categories[int(rng.integers(len(categories)))]
    else:
        raise SceneError(f"no thing was found in {_TRIES} tries that fits a target.")
    return [target, thing, *_others(rng, target, thing)]


def _others(rng: np.random.Generator, target: Draw, thing: Draw) -> list[Draw]:
    category, kind = thing.instance.category, target.instance.category
    same = rng.random() < 0.4 and kind in TARGETS
    kind = kind if same else TARGETS[int(rng.integers(len(TARGETS)))]
    draws = [_draw(rng, "other_target", kind, not_colour=target.colour)]
    others = [THINGS[i] for i in rng.permutation(len(THINGS)) if THINGS[i] != category]
    if rng.random() < 0.3 and category in THINGS:
        others.insert(0, category)
    for index in range(int(rng.integers(2, 4))):
        draws.append(_draw(rng, f"other{index}", others[index], not_colour=thing.colour))
    return draws


def _resized(thing: Draw, active: Composition, drawn: Parameters) -> Draw:
    size = active.find(NovelSize)
    if size is None:
        return thing
    instance = thing.instance
    least = max(_SMALLEST, _LEAST_HEIGHT / instance.height)
    most = min(_LARGEST, GRASPABLE / min(grasp.width for grasp in instance.grasps))
    return replace(thing, scale=size.scale(drawn, instance.scale, (least, most)))


def choose_distractors(
    rng: np.random.Generator, named: Draw, present: list[ShapedThing], wanted: Distractors
) -> list[Draw]:
    """More things of any word, none in category and colour like one that is there.

    Args:
        rng: of the distractors.
        named: the thing that is asked for.
        present: what is on the table.
        wanted: how many, and how similar to the named thing.
    """
    taken = {(t.category, t.colour) for t in present}
    pool = [t for t in _pool((*THINGS, *NEW_THINGS)) if (t.category, t.colour) not in taken]
    if wanted.similarity is not None:
        pool = as_similar(pool, named.thing, wanted.similarity, wanted.count)
    chosen: list[ShapedThing] = []
    for index in rng.permutation(len(pool)):
        thing = pool[int(index)]
        if len(chosen) < wanted.count and (thing.category, thing.colour) not in taken:
            chosen.append(thing)
            taken.add((thing.category, thing.colour))
    return [
        _sized(rng, f"distractor{index}", INSTANCES[thing.instance], thing.colour)
        for index, thing in enumerate(chosen)
    ]
