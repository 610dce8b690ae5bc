"""Toy vegetables with leaves, stems and husks."""

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
    surface,
)
from uamsim_envs.library.solids import curve, lay, revolve

_UP = math.pi / 2
_GREEN = (0.08, 0.40, 0.10)
_CREAM = (0.93, 0.88, 0.74)


def _sepal(length: float, z: float, width: float = 0.3) -> Shape:
    """A narrow leaf on top of something, from the z axis outwards."""
    return ellipsoid(
        (length / 2, width * length / 2, 0.0013),
        (length / 2, 0.0, z - 0.05 * length),
        euler=(0.0, 0.15, 0.0),
        rgb=_GREEN,
    )


def _add_tomatoes() -> None:
    for name, r, h, lobes in (
        ("round", 0.0275, 0.044, 0.0),
        ("flat", 0.0284, 0.038, 0.02),
        ("small", 0.0235, 0.039, 0.0),
        ("ribbed", 0.0270, 0.038, 0.07),
    ):
        profile = curve(
            (
                (0.0, 0.002),
                (0.5 * r, 0.0),
                (0.94 * r, 0.3 * h),
                (0.97 * r, 0.66 * h),
                (0.6 * r, 0.97 * h),
                (0.2 * r, 0.97 * h),
                (0.0, 0.93 * h),
            ),
            11,
        )
        shapes = (
            surface(revolve(profile, sides=18, lobes=6, depth=lobes)),
            *around(_sepal(0.72 * r, 1.0 * h), 6),
            capsule(0.002, 0.004, (0.0, 0.0, h + 0.002), rgb=_GREEN),
            *hidden(
                ellipsoid((0.98 * r, 0.98 * r, h / 2), (0.0, 0.0, h / 2)),
                cylinder(0.5 * r, 0.1 * h, (0.0, 0.0, 0.1 * h)),
            ),
        )
        add(
            name,
            "tomato",
            shapes,
            colours=("red", "yellow"),
            mass=0.075,
            material=(0.3, 0.8),
            grasps=((0.45 * h, 0.0), (0.45 * h, _UP)),
            held_out=name == "ribbed",
        )


def _add_peppers() -> None:
    for name, r, h in (
        ("blocky", 0.0270, 0.058),
        ("long", 0.0235, 0.068),
        ("squat", 0.0280, 0.048),
    ):
        profile = curve(
            (
                (0.0, 0.006),
                (0.35 * r, 0.0),
                (0.70 * r, 0.05 * h),
                (0.84 * r, 0.3 * h),
                (r, 0.72 * h),
                (0.85 * r, 0.93 * h),
                (0.55 * r, h),
                (0.25 * r, 0.94 * h),
                (0.0, 0.88 * h),
            ),
            11,
        )
        shapes = (
            surface(revolve(profile, sides=16, lobes=4, depth=0.13)),
            ellipsoid((0.32 * r, 0.32 * r, 0.003), (0.0, 0.0, 0.95 * h), rgb=_GREEN),
            capsule(
                0.0035, 0.008, (0.002, 0.0, h + 0.004), euler=(0.0, 0.25, 0.0), rgb=(0.2, 0.5, 0.12)
            ),
            *hidden(
                box(
                    (0.60 * r, 0.60 * r, 0.05 * h), (0.0, 0.0, 0.05 * h), euler=(0, 0, math.pi / 4)
                ),
                box(
                    (0.66 * r, 0.66 * r, 0.22 * h), (0.0, 0.0, 0.30 * h), euler=(0, 0, math.pi / 4)
                ),
                box(
                    (0.74 * r, 0.74 * r, 0.22 * h), (0.0, 0.0, 0.74 * h), euler=(0, 0, math.pi / 4)
                ),
            ),
        )
        add(
            name,
            "pepper",
            shapes,
            colours=("green", "red", "yellow"),
            mass=0.07,
            material=(0.3, 0.8),
            grasps=((0.45 * h, math.pi / 4), (0.45 * h, -math.pi / 4)),
            held_out=name == "long",
        )


def _add_carrots() -> None:
    for name, length, r in (
        ("plain", 0.095, 0.0150),
        ("long", 0.110, 0.0140),
        ("stubby", 0.075, 0.0175),
    ):
        half = length / 2
        profile = curve(
            (
                (0.0, -half),
                (0.16 * r, -0.98 * half),
                (0.52 * r, -0.5 * half),
                (0.82 * r, 0.3 * half),
                (r, 0.8 * half),
                (0.82 * r, 0.96 * half),
                (0.45 * r, half),
                (0.0, half),
            ),
            12,
        )
        rings = [
            cylinder(
                share * r, 0.0008, (x * half, 0.0, share * r), euler=(0.0, _UP, 0.0), shade=0.62
            )
            for x, share in ((0.55, 0.93), (0.2, 0.80), (-0.2, 0.66), (-0.55, 0.52))
        ]
        tuft = [
            ellipsoid(
                (0.014, 0.0028, 0.0028),
                (half + 0.010, 0.010 * turn, r + 0.003 * (1 - abs(turn))),
                euler=(0.0, 0.0, 0.7 * turn),
                rgb=(0.12, 0.50, 0.12),
            )
            for turn in (-1.0, -0.4, 0.4, 1.0)
        ]
        boxes = [
            box((w * half, share * r, share * r), (x * half, 0.0, share * r))
            for x, w, share in ((0.63, 0.35, 0.88), (0.0, 0.30, 0.70), (-0.6, 0.32, 0.45))
        ]
        add(
            name,
            "carrot",
            (surface(lay(revolve(profile, sides=14), profile)), *rings, *tuft, *hidden(*boxes)),
            colours=("orange", "yellow", "purple"),
            mass=0.045,
            grasps=((0.017, _UP, (0.012, 0.0)),),
        )


