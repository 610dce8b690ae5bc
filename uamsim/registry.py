"""A table from names to values which knows how to say that a name is wrong."""

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from typing import Any, Generic, TypeVar, overload

from uamsim import plugins
from uamsim.errors import ConfigError, UnknownNameError

T = TypeVar("T")
D = TypeVar("D")


class Registry(Mapping[str, T], Generic[T]):
    """Named values of one kind.

    Args:
        kind: what messages call them.
        group: of entry points by which installed packages bring more of them, each loaded when it
            is asked for.

    Example:
        >>> SPLITS: Registry[int] = Registry("split")
        >>> SPLITS.add("in_domain", 1)
        1
        >>> SPLITS["in_domian"]
        Traceback (most recent call last):
        uamsim.errors.UnknownNameError: unknown split 'in_domian'. Did you mean 'in_domain'? ...
    """

    def __init__(self, kind: str, group: str = "") -> None:
        self.kind, self._group = kind, group
        self._values: dict[str, T] = {}

    def add(self, name: str, value: T) -> T:
        """Registers ``value``; a name can be taken once.

        Raises:
            ConfigError: the name is taken.
        """
        if name in self._values:
            raise ConfigError(f"{self.kind} {name!r} is registered twice; choose another name.")
        self._values[name] = value
        return value

    def _brought(self) -> dict[str, EntryPoint]:
        """What packages bring under names that are not taken."""
        found = plugins.brought(self._group) if self._group else {}
        return {name: entry for name, entry in found.items() if name not in self._values}

    def __getitem__(self, name: str) -> T:
        if name not in self._values:
            brought = self._brought()
            if name not in brought:
                raise UnknownNameError(self.kind, name, self)
            value = plugins.load_entry(brought[name])
            # A class may have registered itself meanwhile.
            self._values.setdefault(name, value)
        return self._values[name]

    @overload
    def get(self, name: str, default: None = None, /) -> T | None: ...
    @overload
    def get(self, name: str, default: T | D, /) -> T | D: ...
    def get(self, name: str, default: Any = None, /) -> Any:
        """The value, or the default; ``Mapping``'s own would look for the nearest name first."""
        if name in self:
            return self[name]
        return default

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self._brought()

    def __iter__(self) -> Iterator[str]:
        return iter([*self._values, *self._brought()])

    def __len__(self) -> int:
        return len(self._values) + len(self._brought())
