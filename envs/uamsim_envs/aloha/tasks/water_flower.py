"""Water the flower in the pot of the named colour, and put the watering can down again."""

import math
from typing import ClassVar

import mujoco
import numpy as np
from jaxtyping import Float64

from uamsim.contract import CONTROL_HZ, Goal, Thing
from uamsim.lexicon import entries
from uamsim_envs.aloha.kinematics import BASES, rotation_from_vector, vector_from_rotation
from uamsim_envs.aloha.skills.handling import MAX_MISS, SETTLE, Actions
from uamsim_envs.aloha.skills.motion import Motion, Move, compose, reach_error
from uamsim_envs.aloha.task import REST_SPEED, Item, TaskEnv
from uamsim_envs.layout import Region, lay_out
from uamsim_envs.library import instances_of
from uamsim_envs.library.garden import planted, watering_can

POTS: tuple[str, str] = ("pot", "other_pot")
MIN_TILT = math.radians(40)
"""From upright, towards the spout, for water to flow."""
WATER_SECONDS = 1.0
"""For which it must flow into the named pot, without a break."""
SPILL_SECONDS = 0.4
"""For which it may flow into the other pot."""
MAX_FALL = 0.12
"""m above a pot's rim from which water still falls into it."""
_CAN: Region = (-0.225, -0.17, -0.10, 0.09)
_POTS: tuple[Region, Region] = ((0.0, 0.045, -0.13, -0.065), (0.0, 0.045, 0.055, 0.11))
_FACING = 0.5
"""rad by which the spout may point past the straight line to the other arm."""

_UP: Float64[np.ndarray, "3"] = np.array([0.0, 0.0, 1.0])


