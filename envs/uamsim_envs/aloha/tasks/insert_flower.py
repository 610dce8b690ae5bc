"""Insert a flower that lies on the table into the narrow-necked bottle of the named colour."""

import math
from typing import ClassVar

import mujoco
import numpy as np
from jaxtyping import Float64

from uamsim.contract import Goal, Thing
from uamsim.lexicon import entries
from uamsim_envs.aloha.kinematics import BASES, rotation_from_vector, vector_from_rotation
from uamsim_envs.aloha.skills.handling import SETTLE, Actions
from uamsim_envs.aloha.skills.motion import Motion, Move, compose
from uamsim_envs.aloha.task import REST_SPEED, Item, TaskEnv
from uamsim_envs.contacts import FINGER_TIP
from uamsim_envs.layout import Region, lay_out
from uamsim_envs.library.garden import bottle, cut_flower

BOTTLES: tuple[str, str] = ("bottle", "other_bottle")
MIN_DEPTH = 0.04
"""m by which the stem's lower end must be below the bottle's rim."""
_UPRIGHT = math.cos(math.radians(5))
_FLOWER: Region = (-0.27, -0.18, -0.10, 0.10)
"""Of the middle of a flower on the left."""
_BOTTLES: Region = (-0.04, 0.10, -0.15, 0.05)
_HEADING = 0.8
"""rad by which a flower's head may point past the straight line to the other arm."""

_UP: Float64[np.ndarray, "3"] = np.array([0.0, 0.0, 1.0])


