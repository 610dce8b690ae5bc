"""Baskets, boxes, garbage cans, vases and flower pots: what things are put into."""

import math
from collections.abc import Sequence

from uamsim_envs.library.instance import Opening, add
from uamsim_envs.library.shapes import (
    Shape,
    Vec3,
    around,
    box,
    box_walls,
    capsule,
    cylinder,
    ellipsoid,
    hidden,
    lathe_walls,
    solid,
    vessel,
)
from uamsim_envs.library.solids import curve

_UP = math.pi / 2
_WHITE = (0.94, 0.94, 0.92)
_DARK = (0.07, 0.07, 0.08)
_SOIL = (0.13, 0.08, 0.05)
_BRIGHT = ("red", "green", "blue", "yellow", "white", "purple", "orange", "cyan")
_SECTORS = 10


def _loops(x: float, z: float) -> tuple[Shape, ...]:
    """A basket's two handles, on the walls towards +x and -x."""
    radius, half = 0.015, 0.0042
    pieces = [
        capsule(
            0.0028,
            half,
            (x, radius * math.cos(angle), z + radius * math.sin(angle)),
            euler=(angle, 0.0, 0.0),
            shade=0.8,
        )
        for angle in (math.radians(18 + 36 * k) for k in range(5))
    ]
    return tuple(copy for piece in pieces for copy in around(piece, 2))


def _add_baskets() -> None:
    for name, x, y, h in (
        ("plain", 0.052, 0.042, 0.044),
        ("square", 0.045, 0.045, 0.050),
        ("low", 0.056, 0.042, 0.032),
    ):
        t = 0.005
        rows = max(2, round(h / 0.014))
        walls = box_walls((x - 0.001, y - 0.001), 0.0, h, t - 0.001, shade=0.55)
        weave: list[Shape] = []
        for row in range(rows):
            z = (row + 0.5) * h / rows
            for k in range(7):
                u = (k - 3) / 3.5
                raised = 0.0016 if (k + row) % 2 else 0.0
                half = h / rows * 0.42
                for s in (-1, 1):
                    if raised:
                        weave.append(box((0.125 * x, 0.002, half), (u * x * 0.96, s * y, z)))
                        weave.append(box((0.002, 0.125 * y, half), (s * x, u * y * 0.96, z)))
        rim = box_walls((x + 0.003, y + 0.003), h - 0.003, h + 0.004, 0.007, shade=0.85)
        parts = [*walls, *weave, *rim]
        floor = box((x - 0.003, y - 0.003, 0.002), (0, 0, 0.002), shade=0.45)
        parts += _loops(x + 0.001, h + 0.002)
        add(
            name,
            "basket",
            (*parts, *hidden(floor, *walls), floor),
            colours=("yellow", "white", "green", "red"),
            mass=0.12,
            scale=(0.95, 1.06),
            material=(0.0, 0.1),
            opening=Opening(shape="box", half=(x - t, y - t), floor=0.004, rim=h),
        )


def _add_boxes() -> None:
    for name, x, y, h in (
        ("plain", 0.046, 0.046, 0.045),
        ("low", 0.050, 0.042, 0.032),
        ("tall", 0.042, 0.042, 0.060),
        ("long", 0.060, 0.038, 0.040),
    ):
        t, flap = 0.004, 0.011
        tilt = 0.9
        dx, dz = flap * math.cos(tilt), flap * math.sin(tilt)
        flaps = [
            box(
                (flap, y - t, 0.0012),
                (sx * (x + dx - 0.001), 0, h - dz + 0.001),
                euler=(0, sx * tilt, 0),
                shade=0.82,
            )
            for sx in (-1, 1)
        ]
        flaps += [
            box(
                (x - t, flap, 0.0012),
                (0, sy * (y + dx - 0.001), h - dz + 0.001),
                euler=(-sy * tilt, 0, 0),
                shade=0.78,
            )
            for sy in (-1, 1)
        ]
        shapes = (
            *solid(box((x - 0.002, y - 0.002, 0.002), (0, 0, 0.002), shade=0.5)),
            *solid(*box_walls((x, y), 0.0, h, t)),
            *flaps,
        )
        add(
            name,
            "box",
            shapes,
            colours=("yellow", "white", "red", "blue", "green"),
            mass=0.12,
            scale=(0.95, 1.05),
            material=(0.0, 0.2),
            opening=Opening(shape="box", half=(x - t, y - t), floor=0.004, rim=h),
            held_out=name == "long",
        )


