"""Who may import whom, read from the source; and what listing experiments must not load."""

import ast
import functools
import graphlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS: tuple[frozenset[str], ...] = (
    frozenset(
        {
            "adapter",
            "batching",
            "bounds",
            "contract",
            "jsonable",
            "registry",
            "errors",
            "lexicon",
            "plugins",
            "runtime",
            "simulators",
            "simulated",
            "statistics",
            "storage",
            "worlds",
        }
    ),
    frozenset({"models", "data", "perturbations"}),
    frozenset({"training", "evaluation", "reporting", "serving"}),
    frozenset({"orchestration"}),
    frozenset({"cli"}),
    frozenset({"experiment", "__main__"}),
)
"""Lowest first. A room imports from lower layers only; inside the lowest, files are one room."""
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
TESTING_MAY_IMPORT = LAYERS[0] | LAYERS[1]
ENVS_MAY_IMPORT = LAYERS[0] | {"perturbations"}
FOREIGN = {"calvin_env", "robotwin", "robosuite", "sapien", "pybullet"}
MAY_IMPORT_RAY = {
    Path("uamsim/orchestration/runners/tune.py"),
    Path("uamsim/orchestration/runners/ranks.py"),
    Path("uamsim/evaluation/backends/ray.py"),
    Path("uamsim/evaluation/backends/inference.py"),
}


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    if parts[0] in ("envs", "experiments"):
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports, also inside functions, as absolute names."""
    found: set[str] = set()
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            # `from uamsim import models` imports a room as well.
            found.update(f"{start}.{alias.name}" for alias in node.names)
    return frozenset(found)


def room(module: str) -> str | None:
    """The room of uamsim that a module belongs to, None for the package itself."""
    parts = module.split(".")
    return parts[1] if parts[0] == "uamsim" and len(parts) > 1 else None


def uamsim_rooms(path: Path) -> set[str]:
    rooms = {room(module) for module in imports(path)}
    return {name for name in rooms if name is not None and name != "__version__"}


def import_graph(paths: Iterable[Path]) -> dict[str, set[str]]:
    """Module -> modules among ``paths`` that it imports, also for types alone or in a function."""
    names = {module_name(path): path for path in paths}
    graph = {}
    for name, path in names.items():
        found = set()
        for module in imports(path):
            while module and module not in names:
                module = module.rpartition(".")[0]
            # Python itself imports the packages that a module lies in.
            if module and not f"{name}.".startswith(f"{module}."):
                found.add(module)
        graph[name] = found
    return graph


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """A way from a node back to itself, empty if there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def folder_graph(paths: Sequence[Path]) -> dict[str, set[str]]:
    """Folder -> folders that its files import from; a folder and what lies in it are one."""
    folders = {module_name(path): path.parent for path in paths}
    graph: dict[str, set[str]] = {}
    for name, others in import_graph(paths).items():
        for other in others:
            a, b = folders[name], folders[other]
            if a not in (b, *b.parents) and b not in a.parents:
                graph.setdefault(a.as_posix(), set()).add(b.as_posix())
    return graph


UAMSIM = list(sources("uamsim"))
ENVS = list(sources("envs"))
EXPERIMENTS = list(sources("experiments"))
OURS = [*UAMSIM, *ENVS, *EXPERIMENTS]


@pytest.mark.parametrize("path", UAMSIM, ids=str)
def test_rooms_import_from_lower_layers_only(path):
    own = room(module_name(path))
    if own is None:
        assert not uamsim_rooms(path), "uamsim/__init__.py imports nothing"
        return
    others = uamsim_rooms(path) - {own}
    if own == "testing":
        assert others <= TESTING_MAY_IMPORT
        return
    assert own in LEVEL, f"{path}: add the room {own!r} to LAYERS, and to the design"
    for other in others:
        assert other in LEVEL, f"{path} imports uamsim.{other}, which no layer holds"
        lowest = LEVEL[own] == LEVEL[other] == 0
        assert lowest or LEVEL[other] < LEVEL[own], f"{path} imports uamsim.{other}"


def test_no_module_imports_itself_by_a_circle():
    assert not circle(import_graph(OURS))


def test_no_folder_imports_itself_by_a_circle():
    assert not circle(folder_graph(OURS))


def test_circles_are_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()})
    assert not circle({"a": {"b", "c"}, "b": {"c"}})


@pytest.mark.parametrize("path", [*UAMSIM, *ENVS], ids=str)
def test_nothing_imports_what_names_it_by_string(path):
    packages = {module.split(".")[0] for module in imports(path)}
    if path.parts[0] == "uamsim":
        assert "uamsim_envs" not in packages
    assert "uamsim_experiments" not in packages


@pytest.mark.parametrize("path", ENVS, ids=str)
def test_environments_import_little_of_uamsim(path):
    assert uamsim_rooms(path) <= ENVS_MAY_IMPORT


@pytest.mark.parametrize("path", EXPERIMENTS, ids=str)
def test_experiments_import_the_spec_only(path):
    own = {m for m in imports(path) if m.split(".")[0] in ("uamsim", "uamsim_envs")}
    assert all(m.startswith("uamsim.orchestration.spec.") for m in own), own


@pytest.mark.parametrize("path", OURS, ids=str)
def test_ray_and_foreign_simulators_have_one_door(path):
    packages = {module.split(".")[0] for module in imports(path)}
    if path not in MAY_IMPORT_RAY:
        assert "ray" not in packages
    if "host" not in path.parts:
        assert not packages & FOREIGN


@pytest.mark.parametrize("path", [p for p in UAMSIM if p.name == "__init__.py"], ids=str)
def test_a_room_opens_without_importing_anything_heavy(path):
    light = {"importlib", "pkgutil", "pathlib", "sys", "collections", "dataclasses", "typing"}
    light |= {"os", "signal"}
    assert {module.split(".")[0] for module in imports(path)} <= light | {"uamsim"}


@pytest.mark.parametrize(
    "module",
    [
        "uamsim.orchestration.spec",
        "uamsim.orchestration.experiments",
        "uamsim.models.config",
        "uamsim.data.config",
        "uamsim.training.config",
        "uamsim.evaluation.config",
        "uamsim.perturbations.splits",
        "uamsim.serving.refs",
        "uamsim_envs",
        "uamsim_experiments.dorsal_sweep",
    ],
)
def test_values_load_without_the_heavy_libraries(module):
    code = f"import {module}, sys, json; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not loaded & {"torch", "mujoco", "ray", "pyarrow", "matplotlib", "av"}


def test_the_picture_of_the_rooms_is_today_s():
    code = "from rooms import draw; print(draw(), end='')"
    folder = ROOT / "docs" / "images"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    drawn = (folder / "rooms.svg").read_text("utf-8")
    assert done.stdout == drawn, "run python docs/images/rooms.py"


def test_what_the_architecture_s_page_names_is_there():
    text = (ROOT / "docs" / "reference" / "architecture.md").read_text("utf-8")
    rooms = [ROOT / name for name in ("", "uamsim", "uamsim/orchestration", "envs/uamsim_envs")]
    for name in re.findall(r"`([\w/.]+\.(?:py|txt|svg)|[\w/]+/)`", text):
        assert any((room / name).exists() for room in rooms), f"{name} is not there"
