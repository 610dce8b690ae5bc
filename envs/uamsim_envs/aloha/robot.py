"""The two ViperX-300 6-DoF arms of ALOHA, built in code with primitive shapes.

Link lengths, joint axes, limits, speeds and masses are the maker's, from
``interbotix_xsarm_descriptions/urdf/vx300s.urdf.xacro`` (Interbotix/interbotix_ros_manipulators);
the distance between the arms, the fingers' range and the diagonal inertias are those of MuJoCo
Menagerie's ``aloha.xml``, which measured them on the robot. The servos are stiff position loops
with gravity compensated, as their integral term does on the real arm.
"""

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from uamsim_envs.aloha.kinematics import (
    BASES,
    GRIPPER_TO_TCP,
    JOINT_RANGE,
    JOINTS,
    UPPER_ARM,
    WRIST_TO_GRIPPER,
)
from uamsim_envs.contacts import FINGER_BIT, FINGER_TIP, TABLE_BIT, THING_BIT
from uamsim_envs.rendering import look_quat

SIDES: tuple[str, str] = ("left", "right")
FINGER_RANGE = (0.002, 0.037)
"""m from the middle: fully closed and fully open, as ALOHA's software limits them."""
FINGER_JOINT_RANGE = (0.0, 0.041)
_BLACK = (0.10, 0.10, 0.11, 1.0)
_DARK = (0.20, 0.20, 0.22, 1.0)


@dataclass(frozen=True, kw_only=True)
class _Link:
    """One moving link: where its joint sits in its parent, and what it weighs."""

    pos: tuple[float, float, float]
    axis: tuple[int, int, int]
    mass: float
    com: tuple[float, float, float]
    inertia: tuple[float, float, float]
    armature: float
    kp: float
    torque: float


_LINKS: tuple[_Link, ...] = (
    _Link(
        pos=(0, 0, 0.079),
        axis=(0, 0, 1),
        mass=0.798614,
        com=(0.000259, 0, 0.011613),
        inertia=(0.00120, 0.00114, 0.00094),
        armature=0.4,
        kp=2000,
        torque=144,
    ),
    _Link(
        pos=(0, 0, 0.04805),
        axis=(0, 1, 0),
        mass=0.792592,
        com=(0.020695, 0, 0.226459),
        inertia=(0.00911, 0.00893, 0.00076),
        armature=0.395,
        kp=2000,
        torque=144,
    ),
    _Link(
        pos=(UPPER_ARM[0], 0, UPPER_ARM[1]),
        axis=(0, 1, 0),
        mass=0.322228,
        com=(0.105723, 0, 0),
        inertia=(0.00015, 0.00134, 0.00144),
        armature=0.383,
        kp=1500,
        torque=59,
    ),
    _Link(
        pos=(0.2, 0, 0),
        axis=(1, 0, 0),
        mass=0.414823,
        com=(0.051348, 0.006805, 0),
        inertia=(0.00018, 0.00055, 0.00059),
        armature=0.14,
        kp=400,
        torque=35,
    ),
    _Link(
        pos=(0.1, 0, 0),
        axis=(0, 1, 0),
        mass=0.115395,
        com=(0.046743, 0, 0.010565),
        inertia=(0.00005, 0.00005, 0.00005),
        armature=0.1,
        kp=350,
        torque=35,
    ),
    _Link(
        pos=(WRIST_TO_GRIPPER, 0, 0),
        axis=(1, 0, 0),
        mass=0.673232,
        com=(0.06, 0, 0),
        inertia=(0.00069, 0.00065, 0.00047),
        armature=0.05,
        kp=150,
        torque=35,
    ),
)


def _damping(kp: float, inertia: float) -> float:
    """Critical damping."""
    return 2.0 * math.sqrt(kp * inertia)


def _shape(
    body: mujoco.MjsBody,
    kind: str,
    size: tuple[float, ...],
    pos: tuple[float, float, float] = (0, 0, 0),
    *,
    fromto: tuple[float, ...] | None = None,
    rgba: tuple[float, ...] = _BLACK,
    name: str = "",
    bits: tuple[int, int] = (0, 0),
) -> mujoco.MjsGeom:
    geom = body.add_geom(
        type=getattr(mujoco.mjtGeom, f"mjGEOM_{kind.upper()}"),
        size=[*size, *([0.0] * (3 - len(size)))],
        pos=pos,
        rgba=rgba,
        mass=0.0,
        contype=bits[0],
        conaffinity=bits[1],
        group=0,
    )
    if name:
        geom.name = name
    if fromto is not None:
        geom.fromto = fromto
    return geom