def _liner(radius: float, h: float) -> tuple[Shape, ...]:
    """A garbage bag folded over the rim."""
    fold = box((0.0015, 0.40 * radius, 0.006), (radius + 0.004, 0.0, h - 0.005), rgb=_DARK)
    edge = box((0.0045, 0.40 * radius, 0.001), (radius - 0.0005, 0.0, h + 0.001), rgb=_DARK)
    return (*around(fold, 9), *around(edge, 9))


def _add_garbage_cans() -> None:
    for name, base, r, h, bag in (
        ("plain", 0.036, 0.044, 0.075, False),
        ("bag", 0.038, 0.046, 0.068, True),
        ("slim", 0.033, 0.038, 0.082, False),
    ):
        outside = ((base, 0.0), (r, h - 0.006), (r + 0.003, h - 0.006), (r + 0.003, h))
        ribs = around(
            box(
                (0.0016, 0.0026, 0.40 * h),
                ((base + r) / 2 + 0.0008, 0, 0.47 * h),
                euler=(0, math.atan2(r - base, h), 0),
                shade=0.68,
            ),
            14,
        )
        handles = [
            box((0.004, 0.010, 0.003), (sx * (r + 0.002), 0, 0.78 * h), rgb=_DARK) for sx in (-1, 1)
        ]
        shapes = (
            vessel(outside, 0.004, 0.006),
            cylinder(base - 0.004, 0.0006, (0, 0, 0.0066), rgb=_DARK),
            *ribs,
            *handles,
            *(_liner(r, h) if bag else ()),
            *hidden(cylinder(base, 0.003, (0, 0, 0.003))),
            *lathe_walls(((base, 0.0), (r, h)), 0.004, _SECTORS),
        )
        add(
            name,
            "garbage_can",
            shapes,
            colours=("green", "blue", "red", "yellow"),
            mass=0.14,
            scale=(0.95, 1.06),
            opening=Opening(shape="circle", half=(r - 0.006, r - 0.006), floor=0.006, rim=h),
        )
    x, h, t = 0.039, 0.072, 0.004
    slats = [
        box((0.0016, 0.0014, 0.38 * h), (k * 0.013, -x, 0.45 * h), shade=0.68) for k in range(-2, 3)
    ]
    sides = [
        box((0.0014, 0.0016, 0.38 * h), (sx * x, k * 0.013, 0.45 * h), shade=0.68)
        for k in range(-2, 3)
        for sx in (-1, 1)
    ]
    shapes = (
        *solid(box((x - 0.002, x - 0.002, 0.003), (0, 0, 0.003), rgb=_DARK)),
        *solid(*box_walls((x, x), 0.0, h, t)),
        *box_walls((x + 0.003, x + 0.003), h - 0.007, h + 0.001, 0.006, shade=0.85),
        *slats,
        *sides,
    )
    add(
        "square",
        "garbage_can",
        shapes,
        colours=("green", "blue", "red", "yellow"),
        mass=0.14,
        scale=(0.95, 1.06),
        opening=Opening(shape="box", half=(x - t, x - t), floor=0.006, rim=h),
        held_out=True,
    )


