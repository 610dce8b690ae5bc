"""Foreign simulators: what each of them needs, and where its own virtual environment is.

The core resolves to the newest of everything; a simulator has pins that contradict it and each
other, so that each lives in an environment of its own (``uamsim install NAME`` makes it) and runs
in a process of its own.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uamsim.errors import MissingDependencyError
from uamsim.runtime import default_root

INSTALLED_FILE = "installed.json"
"""Written last, so that an environment that has it is whole."""
CHECKOUTS = "checkouts"
"""Folder of the repositories in a simulator's environment."""
STAND_IN = "(stand-in, not comparable with published)"
"""Stands behind the hash of assets that are generated."""


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A git repository that a simulator is used from, as it is.

    Attributes:
        name: of its folder.
        url: where git finds it.
        commit: the one that everything here was measured with.
        proof: a file that is in it.
    """

    name: str
    url: str
    commit: str
    proof: str


@dataclass(frozen=True, kw_only=True)
class Assets:
    """Files that a simulator needs and its repositories do not hold.

    Attributes:
        checkout: name of the repository that has them in a folder.
        folder: that folder in it.
        names: what is in it.
        proofs: files that are in it.
        generator: module with ``generate(root)``, which writes stand-ins into ``root / folder``.
        script: the repository's own, in bash, which downloads into ``folder`` of the working
            directory, by files that are in the same places of the repository.
        tools: packages that the script imports, each pinned.
        programs: what the script calls beside Python.
        size: of the download, for people.
    """

    checkout: str
    folder: str
    names: tuple[str, ...]
    proofs: tuple[str, ...]
    generator: str
    script: str
    tools: tuple[str, ...]
    programs: tuple[str, ...]
    size: str


@dataclass(frozen=True, kw_only=True)
class CudaPart:
    """A repository that is built where there is a GPU of NVIDIA's, and done without elsewhere.

    Attributes:
        checkout: the repository.
        version: of its package, which git alone could say.
        requirements: packages that it needs beside the simulator's; they bring others.
        trial: Python code that fails where it cannot be used.
        needs: what a machine needs to build it, for people.
    """

    checkout: Checkout
    version: str
    requirements: tuple[str, ...]
    trial: str
    needs: str


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """What ``uamsim install`` makes.

    Attributes:
        name: of its folder, and in commands.
        summary: one line for people.
        requirements: all packages, each pinned; nothing else is installed.
        versions: package -> version, which a host must report.
        pythons: versions of Python that have wheels of all of these.
        trial: Python code that fails where it does not work; it also compiles what is compiled
            once.
        size: of the download and on the disk, for people.
        checkouts: what is not in the package registry.
        built: packages without wheels, of Python alone.
        assets: what is in no repository.
        drawing: Python code that fails where no picture can be drawn; "" where ``trial`` draws.
        drawing_mend: what to do then.
        cuda: what is built on a machine with CUDA only.
        published: what results need to stand beside published ones; "" where nothing is missing.
    """

    name: str
    summary: str
    requirements: tuple[str, ...]
    versions: Mapping[str, str]
    pythons: tuple[tuple[int, int], ...]
    trial: str
    size: str
    checkouts: tuple[Checkout, ...] = ()
    built: tuple[str, ...] = ()
    assets: Assets | None = None
    drawing: str = ""
    drawing_mend: str = ""
    cuda: CudaPart | None = None
    published: str = ""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A simulator's environment that is there.

    Attributes:
        python: its interpreter.
        folder: everything that belongs to it.
        facts: what ``INSTALLED_FILE`` says.
    """

    python: Path
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)

    def checkout(self, name: str) -> Path:
        """Where a repository is."""
        return self.folder / CHECKOUTS / name

    @property
    def commits(self) -> dict[str, str]:
        """Repository -> its commit, "unknown" where git could not say; "assets" -> their hash."""
        return self.facts.get("commits", {})

    @property
    def has_own_assets(self) -> bool:
        """Whether the assets are the simulator's own, and not stand-ins."""
        return not self.commits.get("assets", STAND_IN).endswith(STAND_IN)


def simulators_root() -> Path:
    """``$UAMSIM_SIMULATORS``, else ``simulators`` in the cache."""
    return Path(os.environ.get("UAMSIM_SIMULATORS") or default_root() / "simulators").absolute()


def install_command(name: str) -> str:
    """What makes a simulator's environment."""
    return f"uamsim install {name}"


def find_installation(simulator: Simulator) -> Installation:
    """A simulator's environment.

    Raises:
        MissingDependencyError: it is not installed, or with other versions than are asked for now.
    """
    name = simulator.name
    folder = simulators_root() / name
    try:
        facts = json.loads((folder / INSTALLED_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        raise MissingDependencyError(
            f"{name} is not installed in {folder}. Run: {install_command(name)}"
        ) from None
    found = Installation(python=folder / "bin" / "python", folder=folder, facts=facts)
    needed = [found.python, *(found.checkout(c.name) / c.proof for c in simulator.checkouts)]
    if facts.get("requirements") != list(simulator.requirements) or not all(
        path.exists() for path in needed
    ):
        raise MissingDependencyError(
            f"{name} in {folder} was installed for another version of uamsim, or a part of it is "
            f"gone. Run again: {install_command(name)}"
        )
    return found


def other_commits(simulator: Simulator, commits: Mapping[str, str]) -> list[str]:
    """A line for each repository with another commit than what was measured, and the mend."""
    return [
        f"{checkout.name} at {commits.get(checkout.name, 'unknown')} instead of {checkout.commit}; "
        f"for that: {install_command(simulator.name)} --again"
        for checkout in simulator.checkouts
        if commits.get(checkout.name) != checkout.commit
    ]


def installed_versions(simulators: Iterable[Simulator]) -> dict[str, str]:
    """Simulator -> version, or each of its repositories -> commit, of those that are installed."""
    found: dict[str, str] = {}
    for simulator in simulators:
        with contextlib.suppress(MissingDependencyError):
            commits, name = find_installation(simulator).commits, simulator.name
            found |= commits or {name: simulator.versions.get(name, "of unknown version")}
    return found