def _add_eggplants() -> None:
    for name, length, r in (
        ("plain", 0.100, 0.0230),
        ("long", 0.118, 0.0185),
        ("fat", 0.088, 0.0260),
    ):
        half = length / 2
        profile = curve(
            (
                (0.0, -half),
                (0.55 * r, -0.92 * half),
                (0.96 * r, -0.55 * half),
                (0.95 * r, -0.1 * half),
                (0.70 * r, 0.4 * half),
                (0.58 * r, 0.8 * half),
                (0.35 * r, half),
                (0.0, half),
            ),
            12,
        )
        cap = (
            (0.0, 0.60 * half),
            (0.69 * r, 0.60 * half),
            (0.68 * r, 0.80 * half),
            (0.42 * r, 1.02 * half),
            (0.0, 1.04 * half),
        )
        sepals = [
            ellipsoid(
                (0.2 * half, 0.16 * r, 0.0015),
                (0.56 * half, 0.62 * r * math.sin(a), 0.62 * r * (1 + 1.12 * math.cos(a))),
                euler=(-a, 0.16 * math.cos(a), 0.16 * math.sin(a)),
                rgb=_GREEN,
            )
            for a in (-1.5, -0.75, 0.0, 0.75, 1.5)
        ]
        shapes = (
            surface(lay(revolve(profile, sides=16), profile)),
            surface(
                revolve(cap, sides=10),
                (0.0, 0.0, 0.64 * r + 0.001),
                euler=(0.0, _UP, 0.0),
                rgb=_GREEN,
            ),
            *sepals,
            capsule(
                0.003,
                0.008,
                (1.2 * half, 0.0, 0.6 * r + 0.002),
                euler=(0, 1.35, 0),
                rgb=(0.2, 0.45, 0.12),
            ),
            *hidden(
                ellipsoid((0.66 * half, r, r), (-0.32 * half, 0.0, 0.98 * r)),
                capsule(0.62 * r, 0.4 * half, (0.4 * half, 0.0, 0.62 * r), euler=(0.0, _UP, 0.0)),
                box((0.6 * half, 0.45 * r, 0.25 * r), (-0.1 * half, 0.0, 0.25 * r)),
            ),
        )
        add(
            name,
            "eggplant",
            shapes,
            colours=("purple", "white", "green"),
            mass=0.08,
            material=(0.4, 0.9),
            grasps=((max(0.85 * r, 0.018), _UP, (-0.25 * half, 0.0)),),
        )


def _corn(length: float, r: float) -> tuple[Shape, ...]:
    half = length / 2
    profile = curve(
        (
            (0.0, -half),
            (0.45 * r, -0.98 * half),
            (0.82 * r, -0.7 * half),
            (r, -0.1 * half),
            (r, 0.6 * half),
            (0.6 * r, half),
            (0.0, half),
        ),
        9,
    )
    kernels = []
    for ring in range(9):
        x = (-0.82 + 0.17 * ring) * half
        share = min(1.0, 0.72 + 0.09 * ring)
        for k in range(6):
            a = math.radians(-75 + 30 * k + 15 * (ring % 2))
            if abs(a) < math.radians(80):
                kernels.append(
                    ellipsoid(
                        (0.085 * half, 0.27 * r, 0.14 * r),
                        (x, share * r * math.sin(a), r + share * r * math.cos(a)),
                        euler=(-a, 0.0, 0.0),
                        shade=0.93 if (ring + k) % 2 else 1.05,
                    )
                )
    husks = [
        ellipsoid(
            (0.42 * half, 0.52 * r, 0.0018),
            (0.66 * half, 0.9 * r * math.sin(a), r * (1 + 0.94 * math.cos(a))),
            euler=(-a, -0.22 * math.cos(a), -0.22 * math.sin(a)),
            rgb=(0.30, 0.58, 0.16),
        )
        for a in (-1.6, -0.8, 0.0, 0.8, 1.6)
    ]
    return (
        surface(revolve(profile), (0, 0, r), euler=(0, _UP, 0), shade=0.85),
        *kernels,
        *husks,
        ellipsoid((0.3 * half, 0.6 * r, 0.6 * r), (0.92 * half, 0, r), rgb=(0.30, 0.58, 0.16)),
        capsule(0.004, 0.006, (1.22 * half, 0, r), euler=(0, _UP, 0), rgb=(0.55, 0.60, 0.30)),
        *hidden(
            box((0.80 * half, 0.62 * r, r), (0.05 * half, 0, r)),
            box((0.80 * half, r, 0.62 * r), (0.05 * half, 0, r)),
        ),
    )


def _add_corn() -> None:
    for name, length, r in (
        ("plain", 0.095, 0.0180),
        ("long", 0.110, 0.0165),
        ("thick", 0.085, 0.0205),
    ):
        add(
            name,
            "corn",
            _corn(length, r),
            colours=("yellow", "white"),
            mass=0.07,
            grasps=((0.95 * r, _UP),),
            held_out=name == "thick",
        )


def add_all() -> None:
    """Registers the vegetables."""
    _add_tomatoes()
    _add_peppers()
    _add_carrots()
    _add_eggplants()
    _add_corn()
