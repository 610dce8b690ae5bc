"""A carton of fries with a hinged lid, and its fries: the bodies of ``pour_fries``."""

import math

import mujoco
import numpy as np

from uamsim.lexicon import LEXICON, entries
from uamsim_envs.contacts import FINGER_BIT, TABLE_BIT, THING_BIT
from uamsim_envs.library import Instance
from uamsim_envs.library.shapes import Shape, box, box_walls, solid
from uamsim_envs.rendering import HIDDEN_GROUP

DEPTH, WIDTH, HEIGHT = 0.048, 0.056, 0.070
"""Of the carton along its x axis (where it pours), between the fingers, and upright (m)."""
WALL = 0.003
_TAB = 0.016
FRY_RADIUS, FRY_HALF = 0.0038, 0.022
"""Of the capsule that stands for a fry, and half its straight part (m)."""
_STIFF = (0.005, 1.0)
"""Time constant (s) and damping ratio of contacts that thin things must not sink through."""
_FRY_MASS = 0.0025
_FRY_RGB, _PAPER = (0.96, 0.72, 0.22), (0.94, 0.93, 0.90)
_BARS = (0.012, 0.015, 0.010, 0.013)
"""Half lengths of the fries in the picture on the carton (m)."""


def fries_carton() -> Instance:
    """The carton without its lid: four walls, a bottom, and stripes on them."""
    x, y = DEPTH / 2, WIDTH / 2
    picture: list[Shape] = []
    for end in (-1, 1):
        picture.append(box((0.018, 0.0003, 0.023), (0, end * y, 0.034), rgb=_PAPER))
        picture.append(box((0.0003, 0.021, 0.023), (end * x, 0, 0.034), rgb=_PAPER))
        for k, half in enumerate(_BARS):
            at, tall = 0.0085 * (k - 1.5), 0.034 + (half - _BARS[1])
            picture += [
                box((0.0028, 0.0005, half), (at, end * y, tall), rgb=_FRY_RGB),
                box((0.0005, 0.0028, half), (end * x, at, tall), rgb=_FRY_RGB),
            ]
    return Instance(
        name="carton_fries",
        category="carton",
        shapes=(
            *solid(box((x, y, WALL / 2), (0, 0, WALL / 2))),
            *solid(*box_walls((x, y), WALL, HEIGHT, WALL)),
            *picture,
        ),
        radius=math.hypot(x, y),
        height=HEIGHT,
        colours=tuple(e.name for e in entries("colour")),
        scale=(1.0, 1.0),
        mass=0.08,
        friction=0.6,
        material=(0.1, 0.2),
        grasps=(),
    )


def wax(carton: mujoco.MjsBody) -> None:
    """Makes the walls slippery for fries and gives the fingers an outer skin with a grip."""
    for index, geom in enumerate([g for g in carton.geoms if g.contype]):
        geom.condim, geom.contype = 3, 0
        if geom.pos[2] < WALL:
            continue
        geom.priority, geom.friction, geom.solref = 2, (0.2, 0.005, 0.0001), _STIFF
        carton.add_geom(
            name=f"{carton.name}/skin{index}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=geom.size,
            pos=geom.pos,
            mass=0,
            contype=0,
            conaffinity=FINGER_BIT,
            condim=4,
            priority=2,
            friction=(1.2, 0.02, 0.0001),
            solref=_STIFF,
            solimp=(0.98, 0.99, 0.001, 0.5, 2),
            group=HIDDEN_GROUP,
        )


def add_lid(carton: mujoco.MjsBody, colour: str) -> None:
    """A flap hinged at the carton's rear edge; its stiff crease keeps it wherever it is bent."""
    rgb = LEXICON[colour].rgb or _PAPER
    lid = carton.add_body(name="lid", pos=(-DEPTH / 2, 0, HEIGHT))
    lid.add_joint(
        name="lid",
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=(0, -1, 0),
        range=(0.0, 2.3),
        limited=True,
        armature=3e-5,
        damping=2e-4,
        frictionloss=0.025,
        # A softer constraint would let the flap creep under its weight.
        solimp_friction=(0.999, 0.999, 0.001, 0.5, 2),
    )
    parts = (
        ((DEPTH / 2, WIDTH / 2, 0.001), (DEPTH / 2, 0, 0.0013), 0.8),
        ((_TAB / 2, 0.015, 0.001), (DEPTH + _TAB / 2, 0, 0.0013), 0.6),
    )
    for half, pos, shade in parts:
        lid.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=half,
            pos=pos,
            mass=0.002,
            rgba=(*(shade * c for c in rgb), 1),
            contype=THING_BIT,
            conaffinity=THING_BIT | TABLE_BIT,
            condim=3,
            friction=(0.5, 0.005, 0.0001),
        )

    pictures = [((0.018, 0.021, 0.0002), (DEPTH / 2, 0.0, 0.0023), _PAPER)]
    for k, bar in enumerate(_BARS):
        at = (DEPTH / 2 + bar - _BARS[1], 0.0085 * (k - 1.5), 0.0024)
        pictures.append(((bar, 0.0028, 0.0004), at, _FRY_RGB))
    for half, pos, paint in pictures:
        lid.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=half,
            pos=pos,
            mass=0,
            rgba=(*paint, 1),
            contype=0,
            conaffinity=0,
        )


def add_fry(
    spec: mujoco.MjSpec, name: str, pos: np.ndarray, lean: np.ndarray, *, tone: float
) -> None:
    """Adds a free upright fry.

    Args:
        spec: the model.
        name: of its body and joint.
        pos: of its middle (m, world).
        lean: how far it leans about x and y (rad).
        tone: factor on its colour.
    """
    body = spec.worldbody.add_body(name=name, pos=pos, quat=(1, lean[0] / 2, lean[1] / 2, 0))
    body.add_freejoint(name=name)
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        size=(FRY_RADIUS, FRY_HALF, 0),
        mass=_FRY_MASS,
        contype=THING_BIT,
        conaffinity=THING_BIT | TABLE_BIT,
        condim=3,
        priority=1,
        friction=(0.5, 0.005, 0.0001),
        solref=_STIFF,
        group=HIDDEN_GROUP,
    )
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=(0.0034, 0.0034, FRY_HALF + FRY_RADIUS),
        mass=0,
        contype=0,
        conaffinity=0,
        rgba=(*(tone * c for c in _FRY_RGB), 1),
    )
