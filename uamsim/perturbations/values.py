"""What every perturbation of an episode is: a value that composes and can be written to JSON.

The axes themselves are in ``objects``, ``scene``, ``physics``, ``sensors``, ``actions`` and
``wording``, one module for each layer of an environment that they act on; importing
``uamsim.perturbations.axes`` registers all of them.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self, TypeVar, overload

import numpy as np

from uamsim import plugins
from uamsim.contract import content_hash
from uamsim.errors import ConfigError
from uamsim.registry import Registry

Layer = Literal["objects", "scene", "physics", "sensors", "actions", "language"]
LAYERS: tuple[Layer, ...] = ("objects", "scene", "physics", "sensors", "actions", "language")
"""The canonical order: what an episode is about comes first, what it is called last."""
MAX_SEVERITY = 5

Parameters = dict[str, Any]
"""What one episode drew for one perturbation, as JSON values."""


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """Base of every perturbation. An episode holds at most one of each type.

    Attributes:
        layer: the part of an environment that it acts on.
        axis: the name of its axis in tables and plots.
        keeps: what it leaves as it is, so that the task stays solvable and means the same.
        excludes: names of the types that it cannot be composed with, besides its own.
        applies_itself: whether it alters pictures or actions by a method of its own, so that every
            environment carries it.
    """

    layer: ClassVar[Layer]
    axis: ClassVar[str]
    keeps: ClassVar[str]
    excludes: ClassVar[frozenset[str]] = frozenset()
    applies_itself: ClassVar[bool] = False

    @classmethod
    def at(cls, severity: int) -> Self:
        """This axis at a severity from 0 (changes nothing) to ``MAX_SEVERITY``.

        Raises:
            ConfigError: not an integer of that range.
        """
        raise NotImplementedError

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing, bit for bit."""
        return False

    def draw(self, rng: np.random.Generator) -> Parameters:
        """What one episode gets of it; {} where nothing is left to chance.

        Args:
            rng: a stream of the episode that belongs to this type alone.
        """
        del rng
        return {}

    def __or__(self, other: "Perturbation | Composition") -> "Composition":
        """Both, in the canonical order.

        Raises:
            ConfigError: they do not go together.
        """
        return Composition(self) | other


@dataclass(frozen=True, kw_only=True)
class Graded(Perturbation):
    """A perturbation with nothing but a severity.

    Attributes:
        severity: 0 (changes nothing) to ``MAX_SEVERITY``.
    """

    severity: int = 3

    def __post_init__(self) -> None:
        """Checks the range.

        Raises:
            ConfigError: not an integer from 0 to ``MAX_SEVERITY``.
        """
        check_severity(type(self).__name__, self.severity)

    @classmethod
    def at(cls, severity: int) -> Self:
        """See ``Perturbation.at``."""
        return cls(severity=severity)

    @property
    def is_identity(self) -> bool:
        """See ``Perturbation.is_identity``."""
        return self.severity == 0

    @property
    def share(self) -> float:
        """The severity as a share of the greatest."""
        return self.severity / MAX_SEVERITY


@dataclass(frozen=True, kw_only=True)
class Switch(Perturbation):
    """A perturbation without grades: every severity from 1 on is the same.

    Attributes:
        on: False changes nothing.
    """

    on: bool = True

    @classmethod
    def at(cls, severity: int) -> Self:
        """Off at 0, on at any other severity."""
        check_severity(cls.__name__, severity)
        return cls(on=severity > 0)

    @property
    def is_identity(self) -> bool:
        """Whether it is off."""
        return not self.on


def check_severity(name: str, severity: int) -> None:
    """Checks that a severity is one.

    Raises:
        ConfigError: not an integer from 0 to ``MAX_SEVERITY``.
    """
    if isinstance(severity, bool) or severity not in range(MAX_SEVERITY + 1):
        raise ConfigError(
            f"{name}: severity must be a whole number from 0 to {MAX_SEVERITY}, not {severity!r}."
        )


P = TypeVar("P", bound=Perturbation)


