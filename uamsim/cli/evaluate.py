"""`uamsim evaluate`: rolls one policy out, beside controls, and says what its rates are worth."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from uamsim.orchestration.evaluate.request import EvaluationOptions, EvaluationRequest


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim evaluate``.

    Returns:
        The exit status: 0 done, 1 failed, 130 interrupted.

    Raises:
        UamsimError: with a message for the user.
    """
    request, options = parse(argv)
    from uamsim.orchestration.evaluate.run import evaluate

    command = shlex.join(["uamsim", "evaluate", *argv])
    try:
        text = evaluate(request, options, command)
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Every finished episode is kept. The same command goes on:\n"
            f"  {command}",
            file=sys.stderr,
        )
        return 130
    print(f"{text}\n\nEverything is in {options.out}.")
    return 0


def parse(words: Sequence[str]) -> "tuple[EvaluationRequest, EvaluationOptions]":
    """What to evaluate, and how.

    Raises:
        ConfigError: a value that its option does not allow.
        SystemExit: an unknown flag (tyro names the nearest), or --help.
    """
    import tyro

    from uamsim.orchestration.evaluate.request import EvaluationOptions, EvaluationRequest
    from uamsim.worlds import WORLDS, list_suites

    here = EvaluationOptions(out=Path("outputs") / "evaluate", workers=os.cpu_count() or 1)

    @dataclass(frozen=True, kw_only=True)
    class Command:
        request: Annotated[EvaluationRequest, tyro.conf.arg(name="")]
        options: Annotated[EvaluationOptions, tyro.conf.arg(name="")] = here

    command = tyro.cli(
        Command,
        prog="uamsim evaluate",
        description="Rolls a policy out, or two on the same episodes until one is better, and "
        "leaves ledger.sqlite, results.json, episodes.parquet, rates.parquet, videos and "
        "TensorBoard scalars in OUT. Interrupted or killed, the same command goes on; other "
        "options add their episodes to the same ledger. "
        f"Worlds: {', '.join(WORLDS)}. Suites: {', '.join(list_suites())}.",
        args=list(words),
    )
    return command.request, command.options
