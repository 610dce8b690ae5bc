"""How often each expert of the ALOHA bench succeeds, how fast, and that chance does not.

    python benchmarks/certify_aloha.py --episodes 200 --workers 2

writes the seeds that an expert has solved to envs/uamsim_envs/aloha/certified_seeds.json and a
table to docs/results/aloha_bench.md. Nothing is rendered.
"""

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from uamsim.contract import CONTROL_HZ, EpisodeRecord
from uamsim.evaluation.experts import play_expert
from uamsim.statistics import wilson_interval
from uamsim.worlds import resolve_tasks

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / "envs" / "uamsim_envs" / "aloha" / "certified_seeds.json"
TABLE = ROOT / "docs" / "results" / "aloha_bench.md"
FIRST_SEED = 10_000
"""Experts were written on seeds far below."""
RANDOM_HOLD = 10
"""Control steps for which a random target is held, so that the arms get somewhere."""


HEAD = """| task | expert | 95% interval | random | median episode | control steps/s a worker |
| --- | --- | --- | --- | --- | --- |
"""


def play_experts(env_id: str, seeds: list[int]) -> list[EpisodeRecord]:
    """Experts' episodes."""
    return [episode.record for episode in play_expert(env_id, seeds)]


def play_randomly(env_id: str, seeds: list[int]) -> list[bool]:
    """Success with uniformly random targets, each held for ``RANDOM_HOLD`` steps."""
    # Gymnasium's checker wants a picture in every observation.
    env: Any = gym.make(env_id, cameras=(), disable_env_checker=True).unwrapped
    outcomes = []
    for seed in seeds:
        _, info = env.reset(seed=seed)
        env.action_space.seed(seed)
        ended = False
        while not ended:
            chunk = np.repeat(env.action_space.sample()[None], RANDOM_HOLD, axis=0)
            _, _, terminated, truncated, info = env.step_chunk(chunk)
            ended = terminated or truncated
        outcomes.append(bool(info["is_success"]))
    env.close()
    return outcomes


def _spread(
    pool: ProcessPoolExecutor, play: Any, env_id: str, count: int, workers: int
) -> list[Any]:
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    parts = [pool.submit(play, env_id, list(seeds[i::workers])) for i in range(workers)]
    return [episode for part in parts for episode in part.result()]


def _row(task: str, expert: list[EpisodeRecord], random: list[bool]) -> str:
    wins = [e for e in expert if e.success]
    low, high = wilson_interval(len(wins), len(expert))
    speed = sum(e.num_steps for e in expert) / sum(e.wall_s for e in expert)
    length = float(np.median([e.num_steps for e in wins])) / CONTROL_HZ if wins else float("nan")
    return (
        f"| {task} | {len(wins)}/{len(expert)} | {len(wins) / len(expert):.1%} "
        f"[{low:.1%}, {high:.1%}] | {sum(random)}/{len(random)} "
        f"| {length:.1f} s | {speed:,.0f} |"
    )


def main() -> None:
    """Plays, writes the manifest and the table, and prints the table as it grows."""
    parser = argparse.ArgumentParser(description="Certifies the ALOHA experts.")
    parser.add_argument("--tasks", nargs="*", default=[])
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--random-episodes", type=int, default=100)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    manifest = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
    with ProcessPoolExecutor(args.workers) as pool:
        for task, env_id in resolve_tasks("aloha", args.tasks).items():
            expert = _spread(pool, play_experts, env_id, args.episodes, args.workers)
            random = _spread(pool, play_randomly, env_id, args.random_episodes, args.workers)
            manifest[task] = {
                "env_id": env_id,
                "first_seed": FIRST_SEED,
                "tried": len(expert),
                "unsolved": sorted(e.seed for e in expert if not e.success),
                "row": _row(task, expert, random),
            }
            print(manifest[task]["row"], flush=True)
            MANIFEST.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    rows = [entry["row"] for _, entry in sorted(manifest.items())]
    text = TABLE.read_text() if TABLE.exists() else HEAD
    TABLE.write_text(text.split(HEAD)[0] + HEAD + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
