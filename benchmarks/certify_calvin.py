"""How often CALVIN's scripted experts succeed, in how many steps, and in whole chains of five.

    python benchmarks/certify_calvin.py --starts 20 --chains 100 --workers 2

Needs `uamsim install calvin`. Every start is drawn at random for its task, CALVIN's own oracle
judges after each action, an episode has CALVIN's 360 steps, and nothing is rendered. The numbers of
steps go to docs/results/calvin_experts.json, of which a run replaces what it plays, and a table to
docs/results/calvin_experts.md.
"""

import argparse
import json
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from uamsim.errors import SceneError
from uamsim.statistics import wilson_interval
from uamsim_envs.calvin.chains import TASKS
from uamsim_envs.calvin.registration import SCENES

ROOT = Path(__file__).resolve().parents[1] / "docs" / "results"
STEPS, TABLE = ROOT / "calvin_experts.json", ROOT / "calvin_experts.md"
FIRST_SEED = 10_000
"""Experts were written on starts from other seeds."""
CHAINS_A_JOB = 25
LENGTHS = (1, 2, 3, 4, 5)

Steps = dict[str, dict[str, list[int | None]]]
"""Task -> scene -> steps of each episode, None where it failed."""


_envs: dict[str, Any] = {}
"""This process's environment, by its id."""


def open_env(env_id: str) -> Any:
    """An environment that shows nothing; the one before is closed."""
    if env_id not in _envs:
        for other in list(_envs):
            _envs.pop(other).close()
        # Gymnasium's checker wants a picture in every observation.
        made = gym.make(f"uamsim_envs:{env_id}", cameras=(), disable_env_checker=True)
        _envs[env_id] = made.unwrapped
    return _envs[env_id]


def play_task(scene: str, task: str, seeds: range) -> list[int | None]:
    """Control steps to success, or None; also where no start was found."""
    env = open_env(f"uamsim/Calvin-{scene}-v0")
    episodes: list[int | None] = []
    for seed in seeds:
        try:
            env.reset(seed=seed, options={"task": task})
        except SceneError as error:
            print(scene, error, flush=True)
            episodes.append(None)
            continue
        info = _play(env, seed)
        episodes.append(int(info["num_steps"]) if info["is_success"] else None)
    return episodes


def play_chains(scene: str, numbers: range) -> list[int]:
    """How many of the five tasks of each evaluation chain were done."""
    env = open_env(f"uamsim/CalvinChains-{scene}-v0")
    done = []
    for number in numbers:
        env.reset(seed=number)
        done.append(sum(map(bool, _play(env, number)["stages"].values())))
    return done


def _play(env: Any, seed: int) -> dict[str, Any]:
    expert = env.expert(np.random.default_rng([seed, 1]))
    return env.play(expert, env.max_episode_steps)[1][-1]


def rate(wins: int, count: int) -> str:
    """A rate and its 95% interval."""
    low, high = wilson_interval(wins, count)
    return f"{wins / count:.1%} [{low:.1%}, {high:.1%}]"


def table(results: dict[str, Any]) -> str:
    """All results as Markdown."""
    steps: Steps = results["tasks"]
    parts = ["| task | " + " | ".join(SCENES) + " | all scenes | median steps | 95% of them |"]
    parts.append("| --- " * (len(SCENES) + 4) + "|")
    for task in TASKS:
        if task not in steps:
            continue
        cells = []
        for scene in SCENES:
            episodes = steps[task].get(scene, [])
            cells.append(f"{_wins(episodes)}/{len(episodes)}" if episodes else "-")
        played = [e for episodes in steps[task].values() for e in episodes]
        done = [e for e in played if e is not None] or [0]
        parts.append(
            f"| {task} | {' | '.join(cells)} | {rate(_wins(played), len(played))} "
            f"| {np.median(done):.0f} | {np.percentile(done, 95):.0f} |"
        )
    counts = {(_wins(e), len(e)) for scenes in steps.values() for e in scenes.values() if e}
    parts += ["", "95% intervals (Wilson) of one scene's cells:", "", "| cell | interval |"]
    parts.append("| --- | --- |")
    parts += [f"| {wins}/{count} | {rate(wins, count)} |" for wins, count in sorted(counts)]
    if results["chains"]:
        lengths = " | ".join(map(str, LENGTHS))
        parts += ["", f"| chains, scene | number | {lengths} | average |", "| --- " * 8 + "|"]
    for scene in SCENES:
        done = [n for chunks in results["chains"].values() for n in chunks.get(scene, ())]
        if not done:
            continue
        rates = " | ".join(f"{np.mean([d >= n for d in done]):.1%}" for n in LENGTHS)
        parts.append(f"| {scene} | {len(done)} | {rates} | {np.mean(done):.2f} |")
    return "\n".join(parts) + "\n"


def _wins(episodes: list[int | None]) -> int:
    return sum(e is not None for e in episodes)


def write(results: dict[str, Any]) -> None:
    """Both files; what stands in the table's file before the table stays."""
    STEPS.write_text(json.dumps(results, sort_keys=True) + "\n")
    text = TABLE.read_text() if TABLE.exists() else "# Experts of CALVIN\n\n"
    TABLE.write_text(text.split("| task | ")[0] + table(results))


def main() -> None:
    """Plays, and writes after each task."""
    parser = argparse.ArgumentParser(description="Certifies CALVIN's experts.")
    parser.add_argument("--scene", nargs="*", choices=SCENES, default=list(SCENES))
    parser.add_argument("--task", nargs="*", choices=TASKS, default=list(TASKS))
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--chains", type=int, default=0, help="evaluation chains in each scene")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + args.starts)
    with ProcessPoolExecutor(args.workers) as pool:
        jobs: dict[Future[list[Any]], tuple[str, str]] = {}
        for scene in args.scene:
            for task in args.task if args.starts else ():
                jobs[pool.submit(play_task, scene, task, seeds)] = scene, task
        for scene in args.scene if args.chains else ():
            for part in range(0, args.chains, CHAINS_A_JOB):
                numbers = range(part, min(part + CHAINS_A_JOB, args.chains))
                jobs[pool.submit(play_chains, scene, numbers)] = scene, str(part)
        for job in as_completed(jobs):
            scene, name = jobs[job]
            results = _read()
            kind = "tasks" if name in TASKS else "chains"
            results[kind].setdefault(name, {})[scene] = job.result()
            write(results)
            print(scene, name, job.result(), flush=True)


def _read() -> dict[str, Any]:
    return json.loads(STEPS.read_text()) if STEPS.exists() else {"tasks": {}, "chains": {}}


if __name__ == "__main__":
    main()
