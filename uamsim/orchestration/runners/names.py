"""The runners by name, which loads none of them."""

from typing import TYPE_CHECKING

from uamsim.errors import UnknownNameError

if TYPE_CHECKING:
    from uamsim.orchestration.runners.base import Runner

RUNNERS: tuple[str, ...] = ("ray", "inline")


def make_runner(name: str, workers: int) -> "Runner":
    """A runner by its name.

    Raises:
        UnknownNameError: no such runner.
        MissingDependencyError: Ray is not installed or cannot start.
    """
    if name == "inline":
        from uamsim.orchestration.runners.inline import InlineRunner

        return InlineRunner(workers)
    if name == "ray":
        from uamsim.orchestration.runners.tune import TuneRunner

        return TuneRunner(workers)
    raise UnknownNameError("runner", name, RUNNERS)
