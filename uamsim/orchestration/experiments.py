"""The experiments by name, found without importing them.

An experiment is a file of the package ``uamsim_experiments``, a module that an installed package
names in the entry point group ``uamsim.experiments``, or a file of a user's own: the first line of
its docstring is its summary, and its function ``build(scale)`` gives the ``ExperimentSpec``, or the
``LatencySpec`` where nothing is trained.
"""

import ast
import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uamsim import plugins
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.orchestration.spec import SCALES, ExperimentSpec, LatencySpec

PACKAGE = "uamsim_experiments"


def list_experiments() -> Mapping[str, str]:
    """Name -> one-line summary, in alphabetical order; this repository's own first."""
    brought = {
        name: f"of {entry.value}" for name, entry in plugins.brought(plugins.EXPERIMENTS).items()
    }
    own = {file.stem: _summary(file) for file in _own_files()}
    return own | {name: text for name, text in brought.items() if name not in own}


def own_claims(spec: ExperimentSpec) -> tuple[str, ...]:
    """The sets of claims that an experiment is about.

    Where it names none, they are the sweep's for the experiments of this repository, which begin
    with it, and none for others.
    """
    if spec.claims is not None:
        return spec.claims
    return ("dorsal_sweep",) if spec.name in {file.stem for file in _own_files()} else ()


def _own_files() -> list[Path]:
    found = importlib.util.find_spec(PACKAGE)
    folders = list(found.submodule_search_locations or ()) if found else []
    return sorted(f for folder in folders for f in Path(folder).glob("[!_]*.py"))


def build_experiment(name: str, scale: str) -> ExperimentSpec:
    """The experiment at one scale, which trains.

    Raises:
        ConfigError: it only measures latency.
        UamsimError: as ``build_any``.
    """
    spec = build_any(name, scale)
    if isinstance(spec, LatencySpec):
        raise ConfigError(f"{name} trains nothing; expected an experiment that does.")
    return spec


def build_any(name: str, scale: str) -> ExperimentSpec | LatencySpec:
    """The experiment at one scale.

    Args:
        name: of an experiment, or the path of a file that ends in ".py".
        scale: one of ``SCALES``.

    Raises:
        UnknownNameError: no such experiment or scale; names the nearest.
        ConfigError: the experiment's file is not there, fails, or has no ``build``.
    """
    if scale not in SCALES:
        raise UnknownNameError("scale", scale, SCALES)
    module = _find_module(name)
    build = getattr(module, "build", None)
    if not callable(build):
        raise ConfigError(f"{module.__file__} must define build(scale) -> ExperimentSpec.")
    spec = build(scale)
    if not isinstance(spec, ExperimentSpec | LatencySpec):
        raise ConfigError(f"build() of {module.__file__} gave {spec!r}, not an ExperimentSpec.")
    return spec


def _find_module(name: str) -> Any:
    if name.endswith(".py"):
        return plugins.load_file(Path(name))
    if name in {file.stem for file in _own_files()}:
        return importlib.import_module(f"{PACKAGE}.{name}")
    brought = plugins.brought(plugins.EXPERIMENTS)
    if name not in brought:
        raise UnknownNameError("experiment", name, list_experiments())
    return plugins.load_entry(brought[name])


def _summary(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]
