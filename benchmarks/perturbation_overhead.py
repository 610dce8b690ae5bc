"""What perturbing costs: an episode's time with each axis against the same episode without.

    python benchmarks/perturbation_overhead.py

Both take the same actions, so that they differ by the perturbation alone. Rounds alternate
between the two and the median ratio of neighbours counts.
"""

import argparse
import time
from typing import Any

import gymnasium as gym
import numpy as np

from uamsim.errors import ConfigError
from uamsim.orchestration.tasks import resolve_environment
from uamsim.perturbations.axes import AXES
from uamsim.perturbations.splits import SPLITS

LOOKS: dict[str, dict[str, Any]] = {
    "64x96, 1 camera": {"image_size": (64, 96), "cameras": ("primary",)},
    "224x224, 2 cameras": {"image_size": (224, 224), "cameras": ("primary", "left_wrist")},
    "480x640, 3 cameras": {"image_size": (480, 640)},
}
CHUNK = 24


def episode_s(env: Any, seed: int, actions: np.ndarray) -> float:
    """Seconds of a reset and the actions, in chunks, to their end even after a success."""
    start = time.process_time()
    env.reset(seed=seed)
    for first in range(0, len(actions), CHUNK):
        _, _, terminated, truncated, _ = env.step_chunk(actions[first : first + CHUNK])
        if terminated or truncated:
            break
    return time.process_time() - start


def resting_actions(env: Any, seed: int) -> np.ndarray:
    """Actions that do not end an episode on either side: both arms wander above the table."""
    rng = np.random.default_rng(seed)
    rest = env.world.rest_action("ee")
    steps = np.cumsum(rng.normal(0, 0.002, size=(240, 3)), axis=0)
    actions = np.repeat(rest[None], 240, axis=0)
    actions[:, 0:3] += np.clip(steps, -0.05, 0.05)
    actions[:, 7:10] += np.clip(steps, -0.05, 0.05)
    return actions


def overhead(task: str, perturbations: Any, look: dict[str, Any], rounds: int) -> float:
    """Median share of an episode's time that is added."""
    make = {"disable_env_checker": True, **look}
    env_id = resolve_environment(task)
    plain: Any = gym.make(env_id, **make).unwrapped
    changed: Any = gym.make(env_id, perturbations=perturbations, **make).unwrapped
    actions = resting_actions(plain, 0)
    for env in (plain, changed):
        episode_s(env, 0, actions[:CHUNK])
    ratios = []
    for seed in range(rounds):
        order = (plain, changed) if seed % 2 else (changed, plain)
        times = {id(env): episode_s(env, seed, actions) for env in order}
        ratios.append(times[id(changed)] / times[id(plain)])
    plain.close()
    changed.close()
    return float(np.median(ratios)) - 1


def main() -> None:
    """Prints the share for every axis at its highest severity and for every split."""
    parser = argparse.ArgumentParser(description="Measures what perturbing costs.")
    parser.add_argument("--task", default="pick_place")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    print("| | " + " | ".join(LOOKS) + " |\n| --- |" + " --- |" * len(LOOKS))
    rows = {axis: (cls.at(5),) for axis, cls in AXES.items()}
    rows |= {f"split {name}": split.perturbations for name, split in SPLITS.items()}
    for name, perturbations in rows.items():
        try:
            shares = [overhead(args.task, perturbations, k, args.rounds) for k in LOOKS.values()]
        except ConfigError:
            continue
        print(f"| {name} | " + " | ".join(f"{share:+.1%}" for share in shares) + " |", flush=True)


if __name__ == "__main__":
    main()