class AlohaInsertFlowerEnv(TaskEnv):
    """A flower lies on one side; two free-standing bottles of two colours stand further in.

    Success: the flower stands in the named bottle, its stem's lower end 4 cm or more below the
    rim, borne by the bottle alone, let go and at rest; the bottle is upright. Stages: grasped,
    over_vase (the held flower is upright, its stem's lower end above the neck), inserted.
    """

    task = "insert_flower"
    stage_names: ClassVar[tuple[str, ...]] = ("grasped", "over_vase", "inserted")
    time_limit = 600

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        # A stem between two pads touches them along two short lines.
        spec.option.impratio = 10.0
        self._flower = cut_flower()
        words = [e.name for e in entries("colour", in_action_data=True)]
        colours = [words[i] for i in rng.permutation(len(words))]
        side = -1.0 if rng.integers(2) else 1.0
        vase = bottle()
        scales = [float(rng.uniform(*vase.scale)) for _ in BOTTLES]
        places = lay_out(
            rng,
            [[_FLOWER], [_BOTTLES], [_BOTTLES]],
            [self._flower.instance.height / 2, *(s * vase.radius for s in scales)],
            gap=0.015,
        )
        places[:, 0] *= -side
        heading = float(rng.uniform(-_HEADING, _HEADING)) + (math.pi if side > 0 else 0.0)
        self._add_flower(spec, colours[2], places[0], heading, rng)
        for name, colour, scale, (x, y) in zip(
            BOTTLES, colours[:2], scales, places[1:], strict=True
        ):
            self.add_item(
                spec,
                Item(
                    name=name,
                    instance=vase,
                    colour=colour,
                    scale=scale,
                    pos=(float(x), float(y), 0.0),
                    yaw=float(rng.uniform(-math.pi, math.pi)),
                ),
                specular=0.6,
            )
        return Goal(
            task=self.task,
            thing=Thing(category="flower", colour=colours[2]),
            target=Thing(category="bottle", colour=colours[0]),
        )

    def _add_flower(
        self,
        spec: mujoco.MjSpec,
        colour: str,
        middle: Float64[np.ndarray, "2"],
        heading: float,
        rng: np.random.Generator,
    ) -> None:
        """Lays the flower down on two of its petals and its stem's end."""
        flower, scale = self._flower, float(rng.uniform(*self._flower.instance.scale))
        half = scale * flower.instance.height / 2
        x, y = middle - half * np.array([math.cos(heading), math.sin(heading)])
        item = Item(
            name="flower",
            instance=flower.instance,
            colour=colour,
            scale=scale,
            pos=(float(x), float(y), scale * flower.stem_radius + 0.0008),
        )
        body = self.add_item(spec, item)
        lying = rotation_from_vector(np.array([0.0, 0.0, heading])) @ rotation_from_vector(
            np.array([0.0, math.pi / 2 - flower.lean, 0.0])
        )
        quat = np.empty(4)
        mujoco.mju_mat2Quat(quat, lying.ravel())
        body.quat = quat

    def _now(self) -> dict[str, bool]:
        touched = self.touching("flower")
        held = bool({"left", "right"} & touched)
        upright = self.upright("flower") > math.cos(math.radians(20))
        radius, height = self._end_in_bottle()
        bottle_ = self.items["bottle"]
        opening = bottle_.opening
        assert opening is not None
        return {
            "grasped": "table" not in touched and self.pinched("flower/0", "flower/1"),
            "over_vase": held and upright and radius < opening.half[0] and height > opening.rim,
            "inserted": not held
            and touched == {"bottle"}
            and radius < bottle_.radius
            and -0.002 < height < opening.rim - MIN_DEPTH
            and self.upright("bottle") > _UPRIGHT
            and not self.held("bottle")
            and max(self.speed("flower"), self.speed("bottle")) < REST_SPEED,
        }

    def _end_in_bottle(self) -> tuple[float, float]:
        """Distance of the stem's lower end from the named bottle's axis, and height in it (m)."""
        local = self.rotation("bottle").T @ (self.pos("flower") - self.pos("bottle"))
        return float(np.hypot(local[0], local[1])), float(local[2])

    def _failed(self) -> bool:
        fallen = any(self.upright(name) < 0.5 for name in BOTTLES)
        return fallen or super()._failed()

    def expert(self, rng: np.random.Generator) -> Actions:
        """The arm on the flower's side picks it up at the calyx, turns it upright and inserts it.

        Args:
            rng: varies its speed, where it takes the flower and from where it comes.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.08)))
        arm = 0 if self.pos("flower")[0] < 0 else 1
        yield from self._take(
            motion, arm, slant=float(rng.uniform(0, 0.08)), shift=float(rng.uniform(-0.005, 0))
        )
        opening = self.items["bottle"].opening
        assert opening is not None
        rim = self.pos("bottle") + opening.rim * _UP
        # Either bottle may stand in the way.
        tallest = max(self.items[name].height for name in BOTTLES)
        high = np.array([*rim[:2], tallest + float(rng.uniform(0.014, 0.022))])
        yield from self._raise(motion, arm, high, radius=float(rng.uniform(0.26, 0.3)))
        yield from motion.wait(0.1)
        # It may have turned a little between the fingers.
        yield from self._bring(motion, arm, rim + 0.012 * _UP, seconds=0.4)
        yield from motion.wait(0.1)
        lowest = self.pos("bottle") + (opening.floor + float(rng.uniform(0.001, 0.006))) * _UP
        yield from self._bring(motion, arm, lowest, seconds=0.9)
        yield from motion.wait(0.15)
        yield from motion.go(Move(arm=arm, gripper=1.0), seconds=0.3)
        yield from motion.wait(SETTLE)
        back = rotation_from_vector(motion.turn[arm]) @ (0.0, 0.0, 0.10)
        yield from motion.go(Move(arm=arm, pos=motion.pos[arm] + back), seconds=0.6)
        yield from motion.rest(arm)
        yield from motion.wait(0.6)

    def _take(self, motion: Motion, arm: int, slant: float, shift: float) -> Actions:
        """Grasps the lying flower across its calyx, and lifts it.

        The gripper comes with its fingers pointing a little away from the arm, by a slant.
        """
        stem = self.rotation("flower")[:, 2]
        scale = self.items["flower"].scale
        grip = self.pos("flower") + (scale * self._flower.grip + shift) * stem
        grip[2] = max(grip[2] - 0.003, FINGER_TIP + 0.003)
        yaw = math.remainder(math.atan2(stem[1], stem[0]) - BASES[arm].yaw, 2 * math.pi)
        turn = compose((0, 0, yaw), (0, -slant if arm == 0 else slant, 0))
        above = grip + rotation_from_vector(turn) @ (0.0, 0.0, 0.07)
        yield from motion.go(Move(arm=arm, pos=above, turn=turn, gripper=0.6), seconds=0.9)
        yield from motion.go(Move(arm=arm, pos=grip), seconds=0.5)
        yield from motion.go(Move(arm=arm, gripper=0.0), seconds=0.3)
        yield from motion.wait(SETTLE)
        yield from motion.go(Move(arm=arm, pos=grip + 0.14 * _UP), seconds=0.6)

    def _raise(
        self, motion: Motion, arm: int, end: Float64[np.ndarray, "3"], radius: float
    ) -> Actions:
        """Brings the held stem upright, its lower end to about a place.

        On the way the gripper comes in line with the forearm, where the wrist would have to spin
        unless all happens in the arm's vertical plane: so first the arm turns towards the place.

        Args:
            motion: both arms' commands.
            arm: the one that holds the flower.
            end: where the stem's lower end is to be (m, world).
            radius: distance from the arm's base at which it begins (m).
        """
        stem = self.rotation("flower")[:, 2]
        long = float(np.linalg.norm(motion.pos[arm] - self.pos("flower")))
        away, ahead = self._azimuth(arm, end)
        level = rotation_from_vector(motion.turn[arm]) @ (0.0, 0.0, -1.0)
        slant = math.asin(float(np.clip(np.hypot(level[0], level[1]), 0.0, 1.0)))
        pitch = slant + math.acos(float(np.clip(stem[2], -1.0, 1.0)))
        sign = -1.0 if arm == 0 else 1.0
        start = np.array([BASES[arm].x, 0.0, motion.pos[arm][2] + 0.03]) + radius * ahead
        turn = compose((0, 0, away), (0, sign * slant, 0))
        yield from motion.go(Move(arm=arm, pos=start, turn=turn), seconds=0.7)
        turn = compose((0, 0, away), (0, sign * pitch, 0))
        yield from motion.go(Move(arm=arm, pos=end + long * _UP, turn=turn), seconds=1.2)

    def _azimuth(
        self, arm: int, pos: Float64[np.ndarray, "3"]
    ) -> tuple[float, Float64[np.ndarray, "3"]]:
        """The waist's angle towards a place (rad), and the horizontal direction to it."""
        offset = np.array([pos[0] - BASES[arm].x, pos[1], 0.0])
        angle = math.atan2(offset[1], offset[0]) - BASES[arm].yaw
        return math.remainder(angle, 2 * math.pi), offset / np.linalg.norm(offset)

    def _bring(
        self,
        motion: Motion,
        arm: int,
        end: Float64[np.ndarray, "3"],
        *,
        seconds: float,
    ) -> Actions:
        """Brings the held stem's lower end to a place, the stem upright, the gripper level.

        Args:
            motion: both arms' commands.
            arm: the one that holds it.
            end: where the stem's lower end is to be (m, world).
            seconds: of the segment.
        """
        stem = self.rotation("flower")[:, 2]
        axis = np.cross(stem, (0.0, 0.0, 1.0))
        sine = float(np.linalg.norm(axis))
        raised = rotation_from_vector(
            axis * (math.atan2(sine, float(stem[2])) / max(sine, 1e-9))
        ) @ rotation_from_vector(motion.turn[arm])
        _, ahead = self._azimuth(arm, end)
        pointing = raised @ (0.0, 0.0, -1.0)
        turn = np.array(
            [0.0, 0.0, math.atan2(ahead[1], ahead[0]) - math.atan2(pointing[1], pointing[0])]
        )
        goal = rotation_from_vector(turn) @ raised
        change = goal @ rotation_from_vector(motion.turn[arm]).T
        hang = change @ (motion.pos[arm] - self.pos("flower"))
        yield from motion.go(
            Move(arm=arm, pos=end + hang, turn=vector_from_rotation(goal)), seconds=seconds
        )
