"""Things of a desk, a kitchen and a medicine cupboard."""

import math

from uamsim_envs.library.instance import add
from uamsim_envs.library.shapes import (
    Shape,
    Vec3,
    box,
    capsule,
    cylinder,
    ellipsoid,
    hidden,
    solid,
    surface,
)
from uamsim_envs.library.solids import extrude, revolve, slab

_UP = math.pi / 2
_BLACK = (0.05, 0.05, 0.06)
_GREY = (0.45, 0.46, 0.48)
_SILVER = (0.75, 0.77, 0.80)
_WHITE = (0.94, 0.94, 0.92)
_CARD = (0.62, 0.48, 0.30)


def _mouse(half: tuple[float, float], h: float, corner: float) -> tuple[Shape, ...]:
    """A computer mouse with its buttons towards +x."""
    x, y = half
    body = revolve(
        (
            (0.0, 0.0),
            (0.94, 0.0),
            (1.0, 0.30 * h),
            (0.95, 0.60 * h),
            (0.76, 0.86 * h),
            (0.45, 0.98 * h),
            (0.0, h),
        ),
        sides=24,
        aspect=half,
        power=corner,
    )
    slope = 0.10
    return (
        surface(body),
        box((0.36 * x, 0.0009, 0.0016), (0.44 * x, 0, 0.955 * h), euler=(0, slope, 0), rgb=_BLACK),
        box((0.0009, 0.62 * y, 0.0016), (0.10 * x, 0.0, 0.985 * h - 0.001), rgb=_BLACK),
        cylinder(0.0075, 0.0034, (0.50 * x, 0, 0.97 * h - 0.004), euler=(_UP, 0, 0), rgb=_BLACK),
        capsule(0.0019, 0.012, (x + 0.010, 0, 0.004), euler=(0, _UP, 0), rgb=_BLACK),
        *hidden(
            box((0.94 * x, 0.80 * y, 0.30 * h), (0.0, 0.0, 0.30 * h)),
            box((0.70 * x, 0.98 * y, 0.30 * h), (0.0, 0.0, 0.30 * h)),
            box((0.55 * x, 0.60 * y, 0.18 * h), (0.0, 0.0, 0.78 * h)),
        ),
    )


def _add_mice() -> None:
    for name, half, h, corner in (
        ("plain", (0.045, 0.0270), 0.030, 2.5),
        ("slim", (0.048, 0.0250), 0.025, 3.2),
        ("gaming", (0.050, 0.0280), 0.033, 2.0),
        ("travel", (0.036, 0.0240), 0.027, 2.8),
    ):
        shapes = _mouse(half, h, corner)
        if name == "gaming":
            glow = ellipsoid(
                (0.010, 0.008, 0.002), (-0.45 * half[0], 0, 0.91 * h), rgb=(0.9, 0.15, 0.1)
            )
            shapes = (*shapes, glow)
        add(
            name,
            "computer_mouse",
            shapes,
            colours=("white", "red", "blue"),
            mass=0.07,
            material=(0.2, 0.7),
            grasps=((max(0.5 * h, 0.016), _UP),),
            held_out=name == "gaming",
        )


def _phone(half: tuple[float, float], h: float, *, keys: bool) -> tuple[Shape, ...]:
    """A phone on its back, its top towards +y."""
    x, y = half
    low, high = (-0.10, 0.84) if keys else (-0.72, 0.78)
    middle, tall = (low + high) / 2 * y, (high - low) / 2 * y
    parts = [
        surface(slab(half, h, corner=9.0, edge=0.22)),
        box((0.84 * x, tall, 0.0008), (0.0, middle, h), rgb=_BLACK),
        capsule(0.0009, 0.006, (0.0, 0.90 * y, h), euler=(0, _UP, 0), rgb=_BLACK),
    ]
    if keys:
        for row in range(4):
            for column in range(3):
                pos = ((column - 1) * 0.52 * x, (-0.26 - 0.19 * row) * y, h)
                parts.append(ellipsoid((0.19 * x, 0.065 * y, 0.0022), pos, rgb=_WHITE))
        parts.append(
            box((0.74 * x, 0.78 * tall, 0.0006), (0, middle, h + 0.0006), rgb=(0.25, 0.5, 0.3))
        )
    else:
        hues = ((0.9, 0.2, 0.2), (0.2, 0.75, 0.3), (0.2, 0.5, 0.95), (0.95, 0.8, 0.15))
        for row in range(4):
            for column in range(3):
                pos = ((column - 1) * 0.52 * x, (0.58 - 0.29 * row) * y, h + 0.0006)
                hue = hues[(row + 2 * column) % 4]
                parts.append(box((0.16 * x, 0.085 * y, 0.0006), pos, rgb=hue))
        parts.append(cylinder(0.10 * y, 0.0007, (0.0, -0.85 * y, h), rgb=_SILVER))
    return (*parts, *hidden(box((x, y, h / 2), (0.0, 0.0, h / 2))))


