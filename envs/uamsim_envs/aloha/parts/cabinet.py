"""A low cabinet with two drawers side by side: its measures, its shapes, who reaches it."""

import math
from dataclasses import dataclass

import mujoco
import numpy as np
from jaxtyping import Float64

from uamsim.lexicon import LEXICON
from uamsim_envs.aloha.skills.handling import MAX_MISS
from uamsim_envs.aloha.skills.motion import closing_along, reach_error
from uamsim_envs.contacts import TABLE_BIT

DRAWERS: tuple[str, str] = ("left_drawer", "right_drawer")
"""Bodies, and the slides that they run on: 0 m is shut."""
FLOOR, SIDE, CEILING = 0.012, 0.037, 0.072
"""Heights of a drawer's floor, of its side walls' top, of the space in the cabinet (m)."""
GRIP_HEIGHT, ABOVE = 0.036, 0.125
"""Of a gripper at a handle and of one that comes from above (m)."""
WOODS = ((0.58, 0.40, 0.24), (0.42, 0.28, 0.17), (0.70, 0.58, 0.42), (0.33, 0.34, 0.36))
"""Colours of the frame."""
_WALL = 0.003
"""Half thickness of boards (m)."""
_BAR_RADIUS, _BAR_HALF, _BAR_OUT, _BAR_HEIGHT = 0.005, 0.023, 0.030, 0.043
"""The handle: thickness, half length, distance from the front and height of its bar (m)."""
_METAL = (0.16, 0.16, 0.18, 1.0)


@dataclass(frozen=True, kw_only=True)
class Cabinet:
    """Measures of a cabinet; in its frame x runs along the front, -y outwards, z up.

    Attributes:
        pos: middle of its front's lower edge (m, world).
        yaw: heading about z (rad); at 0 the drawers open towards the viewer.
        half_width: of one drawer's inside (m).
        depth: of a drawer's inside (m).
        travel: of a drawer (m).
    """

    pos: tuple[float, float]
    yaw: float
    half_width: float
    depth: float
    travel: float

    @property
    def pitch(self) -> float:
        """Distance of each drawer's middle from the cabinet's (m)."""
        return self.half_width + 4 * _WALL

    def world(self, x: float, y: float, z: float) -> Float64[np.ndarray, "3"]:
        """A point of its frame in the world's."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return np.array([self.pos[0] + c * x - s * y, self.pos[1] + s * x + c * y, z])

    def offset(self, drawer: str) -> float:
        """Where a drawer's middle is along the front (m)."""
        return self.pitch * (-1.0 if drawer == DRAWERS[0] else 1.0)

    def at_bar(
        self, drawer: str, out: float, *, z: float = GRIP_HEIGHT
    ) -> Float64[np.ndarray, "3"]:
        """Middle of a drawer's bar when it is this far out (m, world), at some height."""
        return self.world(self.offset(drawer), -out - 2 * _WALL - _BAR_OUT, z)

    @property
    def pulling(self) -> Float64[np.ndarray, "3"]:
        """Turn of a gripper that closes across a bar."""
        return closing_along(self.yaw + math.pi / 2)

    @property
    def dropping(self) -> Float64[np.ndarray, "3"]:
        """Turn of a gripper that closes along the front."""
        return closing_along(self.yaw)

    def pullers(self, drawer: str) -> list[int]:
        """Arms that reach a drawer's bar all the way, best first."""
        errors = []
        for arm in range(2):
            points = [
                self.at_bar(drawer, out, z=z)
                for out in (0.0, self.travel)
                for z in (GRIP_HEIGHT, ABOVE)
            ]
            errors.append(max(reach_error(arm, p, self.pulling) for p in points))
        near = 0 if self.at_bar(drawer, 0.0)[0] < 0 else 1
        return [arm for arm in (near, 1 - near) if errors[arm] < MAX_MISS]

    def droppers(self, drawer: str) -> list[int]:
        """Arms that can put things into a drawer when it is open."""
        points = [self.world(self.offset(drawer), -0.5 * self.travel, z) for z in (0.06, 0.17)]
        return [
            arm
            for arm in range(2)
            if max(reach_error(arm, p, self.dropping) for p in points) < MAX_MISS
        ]


