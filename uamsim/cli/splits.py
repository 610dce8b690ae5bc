"""`uamsim splits`: what there is, what it looks like, and whether it holds what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from uamsim.orchestration.worlds.split_requests import CheckRequest, PreviewRequest
from uamsim.perturbations.axes import AXES
from uamsim.perturbations.splits import SPLITS
from uamsim.perturbations.values import to_json


@dataclass(frozen=True, kw_only=True)
class ListSplits:
    """Names the splits with what they compose, and the axes with what they leave as it is."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Writes a contact sheet of scenes with their instructions and the parameters drawn.

    Attributes:
        split: a name, or ``path/to/file.py:name`` for one of your own.
        out: folder of the files.
        request: what is shown.
    """

    split: Annotated[str, tyro.conf.Positional]
    out: Path = Path("outputs/splits")
    request: Annotated[PreviewRequest, tyro.conf.arg(name="")] = field(
        default_factory=PreviewRequest
    )


@dataclass(frozen=True, kw_only=True)
class Check:
    """Looks for leaks, reads every instruction back and lets the expert solve the split.

    Attributes:
        split: a name, or ``path/to/file.py:name`` for one of your own.
        request: where, and with how many episodes.
    """

    split: Annotated[str, tyro.conf.Positional]
    request: Annotated[CheckRequest, tyro.conf.arg(name="")] = field(default_factory=CheckRequest)


Verb = (
    Annotated[ListSplits, tyro.conf.subcommand("list")]
    | Annotated[Preview, tyro.conf.subcommand("preview")]
    | Annotated[Check, tyro.conf.subcommand("check")]
)


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim splits``.

    Returns:
        The exit status: 0, or 1 where a check fails.

    Raises:
        UamsimError: with a message for the user.
    """
    verb = tyro.cli(
        Verb,  # type: ignore[arg-type]
        prog="uamsim splits",
        description="Lists, previews and checks splits.",
        args=list(argv),
    )
    if isinstance(verb, ListSplits):
        print(f"{table_of_splits()}\n\n{table_of_axes()}")
        return 0
    if isinstance(verb, Check):
        from uamsim.orchestration.worlds.split_checks import check_split, table_of_checks

        checks = check_split(verb.split, verb.request)
        print(table_of_checks(verb.split, checks))
        return 0 if all(check.ok for check in checks) else 1
    from uamsim.orchestration.worlds.preview import preview_split

    print(preview_split(verb.split, verb.request, verb.out))
    return 0


def table_of_axes() -> str:
    """Each axis with its type, its layer and what it keeps."""
    lines = ["axes, for AXIS@SEVERITY with severities 1 to 5:"]
    for axis, cls in AXES.items():
        lines.append(f"    {axis} ({cls.__name__}, {cls.layer}): keeps {cls.keeps}")
    return "\n".join(lines)


def table_of_splits() -> str:
    """Each split with its summary and what it composes."""
    lines = []
    for name, split in SPLITS.items():
        lines.append(f"{name}: {split.summary}")
        for perturbation in split.perturbations:
            fields = {k: v for k, v in to_json(perturbation).items() if k != "type"}
            shown = ", ".join(f"{key}={value!r}" for key, value in fields.items())
            lines.append(f"    {type(perturbation).__name__}({shown})")
    return "\n".join(lines)
