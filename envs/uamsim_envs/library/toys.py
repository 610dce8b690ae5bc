"""Toys and simple solids."""

import math

from uamsim_envs.library.instance import add
from uamsim_envs.library.shapes import (
    Shape,
    around,
    box,
    cylinder,
    ellipsoid,
    hidden,
    solid,
    sphere,
    surface,
)
from uamsim_envs.library.solids import extrude, polygon, prism, revolve, slab

_UP = math.pi / 2
_BLACK = (0.06, 0.06, 0.07)
_WHITE = (0.94, 0.94, 0.92)
_GLASS = (0.10, 0.16, 0.24)
_BRIGHT = ("red", "green", "blue", "yellow", "white", "purple", "orange", "cyan")


def _add_cubes() -> None:
    for name, half in (
        ("plain", (0.025, 0.025, 0.025)),
        ("small", (0.019, 0.019, 0.019)),
        ("rounded", (0.024, 0.024, 0.024)),
        ("letter", (0.026, 0.026, 0.026)),
    ):
        x, y, z = half
        block = box(half, (0.0, 0.0, z))
        if name == "rounded":
            shapes = (surface(slab((x, y), 2 * z, corner=9.0, edge=0.12)), *hidden(block))
        elif name == "letter":
            t = 0.0007
            top = [
                box((0.0035, 0.014, t), (-0.008, 0, 2 * z), rgb=_WHITE),
                box((0.0035, 0.014, t), (0.008, 0, 2 * z), rgb=_WHITE),
                box((0.008, 0.0035, t), (0, 0, 2 * z), rgb=_WHITE),
            ]
            side = [
                box((0.0035, t, 0.014), (0, -y, z), rgb=_WHITE),
                box((0.013, t, 0.0035), (0, -y, z + 0.011), rgb=_WHITE),
            ]
            shapes = (*solid(block), *top, *side)
        else:
            shapes = solid(block)
        add(
            name,
            "cube",
            shapes,
            colours=_BRIGHT,
            mass=0.06,
            grasps=((max(z, 0.018), 0.0), (max(z, 0.018), _UP)),
            held_out=name == "letter",
        )


def _patches(r: float) -> list[Shape]:
    """The black pentagons of a football: at the corners of an icosahedron."""
    low = math.acos(1 / math.sqrt(5))
    patches = []
    for polar, first, count in (
        (0.0, 0.0, 1),
        (low, 0.3, 5),
        (math.pi - low, 0.3 + math.pi / 5, 5),
    ):
        for k in range(count):
            turn = first + 2 * math.pi * k / count
            pos = (
                0.97 * r * math.sin(polar) * math.cos(turn),
                0.97 * r * math.sin(polar) * math.sin(turn),
                r + 0.97 * r * math.cos(polar),
            )
            half = (0.32 * r, 0.32 * r, 0.05 * r)
            patches.append(ellipsoid(half, pos, euler=(0.0, polar, turn), rgb=_BLACK))
    return patches


def _add_balls() -> None:
    for name, r in (
        ("plain", 0.0270),
        ("small", 0.0215),
        ("striped", 0.0280),
        ("football", 0.0284),
    ):
        middle = (0.0, 0.0, r)
        details: list[Shape] = []
        if name == "striped":
            for tilt in (0.0, _UP):
                details.append(
                    cylinder(1.004 * r, 0.13 * r, middle, euler=(0.5, 0.35 + tilt, 0.0), rgb=_WHITE)
                )
        elif name == "football":
            details = _patches(r)
        add(
            name,
            "ball",
            (*solid(sphere(r, middle)), *details),
            colours=_BRIGHT,
            mass=0.05,
            grasps=((0.95 * r, 0.0), (0.95 * r, _UP)),
            held_out=name == "football",
        )


def _add_stars() -> None:
    for name, count, outer, inner, h in (
        ("plain", 5, 0.0335, 0.0155, 0.026),
        ("plump", 5, 0.0330, 0.0200, 0.030),
        ("six", 6, 0.0350, 0.0195, 0.026),
    ):
        mesh = prism(polygon([outer, inner] * count), h, bevel=0.003)
        spokes = around(
            box((outer * 0.42, 0.28 * inner, h / 2), (0.42 * outer, 0.0, h / 2)), count, _UP
        )
        core = cylinder(1.04 * inner, h / 2, (0.0, 0.0, h / 2))
        add(
            name,
            "star",
            (surface(mesh), *hidden(core, *spokes)),
            colours=_BRIGHT,
            mass=0.05,
            grasps=((max(h / 2, 0.016), 0.0),),
        )


