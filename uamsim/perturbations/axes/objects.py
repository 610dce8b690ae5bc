"""Axes of what an episode is about: the named thing, its target, what lies around them."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np

from uamsim.errors import ConfigError
from uamsim.perturbations.values import (
    MAX_SEVERITY,
    Graded,
    Layer,
    Parameters,
    Perturbation,
    Switch,
    check_severity,
    register,
)

MAX_DISTRACTORS = 5
NoveltyKind = Literal["any", "category", "colour"]
KINDS: tuple[NoveltyKind, ...] = ("any", "category", "colour")
PATTERNS: tuple[str, ...] = ("stripes", "checks", "grain")
SMALLEST = 0.6
"""Factor on a thing's lengths at the greatest severity, where its own measures allow it."""
_LEAST_GROWTH = 1.1
"""What has not this much room to grow gets smaller instead."""
_DARKEST = 0.65
"""Share of a colour's brightness that the marks of the strongest pattern take away."""


@dataclass(frozen=True, kw_only=True)
class ObjectPerturbation(Perturbation):
    """Base of the axes of objects."""

    layer: ClassVar[Layer] = "objects"


@register
@dataclass(frozen=True, kw_only=True)
class NovelInstance(Switch, ObjectPerturbation):
    """The named thing has a held-out shape of a seen category (``SimulatedEnv.held_out``).

    For worlds whose categories have several shapes.
    """

    axis: ClassVar[str] = "novel_instance"
    keeps: ClassVar[str] = "every word, the pair, and what lies around"
    excludes: ClassVar[frozenset[str]] = frozenset({"NovelObject"})


