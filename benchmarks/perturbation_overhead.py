"""What perturbing costs: an episode's time with each axis against the same episode without.

    python benchmarks/perturbation_overhead.py

Both take the same actions, so that they differ by the perturbation alone. Rounds alternate
between the two and the median difference of neighbours counts. Two shares of the plain episode's
CPU time are printed. The first is what perturbing itself adds: where parameters are drawn, models
changed and undone, and pictures, actions and words filtered. The second is all that is added: with
it come the physics and the pixels of a world that has more in it, and the noise of the clock.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from uamsim.errors import ConfigError
from uamsim.perturbations.axes import AXES
from uamsim.perturbations.axes.actions import ActionChannel
from uamsim.perturbations.axes.sensors import Sensors
from uamsim.perturbations.splits import SPLITS
from uamsim.worlds import resolve_environment
from uamsim_envs.aloha import pick_place, press_button
from uamsim_envs.aloha.draw import EpisodeDraw
from uamsim_envs.aloha.perturbing import Perturber
from uamsim_envs.aloha.variants import Variants
from uamsim_envs.aloha.world import World

LOOKS: dict[str, dict[str, Any]] = {
    "64x96, 1 camera": {"image_size": (64, 96), "cameras": ("primary",)},
    "224x224, 2 cameras": {"image_size": (224, 224), "cameras": ("primary", "left_wrist")},
    "480x640, 3 cameras": {"image_size": (480, 640)},
}
CHUNK = 24


class Stopwatch:
    """CPU seconds in all that perturbs an episode of the ALOHA worlds."""

    def __init__(self) -> None:
        self.seconds = 0.0
        for owner, name in (
            (Perturber, "restore"),
            (Perturber, "draw"),
            (Perturber, "apply"),
            (Variants, "change"),
            (World, "fix_places"),
            (pick_place, "draw_episode"),
            (press_button, "draw_episode"),
            (EpisodeDraw, "instruction"),
            (Sensors, "picture_step"),
            (Sensors, "see"),
            (ActionChannel, "step"),
        ):
            setattr(owner, name, self._timed(getattr(owner, name)))

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.process_time() - start

        return timed


def episode_s(
    env: Any, seed: int, actions: np.ndarray, perturbing: Stopwatch
) -> tuple[float, float]:
    """CPU seconds of a reset and the actions, in chunks, to their end even after a success.

    Returns:
        Those of perturbing, and all of them.
    """
    start, before = time.process_time(), perturbing.seconds
    env.reset(seed=seed)
    for first in range(0, len(actions), CHUNK):
        _, _, terminated, truncated, _ = env.step_chunk(actions[first : first + CHUNK])
        if terminated or truncated:
            break
    return perturbing.seconds - before, time.process_time() - start


def resting_actions(env: Any, seed: int) -> np.ndarray:
    """Actions that do not end an episode on either side: both arms wander above the table."""
    rng = np.random.default_rng(seed)
    rest = env.world.rest_action("ee")
    steps = np.cumsum(rng.normal(0, 0.002, size=(240, 3)), axis=0)
    actions = np.repeat(rest[None], 240, axis=0)
    actions[:, 0:3] += np.clip(steps, -0.05, 0.05)
    actions[:, 7:10] += np.clip(steps, -0.05, 0.05)
    return actions


def overhead(
    task: str, perturbations: Any, look: dict[str, Any], rounds: int, perturbing: Stopwatch
) -> tuple[float, float]:
    """Shares of a plain episode's time that perturbing adds, and that the perturbed one adds."""
    make = {"disable_env_checker": True, **look}
    env_id = resolve_environment(task)
    plain: Any = gym.make(env_id, **make).unwrapped
    changed: Any = gym.make(env_id, perturbations=perturbations, **make).unwrapped
    actions = resting_actions(plain, 0)
    # What is made once for many episodes is there before the first that counts.
    for env in (plain, changed):
        for seed in range(rounds):
            env.reset(seed=seed)
    added = []
    for seed in range(rounds):
        order = (plain, changed) if seed % 2 else (changed, plain)
        times = {id(env): episode_s(env, seed, actions, perturbing) for env in order}
        (own_plain, all_plain), (own_changed, all_changed) = times[id(plain)], times[id(changed)]
        added.append(((own_changed - own_plain) / all_plain, all_changed / all_plain - 1))
    plain.close()
    changed.close()
    own, total = np.median(added, axis=0)
    return float(own), float(total)


def main() -> None:
    """Prints both shares for every axis at its highest severity and for every split."""
    parser = argparse.ArgumentParser(description="Measures what perturbing costs.")
    parser.add_argument("--task", choices=("pick_place", "press_button"), default="pick_place")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    perturbing = Stopwatch()
    print("| | " + " | ".join(LOOKS) + " |\n| --- |" + " --- |" * len(LOOKS))
    rows = {axis: (cls.at(5),) for axis, cls in AXES.items()}
    rows |= {f"split {name}": split.perturbations for name, split in SPLITS.items()}
    for name, perturbations in rows.items():
        try:
            shares = [
                overhead(args.task, perturbations, look, args.rounds, perturbing)
                for look in LOOKS.values()
            ]
        except ConfigError:
            continue
        print(
            f"| {name} | "
            + " | ".join(f"{own:+.1%}, {total:+.1%}" for own, total in shares)
            + " |",
            flush=True,
        )


if __name__ == "__main__":
    main()
