"""What the bench's experts have in common: grasp a thing, put it down, hand it over."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import ArrayLike

from uamsim_envs.aloha.skills.motion import UP, Motion, Move, closing_along, reach_error
from uamsim_envs.aloha.task import TaskEnv
from uamsim_envs.contacts import FINGER_TIP

Actions = Iterator[Float32[np.ndarray, "14"]]
MAX_MISS = 0.004
"""m by which an arm may miss a pose that counts as reachable."""
SETTLE = 0.15
"""s that fingers take to close or open around a thing."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """A grasp in the world that an arm can do.

    Attributes:
        arm: 0 left, 1 right.
        pos: of the point between the finger tips, m, world.
        turn: of the gripper, see ``Move``.
    """

    arm: int
    pos: Float64[np.ndarray, "3"]
    turn: Float64[np.ndarray, "3"]


def reaches(env: TaskEnv, name: str, arms: tuple[int, ...] = (0, 1)) -> list[Reach]:
    """The top-down grasps of a thing that some arm can do, best first: nearest arm, least turn."""
    item, base, yaw = env.items[name], env.pos(name), env.yaw(name)
    found: list[tuple[float, Reach]] = []
    for grasp in item.grasps:
        dx, dy = grasp.offset
        x = base[0] + math.cos(yaw) * dx - math.sin(yaw) * dy
        y = base[1] + math.sin(yaw) * dx + math.cos(yaw) * dy
        pos = np.array([x, y, base[2] + max(grasp.height, FINGER_TIP + 0.003 - base[2])])
        turn = closing_along(yaw + grasp.yaw)
        for arm in arms:
            above = pos + 0.08 * UP
            if max(reach_error(arm, pos, turn), reach_error(arm, above, turn)) < MAX_MISS:
                far = (pos[0] > 0) == (arm == 0)
                cost = abs(turn[2]) + 3.0 * far
                found.append((cost, Reach(arm=arm, pos=pos, turn=turn)))
    return [reach for _, reach in sorted(found, key=lambda pair: pair[0])]


def grasp(motion: Motion, reach: Reach, *, lift: float = 0.08) -> Actions:
    """Opens above a thing, goes down, closes and lifts it.

    Args:
        motion: both arms' commands.
        reach: what to do.
        lift: how far up the thing is taken (m).
    """
    arm, above = reach.arm, reach.pos + 0.08 * UP
    yield from motion.go(Move(arm=arm, pos=above, turn=reach.turn, gripper=1.0), seconds=0.8)
    yield from motion.go(Move(arm=arm, pos=reach.pos), seconds=0.5)
    yield from motion.go(Move(arm=arm, gripper=0.0), seconds=0.3)
    yield from motion.wait(SETTLE)
    yield from motion.go(Move(arm=arm, pos=reach.pos + lift * UP), seconds=0.5)


def put(
    env: TaskEnv,
    motion: Motion,
    arm: int,
    name: str,
    at: ArrayLike,
    *,
    turn: ArrayLike | None = None,
    hover: float = 0.06,
    drop: float = 0.004,
    retreat: float = 0.08,
) -> Actions:
    """Brings a held thing's base centre to a place, lets it go and retreats upwards.

    Where the thing really hangs between the fingers is read from the state.

    Args:
        env: the task.
        motion: both arms' commands.
        arm: the one that holds it.
        name: the thing.
        at: where its base centre is to be (m, world).
        turn: the gripper's while it lets go; None keeps it.
        hover: how far above it comes in (m).
        drop: from how far above it lets go (m).
        retreat: how far up it goes afterwards (m).
    """
    turn = motion.turn[arm] if turn is None else np.asarray(turn, float)
    goal = np.asarray(at, float)
    hang = motion.pos[arm] - env.pos(name)
    angle = turn[2] - motion.turn[arm][2]
    c, s = math.cos(angle), math.sin(angle)
    hang = np.array([c * hang[0] - s * hang[1], s * hang[0] + c * hang[1], hang[2]])
    high = max(float(motion.pos[arm][2]), float((goal + hang)[2]) + hover)
    here = motion.pos[arm]
    yield from motion.go(Move(arm=arm, pos=(here[0], here[1], high)), seconds=0.25)
    over = np.array([*(goal + hang)[:2], high])
    yield from motion.go(Move(arm=arm, pos=over, turn=turn), seconds=0.7)
    yield from motion.wait(0.1)
    # The thing may have slipped on the way.
    hang = motion.pos[arm] - env.pos(name)
    yield from motion.go(Move(arm=arm, pos=goal + hang + drop * UP), seconds=0.6)
    yield from motion.wait(0.1)
    yield from motion.go(Move(arm=arm, gripper=1.0), seconds=0.25)
    yield from motion.wait(SETTLE)
    up = motion.pos[arm] + retreat * UP
    yield from motion.go(Move(arm=arm, pos=up), seconds=0.4)
