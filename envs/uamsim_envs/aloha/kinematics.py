"""Forward and inverse kinematics of the ViperX-300 6-DoF arm, in closed form.

The last three joint axes meet in the wrist, so position and orientation separate: waist,
shoulder and elbow place the wrist, and roll, angle and rotate turn the gripper. The lengths are
the maker's (Interbotix ``vx300s.urdf.xacro``, interbotix_ros_manipulators).
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

JOINTS: tuple[str, ...] = (
    "waist",
    "shoulder",
    "elbow",
    "forearm_roll",
    "wrist_angle",
    "wrist_rotate",
)
_TURN = math.pi - 1e-5
JOINT_RANGE: Float64[np.ndarray, "6 2"] = np.array(
    [
        (-_TURN, _TURN),
        (math.radians(-106), math.radians(72)),
        (math.radians(-101), math.radians(92)),
        (-_TURN, _TURN),
        (math.radians(-107), math.radians(128)),
        (-_TURN, _TURN),
    ]
)
"""Joint limits in rad, from the maker's URDF."""
MAX_JOINT_SPEED = math.pi
"""rad/s, the URDF's limit of all six joints."""

SHOULDER_HEIGHT = 0.079 + 0.04805
UPPER_ARM = (0.05955, 0.3)
"""Elbow from shoulder, forward and up, at zero angles."""
FOREARM = 0.2 + 0.1
WRIST_TO_GRIPPER = 0.069744
GRIPPER_TO_TCP = 0.15
"""From the gripper link to between the finger tips; the site "gripper" of MuJoCo Menagerie's
model of ALOHA."""
WRIST_TO_TCP = WRIST_TO_GRIPPER + GRIPPER_TO_TCP

_UPPER = math.hypot(*UPPER_ARM)
_UPPER_ANGLE = math.atan2(*UPPER_ARM)


@dataclass(frozen=True, kw_only=True)
class ArmBase:
    """Where an arm stands.

    Attributes:
        x: base position along the world's x (m); y and z are 0.
        yaw: heading about z (rad).
    """

    x: float
    yaw: float


LEFT = ArmBase(x=-0.469, yaw=0.0)
RIGHT = ArmBase(x=0.469, yaw=math.pi)
"""Facing each other, as far apart as ALOHA's (MuJoCo Menagerie, ``aloha.xml``)."""
BASES: tuple[ArmBase, ArmBase] = (LEFT, RIGHT)


def _rot_y(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def _rot_x(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _rot_z(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


DOWN: tuple[np.ndarray, np.ndarray] = tuple(_rot_z(b.yaw) @ _rot_y(math.pi / 2) for b in BASES)  # type: ignore[assignment]
"""World orientation of each gripper that points straight down with its fingers along y."""


def rotation_from_vector(vector: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3 3"]:
    """Rotation matrix of a rotation vector (rad), by Rodrigues' formula."""
    x, y, z = (float(v) for v in vector)
    angle = math.sqrt(x * x + y * y + z * z)
    if angle < 1e-12:
        return np.eye(3)
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]) / angle
    return np.eye(3) + math.sin(angle) * k + (1.0 - math.cos(angle)) * (k @ k)


def vector_from_rotation(rotation: Float64[np.ndarray, "3 3"]) -> Float64[np.ndarray, "3"]:
    """Rotation vector (rad) of a rotation matrix; angles up to just below pi."""
    r = rotation
    axis = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    sine = 0.5 * math.sqrt(float(axis @ axis))
    cosine = 0.5 * (float(r[0, 0] + r[1, 1] + r[2, 2]) - 1.0)
    if sine < 1e-9:
        if cosine > 0.0:
            return 0.5 * axis
        column = int(np.argmax(np.diag(r)))
        direction = r[:, column] + np.eye(3)[column]
        return direction * (math.pi / float(np.linalg.norm(direction)))
    return axis * (0.5 * math.atan2(sine, cosine) / sine)


def forward(
    arm: int, joints: Float64[np.ndarray, "6"]
) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    """Position (m, world) and rotation vector away from straight down (rad) of a gripper.

    Args:
        arm: 0 left, 1 right.
        joints: angles in rad, in the order of ``JOINTS``.
    """
    waist, shoulder, elbow, roll, angle, rotate = (float(q) for q in joints)
    base = BASES[arm]
    cs, ss = math.cos(shoulder), math.sin(shoulder)
    elevation = shoulder + elbow
    radius = UPPER_ARM[0] * cs + UPPER_ARM[1] * ss + FOREARM * math.cos(elevation)
    height = UPPER_ARM[1] * cs - UPPER_ARM[0] * ss - FOREARM * math.sin(elevation)
    yaw = base.yaw + waist
    rotation = _rot_z(yaw) @ _rot_y(elevation) @ _rot_x(roll) @ _rot_y(angle) @ _rot_x(rotate)
    position = np.array(
        [base.x + radius * math.cos(yaw), radius * math.sin(yaw), SHOULDER_HEIGHT + height]
    )
    position += WRIST_TO_TCP * rotation[:, 0]
    return position, vector_from_rotation(rotation @ DOWN[arm].T)


def inverse(
    arm: int, position: Float64[np.ndarray, "3"], rotation_vector: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "6"]:
    """Joint angles (rad) that bring a gripper to a pose: elbow up, |forearm roll| <= pi / 2.

    A target out of reach is brought to the nearest the arm can do along the same direction, and
    every angle is kept within its limits.

    Args:
        arm: 0 left, 1 right.
        position: of the point between the finger tips, m, world.
        rotation_vector: away from pointing straight down, rad, world axes.
    """
    base = BASES[arm]
    target = rotation_from_vector(rotation_vector) @ DOWN[arm]
    wrist = position - WRIST_TO_TCP * target[:, 0]
    dx, dy = float(wrist[0]) - base.x, float(wrist[1])
    radius, height = math.hypot(dx, dy), float(wrist[2]) - SHOULDER_HEIGHT
    yaw = math.atan2(dy, dx)
    waist = math.remainder(yaw - base.yaw, 2.0 * math.pi)
    distance = min(max(math.hypot(radius, height), 0.05), _UPPER + FOREARM - 1e-6)
    direction = math.atan2(height, radius)
    at_shoulder = _acos((_UPPER**2 + distance**2 - FOREARM**2) / (2 * _UPPER * distance))
    at_elbow = _acos((_UPPER**2 + FOREARM**2 - distance**2) / (2 * _UPPER * FOREARM))
    shoulder = math.pi / 2 - direction - at_shoulder - _UPPER_ANGLE
    elbow = math.pi - at_elbow - direction - at_shoulder - shoulder
    m = (_rot_z(yaw) @ _rot_y(shoulder + elbow)).T @ target
    sign = -1.0 if m[2, 0] > 0.0 else 1.0
    sine = math.hypot(m[1, 0], m[2, 0])
    if sine < 1e-6:
        roll, rotate = 0.0, math.atan2(m[2, 1], m[1, 1])
    else:
        roll = math.atan2(m[1, 0] * sign, -m[2, 0] * sign)
        rotate = math.atan2(m[0, 1] * sign, m[0, 2] * sign)
    joints = np.array(
        [waist, shoulder, elbow, roll, math.atan2(sign * sine, float(m[0, 0])), rotate]
    )
    return np.clip(joints, JOINT_RANGE[:, 0], JOINT_RANGE[:, 1])


def _acos(value: float) -> float:
    return math.acos(min(max(value, -1.0), 1.0))
