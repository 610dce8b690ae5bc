"""Put the named thing on or into the named receptacle, handing it over where one arm cannot."""

import copy
import math
from typing import ClassVar

import mujoco
import numpy as np

from uamsim.contract import Goal, Thing
from uamsim.errors import SceneError
from uamsim.perturbations.axes.objects import (
    Distractors,
    NovelInstance,
    NovelObject,
    NovelPair,
    NovelSize,
    NovelTarget,
    NovelTexture,
)
from uamsim.perturbations.draw import drawn_objects
from uamsim.perturbations.values import Composition, stream
from uamsim_envs.aloha.parts.choosing import Draw, choose, choose_distractors, shown_things
from uamsim_envs.aloha.skills.carrying import (
    APART,
    HOLLOW,
    HOVER,
    LIFT,
    lifted_by,
    picks,
    placers,
    release_height,
    two_handed,
)
from uamsim_envs.aloha.skills.handling import SETTLE, Actions, Reach, grasp, put
from uamsim_envs.aloha.skills.motion import UP, Motion, Move, closing_along
from uamsim_envs.aloha.task import REST_SPEED, Item, TaskEnv
from uamsim_envs.aloha.variants import add_pattern, paint_materials, pattern_of
from uamsim_envs.aloha.world import REST_POS
from uamsim_envs.contacts import TABLE_BIT
from uamsim_envs.layout import Region, lay_out
from uamsim_envs.library import Grasp
from uamsim_envs.rendering import HIDDEN_GROUP

HANDOVERS = 0.36
"""Share of the episodes in which no arm reaches both the thing and its target."""
_EDGE = 0.285
"""m from the middle to either side that things may cover, so that the primary camera sees them."""
_FAR = 0.165
_FRONT, _BACK = -0.105, 0.115
_HANDED_Y = 0.03
_FREE_MIDDLE = (0.0, 0.0, 0.065)
"""Circle that stays free where a thing must change hands (m)."""
_GAP = 0.012
_FINGER_ROOM = 0.050
"""Radius (m) that open fingers need around the named thing."""
_DEEPER = 0.006
"""m by which a gripper takes a thing in mid-air lower than from the table."""
_NEAR = 0.06
"""m between a gripper and a thing from which it counts as reached."""
_STIFF = (0.008, 1.0)
"""Contact time constant (s) and damping: what falls into a can must not sink into its floor."""
_UNDER = 0.03
_ATTEMPTS = 3
MAX_DROP = 0.08
"""m above the rim, or beside the receptacle, up to which a thing may be let go."""
CARRY_STEPS = 15
"""Control steps (0.3 s) for which fingers must bear a thing before it counts as lifted."""
_TRIES = 200
_DISTRACTOR_TRIES, _RESTARTS = 4, 8


def _region(draw: Draw, x0: float, x1: float) -> Region:
    """Where a thing may stand between two x (m), so that all of it is seen."""
    inner = _EDGE - draw.radius
    return max(x0, -inner), min(x1, inner), _FRONT, _BACK


def _thicken_floor(body: mujoco.MjsBody, item: Item) -> None:
    """Continues a fixed receptacle's floor below the table, so that nothing falls through it."""
    opening = item.opening
    if opening is None:
        return
    x, y = (0.95 * half for half in opening.half)
    body.add_geom(
        name=f"{item.name}/floor",
        type=mujoco.mjtGeom.mjGEOM_BOX
        if opening.shape == "box"
        else mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=(x, y, _UNDER / 2) if opening.shape == "box" else (x, _UNDER / 2, 0),
        pos=(0, 0, 0.8 * opening.floor - _UNDER / 2),
        contype=TABLE_BIT,
        conaffinity=0,
        condim=4,
        mass=0.0,
        group=HIDDEN_GROUP,
    )


