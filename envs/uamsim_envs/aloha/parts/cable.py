"""A cable: a chain of capsules with stiff, damped joints, built along a drawn curve."""

import math
from dataclasses import dataclass
from itertools import pairwise

import mujoco
import numpy as np
from jaxtyping import Float64

from uamsim_envs.contacts import TABLE_BIT, THING_BIT

RADIUS = 0.0035
"""Of a cable (m)."""
LINK = 0.028
"""Length of one of its links (m)."""
_STIFFNESS, _DAMPING = 0.003, 0.0006
"""N m/rad and N m s/rad of one joint: it bends by itself only a little under its own weight."""
_DENSITY = 1100.0


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A line on the table that begins straight and then turns; lengths in m, angles in rad.

    Attributes:
        start: where it begins.
        heading: of its first links.
        bend: by how much it turns in all, to the left.
        wave: amplitude of a turn to one side and back.
        num_links: how many links it has.
        start_height: of its first point; it comes down to the table from there.
        end_height: of its last point.
    """

    start: tuple[float, float]
    heading: float
    bend: float
    wave: float
    num_links: int
    start_height: float
    end_height: float

    def points(self) -> Float64[np.ndarray, "N 3"]:
        """Its joints and both ends."""
        points = [np.array([*self.start, self.start_height])]
        for index in range(self.num_links):
            u = max(0.0, (index - 1) / (self.num_links - 1))
            angle = self.heading + self.bend * u + self.wave * math.sin(2.0 * math.pi * u)
            height = self._height((index + 1) * LINK)
            rise = height - points[-1][2]
            flat = math.sqrt(LINK**2 - rise**2)
            step = (flat * math.cos(angle), flat * math.sin(angle), rise)
            points.append(points[-1] + step)
        return np.array(points)

    def _height(self, length: float) -> float:
        left = self.num_links * LINK - length
        down = max(0.0, 1.0 - length / 0.05) * (self.start_height - RADIUS)
        up = max(0.0, 1.0 - left / 0.04) * (self.end_height - RADIUS)
        return RADIUS + down + up


def _frame(direction: np.ndarray) -> np.ndarray:
    """The rotation whose x axis is a direction and whose y axis is level."""
    x = direction / np.linalg.norm(direction)
    y = np.array([-x[1], x[0], 0.0]) / math.hypot(x[0], x[1])
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _quat(rotation: np.ndarray) -> np.ndarray:
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, rotation.ravel())
    return quat


def _add_joint(body: mujoco.MjsBody, pos: tuple[float, float, float], *, twists: bool) -> None:
    """Bends, and at the plug also twists: twist along the cable costs time and shows nowhere."""
    axes = ((0, 0, 1), (0, 1, 0), (1, 0, 0)) if twists else ((0, 0, 1), (0, 1, 0))
    for axis in axes:
        body.add_joint(
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=axis,
            pos=pos,
            stiffness=_STIFFNESS,
            damping=_DAMPING,
            armature=1e-6,
        )


def _add_link(body: mujoco.MjsBody, index: int, rgba: tuple[float, ...]) -> None:
    """A capsule for fingers and fixed things, and a ball for the table: half the contacts."""
    body.add_geom(
        name=f"cable/{index}",
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        size=(RADIUS, 0, 0),
        fromto=(0, 0, 0, LINK, 0, 0),
        rgba=rgba,
        density=_DENSITY,
        contype=THING_BIT,
        conaffinity=0,
    )
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        size=(RADIUS, 0, 0),
        rgba=rgba,
        mass=0.0,
        contype=0,
        conaffinity=TABLE_BIT,
        friction=(0.6, 0.005, 0.0001),
    )


def add_cable(
    spec: mujoco.MjSpec,
    points: Float64[np.ndarray, "N 3"],
    *,
    rgba: tuple[float, float, float, float],
    tail: float,
    tail_yaw: float,
) -> mujoco.MjsBody:
    """Adds bodies "cable/0" and on, the first of them fixed, and an empty body at the end.

    Its shape without load is the drawn one. It meets the table, fingers and static things with
    ``THING_BIT`` in their conaffinity, but neither itself nor free things.

    Args:
        spec: the world.
        points: from the fixed end to the free one, ``LINK`` apart.
        rgba: its colour.
        tail: how far the last body's origin lies ahead of the last point, along its x axis (m).
        tail_yaw: heading of the last body (rad); it is level.

    Returns:
        The last body, with a joint at the cable's end, called "plug".
    """
    parent, at, frame = spec.worldbody, points[0], np.eye(3)
    for index, (first, last) in enumerate(pairwise(points)):
        turned = _frame(last - first)
        pos = frame.T @ (first - at) if index else first
        parent = parent.add_body(name=f"cable/{index}", pos=pos, quat=_quat(frame.T @ turned))
        if index:
            _add_joint(parent, (0, 0, 0), twists=False)
        _add_link(parent, index, rgba)
        at, frame = first, turned
    level = _frame(np.array([math.cos(tail_yaw), math.sin(tail_yaw), 0.0]))
    origin = points[-1] + tail * level[:, 0]
    body = parent.add_body(name="plug", pos=frame.T @ (origin - at), quat=_quat(frame.T @ level))
    _add_joint(body, (-tail, 0, 0), twists=True)
    return body
