"""One class a cause. Every message says what was expected, what came, and what to do."""

import difflib
import pickle
from collections.abc import Iterable
from typing import Any


class UamsimError(Exception):
    """Base of every error that uamsim raises on purpose.

    Workers send errors to their parent: unlike other exceptions, these keep their cause.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._made_from(), _sendable(self.__cause__))

    def _made_from(self) -> tuple[Any, ...]:
        """What its class was called with."""
        return self.args


def _rebuild(
    cls: type[UamsimError], arguments: tuple[Any, ...], cause: BaseException | None
) -> UamsimError:
    error = cls(*arguments)
    error.__cause__ = cause
    return error


def _sendable(cause: BaseException | None) -> BaseException | None:
    """The cause, or its text where it does not survive pickling, as some libraries' do not."""
    try:
        pickle.loads(pickle.dumps(cause))
    except Exception:
        return RuntimeError(f"{type(cause).__name__}: {cause}")
    return cause


class UnknownNameError(UamsimError, KeyError):
    """A name that no registry, table or config knows."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        close = difflib.get_close_matches(name, self.known, n=1, cutoff=0.0)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        listing = ", ".join(self.known) or "none"
        super().__init__(f"unknown {kind} {name!r}.{hint} Known: {listing}.")

    def _made_from(self) -> tuple[str, str, list[str]]:
        return self.kind, self.name, self.known

    def __str__(self) -> str:
        # KeyError would show the repr of the message.
        return str(self.args[0])


class ConfigError(UamsimError, ValueError):
    """A config field holds a value that its meaning does not allow."""


class InvalidActionError(UamsimError, ValueError):
    """An action of the wrong shape, or one that is not finite."""


class ShapeError(UamsimError, ValueError):
    """An array whose shape or dtype is not what the contract says."""


class DatasetError(UamsimError):
    """A dataset that is missing, incomplete or corrupt."""


class CheckpointError(UamsimError):
    """A checkpoint that is missing, corrupt, or made for another model."""


class ResultsError(UamsimError, ValueError):
    """A results.json that is missing or does not follow its schema."""


class RenderingUnavailableError(UamsimError):
    """No OpenGL context can be made for headless rendering."""


class MissingDependencyError(UamsimError, ImportError):
    """A package that this feature needs is not installed."""


class StorageError(UamsimError, OSError):
    """The disk is full or a path cannot be written; what was finished is kept."""


class TrialError(UamsimError, RuntimeError):
    """A trial failed after its retries."""


class SceneError(UamsimError):
    """A scene that cannot be laid out or solved as asked."""


class ProtocolError(UamsimError, ValueError):
    """A message between two processes that cannot be read, or not be written."""


class PolicyError(UamsimError, RuntimeError):
    """A policy of a user's own that cannot be made, or fails when it is asked."""


class PolicyServerError(UamsimError, ConnectionError):
    """A policy server that cannot be reached, or that answered with an error."""


class SimulatorError(UamsimError, RuntimeError):
    """A simulator's process that does not start, fails, hangs or has died."""
