"""Makes bench.png: each task of the ALOHA bench in the middle of an expert's episode.

python docs/images/bench.py
"""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from uamsim.worlds import resolve_tasks

COLUMNS, SIZE, SEED, MOMENT = 5, (240, 320), 2, 0.55
OLD = {"press_button", "pick_place"}
"""The main job's own small worlds, which worlds.png shows."""


def still(env_id: str) -> np.ndarray:
    """The primary camera's picture after a share of an expert's episode."""
    env = gym.make(env_id, cameras=("primary",), image_size=SIZE, render_profile="quality")
    world: Any = env.unwrapped
    num_steps = world.max_episode_steps
    for _ in range(2):
        env.reset(seed=SEED)
        expert = world.expert(np.random.default_rng([SEED, 1]))
        _, (_, _, _, _, info) = world.play(expert, num_steps)
        num_steps = round(MOMENT * info["num_steps"])
    picture = world.look(("primary",))["primary"]
    env.close()
    return picture


def main() -> None:
    """Writes the grid."""
    tasks = {k: v for k, v in resolve_tasks("aloha", []).items() if k not in OLD}
    height, width = SIZE
    rows = -(-len(tasks) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * width, rows * height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    for index, (task, env_id) in enumerate(tasks.items()):
        x, y = index % COLUMNS * width, index // COLUMNS * height
        sheet.paste(Image.fromarray(still(env_id)), (x, y))
        draw.text((x + 6, y + 4), task.replace("_", " "), font=font, fill="white")
    sheet.save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