def _add_phones() -> None:
    for name, half, h, keys in (
        ("touch", (0.0255, 0.047), 0.021, False),
        ("keys", (0.0220, 0.048), 0.023, True),
        ("small", (0.0210, 0.038), 0.020, False),
        ("wide", (0.0280, 0.044), 0.021, False),
    ):
        add(
            name,
            "phone",
            _phone(half, h, keys=keys),
            colours=("white", "red", "blue", "yellow"),
            mass=0.09,
            material=(0.3, 0.8),
            grasps=((0.017, 0.0),),
            held_out=name == "wide",
        )


def _cross(size: float, pos: Vec3, rgb: Vec3, *, flat: bool) -> tuple[Shape, ...]:
    """A cross on top of something, or on its side towards -y."""
    a, b, t = size, size / 3, 0.0007
    halves = ((a, b, t), (b, a, t)) if flat else ((a, t, b), (b, t, a))
    return tuple(box(half, pos, rgb=rgb) for half in halves)


def _add_medicine_boxes() -> None:
    for name, half in (
        ("plain", (0.036, 0.0250, 0.0210)),
        ("flat", (0.042, 0.0280, 0.0140)),
        ("tall", (0.024, 0.0200, 0.0320)),
        ("long", (0.046, 0.0200, 0.0170)),
    ):
        x, y, z = half
        size = 0.60 * min(x, y)
        shift = 0.35 * (x - y)
        panel = 1.35 * size
        lines = [
            box((0.30 * (x - y), 0.0016, 0.0006), (-0.62 * x, k * 0.0075, 2 * z), rgb=_GREY)
            for k in (-1, 0, 1)
            if x - y > 0.010
        ]
        shapes = (
            *solid(box(half, (0.0, 0.0, z))),
            box((panel, min(panel, 0.93 * y), 0.0005), (shift, 0.0, 2 * z), rgb=_WHITE),
            *_cross(size, (shift, 0.0, 2 * z + 0.0006), (0.85, 0.05, 0.05), flat=True),
            box((x + 0.0004, y + 0.0004, 0.16 * z), (0.0, 0.0, 0.30 * z), rgb=_WHITE),
            *_cross(
                0.45 * min(x, z), (0.6 * x, -y - 0.0005, 1.25 * z), (0.94, 0.94, 0.92), flat=False
            ),
            *lines,
        )
        add(
            name,
            "medicine_box",
            shapes,
            colours=("white", "green", "blue", "yellow"),
            mass=0.05,
            material=(0.1, 0.4),
            grasps=((max(z, 0.016), _UP),),
            held_out=name == "flat",
        )