class AlohaPickPlaceObjectsEnv(TaskEnv):
    """Three or four things and two receptacles; one thing is to go on or into one receptacle.

    In about a third of the episodes no arm reaches both, and the thing has to change hands.

    Success: the thing lies in or on the receptacle, borne by it alone, at rest and touched by no
    finger, and fingers had lifted it before. Stages: reached; grasped, lifted by fingers;
    handed_over, lifted by an arm that reaches the receptacle; placed.
    """

    task = "pick_place_objects"
    stage_names: ClassVar[tuple[str, ...]] = ("reached", "grasped", "handed_over", "placed")
    time_limit = 900
    carried = (
        *TaskEnv.carried,
        NovelInstance,
        NovelObject,
        NovelTarget,
        NovelPair,
        NovelSize,
        NovelTexture,
        Distractors,
    )

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        active = Composition(*self.composition.active("objects"))
        episode = int(copy.deepcopy(rng).integers(2**62)) if active else 0
        size = active.find(NovelSize)
        drawn_size = None if size is None else size.draw(stream(episode, size))
        handed = bool(rng.random() < HANDOVERS)
        side = int(rng.integers(2))
        for _ in range(_TRIES):
            try:
                draws = choose(rng, handed, active, drawn_size)
                items = self._lay(rng, draws, handed, side)
            except SceneError:
                continue
            thing, target = items["thing"], items["target"]
            can_place = placers(thing, target)
            can_pick = {reach.arm for reach in picks(thing, thing.pos, thing.yaw)}
            if not (can_place and can_pick and handed == can_place.isdisjoint(can_pick)):
                continue
            more = self._add_distractors(episode, active, draws, items, handed)
            if more is not None:
                break
        else:
            raise SceneError(f"no layout with handover {handed} was found in {_TRIES} tries.")
        self._placers = can_place
        for item in items.values():
            body = self.add_item(spec, item, specular=float(rng.uniform(*item.instance.material)))
            if item.static:
                _thicken_floor(body, item)
            for geom in body.geoms:
                geom.solref = _STIFF
        goal = Goal(
            task=self.task,
            thing=Thing(category=thing.instance.category, colour=thing.colour),
            target=Thing(category=target.instance.category, colour=target.colour),
        )
        self._note_drawn(spec, episode, active, goal, draws, more)
        return goal

    def _note_drawn(
        self,
        spec: mujoco.MjSpec,
        episode: int,
        active: Composition,
        goal: Goal,
        draws: list[Draw],
        distractors: list[Draw],
    ) -> None:
        if not active:
            return
        named, things = draws[1], [d.thing for d in distractors]
        drawn = drawn_objects(active, episode, goal, named.thing, things, shown_things())
        if "NovelSize" in drawn:
            larger = named.scale > named.instance.scale[1]
            drawn["NovelSize"] = {"larger": larger, "factor": named.scale}
        if "NovelTexture" in drawn:
            add_pattern(spec, pattern_of(drawn["NovelTexture"]))
            paint_materials(spec, list(self.items))
        self.drawn |= drawn

    def _add_distractors(
        self,
        episode: int,
        active: Composition,
        draws: list[Draw],
        items: dict[str, Item],
        handed: bool,
    ) -> list[Draw] | None:
        """Puts more things where there is room left; None where there is too little."""
        wanted = active.find(Distractors)
        if wanted is None:
            return []
        rng = stream(episode, wanted)
        taken = [
            (*i.pos[:2], max(i.radius, _FINGER_ROOM) if i.name == "thing" else i.radius)
            for i in items.values()
        ] + ([_FREE_MIDDLE] if handed else [])
        for _ in range(_DISTRACTOR_TRIES):
            more = choose_distractors(rng, draws[1], [d.thing for d in draws], wanted)
            regions = [[_region(draw, -1.0, 1.0)] for draw in more]
            radii = [draw.radius for draw in more]
            try:
                places = lay_out(rng, regions, radii, gap=_GAP, taken=taken, restarts=_RESTARTS)
            except SceneError:
                continue
            for draw, (x, y) in zip(more, places, strict=True):
                items[draw.name] = draw.at(float(x), float(y))
            return more
        return None

    def _lay(
        self, rng: np.random.Generator, draws: list[Draw], handed: bool, side: int
    ) -> dict[str, Item]:
        """Places for them; the target is on one side, a thing to be handed over on the other."""
        regions: list[list[Region]] = []
        for draw in draws:
            left, right = (-1.0, -_FAR), (_FAR, 1.0)
            ends = (left, right)[side if draw.name == "target" else 1 - side]
            if draw.name not in ("target", "thing") or (draw.name == "thing" and not handed):
                ends = (-1.0, 1.0)
            regions.append([_region(draw, *ends)])
        radii = [max(d.radius, _FINGER_ROOM) if d.name == "thing" else d.radius for d in draws]
        taken = [_FREE_MIDDLE] if handed else []
        places = lay_out(rng, regions, radii, gap=_GAP, taken=taken)
        return {
            draw.name: draw.at(float(x), float(y))
            for draw, (x, y) in zip(draws, places, strict=True)
        }

    def _start(self) -> None:
        if "Distractors" in self.drawn:
            free = [name for name, item in self.items.items() if not item.static]
            self.world.let_sleep([name for name in free if name != "thing"])
        self._held_from, self._last_held_at = 0, np.zeros(3)

    def _now(self) -> dict[str, bool]:
        middle = self.world.data.body("thing").xipos
        holders = lifted_by(self, "thing")
        if holders:
            self._last_held_at = self.pos("thing")
        else:
            self._held_from = self._num_steps
        if self._num_steps - self._held_from < CARRY_STEPS:
            holders = set()
        near = min(float(np.linalg.norm(self.world.tcp(arm) - middle)) for arm in (0, 1))
        return {
            "reached": near < _NEAR,
            "grasped": bool(holders),
            "handed_over": not holders.isdisjoint(self._placers),
            "placed": self._stages["grasped"]
            and self._let_down()
            and self.lies_in("thing", "target"),
        }

    def _let_down(self) -> bool:
        """Whether the thing was let go low over the receptacle, not dropped or thrown."""
        holder = self.items["target"]
        rim = holder.height if holder.opening is None else holder.opening.rim
        x, y, z = self._last_held_at - self.pos("target")
        return bool(z < rim + MAX_DROP and np.hypot(x, y) < holder.radius + MAX_DROP)

    def lies_in(self, name: str, receptacle: str) -> bool:
        """Whether a thing lies in or on a receptacle: let go, at rest, borne by it alone.

        Its centre of mass is over the opening, above the floor and, where it is hollow, below
        the rim or hardly above it.
        """
        holder, touched = self.items[receptacle], self.touching(name)
        opening = holder.opening
        if opening is None or touched != {receptacle} or self.speed(name) > REST_SPEED:
            return False
        middle = self.world.data.body(name).xipos - self.pos(receptacle)
        x, y, z = (float(v) for v in self.rotation(receptacle).T @ middle)
        deep = holder.instance.category not in HOLLOW or z < opening.rim + 0.015
        return holder.covers(x, y) and z > opening.floor and deep

    def expert(self, rng: np.random.Generator) -> Actions:
        """One arm carries the thing, or two in turn; what went wrong is tried again.

        Args:
            rng: varies its speed and where the thing changes hands.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.08)))
        for _ in range(_ATTEMPTS):
            yield from self._carry(motion, rng)
            yield from motion.wait(0.4)
            if self.succeeded or self.lies_in("thing", "target"):
                break
        yield from motion.wait(0.6)

    def _reach(self, arms: tuple[int, ...], grasps: tuple[Grasp, ...] | None = None) -> list[Reach]:
        return picks(self.items["thing"], self.pos("thing"), self.yaw("thing"), arms, grasps)

    def _carry(self, motion: Motion, rng: np.random.Generator) -> Actions:
        direct = self._reach(tuple(sorted(self._placers)))
        if direct:
            yield from grasp(motion, direct[0], lift=LIFT)
            yield from self._place(motion, direct[0].arm)
            return
        first = self._reach((0, 1))
        if not first:
            return
        giver, place = first[0].arm, (float(rng.uniform(-0.01, 0.01)), float(rng.uniform(-1, 1)))
        x, y = place[0], _HANDED_Y * place[1]
        way = two_handed(self.items["thing"])
        if way is None:
            yield from grasp(motion, first[0], lift=LIFT)
            yield from put(self, motion, giver, "thing", (x, y, 0.0), drop=0.002, retreat=0.10)
            yield from motion.rest(giver, seconds=0.7)
            again = self._reach(tuple(sorted(self._placers)))
            if again:
                yield from grasp(motion, again[0], lift=LIFT)
                yield from self._place(motion, again[0].arm)
            return
        yield from self._hand_over(motion, giver, way, np.array([x, y]), rng)

    def _hand_over(
        self, motion: Motion, giver: int, way: Grasp, at: np.ndarray, rng: np.random.Generator
    ) -> Actions:
        """In mid-air: one gripper holds one end of a long thing, the other takes the other."""
        taker, outward = 1 - giver, -1.0 if giver == 0 else 1.0
        axis = np.array([-math.sin(way.yaw), math.cos(way.yaw)])
        turned = self.yaw("thing") - closing_along(self.yaw("thing") + way.yaw)[2]
        ahead = math.cos(turned) * axis[0] - math.sin(turned) * axis[1]
        end = np.array(way.offset) + outward * math.copysign(APART, ahead) * axis
        held = Grasp(
            height=way.height, yaw=way.yaw, width=way.width, offset=(float(end[0]), float(end[1]))
        )
        reach = self._reach((giver,), (held,))
        if not reach:
            return
        yield from grasp(motion, reach[0], lift=LIFT)
        z = float(rng.uniform(0.13, 0.15))
        give = np.array([at[0] + outward * APART, at[1], z])
        near = give - (outward * (2 * APART + 0.03), 0, -0.05)
        yield from motion.go(
            Move(arm=giver, pos=give, turn=(0, 0, 0)),
            Move(arm=taker, pos=near, turn=(0, 0, 0), gripper=1.0),
            seconds=1.0,
        )
        yield from motion.wait(0.1)
        other = 2.0 * np.array(way.offset) - end
        # The thing sags towards its free end; off the table fingers can reach deeper.
        take = self.pos("thing") + self.rotation("thing") @ (*other, way.height) - _DEEPER * UP
        yield from motion.go(Move(arm=taker, pos=take + 0.045 * UP), seconds=0.25)
        yield from motion.go(Move(arm=taker, pos=take), seconds=0.4)
        yield from motion.go(Move(arm=taker, gripper=0.0), seconds=0.3)
        yield from motion.wait(SETTLE + 0.1)
        yield from motion.go(Move(arm=giver, gripper=1.0), seconds=0.3)
        yield from motion.wait(SETTLE)
        yield from motion.go(
            Move(arm=giver, pos=np.add(give, (outward * 0.02, 0, 0.09))), seconds=0.5
        )
        yield from motion.go(
            Move(arm=giver, pos=REST_POS[giver], turn=(0, 0, 0), gripper=0.0), seconds=0.8
        )
        yield from self._place(motion, taker)

    def _place(self, motion: Motion, arm: int) -> Actions:
        """Lets the held thing go over the target; a long one is laid along a tray."""
        if not self.held("thing"):
            yield from motion.go(Move(arm=arm, gripper=1.0), seconds=0.3)
            return
        target = self.items["target"]
        turn = None
        ways = self.items["thing"].grasps
        if target.instance.category == "tray" and len({round(w.yaw, 2) for w in ways}) == 1:
            turn = closing_along(target.yaw + math.pi / 2)
        at = np.array([*target.pos[:2], release_height(target)])
        yield from put(self, motion, arm, "thing", at, turn=turn, hover=HOVER)
        yield from motion.rest(arm)
