"""How far apart two things are: in shape, in colour and in what they are.

Each part is in [0, 1], and so is their mean.

- Shape: D2 shape distributions (Osada, Funkhouser, Chazelle and Dobkin, "Shape Distributions", ACM
  TOG 21(4), 2002, section 3): the distribution of the distance between two random points of the
  surface, divided by its mean, so that size does not matter; the L1 distance of two such
  distributions, as a share of the greatest in the table. ``shapes.json`` is that table;
  ``python -m uamsim_envs.shape_table`` computes it from the worlds' geometry.
- Colour: CIE 1976 Lab difference under D65 (CIE 15:2004, section 8.2.1) of the lexicon's linear
  sRGB, as a share of the greatest between two of its colours.
- Category: 1 - Wu and Palmer's similarity ("Verb Semantics and Lexical Selection", ACL 1994) in the
  lexicon's tree of categories: 1 - 2 c / (a + b), of a node c deep that two categories a and b deep
  have in common, the root at depth 0.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

from uamsim.contract import Thing
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.lexicon import LEXICON, entries
from uamsim.perturbations.values import MAX_SEVERITY

SHAPES_FILE = Path(__file__).with_name("shapes.json")

# Linear sRGB to XYZ, and the white that it has (IEC 61966-2-1).
_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], float
)
_WHITE = _XYZ.sum(axis=1)
_SIMILAR_SHARE = 0.25
"""Share of all things from which those of one similarity are drawn."""


@dataclass(frozen=True, kw_only=True)
class ShapedThing(Thing):
    """A thing in a world that has several shapes of a category.

    Attributes:
        instance: which one it is.
    """

    instance: str


T = TypeVar("T", bound=Thing)


@dataclass(frozen=True, kw_only=True)
class Distance:
    """How far apart two things are, each part in [0, 1].

    Attributes:
        shape, colour, category: see the module.
    """

    shape: float
    colour: float
    category: float

    @property
    def mean(self) -> float:
        """Of the three parts."""
        return (self.shape + self.colour + self.category) / 3.0


@lru_cache(maxsize=1)
def _shapes() -> tuple[dict[str, Float64[np.ndarray, " B"]], float]:
    """The distribution of every name, and the greatest L1 distance between two."""
    read = json.loads(SHAPES_FILE.read_text("utf-8"))
    table = {name: np.array(values) for name, values in read.items()}
    rows = np.stack(list(table.values()))
    return table, max(float(np.abs(rows - row).sum(axis=1).max()) for row in rows)


@lru_cache(maxsize=65536)
def shape_distance(first: str, second: str) -> float:
    """Of two names in ``shapes.json``: categories, or instances of the library.

    Raises:
        UnknownNameError: a name without a shape.
    """
    table, greatest = _shapes()
    for name in (first, second):
        if name not in table:
            raise UnknownNameError("shape", name, table)
    return float(np.abs(table[first] - table[second]).sum()) / greatest


def lab(rgb: Sequence[float]) -> Float64[np.ndarray, "3"]:
    """CIE Lab of a linear sRGB colour."""
    ratio = _XYZ @ np.asarray(rgb, float) / _WHITE
    low = 6 / 29
    f = np.where(ratio > low**3, np.cbrt(ratio), ratio / (3 * low**2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@lru_cache(maxsize=1)
def _colours() -> tuple[dict[str, Float64[np.ndarray, "3"]], float]:
    """Lab of every colour, and the greatest difference between two."""
    table = {e.name: lab(e.rgb) for e in entries("colour") if e.rgb is not None}
    return table, max(float(np.linalg.norm(a - b)) for a in table.values() for b in table.values())


@lru_cache(maxsize=1024)
def colour_distance(first: str, second: str) -> float:
    """Of two colours of the lexicon.

    Raises:
        UnknownNameError: not a colour.
    """
    table, greatest = _colours()
    for name in (first, second):
        if name not in table:
            raise UnknownNameError("colour", name, table)
    return float(np.linalg.norm(table[first] - table[second])) / greatest


@lru_cache(maxsize=4096)
def category_distance(first: str, second: str) -> float:
    """Of two categories in the lexicon's tree.

    Raises:
        UnknownNameError: not a word of the lexicon.
        ConfigError: a word without a place in the tree.
    """
    a, b = LEXICON[first].path, LEXICON[second].path
    for name, path in ((first, a), (second, b)):
        if not path:
            raise ConfigError(
                f"{name!r} has no place in the tree of categories; give it one in lexicon.txt."
            )
    common = 0
    while common < min(len(a), len(b)) and a[common] == b[common]:
        common += 1
    return 1.0 - 2.0 * common / (len(a) + len(b))


def distance(first: Thing, second: Thing) -> Distance:
    """How far apart two things are; those without an instance have their category's shape.

    Raises:
        UnknownNameError: a name that is not known.
        ConfigError: a category without a place in the tree.
    """
    shapes = [t.instance if isinstance(t, ShapedThing) else t.category for t in (first, second)]
    return Distance(
        shape=shape_distance(*shapes),
        colour=colour_distance(first.colour, second.colour),
        category=category_distance(first.category, second.category),
    )


def distance_to_training(thing: Thing, shown: Iterable[Thing]) -> float:
    """The least distance of a thing to any that demonstrations may show."""
    return min(distance(thing, other).mean for other in shown)


def within(things: Iterable[T], shown: Sequence[Thing], bounds: tuple[float, float]) -> list[T]:
    """The things whose distance to training is within bounds.

    Raises:
        ConfigError: there is none.
    """
    low, high = bounds
    far = [(distance_to_training(thing, shown), thing) for thing in things]
    chosen = [thing for value, thing in far if low <= value <= high]
    if not chosen:
        ends = min(v for v, _ in far), max(v for v, _ in far)
        raise ConfigError(
            f"no held-out thing is {low:g} to {high:g} away from training; here they are "
            f"{ends[0]:.3f} to {ends[1]:.3f} away."
        )
    return chosen


def fifth_of(things: Sequence[T], shown: Sequence[Thing], fifth: int) -> list[T]:
    """The things of one fifth by their distance to training, 1 the nearest to 5.

    Raises:
        ConfigError: too few things.
    """
    if len(things) < MAX_SEVERITY:
        raise ConfigError(f"fifths need at least {MAX_SEVERITY} things, got {len(things)}.")
    order = sorted(things, key=lambda thing: distance_to_training(thing, shown))
    count = len(order)
    return order[(fifth - 1) * count // MAX_SEVERITY : fifth * count // MAX_SEVERITY]


def as_similar(things: Sequence[T], named: Thing, similarity: float, least: int) -> list[T]:
    """The things of one similarity to the named one.

    Args:
        things: to choose from.
        named: what they are compared with.
        similarity: 0 gives the least similar quarter of them, 1 the most similar one, others
            what lies between.
        least: how many there must be.
    """
    order = sorted(things, key=lambda thing: -distance(thing, named).mean)
    count = min(len(order), max(least, round(_SIMILAR_SHARE * len(order))))
    start = round(similarity * (len(order) - count))
    return order[start : start + count]