def _add_sponges() -> None:
    for name, half, h, corner in (
        ("plain", (0.042, 0.0270), 0.030, 8.0),
        ("thick", (0.036, 0.0255), 0.038, 8.0),
        ("oval", (0.043, 0.0270), 0.028, 2.6),
    ):
        x, y = half
        low = 0.30 * h
        holes = [
            ellipsoid(
                (0.0022 + 0.0008 * (k % 3), 0.0018 + 0.0006 * (k % 2), 0.0006),
                ((-0.75 + 0.5 * (k % 4)) * x, (-0.6 + 0.6 * (k // 4)) * y + 0.004 * (k % 2), h),
                shade=0.5,
            )
            for k in range(12)
        ]
        shapes = (
            surface(slab(half, low, corner=corner, edge=0.12), rgb=(0.04, 0.25, 0.08)),
            surface(slab(half, h - low, corner=corner, edge=0.15), (0.0, 0.0, low)),
            *holes,
            *hidden(
                box((x, 0.72 * y, h / 2), (0, 0, h / 2)), box((0.78 * x, y, h / 2), (0, 0, h / 2))
            ),
        )
        add(
            name,
            "sponge",
            shapes,
            colours=("yellow", "blue", "orange"),
            mass=0.02,
            friction=1.1,
            material=(0.0, 0.1),
            grasps=((0.5 * h + 0.002, _UP),),
            held_out=name == "oval",
        )


def _add_erasers() -> None:
    for name, x, y, h, slant in (
        ("slanted", 0.034, 0.0145, 0.022, 0.010),
        ("block", 0.028, 0.0180, 0.024, 0.0),
        ("slim", 0.038, 0.0120, 0.021, 0.008),
    ):
        side = ((-x, 0.0), (x - slant, 0.0), (x, h), (slant - x, h))
        shapes = (
            surface(extrude(side, y), rgb=_WHITE),
            box((0.56 * x, y + 0.0008, h / 2 + 0.0004), (0.30 * x, 0, h / 2 + 0.0004)),
            box((0.10 * x, y + 0.0010, h / 2 + 0.0006), (-0.20 * x, 0, h / 2 + 0.0004), rgb=_BLACK),
            *hidden(box((x - slant / 2, y, h / 2), (0, 0, h / 2))),
        )
        add(
            name,
            "eraser",
            shapes,
            colours=("blue", "red", "green"),
            mass=0.025,
            friction=1.1,
            material=(0.0, 0.2),
            grasps=((0.017, _UP),),
            held_out=name == "block",
        )


def _add_markers() -> None:
    for name, length, r in (
        ("plain", 0.105, 0.0120),
        ("short", 0.085, 0.0125),
        ("thick", 0.100, 0.0150),
    ):
        half = length / 2

        def along(x: float, radius: float, width: float, rgb: Vec3 | None, z: float = r) -> Shape:
            pos, turn = (x, 0.0, z), (0.0, _UP, 0.0)
            if rgb is None:
                return cylinder(radius, width, pos, euler=turn)
            return cylinder(radius, width, pos, euler=turn, rgb=rgb)

        shapes = (
            along(-0.22 * half, 0.94 * r, 0.74 * half, _WHITE),
            along(0.66 * half, r, 0.34 * half, None),
            along(-0.96 * half, 0.90 * r, 0.04 * half, None),
            along(-0.30 * half, 0.96 * r, 0.16 * half, None),
            along(0.275 * half, 0.97 * r, 0.03 * half, _BLACK),
            box((0.26 * half, 0.0016, 0.0016), (0.66 * half, 0.0, 2 * r), shade=0.7),
            *hidden(box((half, 0.80 * r, r), (0, 0, r)), box((half, r, 0.80 * r), (0, 0, r))),
        )
        add(
            name,
            "marker",
            shapes,
            colours=("red", "blue", "green", "yellow"),
            mass=0.025,
            material=(0.2, 0.7),
            grasps=((0.017, _UP),),
            held_out=name == "thick",
        )


def _add_batteries() -> None:
    for name, r, h in (("thick", 0.0170, 0.054), ("slim", 0.0125, 0.050), ("stout", 0.0190, 0.046)):
        shapes = (
            *solid(cylinder(r, 0.36 * h, (0, 0, 0.36 * h))),
            *solid(cylinder(0.995 * r, 0.14 * h, (0, 0, 0.86 * h), rgb=_BLACK)),
            cylinder(0.90 * r, 0.0012, (0, 0, h), shade=0.9),
            cylinder(0.60 * r, 0.0016, (0, 0, h), rgb=_SILVER),
            cylinder(0.36 * r, 0.0035, (0, 0, h + 0.003), rgb=_SILVER),
            cylinder(1.01 * r, 0.0013, (0, 0, 0.05 * h), rgb=_SILVER),
            box((0.30 * r, 0.0008, 0.0016), (0, -r, 0.58 * h), rgb=_WHITE),
            box((0.0016, 0.0008, 0.30 * r), (0, -r, 0.58 * h), rgb=_WHITE),
        )
        add(
            name,
            "battery",
            shapes,
            colours=("green", "blue", "red"),
            mass=0.06,
            material=(0.4, 0.9),
            grasps=((0.5 * h, 0.0), (0.5 * h, _UP)),
        )
    x, y, h = 0.0200, 0.0125, 0.046
    knob = revolve(((0, 0), (0.0055, 0), (0.0055, 0.005), (0.0035, 0.005), (0, 0.004)), sides=6)
    shapes = (
        *solid(box((x, y, 0.36 * h), (0, 0, 0.36 * h))),
        *solid(box((x, y, 0.14 * h), (0, 0, 0.86 * h), rgb=_BLACK)),
        box((0.94 * x, 0.92 * y, 0.0012), (0, 0, h), shade=0.9),
        cylinder(0.0045, 0.003, (-0.5 * x, 0, h + 0.003), rgb=_SILVER),
        surface(knob, (0.5 * x, 0, h + 0.001), rgb=_SILVER),
        box((0.5 * x, 0.0006, 0.13 * h), (0, -y, 0.36 * h), shade=0.35),
    )
    add(
        "square",
        "battery",
        shapes,
        colours=("green", "blue", "red"),
        mass=0.05,
        material=(0.4, 0.9),
        grasps=((0.5 * h, 0.0), (0.5 * h, _UP)),
        held_out=True,
    )


def _add_tapes() -> None:
    for name, r, hole, h in (
        ("plain", 0.0284, 0.0165, 0.024),
        ("narrow", 0.0280, 0.0190, 0.020),
        ("small", 0.0230, 0.0110, 0.026),
    ):
        profile = ((0, 0.0), (r, 0.0), (r, h), (hole, h), (hole, 0.001), (0, 0.001))
        core = (
            (0, 0.0),
            (hole + 0.001, 0.0),
            (hole + 0.001, h + 0.0012),
            (hole - 0.0018, h + 0.0012),
            (hole - 0.0018, 0.0015),
            (0, 0.0015),
        )
        shapes = (
            surface(revolve(profile, sides=24)),
            surface(revolve(core, sides=20), rgb=_CARD),
            cylinder(hole - 0.0015, 0.0008, (0, 0, 0.0018), rgb=(0.10, 0.09, 0.08)),
            box((0.006, 0.0007, 0.5 * h), (0.005, -r - 0.0002, 0.5 * h), shade=0.7),
            *hidden(cylinder(r, h / 2, (0, 0, h / 2))),
        )
        add(
            name,
            "tape_roll",
            shapes,
            colours=("yellow", "blue", "green", "cyan"),
            mass=0.05,
            material=(0.3, 0.8),
            grasps=((0.016, 0.0), (0.016, _UP)),
        )


def _add_cans() -> None:
    for name, r, h in (("plain", 0.0250, 0.060), ("short", 0.0275, 0.045), ("tall", 0.0225, 0.072)):
        body = revolve(
            (
                (0, 0),
                (0.86 * r, 0),
                (r, 0.06 * h),
                (r, 0.90 * h),
                (0.84 * r, 0.97 * h),
                (0.84 * r, h),
                (0.76 * r, h),
                (0.76 * r, 0.96 * h),
                (0, 0.96 * h),
            ),
            sides=20,
        )
        shapes = (
            surface(body),
            cylinder(0.77 * r, 0.0008, (0, 0, 0.965 * h), rgb=_SILVER),
            ellipsoid((0.26 * r, 0.16 * r, 0.0012), (0.2 * r, 0, 0.965 * h + 0.0012), rgb=_GREY),
            cylinder(1.022 * r, 0.11 * h, (0, 0, 0.50 * h), rgb=_WHITE),
            cylinder(0.90 * r, 0.012 * h, (0, 0, 0.955 * h), rgb=_SILVER),
            *hidden(cylinder(r, 0.48 * h, (0, 0, 0.48 * h))),
        )
        add(
            name,
            "can",
            shapes,
            colours=("red", "green", "blue", "yellow", "purple", "orange"),
            mass=0.07,
            material=(0.4, 0.9),
            grasps=((0.45 * h, 0.0), (0.45 * h, _UP)),
            held_out=name == "tall",
        )


def add_all() -> None:
    """Registers the things of the house."""
    _add_mice()
    _add_phones()
    _add_medicine_boxes()
    _add_sponges()
    _add_erasers()
    _add_markers()
    _add_batteries()
    _add_tapes()
    _add_cans()
