"""Nest three bowls in the spoken order of their colours."""

import math
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar

import mujoco
import numpy as np

from uamsim.contract import Goal, Thing
from uamsim.lexicon import entries
from uamsim_envs.aloha.skills.carrying import lifted_by
from uamsim_envs.aloha.skills.handling import SETTLE, Actions, Reach, put
from uamsim_envs.aloha.skills.motion import UP, Motion, Move, closing_along, reach_error
from uamsim_envs.aloha.task import REST_SPEED, Item, TaskEnv
from uamsim_envs.layout import Region, lay_out
from uamsim_envs.library import Grasp, Instance, Opening, Shape
from uamsim_envs.library.shapes import cylinder, hidden, lathe_walls, surface
from uamsim_envs.library.solids import revolve

NAMES: tuple[str, ...] = ("first", "second", "third")
_BASE, _BELLY, _RIM = (0.026, 0.0), (0.048, 0.031), (0.056, 0.041)
"""(radius, z) of a bowl's outside: a cone that slides into another, below a thick rim."""
_WALL, _BEAD = 0.0035, 0.012
"""Thickness of the cone and of the rim (m); closed fingers keep 4 mm between them and their force
grows with what they hold."""
_SECTORS = 12
_NESTED = 0.017
"""m by which a nested bowl stands above the one it is in, at scale 1."""
_SCALE = (0.94, 1.06)
_MIDDLE: Region = (-0.045, 0.045, -0.06, 0.07)
_SIDES: tuple[Region, Region] = ((-0.22, -0.12, -0.10, 0.11), (0.12, 0.22, -0.10, 0.11))
_GAP = 0.02
_OPEN = 0.5
"""Opening around a rim, so that the outer finger stays clear of the next bowl."""
_OFF_CENTRE = 0.008
"""m by which a nested bowl may stand off the one below."""
_TILT = math.cos(math.radians(10.0))


@lru_cache(maxsize=1)
def nesting_bowl() -> Instance:
    """A thin tapered bowl; those of the library have walls too steep and thick to nest."""
    r, top = _RIM
    low, inner = _BELLY[1], r - _BEAD
    outside = (
        _BASE,
        _BELLY,
        (r - 0.003, low),
        (r, low + 0.003),
        (r, top - 0.003),
        (r - 0.003, top),
    )
    inside = ((inner + 0.003, top), (inner, top - 0.003), (inner, low), (_BASE[0] - 0.003, 0.004))
    profile = ((0.0, 0.0), *outside, *inside, (0.0, 0.004))
    foot = cylinder(0.020, 0.0004, (0, 0, 0.0044), shade=0.6)
    shapes: tuple[Shape, ...] = (
        surface(revolve(profile, sides=36)),
        foot,
        *hidden(cylinder(_BASE[0], 0.002, (0, 0, 0.002))),
        *lathe_walls((_BASE, _BELLY), _WALL, _SECTORS),
        *lathe_walls(((r, low), (r, top)), _BEAD, _SECTORS),
    )
    middle = r - _BEAD / 2
    angles = [2 * math.pi * k / _SECTORS for k in range(_SECTORS)]
    return Instance(
        name="bowl_nesting",
        category="bowl",
        shapes=shapes,
        radius=_RIM[0],
        height=_RIM[1],
        colours=tuple(e.name for e in entries("colour")),
        scale=_SCALE,
        mass=0.03,
        friction=0.15,
        material=(0.2, 0.6),
        grasps=tuple(
            Grasp(
                height=_RIM[1] + 0.002,
                yaw=a,
                width=_BEAD,
                offset=(middle * math.cos(a), middle * math.sin(a)),
            )
            for a in angles
        ),
        opening=Opening(shape="circle", half=(_BASE[0], _BASE[0]), floor=0.004, rim=_RIM[1]),
    )


