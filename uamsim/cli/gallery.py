"""`uamsim gallery`: pictures and a video of every task of a world."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from uamsim.orchestration.worlds.gallery import GalleryRequest, make_gallery
from uamsim.worlds import WORLDS


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which world, and where the files go.

    Attributes:
        out: folder of the files.
        world: whose tasks.
        request: what is shown of them.
    """

    out: Path = Path("outputs/gallery")
    world: str = "aloha"
    request: Annotated[GalleryRequest, tyro.conf.arg(name="")] = field(
        default_factory=GalleryRequest
    )


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim gallery``.

    Returns:
        The exit status, 0.

    Raises:
        UamsimError: with a message for the user.
    """
    options = tyro.cli(
        Options,
        prog="uamsim gallery",
        description="Writes a contact sheet (start, middle, end of an expert's episode, all "
        "cameras) and a video of every task that has one. "
        f"Worlds: {', '.join(WORLDS)}.",
        args=list(argv),
    )
    for exhibit in make_gallery(options.world, options.request, options.out):
        print(f"{exhibit.task}: {exhibit.record.instruction!r} -> {exhibit.sheet}")
    return 0
