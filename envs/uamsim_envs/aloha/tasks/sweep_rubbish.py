"""Sweep crumpled tissues into the dustpan of the spoken colour, then put the broom down."""

import math
from typing import ClassVar

import mujoco
import numpy as np
from jaxtyping import Float64

from uamsim.contract import Goal, Thing
from uamsim.lexicon import entries
from uamsim_envs.aloha.parts.cleaning import (
    BROOM_GRIP,
    BRUSH_HALF,
    PAN_FLOOR,
    PAN_GRIP,
    PAN_HALF,
    PAN_LIP,
    PAN_WALL,
    TISSUE_RADIUS,
    broom,
    dustpan,
    tissue,
)
from uamsim_envs.aloha.skills.handling import Actions
from uamsim_envs.aloha.skills.motion import Motion, Move, closing_along, compose
from uamsim_envs.aloha.task import REST_SPEED, Item, TaskEnv
from uamsim_envs.layout import Region, lay_out

_LITTER: Region = (-0.04, 0.04, -0.075, 0.075)
_LEAN = 0.45
"""How far the sweeping gripper leans towards the dustpan, to reach it (rad)."""
_CLEAR = 0.004
"""m between the bristles and the table while they sweep; a tissue is thicker."""
_HOVER = 0.06
_STROKES = 10
_ROOM = PAN_HALF[1] - BRUSH_HALF[1] - 0.006
"""How far beside the middle of a dustpan's mouth the broom can enter it (m)."""
_STEEP, _GATHERED = 0.75, 0.034
"""Slope above which a stroke goes across the mouth first, and how far from its middle it ends."""
_MOST_YAW = 1.45
"""rad; less than a right angle, or which way the symmetric broom has turned would be unclear."""
_END = 0.024
"""How far inside a dustpan's frame the broom's middle stops (m)."""


Spot = Float64[np.ndarray, "2"]


