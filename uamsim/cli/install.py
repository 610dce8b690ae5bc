"""`uamsim install`: makes a foreign simulator's own environment, or says which there are."""

import argparse
import contextlib
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from uamsim.cli.assets import check_assets, place_assets
from uamsim.cli.checkouts import clone_checkout, copy_checkout, find_checkouts
from uamsim.cli.cuda import build_cuda_part
from uamsim.cli.downloads import DOWNLOADS
from uamsim.cli.packages import PINNED, install_packages, last_line
from uamsim.errors import ConfigError, MissingDependencyError
from uamsim.simulators import (
    CHECKOUTS,
    INSTALLED_FILE,
    Simulator,
    find_installation,
    install_command,
    other_commits,
    simulators_root,
)
from uamsim.storage import lock
from uamsim.worlds import WORLDS, find_simulator, list_simulators

_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim install``.

    Returns:
        The exit status, 0.

    Raises:
        UamsimError: with a message for the user.
    """
    parser = argparse.ArgumentParser(
        prog="uamsim install",
        description="Makes a simulator's own virtual environment; without a name, says which "
        "simulators there are and where they go.",
    )
    parser.add_argument("simulator", nargs="?", help=", ".join(list_simulators()))
    parser.add_argument("--python", help="interpreter to make the environment with")
    parser.add_argument("--again", action="store_true", help="also where it is there already")
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="PATH",
        help="copy a simulator's repositories from here instead of bringing them with git",
    )
    parser.add_argument(
        "--assets",
        type=Path,
        metavar="PATH",
        help="link to a simulator's assets here instead of downloading them",
    )
    parser.add_argument(
        "--stand-in",
        action="store_true",
        help="generate assets instead of downloading them; results on them are not comparable "
        "with published ones",
    )
    options = parser.parse_args(list(argv))
    if options.simulator is None:
        print(listing())
        return 0
    simulator = find_simulator(options.simulator)
    if not options.again:
        with contextlib.suppress(MissingDependencyError):
            found = find_installation(simulator)
            print(f"{simulator.name} is installed in {found.folder}.")
            return 0
    check_assets(simulator, options.assets, options.stand_in)
    print(install(simulator, options.python, options.source, options.assets, options.stand_in))
    return 0


def listing() -> str:
    """Every simulator, whether it is there, and where."""
    lines = [f"in {simulators_root()} (UAMSIM_SIMULATORS sets another folder):"]
    for name, simulator in list_simulators().items():
        try:
            found = find_installation(simulator)
            state = f"installed with Python {found.facts['python']}"
            state += "".join(f", {repo} {commit[:12]}" for repo, commit in found.commits.items())
        except MissingDependencyError:
            state = f"not installed; {simulator.size}; {install_command(name)}"
        lines += [f"  {name}: {simulator.summary}", f"      {state}"]
    return "\n".join(lines)


def install(
    simulator: Simulator,
    python: str | None = None,
    source: Path | None = None,
    assets: Path | None = None,
    stand_in: bool = False,
) -> str:
    """Makes a simulator's environment; one that was there is replaced.

    Args:
        simulator: which.
        python: interpreter; None takes this one, or the first on the path that will do.
        source: folder with its repositories, which are copied; None brings them with git.
        assets: folder with its assets, where it needs some; None takes others.
        stand_in: whether those are generated; else its own are downloaded.

    Returns:
        What was done.

    Raises:
        ConfigError: no interpreter of a version that has all the wheels, or no repositories in
            ``source``.
        MissingDependencyError: the packages or the assets cannot be had, or do not work.
        StorageError: the folder cannot be written.
    """
    interpreter, version = choose_python(simulator, python)
    sources = None if source is None else find_checkouts(simulator, source)
    folder, started = simulators_root() / simulator.name, time.monotonic()
    busy = ConfigError(f"another process installs into {folder}. Wait for it.")
    with lock(folder / _LOCK, busy):
        for old in folder.iterdir():
            if old.name not in (_LOCK, DOWNLOADS):
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        print(f"Installing {simulator.name} in {folder} ({simulator.size}).", flush=True)
        _make_venv(interpreter, folder)
        own = str(folder / "bin" / "python")
        commits = _bring(simulator, sources, folder / CHECKOUTS)
        # Packages without wheels are of Python alone.
        built = [word for package in simulator.built for word in ("--no-binary", package)]
        install_packages(own, simulator, simulator.requirements, (*PINNED, *built))
        if simulator.assets is not None:
            commits["assets"] = place_assets(simulator, folder, assets, stand_in)
        built_commits, left_out = build_cuda_part(simulator, folder, source)
        commits |= built_commits
        print("Trying it; it compiles what is compiled once.", flush=True)
        _try(own, simulator)
        facts = {"python": version, "requirements": list(simulator.requirements)}
        facts |= {"commits": commits} if commits else {}
        (folder / INSTALLED_FILE).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    size = sum(f.lstat().st_size for f in folder.rglob("*") if f.is_file())
    return (
        f"{simulator.name} works: Python {version}, {size / 1e6:.0f} MB, "
        f"{time.monotonic() - started:.0f} s. For: {', '.join(_worlds(simulator))}."
        f"{_notes([*other_commits(simulator, commits), *filter(None, [left_out])])}"
    )


def _worlds(simulator: Simulator) -> list[str]:
    return [name for name, world in WORLDS.items() if world.simulator == simulator]


def choose_python(simulator: Simulator, python: str | None) -> tuple[str, str]:
    """An interpreter that has wheels of all the packages, and its version.

    Raises:
        ConfigError: the one that was asked for, or every one on the path, has another version.
    """
    wanted = {f"{major}.{minor}" for major, minor in simulator.pythons}
    names = [python] if python else [sys.executable, *(f"python{v}" for v in sorted(wanted))]
    for name in names:
        try:
            done = subprocess.run(
                [name, "-c", _VERSION], capture_output=True, text=True, check=True, timeout=60
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if (version := done.stdout.strip()) in wanted:
            return shutil.which(name) or name, version
    asked = f"{python} is none" if python else f"this is {platform.python_version()}"
    raise ConfigError(
        f"{simulator.name} needs Python {' or '.join(sorted(wanted))}; {asked}. Install one and "
        f"name it: {install_command(simulator.name)} --python /path/to/python"
    )


def _bring(
    simulator: Simulator, sources: Mapping[str, Path] | None, folder: Path
) -> dict[str, str]:
    commits = {}
    for checkout in simulator.checkouts:
        target = folder / checkout.name
        if sources is None:
            commits[checkout.name] = clone_checkout(simulator, checkout, target)
        else:
            commits[checkout.name] = copy_checkout(sources[checkout.name], target)
    return commits


def _notes(lines: Sequence[str]) -> str:
    return "".join(f"\nNote: {line}." for line in lines)


_LOCK = ".lock"


def _make_venv(interpreter: str, folder: Path) -> None:
    done = subprocess.run(
        [interpreter, "-m", "venv", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise MissingDependencyError(
            f"{interpreter} cannot make a virtual environment: {last_line(done)}. On Debian and "
            "Ubuntu: apt-get install python3-venv"
        )


def _try(python: str, simulator: Simulator) -> None:
    done = subprocess.run(
        [python, "-I", "-c", simulator.trial], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise MissingDependencyError(
            f"{simulator.name} was installed and does not work: {last_line(done)}\n"
            f"{done.stderr[-2000:]}"
        )
