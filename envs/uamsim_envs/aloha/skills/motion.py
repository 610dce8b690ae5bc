"""Smooth commands of both arms: what the scripted experts of the bench are written in.

A ``Motion`` remembers where each arm was last told to be. Each call yields the actions of one
segment, a minimum-jerk path in a straight line with the orientation turning along, so an expert
is a generator that reads the live state between segments.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import ArrayLike

from uamsim.contract import CONTROL_HZ, Control
from uamsim_envs.aloha import kinematics
from uamsim_envs.aloha.skills.experts import MAX_SPEED, min_jerk
from uamsim_envs.aloha.world import REST_POS, World

UP: Float64[np.ndarray, "3"] = np.array([0.0, 0.0, 1.0])
"""The world's z axis: ``pos + 0.08 * UP`` lies 8 cm above."""
JOINT_SPEED_SHARE = 0.8
"""How much of the joints' speed limit a segment may use."""
_SAMPLES = 12
_PEAK = 1.875
"""Peak speed of minimum jerk over its mean."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """Where one arm is to be at the end of a segment; None keeps what it had.

    Attributes:
        arm: 0 left, 1 right.
        pos: of the point between the finger tips, m, world.
        turn: rotation vector away from pointing straight down with the fingers closing along the
            world's y, rad, world axes.
        gripper: 0 closed to 1 open.
    """

    arm: int
    pos: ArrayLike | None = None
    turn: ArrayLike | None = None
    gripper: float | None = None


def closing_along(angle: float) -> Float64[np.ndarray, "3"]:
    """Turn of a gripper that points down and closes along a direction in the table's plane.

    Args:
        angle: of the direction from the world's x axis, rad; the gripper has no front and back,
            so it turns by at most pi / 2.
    """
    yaw = math.remainder(angle - math.pi / 2, math.pi)
    return np.array([0.0, 0.0, yaw])


def compose(*turns: ArrayLike) -> Float64[np.ndarray, "3"]:
    """The rotation vector of several, the last applied first; all in world axes (rad)."""
    rotation = np.eye(3)
    for turn in turns:
        rotation = rotation @ kinematics.rotation_from_vector(np.asarray(turn, float))
    return kinematics.vector_from_rotation(rotation)


def reach_error(arm: int, pos: ArrayLike, turn: ArrayLike = (0, 0, 0)) -> float:
    """Metres by which an arm misses a pose; a radian of orientation counts as 0.1 m."""
    position, vector = np.asarray(pos, float), np.asarray(turn, float)
    reached, turned = kinematics.forward(arm, kinematics.inverse(arm, position, vector))
    off = compose(turned, -vector)
    return float(np.linalg.norm(reached - position) + 0.1 * np.linalg.norm(off))


class Motion:
    """Commands of both arms, from the rest pose on.

    Attributes:
        pos: where each gripper was last told to be (m, world).
        turn: how it was last told to be turned (rotation vector, rad).
        gripper: how far it was last told to be open, 0..1.
    """

    def __init__(self, world: World, control: Control, pace: float = 1.0) -> None:
        """Begins where the episode starts, with closed grippers.

        Args:
            world: for where the arms start.
            control: representation of the actions.
            pace: factor on every segment's time.
        """
        self._control = control
        self._pace = pace
        self._action = world.start_action(control)
        self._raised = world.table_height * UP
        self.pos = [pos - self._raised for pos in world.start_pos]
        self.turn = [np.zeros(3), np.zeros(3)]
        self.gripper = [0.0, 0.0]

    def go(self, *moves: Move, seconds: float) -> Iterator[Float32[np.ndarray, "14"]]:
        """Moves one arm, or both at once, in at least this time; longer where it is too fast.

        Args:
            moves: at most one an arm.
            seconds: of the segment, before the pace.
        """
        goals = [self._goal(move) for move in moves]
        seconds = max(seconds * self._pace, *(self._shortest(*goal[:3]) for goal in goals))
        steps = max(1, math.ceil(seconds * CONTROL_HZ))
        starts = [(self.pos[arm], self.turn[arm], self.gripper[arm]) for arm, *_ in goals]
        for step in range(1, steps + 1):
            f = min_jerk(step / steps)
            for (arm, pos, turn, gripper), (pos0, turn0, gripper0) in zip(
                goals, starts, strict=True
            ):
                self.pos[arm] = pos0 + f * (pos - pos0)
                self.turn[arm] = _between(turn0, turn, f)
                self.gripper[arm] = gripper0 + f * (gripper - gripper0)
                self._write(arm)
            yield self._action.copy()

    def follow(
        self,
        arm: int,
        pose: Callable[[float], tuple[ArrayLike, ArrayLike]],
        *,
        seconds: float,
    ) -> Iterator[Float32[np.ndarray, "14"]]:
        """Moves one arm along a curve at minimum jerk, in at least this time.

        Args:
            arm: 0 left, 1 right.
            pose: position (m) and turn (rotation vector, rad) at a share of the way, 0..1.
            seconds: of the whole curve, before the pace.
        """

        def at(fraction: float) -> tuple[np.ndarray, np.ndarray]:
            pos, turn = pose(min_jerk(fraction))
            return np.asarray(pos, float), np.asarray(turn, float)

        samples = 4 * _SAMPLES
        poses = [at(k / samples) for k in range(samples + 1)]
        path = np.array([self._inverse(arm, *each) for each in poses])
        way = np.array([pos for pos, _ in poses])
        joint_speed = samples * float(np.abs(np.diff(path, axis=0)).max())
        speed = samples * float(np.linalg.norm(np.diff(way, axis=0), axis=1).max())
        seconds = max(
            seconds * self._pace,
            speed / MAX_SPEED,
            joint_speed / (JOINT_SPEED_SHARE * kinematics.MAX_JOINT_SPEED),
        )
        steps = max(1, math.ceil(seconds * CONTROL_HZ))
        for step in range(1, steps + 1):
            self.pos[arm], self.turn[arm] = at(step / steps)
            self._write(arm)
            yield self._action.copy()

    def wait(self, seconds: float) -> Iterator[Float32[np.ndarray, "14"]]:
        """Keeps both arms where they are."""
        for _ in range(max(1, round(seconds * CONTROL_HZ))):
            yield self._action.copy()

    def rest(self, *arms: int, seconds: float = 0.8) -> Iterator[Float32[np.ndarray, "14"]]:
        """Brings arms back to where they wait; their grippers stay as they are."""
        moves = [Move(arm=arm, pos=REST_POS[arm], turn=(0, 0, 0)) for arm in arms]
        return self.go(*moves, seconds=seconds)

    def _goal(self, move: Move) -> tuple[int, np.ndarray, np.ndarray, float]:
        arm = move.arm
        return (
            arm,
            self.pos[arm] if move.pos is None else np.asarray(move.pos, float),
            self.turn[arm] if move.turn is None else np.asarray(move.turn, float),
            self.gripper[arm] if move.gripper is None else float(move.gripper),
        )

    def _shortest(self, arm: int, pos: np.ndarray, turn: np.ndarray) -> float:
        """Seconds below which the gripper or a joint would be too fast."""
        start, turned = self.pos[arm], self.turn[arm]
        shortest = _PEAK * float(np.linalg.norm(pos - start)) / MAX_SPEED
        times = np.linspace(0.0, 1.0, _SAMPLES + 1)
        path = np.array(
            [
                self._inverse(arm, start + f * (pos - start), _between(turned, turn, f))
                for f in map(min_jerk, times)
            ]
        )
        fastest = float(np.abs(np.diff(path, axis=0)).max()) * _SAMPLES
        return max(shortest, fastest / (JOINT_SPEED_SHARE * kinematics.MAX_JOINT_SPEED))

    def _write(self, arm: int) -> None:
        part = slice(7 * arm, 7 * arm + 6)
        if self._control == "ee":
            self._action[part] = [*(self.pos[arm] + self._raised), *self.turn[arm]]
        else:
            self._action[part] = self._inverse(arm, self.pos[arm], self.turn[arm])
        self._action[7 * arm + 6] = self.gripper[arm]

    def _inverse(self, arm: int, pos: np.ndarray, turn: np.ndarray) -> np.ndarray:
        """Joint angles (rad) of a pose in the world."""
        return kinematics.inverse(arm, pos + self._raised, turn)


def _between(first: np.ndarray, last: np.ndarray, fraction: float) -> np.ndarray:
    """The orientation that lies this far along the shortest turn between two (rotation vectors)."""
    if np.array_equal(first, last):
        return first
    if fraction >= 1.0:
        return last
    start = kinematics.rotation_from_vector(first)
    step = kinematics.vector_from_rotation(kinematics.rotation_from_vector(last) @ start.T)
    return kinematics.vector_from_rotation(kinematics.rotation_from_vector(fraction * step) @ start)


def best_arm(pos: ArrayLike, turns: Sequence[ArrayLike] = ((0, 0, 0),)) -> int:
    """The arm that reaches a place best: of those that reach it, the one on its side.

    Args:
        pos: m, world.
        turns: orientations that it must reach there.
    """
    near = 0 if np.asarray(pos, float)[0] < 0 else 1
    errors = [max(reach_error(arm, pos, turn) for turn in turns) for arm in (near, 1 - near)]
    return near if errors[0] <= errors[1] + 1e-3 else 1 - near
