"""Settings of every test: one thread, no display, no files outside the test's own folders."""

import importlib.util
import os
from functools import lru_cache
from pathlib import Path

import hypothesis
import pytest

# Read when the libraries load, and no test has imported them yet.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

# Shared machines stall: an example that takes long is no fault of the code.
hypothesis.settings.register_profile("uamsim", deadline=None, max_examples=50)
hypothesis.settings.load_profile("uamsim")


# A simulator is installed once, in the user's own cache, and not for every run of the tests.
_CACHE = os.environ.get("UAMSIM_CACHE") or Path.home() / ".cache" / "uamsim"
os.environ.setdefault("UAMSIM_SIMULATORS", str(Path(_CACHE) / "simulators"))


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["UAMSIM_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@lru_cache
def _lacks(simulator: str) -> str:
    """Why a simulator cannot be used, or ""."""
    from uamsim.errors import MissingDependencyError
    from uamsim.simulators import find_installation
    from uamsim.worlds import find_simulator

    try:
        find_installation(find_simulator(simulator))
    except MissingDependencyError as error:
        return str(error)
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files come first, and what needs a GPU or a missing foreign simulator is skipped.

    Of several workers one begins with the slow files, and the others take over half of what is
    left whenever they have nothing to do (``--dist worksteal``), so that none works alone at the
    end.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        needed = item.get_closest_marker("sim")
        if needed is not None and (reason := _lacks(*needed.args)):
            item.add_marker(pytest.mark.skip(reason=reason))
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked or importlib.util.find_spec("torch") is None:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return Path(__file__).parents[1]
