"""`uamsim convert`: turns an official dataset into one in the LeRobot layout."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from uamsim.bounds import Pixels, Workers, check_bounds
from uamsim.data.calvin import CAMERAS
from uamsim.errors import UnknownNameError

FORMATS = ("calvin",)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is converted, and where to.

    Attributes:
        source: folder of the official dataset, which holds training and validation.
        out: the new dataset's folder; what is not finished is beside it, in OUT.partial.
        split: training or validation.
        cameras: whose pictures are kept.
        image_size: height and width of all pictures; by default each camera's own, 200 200 and
            84 84, which differ, so that no model can take both.
        scenes: A to D; segments of others are left out. All by default.
        workers: processes; 0 takes every CPU.
    """

    source: Annotated[Path, tyro.conf.Positional]
    out: Path
    split: str = "training"
    cameras: tuple[str, ...] = tuple(CAMERAS)
    image_size: tuple[Pixels, Pixels] | None = None
    scenes: tuple[str, ...] = ()
    workers: Workers = 0

    def __post_init__(self) -> None:
        check_bounds(self, "--")


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim convert``.

    Returns:
        The exit status: 0 done, 130 interrupted.

    Raises:
        UamsimError: with a message for the user.
    """
    words = list(argv)
    if not words or words[0] in ("-h", "--help"):
        print("usage: uamsim convert calvin PATH --out DIR; uamsim convert calvin --help says more")
        return 0
    if words[0] not in FORMATS:
        raise UnknownNameError("format", words[0], FORMATS)
    options = tyro.cli(
        Options,
        prog="uamsim convert calvin",
        description="Makes a LeRobotDataset v3.0 of an official CALVIN dataset, an episode for "
        "each annotated segment, the same for any number of workers. Interrupted or killed, the "
        "same command goes on where it stopped.",
        args=words[1:],
    )
    from uamsim.data.conversion import ConversionConfig, convert_calvin
    from uamsim.data.lerobot import LeRobotDataset
    from uamsim.orchestration.runs.progress import progress_bar

    config = ConversionConfig(
        source=str(options.source.absolute()),
        split=options.split,
        cameras=options.cameras,
        image_size=options.image_size,
        scenes=options.scenes,
    )
    try:
        with progress_bar("converting calvin", "files") as bar:
            root = convert_calvin(
                config,
                options.out.absolute(),
                workers=options.workers or os.cpu_count() or 1,
                progress=bar,
            )
    except KeyboardInterrupt:
        again = shlex.join(["uamsim", "convert", *words])
        print(
            f"\nInterrupted. Every finished file is kept. The same command goes on:\n  {again}",
            file=sys.stderr,
        )
        return 130
    dataset = LeRobotDataset(root)
    print(
        f"{len(dataset.instructions)} episodes, {len(dataset)} frames at {dataset.fps} a second, "
        f"cameras {', '.join(dataset.cameras)}, in {root}"
    )
    return 0
