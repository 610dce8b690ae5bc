"""Draws library.png, every thing of the library: `python docs/images/library.py`."""

import math
from pathlib import Path

import mujoco
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from uamsim.lexicon import LEXICON
from uamsim_envs.library import INSTANCES, Instance, add_instance, instances_of
from uamsim_envs.rendering import SceneRenderer, apply_profile, look_quat

TILE = 104
LABEL = 150
COLUMNS = 3
MOST = 4
DISTANCE, PITCH, WIDTH = 0.86, math.radians(56.0), 0.19
"""m, rad, and what a tile shows at the table's height (m)."""


def shot(instance: Instance, colour: str) -> np.ndarray:
    """One thing as the primary camera sees it, but larger, uint8 [H, W, 3]."""
    spec = mujoco.MjSpec()
    apply_profile(spec, "quality")
    spec.stat.extent = 1.0
    spec.visual.map.znear, spec.visual.map.shadowclip = 0.01, 0.9
    spec.visual.headlight.ambient = (0.42, 0.42, 0.42)
    spec.visual.headlight.diffuse = (0.22, 0.22, 0.22)
    world = spec.worldbody
    world.add_light(
        pos=(-0.5, -0.4, 1.6),
        dir=(0.3, 0.3, -1.0),
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=(0.52, 0.52, 0.52),
        castshadow=True,
    )
    world.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE, size=(0.7, 0.5, 0.05), rgba=(0.44, 0.43, 0.42, 1)
    )
    world.add_camera(
        name="primary",
        pos=(0.0, -DISTANCE * math.cos(PITCH), 0.025 + DISTANCE * math.sin(PITCH)),
        quat=look_quat((1, 0, 0), (0, math.sin(PITCH), math.cos(PITCH))),
        fovy=math.degrees(2 * math.atan(WIDTH / 2 / DISTANCE)),
    )
    body = world.add_body(name="thing", quat=(math.cos(-0.25), 0, 0, math.sin(-0.25)))
    add_instance(spec, body, instance, name="thing", colour=colour, static=True)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = SceneRenderer(model, (TILE, TILE), "quality")
    picture = renderer.render(data, ("primary",))["primary"]
    renderer.close()
    return picture


def main() -> None:
    """Writes the picture beside this file."""
    categories = list(dict.fromkeys(instance.category for instance in INSTANCES.values()))
    rows = math.ceil(len(categories) / COLUMNS)
    size = (COLUMNS * (LABEL + MOST * TILE), rows * TILE)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for index, category in enumerate(categories):
        left, top = index // rows * (LABEL + MOST * TILE), index % rows * TILE
        entry = LEXICON[category]
        note = entry.kind if entry.in_action_data else f"{entry.kind}, held out"
        draw.text((left + 6, top + 30), f"{entry.english}\n{note}", "black", font)
        for k, instance in enumerate(instances_of(category)):
            tile = Image.fromarray(shot(instance, instance.colours[k % len(instance.colours)]))
            at = (left + LABEL + k * TILE, top)
            sheet.paste(tile, at)
            if entry.in_action_data and not instance.in_action_data:
                draw.text((at[0] + 4, at[1] + 2), "held out", "white", ImageFont.load_default(11))
    sheet.save(Path(__file__).with_name("library.png"), optimize=True)


if __name__ == "__main__":
    main()