@dataclass(frozen=True, init=False)
class Composition(Sequence[Perturbation]):
    """Perturbations that act together, in the canonical order, which is not the writer's.

    Equal, and equal in hash and JSON, however they were put together.
    """

    items: tuple[Perturbation, ...]

    def __init__(self, *perturbations: Perturbation) -> None:
        """Orders and checks them.

        Raises:
            ConfigError: not perturbations, two of one type, or two that exclude each other.
        """
        for value in perturbations:
            if not isinstance(value, Perturbation):
                raise ConfigError(f"expected perturbations, such as CameraPose(), got {value!r}.")
        order = list(PERTURBATIONS)
        items = sorted(
            perturbations,
            key=lambda p: (LAYERS.index(p.layer), order.index(type(p).__name__)),
        )
        names = [type(p).__name__ for p in items]
        for first, second in pairwise(names):
            if first == second:
                raise ConfigError(
                    f"an episode takes at most one perturbation of a type, got two of {first}."
                )
        for item in items:
            for name in sorted(item.excludes & set(names)):
                raise ConfigError(
                    f"{type(item).__name__} and {name} do not go together: both decide the same "
                    f"part of an episode. Use one of them."
                )
        object.__setattr__(self, "items", tuple(items))

    @classmethod
    def of(cls, perturbations: Iterable[Perturbation]) -> "Composition":
        """The composition of any number of them, or the one given.

        Raises:
            ConfigError: see ``__init__``.
        """
        if isinstance(perturbations, Composition):
            return perturbations
        return cls(*perturbations)

    def __or__(self, other: "Perturbation | Composition") -> "Composition":
        """Both together.

        Raises:
            ConfigError: they do not go together.
        """
        return Composition(*self, *(other if isinstance(other, Composition) else (other,)))

    @overload
    def __getitem__(self, index: int) -> Perturbation: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Perturbation, ...]: ...
    def __getitem__(self, index: int | slice) -> Perturbation | tuple[Perturbation, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Perturbation]:
        return iter(self.items)

    def find(self, cls: type[P]) -> P | None:
        """The member of a type, if there is one."""
        return next((p for p in self.items if isinstance(p, cls)), None)

    def active(self, *layers: Layer) -> tuple[Perturbation, ...]:
        """Those that change something, of some layers or of all."""
        return tuple(p for p in self if not p.is_identity and (not layers or p.layer in layers))

    def check_carried(self, environment: str, carried: Iterable[type[Perturbation]]) -> None:
        """Checks that an environment can apply each of them.

        Args:
            environment: its name in the message.
            carried: the types that it knows.

        Raises:
            ConfigError: one that it cannot.
        """
        carried = frozenset(carried)
        for item in self:
            if type(item) not in carried and not item.applies_itself:
                names = ", ".join(n for n, cls in PERTURBATIONS.items() if cls in carried)
                raise ConfigError(
                    f"{environment} cannot carry {type(item).__name__}; it carries "
                    f"{names or 'no perturbation'}."
                )

    @property
    def content_hash(self) -> str:
        """16 hex digits, the same in every process."""
        return content_hash([to_json(p) for p in self])


PERTURBATIONS: Registry[type[Perturbation]] = Registry("perturbation", plugins.PERTURBATIONS)
"""Type name -> type; within a layer, the order is the canonical one."""


def register(cls: type[P]) -> type[P]:
    """Adds a type of perturbation to ``PERTURBATIONS``; a class decorator."""
    PERTURBATIONS.add(cls.__name__, cls)
    return cls


def stream(seed: int, perturbation: Perturbation) -> np.random.Generator:
    """The random stream of a perturbation in an episode.

    It depends on nothing else that the episode draws, so that adding or removing one perturbation
    leaves the others as they were.

    Args:
        seed: of the episode.
        perturbation: its type alone matters.
    """
    name = np.frombuffer(type(perturbation).__name__.encode(), np.uint8)
    return np.random.default_rng([seed, *name.tolist()])


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
