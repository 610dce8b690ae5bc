"""Where things stand: rejection sampling on the table, which always ends."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from uamsim.errors import SceneError

Region = tuple[float, float, float, float]
"""x low, x high, y low, y high (m)."""
_RESTARTS = 500
_TRIES = 40


def widened(regions: Sequence[Region], share: float) -> tuple[Region, ...]:
    """Regions about the same middles with sides longer by a share."""
    if share == 0:
        return tuple(regions)
    grown = []
    for x0, x1, y0, y1 in regions:
        x, y = share * (x1 - x0) / 2, share * (y1 - y0) / 2
        grown.append((x0 - x, x1 + x, y0 - y, y1 + y))
    return tuple(grown)


def lay_out(
    rng: np.random.Generator,
    regions: Sequence[Sequence[Region]],
    radii: Sequence[float],
    *,
    gap: float,
    taken: Sequence[tuple[float, float, float]] = (),
    restarts: int = _RESTARTS,
) -> Float64[np.ndarray, "N 2"]:
    """Random positions whose circles keep a gap between each other.

    Args:
        rng: source of the positions.
        regions: for each thing the regions it may stand in; one is drawn.
        radii: of each thing's circle (m).
        gap: between any two circles (m).
        taken: circles (x, y, radius) that are there already.
        restarts: how often it begins anew at most.

    Raises:
        SceneError: no room was found.
    """
    for _ in range(restarts):
        circles = list(taken)
        for options, radius in zip(regions, radii, strict=True):
            place = _find(rng, options, radius, gap, circles)
            if place is None:
                break
            circles.append((*place, radius))
        else:
            return np.array([c[:2] for c in circles[len(taken) :]]).reshape(-1, 2)
    raise SceneError(
        f"no room for {len(radii)} things of radius {min(radii):.3f} to {max(radii):.3f} m with "
        f"gaps of {gap:.3f} m; ask for fewer."
    )


def _find(
    rng: np.random.Generator,
    options: Sequence[Region],
    radius: float,
    gap: float,
    circles: Sequence[tuple[float, float, float]],
) -> tuple[float, float] | None:
    for _ in range(_TRIES):
        x0, x1, y0, y1 = options[int(rng.integers(len(options)))]
        x, y = float(rng.uniform(x0, x1)), float(rng.uniform(y0, y1))
        if all((x - a) ** 2 + (y - b) ** 2 >= (radius + r + gap) ** 2 for a, b, r in circles):
            return x, y
    return None
