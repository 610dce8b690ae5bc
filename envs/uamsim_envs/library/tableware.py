"""Plates, saucers, trays, bowls and cups: what things are put on or into."""

import math

from uamsim_envs.library.instance import Opening, add
from uamsim_envs.library.shapes import (
    Shape,
    around,
    box,
    box_walls,
    capsule,
    cylinder,
    ellipsoid,
    hidden,
    lathe_walls,
    solid,
    surface,
    vessel,
)
from uamsim_envs.library.solids import revolve

_UP = math.pi / 2
_WHITE = (0.94, 0.94, 0.92)
_DARK = (0.07, 0.07, 0.08)
_SOIL = (0.13, 0.08, 0.05)
_BRIGHT = ("red", "green", "blue", "yellow", "white", "purple", "orange", "cyan")
_SECTORS = 10


def _rim_grasps(
    radius: float, rim: float, count: int = 4, first: float = 0.0
) -> list[tuple[float, float, tuple[float, float]]]:
    """Grasps of the edge at equal angles: one finger inside, one outside."""
    angles = [first + 2 * math.pi * k / count for k in range(count)]
    return [(rim - 0.006, a, (radius * math.cos(a), radius * math.sin(a))) for a in angles]


def _add_plates() -> None:
    for name, r, h, stripes in (
        ("plain", 0.058, 0.013, False),
        ("deep", 0.055, 0.018, False),
        ("striped", 0.060, 0.012, True),
    ):
        outside = ((0.62 * r, 0.0), (0.70 * r, 0.004), (r, h - 0.002), (r, h))
        shapes = [
            surface(revolve(((0, 0), *outside, (0.70 * r, 0.0065), (0, 0.0055)), sides=28)),
            cylinder(0.66 * r, 0.0008, (0, 0, 0.0056), shade=0.72),
        ]
        if stripes:
            shapes += around(
                ellipsoid((0.004, 0.004, 0.0012), (0.86 * r, 0, 0.8 * h), rgb=_WHITE, blend=0.2), 14
            )
        walls = lathe_walls(((0.70 * r, 0.003), (0.97 * r, h)), 0.004, _SECTORS)
        base = cylinder(0.74 * r, 0.003, (0, 0, 0.003))
        add(
            name,
            "plate",
            (*shapes, *hidden(base), *walls),
            colours=_BRIGHT,
            mass=0.12,
            scale=(0.95, 1.1),
            opening=Opening(shape="circle", half=(0.80 * r, 0.80 * r), floor=0.0065, rim=h),
        )
    x, h = 0.050, 0.012
    walls = box_walls((x, x), 0.0, h, 0.005, shade=0.85)
    shapes = (*solid(box((x - 0.004, x - 0.004, 0.003), (0, 0, 0.003), shade=0.72)), *solid(*walls))
    add(
        "square",
        "plate",
        shapes,
        colours=_BRIGHT,
        mass=0.12,
        scale=(0.95, 1.1),
        opening=Opening(shape="box", half=(x - 0.005, x - 0.005), floor=0.006, rim=h),
        held_out=True,
    )


def _add_saucers() -> None:
    for name, r, h in (("plain", 0.046, 0.011), ("small", 0.041, 0.010), ("deep", 0.044, 0.014)):
        outside = ((0.45 * r, 0.0), (0.55 * r, 0.003), (r, h - 0.002), (r, h))
        shapes = (
            surface(revolve(((0, 0), *outside, (0.60 * r, 0.0055), (0, 0.0045)), sides=24)),
            cylinder(0.46 * r, 0.0006, (0, 0, 0.0052), shade=0.70),
            cylinder(0.40 * r, 0.0008, (0, 0, 0.0052), shade=0.92),
            *around(
                box(
                    (0.05 * r, 0.009, 0.0005),
                    (0.88 * r, 0, 0.84 * h + 0.0008),
                    euler=(0, -0.3, 0),
                    rgb=_WHITE,
                    blend=0.45,
                ),
                12,
            ),
            *hidden(cylinder(0.64 * r, 0.0026, (0, 0, 0.0026))),
            *lathe_walls(((0.58 * r, 0.002), (0.97 * r, h)), 0.004, _SECTORS),
        )
        add(
            name,
            "saucer",
            shapes,
            colours=("white", "blue", "green", "red"),
            mass=0.07,
            scale=(0.95, 1.1),
            opening=Opening(shape="circle", half=(0.75 * r, 0.75 * r), floor=0.0052, rim=h),
        )
    x, h = 0.040, 0.010
    shapes = (
        *solid(box((x - 0.003, x - 0.003, 0.0028), (0, 0, 0.0028), shade=0.85)),
        *solid(*box_walls((x, x), 0.0, h, 0.005)),
        cylinder(0.45 * x, 0.0004, (0, 0, 0.0057), shade=0.65),
        cylinder(0.38 * x, 0.0006, (0, 0, 0.0057), shade=0.9),
    )
    add(
        "square",
        "saucer",
        shapes,
        colours=("white", "blue", "green", "red"),
        mass=0.07,
        scale=(0.95, 1.1),
        opening=Opening(shape="box", half=(x - 0.005, x - 0.005), floor=0.0056, rim=h),
        held_out=True,
    )


