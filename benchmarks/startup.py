"""CPU time of commands that answer at once, beside that of `python -c "import numpy"`.

    python benchmarks/startup.py

Each command is run in turn with the others, and its least user + system time is kept: other
programs on the machine can only add to it. The ratio is what may be compared between machines.
"""

import argparse
import os
import subprocess
import sys

NUMPY = "import numpy"
VERBS = ("experiment dorsal_sweep --dry-run", "evaluate --help", "splits --help", "--help")


def cpu_s(words: list[str]) -> float:
    """User and system time of a command (s)."""
    before = os.times()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    user = after.children_user - before.children_user
    return user + after.children_system - before.children_system


def main() -> None:
    """Runs the command in this module's docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    code = "import sys; from uamsim.cli import main; sys.exit(main(sys.argv[1:]))"
    commands = {f"uamsim {verb}": [sys.executable, "-c", code, *verb.split()] for verb in VERBS}
    commands[f'python -c "{NUMPY}"'] = [sys.executable, "-c", NUMPY]
    rounds = [{name: cpu_s(words) for name, words in commands.items()} for _ in range(repeats)]
    least = {name: min(times[name] for times in rounds) for name in commands}
    base = list(least.values())[-1]
    for name, seconds in least.items():
        print(f"{name:<45} {seconds:5.2f} s   {seconds / base:5.1f}")


if __name__ == "__main__":
    main()
