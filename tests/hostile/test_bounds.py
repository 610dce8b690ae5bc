"""Every number of every verb has bounds in its type, and they hold."""

import dataclasses
import math
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import tyro

from uamsim.bounds import bound_of
from uamsim.cli import VERBS, main
from uamsim.errors import ConfigError

WORDS = {
    "experiment": (["dorsal_sweep"], ["latency"]),
    "collect": (["aloha"],),
    "convert": (["calvin"],),
}
WITHOUT_NUMBERS = ("doctor", "install")


class Captured(Exception):  # noqa: N818
    """Carries what a verb gave to tyro."""


def commands(verb: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What a verb asks of its command line: annotations, each with its default where it has one."""

    def capture(asked: Any, *, default: Any = None, **_: Any) -> None:
        raise Captured(asked, default)

    monkeypatch.setattr(tyro, "cli", capture)
    for words in WORDS.get(verb, ([],)):
        try:
            main([verb, *words])
        except Captured as captured:
            yield captured.args


def configs(hint: Any) -> Iterator[type]:
    """The dataclasses in an annotation, with those of their fields."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        yield hint
        for inner in typing.get_type_hints(hint, include_extras=True).values():
            yield from configs(inner)
        return
    for part in typing.get_args(hint):
        yield from configs(part)


def instances(value: Any) -> Iterator[Any]:
    """The dataclasses in a default."""
    if dataclasses.is_dataclass(value):
        yield value
        for field in dataclasses.fields(value):
            yield from instances(getattr(value, field.name))


def is_number(hint: Any) -> bool:
    if typing.get_origin(hint) in (Annotated, typing.Union) or typing.get_args(hint):
        return typing.get_origin(hint) is not dict and any(map(is_number, typing.get_args(hint)))
    return hint in (int, float)


def made(cls: type) -> Any:
    """An instance of the config, with as little as it needs."""
    needed: dict[str, Any] = {
        "baseline": 0.5,
        "cameras": ("primary",),
        "image_size": (96, 96),
        "control": "ee",
        "horizon": 8,
        "learning_rate": 0.1,
        "steps": 4,
        "batch_size": 4,
        "policy": "random",
        "name": "x",
    }
    names = [f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING]
    missing = [
        name
        for name, f in ((f.name, f) for f in dataclasses.fields(cls))
        if name in names and f.default_factory is dataclasses.MISSING and f.init
    ]
    optional = {"policy"} & {f.name for f in dataclasses.fields(cls)}
    return cls(**{name: needed.get(name, "somewhere") for name in {*missing, *optional}})


def name_of(field: str) -> str:
    """A field in a message, as Python or as the command line calls it."""
    return f"({field}|--{field.replace('_', '-')})"


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in WITHOUT_NUMBERS])
def test_every_number_of_a_verb_has_bounds_that_hold(verb: str, monkeypatch: pytest.MonkeyPatch):
    asked = list(commands(verb, monkeypatch))
    whole = {type(value): value for _, default in asked for value in instances(default)}
    found = [cls for hint, _ in asked for cls in configs(hint)]
    assert found
    for cls in dict.fromkeys(found):
        if cls.__name__ == "Command" and "<locals>" in cls.__qualname__:
            continue
        hints = typing.get_type_hints(cls, include_extras=True)
        fields = [f for f in dataclasses.fields(cls) if f.init and is_number(hints[f.name])]
        without = [f.name for f in fields if bound_of(hints[f.name]) is None]
        assert (cls.__name__, without) == (cls.__name__, [])
        for field in fields:
            base, bound = bound_of(hints[field.name]) or (int, None)
            assert bound is not None
            bad = [bound.least - 1, bound.most * 2 + 1, True]
            for value in [*bad, *([math.nan, math.inf, -math.inf] if base is float else [0.5])]:
                given = (value, value) if "tuple" in str(hints[field.name]) else value
                config = whole.get(cls) or made(cls)
                with pytest.raises(ConfigError, match=f"{name_of(field.name)} must be"):
                    dataclasses.replace(config, **{field.name: given})
