"""Plug a cable into the named one of two sockets, with less than a millimetre to spare."""

import math
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from jaxtyping import Float64

from uamsim.contract import Goal, SceneFacts, SceneThing, Thing
from uamsim.errors import SceneError
from uamsim.lexicon import LEXICON, entries
from uamsim_envs.aloha.kinematics import rotation_from_vector, vector_from_rotation
from uamsim_envs.aloha.parts.cable import LINK, Curve, add_cable
from uamsim_envs.aloha.skills.handling import MAX_MISS, Actions
from uamsim_envs.aloha.skills.motion import Motion, Move, closing_along, reach_error
from uamsim_envs.aloha.task import TaskEnv
from uamsim_envs.contacts import TABLE_BIT, THING_BIT

SOCKETS: tuple[str, str] = ("first_socket", "second_socket")
"""Bodies; in each frame x runs into the hole, whose mouth is above the origin."""
PLUG_GEOMS: tuple[str, str] = ("plug/body", "plug/prong")
MIN_DEPTH = 0.8
"""Share of the prong that must be in the hole."""
CLEARANCE = 0.0008
"""m on each side of the prong."""
_TRIES = 2000
_BODY = (0.017, 0.010, 0.013)
"""Half extents of the part that is grasped (m)."""
_PRONG = 0.022
"""Length of the part that goes into the hole (m)."""
_TAIL = _BODY[0] + 0.010
"""From the plug's origin back to where the cable begins (m)."""
_CHAMFER = 0.003
_BLOCK = (0.029, 0.031)
"""Half width of a socket's block, and how far it reaches above the hole's middle (m)."""
_NUM_LINKS = 14
_DARK = (0.12, 0.12, 0.13, 1.0)
_STEEL = (0.62, 0.63, 0.66, 1.0)
_GOLD = (0.80, 0.58, 0.16, 1.0)
_STIFF = (0.005, 1.0)
_HARD = (0.95, 0.99, 0.0005, 0.5, 2.0)
"""solref and solimp of plug and sockets: their play is less than a millimetre."""
_GRIP = 0.003
"""How far above the plug's middle the grasp is (m); the tips would else meet the table."""
_ABOVE, _STANDOFF, _LIFT = 0.09, 0.024, 0.05
_STEP, _JAM = 0.004, 0.004
"""Advance of the plug in one step, and by how much it lags when it jams (m)."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where everything is; the scene of the right arm is the left one's in a mirror.

    Attributes:
        arm: the one that reaches all.
        plug: position of the plug's middle on the table (m).
        plug_yaw: where its prong points (rad).
        sockets: positions of the holes' mouths (m).
        into: direction into both holes (rad).
        height: of the holes' middles (m).
        prong: half thickness of the prong (m).
        cable: joints of the cable from the anchor to the plug (m).
    """

    arm: int
    plug: tuple[float, float]
    plug_yaw: float
    sockets: tuple[tuple[float, float], tuple[float, float]]
    into: float
    height: float
    prong: float
    cable: Float64[np.ndarray, "N 3"]


def _draw(rng: np.random.Generator) -> Layout | None:
    """One layout, or None where the cable does not fit or an arm does not reach."""
    arm = int(rng.integers(2))
    into = float(rng.uniform(0.4, 0.95))
    middle = np.array([rng.uniform(-0.01, 0.09), rng.uniform(0.02, 0.10)])
    aside = float(rng.uniform(0.042, 0.050)) * np.array([-math.sin(into), math.cos(into)])
    sockets = [middle - aside, middle + aside]
    plug = np.array([rng.uniform(-0.20, -0.09), rng.uniform(-0.13, 0.03)])
    yaw = float(rng.uniform(-0.8, 0.8))
    curve = Curve(
        start=tuple(plug - _TAIL * np.array([math.cos(yaw), math.sin(yaw)])),
        heading=yaw + math.pi,
        bend=float(rng.choice([-1, 1]) * rng.uniform(1.2, 2.9)),
        wave=float(rng.uniform(-0.8, 0.8)),
        num_links=_NUM_LINKS,
        start_height=_BODY[2],
        end_height=0.008,
    )
    points = curve.points()
    ahead = np.array([math.cos(into), math.sin(into)])
    far = max(float(np.linalg.norm(s - _TAIL * ahead - points[-1, :2])) for s in sockets)
    clear = min(float(np.linalg.norm(points[:, :2] - s, axis=1).min()) for s in sockets)
    loop = float(np.linalg.norm(points[3:, :2] - plug, axis=1).min())
    apart = min(float(np.linalg.norm(s - plug)) for s in sockets)
    x, y = points[-1, :2]
    fits = far < 0.8 * _NUM_LINKS * LINK and clear > 0.07 and loop > 0.075 and apart > 0.11
    if not fits or not (-0.27 < x < 0.1 and -0.19 < y < 0.2) or points[:, 0].min() < -0.28:
        return None
    if arm == 1:
        mirror = np.array([-1.0, 1.0])
        sockets, plug = [mirror * s for s in sockets], mirror * plug
        points = points * (-1.0, 1.0, 1.0)
        into, yaw = math.pi - into, math.pi - yaw
    layout = Layout(
        arm=arm,
        plug=(float(plug[0]), float(plug[1])),
        plug_yaw=yaw,
        sockets=(
            (float(sockets[0][0]), float(sockets[0][1])),
            (float(sockets[1][0]), float(sockets[1][1])),
        ),
        into=into,
        height=float(rng.uniform(0.042, 0.050)),
        prong=float(rng.uniform(0.0065, 0.0085)),
        cable=points[::-1],
    )
    return layout if _reachable(layout) else None