def _cone(r: float, h: float, *, traffic: bool) -> tuple[Shape, ...]:
    tip = 0.0045
    profile = ((0.0, 0.0), (r, 0.0), (tip, h), (0.0, h))
    side = r - tip
    parts = [surface(revolve(profile, sides=20))]
    if traffic:
        bands = [
            surface(
                revolve(
                    (
                        (0.0, low * h),
                        (r - side * low + 0.0006, low * h),
                        (r - side * high + 0.0006, high * h),
                        (0.0, high * h),
                    ),
                    sides=20,
                ),
                rgb=_WHITE,
            )
            for low, high in ((0.30, 0.48), (0.66, 0.80))
        ]
        parts += bands
        parts += solid(box((1.15 * r, 1.15 * r, 0.003), (0.0, 0.0, 0.003)))
    steps = [
        cylinder(r - side * (share - 0.06), 0.125 * h, (0.0, 0.0, share * h))
        for share in (0.125, 0.375, 0.625, 0.875)
    ]
    return (*parts, *hidden(*steps))


def _add_cones() -> None:
    for name, r, h in (
        ("plain", 0.0270, 0.062),
        ("wide", 0.0282, 0.050),
        ("slim", 0.0220, 0.070),
        ("traffic", 0.0225, 0.066),
    ):
        add(
            name,
            "cone",
            _cone(r, h, traffic=name == "traffic"),
            colours=_BRIGHT,
            mass=0.05,
            grasps=((max(0.42 * h, 0.022), 0.0), (max(0.42 * h, 0.022), _UP)),
            held_out=name == "traffic",
        )


def _wheels(x: float, y: float, r: float) -> list[Shape]:
    parts = []
    for sx in (-1, 1):
        for sy in (-1, 1):
            at = (sx * x, sy * y, r)
            hub = (sx * x, sy * (y + 0.0035), r)
            parts.append(cylinder(r, 0.0040, at, euler=(_UP, 0.0, 0.0), rgb=_BLACK))
            parts.append(
                cylinder(0.45 * r, 0.0012, hub, euler=(_UP, 0.0, 0.0), rgb=(0.75, 0.77, 0.8))
            )
    return parts


def _car(kind: str) -> tuple[Shape, ...]:
    """A toy car that drives towards +x."""
    y, r, low = 0.0210, 0.0095, 0.006
    if kind == "van":
        x, bonnet, roof = 0.042, 0.024, 0.044
        cabin = ((-0.98 * x, bonnet), (0.75 * x, bonnet), (0.50 * x, roof), (-0.98 * x, roof))
    elif kind == "truck":
        x, bonnet, roof = 0.048, 0.024, 0.043
        cabin = ((0.15 * x, bonnet), (0.80 * x, bonnet), (0.62 * x, roof), (0.15 * x, roof))
    elif kind == "race":
        x, bonnet, roof = 0.046, 0.020, 0.030
        cabin = ((-0.45 * x, bonnet), (0.25 * x, bonnet), (-0.05 * x, roof), (-0.35 * x, roof))
    else:
        x, bonnet, roof = 0.043, 0.024, 0.039
        cabin = ((-0.72 * x, bonnet), (0.45 * x, bonnet), (0.18 * x, roof), (-0.55 * x, roof))
    (front, _), (screen, _), (rear, _) = cabin[1:]
    middle, tall = (rear + screen) / 2, roof - bonnet
    lean = math.atan2(front - screen, tall)
    parts = [
        surface(slab((x, y), bonnet - low, corner=7.0, edge=0.25), (0.0, 0.0, low)),
        surface(extrude(cabin, 0.86 * y), shade=0.92),
        box(
            (0.0008, 0.70 * y, 0.42 * math.hypot(front - screen, tall)),
            ((front + screen) / 2 + 0.0004, 0.0, bonnet + 0.5 * tall),
            euler=(0.0, -lean, 0.0),
            rgb=_GLASS,
        ),
        box(
            (0.40 * (screen - rear), 0.87 * y, 0.30 * tall),
            (middle, 0, bonnet + 0.48 * tall),
            rgb=_GLASS,
        ),
        *_wheels(0.58 * x, 0.90 * y, r),
    ]
    parts += [
        sphere(0.0040, (0.95 * x, sy * 0.62 * y, 0.65 * bonnet), rgb=(0.98, 0.93, 0.6))
        for sy in (-1, 1)
    ]
    if kind == "truck":
        parts += [
            box((0.52 * x, 0.98 * y, 0.0015), (-0.42 * x, 0, bonnet), rgb=(0.3, 0.3, 0.32)),
            *(
                box(
                    (0.52 * x, 0.0015, 0.007), (-0.42 * x, sy * 0.95 * y, bonnet + 0.006), shade=0.8
                )
                for sy in (-1, 1)
            ),
            box((0.0015, 0.95 * y, 0.007), (-0.93 * x, 0, bonnet + 0.006), shade=0.8),
        ]
    elif kind == "race":
        parts += [
            box((0.006, 0.95 * y, 0.0015), (-0.88 * x, 0, roof + 0.003)),
            box((0.002, 0.0020, 0.006), (-0.88 * x, 0, roof - 0.003), rgb=_BLACK),
            box((0.98 * x, 0.12 * y, 0.0006), (0, 0, bonnet), rgb=_WHITE),
            cylinder(0.011, 0.0006, (0.58 * x, 0, bonnet + 0.0002), rgb=_WHITE),
        ]
    else:
        parts.append(box((0.35 * (screen - rear), 0.6 * y, 0.0006), (middle, 0, roof), shade=1.1))
    chassis = box((x, y, bonnet / 2), (0.0, 0.0, bonnet / 2))
    if kind == "truck":
        top = box((0.22 * x, 0.86 * y, tall / 2), (0.40 * x, 0.0, bonnet + tall / 2))
    else:
        top = box(((screen - rear) / 2, 0.86 * y, tall / 2), (middle, 0.0, bonnet + tall / 2))
    return (*parts, *hidden(chassis, top))


