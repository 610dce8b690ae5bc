"""Axes of what an episode is about: the named thing, its target, what lies around them."""

from dataclasses import dataclass
from typing import ClassVar, Self

from uamsim.errors import ConfigError
from uamsim.perturbations.values import Layer, Perturbation, check_severity, register

MAX_DISTRACTORS = 5


@dataclass(frozen=True, kw_only=True)
class ObjectPerturbation(Perturbation):
    """Base of the axes of objects."""

    layer: ClassVar[Layer] = "objects"


@register
@dataclass(frozen=True, kw_only=True)
class NovelObject(ObjectPerturbation):
    """The named thing has one word that no demonstration shows.

    It is a held-out category in a colour of the action data, or a category of the action data in
    a held-out colour, so that just one word is new. What lies around it, and the target, stay in
    distribution.
    """

    axis: ClassVar[str] = "novel_object"
    keeps: ClassVar[str] = "the task, the target and what lies around"
    excludes: ClassVar[frozenset[str]] = frozenset({"NovelPair"})


@register
@dataclass(frozen=True, kw_only=True)
class NovelPair(ObjectPerturbation):
    """The goal is a held-out pair (``lexicon.HELD_OUT_PAIRS``) of words that are both seen."""

    axis: ClassVar[str] = "novel_pair"
    keeps: ClassVar[str] = "every word, and what lies around"
    excludes: ClassVar[frozenset[str]] = frozenset({"NovelObject"})


@register
@dataclass(frozen=True, kw_only=True)
class Distractors(ObjectPerturbation):
    """More things on the table, of any word in the lexicon, none like the named one.

    Attributes:
        count: how many are added, 0 to ``MAX_DISTRACTORS``.
    """

    axis: ClassVar[str] = "distractors"
    keeps: ClassVar[str] = "the goal, and that one thing alone fits its name"
    count: int = 2

    def __post_init__(self) -> None:
        """Checks the range.

        Raises:
            ConfigError: the count is out of range.
        """
        if self.count not in range(MAX_DISTRACTORS + 1):
            raise ConfigError(
                f"Distractors.count must be 0 to {MAX_DISTRACTORS}, not {self.count!r}."
            )

    @classmethod
    def at(cls, severity: int) -> Self:
        """As many as the severity."""
        check_severity(cls.__name__, severity)
        return cls(count=severity)

    @property
    def is_identity(self) -> bool:
        """Without a count nothing is added."""
        return self.count == 0
