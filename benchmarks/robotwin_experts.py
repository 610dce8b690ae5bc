"""How often RoboTwin's own experts solve their tasks here, for each task of the paper.

    python benchmarks/robotwin_experts.py --seeds 20
    python benchmarks/robotwin_experts.py --seeds 10 --split distractors@3

The second plays in perturbed scenes, on the first of RoboTwin's seeds from each whose things come
to rest.

Needs `uamsim install robotwin --stand-in`. A seed counts as failed where things do not come to
rest, a path is not found, or RoboTwin's own check says no; nothing is rendered. Writes a line a
task to the standard output (solved, 95% interval, median seconds of an episode) and each failure to
the standard error. What runs on stand-ins is not comparable with published numbers.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import gymnasium as gym

from uamsim.errors import UamsimError
from uamsim.perturbations.splits import find_split
from uamsim.statistics import wilson_interval
from uamsim_envs.robotwin.registration import PAPER_TASKS


def play(task: str, seeds: Iterable[int], split: str) -> Iterator[dict[str, Any]]:
    """What the host says of the expert on each seed, with the seconds that it took."""
    perturbations = find_split(split).perturbations
    env = gym.make(
        f"uamsim/RoboTwin-{task}-v0",
        perturbations=perturbations,
        cameras=(),
        disable_env_checker=True,
    )
    try:
        host = env.unwrapped.host  # type: ignore[attr-defined]
        for seed in seeds:
            start = time.perf_counter()
            if perturbations:
                try:
                    env.reset(seed=seed)
                    done = {"error": "", **host.call("play_expert")}
                except UamsimError as error:
                    done = {"success": False, "error": str(error)}
            else:
                done = host.call("check_seed", seed=seed)
            yield {"seed": seed, "seconds": time.perf_counter() - start, **done}
    finally:
        env.close()


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=PAPER_TASKS, choices=PAPER_TASKS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--split", default="in_domain", help="such as distractors@3")
    given = parser.parse_args()
    for task in given.tasks:
        seeds = range(given.first, given.first + given.seeds)
        played = list(play(task, seeds, given.split))
        solved = sum(bool(done["success"]) for done in played)
        low, high = wilson_interval(solved, given.seeds)
        each = statistics.median(done["seconds"] for done in played)
        row = f"| `{task}` | {solved}/{given.seeds} | {low:.0%}-{high:.0%} | {each:.1f} s |"
        print(row, flush=True)
        for done in played:
            if not done["success"]:
                why = done["error"] or "no path, or not what the task asks for"
                print(f"{task}, seed {done['seed']}: {why}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
