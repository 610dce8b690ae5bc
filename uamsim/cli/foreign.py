"""What `uamsim doctor` says of foreign simulators."""

from collections.abc import Callable

from uamsim.errors import MissingDependencyError
from uamsim.simulators import (
    Installation,
    Simulator,
    find_installation,
    install_command,
    other_commits,
)
from uamsim.worlds import list_simulators

Probe = Callable[..., tuple[bool, str]]


def examine_simulators(run_probe: Probe) -> tuple[list[str], list[str]]:
    """Tries every simulator that is installed.

    Args:
        run_probe: ``doctor.run_probe``.

    Returns:
        What each is like, and how to mend what is not as it should be.
    """
    found: list[str] = []
    mends: list[str] = []
    for name, simulator in list_simulators().items():
        try:
            there = find_installation(simulator)
        except MissingDependencyError as error:
            found.append(f"no {name}")
            mends.append(str(error))
            continue
        python = (str(there.python), "-I")
        ok, message = run_probe(simulator.trial, python=python)
        if not ok:
            found.append(f"{name} is broken: {message}")
            mends.append(f"Run: uamsim install {name} --again")
            continue
        mends += other_commits(simulator, there.commits)
        # Where there is no driver, Vulkan may end the process that asks for it.
        drawn, message = True, ""
        if simulator.drawing:
            drawn, message = run_probe(simulator.drawing, python=python)
        if not drawn:
            found.append(f"{name} draws nothing: {message}")
            mends.append(simulator.drawing_mend)
            continue
        missing = _missing(simulator, there, run_probe)
        found.append(f"{name} works" + (f" ({'; '.join(missing)})" if missing else ""))
        if missing:
            mends.append(
                f"Results of {name} stand beside published ones with {simulator.published} only. "
                f"Where this machine can have them: {install_command(name)} --again"
            )
    return found, mends


def _missing(simulator: Simulator, there: Installation, run_probe: Probe) -> list[str]:
    """What an installation lacks for results that stand beside published ones."""
    missing = []
    if simulator.assets is not None and not there.has_own_assets:
        missing.append("stand-in assets")
    if simulator.cuda is not None:
        ok, message = run_probe(simulator.cuda.trial, python=(str(there.python), "-I"))
        if not ok:
            missing.append(f"no {simulator.cuda.checkout.name}: {message}")
    return missing