class AlohaStackBowlsEnv(TaskEnv):
    """Three bowls of three colours; the first named stands in the middle, the others go into it.

    Success: the second is nested in the first and the third in the second, upright, at rest and
    touched by no finger. Stages: lifted (the second bowl, between two fingers), two_nested, nested.
    """

    task = "stack_bowls"
    stage_names: ClassVar[tuple[str, ...]] = ("lifted", "two_nested", "nested")
    time_limit = 900

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        colours = [e.name for e in entries("colour", in_action_data=True)]
        order = [colours[i] for i in rng.permutation(len(colours))[: len(NAMES)]]
        bowl, scale = nesting_bowl(), float(rng.uniform(*_SCALE))
        first = int(rng.integers(2))
        last = first if rng.random() < 0.25 else 1 - first
        regions = [[_MIDDLE], [_SIDES[first]], [_SIDES[last]]]
        places = lay_out(rng, regions, [scale * bowl.radius] * len(NAMES), gap=_GAP)
        for name, colour, (x, y) in zip(NAMES, order, places, strict=True):
            self.add_item(
                spec,
                Item(
                    name=name,
                    instance=bowl,
                    colour=colour,
                    scale=scale,
                    pos=(float(x), float(y), 0.0),
                    yaw=float(rng.uniform(-math.pi, math.pi)),
                ),
                specular=float(rng.uniform(0.2, 0.5)),
            )
        things = [Thing(category="bowl", colour=colour) for colour in order]
        return Goal(task=self.task, thing=things[0], then=tuple(things[1:]))

    def _now(self) -> dict[str, bool]:
        two = self.nested("second", "first")
        return {
            "lifted": bool(lifted_by(self, "second")),
            "two_nested": two,
            "nested": two and self.nested("third", "second"),
        }

    def nested(self, above: str, below: str) -> bool:
        """Whether a bowl lies in another: let go, at rest, upright, more than half inside it."""
        offset = self.pos(above) - self.pos(below)
        touched = self.touching(above)
        return bool(
            0.0 < offset[2] < 0.55 * self.items[below].height
            and np.hypot(offset[0], offset[1]) < _OFF_CENTRE
            and min(self.upright(above), self.upright(below)) > _TILT
            and below in touched
            and touched.isdisjoint(("left", "right"))
            and self.speed(above) < REST_SPEED
        )

    def _reach(self, name: str, rng: np.random.Generator) -> Reach:
        """A grasp of a bowl's rim, away from the other bowls; one of the best few is drawn."""
        item, base, yaw = self.items[name], self.pos(name), self.yaw(name)
        arm = 0 if base[0] < 0 else 1
        others = [self.pos(other)[:2] for other in NAMES if other != name]
        found: list[tuple[float, Reach]] = []
        for grasp in item.grasps:
            angle = yaw + grasp.yaw
            out = np.array([math.cos(angle), math.sin(angle)])
            radius = math.hypot(*grasp.offset)
            pos = np.array([*(base[:2] + radius * out), base[2] + grasp.height])
            turn = closing_along(angle)
            miss = max(reach_error(arm, pos + up * UP, turn) for up in (0.0, 0.12))
            room = min(float(np.linalg.norm(pos[:2] + 0.03 * out - p)) for p in others)
            cost = (
                abs(turn[2])
                + 100.0 * miss
                + (10.0 if room < self.items[name].radius + 0.02 else 0.0)
            )
            found.append((cost, Reach(arm=arm, pos=pos, turn=turn)))
        found.sort(key=lambda pair: pair[0])
        return found[int(rng.integers(4))][1]

    def expert(self, rng: np.random.Generator) -> Actions:
        """The second bowl by its rim into the first, then the third into the second.

        Args:
            rng: varies its speed and where it grips the rims.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.08)))
        last = None
        for below, above in pairwise(NAMES):
            reach = self._reach(above, rng)
            arm, over = reach.arm, reach.pos + 0.07 * UP
            moves = [Move(arm=arm, pos=over, turn=reach.turn, gripper=_OPEN)]
            if last is not None and last != arm:
                yield from motion.rest(last, seconds=0.7)
            yield from motion.go(*moves, seconds=0.8)
            yield from motion.go(Move(arm=arm, pos=reach.pos), seconds=0.5)
            yield from motion.go(Move(arm=arm, gripper=0.0), seconds=0.3)
            yield from motion.wait(SETTLE)
            yield from motion.go(Move(arm=arm, pos=reach.pos + 0.06 * UP), seconds=0.5)
            at = self.pos(below) + self.items[below].scale * _NESTED * UP
            yield from put(self, motion, arm, above, at, hover=0.05, drop=0.003)
            last = arm
        if last is not None:
            yield from motion.rest(last)
        yield from motion.wait(1.0)
