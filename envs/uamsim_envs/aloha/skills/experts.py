"""Scripted experts: smooth Cartesian waypoints from the scene's true state.

A path is a list of waypoints for one arm, joined by minimum-jerk segments (Flash and Hogan, 1985);
the other arm is told to stay at rest.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from uamsim.contract import CONTROL_HZ, Control
from uamsim_envs.aloha import kinematics
from uamsim_envs.aloha.world import World
from uamsim_envs.contacts import FINGER_TIP

MAX_SPEED = 0.85
"""m/s, the peak of any segment; every joint then stays below its limit."""


@dataclass(frozen=True, kw_only=True)
class Waypoint:
    """Where the gripper is to be after some time.

    Attributes:
        pos: m, world.
        gripper: 0 closed to 1 open.
        seconds: since the waypoint before; stretched where it would be too fast.
    """

    pos: tuple[float, float, float]
    gripper: float
    seconds: float


def min_jerk(fraction: float) -> float:
    """Position along a minimum-jerk segment, both in [0, 1]."""
    f = min(max(fraction, 0.0), 1.0)
    return f**3 * (10.0 - 15.0 * f + 6.0 * f * f)


def follow(
    world: World, arm: int, control: Control, start_gripper: float, path: Sequence[Waypoint]
) -> Iterator[Float32[np.ndarray, "14"]]:
    """Actions along a path from where the episode starts; the last one is repeated for ever.

    Args:
        world: for where the arms start.
        arm: which arm moves.
        control: representation of the actions.
        start_gripper: opening that is commanded at the start.
        path: the waypoints.
    """
    pos, gripper = world.start_pos[arm].copy(), start_gripper
    action = world.start_action(control)
    for waypoint in path:
        goal = waypoint.pos + np.array([0.0, 0.0, world.table_height])
        # The peak speed of minimum jerk is 1.875 times the mean.
        fastest = 1.875 * float(np.linalg.norm(goal - pos)) / MAX_SPEED
        steps = max(1, round(max(waypoint.seconds, fastest) * CONTROL_HZ))
        for step in range(1, steps + 1):
            f = min_jerk(step / steps)
            _write(action, arm, control, pos + f * (goal - pos))
            action[7 * arm + 6] = gripper + f * (waypoint.gripper - gripper)
            yield action.copy()
        pos, gripper = goal, waypoint.gripper
    while True:
        yield action.copy()


def _write(action: np.ndarray, arm: int, control: Control, pos: Float64[np.ndarray, "3"]) -> None:
    if control == "ee":
        action[7 * arm : 7 * arm + 3] = pos
        action[7 * arm + 3 : 7 * arm + 6] = 0.0
    else:
        action[7 * arm : 7 * arm + 6] = kinematics.inverse(arm, pos, np.zeros(3))


def arm_for(x: float) -> int:
    """The arm on a thing's half of the table: 0 left, 1 right."""
    return 0 if x < 0 else 1


def press_path(
    pos: Float64[np.ndarray, "3"], cap_height: float, travel: float, rng: np.random.Generator
) -> list[Waypoint]:
    """Above a button, down on its cap, and through its travel.

    Args:
        pos: the button's base centre (m, world).
        cap_height: of the released cap above the base.
        travel: how far the cap is to go.
        rng: varies speed, hover height and the point that is pressed.
    """
    x, y = float(pos[0] + rng.uniform(-0.006, 0.006)), float(pos[1] + rng.uniform(-0.006, 0.006))
    pace = float(rng.uniform(0.9, 1.1))
    top = float(pos[2]) + cap_height + FINGER_TIP
    hover = top + float(rng.uniform(0.045, 0.06))
    return [
        Waypoint(pos=(x, y, hover), gripper=0.0, seconds=1.0 * pace),
        Waypoint(pos=(x, y, top + 0.006), gripper=0.0, seconds=0.40 * pace),
        Waypoint(pos=(x, y, top - travel - 0.006), gripper=0.0, seconds=0.35 * pace),
    ]


def pick_place_path(
    thing: Float64[np.ndarray, "3"],
    grasp_height: float,
    target: Float64[np.ndarray, "3"],
    release_height: float,
    rng: np.random.Generator,
) -> list[Waypoint]:
    """Grasp a thing, carry it over the others, let it go above its target and retreat.

    Args:
        thing: its base centre (m, world).
        grasp_height: of the point between the fingers above that.
        target: the target's base centre (m, world).
        release_height: of the thing's base above that when it is let go.
        rng: varies speed and heights.
    """
    pace = float(rng.uniform(0.92, 1.08))
    x, y, z = (float(v) for v in thing)
    u, v, w = (float(v) for v in target)
    grasp = z + max(grasp_height, FINGER_TIP + 0.004)
    above = grasp + float(rng.uniform(0.07, 0.085))
    carry = w + grasp_height + release_height + float(rng.uniform(0.085, 0.10))
    release = w + grasp_height + release_height
    distance = math.hypot(u - x, v - y)
    return [
        Waypoint(pos=(x, y, above), gripper=1.0, seconds=0.85 * pace),
        Waypoint(pos=(x, y, grasp), gripper=1.0, seconds=0.55 * pace),
        Waypoint(pos=(x, y, grasp), gripper=0.0, seconds=0.35 * pace),
        Waypoint(pos=(x, y, carry), gripper=0.0, seconds=0.50 * pace),
        Waypoint(pos=(u, v, carry), gripper=0.0, seconds=(0.45 + 1.2 * distance) * pace),
        Waypoint(pos=(u, v, release), gripper=0.0, seconds=0.50 * pace),
        Waypoint(pos=(u, v, release), gripper=0.9, seconds=0.30 * pace),
        Waypoint(pos=(u, v, carry + 0.02), gripper=0.9, seconds=0.45 * pace),
    ]
