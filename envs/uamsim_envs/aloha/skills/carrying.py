"""Where arms can grasp, hand over and let go of a thing, and whether one holds it: no motion."""

import math

import numpy as np
from numpy.typing import ArrayLike

from uamsim.errors import SceneError
from uamsim_envs.aloha.robot import SIDES
from uamsim_envs.aloha.skills.handling import MAX_MISS, Reach
from uamsim_envs.aloha.skills.motion import UP, closing_along, reach_error
from uamsim_envs.aloha.task import Item, TaskEnv
from uamsim_envs.contacts import FINGER_TIP
from uamsim_envs.library import MAX_GRASP_WIDTH, Grasp
from uamsim_envs.library.instance import grasp_at
from uamsim_envs.library.shapes import points

HOLLOW: tuple[str, ...] = ("box", "garbage_can", "basket")
"""Receptacles that fingers do not go into."""
LIFT = 0.11
"""m that a grasped thing is taken up, over what else stands on the table."""
HOVER = 0.06
"""m above a receptacle at which a thing comes in."""
APART = 0.025
"""m from a long thing's middle at which each of two hands holds it."""
_HALF_LENGTH = 0.038
"""m that a thing must reach to either side, so that both find hold."""


def picks(
    item: Item,
    base: ArrayLike,
    yaw: float,
    arms: tuple[int, ...] = (0, 1),
    grasps: tuple[Grasp, ...] | None = None,
) -> list[Reach]:
    """The top-down grasps that some arm can do, best first: nearest arm, then least turn.

    Args:
        item: what to grasp.
        base: its base centre (m, world).
        yaw: its heading (rad).
        arms: those that may.
        grasps: at the thing's scale; by default all that it has.
    """
    foot, c, s = np.asarray(base, float), math.cos(yaw), math.sin(yaw)
    found: list[tuple[float, Reach]] = []
    for way in item.grasps if grasps is None else grasps:
        dx, dy = way.offset
        z = max(foot[2] + way.height, FINGER_TIP + 0.003)
        pos = np.array([foot[0] + c * dx - s * dy, foot[1] + s * dx + c * dy, z])
        turn = closing_along(yaw + way.yaw)
        for arm in arms:
            if max(reach_error(arm, pos + up * UP, turn) for up in (0.0, LIFT)) < MAX_MISS:
                cost = abs(float(turn[2])) + 3.0 * ((pos[0] > 0) == (arm == 0))
                found.append((cost, Reach(arm=arm, pos=pos, turn=turn)))
    return [reach for _, reach in sorted(found, key=lambda pair: pair[0])]


def release_height(target: Item) -> float:
    """Of the base of a thing that is let go above a receptacle (m): fingers stay out of it."""
    opening = target.opening
    if opening is None:
        raise SceneError(f"{target.name} has no opening.")
    return opening.rim if target.instance.category in HOLLOW else opening.floor


def placers(thing: Item, target: Item) -> set[int]:
    """The arms that can let a thing go over a receptacle, pointing straight down."""
    held = max((g.height for g in thing.grasps), default=0.0)
    low = np.array([*target.pos[:2], release_height(target) + held])
    heights = (0.0, HOVER)
    return {
        arm for arm in (0, 1) if max(reach_error(arm, low + up * UP) for up in heights) < MAX_MISS
    }


def two_handed(item: Item) -> Grasp | None:
    """A grasp of a thing that is long and even enough for both grippers, side by side."""
    solid = [shape for shape in item.instance.shapes if shape.solid]
    cloud = item.scale * np.concatenate([points(shape) for shape in solid])
    for way in item.grasps:
        axis = np.array([-math.sin(way.yaw), math.cos(way.yaw)])
        along = (cloud[:, :2] - way.offset) @ axis
        if min(along.max(), -along.min()) < _HALF_LENGTH:
            continue
        ends = [(np.array(way.offset) + s * APART * axis) / item.scale for s in (-1, 1)]
        widths = [
            item.scale
            * grasp_at(solid, (way.height / item.scale, way.yaw, (float(x), float(y)))).width
            for x, y in ends
        ]
        if max(widths) <= MAX_GRASP_WIDTH + 0.004 and min(widths) >= 0.7 * way.width:
            return way
    return None


def lifted_by(env: TaskEnv, name: str) -> set[int]:
    """The arms that hold a thing between both their fingers while it touches nothing else."""
    if not env.touching(name) <= set(SIDES):
        return set()
    model, data = env.world.model, env.world.data
    geoms = data.contact.geom[: data.ncon]
    mine = (model.body_rootid[model.geom_bodyid[geoms]] == model.body(name).id).any(axis=1)
    touched = set(geoms[mine].ravel().tolist())
    return {arm for arm in (0, 1) if touched.issuperset(env.world.pad_ids[arm])}