def _reachable(layout: Layout) -> bool:
    over = closing_along(layout.plug_yaw + math.pi / 2)
    at = closing_along(layout.into + math.pi / 2)
    ahead = np.array([math.cos(layout.into), math.sin(layout.into)])
    errors = [reach_error(layout.arm, (*layout.plug, z), over) for z in (0.015, _ABOVE)]
    for socket in layout.sockets:
        for back in (_BODY[0] - 0.005, _BODY[0] + _PRONG + 0.03):
            for z in (layout.height, layout.height + 0.07):
                errors.append(reach_error(layout.arm, (*(socket - back * ahead), z), at))
    return max(errors) < MAX_MISS


class _Boxes:
    """Adds boxes given by opposite corners to a body."""

    def __init__(self, body: mujoco.MjsBody, bits: tuple[int, int]) -> None:
        self._body, self._bits = body, bits

    def add(
        self,
        low: tuple[float, float, float],
        high: tuple[float, float, float],
        rgba: tuple[float, ...],
        *,
        name: str = "",
        density: float = 700.0,
        quat: tuple[float, ...] = (1, 0, 0, 0),
        solid: bool = True,
    ) -> None:
        """A box, turned by ``quat`` about its middle."""
        first, last = np.array(low), np.array(high)
        geom = self._body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=(first + last) / 2,
            size=(last - first) / 2,
            quat=quat,
            rgba=rgba,
            material="plastic",
            density=density if solid else 0.0,
            contype=self._bits[0] if solid else 0,
            conaffinity=self._bits[1] if solid else 0,
            friction=(0.35, 0.005, 0.0001),
            solref=_STIFF,
            solimp=_HARD,
        )
        if name:
            geom.name = name


def _add_socket(spec: mujoco.MjSpec, name: str, layout: Layout, index: int, colour: str) -> None:
    """A block with a square hole, whose mouth widens by a chamfer, made of convex boxes."""
    body = spec.worldbody.add_body(
        name=name,
        pos=(*layout.sockets[index], 0),
        quat=(math.cos(layout.into / 2), 0, 0, math.sin(layout.into / 2)),
    )
    rgba = (*(LEXICON[colour].rgb or (1.0, 1.0, 1.0)), 1.0)
    boxes = _Boxes(body, (TABLE_BIT, THING_BIT))
    width, h, top = _BLOCK[0], layout.height, layout.height + _BLOCK[1]
    deep, c = _PRONG + 0.003, _CHAMFER
    for start, end, a in (
        (0.0, c, layout.prong + CLEARANCE + c),
        (c, deep, layout.prong + CLEARANCE),
    ):
        boxes.add((start, -width, 0), (end, width, h - a), rgba)
        boxes.add((start, -width, h + a), (end, width, top), rgba)
        boxes.add((start, -width, h - a), (end, -a, h + a), rgba)
        boxes.add((start, a, h - a), (end, width, h + a), rgba)
    boxes.add((deep, -width, 0), (deep + 0.008, width, top), (*(0.35 * v for v in rgba[:3]), 1.0))
    a = layout.prong + CLEARANCE
    half, thick = c / math.sqrt(2), 0.0008
    # The middle of a chamfer's face, moved back along its normal by half its thickness.
    x, off = c / 2 + thick / math.sqrt(2), a + c / 2 + thick / math.sqrt(2)
    s, k = math.sin(math.pi / 8), math.cos(math.pi / 8)
    for sign in (-1, 1):
        boxes.add(
            (x - half, sign * off - thick, h - a - c),
            (x + half, sign * off + thick, h + a + c),
            _DARK,
            quat=(k, 0, 0, -sign * s),
        )
        boxes.add(
            (x - half, -a - c, h + sign * off - thick),
            (x + half, a + c, h + sign * off + thick),
            _DARK,
            quat=(k, 0, sign * s, 0),
        )


