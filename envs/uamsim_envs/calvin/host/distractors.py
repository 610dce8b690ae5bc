"""Further things on CALVIN's table, where they hinder no task."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from uamsim.errors import SceneError
from uamsim_envs.calvin.host.bodies import write_body
from uamsim_envs.host.simulator import Rectangle, grown, place_circles

TABLE_TOP = 0.44
"""m above the floor, in every scene."""
_FRONT = -0.175
_TOP = (-0.42, 0.42, _FRONT, -0.015)
"""Where the top ends: on both sides, towards the robot, and at the cabinet's front."""
_GAP = 0.01
"""m between two distractors, and between one and a part of the furniture in any of its states."""
_CLEARANCES = ((0.17, 0.03), (0.12, 0.03), (0.07, 0.03), (0.0, 0.03), (0.0, 0.01))
"""m that stay clear beside a block, to the left and to the right, where a push of 0.1 m needs them,
and all around it, where an open finger does. The first pair with which there is room is taken."""
_HAND = (0.06, 0.56)
"""A hand below this height (m) has nothing within this distance (m) of it."""
_TRIES = 60
_ROLLING = 0.0005
_DROP = 0.001


def add_distractors(
    original: Any, distractors: Sequence[dict[str, Any]], rng: np.random.Generator, folder: Path
) -> list[list[float]]:
    """Stands things on the table, clear of all that a task may need.

    Args:
        original: a ``PlayTableSimEnv`` after its reset.
        distractors: "parts" (``bodies``; origin at the base centre), "radius" (m) and "mass" (kg).
        rng: of their places.
        folder: where to write.

    Returns:
        The position of each (m, world).

    Raises:
        SceneError: there is no room.
    """
    p, cid = original.p, {"physicsClientId": original.cid}
    places = _places(original, [d["radius"] for d in distractors], rng)
    positions = []
    for distractor, (x, y) in zip(distractors, places, strict=True):
        urdf = write_body(folder, distractor["parts"], distractor["mass"])
        position = [x, y, TABLE_TOP + _DROP]
        turn = p.getQuaternionFromEuler([0.0, 0.0, rng.uniform(-np.pi, np.pi)])
        body = p.loadURDF(str(urdf), position, turn, **cid)
        p.changeDynamics(body, -1, rollingFriction=_ROLLING, **cid)
        positions.append(position)
    return positions


def _places(
    original: Any, radii: Sequence[float], rng: np.random.Generator
) -> list[tuple[float, float]]:
    fixtures = _fixtures(original)
    blocks = _blocks(original)
    for beside, gap in _CLEARANCES:
        taken = [grown(rectangle, _GAP) for rectangle in fixtures]
        for x0, x1, y0, y1 in blocks:
            taken.append(grown((x0, x1, y0, y1), gap))
            if beside > 0:
                taken.append((x0 - beside, x1 + beside, y0, y1))
                taken.append(grown((x0, x1, _FRONT, y1), gap))  # on the way into the drawer
        places = place_circles(
            [(radius, _TOP) for radius in radii], taken, rng, gap=_GAP, tries=_TRIES
        )
        if places is not None:
            return places
    raise SceneError(f"there is no room for {len(radii)} distractors; ask for fewer.")


def _fixtures(original: Any) -> list[Rectangle]:
    """What the button, the switch and the slider cover in any of their states, and the hand."""
    p, cid = original.p, {"physicsClientId": original.cid}
    table = original.scene.fixed_objects[0].uid
    taken: list[Rectangle] = []
    for joint in range(p.getNumJoints(table, **cid)):
        info = p.getJointInfo(table, joint, **cid)
        if info[12].decode() not in ("button_link", "switch_link", "slide_link"):
            continue
        (x0, y0, _), (x1, y1, _) = p.getAABB(table, joint, **cid)
        if info[2] == p.JOINT_PRISMATIC:
            position = p.getJointState(table, joint, **cid)[0]
            axis = p.getMatrixFromQuaternion(p.getLinkState(table, joint, **cid)[5])
            along = np.array(axis).reshape(3, 3) @ info[13]
            for end in (info[8] - position, info[9] - position):
                x, y = end * along[:2]
                taken.append((x0 + min(x, 0), x1 + max(x, 0), y0 + min(y, 0), y1 + max(y, 0)))
        taken.append((x0, x1, y0, y1))
    hand = original.robot.get_observation()[0][:3]
    if hand[2] < _HAND[1]:
        x, y, away = hand[0], hand[1], _HAND[0]
        taken.append((x - away, x + away, y - away, y + away))
    return taken


def _blocks(original: Any) -> list[Rectangle]:
    p, cid = original.p, {"physicsClientId": original.cid}
    boxes = [p.getAABB(b.uid, -1, **cid) for b in original.scene.movable_objects]
    return [(low[0], high[0], low[1], high[1]) for low, high in boxes if low[1] < 0]
