"""Draws worlds.png: `python docs/images/worlds.py`."""

from pathlib import Path

import gymnasium as gym
import numpy as np
from PIL import Image

ROWS = (
    ("uamsim_envs:uamsim/AlohaPressButton-v0", 3, 70),
    ("uamsim_envs:uamsim/AlohaPickPlace-v0", 5, 120),
    ("uamsim_envs:uamsim/AlohaScene-v0", 10, 0),
)
GAP = 12


def shot(env_id: str, seed: int, steps: int) -> np.ndarray:
    """The primary camera after some steps of the expert, uint8 [H, W, 3]."""
    env = gym.make(env_id, render_profile="quality", image_size=(360, 540), cameras=("primary",))
    observation, _ = env.reset(seed=seed)
    expert = env.unwrapped.expert(np.random.default_rng(0)) if steps else ()
    for _, action in zip(range(steps), expert, strict=False):
        observation, *_ = env.step(action)
    env.close()
    return observation["pixels"]["primary"]


def main() -> None:
    """Writes the picture beside this file."""
    pictures = [shot(*row) for row in ROWS]
    gap = np.full((pictures[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)][:-1]
    Image.fromarray(np.concatenate(parts, axis=1)).save(Path(__file__).with_name("worlds.png"))


if __name__ == "__main__":
    main()