def _add_plug(body: mujoco.MjsBody, prong: float, rgb: tuple[float, float, float]) -> None:
    boxes = _Boxes(body, (THING_BIT, TABLE_BIT))
    x, y, z = _BODY
    tip = x + _PRONG
    boxes.add((-x, -y, -z), (x, y, z), (*rgb, 1.0), name=PLUG_GEOMS[0], density=900.0)
    boxes.add((x, -prong, -prong), (tip, prong, prong), _STEEL, name=PLUG_GEOMS[1], density=900.0)
    for side in (-1, 1):
        low, high = sorted((0.3 * prong * side, 0.7 * prong * side))
        skin = prong + 0.0002
        boxes.add((x + 0.004, low, -skin), (tip - 0.002, high, skin), _GOLD, solid=False)
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=(0.006, 0, 0),
        fromto=(-_TAIL - 0.004, 0, 0, -x, 0, 0),
        rgba=_DARK,
        mass=0.0,
        contype=0,
        conaffinity=0,
    )


def _add_anchor(spec: mujoco.MjSpec, points: np.ndarray) -> None:
    """A weight on the table that holds the cable's end."""
    back = points[0, :2] - points[1, :2]
    yaw = math.atan2(back[1], back[0])
    x, y = points[0, :2] + 0.012 * back / np.linalg.norm(back)
    body = spec.worldbody.add_body(
        name="anchor", pos=(x, y, 0), quat=(math.cos(yaw / 2), 0, 0, math.sin(yaw / 2))
    )
    boxes = _Boxes(body, (TABLE_BIT, THING_BIT))
    boxes.add((-0.016, -0.016, 0), (0.02, 0.016, 0.02), (0.2, 0.2, 0.22, 1.0))


