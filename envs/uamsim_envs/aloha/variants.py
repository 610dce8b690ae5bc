"""Things of unseen sizes and textures: edits of a spec before it is compiled."""

from collections.abc import Sequence

import mujoco
import numpy as np

from uamsim.perturbations.objects import SMALLEST, NovelSize
from uamsim.perturbations.values import Composition, Parameters
from uamsim_envs.aloha.world import World
from uamsim_envs.meshes import MESHES
from uamsim_envs.objects import CATEGORIES
from uamsim_envs.patterns import draw_pattern

PATTERN = "things/pattern"
_TEXELS = 96
GRASPABLE = 0.064
"""m that a thing may be wide for open fingers to go down beside it; they are 0.074 apart."""
_LARGEST = 1.4


def change_slots(
    world: World,
    composition: Composition,
    drawn: dict[str, Parameters],
    named: tuple[str, str],
    usable: tuple[float, float],
) -> float:
    """Makes the world's model anew where an episode has a size or a texture of its own.

    Args:
        world: goes on with the new model, and new slots.
        composition: of the episode.
        drawn: what it drew; gets the factor of ``NovelSize``.
        named: slot and category of the named thing.
        usable: least and greatest factor on its lengths.

    Returns:
        The factor on the named thing's lengths.
    """
    size, factor = composition.find(NovelSize), 1.0
    if size is not None and "NovelSize" in drawn:
        factor = size.scale(drawn["NovelSize"], (1.0, 1.0), usable)
        drawn["NovelSize"] = {"larger": factor > 1.0, "factor": factor}

    def change(spec: mujoco.MjSpec) -> None:
        if factor != 1.0:
            resize_slot(spec, *named, factor)
        if "NovelTexture" in drawn:
            add_pattern(spec, drawn["NovelTexture"])
            for geom in spec.geoms:
                if geom.name.startswith(tuple(world.slots)):
                    geom.material = PATTERN

    if not drawn.keys().isdisjoint(("NovelSize", "NovelTexture")):
        world.rebuild(change)
    return factor


def graspable_sizes(category: str) -> tuple[float, float]:
    """Least and greatest factor on a slot's category with which a gripper can hold it."""
    widest = max(_half_width(category, i) for i in range(len(CATEGORIES[category].parts)))
    return SMALLEST, min(_LARGEST, GRASPABLE / (2.0 * widest))


def _half_width(category: str, index: int) -> float:
    """Of a solid shape along x, where the fingers close (m)."""
    part = CATEGORIES[category].parts[index]
    return abs(part.pos[0]) + part.size[0] if part.solid else 0.0


def resize_slot(spec: mujoco.MjSpec, slot: str, category: str, factor: float) -> None:
    """Scales the lengths of one category in a slot; a free slot's mass stays.

    Args:
        spec: with the slot's shapes.
        slot: its name.
        category: what it is going to show.
        factor: on all lengths.
    """
    body = spec.body(slot)
    if body.explicitinertial:
        body.ipos = [factor * x for x in body.ipos]
        body.inertia = [factor**2 * x for x in body.inertia]
    for index, part in enumerate(CATEGORIES[category].parts):
        geom = spec.geom(f"{slot}/{category}/{index}")
        geom.pos = [factor * x for x in part.pos]
        if part.shape in MESHES:
            vertices, faces = MESHES[part.shape]
            geom.meshname = f"{part.shape}@{slot}"
            spec.add_mesh(
                name=geom.meshname, uservert=(factor * vertices).ravel(), userface=faces.ravel()
            )
        else:
            geom.size = [factor * x for x in geom.size]


def add_pattern(spec: mujoco.MjSpec, drawn: Parameters) -> None:
    """Adds the texture of ``NovelTexture``, called ``PATTERN``, and a material with it.

    Args:
        spec: gets them.
        drawn: what the perturbation drew.
    """
    x, y = np.meshgrid(*[(np.arange(_TEXELS) + 0.5) / _TEXELS] * 2)
    dark = 1.0 - drawn["contrast"]
    face = draw_pattern(
        {
            "kind": drawn["pattern"],
            "period_m": 1.0 / drawn["marks"],
            "angle_rad": drawn["angle_rad"],
            "rgbs": [[1.0] * 3, [dark] * 3],
            "seed": 0,
        },
        x,
        y,
    )
    texture = spec.add_texture(
        name=PATTERN,
        type=mujoco.mjtTexture.mjTEXTURE_CUBE,
        width=_TEXELS,
        height=6 * _TEXELS,
        nchannel=3,
    )
    texture.data = np.tile(np.rint(255 * face).astype(np.uint8), (6, 1, 1)).tobytes()
    spec.add_material(name=PATTERN).textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = PATTERN


def paint_materials(spec: mujoco.MjSpec, names: Sequence[str]) -> None:
    """Gives the pattern to materials of the spec."""
    for name in names:
        spec.material(name).textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = PATTERN
