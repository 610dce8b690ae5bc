"""Shapes of a thing: what is drawn, what collides, and how far they reach.

Lengths in metres, angles in radians, in the thing's frame: origin at its base centre, z up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal, TypedDict, Unpack

import numpy as np
from jaxtyping import Float64

from uamsim_envs.library.solids import Mesh, Profile, revolve

Vec3 = tuple[float, float, float]
ShapeKind = Literal["box", "cylinder", "sphere", "ellipsoid", "capsule", "mesh"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One shape of a thing.

    Attributes:
        kind: a primitive of MuJoCo, or "mesh".
        size: MuJoCo's half sizes; empty for a mesh.
        pos: its centre; a mesh's origin.
        euler: rotations about the fixed x, y and z axes, in this order.
        mesh: for "mesh", its surface; a mesh never collides.
        shade: factor on the thing's colour.
        rgb: a colour of its own.
        blend: share of the thing's colour in a shape with a colour of its own.
        solid: whether it collides and weighs.
        visible: whether it is drawn.
    """

    kind: ShapeKind
    size: tuple[float, ...] = ()
    pos: Vec3 = (0.0, 0.0, 0.0)
    euler: Vec3 = (0.0, 0.0, 0.0)
    mesh: Mesh | None = None
    shade: float = 1.0
    rgb: Vec3 | None = None
    blend: float = 0.0
    solid: bool = False
    visible: bool = True

    @property
    def volume(self) -> float:
        """m^3 of a primitive, 0 for a mesh."""
        s = self.size
        match self.kind:
            case "box":
                return 8.0 * s[0] * s[1] * s[2]
            case "cylinder":
                return 2.0 * math.pi * s[0] ** 2 * s[1]
            case "sphere":
                return 4.0 / 3.0 * math.pi * s[0] ** 3
            case "ellipsoid":
                return 4.0 / 3.0 * math.pi * s[0] * s[1] * s[2]
            case "capsule":
                return math.pi * s[0] ** 2 * (2.0 * s[1] + 4.0 / 3.0 * s[0])
        return 0.0

    def colour(self, rgb: Vec3) -> Vec3:
        """Its linear RGB when the thing's colour is ``rgb``."""
        own = np.array(rgb) * self.shade
        if self.rgb is not None:
            own = self.blend * own + (1.0 - self.blend) * np.array(self.rgb)
        r, g, b = np.clip(own, 0.0, 1.0)
        return float(r), float(g), float(b)


class Look(TypedDict, total=False):
    """What the shapes below share; see ``Shape``."""

    euler: Vec3
    shade: float
    rgb: Vec3
    blend: float
    solid: bool
    visible: bool


def box(half: Vec3, pos: Vec3, **look: Unpack[Look]) -> Shape:
    """A box of these half sizes."""
    return Shape(kind="box", size=half, pos=pos, **look)


def cylinder(radius: float, half: float, pos: Vec3, **look: Unpack[Look]) -> Shape:
    """A cylinder along z."""
    return Shape(kind="cylinder", size=(radius, half), pos=pos, **look)


def sphere(radius: float, pos: Vec3, **look: Unpack[Look]) -> Shape:
    """A sphere."""
    return Shape(kind="sphere", size=(radius,), pos=pos, **look)


def ellipsoid(half: Vec3, pos: Vec3, **look: Unpack[Look]) -> Shape:
    """An ellipsoid of these half axes."""
    return Shape(kind="ellipsoid", size=half, pos=pos, **look)


def capsule(radius: float, half: float, pos: Vec3, **look: Unpack[Look]) -> Shape:
    """A capsule along z; ``half`` is of its straight part."""
    return Shape(kind="capsule", size=(radius, half), pos=pos, **look)


def surface(mesh: Mesh, pos: Vec3 = (0.0, 0.0, 0.0), **look: Unpack[Look]) -> Shape:
    """A mesh that is drawn and does not collide."""
    return Shape(kind="mesh", mesh=mesh, pos=pos, **look)


def hidden(*shapes: Shape) -> tuple[Shape, ...]:
    """The same shapes for collisions only."""
    return tuple(replace(shape, solid=True, visible=False) for shape in shapes)


def solid(*shapes: Shape) -> tuple[Shape, ...]:
    """The same shapes, which also collide."""
    return tuple(replace(shape, solid=True) for shape in shapes)


def around(shape: Shape, count: int, first: float = 0.0) -> tuple[Shape, ...]:
    """Copies of a shape at equal angles about the z axis, the first turned by ``first``."""
    copies = []
    for i in range(count):
        angle = first + 2.0 * math.pi * i / count
        x, y, z = shape.pos
        c, s = math.cos(angle), math.sin(angle)
        roll, pitch, yaw = shape.euler
        copies.append(
            replace(shape, pos=(c * x - s * y, s * x + c * y, z), euler=(roll, pitch, yaw + angle))
        )
    return tuple(copies)


