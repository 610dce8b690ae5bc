"""Garden things that only the tasks about flowers use: a watering can, flowers, a bottle.

They are not in the registry: a watering can is no item to be put into a bowl.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from uamsim_envs.library.instance import Instance, Opening
from uamsim_envs.library.shapes import (
    Shape,
    Vec3,
    around,
    box,
    capsule,
    cylinder,
    ellipsoid,
    hidden,
    lathe_walls,
    reach,
    solid,
    sphere,
    surface,
    vessel,
)
from uamsim_envs.library.solids import curve, revolve

_GREEN: Vec3 = (0.10, 0.38, 0.08)
_LEAF: Vec3 = (0.14, 0.46, 0.10)
_YOLK: Vec3 = (0.98, 0.70, 0.05)
_DARK: Vec3 = (0.03, 0.03, 0.03)
_STEEL: Vec3 = (0.55, 0.56, 0.58)
_PINK: Vec3 = (0.95, 0.32, 0.50)
_ALL_COLOURS = ("red", "green", "blue", "yellow", "white")

_CAN_RADIUS, _CAN_HEIGHT = 0.034, 0.060
_HANDLE_CENTRE, _HANDLE_RADIUS = (-0.014, 0.056), 0.048
_HANDLE_HALF = (0.005, 0.011)
"""Half thickness of the handle's band, radially and across (m)."""
_SPOUT_ROOT, _SPOUT_TIP = (0.024, 0.018), (0.104, 0.082)


@dataclass(frozen=True, kw_only=True)
class Can:
    """A watering can and where it is held and pours, at scale 1; its spout is along x.

    Attributes:
        instance: what it looks like.
        tip: of the spout (m).
        handle: middle of the band where a hand takes it (m).
        slant: angle from straight down, towards the spout, at which a gripper comes to it (rad).
    """

    instance: Instance
    tip: Float64[np.ndarray, "3"]
    handle: Float64[np.ndarray, "3"]
    slant: float


def _band(angle: float, half: float, **look: bool) -> Shape:
    """A straight piece of the handle; ``angle`` from the spout's direction (rad)."""
    (x, z), r = _HANDLE_CENTRE, _HANDLE_RADIUS
    return box(
        (_HANDLE_HALF[0], _HANDLE_HALF[1], half),
        (x + r * math.cos(angle), 0.0, z + r * math.sin(angle)),
        euler=(0.0, -angle, 0.0),
        shade=0.8,
        **look,  # type: ignore[arg-type]
    )


def _spout() -> tuple[Shape, ...]:
    (x0, z0), (x1, z1) = _SPOUT_ROOT, _SPOUT_TIP
    long, lean = math.hypot(x1 - x0, z1 - z0), math.atan2(x1 - x0, z1 - z0)
    root, turn = (x0, 0.0, z0), (0.0, lean, 0.0)
    tube = ((0.0, 0.0), (0.0105, 0.0), (0.0062, 0.8 * long), (0.0062, long), (0.0, long))
    rose = ((0.0, 0.0), (0.006, 0.0), (0.0145, 0.013), (0.0145, 0.016), (0.0, 0.017))
    ux, uz = math.sin(lean), math.cos(lean)

    def along(distance: float) -> Vec3:
        return (x0 + distance * ux, 0.0, z0 + distance * uz)

    holes = [
        cylinder(
            0.0015,
            0.0006,
            tuple(np.add(along(long + 0.0045), (-a * uz, b, a * ux))),  # type: ignore[arg-type]
            euler=turn,
            rgb=_DARK,
        )
        for a, b in ((0, 0), (0.008, 0), (-0.008, 0), (0, 0.008), (0, -0.008))
    ]
    return (
        surface(revolve(tube, sides=14), root, euler=turn),
        surface(revolve(rose, sides=16), along(long - 0.013), euler=turn, rgb=_STEEL, blend=0.25),
        *holes,
        *hidden(capsule(0.0075, long / 2 - 0.006, along(long / 2), euler=turn)),
    )


def watering_can() -> Can:
    """A round can with a long spout that ends in a rose, and a handle over its back."""
    r, h = _CAN_RADIUS, _CAN_HEIGHT
    outside = curve(((r + 0.002, 0.0), (r + 0.001, 0.4 * h), (r - 0.003, h)), 6)
    slant = math.radians(42)
    grip = math.pi / 2 + slant
    step = math.radians(12)
    arc = np.arange(math.radians(6), math.radians(242), step)
    reach_ = _HANDLE_RADIUS * math.tan(step / 2) + 0.001
    handle = [_band(float(a), reach_) for a in arc]
    holds = [
        _band(grip, 0.020),
        _band(math.radians(74), 0.018),
        _band(math.radians(30), 0.018),
        _band(math.radians(182), 0.018),
        _band(math.radians(222), 0.016),
    ]
    bands = [cylinder(r + 0.0025, 0.0022, (0.0, 0.0, z), shade=0.7) for z in (0.0025, 0.45 * h)]
    shapes = (
        vessel(tuple(outside), 0.003, 0.012, sides=24),
        *bands,
        cylinder(r - 0.004, 0.001, (0.0, 0.0, 0.8 * h), rgb=(0.25, 0.50, 0.75)),
        *hidden(cylinder(r, h / 2, (0.0, 0.0, h / 2))),
        *_spout(),
        *handle,
        *hidden(*holds),
    )
    (x, z), ring = _HANDLE_CENTRE, _HANDLE_RADIUS
    instance = Instance(
        name="watering_can",
        category="watering_can",
        shapes=shapes,
        radius=_SPOUT_TIP[0] + 0.005,
        height=z + ring,
        colours=_ALL_COLOURS,
        scale=(0.95, 1.05),
        mass=0.11,
        friction=0.8,
        material=(0.3, 0.8),
        grasps=(),
    )
    return Can(
        instance=instance,
        tip=np.array([_SPOUT_TIP[0], 0.0, _SPOUT_TIP[1]]),
        handle=np.array([x + ring * math.cos(grip), 0.0, z + ring * math.sin(grip)]),
        slant=slant,
    )


