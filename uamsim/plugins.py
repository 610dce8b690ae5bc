"""What installed packages and files of a user's own bring, found by its name.

A package names what it brings in its ``pyproject.toml``; nothing of it is imported before it is
asked for. The groups are ``uamsim.worlds`` (see ``worlds``), ``uamsim.policies`` (name -> class or
function that makes a policy), ``uamsim.variants`` (name -> ``Variant``), ``uamsim.perturbations``
(name -> class of ``Perturbation``) and ``uamsim.experiments`` (name -> module with ``build``).
"""

import functools
import hashlib
import importlib
import sys
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from uamsim.errors import ConfigError, MissingDependencyError, UnknownNameError

POLICIES, VARIANTS, PERTURBATIONS, EXPERIMENTS = (
    f"uamsim.{kind}" for kind in ("policies", "variants", "perturbations", "experiments")
)


def brought(group: str) -> dict[str, EntryPoint]:
    """Name -> entry point, of all packages on the path as it is, in alphabetical order."""
    return dict(_brought(group, tuple(sys.path)))


@functools.lru_cache(maxsize=64)
def _brought(group: str, paths: tuple[str, ...]) -> tuple[tuple[str, EntryPoint], ...]:
    return tuple(sorted((entry.name, entry) for entry in _installed(paths).select(group=group)))


@functools.lru_cache(maxsize=4)
def _installed(paths: tuple[str, ...]) -> EntryPoints:
    del paths
    # One look at all packages does for every group; Python 3.11 returns what is as good.
    return cast("EntryPoints", entry_points())


def load_entry(entry: EntryPoint) -> Any:
    """What an entry point names.

    Raises:
        ConfigError: its package cannot be imported, or does not hold it.
    """
    try:
        return entry.load()
    except Exception as error:
        package = entry.dist.name if entry.dist is not None else entry.module
        raise ConfigError(
            f"the installed package {package} brings {entry.name!r} of {entry.group} as "
            f"{entry.value}, which cannot be loaded: {type(error).__name__}: {error}. Mend the "
            "package or uninstall it."
        ) from error


def load_file(path: Path) -> ModuleType:
    """A Python file as a module, loaded once in a process for each of its contents.

    Raises:
        ConfigError: there is no such file, or it fails.
    """
    file = path.expanduser().resolve()
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"expected a Python file at {path}: {error.strerror}.") from error
    # By its content: what it defines can be pickled, and a changed file is another module.
    name = f"uamsim_file_{hashlib.sha256(str(file).encode() + content).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = str(file)
    try:
        # Not by an import, which may take the bytecode of an older content of the same length.
        exec(compile(content, str(file), "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"cannot load {path}: {type(error).__name__}: {error}") from error
    return module


def find_object(where: str, kind: str) -> Any:
    """What "module:name" or "path/to/file.py:name" names.

    Args:
        where: the place.
        kind: of thing, for messages.

    Raises:
        ConfigError: not of this form, or the file or module fails.
        MissingDependencyError: there is no such module.
        UnknownNameError: the module has no such name; names the nearest.
    """
    place, _, name = where.rpartition(":")
    if not place or not name:
        raise ConfigError(f"expected module:name or file.py:name as {kind}, got {where!r}.")
    module = load_file(Path(place)) if place.endswith(".py") else _import(place, kind)
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise UnknownNameError(f"{kind} of {place}", name, own)
    return getattr(module, name)


def source_of(where: str) -> bytes:
    """The content of the file that ``find_object`` finds the name in; empty where it has none."""
    place = where.rpartition(":")[0]
    if place.endswith(".py"):
        return Path(place).expanduser().read_bytes()
    file = getattr(sys.modules.get(place), "__file__", None)
    return Path(file).read_bytes() if file else b""


def _import(module: str, kind: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"cannot import {module!r}, which should hold the {kind}: {error}. It is looked for "
            "among installed packages and in the working folder."
        ) from error
    except Exception as error:
        raise ConfigError(
            f"{module!r}, which should hold the {kind}, cannot be imported: "
            f"{type(error).__name__}: {error}."
        ) from error