class AlohaPlugCableEnv(TaskEnv):
    """A cable, fixed at one end, and two sockets: plug it into the named one.

    Success: the prong is in the named socket by ``MIN_DEPTH`` of its length, and no finger
    touches plug or cable. Stages: grasped (off the table between two fingers), at_socket (the
    prong's tip before the hole's mouth or in it, in line with it), plugged.

    Attributes:
        layout: the episode's.
        socket: body of the named one.
    """

    task = "plug_cable"
    stage_names: ClassVar[tuple[str, ...]] = ("grasped", "at_socket", "plugged")
    time_limit = 620

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        for _ in range(_TRIES):
            layout = _draw(rng)
            if layout is not None:
                break
        else:
            raise SceneError(f"no cable of {_TRIES} drawn fits between plug, sockets and edge.")
        self.layout = layout
        names = [e.name for e in entries("colour", in_action_data=True)]
        named, other, plug = (names[int(i)] for i in rng.permutation(len(names))[:3])
        which = int(rng.integers(2))
        self.socket = SOCKETS[which]
        spec.add_material(name="plastic", specular=0.25, shininess=0.4)
        colours = (named, other) if which == 0 else (other, named)
        for index, name in enumerate(SOCKETS):
            _add_socket(spec, name, layout, index, colours[index])
        grey = float(rng.uniform(0.03, 0.12))
        body = add_cable(
            spec,
            layout.cable,
            rgba=(grey, grey, grey, 1.0),
            tail=_TAIL,
            tail_yaw=layout.plug_yaw,
        )
        _add_plug(body, layout.prong, LEXICON[plug].rgb or (1.0, 1.0, 1.0))
        _add_anchor(spec, layout.cable)
        x, y = layout.plug
        self._things = (
            SceneThing(category="plug", colour=plug, pos_world=(x, y, 0.0)),
            *(
                SceneThing(category="socket", colour=colour, pos_world=(*at, 0.0))
                for colour, at in zip(colours, layout.sockets, strict=True)
            ),
        )
        return Goal(
            task=self.task,
            thing=Thing(category="plug", colour=plug),
            target=Thing(category="socket", colour=named),
        )

    def _describe(self) -> SceneFacts:
        return SceneFacts(things=self._things)

    def tip(self) -> Float64[np.ndarray, "3"]:
        """The prong's tip from the middle of the named hole's mouth, in its frame (m)."""
        tip = self.pos("plug") + (_BODY[0] + _PRONG) * self.rotation("plug")[:, 0]
        local = self.rotation(self.socket).T @ (tip - self.pos(self.socket))
        return local - (0.0, 0.0, self.layout.height)

    def _now(self) -> dict[str, bool]:
        x, y, z = self.tip()
        aside = max(abs(y), abs(z))
        line = float(self.rotation("plug")[:, 0] @ self.rotation(self.socket)[:, 0])
        grasped = self.pinched(*PLUG_GEOMS) and self.pos("plug")[2] > _BODY[2] + 0.01
        return {
            "grasped": grasped,
            "at_socket": x > -0.03 and aside < 0.005 and line > 0.98,
            "plugged": x > MIN_DEPTH * _PRONG
            and aside < 0.003
            and line > 0.98
            and not self.held("plug"),
        }

    # The expert.

    def _aim(self, motion: Motion, back: float, aside: tuple[float, float] = (0.0, 0.0)) -> Move:
        """The command that brings the plug's tip before the mouth, from where the plug hangs now.

        Args:
            motion: both arms' commands.
            back: distance of the tip from the mouth (m); negative inside.
            aside: offset along the socket's y and z (m).
        """
        arm = self.layout.arm
        hole = self.rotation(self.socket)
        local = (-back - _BODY[0] - _PRONG, aside[0], self.layout.height + aside[1])
        goal = self.pos(self.socket) + hole @ np.array(local)
        turn = hole @ self.rotation("plug").T
        pos = goal + turn @ (motion.pos[arm] - self.pos("plug"))
        commanded = rotation_from_vector(motion.turn[arm])
        return Move(arm=arm, pos=pos, turn=vector_from_rotation(turn @ commanded))

    def _take(self, motion: Motion) -> Actions:
        arm = self.layout.arm
        pos = self.pos("plug")
        pos[2] = max(pos[2] + _GRIP, 0.015)
        over = np.array([pos[0], pos[1], max(pos[2], _BODY[2]) + _ABOVE])
        turn = closing_along(self.yaw("plug") + math.pi / 2)
        yield from motion.go(Move(arm=arm, pos=over, turn=turn, gripper=0.7), seconds=0.9)
        yield from motion.go(Move(arm=arm, pos=pos), seconds=0.6)
        yield from motion.go(Move(arm=arm, gripper=0.0), seconds=0.3)
        yield from motion.wait(0.2)

    def _insert(self, motion: Motion, rng: np.random.Generator) -> Actions:
        """Pushes the plug in step by step; where it jams, draws back a little and tries aside."""
        aside = (0.0, 0.0)
        for _ in range(40):
            depth = float(self.tip()[0])
            if depth > _PRONG - 0.0015:
                break
            ahead = min(depth + _STEP, _PRONG + 0.001)
            yield from motion.go(self._aim(motion, -ahead, aside), seconds=0.12)
            yield from motion.wait(0.04)
            if ahead - float(self.tip()[0]) > _JAM:
                yield from motion.go(self._aim(motion, 0.006 - depth), seconds=0.2)
                aside = (float(rng.uniform(-8e-4, 8e-4)), float(rng.uniform(-8e-4, 8e-4)))

    def expert(self, rng: np.random.Generator) -> Actions:
        """Takes the plug, lines it up as it really hangs, pushes it in, and again if it comes out.

        Args:
            rng: varies its speed and its search.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.1)))
        arm = self.layout.arm
        for _ in range(3):
            yield from self._take(motion)
            if self.tip()[0] < 0.0:
                up = motion.pos[arm] + (0.0, 0.0, _LIFT)
                yield from motion.go(Move(arm=arm, pos=up), seconds=0.5)
                yield from motion.go(self._aim(motion, _STANDOFF + 0.02), seconds=1.0)
            for _ in range(3):
                yield from motion.wait(0.08)
                yield from motion.go(self._aim(motion, _STANDOFF), seconds=0.25)
            yield from self._insert(motion, rng)
            yield from motion.go(Move(arm=arm, gripper=0.6), seconds=0.3)
            yield from motion.wait(0.2)
            up = motion.pos[arm] + (0.0, 0.0, _ABOVE)
            yield from motion.go(Move(arm=arm, pos=up), seconds=0.5)
            if self.tip()[0] > MIN_DEPTH * _PRONG:
                break
        yield from motion.rest(arm)
        yield from motion.wait(0.6)