def _add_vases() -> None:
    for name, points, sectors in (
        ("round", ((0.026, 0.0), (0.043, 0.026), (0.030, 0.062), (0.037, 0.080)), 8),
        ("tall", ((0.027, 0.0), (0.037, 0.034), (0.028, 0.070), (0.036, 0.092)), 8),
        ("wide", ((0.028, 0.0), (0.046, 0.030), (0.034, 0.056), (0.042, 0.068)), 8),
    ):
        outside = curve(points, 6)
        wall = 0.004
        band = points[1]
        dots: Sequence[Shape] = around(
            ellipsoid((0.0012, 0.0042, 0.0052), (band[0], 0, band[1]), rgb=_WHITE, blend=0.1), 12
        )
        shapes = (
            vessel(outside, wall, 0.006, sides=16),
            *dots,
            cylinder(0.7 * points[0][0], 0.0006, (0, 0, 0.0068), rgb=_DARK),
            *hidden(cylinder(points[0][0], 0.003, (0, 0, 0.003))),
            *lathe_walls(points, wall, sectors),
        )
        neck = min(r for r, _ in points[1:])
        add(
            name,
            "vase",
            shapes,
            colours=("blue", "white", "red", "purple", "cyan"),
            mass=0.14,
            scale=(0.95, 1.06),
            material=(0.4, 0.9),
            opening=Opening(
                shape="circle", half=(neck - 0.005, neck - 0.005), floor=0.006, rim=points[-1][1]
            ),
        )


def _pot_soil(r: float, z: float) -> tuple[Shape, ...]:
    """Soil with a few pebbles of it."""
    lumps = [
        ellipsoid(
            (0.004, 0.003, 0.0012),
            (0.55 * r * math.cos(a), 0.55 * r * math.sin(a), z),
            rgb=(0.22, 0.14, 0.08),
        )
        for a in (0.3, 1.7, 2.9, 4.2, 5.4)
    ]
    return (cylinder(r, 0.0010, (0.0, 0.0, z - 0.0006), rgb=_SOIL), *lumps)


def _add_flower_pots() -> None:
    clay: Vec3 = (0.55, 0.22, 0.10)
    for name, base, r, h in (
        ("plain", 0.031, 0.044, 0.058),
        ("low", 0.035, 0.048, 0.046),
        ("slim", 0.028, 0.039, 0.066),
    ):
        collar = 0.72 * h
        edge = base + (r - base) * 0.8
        outside = ((base, 0.0), (edge, collar), (r + 0.003, collar), (r + 0.004, h))
        soil = 0.016
        shapes = (
            vessel(outside, 0.005, 0.010, sides=20),
            *_pot_soil(base - 0.001, soil + 0.0006),
            cylinder(1.20 * base, 0.003, (0, 0, 0.003), rgb=clay, blend=0.35),
            *hidden(cylinder(base, soil / 2, (0, 0, soil / 2))),
            *lathe_walls(((base + 0.002, 0.0), (r + 0.002, h)), 0.005, _SECTORS),
        )
        add(
            name,
            "flower_pot",
            shapes,
            colours=("red", "white", "yellow", "green", "orange"),
            mass=0.14,
            scale=(0.95, 1.06),
            material=(0.0, 0.3),
            opening=Opening(shape="circle", half=(r - 0.005, r - 0.005), floor=soil, rim=h),
        )
    x, h, t, soil = 0.040, 0.050, 0.005, 0.016
    shapes = (
        *solid(box((x - 0.002, x - 0.002, soil / 2), (0, 0, soil / 2), rgb=_SOIL)),
        *_pot_soil(x - 0.008, soil + 0.0006),
        *solid(*box_walls((x, x), 0.0, h, t)),
        *box_walls((x + 0.004, x + 0.004), 0.72 * h, h, 0.0045, shade=0.85),
        box((x + 0.003, x + 0.003, 0.003), (0, 0, 0.003), rgb=clay, blend=0.35),
    )
    add(
        "square",
        "flower_pot",
        shapes,
        colours=("red", "white", "yellow", "green", "orange"),
        mass=0.14,
        scale=(0.95, 1.06),
        material=(0.0, 0.3),
        opening=Opening(shape="box", half=(x - t, x - t), floor=soil, rim=h),
        held_out=True,
    )


def add_all() -> None:
    """Registers the containers."""
    _add_baskets()
    _add_boxes()
    _add_garbage_cans()
    _add_vases()
    _add_flower_pots()
