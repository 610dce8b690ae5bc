"""One console command, `uamsim VERB`."""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

VERBS: dict[str, tuple[str, str]] = {
    "experiment": ("uamsim.cli.experiment:main", "run an experiment, or list them"),
    "collect": ("uamsim.cli.collect:main", "record demonstrations as a LeRobot dataset"),
    "convert": ("uamsim.cli.convert:main", "turn an official dataset into a LeRobot one"),
    "evaluate": ("uamsim.cli.evaluate:main", "roll a policy out: rates, intervals, videos"),
    "gallery": ("uamsim.cli.gallery:main", "picture and film every task of a world"),
    "splits": ("uamsim.cli.splits:main", "list, preview and check out-of-distribution splits"),
    "stats": ("uamsim.cli.stats:main", "plan sample sizes, compare policies on the same episodes"),
    "serve": ("uamsim.cli.serve:main", "serve a policy, or the VLM inside a checkpoint"),
    "export-questions": (
        "uamsim.cli.export_questions:main",
        "write the VLM's questions as a task of lmms-eval",
    ),
    "install": ("uamsim.cli.install:main", "make a foreign simulator's own environment"),
    "completion": ("uamsim.cli.completion:main", "print a script that completes words in a shell"),
    "doctor": ("uamsim.cli.doctor:main", "say what works on this machine, and the mend"),
}
"""Verb -> (where its ``main(argv)`` lives, what it does). Imported only when it is used."""


READS_CONFIG: frozenset[str] = frozenset({"experiment"})
"""Verbs that read the file of ``--config`` themselves; for others it becomes their options."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb.

    Args:
        argv: the words after ``uamsim``; those of the process when None.

    Returns:
        The exit status: 0 done, 1 failed with a message, 2 not understood, 130 interrupted, 141
        where nobody reads on, 143 told to end (SIGTERM).
    """
    told_to_end: list[int] = []
    if argv is None:
        # As Ctrl-C: what is finished is kept, and every verb says how to go on.
        signal.signal(signal.SIGTERM, lambda number, _: _interrupt(told_to_end, number))
    try:
        status = _run(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:  # while it imports, or where a verb has nothing to say
        print("\nInterrupted.", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        # Python flushes once more as it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    return 128 + told_to_end[0] if told_to_end and status == 130 else status


def _interrupt(told_to_end: list[int], number: int) -> None:
    told_to_end.append(number)
    raise KeyboardInterrupt


def _run(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if words[0] in ("-V", "--version", "version"):
        from uamsim import __version__

        print(f"uamsim {__version__}")
        return 0
    from uamsim.errors import UamsimError, UnknownNameError
    from uamsim.runtime import ensure_process_environment

    if argv is None:
        # Before anything large is imported: the allocator reads its settings when a process starts.
        ensure_process_environment()
    verb, rest = words[0], words[1:]
    if verb not in VERBS:
        print(UnknownNameError("verb", verb, VERBS), file=sys.stderr)
        return 2
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        # Modules of a user's own are found where they work, as files are, but take no other's name.
        sys.path.append(here)
    module, _, function = VERBS[verb][0].partition(":")
    try:
        if verb not in READS_CONFIG:
            from uamsim.cli.config_file import with_config

            rest = with_config(rest)
        status = getattr(importlib.import_module(module), function)(rest)
    except UnknownNameError as error:
        print(error, file=sys.stderr)
        return 2
    except UamsimError as error:
        print(f"uamsim {verb}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # Of a path that the user gave: a file where a folder is needed, a loop, a name too long.
        if error.filename is None or isinstance(error, BrokenPipeError):
            raise
        print(f"uamsim {verb}: cannot use {error.filename}: {error.strerror}.", file=sys.stderr)
        return 1
    return int(status or 0)


def usage() -> str:
    """The verbs, a line each."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {summary}" for verb, (_, summary) in VERBS.items()]
    return "\n".join(
        [
            "usage: uamsim VERB [OPTIONS]",
            "",
            *lines,
            "",
            "uamsim VERB --help says more; --config FILE (JSON or TOML) holds options of any verb;",
            "uamsim --version says which uamsim this is.",
        ]
    )