def _decorate(index: int, body: mujoco.MjsBody) -> None:
    """Primitive stand-ins for the maker's meshes."""
    if index == 0:
        _shape(body, "cylinder", (0.045, 0.03), (0, 0, 0.02))
    elif index == 1:
        _shape(body, "capsule", (0.03,), fromto=(0, 0, 0, 0, 0, UPPER_ARM[1]))
        _shape(
            body,
            "capsule",
            (0.026,),
            fromto=(0, 0, UPPER_ARM[1], UPPER_ARM[0], 0, UPPER_ARM[1]),
        )
    elif index == 2:
        _shape(body, "capsule", (0.026,), fromto=(0, 0, 0, 0.2, 0, 0))
    elif index == 3:
        _shape(body, "capsule", (0.022,), fromto=(0, 0, 0, 0.1, 0, 0), rgba=_DARK)
    elif index == 4:
        _shape(body, "capsule", (0.019,), fromto=(0, 0, 0, WRIST_TO_GRIPPER, 0, 0))
    else:
        _shape(body, "box", (0.025, 0.022, 0.018), (0.035, 0, 0), rgba=_DARK)
        _shape(body, "box", (0.01, 0.06, 0.012), (0.07, 0, 0))


def _add_fingers(spec: mujoco.MjSpec, gripper: mujoco.MjsBody, side: str) -> None:
    length = 0.042
    for finger, sign in (("left_finger", 1), ("right_finger", -1)):
        body = gripper.add_body(name=f"{side}/{finger}")
        body.gravcomp = 1.0
        body.explicitinertial = True
        body.mass = 0.0863
        body.ipos = (0.1, 0.01 * sign, 0)
        body.inertia = (5.9e-5, 4.5e-5, 1.8e-5)
        body.add_joint(
            name=f"{side}/{finger}",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0, sign, 0),
            range=FINGER_JOINT_RANGE,
            limited=True,
            armature=0.15,
        )
        pad = _shape(
            body,
            "box",
            (length, 0.006, 0.011),
            (GRIPPER_TO_TCP + FINGER_TIP - length, 0.006 * sign, 0),
            rgba=_DARK,
            name=f"{side}/{finger}/pad",
            bits=(FINGER_BIT, TABLE_BIT | THING_BIT),
        )
        pad.condim = 4
        pad.friction = (1.5, 0.02, 0.0001)
        pad.priority = 1
        pad.solref = (0.01, 1.0)
        servo = spec.add_actuator(
            name=f"{side}/{finger}",
            target=f"{side}/{finger}",
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            forcelimited=True,
            forcerange=(-12.0, 12.0),
        )
        servo.set_to_position(kp=800.0, kv=_damping(800.0, 0.24))


def _add_wrist_camera(gripper: mujoco.MjsBody, side: str) -> None:
    """Above the gripper, looking along the fingers, as ALOHA's D405."""
    pos = np.array([0.02, 0.0, 0.085])
    ahead = np.array([GRIPPER_TO_TCP + 0.02, 0.0, 0.0]) - pos
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    gripper.add_camera(name=f"{side}_wrist", pos=pos, quat=look_quat(right, np.cross(right, ahead)))


def add_arm(spec: mujoco.MjSpec, arm: int) -> None:
    """Adds an arm with its servos and its wrist camera to a spec.

    Args:
        spec: the world; gets joints and actuators named "left/waist" and so on.
        arm: 0 left, 1 right.
    """
    base, side = BASES[arm], SIDES[arm]
    body = spec.worldbody.add_body(
        name=f"{side}/base_link",
        pos=(base.x, 0, 0),
        quat=(math.cos(base.yaw / 2), 0, 0, math.sin(base.yaw / 2)),
    )
    _shape(body, "box", (0.09, 0.06, 0.012), (-0.02, 0, 0.012))
    _shape(body, "cylinder", (0.055, 0.03), (0, 0, 0.045))
    for index, (joint, link) in enumerate(zip(JOINTS, _LINKS, strict=True)):
        body = body.add_body(name=f"{side}/{joint}", pos=link.pos)
        body.gravcomp = 1.0
        body.explicitinertial = True
        body.mass, body.ipos, body.inertia = link.mass, link.com, link.inertia
        body.add_joint(
            name=f"{side}/{joint}",
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=link.axis,
            range=tuple(JOINT_RANGE[index]),
            limited=True,
            armature=link.armature,
        )
        servo = spec.add_actuator(
            name=f"{side}/{joint}",
            target=f"{side}/{joint}",
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            forcelimited=True,
            forcerange=(-link.torque, link.torque),
        )
        servo.set_to_position(kp=link.kp, kv=_damping(link.kp, 1.3 * link.armature))
        _decorate(index, body)
    body.add_site(name=f"{side}/tcp", pos=(GRIPPER_TO_TCP, 0, 0), group=5)
    _add_fingers(spec, body, side)
    _add_wrist_camera(body, side)
