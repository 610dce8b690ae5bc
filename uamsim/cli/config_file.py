"""Options from a file: `--config FILE` on any verb."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from uamsim.errors import ConfigError

FLAG = "--config"


def read_config(path: Path) -> dict[str, Any]:
    """The object in a JSON or TOML file.

    Raises:
        ConfigError: it is not there, or holds something else.
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8")
        value = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{FLAG} expected a JSON or TOML file, got {path}: {error}.") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{FLAG} expected an object with options in {path}, got {value!r}.")
    return value


def with_config(words: Sequence[str]) -> list[str]:
    """The words, with the options of each ``--config FILE`` where it stood; later ones win.

    Raises:
        ConfigError: as ``read_config``, or no file is named.
    """
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        flag, equals, file = word.partition("=")
        if flag != FLAG:
            rest.append(word)
            continue
        file = file if equals else next(waiting, "")
        if not file:
            raise ConfigError(f"{FLAG} needs a file.")
        rest += _options(read_config(Path(file)))
    return rest


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``changes``, object by object."""
    both = dict(base)
    for name, value in changes.items():
        old = base.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = merged(old, value)
        both[name] = value
    return both


def _options(values: Mapping[str, Any], prefix: str = "--") -> Iterator[str]:
    for name, value in values.items():
        flag = prefix + name.replace("_", "-")
        if isinstance(value, Mapping):
            yield from _options(value, f"{flag}.")
        elif isinstance(value, bool):
            yield flag if value else f"{prefix}no-{name.replace('_', '-')}"
        else:
            yield flag
            yield from map(str, value if isinstance(value, list) else [value])
