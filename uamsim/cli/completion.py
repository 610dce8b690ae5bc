"""`uamsim completion`: a script by which a shell completes verbs, names and options."""

import contextlib
import io
import os
import re
from collections.abc import Sequence

from uamsim.errors import UnknownNameError

SHELLS = ("bash", "zsh")
HELP: dict[str, tuple[tuple[str, ...], ...]] = {
    "experiment": (("dorsal_sweep",),),
    "collect": (("aloha",),),
    "convert": (("calvin",),),
    "splits": (("list",), ("preview",), ("check",)),
    "stats": (("plan",), ("compare",)),
}
"""Verb -> words that must stand before ``--help`` for its options to be shown, each in turn."""


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim completion``: the shell.

    Returns:
        The exit status: 0 done.

    Raises:
        UnknownNameError: a shell for which there is none; names the nearest.
    """
    shell = argv[0] if argv else "bash"
    if shell in ("-h", "--help"):
        print('usage: uamsim completion bash|zsh; eval "$(uamsim completion bash)" uses it.')
        return 0
    if shell not in SHELLS:
        raise UnknownNameError("shell", shell, SHELLS)
    from uamsim.cli import VERBS

    print(script(shell, {verb: words_of(verb) for verb in VERBS}))
    return 0


def words_of(verb: str) -> list[str]:
    """What may stand behind a verb: its names, and the options that its help shows."""
    text = "".join(_help(verb, before) for before in HELP.get(verb, ((),)))
    options = sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z0-9.-]*[a-z0-9]", text)))
    return [*_names(verb), *options]


def _names(verb: str) -> list[str]:
    from uamsim.orchestration.experiments import list_experiments
    from uamsim.worlds import WORLDS, list_simulators

    if verb == "experiment":
        return list(list_experiments())
    if verb == "collect":
        return list(WORLDS)
    if verb == "install":
        return list(list_simulators())
    return [word for words in HELP.get(verb, ()) for word in words]


def _help(verb: str, before: Sequence[str]) -> str:
    from uamsim.cli import main as run

    shown, columns = io.StringIO(), os.environ.get("COLUMNS", "")
    os.environ["COLUMNS"] = "400"  # so that no option is broken in two
    try:
        with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
            run([verb, *before, "--help"])
    finally:
        os.environ["COLUMNS"] = columns
    return shown.getvalue()


def script(shell: str, words: dict[str, list[str]]) -> str:
    """The script.

    Args:
        shell: one of ``SHELLS``.
        words: verb -> what may stand behind it.
    """
    cases = [f'    {verb}) words="{" ".join(known)}" ;;' for verb, known in words.items()]
    lines = [
        "_uamsim() {",
        '  local words="" cur="${COMP_WORDS[COMP_CWORD]}"',
        '  case "${COMP_WORDS[1]}" in',
        *cases,
        "  esac",
        f'  [ "$COMP_CWORD" -gt 1 ] || words="{" ".join(words)}"',
        '  COMPREPLY=($(compgen -W "$words" -- "$cur"))',
        "}",
        "complete -o default -F _uamsim uamsim",
    ]
    if shell == "zsh":
        lines.insert(0, "autoload -U +X bashcompinit && bashcompinit")
    return "\n".join(lines)