class _Board:
    """Adds boxes given by their corners to a body; they stop fingers and things."""

    def __init__(self, body: mujoco.MjsBody, rgba: tuple[float, ...], specular: str) -> None:
        self._body, self._rgba, self._material = body, rgba, specular

    def add(
        self,
        low: tuple[float, float, float],
        high: tuple[float, float, float],
        rgba: tuple[float, ...] | None = None,
    ) -> None:
        """A box from one corner to the opposite one (m)."""
        first, last = np.array(low), np.array(high)
        self._body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=(first + last) / 2,
            size=(last - first) / 2,
            rgba=self._rgba if rgba is None else rgba,
            material=self._material,
            density=500.0,
            contype=TABLE_BIT,
            conaffinity=0,
            # What is dropped into a drawer must not sink into its thin floor.
            solref=(0.005, 1.0),
            solmix=50.0,
        )


def _shade(rgb: tuple[float, float, float], factor: float) -> tuple[float, ...]:
    return (*(factor * c for c in rgb), 1.0)


def _add_drawer(body: mujoco.MjsBody, name: str, cabinet: Cabinet, colour: str) -> None:
    w, d, t = cabinet.half_width, cabinet.depth, 2 * _WALL
    body.add_joint(
        name=name,
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=(0, -1, 0),
        range=(0.0, cabinet.travel),
        limited=True,
        frictionloss=0.6,
        damping=4.0,
        armature=0.05,
    )
    rgb = LEXICON[colour].rgb or (1.0, 1.0, 1.0)
    face, inner = _shade(rgb, 1.0), _shade(rgb, 0.72)
    board = _Board(body, inner, "wood")
    board.add((-w - t, 0, FLOOR - 0.0055), (w + t, d, FLOOR))
    board.add((-w - t, 0, FLOOR), (-w, d, SIDE))
    board.add((w, 0, FLOOR), (w + t, d, SIDE))
    board.add((-w, d - t, FLOOR), (w, d, SIDE))
    edge = cabinet.pitch - 0.0015
    board.add((-edge, -t, 0.004), (edge, 0, CEILING + 0.001), face)
    y = -t - _BAR_OUT
    for index, points in enumerate(
        (
            (-_BAR_HALF, y, _BAR_HEIGHT, _BAR_HALF, y, _BAR_HEIGHT),
            (-_BAR_HALF, -t, _BAR_HEIGHT, -_BAR_HALF, y, _BAR_HEIGHT),
            (_BAR_HALF, -t, _BAR_HEIGHT, _BAR_HALF, y, _BAR_HEIGHT),
        )
    ):
        body.add_geom(
            name=f"{name}/handle{index}",
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            size=(_BAR_RADIUS, 0, 0),
            fromto=points,
            rgba=_METAL,
            material="metal",
            density=1000.0,
            contype=TABLE_BIT,
            conaffinity=0,
        )


def add_cabinet(
    spec: mujoco.MjSpec, cabinet: Cabinet, colours: dict[str, str], wood: tuple[float, float, float]
) -> None:
    """Adds the body "cabinet" with its two drawers.

    Args:
        spec: the world.
        cabinet: its measures.
        colours: drawer -> name in the lexicon.
        wood: the frame's linear RGB.
    """
    spec.add_material(name="wood", specular=0.1, shininess=0.2)
    spec.add_material(name="metal", specular=0.6, shininess=0.7)
    body = spec.worldbody.add_body(
        name="cabinet",
        pos=(*cabinet.pos, 0),
        quat=(math.cos(cabinet.yaw / 2), 0, 0, math.sin(cabinet.yaw / 2)),
    )
    t, half, back = 2 * _WALL, 2 * cabinet.pitch, cabinet.depth + 4 * _WALL
    board = _Board(body, (*wood, 1.0), "wood")
    board.add((-half - t, 0, 0), (half + t, back, 0.006))
    board.add((-half - t, 0, CEILING), (half + t, back, CEILING + t))
    board.add((-half - t, 0, 0.006), (-half, back, CEILING))
    board.add((half, 0, 0.006), (half + t, back, CEILING))
    board.add((-_WALL, 0, 0.006), (_WALL, back, CEILING))
    board.add((-half, back - t, 0.006), (half, back, CEILING))
    for name in DRAWERS:
        drawer = body.add_body(name=name, pos=(cabinet.offset(name), 0, 0))
        _add_drawer(drawer, name, cabinet, colours[name])
