"""Small closed meshes: surfaces of revolution, prisms and what bends them; lengths in metres."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

Profile = Sequence[tuple[float, float]]
MAX_FACES = 400


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """A closed surface.

    Attributes:
        vertices: m, float [V, 3].
        faces: counter-clockwise from outside, int [F, 3].
    """

    vertices: Float64[np.ndarray, "V 3"]
    faces: Int64[np.ndarray, "F 3"]


def curve(points: Profile, count: int) -> list[tuple[float, float]]:
    """``count`` points of the Catmull-Rom curve through a profile, its ends included."""
    p = np.array(points, float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    where = np.linspace(0, len(points) - 1, count)
    i = np.minimum(where.astype(int), len(points) - 2)
    t = (where - i)[:, None]
    a, b, c, d = (p[i + k] for k in range(4))
    curved = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    return [(max(float(r), 0.0), float(z)) for r, z in curved]


def _loft(rings: Float64[np.ndarray, "K N 3"], first: float, last: float) -> Mesh:
    """Rings joined to one surface and closed by fans to the axis at heights first and last."""
    count, sides, _ = rings.shape
    vertices = np.concatenate([rings.reshape(-1, 3), [[0, 0, first], [0, 0, last]]])
    i = np.arange(sides)
    j = (i + 1) % sides
    top = (count - 1) * sides
    faces = [
        np.stack([np.full(sides, count * sides), j, i], axis=1),
        np.stack([np.full(sides, count * sides + 1), top + i, top + j], axis=1),
    ]
    for ring in range(0, top, sides):
        a, b, c, d = ring + i, ring + j, ring + sides + j, ring + sides + i
        faces += [np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]
    return Mesh(vertices=vertices, faces=np.concatenate(faces))


def revolve(
    profile: Profile,
    *,
    sides: int = 16,
    lobes: int = 0,
    depth: float | Callable[[float], float] = 0.0,
    twist: float = 0.0,
    aspect: tuple[float, float] = (1.0, 1.0),
    power: float = 2.0,
) -> Mesh:
    """A surface about the z axis.

    Args:
        profile: (radius, z) with the outside on its right; the ends are closed on the axis.
        sides: points of a ring.
        lobes: bulges around the axis.
        depth: their depth as a share of the radius, or that of the height's share (0..1).
        twist: rad that the lobes turn from bottom to top.
        aspect: factors on x and y.
        power: 2 for a circle, more for a rounded square.
    """
    angle = np.linspace(0.0, 2.0 * math.pi, sides, endpoint=False)
    if power != 2.0:
        angle = angle + math.pi / sides
    inner = [p for p in profile if p[0] > 1e-9]
    low, high = min(z for _, z in profile), max(z for _, z in profile)
    c, s = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    shape = (c**power + s**power) ** (-1.0 / power)
    rings = []
    for r, z in inner:
        share = (z - low) / (high - low)
        bulge = depth(share) if callable(depth) else depth
        radius = r * shape * (1.0 + bulge * np.cos(lobes * (angle - twist * share)))
        xy = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) * aspect
        rings.append(np.column_stack([xy, np.full(sides, z)]))
    return _loft(np.array(rings), profile[0][1], profile[-1][1])


def slab(
    half: tuple[float, float],
    height: float,
    *,
    corner: float = 4.0,
    edge: float = 0.15,
    sides: int = 24,
) -> Mesh:
    """A flat thing with rounded corners and edges, its base at z = 0.

    Args:
        half: half extents along x and y.
        height: along z.
        corner: exponent of the outline: 2 an ellipse, 10 nearly a rectangle.
        edge: share of the height that the rounding of the edges takes.
        sides: points of the outline.
    """
    rim = edge * height / max(half)
    profile = (
        (0.0, 0.0),
        (1.0 - rim, 0.0),
        (1.0, edge * height),
        (1.0, (1.0 - edge) * height),
        (1.0 - 0.4 * rim, (1.0 - 0.3 * edge) * height),
        (1.0 - 1.3 * rim, height),
        (0.0, height),
    )
    return revolve(profile, sides=sides, aspect=half, power=corner)


def prism(outline: Sequence[tuple[float, float]], height: float, bevel: float = 0.0) -> Mesh:
    """A prism over a counter-clockwise outline that is star-shaped about the origin.

    Args:
        outline: (x, y) points.
        height: along z from 0.
        bevel: how far (m) the top edge is cut inwards and downwards.
    """
    xy = np.array(outline, float)
    inward = 1.0 - bevel / np.linalg.norm(xy, axis=1, keepdims=True)
    levels = [(xy, 0.0), (xy, height - bevel)]
    levels += [(xy * inward, height)] if bevel else []
    rings = [np.column_stack([points, np.full(len(xy), z)]) for points, z in levels]
    return _loft(np.array(rings), 0.0, levels[-1][1])


def polygon(radii: Sequence[float], first: float = math.pi / 2) -> list[tuple[float, float]]:
    """Points at equal angles from ``first`` on, at these radii."""
    step = 2.0 * math.pi / len(radii)
    return [
        (r * math.cos(first + i * step), r * math.sin(first + i * step))
        for i, r in enumerate(radii)
    ]


def extrude(side_view: Sequence[tuple[float, float]], half_width: float) -> Mesh:
    """A prism along y: a counter-clockwise (x, z) outline, star-shaped about its mean."""
    middle = np.mean(np.array(side_view, float), axis=0)
    flat = prism([(x - middle[0], z - middle[1]) for x, z in side_view], 2.0 * half_width)
    x, z, y = flat.vertices.T
    vertices = np.stack([x + middle[0], half_width - y, z + middle[1]], axis=1)
    return Mesh(vertices=vertices, faces=flat.faces)


def lay(mesh: Mesh, profile: Profile, flat: float = 1.0) -> Mesh:
    """Lays a surface of revolution on the table along x, so that all its rings touch z = 0.

    Args:
        mesh: made from ``profile``.
        profile: (radius, z).
        flat: factor on its new height.
    """
    x, y, z = mesh.vertices.T
    order = np.argsort([p[1] for p in profile])
    at = np.array([p[1] for p in profile])[order]
    radius = np.interp(z, at, np.array([p[0] for p in profile])[order])
    return Mesh(vertices=np.stack([z, y, flat * (radius - x)], axis=1), faces=mesh.faces)


def bend(mesh: Mesh, radius: float) -> Mesh:
    """Bends a thing that lies along x about a vertical axis at (0, ``radius``)."""
    x, y, z = mesh.vertices.T
    turn = x / radius
    bent = np.stack([(radius - y) * np.sin(turn), radius - (radius - y) * np.cos(turn), z], axis=1)
    return Mesh(vertices=bent, faces=mesh.faces)


def lump(mesh: Mesh, amount: float, seed: int) -> Mesh:
    """Dents and bumps of about ``amount`` (m) across, the same for the same seed."""
    rng = np.random.default_rng(seed)
    shift = np.zeros_like(mesh.vertices)
    for _ in range(3):
        wave, phase = rng.normal(size=3) * 60.0, rng.uniform(0, 2 * math.pi)
        shift += amount / 3 * rng.normal(size=3) * np.sin(mesh.vertices @ wave + phase)[:, None]
    vertices = mesh.vertices + shift
    vertices[:, 2] -= vertices[:, 2].min()
    return Mesh(vertices=vertices, faces=mesh.faces)
