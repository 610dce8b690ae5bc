"""Perturbations of an episode, as values that compose and can be written to JSON."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from uamsim.errors import ConfigError
from uamsim.registry import Registry

InstructionTongue = Literal["english", "chinese", "pinyin", "code_mix"]
TONGUES: tuple[InstructionTongue, ...] = ("english", "chinese", "pinyin", "code_mix")
MAX_DISTRACTORS = 4


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """Base of every perturbation. An episode holds at most one of each type."""


@dataclass(frozen=True, kw_only=True)
class NovelObject(Perturbation):
    """The named thing has one word that no demonstration shows.

    It is a held-out category in a colour of the action data, or a category of the action data in
    a held-out colour, so that just one word is new. What lies around it, and the target, stay in
    distribution.
    """


@dataclass(frozen=True, kw_only=True)
class NovelPair(Perturbation):
    """The goal is a held-out pair (``lexicon.HELD_OUT_PAIRS``) of words that are both seen."""


@dataclass(frozen=True, kw_only=True)
class Distractors(Perturbation):
    """More things on the table, of any word in the lexicon, none like the named one.

    Attributes:
        count: how many are added, 1 to ``MAX_DISTRACTORS``.
    """

    count: int = 2

    def __post_init__(self) -> None:
        """Checks the range.

        Raises:
            ConfigError: the count is out of range.
        """
        if not 1 <= self.count <= MAX_DISTRACTORS:
            raise ConfigError(
                f"Distractors.count must be 1 to {MAX_DISTRACTORS}, not {self.count!r}."
            )


@dataclass(frozen=True, kw_only=True)
class InstructionLanguage(Perturbation):
    """The same goal in other words.

    Attributes:
        language: the tongue; "code_mix" is English with Chinese nouns and colours.
        ratio: for "code_mix", the chance of each word to be Chinese; at least one is.
    """

    language: InstructionTongue = "english"
    ratio: float = 0.5

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            ConfigError: an unknown language, or a ratio outside [0, 1].
        """
        if self.language not in TONGUES:
            raise ConfigError(
                f"InstructionLanguage.language must be one of {', '.join(TONGUES)}, "
                f"not {self.language!r}."
            )
        if not 0.0 <= self.ratio <= 1.0:
            raise ConfigError(f"InstructionLanguage.ratio must be 0 to 1, not {self.ratio!r}.")


PERTURBATIONS: Registry[type[Perturbation]] = Registry("perturbation")
for _cls in (NovelObject, NovelPair, Distractors, InstructionLanguage):
    PERTURBATIONS.add(_cls.__name__, _cls)


def to_json(perturbation: Perturbation) -> dict[str, Any]:
    """A JSON object: the type's name under "type", and its fields."""
    return {"type": type(perturbation).__name__} | dataclasses.asdict(perturbation)


def from_json(value: Mapping[str, Any]) -> Perturbation:
    """Inverse of ``to_json``.

    Raises:
        UnknownNameError: the type is not registered.
        ConfigError: no type, a field that the type does not have, or a value out of range.
    """
    if not isinstance(value.get("type"), str):
        raise ConfigError(f"a perturbation needs a 'type', got {dict(value)!r}.")
    cls = PERTURBATIONS[value["type"]]
    fields = {key: item for key, item in value.items() if key != "type"}
    try:
        return cls(**fields)
    except TypeError as error:
        raise ConfigError(f"{value['type']} cannot take {fields!r}: {error}") from error