class AlohaWaterFlowerEnv(TaskEnv):
    """A watering can on one side and two flower pots of two colours in the middle.

    Success: water has flowed into the named pot for a second, that is a gripper held the can
    between its fingers off the table, tilted by 40 degrees or more towards its spout, with the
    spout's end over the pot's opening and at most 12 cm above its rim; and then the can stands on
    the table, let go. Water that flows into the other pot for 0.4 s is a failure. No drops are
    simulated. Stages: grasped, over_pot, watered, set_down.
    """

    task = "water_flower"
    stage_names: ClassVar[tuple[str, ...]] = ("grasped", "over_pot", "watered", "set_down")
    time_limit = 900

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        kinds = instances_of("flower_pot", in_action_data=True)
        pot = kinds[int(rng.integers(len(kinds)))]
        words = [e.name for e in entries("colour", in_action_data=True)]
        choices = [c for c in words if c in pot.colours]
        colours = [choices[i] for i in rng.permutation(len(choices))[:2]]
        self._can = watering_can()
        # Held off its centre of mass, the can would creep out of softer friction.
        spec.option.impratio = 10.0
        side = -1.0 if rng.integers(2) else 1.0
        scale = float(rng.uniform(*pot.scale))
        first = int(rng.integers(2))
        regions = [[_CAN], [_POTS[first]], [_POTS[1 - first]]]
        radii = [0.05, scale * pot.radius, scale * pot.radius]
        places = lay_out(rng, regions, radii, gap=0.03)
        places[:, 0] *= -side
        yaw = float(rng.uniform(-_FACING, _FACING)) + (math.pi if side > 0 else 0.0)
        others = [c for c in words if c not in colours]
        can_colour = others[int(rng.integers(len(others)))]
        x, y = places[0]
        self.add_item(
            spec,
            Item(
                name="can",
                instance=self._can.instance,
                colour=can_colour,
                scale=float(rng.uniform(*self._can.instance.scale)),
                pos=(float(x), float(y), 0.0),
                yaw=yaw,
            ),
            specular=0.4,
        )
        for name, colour, (x, y) in zip(POTS, colours, places[1:], strict=True):
            self.add_item(
                spec,
                Item(
                    name=name,
                    instance=planted(pot),
                    colour=colour,
                    scale=scale,
                    pos=(float(x), float(y), 0.0),
                    yaw=float(rng.uniform(-math.pi, math.pi)),
                    static=True,
                ),
            )
        return Goal(
            task=self.task,
            thing=Thing(category="watering_can", colour=can_colour),
            target=Thing(category="flower_pot", colour=colours[0]),
        )

    def _start(self) -> None:
        body = self.world.model.body("can")
        geoms = range(int(body.geomadr[0]), int(body.geomadr[0] + body.geomnum[0]))
        solid = [geom for geom in geoms if self.world.model.geom_contype[geom]]
        self._geoms = [self.world.model.geom(geom).name for geom in solid]
        self._poured = dict.fromkeys(POTS, 0)
        self._watered = False
        self._spilt = False

    def _judge(self) -> tuple[bool, bool]:
        self.world.update_positions()
        for name in POTS:
            flows = self.tilt() >= MIN_TILT and self.over(name)
            self._poured[name] = self._poured[name] + 1 if flows else 0
        self._watered |= self._poured["pot"] >= WATER_SECONDS * CONTROL_HZ
        self._spilt |= self._poured["other_pot"] >= SPILL_SECONDS * CONTROL_HZ
        return super()._judge()

    def _now(self) -> dict[str, bool]:
        touched = self.touching("can")
        held = bool({"left", "right"} & touched)
        return {
            "grasped": "table" not in touched and self.pinched(*self._geoms),
            "over_pot": self.over("pot"),
            "watered": self._watered,
            "set_down": self._watered
            and not held
            and touched == {"table"}
            and self.upright("can") > math.cos(math.radians(5))
            and self.speed("can") < REST_SPEED,
        }

    def _failed(self) -> bool:
        return self._spilt or super()._failed()

    def tip(self) -> Float64[np.ndarray, "3"]:
        """Where the spout ends (m, world)."""
        return self.pos("can") + self.rotation("can") @ (self.items["can"].scale * self._can.tip)

    def tilt(self) -> float:
        """How far the can is tilted towards its spout (rad); negative for away from it."""
        return math.asin(min(max(-float(self.rotation("can")[2, 0]), -1.0), 1.0))

    def over(self, pot: str) -> bool:
        """Whether the spout of the held can ends above a pot's opening."""
        opening = self.items[pot].opening
        local = self.rotation(pot).T @ (self.tip() - self.pos(pot))
        return (
            opening is not None
            and self.items[pot].covers(float(local[0]), float(local[1]))
            and opening.rim < local[2] < opening.rim + MAX_FALL
            and self.upright("can") > 0.0
            and "table" not in self.touching("can")
            and self.pinched(*self._geoms)
        )

    def expert(self, rng: np.random.Generator) -> Actions:
        """The arm on the can's side takes it by its handle, pours and puts it back.

        Args:
            rng: varies its speed, its grasp, the place in the pot and the can's last place.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.08)))
        arm = 0 if self.pos("can")[0] < 0 else 1
        start, heading = self.pos("can"), self.yaw("can")
        yield from self._take(motion, arm, slant=self._can.slant + float(rng.uniform(-0.08, 0.04)))
        spot = self.pos("pot") + np.append(rng.uniform(-0.012, 0.012, size=2), 0.0)
        away = spot[:2] - (BASES[arm].x, 0.0)
        to_pot = math.atan2(away[1], away[0]) + float(rng.uniform(-0.1, 0.1))
        tip = self.items["can"].scale * self._can.tip
        height = self.items["pot"].height + float(rng.uniform(0.012, 0.03))
        pour = self._upright_turn(to_pot) @ rotation_from_vector(
            np.array([0.0, MIN_TILT + float(rng.uniform(0.10, 0.18)), 0.0])
        )
        above = self._upright_turn(to_pot)
        # Before it is tilted, the spout's end stays short of the flower.
        back = np.array([math.cos(to_pot), math.sin(to_pot), 0.0]) * 0.03
        hover = spot - back + (height + 0.045) * _UP
        yield from self._carry(motion, arm, hover - above @ tip, above, seconds=1.2)
        goal = spot + height * _UP
        yield from self._carry(motion, arm, goal - pour @ tip, pour, seconds=1.2)
        yield from motion.wait(WATER_SECONDS + float(rng.uniform(0.2, 0.6)))
        yield from self._carry(motion, arm, hover - above @ tip, above, seconds=1.0)
        place = start + np.append(rng.uniform(-0.015, 0.015, size=2), 0.0)
        home = self._upright_turn(heading)
        yield from self._carry(motion, arm, place + 0.05 * _UP, home, seconds=1.2)
        yield from self._carry(motion, arm, place + 0.002 * _UP, home, seconds=0.6)
        yield from motion.wait(0.15)
        yield from motion.go(Move(arm=arm, gripper=1.0), seconds=0.3)
        yield from motion.wait(SETTLE)
        yield from motion.go(Move(arm=arm, pos=self._off(motion, arm, 0.06)), seconds=0.5)
        yield from motion.rest(arm)
        yield from motion.wait(0.6)

    def _take(self, motion: Motion, arm: int, slant: float) -> Actions:
        """Grasps the handle along a slanting line and lifts the can."""
        handle = self.pos("can") + self.rotation("can") @ (
            self.items["can"].scale * self._can.handle
        )
        yaw = math.remainder(self.yaw("can") - BASES[arm].yaw, 2 * math.pi)
        options = [slant - 0.1 * i for i in range(5)]
        turns = [compose((0, 0, yaw), (0, -a if arm == 0 else a, 0)) for a in options]
        turn = next((t for t in turns if reach_error(arm, handle, t) < MAX_MISS), turns[-1])
        # Along the slant it would come too near its own base; the fingers straddle the handle.
        above = handle + 0.06 * _UP
        yield from motion.go(Move(arm=arm, pos=above, turn=turn, gripper=1.0), seconds=1.0)
        deep = rotation_from_vector(turn) @ (0.0, 0.0, -0.002)
        yield from motion.go(Move(arm=arm, pos=handle + deep), seconds=0.5)
        yield from motion.go(Move(arm=arm, gripper=0.0), seconds=0.3)
        yield from motion.wait(SETTLE)
        yield from motion.go(Move(arm=arm, pos=motion.pos[arm] + 0.12 * _UP), seconds=0.6)

    def _carry(
        self,
        motion: Motion,
        arm: int,
        pos: Float64[np.ndarray, "3"],
        rotation: Float64[np.ndarray, "3 3"],
        *,
        seconds: float,
    ) -> Actions:
        """Brings the held can to a pose; how it hangs in the fingers is read from the state."""
        change = rotation @ self.rotation("can").T
        hang = motion.pos[arm] - self.pos("can")
        turn = vector_from_rotation(change @ rotation_from_vector(motion.turn[arm]))
        yield from motion.go(Move(arm=arm, pos=pos + change @ hang, turn=turn), seconds=seconds)

    def _off(self, motion: Motion, arm: int, distance: float) -> Float64[np.ndarray, "3"]:
        """A place further back along the line in which a gripper points."""
        return motion.pos[arm] + rotation_from_vector(motion.turn[arm]) @ (0.0, 0.0, distance)

    @staticmethod
    def _upright_turn(heading: float) -> Float64[np.ndarray, "3 3"]:
        return rotation_from_vector(np.array([0.0, 0.0, heading]))
