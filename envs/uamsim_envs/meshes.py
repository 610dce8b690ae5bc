"""Small meshes for shapes that MuJoCo's primitives lack; lengths in metres."""

import math
from collections.abc import Sequence

import mujoco
import numpy as np


def _lathe(profile: Sequence[tuple[float, float]], sides: int) -> tuple[np.ndarray, np.ndarray]:
    """A closed surface of revolution; the profile (radius, z) runs with the outside on its right.

    Its first and last points lie on the axis.
    """
    angles = np.linspace(0.0, 2.0 * math.pi, sides, endpoint=False)
    inner = profile[1:-1]
    vertices = [(r * math.cos(a), r * math.sin(a), z) for r, z in inner for a in angles]
    first, last = len(vertices), len(vertices) + 1
    vertices += [(0.0, 0.0, profile[0][1]), (0.0, 0.0, profile[-1][1])]
    faces = []
    top = (len(inner) - 1) * sides
    for i in range(sides):
        j = (i + 1) % sides
        faces += [(first, j, i), (last, top + i, top + j)]
        for ring in range(0, top, sides):
            a, b, c, d = ring + i, ring + j, ring + sides + j, ring + sides + i
            faces += [(a, b, c), (a, c, d)]
    return np.array(vertices), np.array(faces)


def _prism(outline: Sequence[tuple[float, float]], height: float) -> tuple[np.ndarray, np.ndarray]:
    """A prism over a counter-clockwise outline that is star-shaped about the origin."""
    n = len(outline)
    vertices = [(x, y, 0.0) for x, y in outline] + [(x, y, height) for x, y in outline]
    vertices += [(0.0, 0.0, 0.0), (0.0, 0.0, height)]
    faces = []
    for i in range(n):
        j = (i + 1) % n
        faces += [(i, j, n + j), (i, n + j, n + i), (2 * n, j, i), (2 * n + 1, n + i, n + j)]
    return np.array(vertices), np.array(faces)


def _polygon(radii: Sequence[float], first: float = math.pi / 2) -> list[tuple[float, float]]:
    step = 2.0 * math.pi / len(radii)
    return [
        (r * math.cos(first + i * step), r * math.sin(first + i * step))
        for i, r in enumerate(radii)
    ]


_BOWL = ((0, 0), (0.036, 0), (0.048, 0.016), (0.056, 0.042), (0.051, 0.042), (0.042, 0.016),
         (0.036, 0.009), (0, 0.008))  # fmt: skip
MESHES: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "cone": _lathe(((0, 0), (0.030, 0), (0.0035, 0.066), (0, 0.066)), 16),
    "star": _prism(_polygon([0.036, 0.0165] * 5), 0.026),
    "triangle": _prism(_polygon([0.046] * 3), 0.004),
    "bowl": _lathe(_BOWL, 20),
}


def add_meshes(spec: mujoco.MjSpec) -> None:
    """Adds the meshes that the categories use; once a spec."""
    for name, (vertices, faces) in MESHES.items():
        spec.add_mesh(name=name, uservert=vertices.ravel(), userface=faces.ravel())
