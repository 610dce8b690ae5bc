"""`uamsim collect`: records demonstrations of the scripted experts as one LeRobotDataset."""

import dataclasses
import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from uamsim.bounds import Workers, check_bounds
from uamsim.errors import ConfigError

if TYPE_CHECKING:
    from uamsim.orchestration.worlds.collect import CollectionRequest


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to record, as opposed to what.

    Attributes:
        out: the dataset's folder; what is not finished is beside it, in OUT.partial.
        workers: processes; 0 takes every CPU.
    """

    out: Path
    workers: Workers = 0

    def __post_init__(self) -> None:
        check_bounds(self, "--")


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim collect``.

    Returns:
        The exit status: 0 done, 1 failed, 130 interrupted.

    Raises:
        UamsimError: with a message for the user.
    """
    words = list(argv)
    if not words or "--list" in words or words in (["-h"], ["--help"]):
        print(listing())
        return 0
    if words[0].startswith("-"):
        raise ConfigError(
            "the world's name comes first: uamsim collect aloha [OPTIONS]. "
            "uamsim collect --list shows worlds and tasks."
        )
    request, options = parse(words[0], words[1:])
    from uamsim.orchestration.worlds.collect import collect

    again = f"The same command goes on:\n  {shlex.join(['uamsim', 'collect', *words])}"
    try:
        summary = collect(words[0], request, options.out, options.workers)
    except KeyboardInterrupt:
        print(f"\nInterrupted. Every finished episode is kept. {again}", file=sys.stderr)
        return 130
    print(summary)
    return 0


def listing() -> str:
    """The worlds and their tasks."""
    from uamsim.worlds import WORLDS

    lines = [
        f"  {name}: {world.summary}\n      {' '.join(world.tasks)}"
        for name, world in WORLDS.items()
    ]
    return "\n".join(
        [
            "usage: uamsim collect WORLD [--tasks TASK ...] [--episodes N] [--workers W]",
            "       [--out DIR] [--seed N] [--image-size H W] [--cameras NAME ...] [--fps N] ...",
            "",
            "worlds and their tasks:",
            *lines,
            "",
            "uamsim collect WORLD --help shows every option.",
        ]
    )


def parse(world: str, words: Sequence[str]) -> tuple["CollectionRequest", Options]:
    """What to record, and how.

    Raises:
        UnknownNameError: an unknown world.
        ConfigError: a value that its option does not allow.
        SystemExit: an unknown flag (tyro names the nearest), or --help.
    """
    import tyro

    from uamsim.orchestration.worlds.collect import CollectionRequest
    from uamsim.worlds import WORLDS

    spec = WORLDS[world]

    @dataclass(frozen=True, kw_only=True)
    class Command:
        options: Annotated[Options, tyro.conf.arg(name="")]
        request: Annotated[CollectionRequest, tyro.conf.arg(name="")]

    command = tyro.cli(
        Command,
        prog=f"uamsim collect {world}",
        description="Records successful demonstrations of the scripted experts as one "
        "LeRobotDataset v3.0, the same for any number of workers. Interrupted or killed, the same "
        "command goes on where it stopped. "
        f"Tasks: {', '.join(spec.tasks)}. Cameras: {', '.join(spec.cameras)}. "
        f"Render profiles: {', '.join(spec.render_profiles)}. "
        f"Controls: {', '.join(spec.controls)}. Actions a second: "
        f"{spec.control_hz or 'as each needs'}.",
        default=Command(
            options=Options(out=Path("outputs") / f"collect-{world}"),
            request=CollectionRequest.of_world(world),
        ),
        # Going on is what every call does; the flag is what "experiment" taught.
        args=[
            re.sub(r"^--first[-_]seed(?==|$)", "--seed", word)
            for word in words
            if word != "--resume"
        ],
    )
    options = command.options
    workers = options.workers or os.cpu_count() or 1
    return command.request, dataclasses.replace(options, workers=workers)
