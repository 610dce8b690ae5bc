"""Config dataclasses to JSON and back, checked against their annotations."""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from uamsim.contract import json_fields
from uamsim.errors import ConfigError, UnknownNameError

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Nested dataclasses become objects, tuples become arrays; the rest stays as it is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: to_json(item) for name, item in json_fields(value).items()}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def from_json(cls: type[T], value: Any, where: str = "") -> T:
    """Inverse of ``to_json`` for the dataclass ``cls``, which works out again what it derives.

    Args:
        cls: a dataclass of JSON values and dataclasses.
        value: the JSON object.
        where: path of the object, for messages.

    Raises:
        UnknownNameError: the object has a key that is no field.
        ConfigError: a value is not what the annotation says.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where or cls.__name__} must be a JSON object, got {value!r}.")
    hints = _hints(cls)
    arguments = {}
    derived = _derived(cls)
    for key, item in value.items():
        if key in derived:
            continue
        if key not in hints:
            raise UnknownNameError(f"field of {where or cls.__name__}", str(key), hints)
        arguments[key] = _convert(hints[key], item, f"{where}.{key}" if where else str(key))
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ConfigError(f"{where or cls.__name__} is incomplete: {error}.") from error


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls) if f.init}


def _derived(cls: type) -> set[str]:
    return {f.name for f in dataclasses.fields(cls) if not f.init}


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return from_json(hint, value, where)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        options = [arg for arg in args if arg is not type(None)]
        for option in options:
            try:
                return _convert(option, value, where)
            except (ConfigError, UnknownNameError):
                continue
        raise ConfigError(f"{where} must be one of {options}, got {value!r}.")
    if origin is typing.Literal:
        if value not in args:
            raise UnknownNameError(where, str(value), map(str, args))
        return value
    if origin is tuple:
        return _convert_tuple(args, value, where)
    if origin is dict:
        return {key: _convert(args[1], item, where) for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Any or (isinstance(hint, type) and type(value) is hint):
        return value
    raise ConfigError(f"{where} must be {getattr(hint, '__name__', hint)}, got {value!r}.")


def _convert_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where} must be an array, got {value!r}.")
    if len(args) == 2 and args[1] is Ellipsis:
        args = (args[0],) * len(value)
    if len(args) != len(value):
        raise ConfigError(f"{where} must have {len(args)} values, got {value!r}.")
    return tuple(_convert(arg, item, where) for arg, item in zip(args, value, strict=True))