@register
@dataclass(frozen=True, kw_only=True)
class NovelObject(ObjectPerturbation):
    """The named thing has one word that no demonstration shows.

    It is a held-out category in a colour of the action data, or a category of the action data in
    a held-out colour, so that just one word is new. What lies around it, and the target, stay in
    distribution.

    Attributes:
        kind: which word is new; "any" tosses a coin, or leaves it to the distance.
        distance: bounds of the thing's distance to training (``perturbations.distance``), in
            [0, 1]; None for any.
        fifth: 1 (nearest) to 5 (farthest) draws from a fifth of the held-out things by that
            distance, so that the grades follow the data; 0 changes nothing; None draws from all.
    """

    axis: ClassVar[str] = "novel_object"
    keeps: ClassVar[str] = "the task, the target and what lies around"
    excludes: ClassVar[frozenset[str]] = frozenset({"NovelPair", "NovelInstance"})
    kind: NoveltyKind = "any"
    distance: tuple[float, float] | None = None
    fifth: int | None = None

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            ConfigError: an unknown kind, bounds that are none, or a distance and a fifth.
        """
        if self.kind not in KINDS:
            raise ConfigError(
                f"NovelObject.kind must be one of {', '.join(KINDS)}, not {self.kind!r}."
            )
        if self.fifth is not None:
            check_severity("NovelObject.fifth", self.fifth)
        if self.distance is not None:
            bounds = tuple(self.distance)
            if self.fifth is not None:
                raise ConfigError("NovelObject takes a distance or a fifth, not both.")
            if len(bounds) != 2 or not 0.0 <= bounds[0] <= bounds[1] <= 1.0:
                raise ConfigError(
                    f"NovelObject.distance must be (low, high) in [0, 1], not {self.distance!r}."
                )
            object.__setattr__(self, "distance", bounds)  # JSON gives a list

    @classmethod
    def at(cls, severity: int) -> Self:
        """The fifth of the held-out things that is as far from training as the severity says."""
        return cls(fifth=severity)

    @property
    def is_identity(self) -> bool:
        """No fifth of the held-out things is asked for."""
        return self.fifth == 0


@register
@dataclass(frozen=True, kw_only=True)
class NovelTarget(Switch, ObjectPerturbation):
    """The target has a held-out category, or a held-out colour; the named thing is seen."""

    axis: ClassVar[str] = "novel_target"
    keeps: ClassVar[str] = "the task, the named thing and what lies around"
    excludes: ClassVar[frozenset[str]] = frozenset({"NovelPair"})


@register
@dataclass(frozen=True, kw_only=True)
class NovelPair(Switch, ObjectPerturbation):
    """The goal is a held-out pair (``lexicon.HELD_OUT_PAIRS``) of words that are both seen."""

    axis: ClassVar[str] = "novel_pair"
    keeps: ClassVar[str] = "every word, and what lies around"
    excludes: ClassVar[frozenset[str]] = frozenset({"NovelObject", "NovelTarget"})


@register
@dataclass(frozen=True, kw_only=True)
class NovelSize(Graded, ObjectPerturbation):
    """The lengths of the named thing lie outside of what demonstrations show.

    Smaller or larger at even chances; what has no room to grow between the fingers of a gripper
    gets smaller.
    """

    axis: ClassVar[str] = "novel_size"
    keeps: ClassVar[str] = "the shape, and that a gripper can hold it"

    def draw(self, rng: np.random.Generator) -> Parameters:
        """Whether it is to be larger."""
        return {"larger": bool(rng.random() < 0.5)}

    def scale(
        self, drawn: Parameters, shown: tuple[float, float], usable: tuple[float, float]
    ) -> float:
        """The factor on the thing's lengths.

        Args:
            drawn: what ``draw`` gave.
            shown: least and greatest factor in demonstrations.
            usable: least and greatest factor with which the task can be done.
        """
        grows = drawn["larger"] and usable[1] >= _LEAST_GROWTH * shown[1]
        first, last = (shown[1], usable[1]) if grows else (shown[0], min(shown[0], usable[0]))
        return float(first * (last / first) ** self.share)


@register
@dataclass(frozen=True, kw_only=True)
class NovelTexture(Graded, ObjectPerturbation):
    """Everything on the table has a pattern of darker marks, the same for all.

    No thing stands out by it, and each stays nearest to its own colour.
    """

    axis: ClassVar[str] = "novel_texture"
    keeps: ClassVar[str] = "shapes, places, and every thing's colour between the marks"

    def draw(self, rng: np.random.Generator) -> Parameters:
        """The pattern, its marks along a side, its direction, and how dark the marks are."""
        return {
            "pattern": PATTERNS[int(rng.integers(len(PATTERNS)))],
            "marks": int(rng.integers(3, 6)),
            "angle_rad": float(rng.uniform(0.0, np.pi)),
            "contrast": _DARKEST * self.share,
        }


@register
@dataclass(frozen=True, kw_only=True)
class Distractors(ObjectPerturbation):
    """More things on the table, of any word in the lexicon, none like the named one.

    Attributes:
        count: how many are added, 0 to ``MAX_DISTRACTORS``.
        similarity: to the named thing by semantic distance: 0 draws from the least similar things,
            1 from the most similar; None from all.
    """

    axis: ClassVar[str] = "distractors"
    keeps: ClassVar[str] = "the goal, and that one thing alone fits its name"
    count: int = 2
    similarity: float | None = None

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            ConfigError: the count or the similarity is out of range.
        """
        if self.count not in range(MAX_DISTRACTORS + 1):
            raise ConfigError(
                f"Distractors.count must be 0 to {MAX_DISTRACTORS}, not {self.count!r}."
            )
        if self.similarity is not None and not 0.0 <= self.similarity <= 1.0:
            raise ConfigError(f"Distractors.similarity must be 0 to 1, not {self.similarity!r}.")

    @classmethod
    def at(cls, severity: int) -> Self:
        """As many as the severity, and as similar as its share of the greatest."""
        check_severity(cls.__name__, severity)
        return cls(count=severity, similarity=severity / MAX_SEVERITY)

    @property
    def is_identity(self) -> bool:
        """Without a count nothing is added."""
        return self.count == 0