class AlohaSweepRubbishEnv(TaskEnv):
    """Tissues lie between two free dustpans; a broom stands beside them.

    One arm may hold the dustpan while the other sweeps. Success: every tissue lies at rest within
    the walls of the named dustpan, which bears it, and the broom, which was grasped before, has
    been let go and rests on the table, touching no dustpan. Stages: broom_grasped, half_swept,
    swept, put_down.
    """

    task = "sweep_rubbish"
    stage_names: ClassVar[tuple[str, ...]] = ("broom_grasped", "half_swept", "swept", "put_down")
    time_limit = 2200

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        colours = [e.name for e in entries("colour", in_action_data=True)]
        first, second, third = (colours[i] for i in rng.permutation(len(colours))[:3])
        self.side = int(rng.integers(2))
        ends = (self.side, 1 - self.side)
        for name, colour, end in zip(("dustpan", "other"), (first, second), ends, strict=True):
            sign = 2 * end - 1
            pan = Item(
                name=name,
                instance=dustpan(),
                colour=colour,
                pos=(float(sign * rng.uniform(0.172, 0.185)), float(rng.uniform(-0.03, 0.03)), 0.0),
                yaw=float(math.pi * end + rng.uniform(-0.12, 0.12)),
            )
            self.add_item(spec, pan)
        far = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.155, 0.18))
        tool = Item(
            name="broom",
            instance=broom(),
            colour=third,
            pos=(float(rng.uniform(-0.03, 0.03)), far, 0.0),
            yaw=float(rng.uniform(-0.35, 0.35)),
        )
        self._broom = tuple(g.name for g in self.add_item(spec, tool).geoms if g.contype)
        count = int(rng.integers(3, 6))
        places = lay_out(rng, [[_LITTER]] * count, [TISSUE_RADIUS] * count, gap=0.012)
        self.tissues = tuple(f"tissue{k}" for k in range(count))
        for name, (x, y) in zip(self.tissues, places, strict=True):
            scrap = Item(
                name=name,
                instance=tissue(int(rng.integers(2**31))),
                colour="white",
                pos=(float(x), float(y), 0.0),
                yaw=float(rng.uniform(-math.pi, math.pi)),
            )
            for geom in self.add_item(spec, scrap).geoms:
                # Paper does not roll away.
                geom.friction = (0.8, 0.005, 0.003)
        return Goal(
            task=self.task,
            thing=Thing(category="broom", colour=third),
            target=Thing(category="dustpan", colour=first),
        )

    def _now(self) -> dict[str, bool]:
        touched = self.touching("broom")
        held = not touched.isdisjoint({"left", "right"})
        inside = sum(self.in_pan(name) for name in self.tissues)
        down = (
            not held
            and "table" in touched
            and touched.isdisjoint({"dustpan", "other"})
            and self.speed("broom") < REST_SPEED
        )
        swept = inside == len(self.tissues)
        return {
            "broom_grasped": "table" not in touched and self.pinched(*self._broom),
            "half_swept": 2 * inside >= len(self.tissues),
            "swept": swept,
            "put_down": swept and down and self._stages["broom_grasped"],
        }

    def centre(self, name: str) -> Float64[np.ndarray, "3"]:
        """Middle of a tissue (m, world)."""
        return self.pos(name) + TISSUE_RADIUS * self.rotation(name)[:, 2]

    def in_pan(self, name: str) -> bool:
        """Whether a tissue lies at rest within the named dustpan's walls, borne by it."""
        x, y, z = self.rotation("dustpan").T @ (self.centre(name) - self.pos("dustpan"))
        if not (abs(x) < PAN_HALF[0] and abs(y) < PAN_HALF[1] and PAN_FLOOR < z < PAN_WALL):
            return False
        touched = self.touching(name)
        others = {"dustpan", *self.tissues}
        return "dustpan" in touched and touched <= others and self.speed(name) < REST_SPEED

    # The expert.

    def expert(self, rng: np.random.Generator) -> Actions:
        """The arm behind the named dustpan holds its handle, the other sweeps stroke by stroke.

        Args:
            rng: varies its speed.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.08)))
        holder, sweeper = self.side, 1 - self.side
        yield from self._hold_pan(motion, holder)
        home = self.pos("broom"), self.yaw("broom")
        yield from self._grasp_broom(motion, sweeper)
        for _ in range(_STROKES):
            if all(self.in_pan(name) for name in self.tissues):
                break
            yield from self._stroke(motion, sweeper)
        yield from self._go(motion, sweeper, home[0], home[1], height=_HOVER, seconds=0.9)
        yield from self._go(motion, sweeper, home[0], home[1], height=0.003, seconds=0.5)
        yield from motion.wait(0.1)
        yield from motion.go(
            Move(arm=sweeper, gripper=1.0), Move(arm=holder, gripper=1.0), seconds=0.4
        )
        lift = np.array([0.0, 0.0, 0.09])
        yield from motion.go(
            Move(arm=sweeper, pos=motion.pos[sweeper] + lift),
            Move(arm=holder, pos=motion.pos[holder] + lift),
            seconds=0.6,
        )
        yield from motion.rest(0, 1)
        yield from motion.wait(1.0)

    def _hold_pan(self, motion: Motion, arm: int) -> Actions:
        yaw = self.yaw("dustpan")
        grip = self.pos("dustpan") + self.rotation("dustpan") @ (PAN_GRIP[0], 0, PAN_GRIP[1])
        above = grip + np.array([0.0, 0.0, 0.09])
        turn = closing_along(yaw + math.pi / 2)
        yield from motion.go(Move(arm=arm, pos=above, turn=turn, gripper=0.7), seconds=0.8)
        yield from motion.go(Move(arm=arm, pos=grip), seconds=0.5)
        yield from motion.go(Move(arm=arm, gripper=0.0), seconds=0.4)
        yield from motion.wait(0.1)

    def _grasp_broom(self, motion: Motion, arm: int) -> Actions:
        grip = self.pos("broom") + np.array([0.0, 0.0, BROOM_GRIP])
        above = grip + np.array([0.0, 0.0, 0.09])
        turn = _leaning(arm, self.yaw("broom"))
        yield from motion.go(Move(arm=arm, pos=above, turn=turn, gripper=0.8), seconds=0.9)
        yield from motion.go(Move(arm=arm, pos=grip), seconds=0.5)
        yield from motion.go(Move(arm=arm, gripper=0.0), seconds=0.35)
        yield from motion.wait(0.1)
        yield from motion.go(Move(arm=arm, pos=above), seconds=0.5)

    def _stroke(self, motion: Motion, arm: int) -> Actions:
        """Lowers the broom behind a tissue and pushes what is before it into the dustpan."""
        axes, origin = self.rotation("dustpan")[:2, :2], self.pos("dustpan")[:2]
        mouth_yaw = self.yaw("dustpan")
        spots = [(self.centre(name)[:2] - origin) @ axes for name in self.tissues]
        left = [at for at, name in zip(spots, self.tissues, strict=True) if not self.in_pan(name)]
        start, stage = _plan(left)
        heading = math.atan2(*(stage - start)[::-1])
        end = np.array([_END, stage[1]])

        def world(at: np.ndarray) -> np.ndarray:
            return np.array([*(origin + axes @ at), 0.0])

        slant = mouth_yaw + heading
        yield from self._go(motion, arm, world(start), slant, height=_HOVER, seconds=0.7)
        yield from self._go(motion, arm, world(start), slant, height=_CLEAR, seconds=0.4)
        yield from self._go(motion, arm, world(stage), slant, height=_CLEAR, seconds=0.9)
        if abs(stage[1]) <= _ROOM:
            turned = abs(math.remainder(heading, math.pi)) > 0.02
            if turned:
                yield from self._go(
                    motion, arm, world(stage), mouth_yaw, height=_CLEAR, seconds=0.4
                )
            inside = PAN_FLOOR + _CLEAR
            yield from self._go(motion, arm, world(end), mouth_yaw, height=inside, seconds=0.8)
            yield from motion.wait(0.1)
        here, yaw = self.pos("broom"), self.yaw("broom")
        yield from self._go(motion, arm, here, yaw, height=_HOVER, seconds=0.4)

    def _go(
        self,
        motion: Motion,
        arm: int,
        at: np.ndarray,
        yaw: float,
        *,
        height: float,
        seconds: float,
    ) -> Actions:
        """Brings the held broom's base to a place on the table, at a heading and a height."""
        yaw = math.remainder(yaw, math.pi)
        yaw = min(max(yaw, -_MOST_YAW), _MOST_YAW)
        now = math.remainder(self.yaw("broom"), math.pi)
        hang = motion.pos[arm] - self.pos("broom")
        angle = yaw - now
        c, s = math.cos(angle), math.sin(angle)
        hang = np.array([c * hang[0] - s * hang[1], s * hang[0] + c * hang[1], hang[2]])
        goal = np.array([at[0], at[1], height]) + hang
        turn = compose((0, 0, angle), motion.turn[arm])
        yield from motion.go(Move(arm=arm, pos=goal, turn=turn), seconds=seconds)