def _leaf(angle: float, height: float, long: float) -> Shape:
    return ellipsoid(
        (long / 2, 0.28 * long, 0.0012),
        (0.45 * long * math.cos(angle), 0.45 * long * math.sin(angle), height),
        euler=(0.0, -0.45, angle),
        rgb=_LEAF,
    )


def planted(pot: Instance) -> Instance:
    """A pot with a daisy growing in it, a little higher than its rim."""
    floor, rim = (pot.opening.floor, pot.opening.rim) if pot.opening else (0.0, 0.0)
    top = rim + 0.030
    petal = ellipsoid((0.0085, 0.0055, 0.0022), (0.0125, 0.0, top), euler=(0, -0.25, 0), rgb=_PINK)
    stem = capsule(0.0022, (top - floor) / 2, (0.0, 0.0, (top + floor) / 2), rgb=_GREEN)
    plant = (
        *solid(stem),
        *around(petal, 8),
        *solid(sphere(0.0075, (0.0, 0.0, top + 0.001), rgb=_YOLK)),
        *hidden(cylinder(0.018, 0.003, (0.0, 0.0, top))),
        *(_leaf(a, rim - 0.012 + 0.008 * i, 0.034) for i, a in enumerate((0.4, 2.5, 4.6))),
    )
    return replace(
        pot, name=f"{pot.name}_planted", shapes=(*pot.shapes, *plant), height=top + 0.009
    )


@dataclass(frozen=True, kw_only=True)
class CutFlower:
    """A flower with a long stem along z, at scale 1; its origin is the stem's lower end.

    Attributes:
        instance: what it looks like.
        grip: height of the middle of the calyx, where a hand takes it (m).
        stem_radius: m.
        lean: how far the stem's upper end rises from the table when it lies on its petals (rad).
    """

    instance: Instance
    grip: float
    stem_radius: float
    lean: float


def cut_flower() -> CutFlower:
    """A flower with six petals, a thick calyx and one leaf; it lies on two of the petals."""
    stem, head, thick = 0.0034, 0.180, 0.0065
    grip, calyx = 0.137, 0.034
    outer = 0.030
    petal = ellipsoid((0.0135, 0.0098, 0.0042), (outer - 0.0125, 0.0, head), euler=(0, -0.3, 0))
    neck = head - 0.004 - (grip - calyx / 2)
    cup = ((0.0, 0.0), (stem, 0.0), (thick, 0.006), (thick, calyx - 0.004), (0.0055, neck - 0.008),
           (0.011, neck), (0.0, neck))  # fmt: skip
    shapes = (
        *solid(capsule(stem, (grip - 0.01) / 2 - stem, (0.0, 0.0, (grip - 0.01) / 2), rgb=_GREEN)),
        *hidden(capsule(thick, calyx / 2 - thick, (0.0, 0.0, grip))),
        surface(revolve(cup, sides=14), (0.0, 0.0, grip - calyx / 2), rgb=_GREEN),
        *solid(*around(petal, 6, math.pi / 6)),
        *around(replace(petal, pos=(outer - 0.0155, 0.0, head + 0.003), shade=0.82), 6),
        sphere(0.0095, (0.0, 0.0, head + 0.004), rgb=_YOLK),
        ellipsoid(
            (0.016, 0.0048, 0.0011), (-0.012, 0, 0.1245), euler=(0, -0.9, math.pi), rgb=_LEAF
        ),
    )
    # Two petals carry the head: their ends are cos 30 deg of its radius below the stem.
    rise = math.cos(math.pi / 6) * outer - stem
    instance = Instance(
        name="cut_flower",
        category="flower",
        shapes=shapes,
        radius=outer,
        height=head + 0.012,
        colours=_ALL_COLOURS,
        scale=(0.96, 1.04),
        mass=0.03,
        friction=0.7,
        material=(0.0, 0.1),
        grasps=(),
    )
    return CutFlower(instance=instance, grip=grip, stem_radius=stem, lean=math.atan2(rise, head))


def bottle() -> Instance:
    """A heavy bottle for one flower: a wide belly, a narrow neck and a flared mouth."""
    points = ((0.029, 0.0), (0.038, 0.030), (0.0175, 0.074), (0.0165, 0.092), (0.0215, 0.108))
    outside, wall = curve(points, 13), 0.004
    shapes = (
        vessel(tuple(outside), wall, 0.008, sides=24),
        cylinder(0.0395, 0.0016, (0.0, 0.0, 0.028), shade=0.6),
        *hidden(cylinder(0.029, 0.004, (0.0, 0.0, 0.004))),
        *lathe_walls(((points[0][0], 0.003), *points[1:]), wall, 8),
    )
    radius, _, height = reach(shapes[:1])
    return Instance(
        name="bottle_belly",
        category="bottle",
        shapes=shapes,
        radius=radius,
        height=height,
        colours=_ALL_COLOURS,
        scale=(0.96, 1.06),
        mass=0.40,
        friction=0.9,
        material=(0.5, 0.9),
        grasps=(),
        opening=Opening(shape="circle", half=(0.0125, 0.0125), floor=0.008, rim=points[-1][1]),
    )
