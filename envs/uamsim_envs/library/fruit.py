"""Toy fruit."""

import math

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
from uamsim_envs.library.solids import bend, curve, lay, revolve

WOOD = (0.28, 0.16, 0.07)
LEAF = (0.08, 0.38, 0.08)
_UP = math.pi / 2


def _leaf(length: float, x: float, z: float, lift: float = 0.3, yaw: float = 0.0) -> Shape:
    """A leaf from (x, 0) outwards."""
    return ellipsoid(
        (length / 2, length / 4, 0.0012),
        (x + length / 2 * math.cos(lift), 0.0, z + length / 2 * math.sin(lift)),
        euler=(0.0, -lift, yaw),
        rgb=LEAF,
    )


def _apple(r: float, h: float, dimple: float) -> tuple[Shape, ...]:
    profile = curve(
        (
            (0.0, 0.05 * h),
            (0.48 * r, 0.0),
            (0.84 * r, 0.24 * h),
            (r, 0.60 * h),
            (0.82 * r, 0.90 * h),
            (0.46 * r, h),
            (0.16 * r, (1 - dimple / 2) * h),
            (0.0, (1 - dimple) * h),
        ),
        13,
    )
    top = (1 - dimple) * h
    return (
        surface(revolve(profile)),
        capsule(0.0018, 0.007, (0.001, 0.0, top + 0.006), euler=(0.0, 0.2, 0.0), rgb=WOOD),
        _leaf(0.022, 0.002, top + 0.011),
        *hidden(
            ellipsoid((r, r, h / 2), (0.0, 0.0, h / 2)),
            cylinder(0.5 * r, 0.1 * h, (0.0, 0.0, 0.1 * h)),
        ),
    )


def _add_apples() -> None:
    for name, r, h, dimple in (
        ("round", 0.0280, 0.051, 0.16),
        ("flat", 0.0284, 0.045, 0.16),
        ("tall", 0.0265, 0.056, 0.13),
        ("small", 0.0245, 0.045, 0.18),
    ):
        add(
            name,
            "apple",
            _apple(r, h, dimple),
            colours=("red", "green", "yellow"),
            mass=0.075,
            material=(0.2, 0.7),
            grasps=((0.45 * h, 0.0), (0.45 * h, _UP)),
            held_out=name == "tall",
        )


def _banana(length: float, r: float, curl: float) -> tuple[Shape, ...]:
    half = length / 2
    stem, tip = -half, half
    profile = [
        (0.0, stem),
        (0.30 * r, stem),
        (0.36 * r, stem + 0.08 * length),
        (0.85 * r, stem + 0.22 * length),
        (r, -0.1 * length),
        (r, 0.15 * length),
        (0.80 * r, tip - 0.16 * length),
        (0.34 * r, tip - 0.03 * length),
        (0.0, tip),
    ]
    body = bend(lay(revolve(profile, sides=12, lobes=5, depth=0.05), profile), curl)
    ends = []
    for at, size in ((stem, 0.40 * r), (tip - 0.01 * length, 0.38 * r)):
        turn = at / curl
        pos = (curl * math.sin(turn), curl * (1 - math.cos(turn)), 0.40 * r)
        ends.append(
            cylinder(size, 0.035 * length, pos, euler=(0.0, _UP, turn), rgb=(0.22, 0.15, 0.06))
        )
    parts = []
    for share in (-0.27, 0.0, 0.27):
        turn = share * length / curl
        wide = 0.92 * r if share == 0.0 else 0.80 * r
        pos = (curl * math.sin(turn), curl * (1 - math.cos(turn)), wide)
        parts.append(box((0.15 * length, 0.95 * wide, wide), pos, euler=(0.0, 0.0, turn)))
    return (surface(body), *ends, *hidden(*parts))


def _add_bananas() -> None:
    for name, length, r, curl in (
        ("curved", 0.118, 0.0150, 0.060),
        ("long", 0.130, 0.0145, 0.10),
        ("short", 0.098, 0.0165, 0.060),
    ):
        add(
            name,
            "banana",
            _banana(length, r, curl),
            colours=("yellow", "green"),
            mass=0.06,
            grasps=((0.017, _UP),),
            held_out=name == "long",
        )


def _add_tangerines() -> None:
    for name, r, h in (("round", 0.0270, 0.046), ("flat", 0.0284, 0.041), ("small", 0.0240, 0.040)):
        profile = curve(
            (
                (0.0, 0.002),
                (0.5 * r, 0.0),
                (0.93 * r, 0.3 * h),
                (0.96 * r, 0.65 * h),
                (0.6 * r, 0.95 * h),
                (0.25 * r, h),
                (0.0, 0.94 * h),
            ),
            12,
        )
        shapes = (
            surface(revolve(profile, sides=18, lobes=9, depth=0.015)),
            *around(_leaf(0.009, 0.0, h * 0.97, lift=0.1), 5),
            sphere(0.0025, (0.0, 0.0, h * 0.98), rgb=(0.35, 0.45, 0.12)),
            *hidden(
                ellipsoid((0.98 * r, 0.98 * r, h / 2), (0.0, 0.0, h / 2)),
                cylinder(0.5 * r, 0.1 * h, (0.0, 0.0, 0.1 * h)),
            ),
        )
        add(
            name,
            "tangerine",
            shapes,
            colours=("orange", "yellow"),
            mass=0.07,
            grasps=((0.45 * h, 0.0), (0.45 * h, _UP)),
        )


