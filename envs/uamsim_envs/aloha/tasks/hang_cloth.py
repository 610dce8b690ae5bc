"""Hang a cloth over one of two rods, with both arms."""

from typing import ClassVar

import mujoco
import numpy as np

from uamsim.contract import Goal, SceneFacts, SceneThing, Thing
from uamsim.lexicon import LEXICON, entries
from uamsim_envs.aloha.parts.cloth import COUNT, RADIUS, Cloth, ClothState, add_cloth
from uamsim_envs.aloha.skills.handling import Actions
from uamsim_envs.aloha.skills.motion import UP, Motion, Move
from uamsim_envs.aloha.task import TaskEnv
from uamsim_envs.contacts import TABLE_BIT

ROD_HEIGHT = 0.15
ROD_RADIUS = 0.009
_ROD_HALF = 0.14
_WOOD = (0.36, 0.24, 0.14, 1.0)
BELOW = 0.02
"""m below the rod's axis from which a vertex counts as hanging."""
SIDE_SHARE = 0.2
"""Share of the vertices that must hang on either side of the rod."""
CLEAR = 0.015
"""m above the table at which the lowest vertex must hang."""
REST_SPEED = 0.08
"""m/s of the fastest vertex of a cloth at rest."""
LIFTED = 0.08
"""m above the table of a lifted cloth's middle vertex row."""