def _add_cars() -> None:
    for kind in ("saloon", "van", "truck", "race"):
        add(
            kind,
            "toy_car",
            _car(kind),
            colours=("red", "blue", "green", "yellow", "white"),
            mass=0.08,
            material=(0.3, 0.9),
            grasps=((0.018, _UP),),
            held_out=kind == "truck",
        )


def _duck(r: float, head: float, neck: float) -> tuple[Shape, ...]:
    """A bath duck that looks towards +x."""
    length, tall = 1.32 * r, 0.88 * r
    top = 2 * tall + neck
    face = (0.62 * r, 0.0, top)
    eyes = [
        sphere(
            0.17 * head, (face[0] + 0.72 * head, sy * 0.55 * head, top + 0.42 * head), rgb=_BLACK
        )
        for sy in (-1, 1)
    ]
    wings = [
        ellipsoid(
            (0.58 * r, 0.12 * r, 0.36 * r),
            (-0.18 * r, sy * 0.93 * r, 1.08 * tall),
            euler=(0.0, 0.25, 0.0),
            shade=0.85,
        )
        for sy in (-1, 1)
    ]
    return (
        ellipsoid((length, r, tall), (0.0, 0.0, tall)),
        sphere(head, face),
        ellipsoid((0.5 * r, 0.42 * r, 0.22 * r), (-1.15 * r, 0, 1.55 * tall), euler=(0, 0.75, 0)),
        ellipsoid(
            (0.62 * head, 0.50 * head, 0.20 * head),
            (face[0] + 1.15 * head, 0.0, top - 0.10 * head),
            rgb=(0.95, 0.33, 0.03),
        ),
        *eyes,
        *wings,
        *hidden(
            ellipsoid((length, r, tall), (0.0, 0.0, tall)),
            sphere(head, face),
            box((0.7 * length, 0.6 * r, 0.22 * tall), (0.0, 0.0, 0.22 * tall)),
        ),
    )


def _add_ducks() -> None:
    for name, r, head, neck in (
        ("plain", 0.0240, 0.0165, 0.004),
        ("small", 0.0205, 0.0155, 0.004),
        ("long_neck", 0.0230, 0.0140, 0.012),
    ):
        add(
            name,
            "duck",
            _duck(r, head, neck),
            colours=("yellow", "white", "blue", "orange"),
            mass=0.05,
            material=(0.3, 0.8),
            grasps=((max(0.85 * r, 0.018), _UP),),
        )


def add_all() -> None:
    """Registers the toys."""
    _add_cubes()
    _add_balls()
    _add_stars()
    _add_cones()
    _add_cars()
    _add_ducks()
