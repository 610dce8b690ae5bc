"""Stack four cubes in the spoken order of their colours."""

from itertools import pairwise
from typing import ClassVar

import mujoco
import numpy as np

from uamsim.contract import Goal, Thing
from uamsim.lexicon import entries
from uamsim_envs.aloha.skills.handling import Actions, grasp, put, reaches
from uamsim_envs.aloha.skills.motion import UP, Motion
from uamsim_envs.aloha.task import Item, TaskEnv
from uamsim_envs.layout import Region, lay_out
from uamsim_envs.library import instances_of

NAMES: tuple[str, ...] = ("first", "second", "third", "fourth")
_MIDDLE: Region = (-0.05, 0.05, -0.08, 0.08)
_SIDES: tuple[Region, Region] = ((-0.22, -0.09, -0.12, 0.12), (0.09, 0.22, -0.12, 0.12))
_GAP = 0.045
_OFF_CENTRE = 0.6
"""Share of a cube's half width by which it may stand off the one below."""


class AlohaStackCubesEnv(TaskEnv):
    """Four cubes of four colours; the first named stands in the middle and the others go on it.

    Success: all four stand on each other in the spoken order, touched by no finger. Stages: how
    many stand right, two_high, three_high, stacked.
    """

    task = "stack_cubes"
    stage_names: ClassVar[tuple[str, ...]] = ("two_high", "three_high", "stacked")
    time_limit = 1100

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        colours = [e.name for e in entries("colour", in_action_data=True)]
        order = [colours[i] for i in rng.permutation(len(colours))[:4]]
        kinds = instances_of("cube", in_action_data=True)
        cube = kinds[int(rng.integers(len(kinds)))]
        scale = float(rng.uniform(*cube.scale))
        first = int(rng.integers(2))
        sides = [_SIDES[first], _SIDES[1 - first], _SIDES[int(rng.integers(2))]]
        radius = scale * cube.radius
        places = lay_out(rng, [[_MIDDLE], *([side] for side in sides)], [radius] * 4, gap=_GAP)
        for name, colour, (x, y) in zip(NAMES, order, places, strict=True):
            self.add_item(
                spec,
                Item(
                    name=name,
                    instance=cube,
                    colour=colour,
                    scale=scale,
                    pos=(float(x), float(y), 0.0),
                    yaw=float(rng.uniform(-0.7, 0.7)),
                ),
            )
        things = [Thing(category="cube", colour=colour) for colour in order]
        return Goal(task=self.task, thing=things[0], then=tuple(things[1:]))

    def _now(self) -> dict[str, bool]:
        right = [True]
        for below, above in pairwise(NAMES):
            right.append(right[-1] and self._stands_on(above, below))
        return dict(zip(self.stage_names, right[1:], strict=True))

    def _stands_on(self, above: str, below: str) -> bool:
        height = self.items[below].height
        offset = self.pos(above) - self.pos(below)
        return bool(
            abs(offset[2] - height) < 0.15 * height
            and np.abs(offset[:2]).max() < _OFF_CENTRE * height / 2
            and below in self.touching(above)
            and not self.held(above)
        )

    def expert(self, rng: np.random.Generator) -> Actions:
        """One cube after another, with the arm on whose side it lies.

        Args:
            rng: varies its speed.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.08)))
        last = None
        for below, above in pairwise(NAMES):
            reach = reaches(self, above)[0]
            if last is not None and last != reach.arm:
                yield from motion.rest(last, seconds=0.7)
            yield from grasp(motion, reach)
            at = self.pos(below) + self.items[below].height * UP
            yield from put(self, motion, reach.arm, above, at)
            last = reach.arm
        if last is not None:
            yield from motion.rest(last)
        yield from motion.wait(1.0)