def lathe_walls(profile: Profile, thickness: float, sectors: int) -> tuple[Shape, ...]:
    """A surface of revolution split into convex parts: a ring of boxes for each of its segments.

    Args:
        profile: (radius, z) of the outside, from bottom to top.
        thickness: of the wall, inwards (m).
        sectors: boxes of a ring; one of them faces along x.
    """
    walls: list[Shape] = []
    for (r0, z0), (r1, z1) in pairwise(profile):
        lean = math.atan2(r1 - r0, z1 - z0)
        middle = (r0 + r1) / 2.0 - thickness / 2.0 * math.cos(lean)
        height = (z0 + z1) / 2.0 + thickness / 2.0 * math.sin(lean)
        half = (
            thickness / 2.0,
            max(r0, r1) * math.tan(math.pi / sectors),
            math.hypot(r1 - r0, z1 - z0) / 2.0,
        )
        walls += around(box(half, (middle, 0.0, height), euler=(0.0, lean, 0.0)), sectors)
    return hidden(*walls)


def vessel(outside: Profile, wall: float, floor: float, *, sides: int = 20) -> Shape:
    """A hollow vessel.

    Args:
        outside: (radius, z) of its outside from the base to the rim.
        wall: thickness (m).
        floor: height of its floor (m).
        sides: of the surface of revolution.
    """
    inner = [(r - wall, z) for r, z in reversed(outside) if z > floor + 0.002]
    base = min(r for r, z in outside if z <= floor + 0.02) - wall
    profile = ((0.0, 0.0), *outside, *inner, (base, floor), (0.0, floor))
    return surface(revolve(profile, sides=sides))


def box_walls(
    half: tuple[float, float], low: float, high: float, thickness: float, **look: Unpack[Look]
) -> tuple[Shape, ...]:
    """Four upright walls.

    Args:
        half: outer half extents along x and y.
        low: where they begin (m).
        high: where they end (m).
        thickness: of the walls, inwards (m).
        **look: of each wall.
    """
    (x, y), t, z = half, thickness / 2.0, (low + high) / 2.0
    tall = (high - low) / 2.0
    return (
        box((t, y, tall), (x - t, 0.0, z), **look),
        box((t, y, tall), (t - x, 0.0, z), **look),
        box((x - 2 * t, t, tall), (0.0, y - t, z), **look),
        box((x - 2 * t, t, tall), (0.0, t - y, z), **look),
    )


def quat(euler: Vec3) -> tuple[float, float, float, float]:
    """Rotation about the fixed x, y and z axes in this order, as (w, x, y, z)."""
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(a / 2), math.sin(a / 2)) for a in euler)
    return (
        cy * cp * cr + sy * sp * sr,
        cy * cp * sr - sy * sp * cr,
        cy * sp * cr + sy * cp * sr,
        sy * cp * cr - cy * sp * sr,
    )


def rotation(euler: Vec3) -> Float64[np.ndarray, "3 3"]:
    """The same rotation as a matrix."""
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(a), math.sin(a)) for a in euler)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


_STEPS = 12


@lru_cache(maxsize=1)
def _directions() -> Float64[np.ndarray, "N 3"]:
    polar, turn = np.meshgrid(
        np.linspace(0, math.pi, _STEPS + 1), np.linspace(0, 2 * math.pi, 2 * _STEPS, endpoint=False)
    )
    z, r = np.cos(polar).ravel(), np.sin(polar).ravel()
    return np.column_stack([r * np.cos(turn.ravel()), r * np.sin(turn.ravel()), z])


def points(shape: Shape) -> Float64[np.ndarray, "N 3"]:
    """Points all over a shape's surface, in the thing's frame."""
    size = shape.size
    if shape.mesh is not None:
        local = shape.mesh.vertices
    elif shape.kind == "box":
        cloud = _directions() / np.abs(_directions()).max(1, keepdims=True)
        corners = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
        local = np.concatenate([cloud, corners]) * size
    elif shape.kind == "cylinder":
        round_ = _directions()[np.abs(_directions()[:, 2]) < 0.1]
        level = np.linspace(-1.0, 1.0, _STEPS + 1)
        local = np.concatenate([size[0] * round_ + (0, 0, z * size[1]) for z in level])
    elif shape.kind == "capsule":
        local = np.concatenate(
            [_directions() * size[0] + (0, 0, z * size[1]) for z in np.linspace(-1, 1, 5)]
        )
    else:
        local = _directions() * (size * 3 if shape.kind == "sphere" else size)
    return local @ rotation(shape.euler).T + shape.pos


def reach(shapes: Sequence[Shape]) -> tuple[float, float, float]:
    """The circle that shapes cover on the table and where they begin and end.

    Returns:
        radius, lowest and highest z (m).
    """
    cloud = np.concatenate([points(shape) for shape in shapes])
    return (
        float(np.linalg.norm(cloud[:, :2], axis=1).max()),
        float(cloud[:, 2].min()),
        float(cloud[:, 2].max()),
    )
