"""A standing hand broom, a dustpan and crumpled tissues: the things of ``sweep_rubbish``."""

import math

import numpy as np

from uamsim.lexicon import entries
from uamsim_envs.library import Instance
from uamsim_envs.library.shapes import (
    Shape,
    box,
    capsule,
    cylinder,
    ellipsoid,
    hidden,
    solid,
    sphere,
    surface,
)
from uamsim_envs.library.solids import Mesh

BRUSH_HALF = (0.013, 0.044, 0.020)
"""Half extents of the broom's bristles (m); it sweeps along its x axis."""
BROOM_GRIP = 0.098
"""Height on the broom's handle at which fingers close (m)."""
PAN_HALF = (0.052, 0.066)
"""Half extents of a dustpan's floor within its walls (m); its mouth is at +x."""
PAN_FLOOR, PAN_WALL = 0.004, 0.032
"""Heights of a dustpan's floor and of the top of its walls (m)."""
PAN_LIP = 0.076
"""Where a dustpan's ramp meets the table, along its x axis (m)."""
PAN_GRIP = (-0.098, 0.022)
"""Where fingers close on a dustpan's handle, along x and upwards (m)."""
TISSUE_RADIUS = 0.0125
_ALL = tuple(e.name for e in entries("colour"))
_STRAW = ((0.88, 0.68, 0.30), (0.74, 0.54, 0.20))
_DARK = (0.10, 0.10, 0.11)


def _instance(
    category: str, shapes: tuple[Shape, ...], radius: float, height: float, mass: float
) -> Instance:
    return Instance(
        name=f"{category}_plain",
        category=category,
        shapes=shapes,
        radius=radius,
        height=height,
        colours=_ALL,
        scale=(1.0, 1.0),
        mass=mass,
        friction=0.8,
        material=(0.1, 0.3),
        grasps=(),
    )


def broom() -> Instance:
    """A broom of 15 cm that stands on its bristles, with an upright square handle."""
    x, y, z = BRUSH_HALF
    straw: list[Shape] = []
    for k in range(-4, 5):
        for row in (-1, 0, 1):
            at = (0.55 * row * x, 0.205 * k * y, z + 0.001)
            lean = (0.045 * k, -0.22 * row, 0.0)
            straw.append(box((0.004, 0.0045, z), at, euler=lean, rgb=_STRAW[(k + row) % 2]))
    handle = box((0.009, 0.009, 0.046), (0, 0, 0.100))
    return _instance(
        "broom",
        (
            *hidden(box(BRUSH_HALF, (0, 0, z))),
            *straw,
            *solid(box((0.7 * x, 0.78 * y, 0.007), (0, 0, 2 * z + 0.007), shade=0.85)),
            *solid(handle),
            cylinder(0.013, 0.004, (0, 0, 0.058), shade=0.7),
            ellipsoid((0.0105, 0.0105, 0.007), (0, 0, 0.146), shade=0.7),
        ),
        radius=math.hypot(x, y),
        height=0.152,
        mass=0.11,
    )


def dustpan() -> Instance:
    """A flat pan with three walls, a ramp at its mouth and a raised handle behind."""
    x, y = PAN_HALF
    t = 0.002
    slope = math.atan2(PAN_FLOOR - 0.0015, PAN_LIP - x)
    ramp = box(
        (0.5 * (PAN_LIP - x) / math.cos(slope), y + 2 * t, 0.00075),
        (0.5 * (x + PAN_LIP), 0, 0.5 * PAN_FLOOR),
        euler=(0, slope, 0),
        shade=0.8,
    )
    tall, low = PAN_WALL / 2, PAN_WALL / 4
    walls: list[Shape] = [box((t, y + 2 * t, tall), (-x - t, 0, tall), shade=0.9)]
    for end in (-1, 1):
        walls.append(box((0.7 * x, t, tall), (-0.3 * x, end * (y + t), tall), shade=0.9))
        walls.append(box((0.3 * x, t, low), (0.7 * x, end * (y + t), low), shade=0.9))
    back = -x - 2 * t
    handle = box((0.038, 0.009, 0.008), (back - 0.038, 0, 0.021))
    return _instance(
        "dustpan",
        (
            *solid(
                box((x, y + 2 * t, PAN_FLOOR / 2), (0, 0, PAN_FLOOR / 2), shade=0.7),
                ramp,
                *walls,
                handle,
            ),
            capsule(0.009, 0.002, (back - 0.076, 0, 0.021), shade=0.9),
            cylinder(0.0045, 0.0003, (back - 0.070, 0, 0.0291), rgb=_DARK),
            *(
                box((x - 0.01, 0.0015, 0.0004), (0, k * 0.022, PAN_FLOOR))
                for k in (-2, -1, 0, 1, 2)
            ),
        ),
        radius=0.5 * (PAN_LIP - back + 0.08),
        height=PAN_WALL,
        mass=0.25,
    )


def tissue(seed: int) -> Instance:
    """A crumpled tissue; it rolls like a ball, but badly.

    Args:
        seed: of its folds.
    """
    crumpled = surface(_crumple(seed), (0, 0, TISSUE_RADIUS), shade=1.0)
    ball = sphere(TISSUE_RADIUS, (0, 0, TISSUE_RADIUS))
    thing = _instance(
        "tissue", (crumpled, *hidden(ball)), TISSUE_RADIUS, 2 * TISSUE_RADIUS, mass=0.002
    )
    return thing


def _crumple(seed: int) -> Mesh:
    """A ball of flat facets with folds: its triangles share no vertices, so they shade flat."""
    rng = np.random.default_rng(seed)
    rings, sides = 6, 9
    polar = np.linspace(0, math.pi, rings + 1)
    turn = np.linspace(0, 2 * math.pi, sides, endpoint=False)
    radius = TISSUE_RADIUS * rng.uniform(0.72, 1.12, (rings + 1, sides))
    radius[0], radius[-1] = radius[0, 0], radius[-1, 0]
    angle = turn[None, :] + rng.uniform(-0.2, 0.2, (rings + 1, sides))
    grid = radius[..., None] * np.stack(
        [
            np.sin(polar)[:, None] * np.cos(angle),
            np.sin(polar)[:, None] * np.sin(angle),
            np.broadcast_to(np.cos(polar)[:, None], angle.shape),
        ],
        axis=-1,
    )
    triangles = []
    for i in range(rings):
        for j in range(sides):
            a, b = grid[i, j], grid[i, (j + 1) % sides]
            c, d = grid[i + 1, (j + 1) % sides], grid[i + 1, j]
            if i > 0:
                triangles.append((a, c, b))
            if i < rings - 1:
                triangles.append((a, d, c))
    vertices = np.array(triangles).reshape(-1, 3)
    return Mesh(vertices=vertices, faces=np.arange(len(vertices)).reshape(-1, 3))