def _add_lemons() -> None:
    for name, half, r in (
        ("plain", 0.036, 0.0235),
        ("long", 0.042, 0.0225),
        ("round", 0.032, 0.0250),
    ):
        profile = curve(
            (
                (0.0, -half),
                (0.22 * r, -0.97 * half),
                (0.36 * r, -0.84 * half),
                (0.80 * r, -0.5 * half),
                (r, 0.0),
                (0.80 * r, 0.5 * half),
                (0.36 * r, 0.84 * half),
                (0.24 * r, 0.97 * half),
                (0.0, half),
            ),
            13,
        )
        shapes = (
            surface(revolve(profile, sides=14), (0.0, 0.0, r), euler=(0.0, _UP, 0.0)),
            cylinder(
                0.12 * r, 0.002, (half, 0.0, r), euler=(0.0, _UP, 0.0), rgb=(0.25, 0.35, 0.08)
            ),
            *hidden(
                ellipsoid((0.92 * half, r, r), (0.0, 0.0, r)),
                box((0.3 * half, 0.35 * r, 0.3 * r), (0.0, 0.0, 0.3 * r)),
            ),
        )
        add(
            name,
            "lemon",
            shapes,
            colours=("yellow", "green"),
            mass=0.06,
            grasps=((0.95 * r, _UP),),
            held_out=name == "round",
        )


def _pear(r: float, h: float, neck: float) -> tuple[Shape, ...]:
    profile = curve(
        (
            (0.0, 0.002),
            (0.55 * r, 0.0),
            (0.95 * r, 0.18 * h),
            (0.97 * r, 0.40 * h),
            (neck * 1.15, 0.64 * h),
            (neck, 0.82 * h),
            (0.6 * neck, 0.97 * h),
            (0.0, 0.985 * h),
        ),
        13,
    )
    return (
        surface(revolve(profile)),
        capsule(0.0018, 0.007, (0.0015, 0.0, h + 0.005), euler=(0.0, 0.25, 0.0), rgb=WOOD),
        _leaf(0.020, 0.002, h + 0.004, lift=0.1),
        *hidden(
            ellipsoid((r, r, 0.31 * h), (0.0, 0.0, 0.31 * h)),
            capsule(neck, 0.15 * h, (0.0, 0.0, 0.80 * h - neck + 0.02 * h)),
            cylinder(0.6 * r, 0.08 * h, (0.0, 0.0, 0.08 * h)),
        ),
    )


def _add_pears() -> None:
    for name, r, h, neck in (
        ("plain", 0.0270, 0.066, 0.0125),
        ("slim", 0.0240, 0.070, 0.0120),
        ("squat", 0.0284, 0.058, 0.0150),
    ):
        add(
            name,
            "pear",
            _pear(r, h, neck),
            colours=("green", "yellow", "red"),
            mass=0.075,
            grasps=((0.3 * h, 0.0), (0.3 * h, _UP)),
            held_out=name == "slim",
        )


def _strawberry(r: float, length: float) -> tuple[Shape, ...]:
    half = length / 2
    profile = curve(
        (
            (0.0, -half),
            (0.25 * r, -0.97 * half),
            (0.62 * r, -0.55 * half),
            (0.92 * r, 0.1 * half),
            (r, 0.55 * half),
            (0.75 * r, 0.88 * half),
            (0.3 * r, half),
            (0.0, half),
        ),
        12,
    )
    seeds = []
    for ring, (x, share) in enumerate(((0.55, 0.98), (0.1, 0.90), (-0.35, 0.74), (-0.7, 0.46))):
        for k in range(5):
            angle = math.radians(-70 + 35 * k + 17 * (ring % 2))
            wide, tall = share * r * math.sin(angle), share * r * math.cos(angle)
            seeds.append(
                ellipsoid(
                    (0.0019, 0.0011, 0.0011), (x * half, wide, r + tall), rgb=(0.9, 0.8, 0.35)
                )
            )
    leaves = []
    for k in range(6):
        angle = math.pi / 3 * k
        y, z = 0.5 * r * math.sin(angle), r + 0.5 * r * math.cos(angle)
        leaves.append(
            ellipsoid(
                (0.0015, 0.22 * r, 0.5 * r),
                (0.97 * half, y, z),
                euler=(-angle, 0.0, 0.0),
                rgb=LEAF,
            )
        )
    return (
        surface(revolve(profile, sides=14), (0.0, 0.0, r), euler=(0.0, _UP, 0.0)),
        *seeds,
        *leaves,
        capsule(0.0018, 0.005, (half + 0.004, 0.0, r), euler=(0.0, _UP, 0.0), rgb=LEAF),
        *hidden(
            sphere(r, (0.38 * half, 0.0, r)),
            sphere(0.62 * r, (-0.48 * half, 0.0, r)),
            box((0.45 * half, 0.5 * r, 0.25 * r), (0.1 * half, 0.0, 0.25 * r)),
        ),
    )


def _add_strawberries() -> None:
    for name, r, length in (
        ("plain", 0.0225, 0.056),
        ("long", 0.0215, 0.066),
        ("fat", 0.0250, 0.054),
    ):
        add(
            name,
            "strawberry",
            _strawberry(r, length),
            colours=("red", "white", "yellow"),
            mass=0.05,
            grasps=((0.95 * r, _UP, (0.15 * length, 0.0)),),
        )


def add_all() -> None:
    """Registers the fruit."""
    _add_apples()
    _add_bananas()
    _add_tangerines()
    _add_lemons()
    _add_pears()
    _add_strawberries()
