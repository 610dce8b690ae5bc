"""Potatoes, steamed buns and mushrooms."""

import math

import numpy as np

from uamsim_envs.library.instance import add
from uamsim_envs.library.shapes import (
    Shape,
    around,
    box,
    capsule,
    cylinder,
    ellipsoid,
    hidden,
    sphere,
    surface,
)
from uamsim_envs.library.solids import curve, lay, lump, revolve

_UP = math.pi / 2
_GREEN = (0.08, 0.40, 0.10)
_CREAM = (0.93, 0.88, 0.74)


def _add_potatoes() -> None:
    brown = (0.42, 0.26, 0.12)
    for name, half, r, seed in (
        ("plain", 0.036, 0.0230, 1),
        ("long", 0.043, 0.0205, 2),
        ("round", 0.031, 0.0250, 4),
        ("knobbly", 0.037, 0.0235, 5),
    ):
        profile = curve(
            (
                (0.0, -half),
                (0.6 * r, -0.82 * half),
                (r, -0.2 * half),
                (0.98 * r, 0.3 * half),
                (0.62 * r, 0.84 * half),
                (0.0, half),
            ),
            12,
        )
        flat = 0.88
        body = lump(lay(revolve(profile, sides=14), [(r, -half), (r, half)], flat), 0.005, seed)
        top = body.vertices[body.vertices[:, 2] > flat * r]
        spots = [
            top[np.linalg.norm(top[:, :2] - (x * half, y * r), axis=1).argmin()]
            for x, y in ((0.5, 0.2), (-0.1, -0.45), (-0.45, 0.35), (0.15, 0.55), (0.35, -0.6))
        ]
        eyes = [
            ellipsoid(
                (0.0030, 0.0017, 0.0014), (float(x), float(y), float(z)), rgb=(0.16, 0.09, 0.04)
            )
            for x, y, z in spots
        ]
        add(
            name,
            "potato",
            (
                surface(body, rgb=brown, blend=0.40),
                *eyes,
                *hidden(
                    ellipsoid((half, r, flat * r), (0.0, 0.0, flat * r)),
                    box((0.55 * half, 0.55 * r, 0.2 * r), (0.0, 0.0, 0.2 * r)),
                ),
            ),
            colours=("yellow", "red"),
            mass=0.08,
            material=(0.0, 0.2),
            grasps=((0.85 * r, _UP),),
            held_out=name == "long",
        )


def _baozi(r: float, h: float, pleats: int, twist: float) -> tuple[Shape, ...]:
    profile = curve(
        (
            (0.0, 0.0),
            (0.90 * r, 0.0),
            (r, 0.28 * h),
            (0.90 * r, 0.58 * h),
            (0.60 * r, 0.84 * h),
            (0.30 * r, 0.95 * h),
            (0.16 * r, h),
            (0.0, 0.93 * h),
        ),
        10,
    )
    dough = revolve(
        profile,
        sides=24,
        lobes=pleats,
        depth=lambda s: 0.16 * max(0.0, s - 0.35) / 0.65,
        twist=twist,
    )
    pleat = capsule(
        0.0011, 0.31 * r, (0.52 * r, 0.0, 0.885 * h), euler=(0.0, 2.05, 0.5 * twist), shade=0.70
    )
    return (
        surface(dough, shade=0.97),
        *around(pleat, pleats),
        ellipsoid((0.13 * r, 0.13 * r, 0.004), (0.0, 0.0, 0.99 * h), shade=0.75),
        *hidden(
            cylinder(0.97 * r, 0.29 * h, (0.0, 0.0, 0.29 * h)),
            cylinder(0.62 * r, 0.14 * h, (0.0, 0.0, 0.72 * h)),
        ),
    )


def _add_baozi() -> None:
    for name, r, h, pleats, twist in (
        ("round", 0.0284, 0.040, 8, 0.9),
        ("tall", 0.0270, 0.050, 8, 1.2),
        ("flat", 0.0286, 0.034, 8, 0.6),
        ("small", 0.0245, 0.037, 8, 1.0),
    ):
        add(
            name,
            "baozi",
            _baozi(r, h, pleats, twist),
            colours=("white", "yellow"),
            mass=0.06,
            material=(0.0, 0.3),
            grasps=((0.45 * h, 0.0), (0.45 * h, _UP)),
            held_out=name == "tall",
        )


def _add_mushrooms() -> None:
    for name, cap, cap_height, stem, tall, spots in (
        ("spotted", 0.0280, 0.020, 0.0145, 0.046, 6),
        ("plain", 0.0265, 0.024, 0.0125, 0.050, 0),
        ("wide", 0.0284, 0.016, 0.0165, 0.040, 6),
    ):
        hat = curve(
            (
                (0.0, 0.0),
                (0.94 * cap, -0.002),
                (cap, 0.22 * cap_height),
                (0.74 * cap, 0.72 * cap_height),
                (0.35 * cap, 0.97 * cap_height),
                (0.0, cap_height),
            ),
            10,
        )
        foot = ((0.0, 0.0), (1.3 * stem, 0.0), (stem, 0.3 * tall), (0.9 * stem, tall), (0.0, tall))
        spot = ellipsoid(
            (0.0055, 0.0055, 0.0015),
            (0.64 * cap, 0.0, tall + 0.78 * cap_height),
            euler=(0.0, 0.75, 0.0),
            rgb=(0.97, 0.95, 0.9),
        )
        shapes = (
            surface(revolve(foot, sides=14), rgb=_CREAM),
            surface(revolve(hat), (0.0, 0.0, tall - 0.004)),
            *(around(spot, spots) if spots else ()),
            *((sphere(0.005, (0, 0, tall + cap_height - 0.008), rgb=_CREAM),) if spots else ()),
            *hidden(
                cylinder(1.15 * stem, tall / 2, (0.0, 0.0, tall / 2)),
                cylinder(0.95 * cap, 0.35 * cap_height, (0.0, 0.0, tall + 0.35 * cap_height)),
            ),
        )
        add(
            name,
            "mushroom",
            shapes,
            colours=("red", "white", "yellow", "orange"),
            mass=0.05,
            grasps=((0.5 * tall, 0.0), (0.5 * tall, _UP)),
        )


def add_all() -> None:
    """Registers them."""
    _add_potatoes()
    _add_baozi()
    _add_mushrooms()
