"""One graspable thing or receptacle: its measures, its grasps, and how it enters a model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np

from uamsim.errors import SceneError
from uamsim.lexicon import LEXICON
from uamsim.registry import Registry
from uamsim_envs.contacts import FINGER_TIP, TABLE_BIT, THING_BIT
from uamsim_envs.library.shapes import Shape, points, quat, reach
from uamsim_envs.rendering import HIDDEN_GROUP, VISIBLE_GROUP

GraspPoint = tuple[float, float] | tuple[float, float, tuple[float, float]]
"""Height, yaw and, where it is not the thing's origin, offset of a grasp (m, rad, m)."""
MAX_GRASP_WIDTH = 0.062
"""m; the gripper opens 0.074."""
_PAD_HALF_WIDTH = 0.013
"""m; what a finger pad sweeps to either side of the grasp point, with a margin."""
_REACH = 0.030
"""m from the grasp point along the closing direction: what can come between the fingers."""
_TORSION, _ROLLING = 0.005, 0.0008
_SHININESS = 0.4


@dataclass(frozen=True, kw_only=True)
class Grasp:
    """One top-down grasp; lengths at scale 1.

    Attributes:
        height: of the point between the finger tips above the thing's base (m).
        yaw: direction in which the fingers close, in the thing's frame (rad); 0 is its x axis.
        width: extent of the thing along that direction there (m).
        offset: of the grasp point from the thing's origin, in its frame (m).
    """

    height: float
    yaw: float
    width: float
    offset: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Where things are put; lengths at scale 1.

    Attributes:
        shape: of the free space in it, seen from above.
        half: half extents along x and y (m); a circle's radius twice.
        floor: height that things rest at (m).
        rim: height of its edge (m).
    """

    shape: Literal["circle", "box"]
    half: tuple[float, float]
    floor: float
    rim: float


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One thing, at scale 1.

    Attributes:
        name: of the instance, "apple_round".
        category: name of a lexicon entry.
        shapes: origin at its base centre, z up.
        radius: of the circle it covers on the table (m).
        height: m.
        colours: lexicon colours it comes in.
        scale: range of sizes.
        mass: kg.
        friction: sliding.
        material: range of specular.
        grasps: empty for what is not picked.
        opening: for receptacles, where things are put.
        held_out: whether demonstrations show its category, but never this shape.
    """

    name: str
    category: str
    shapes: tuple[Shape, ...]
    radius: float
    height: float
    colours: tuple[str, ...]
    scale: tuple[float, float]
    mass: float
    friction: float
    material: tuple[float, float]
    grasps: tuple[Grasp, ...]
    opening: Opening | None = None
    held_out: bool = False

    @property
    def in_action_data(self) -> bool:
        """Whether demonstrations may show it: neither it nor its category is held out."""
        return not self.held_out and LEXICON[self.category].in_action_data


INSTANCES: Registry[Instance] = Registry("instance")


def grasp_at(shapes: Sequence[Shape], point: GraspPoint) -> Grasp:
    """A grasp whose width is measured on the solid shapes between and above the finger tips.

    Args:
        shapes: of the thing.
        point: where and in which direction the fingers close.

    Raises:
        SceneError: nothing is between the fingers.
    """
    height, yaw = point[:2]
    offset = point[2] if len(point) == 3 else (0.0, 0.0)
    cloud = np.concatenate([points(shape) for shape in shapes if shape.solid])
    away = cloud[:, :2] - offset
    c, s = math.cos(yaw), math.sin(yaw)
    along, across = away @ (c, s), away @ (-s, c)
    near = (np.abs(across) <= _PAD_HALF_WIDTH) & (np.abs(along) <= _REACH + 0.005)
    near &= cloud[:, 2] >= height - FINGER_TIP
    if not near.any():
        raise SceneError(f"a grasp at {offset} and height {height} closes on nothing.")
    width = float(2.0 * np.abs(along[near]).max())
    return Grasp(height=height, yaw=yaw, width=width, offset=offset)