def _add_trays() -> None:
    for name, x, y, h in (
        ("plain", 0.062, 0.047, 0.020),
        ("deep", 0.056, 0.044, 0.026),
        ("long", 0.072, 0.040, 0.018),
    ):
        handles = [
            capsule(0.003, 0.013, (sx * (x + 0.003), 0, h), euler=(_UP, 0, 0), shade=0.55)
            for sx in (-1, 1)
        ]
        shapes = (
            *solid(box((x - 0.003, y - 0.003, 0.003), (0, 0, 0.003), shade=0.62)),
            *solid(*box_walls((x, y), 0.0, h, 0.006)),
            *handles,
        )
        add(
            name,
            "tray",
            shapes,
            colours=_BRIGHT,
            mass=0.13,
            scale=(0.95, 1.08),
            opening=Opening(shape="box", half=(x - 0.006, y - 0.006), floor=0.006, rim=h),
        )
    r, h = 0.058, 0.018
    shapes = (
        vessel(((r - 0.002, 0.0), (r, h)), 0.005, 0.006, sides=28),
        cylinder(r - 0.006, 0.0006, (0, 0, 0.0062), shade=0.62),
        *(
            capsule(0.003, 0.013, (sx * (r + 0.003), 0, h), euler=(_UP, 0, 0), shade=0.55)
            for sx in (-1, 1)
        ),
        *hidden(cylinder(r - 0.004, 0.003, (0, 0, 0.003))),
        *lathe_walls(((r, 0.0), (r, h)), 0.005, 12),
    )
    add(
        "round",
        "tray",
        shapes,
        colours=_BRIGHT,
        mass=0.13,
        scale=(0.95, 1.08),
        opening=Opening(shape="circle", half=(r - 0.006, r - 0.006), floor=0.006, rim=h),
        held_out=True,
    )


def _add_bowls() -> None:
    for name, base, r, h, band in (
        ("plain", 0.036, 0.055, 0.040, False),
        ("deep", 0.034, 0.050, 0.048, False),
        ("banded", 0.036, 0.054, 0.038, True),
        ("flared", 0.028, 0.055, 0.042, False),
    ):
        belly = 0.74 * (r - base)
        outside = ((base, 0.0), (base + belly, 0.42 * h), (r, h))
        shapes = [
            vessel(outside, 0.005, 0.008, sides=24),
            cylinder(0.96 * base, 0.0006, (0, 0, 0.0086), shade=0.45),
        ]
        if band:
            at = base + belly + 0.5 * (r - base - belly)
            shapes += around(
                ellipsoid(
                    (0.0012, 0.0040, 0.0040),
                    (at + 0.0005, 0, 0.66 * h + 0.003),
                    euler=(0, 0.2, 0),
                    rgb=_WHITE,
                    blend=0.1,
                ),
                14,
            )
        walls = lathe_walls((outside[1], (r, h)), 0.005, _SECTORS)
        low = lathe_walls((outside[0], outside[1]), 0.005, 8)
        add(
            name,
            "bowl",
            (*shapes, *hidden(cylinder(base, 0.004, (0, 0, 0.004))), *walls, *low),
            colours=_BRIGHT,
            mass=0.06,
            scale=(0.95, 1.08),
            grasps=_rim_grasps(r - 0.004, h, _SECTORS // 2),
            opening=Opening(shape="circle", half=(r - 0.007, r - 0.007), floor=0.008, rim=h),
            held_out=name == "flared",
        )


def _handle(radius: float, low: float, high: float) -> tuple[Shape, ...]:
    """A cup's ear, in +x."""
    out = 0.017
    middle = (low + high) / 2
    upright = capsule(0.0035, (high - low) / 2 - 0.003, (radius + out, 0.0, middle))
    arms = [
        capsule(0.0035, out / 2, (radius + out / 2, 0.0, z), euler=(0.0, _UP, 0.0))
        for z in (low, high)
    ]
    return (upright, *arms)


def _add_cups() -> None:
    for name, base, r, h, ear in (
        ("mug", 0.0270, 0.0275, 0.052, True),
        ("tea", 0.0200, 0.0280, 0.042, True),
        ("tall", 0.0235, 0.0260, 0.064, True),
        ("tumbler", 0.0210, 0.0280, 0.060, False),
    ):
        outside = ((base, 0.0), (base + 0.7 * (r - base), 0.45 * h), (r, h))
        if name == "tea":
            outside = ((base, 0.0), (0.94 * r, 0.40 * h), (r, h))
        shapes = (
            vessel(outside, 0.004, 0.006, sides=20),
            cylinder(0.86 * base, 0.0006, (0, 0, 0.0066), shade=0.40),
            *(solid(*_handle(r - 0.002, 0.25 * h, 0.78 * h)) if ear else ()),
            *hidden(cylinder(base, 0.003, (0, 0, 0.003))),
            *lathe_walls((outside[0], (r, h)), 0.004, 8),
        )
        add(
            name,
            "cup",
            shapes,
            colours=("white", "red", "blue", "green", "yellow"),
            mass=0.07,
            scale=(0.95, 1.06),
            material=(0.3, 0.8),
            grasps=((0.55 * h, _UP), *_rim_grasps(r - 0.002, h, 3, math.pi / 2)[:1]),
            opening=Opening(shape="circle", half=(r - 0.005, r - 0.005), floor=0.006, rim=h),
            held_out=name == "tumbler",
        )


def add_all() -> None:
    """Registers the tableware."""
    _add_plates()
    _add_saucers()
    _add_trays()
    _add_bowls()
    _add_cups()
