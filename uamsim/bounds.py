"""Which numbers the fields of a config may hold, said in their types.

A config says ``episodes: Count = 40`` and calls ``check_bounds(self)`` in ``__post_init__``: it is
checked whoever makes it, a command line, a file, a checkpoint, a server's metadata or a caller.
"""

import functools
import numbers
import types
import typing
from dataclasses import dataclass, fields
from typing import Annotated, Any

from uamsim.errors import ConfigError


@dataclass(frozen=True)
class Within:
    """Numbers from ``least`` to ``most``, both included; never infinite, never NaN."""

    least: float
    most: float


Count = Annotated[int, Within(0, 2**31 - 1)]
Positive = Annotated[int, Within(1, 2**31 - 1)]
Seed = Annotated[int, Within(0, 2**62)]
"""Further seeds are counted from it, and a ledger holds them in 63 bits."""
Workers = Annotated[int, Within(0, 4096)]
Port = Annotated[int, Within(0, 65_535)]
Size = Annotated[int, Within(1, 2**20)]
"""Numbers along one axis of a tensor."""
Depth = Annotated[int, Within(1, 1024)]
"""Layers, heads, steps of a sampler."""
Pixels = Annotated[int, Within(1, 16_384)]
Seconds = Annotated[float, Within(0.0, 1e9)]
Share = Annotated[float, Within(0.0, 1.0)]
Amount = Annotated[float, Within(0.0, 1e18)]
"""A rate, a weight, a tolerance: anything that is not negative."""
Hertz = Annotated[float, Within(1e-3, 1e6)]


def bound_of(hint: Any) -> tuple[type, Within] | None:
    """A number's type and its bounds, of an annotation of one, of one or None, or of several.

    Returns:
        None where the annotation is of no number, or says no bounds.
    """
    if typing.get_origin(hint) is Annotated:
        base, *said = typing.get_args(hint)
        found = [item for item in said if isinstance(item, Within)]
        if base in (int, float) and found:
            return base, found[0]
        return bound_of(base)
    if typing.get_origin(hint) in (tuple, typing.Union, types.UnionType):
        inner = [bound_of(part) for part in typing.get_args(hint)]
        return next((found for found in inner if found is not None), None)
    return None


@functools.cache
def _bounds(cls: type) -> dict[str, tuple[type, Within]]:
    hints = typing.get_type_hints(cls, include_extras=True)
    found = {field.name: bound_of(hints[field.name]) for field in fields(cls)}
    return {name: bound for name, bound in found.items() if bound is not None}


def check_bounds(config: Any, prefix: str = "") -> None:
    """Checks every field of a dataclass whose type says bounds.

    Args:
        config: the dataclass.
        prefix: "--" for options, which are then called as the command line calls them.

    Raises:
        ConfigError: a number out of its bounds, or something that is no such number.
    """
    for name, (base, bound) in _bounds(type(config)).items():
        value = getattr(config, name)
        for number in value if isinstance(value, (tuple, list)) else (value,):
            if number is not None and not _holds(base, bound, number):
                shown = prefix + name.replace("_", "-") if prefix else name
                raise ConfigError(f"{shown} must be {_described(base, bound)}, got {value}.")


def _holds(base: type, bound: Within, number: Any) -> bool:
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        return False
    if base is int and not isinstance(number, numbers.Integral):
        return False
    value: Any = number
    return bound.least <= value <= bound.most  # which NaN is not


def _described(base: type, bound: Within) -> str:
    number = "a whole number" if base is int else "a number"
    least = f"{bound.least:,}" if base is int else f"{bound.least:g}"
    most = f"{bound.most:,}" if base is int else f"{bound.most:g}"
    return f"at least {least} and at most {most}, {number}"