class AlohaHangClothEnv(TaskEnv):
    """A cloth lies between two rods on stands, the one in front and the other behind it.

    Success: the cloth hangs over the named rod, at rest, touched by no finger, on both sides of
    it and clear of the table. Stages: grasped by both arms at once, lifted off the table by them,
    over the rod on both sides, hung.
    """

    task = "hang_cloth"
    stage_names: ClassVar[tuple[str, ...]] = ("grasped", "lifted", "over_rod", "hung")
    time_limit = 700

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        colours = [e.name for e in entries("colour", in_action_data=True)]
        cloth, wanted, other = (colours[i] for i in rng.permutation(len(colours))[:3])
        behind = bool(rng.integers(2))
        self._rods = dict.fromkeys((wanted, other), (0.0, 0.0))
        for colour, sign in ((wanted, 1 if behind else -1), (other, -1 if behind else 1)):
            at = (float(rng.uniform(-0.02, 0.02)), sign * float(rng.uniform(0.150, 0.165)))
            self._rods[colour] = at
            _add_rod(spec, colour, at)
        self._rod_name, self._rod = f"rod/{wanted}", self._rods[wanted]
        side = -1.0 if rng.integers(2) else 1.0
        self.cloth = Cloth(
            colour=cloth,
            centre=(float(rng.uniform(-0.025, 0.025)), float(rng.uniform(-0.015, 0.015))),
            yaw=float(rng.uniform(-0.15, 0.15)),
            size=(float(rng.uniform(0.165, 0.19)), float(rng.uniform(0.19, 0.205))),
            fold=side * float(rng.uniform(0.050, 0.060)),
            ripple=float(rng.uniform(0.0005, 0.002)),
            phase=float(rng.uniform(0, 2 * np.pi)),
        )
        add_cloth(spec, self.cloth)
        thing = Thing(category="cloth", colour=cloth)
        return Goal(task=self.task, thing=thing, target=Thing(category="rod", colour=wanted))

    def _start(self) -> None:
        self.state = ClothState(self)

    def _describe(self) -> SceneFacts:
        cloth = SceneThing(
            category="cloth", colour=self.cloth.colour, pos_world=(*self.cloth.centre, 0.0)
        )
        rods = [
            SceneThing(category="rod", colour=colour, pos_world=(*at, 0.0))
            for colour, at in self._rods.items()
        ]
        return SceneFacts(things=(cloth, *rods))

    def _now(self) -> dict[str, bool]:
        touched, vertices = self.state.touched(), self.state.vertices
        both = all(self.state.pinched())
        clear = bool(vertices[:, 2].min() > CLEAR) and "table" not in touched
        straddles = self._rod_name in touched and self._share_hanging(vertices) >= SIDE_SHARE
        speed = float(np.linalg.norm(self.state.velocities, axis=1).max())
        return {
            "grasped": both,
            "lifted": both and float(vertices[:, 2].mean()) > LIFTED,
            "over_rod": straddles,
            "hung": straddles and clear and speed < REST_SPEED and not self.state.held(),
        }

    def _share_hanging(self, vertices: np.ndarray) -> float:
        """The smaller of the shares of the vertices that hang on either side of the rod."""
        x, y = self._rod
        low = (vertices[:, 2] < ROD_HEIGHT - BELOW) & (abs(vertices[:, 0] - x) < _ROD_HALF)
        front = float((low & (vertices[:, 1] < y)).mean())
        back = float((low & (vertices[:, 1] > y)).mean())
        return min(front, back)

    def _failed(self) -> bool:
        return self.state.off_table()

    def expert(self, rng: np.random.Generator) -> Actions:
        """Both arms pinch the ridge near an edge, carry it over the rod and let go.

        Args:
            rng: varies its speed and where it pinches.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.1)))
        apart = float(rng.uniform(0.048, 0.058))
        ends = [self.cloth.to_world(x, self.cloth.fold, 0.021) for x in (-apart, apart)]
        turn = (0.0, 0.0, self.cloth.yaw)
        yield from motion.go(
            *(
                Move(arm=arm, pos=p + 0.07 * UP, turn=turn, gripper=1.0)
                for arm, p in enumerate(ends)
            ),
            seconds=1.0,
        )
        yield from motion.go(*(Move(arm=arm, pos=p) for arm, p in enumerate(ends)), seconds=0.5)
        yield from motion.go(*(Move(arm=arm, gripper=0.0) for arm in (0, 1)), seconds=0.5)
        yield from motion.wait(0.15)
        x, y = self._rod
        sign = 1.0 if y > 0 else -1.0
        high = ROD_HEIGHT + float(rng.uniform(0.06, 0.075))
        over = [np.array([x - apart, y, high]), np.array([x + apart, y, high])]
        for share, height, seconds in ((0.0, high, 0.8), (1.0, high, 1.4)):
            yield from motion.go(
                *(
                    Move(
                        arm=arm,
                        pos=(*(p + share * (over[arm] - p))[:2], height),
                        turn=np.multiply(turn, 1 - share),
                    )
                    for arm, p in enumerate(ends)
                ),
                seconds=seconds,
            )
        past = abs(self.cloth.fold) - 0.02
        drop = high - ROD_HEIGHT - 0.036
        yield from self._both(motion, over, (0.0, sign * past, -drop), 1.0)
        yield from motion.wait(0.2)
        shift = sign * min(self._short_of_middle(), 0.03)
        yield from self._both(motion, motion.pos, (0.0, shift, 0.0), 0.4)
        yield from motion.wait(0.2)
        yield from motion.go(*(Move(arm=arm, gripper=0.4) for arm in (0, 1)), seconds=0.4)
        yield from motion.wait(0.1)
        # Sideways, along the rod: fingers that rise take the free edge up with them.
        aside = [
            Move(arm=arm, pos=p + np.array([0.075 if arm else -0.075, 0.0, 0.005]))
            for arm, p in enumerate(motion.pos)
        ]
        yield from motion.go(*aside, seconds=0.7)
        yield from self._both(motion, motion.pos, (0.0, 0.0, 0.08), 0.5)
        yield from motion.rest(0, 1, seconds=1.0)
        yield from motion.wait(1.5)

    def _short_of_middle(self) -> float:
        """How much further the cloth must be drawn until its middle lies on the rod (m)."""
        middle = self.state.rows()[COUNT // 2].mean(axis=0)
        beyond = float(middle[1] - self._rod[1]) * (1.0 if self._rod[1] > 0 else -1.0)
        below = ROD_HEIGHT + ROD_RADIUS + RADIUS - float(middle[2])
        return 0.0 if beyond > 0 else max(below, 0.0)

    @staticmethod
    def _both(
        motion: Motion, start: list[np.ndarray], by: tuple[float, float, float], seconds: float
    ) -> Actions:
        moves = [Move(arm=arm, pos=p + by) for arm, p in enumerate(start)]
        yield from motion.go(*moves, seconds=seconds)


def _add_rod(spec: mujoco.MjSpec, colour: str, at: tuple[float, float]) -> None:
    rgb = LEXICON[colour].rgb
    assert rgb is not None
    body = spec.worldbody.add_body(name=f"rod/{colour}", pos=(*at, 0.0))
    rod = body.add_geom(
        name=f"rod/{colour}",
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        fromto=(-_ROD_HALF - 0.012, 0, ROD_HEIGHT, _ROD_HALF + 0.012, 0, ROD_HEIGHT),
        size=(ROD_RADIUS, 0, 0),
        rgba=(*rgb, 1),
    )
    post, foot = (0.006, 0.006, ROD_HEIGHT / 2), (0.01, 0.045, 0.004)
    stands = [
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=size,
            pos=(x, 0, size[2]),
            rgba=_WOOD,
        )
        for x in (-_ROD_HALF, _ROD_HALF)
        for size in (post, foot)
    ]
    for geom in (rod, *stands):
        geom.contype, geom.conaffinity = TABLE_BIT, 0
