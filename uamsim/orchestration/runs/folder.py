"""A run's folder: what it holds, whether it may be resumed, and where its results come from."""

import importlib.metadata
import os
import platform
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from uamsim.errors import ConfigError
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.simulators import installed_versions
from uamsim.storage import lock, read_json, write_json
from uamsim.worlds import list_simulators

_PACKAGES = ("torch", "mujoco", "ray", "numpy", "gymnasium", "tokenizers", "safetensors")


def open_run(spec: ExperimentSpec, out: Path, *, resume: bool, command: str = "") -> dict[str, Any]:
    """Makes the folder, or checks that it is this experiment's.

    Returns:
        The content of ``run.json``: {"id", "started", "command", ...}.

    Raises:
        ConfigError: the folder holds another experiment, or this one and ``resume`` is False.
        StorageError: the folder cannot be written.
    """
    found = read_json(out / "spec.json")
    if found is None and _holds_files(out):
        raise ConfigError(
            f"{out} is not empty and holds no spec.json. Choose another --out, or remove it."
        )
    ours = spec.to_json()
    if found is not None and found != ours:
        changes = ", ".join(differences(found, ours)[:8])
        raise ConfigError(
            f"{out} holds another experiment; it differs in {changes}. Use --resume with the same "
            "config, or another --out."
        )
    if found is not None and not resume:
        raise ConfigError(
            f"{out} already holds this experiment. Add --resume to go on where it stopped, or "
            "choose another --out."
        )
    run = read_json(out / "run.json")
    if run is None:
        run = {
            "id": secrets.token_hex(4),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "command": command,
            "resumed": 0,
        }
    elif found is not None:
        run["resumed"] += 1
    write_json(out / "run.json", run)
    write_json(out / "spec.json", ours)
    return run


def alone_in(out: Path) -> AbstractContextManager[None]:
    """Keeps other processes out of a run's folder.

    Raises:
        ConfigError: another process is running there.
        StorageError: the folder cannot be written.
    """
    busy = f"another process is running in {out}. Wait for it, or choose another --out."
    return lock(out / ".lock", ConfigError(busy))


def differences(first: Any, second: Any, where: str = "") -> list[str]:
    """Paths at which two JSON values differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        found = []
        for key in dict.fromkeys([*first, *second]):
            inner = f"{where}.{key}" if where else str(key)
            found += differences(first.get(key), second.get(key), inner)
        return found
    return [] if first == second else [where]


def _holds_files(out: Path) -> bool:
    return out.is_dir() and any(item.name != ".lock" for item in out.iterdir())


def provenance(spec: ExperimentSpec, run: dict[str, Any]) -> dict[str, Any]:
    """What was run, where, and with which versions."""
    commit, dirty = _commit()
    return {
        "commit": commit,
        "dirty": dirty,
        "versions": versions(),
        "hardware": {
            "platform": platform.platform(),
            "processor": _processor(),
            "cpus": os.cpu_count(),
            "memory_gib": _memory_gib(),
        },
        "seeds": list(spec.seeds),
        "started": run["started"],
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "render_profile": spec.evaluation.render_profile or "each world's usual one",
        "command": run["command"],
    }


def versions() -> dict[str, str]:
    """Of Python, this package, those that decide its numbers, and installed simulators."""
    return {
        "python": platform.python_version(),
        "uamsim": _version("uamsim"),
        **{name: _version(name) for name in _PACKAGES},
        **installed_versions(list_simulators().values()),
    }


def _commit() -> tuple[str | None, bool | None]:
    """The repository's commit and whether files differ from it; None outside a repository."""
    git = shutil.which("git")
    root = Path(__file__).parents[3]
    if git is None or not (root / ".git").exists():
        return None, None

    def ask(*words: str) -> str | None:
        answer = subprocess.run(
            [git, "-C", str(root), *words], capture_output=True, text=True, check=False
        )
        return answer.stdout.strip() if answer.returncode == 0 else None

    status = ask("status", "--porcelain")
    return ask("rev-parse", "HEAD"), None if status is None else bool(status)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    if sys.platform == "win32":
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
