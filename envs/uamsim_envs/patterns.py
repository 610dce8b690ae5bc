"""Patterns on surfaces, made from what a perturbation drew."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64


def draw_pattern(
    parameters: Mapping[str, Any],
    x: Float64[np.ndarray, "H W"],
    y: Float64[np.ndarray, "H W"],
) -> Float64[np.ndarray, "H W 3"]:
    """Colours in [0, 1] of a pattern at points of a surface.

    Args:
        parameters: "kind", "period_m", "angle_rad", "rgbs" and "seed", as
            ``perturbations.scene.TableTexture`` draws them.
        x: m, on the surface.
        y: m, on the surface.
    """
    c, s = np.cos(parameters["angle_rad"]), np.sin(parameters["angle_rad"])
    turn = 2 * np.pi / parameters["period_m"]
    u, v = (c * x + s * y) * turn, (c * y - s * x) * turn
    rng = np.random.default_rng(parameters["seed"])
    kind = parameters["kind"]
    if kind == "checks":
        mix = (np.sin(u) * np.sin(v) > 0).astype(float)
    elif kind == "stripes":
        mix = (np.sin(u) > 0).astype(float)
    elif kind == "grain":
        phases, slopes = rng.uniform(0, 2 * np.pi, size=3), rng.uniform(0.05, 0.25, size=3)
        bend = sum(np.sin(slope * v + p) for slope, p in zip(slopes, phases, strict=True))
        mix = 0.5 + 0.5 * np.sin(u + 1.5 * bend)
    else:
        mix = rng.random(x.shape)
    first, second = np.asarray(parameters["rgbs"])
    return first + mix[..., None] * (second - first)
