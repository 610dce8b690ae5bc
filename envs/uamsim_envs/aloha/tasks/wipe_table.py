"""Wipe one of two stains off the table with a cloth."""

from typing import ClassVar

import mujoco
import numpy as np
from jaxtyping import Bool, Float64

from uamsim.contract import Goal, SceneFacts, SceneThing, Thing
from uamsim.lexicon import LEXICON, entries
from uamsim_envs.aloha.parts.cloth import RADIUS, TOUCH, Cloth, ClothState, add_cloth
from uamsim_envs.aloha.skills.handling import Actions
from uamsim_envs.aloha.skills.motion import UP, Motion, Move
from uamsim_envs.aloha.task import TaskEnv

DOT_RADIUS = 0.0075
_SPACING = 0.0095
WIPED_SHARE = 0.9
"""Share of the named stain that must be gone."""
SPARED_SHARE = 0.5
"""Share of the other stain that must be left; below it the task has failed."""
WIPE_SPEED = 0.02
"""m/s over the table above which the cloth takes a dot away."""
GRASP_HEIGHT = 0.021
"""m; the finger tips then clear what lies flat on either side of the ridge."""


class AlohaWipeTableEnv(TaskEnv):
    """A cloth lies in the middle of the table, a stain of dots on either side of it.

    A dot vanishes when a part of the cloth that lies on the table passes over it while a gripper
    pinches the cloth. Success: 90% of the named stain is gone, at least half of the other is
    still there and no finger touches the cloth. Stages: grasped, half_wiped, wiped; the last
    includes letting go.
    """

    task = "wipe_table"
    stage_names: ClassVar[tuple[str, ...]] = ("grasped", "half_wiped", "wiped")
    time_limit = 800

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        colours = [e.name for e in entries("colour", in_action_data=True)]
        cloth, wanted, other = (colours[i] for i in rng.permutation(len(colours))[:3])
        side = 1.0 if rng.integers(2) else -1.0
        self.cloth = Cloth(
            colour=cloth,
            centre=(float(rng.uniform(-0.02, 0.02)), float(rng.uniform(-0.05, 0.05))),
            yaw=float(rng.uniform(-0.3, 0.3)),
            size=(float(rng.uniform(0.135, 0.15)), float(rng.uniform(0.16, 0.18))),
            fold=float(rng.uniform(-0.015, 0.015)),
            ripple=float(rng.uniform(0.0005, 0.002)),
            phase=float(rng.uniform(0, 2 * np.pi)),
        )
        self._stains = {
            wanted: np.array([side * rng.uniform(0.19, 0.23), rng.uniform(-0.07, 0.07)]),
            other: np.array([-side * rng.uniform(0.19, 0.23), rng.uniform(-0.07, 0.07)]),
        }
        self._wanted, self._other = wanted, other
        self._dots: dict[str, Float64[np.ndarray, "D 2"]] = {}
        for colour, centre in self._stains.items():
            self._dots[colour] = centre + _blob(rng)
            _add_stain(spec, colour, self._dots[colour])
        add_cloth(spec, self.cloth)
        stain = Thing(category="stain", colour=wanted)
        return Goal(task=self.task, thing=stain, then=(Thing(category="cloth", colour=cloth),))

    def _start(self) -> None:
        self.state = ClothState(self)
        self.wiped = {c: np.zeros(len(dots), bool) for c, dots in self._dots.items()}
        self._geoms = {
            colour: np.array([self.world.model.geom(f"{colour}/{i}").id for i in range(len(dots))])
            for colour, dots in self._dots.items()
        }

    def _describe(self) -> SceneFacts:
        things = [("cloth", self.cloth.colour, self.cloth.centre)]
        things += [("stain", c, (float(x), float(y))) for c, (x, y) in self._stains.items()]
        return SceneFacts(
            things=tuple(
                SceneThing(category=category, colour=colour, pos_world=(*at, 0.0))
                for category, colour, at in things
            )
        )

    def _judge(self) -> tuple[bool, bool]:
        self.world.update_positions()
        if any(self.state.pinched()):
            self._wipe()
        return super()._judge()

    def _wipe(self) -> None:
        """Takes away the dots over which the cloth is being drawn."""
        corners = self._wiping_triangles()
        for colour, dots in self._dots.items():
            left = np.flatnonzero(~self.wiped[colour])
            gone = left[_covered(dots[left], corners)]
            self.wiped[colour][gone] = True
            self.world.model.geom_rgba[self._geoms[colour][gone], 3] = 0.0

    def _wiping_triangles(self) -> Float64[np.ndarray, "T 3 2"]:
        """Corners of the parts of the cloth that lie on the table and move over it."""
        vertices, velocities = self.state.vertices, self.state.velocities[:, :2]
        elements = self.state.elements
        low = (vertices[:, 2] < RADIUS + TOUCH)[elements].all(axis=1)
        moving = np.linalg.norm(velocities[elements].mean(axis=1), axis=1) > WIPE_SPEED
        return vertices[elements[low & moving], :2]

    def share_wiped(self, colour: str) -> float:
        """How much of a stain is gone."""
        return float(self.wiped[colour].mean())

    def _now(self) -> dict[str, bool]:
        share, held = self.share_wiped(self._wanted), self.state.held()
        spared = 1 - self.share_wiped(self._other) >= SPARED_SHARE
        return {
            "grasped": any(self.state.pinched()),
            "half_wiped": share >= 0.5,
            "wiped": share >= WIPED_SHARE and spared and not held,
        }

    def _failed(self) -> bool:
        return self.state.off_table() or self.share_wiped(self._other) > 1 - SPARED_SHARE

    def expert(self, rng: np.random.Generator) -> Actions:
        """Pinches the ridge of the cloth, rubs it over the stain and lets it go.

        Args:
            rng: varies its speed and strokes.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.1)))
        stain = self._stains[self._wanted]
        arm, sign = (1, 1.0) if stain[0] > 0 else (0, -1.0)
        grasp = self.cloth.to_world(float(rng.uniform(-0.01, 0.01)), self.cloth.fold, GRASP_HEIGHT)
        turn = (0.0, 0.0, self.cloth.yaw)
        above = Move(arm=arm, pos=grasp + 0.07 * UP, turn=turn, gripper=1.0)
        yield from motion.go(above, seconds=0.9)
        yield from motion.go(Move(arm=arm, pos=grasp), seconds=0.5)
        yield from motion.go(Move(arm=arm, gripper=0.0), seconds=0.5)
        yield from motion.wait(0.15)
        near = stain - (sign * 0.07, 0.0)
        rub = GRASP_HEIGHT - 0.002
        yield from motion.go(Move(arm=arm, pos=(*near, rub + 0.01)), seconds=0.9)
        yield from motion.go(Move(arm=arm, pos=(*near, rub)), seconds=0.25)
        reach, wide = float(rng.uniform(0.055, 0.065)), float(rng.uniform(0.025, 0.035))
        for stroke in range(8):
            along = sign * (reach if stroke % 2 == 0 else -reach)
            left = self._dots[self._wanted][~self.wiped[self._wanted]]
            if not len(left):
                break
            y = float(np.clip(left[:, 1].mean() - stain[1], -wide, wide)) + stain[1]
            yield from motion.go(Move(arm=arm, pos=(stain[0] + along, y, rub)), seconds=0.8)
        aside = (stain[0] - sign * float(rng.uniform(0.13, 0.16)), motion.pos[arm][1], rub)
        yield from motion.go(Move(arm=arm, pos=aside), seconds=1.0)
        yield from motion.go(Move(arm=arm, gripper=0.5), seconds=0.4)
        yield from motion.go(
            Move(arm=arm, pos=motion.pos[arm] + (0.0, 0.0, 0.1), gripper=1.0), seconds=0.6
        )
        yield from motion.rest(arm)
        yield from motion.wait(0.6)


def _blob(rng: np.random.Generator) -> Float64[np.ndarray, "D 2"]:
    """Dots on a lattice within a wavy outline about the origin (m)."""
    span = np.arange(-6, 7) * _SPACING
    x, y = (grid.ravel() for grid in np.meshgrid(span, span))
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    lobes = 0.12 * np.sin(3 * angle + rng.uniform(0, 2 * np.pi))
    lobes += 0.10 * np.sin(5 * angle + rng.uniform(0, 2 * np.pi))
    inside = radius < rng.uniform(0.037, 0.043) * (1 + lobes)
    dots = np.stack([x, y], axis=1)[inside]
    return dots + rng.uniform(-0.001, 0.001, size=dots.shape)


def _add_stain(spec: mujoco.MjSpec, colour: str, dots: Float64[np.ndarray, "D 2"]) -> None:
    rgb = LEXICON[colour].rgb
    assert rgb is not None
    for index, (x, y) in enumerate(dots):
        spec.worldbody.add_geom(
            name=f"{colour}/{index}",
            type=mujoco.mjtGeom.mjGEOM_ELLIPSOID,
            size=(DOT_RADIUS, DOT_RADIUS, 0.0007),
            pos=(x, y, 0.0),
            rgba=(*rgb, 1),
            contype=0,
            conaffinity=0,
        )


def _covered(
    points: Float64[np.ndarray, "D 2"], corners: Float64[np.ndarray, "T 3 2"]
) -> Bool[np.ndarray, " D"]:
    """Which points lie within a triangle."""
    edges = np.roll(corners, -1, axis=1) - corners
    to = points[:, None, None] - corners
    side = edges[..., 0] * to[..., 1] - edges[..., 1] * to[..., 0]
    inside = np.all(side >= 0, axis=2) | np.all(side <= 0, axis=2)
    return np.any(inside, axis=1)
