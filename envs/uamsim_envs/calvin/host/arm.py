"""CALVIN's arm moved by its own relative actions, with the loop closed on what it measures.

Orientations are Euler angles (roll, pitch, yaw). The experts keep roll at pi: at pitch 0 the
fingers point down and open along the direction ``yaw - pi/2``; at yaw pi/2 a negative pitch leans
the hand towards the robot, so that the fingers point down and away from it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from uamsim_envs.calvin.host.furniture import rotation_of

Actions = Iterator[np.ndarray]

OPEN, CLOSED = 1.0, -1.0
# The last joint reaches these hand angles everywhere over the table (measured in all four scenes).
YAW_RANGE = (-0.3, 4.5)
_SHOULDER = 0.333  # metres above the base
_WRIST = 0.2  # metres from the tool's centre
_LENGTH = 0.77  # metres from shoulder to wrist within which the arm gets where it is told to
_LEAD = (
    0.05  # metres that the target may run ahead of the arm: what is blocked is not pulled harder
)
_OFFSET = 0.04  # metres, the most that the loop adds to make up for a joint that sags
_ANGLE_TOLERANCE = 0.06  # rad
_PATIENCE = 15  # steps at the target without getting nearer than the tolerance


def unwrap(yaw: float) -> float:
    """The same angle in [-0.6, 2 pi - 0.6), an interval that has ``YAW_RANGE`` in one piece."""
    return float((yaw + 0.6) % (2 * np.pi) - 0.6)


def yaws_for(finger_direction: float) -> list[float]:
    """The hand angles [rad] within reach at which the fingers open along a direction [rad]."""
    angles = (unwrap(finger_direction + np.pi / 2 + turn) for turn in (0.0, np.pi))
    return [angle for angle in angles if YAW_RANGE[0] <= angle <= YAW_RANGE[1]]


def tool_direction(pitch: float, yaw: float) -> np.ndarray:
    """The unit vector [3] along which the fingers point, with roll at pi."""
    level = np.array([np.cos(yaw), np.sin(yaw)])
    return np.array([*(-np.sin(pitch) * level), -np.cos(pitch)])


class Arm:
    """The arm of a ``PlayTableSimEnv``: where it is, and actions that take it elsewhere.

    Args:
        original: the environment, whose state is read before each action.
        pace: the share of the fastest motion, in (0, 1].
    """

    def __init__(self, original: Any, pace: float = 1.0):
        self.original = original
        self.robot = original.robot
        self.pace = pace
        self.gripper = OPEN if self.robot.gripper_action > 0 else CLOSED

    @property
    def pos(self) -> np.ndarray:
        """The tool's centre [3], metres."""
        return np.asarray(self._link()[0])

    @property
    def yaw(self) -> float:
        """The hand's angle about the vertical, rad."""
        return self._angles()[2]

    @property
    def pitch(self) -> float:
        """The hand's lean, rad."""
        return self._angles()[1]

    @property
    def axes(self) -> np.ndarray:
        """The hand's axes in the world, as the columns of [3, 3]; the second is the fingers'."""
        return rotation_of(self._link()[1])

    @property
    def pointing(self) -> np.ndarray:
        """The unit vector [3] along which the fingers point, as measured."""
        return self.axes[:, 2]

    @property
    def width(self) -> float:
        """Between the fingers, metres."""
        joints = (
            self.original.p.getJointState(self.robot.robot_uid, j, physicsClientId=self.robot.cid)
            for j in self.robot.gripper_joint_ids
        )
        return float(sum(state[0] for state in joints))

    def out_of_reach(self, pos: np.ndarray, tool: np.ndarray) -> float:
        """By how much the wrist is beyond the arm's length with the tool at a place, metres.

        Args:
            pos: of the tool's centre [3].
            tool: unit vector [3] along which the fingers point.
        """
        shoulder = np.add(self.robot.base_position, (0.0, 0.0, _SHOULDER))
        return max(0.0, float(np.linalg.norm(pos - _WRIST * tool - shoulder)) - _LENGTH)

    def move(
        self,
        pos: np.ndarray,
        yaw: float | None = None,
        pitch: float = 0.0,
        *,
        speed: float = 1.0,
        tolerance: float = 0.006,
        steps: int = 90,
    ) -> Actions:
        """Goes straight to a pose; ends there, when nothing moves any more, or after ``steps``.

        Args:
            pos: of the tool's centre [3], metres.
            yaw: of the hand, rad; kept if None.
            pitch: of the hand, rad.
            speed: a share of the arm's pace.
            tolerance: metres.
            steps: at most.
        """
        goal = np.asarray(pos, float)
        angles = np.array([np.pi, pitch, self.yaw if yaw is None else unwrap(yaw)])
        offset = np.zeros(3)
        stuck = 0
        for _ in range(steps):
            error = goal - self.pos
            skew = np.abs(angles - self._angles()).max()
            if np.linalg.norm(error) < tolerance and skew < _ANGLE_TOLERANCE:
                return
            way = goal + offset - self.robot.target_pos
            turn = angles - self._angles(self.robot.target_orn)
            if np.linalg.norm(way) < 0.002:
                offset = np.clip(offset + 0.3 * error, -_OFFSET, _OFFSET)
                stuck += bool(np.abs(turn).max() < 0.01)
                if stuck > _PATIENCE:
                    return
            yield self._action(way, turn, speed)

    def hold(self, steps: int, gripper: float | None = None) -> Actions:
        """Stays where its target is, with the gripper told to open or close."""
        if gripper is not None:
            self.gripper = gripper
        for _ in range(steps):
            yield self._action(np.zeros(3), np.zeros(3), 1.0)

    def _action(self, way: np.ndarray, turn: np.ndarray, speed: float) -> np.ndarray:
        """A step along ``way`` [3], metres, and ``turn`` [3], rad, as long as the pace allows."""
        pace = self.pace * speed
        step = way / self.robot.max_rel_pos
        step *= min(1.0, pace / max(float(np.linalg.norm(step)), 1e-9))
        ahead = self.robot.target_pos + step * self.robot.max_rel_pos - self.pos
        if np.linalg.norm(ahead) > _LEAD and step @ ahead > 0:
            step = np.zeros(3)
        spin = np.clip(turn / self.robot.max_rel_orn, -pace, pace)
        return np.array([*step, *spin, self.gripper])

    def _link(self) -> tuple[Any, Any]:
        return self.original.p.getLinkState(
            self.robot.robot_uid, self.robot.tcp_link_id, physicsClientId=self.robot.cid
        )[:2]

    def _angles(self, euler: Any = None) -> np.ndarray:
        """Roll in [0, 2 pi), pitch, and yaw as ``unwrap`` gives it; of the tool if None."""
        if euler is None:
            euler = self.original.p.getEulerFromQuaternion(self._link()[1])
        return np.array([euler[0] % (2 * np.pi), euler[1], unwrap(euler[2])])
