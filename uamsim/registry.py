"""A table from names to values which knows how to say that a name is wrong."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from uamsim.errors import ConfigError, UnknownNameError

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Named values of one kind.

    Example:
        >>> SPLITS: Registry[int] = Registry("split")
        >>> SPLITS.add("in_domain", 1)
        1
        >>> SPLITS["in_domian"]
        Traceback (most recent call last):
        uamsim.errors.UnknownNameError: unknown split 'in_domian'. Did you mean 'in_domain'? ...
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
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

    def __getitem__(self, name: str) -> T:
        if name not in self._values:
            raise UnknownNameError(self.kind, name, self._values)
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