def _plan(left: list[Spot]) -> tuple[Spot, Spot]:
    """A stroke of the broom's middle, in the dustpan's frame (m).

    Args:
        left: where the tissues outside the dustpan lie.

    Returns:
        Where it begins, and where it turns into the dustpan; or, for a tissue beside the mouth or
        the dustpan, where it ends, so that a later stroke finds the tissue before the mouth.
    """
    # The farthest first: nothing lies behind it where the broom comes down.
    ordered = sorted(left, key=lambda at: -at[0])
    strokes = [
        (start, stage)
        for at in ordered
        for gap in (0.010, 0.016, 0.022, 0.005)
        for start, stage in [_stroke_of(at, gap)]
    ]
    return next((s for s in strokes if _free(*s, left)), strokes[0])


def _stroke_of(at: Spot, gap: float) -> tuple[Spot, Spot]:
    behind = BRUSH_HALF[0] + TISSUE_RADIUS + gap
    side = math.copysign(1.0, at[1])
    if at[0] < PAN_LIP + 0.006 and abs(at[1]) > PAN_HALF[1]:
        y = side * max(abs(at[1]), PAN_HALF[1] + 0.007 + BRUSH_HALF[1])
        return np.array([at[0] - behind, y]), np.array([PAN_LIP + 0.045, y])
    stage = np.array([PAN_LIP + 0.036, side * min(abs(at[1]), _ROOM)])
    way = at - stage
    if abs(way[1]) < 0.012:
        return np.array([max(at[0] + behind, stage[0] + 0.005), stage[1]]), stage
    if abs(way[1]) > _STEEP * way[0]:
        x = max(at[0] + 0.028, PAN_LIP + 0.049)
        return np.array([x, at[1] + side * behind]), np.array([x, side * _GATHERED])
    return at + behind * way / np.linalg.norm(way), stage


def _free(start: Spot, stage: Spot, left: list[Spot]) -> bool:
    """Whether the broom comes down on no tissue."""
    way = (stage - start) / np.linalg.norm(stage - start)
    margin = TISSUE_RADIUS + 0.002
    return not any(
        abs((at - start) @ way) < BRUSH_HALF[0] + margin
        and abs((at - start) @ (-way[1], way[0])) < BRUSH_HALF[1] + margin
        for at in left
    )


def _leaning(arm: int, yaw: float) -> Float64[np.ndarray, "3"]:
    """Turn of a gripper that closes across the broom's heading and leans away from its base."""
    yaw = math.remainder(yaw, math.pi)
    return compose((0, 0, yaw), (0, _LEAN if arm else -_LEAN, 0))