def add(
    name: str,
    category: str,
    shapes: Sequence[Shape],
    *,
    colours: Sequence[str],
    mass: float,
    scale: tuple[float, float] = (0.9, 1.08),
    friction: float = 0.9,
    material: tuple[float, float] = (0.1, 0.5),
    grasps: Sequence[GraspPoint] = (),
    opening: Opening | None = None,
    held_out: bool = False,
) -> Instance:
    """Registers an instance, with what can be measured on its shapes.

    Args:
        name: suffix after the category's name.
        category: name of a lexicon entry.
        shapes: at scale 1.
        colours: names in the lexicon.
        mass: kg.
        scale: range of sizes.
        friction: sliding.
        material: range of specular.
        grasps: where and in which direction the fingers close.
        opening: for receptacles.
        held_out: whether demonstrations show its category, but never this shape.
    """
    radius, _, height = reach([shape for shape in shapes if shape.visible])
    return INSTANCES.add(
        f"{category}_{name}",
        Instance(
            name=f"{category}_{name}",
            category=category,
            shapes=tuple(shapes),
            radius=radius,
            height=height,
            colours=tuple(colours),
            scale=scale,
            mass=mass,
            friction=friction,
            material=material,
            grasps=tuple(grasp_at(shapes, grasp) for grasp in grasps),
            opening=opening,
            held_out=held_out,
        ),
    )


def instances_of(category: str, *, in_action_data: bool | None = None) -> list[Instance]:
    """Instances of a category in the library's order, all or one side of the hold-out.

    Raises:
        UnknownNameError: no such word.
    """
    entry = LEXICON[category]
    return [
        instance
        for instance in INSTANCES.values()
        if instance.category == entry.name and in_action_data in (None, instance.in_action_data)
    ]


def _mesh_name(spec: mujoco.MjSpec, instance: Instance, index: int, scale: float) -> str:
    """Adds a shape's mesh to a spec, once for each size."""
    name = f"{instance.name}/{index}@{scale:.5f}"
    mesh = instance.shapes[index].mesh
    if mesh is not None and spec.mesh(name) is None:
        spec.add_mesh(
            name=name,
            uservert=(mesh.vertices * scale).ravel(),
            userface=mesh.faces.ravel(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )
    return name


def add_instance(
    spec: mujoco.MjSpec,
    body: mujoco.MjsBody,
    instance: Instance,
    *,
    name: str,
    colour: str,
    scale: float = 1.0,
    specular: float = 0.2,
    static: bool = False,
    bits: tuple[int, int] | None = None,
) -> None:
    """Adds an instance's shapes to a body, as geoms "name/0", "name/1", ...

    Args:
        spec: the model, which gets the meshes and a material called ``name``.
        body: gets the geoms; its free joint is the caller's.
        instance: what to add.
        name: prefix of the geoms.
        colour: name in the lexicon.
        scale: factor on all lengths; the mass grows with its cube.
        specular: how much it shines, 0..1.
        static: whether the body is fixed to the table.
        bits: contype and conaffinity of the solid shapes; by default those of things on the
            table, or of the table for a static one.

    Raises:
        SceneError: the colour is not one.
    """
    rgb = LEXICON[colour].rgb
    if rgb is None:
        raise SceneError(f"{colour!r} is not a colour.")
    if bits is None:
        bits = (TABLE_BIT, 0) if static else (THING_BIT, THING_BIT | TABLE_BIT)
    spec.add_material(name=name, specular=specular, shininess=_SHININESS)
    density = instance.mass / sum(shape.volume for shape in instance.shapes if shape.solid)
    for index, shape in enumerate(instance.shapes):
        geom = body.add_geom(
            name=f"{name}/{index}",
            pos=[scale * x for x in shape.pos],
            quat=quat(shape.euler),
            mass=density * shape.volume * scale**3 if shape.solid else 0.0,
            contype=bits[0] if shape.solid else 0,
            conaffinity=bits[1] if shape.solid else 0,
            condim=4 if shape.kind == "box" else 6,
            friction=(instance.friction, _TORSION, _ROLLING),
            group=VISIBLE_GROUP if shape.visible else HIDDEN_GROUP,
            material=name,
            rgba=(*shape.colour(rgb), 1.0),
        )
        if shape.kind == "mesh":
            geom.type = mujoco.mjtGeom.mjGEOM_MESH
            geom.meshname = _mesh_name(spec, instance, index, scale)
        else:
            geom.type = getattr(mujoco.mjtGeom, f"mjGEOM_{shape.kind.upper()}")
            geom.size = [scale * s for s in shape.size] + [0.0] * (3 - len(shape.size))
