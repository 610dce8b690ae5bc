"""Press the named one of several buttons."""

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

import numpy as np
from jaxtyping import Float32

from uamsim.contract import SceneFacts, SceneThing
from uamsim.perturbations.axes.objects import SMALLEST, Distractors
from uamsim.perturbations.axes.scene import Layout
from uamsim.perturbations.values import Perturbation
from uamsim_envs.aloha.draw import CARRIED, NUM_THINGS, draw_episode
from uamsim_envs.aloha.env import AlohaEnv
from uamsim_envs.aloha.skills.experts import arm_for, follow, press_path
from uamsim_envs.aloha.slots import BUTTON_TRAVEL, SlotGroup
from uamsim_envs.aloha.variants import Variants
from uamsim_envs.env import Settings
from uamsim_envs.layout import lay_out, widened
from uamsim_envs.objects import CATEGORIES

PRESSED = 0.009
"""m of travel from which a button counts as pressed."""
HOLD_STEPS = 16
"""Control steps that the named button must be held down, so that a passing touch is no success."""
REACHED = 0.045
"""m between the gripper and the cap, seen from above, from which it counts as reached."""
_REGIONS = ((-0.225, -0.03, -0.11, 0.125), (0.03, 0.225, -0.11, 0.125))
_GAP = 0.008
_SIZES = (SMALLEST, 1.35)
"""Least and greatest factor on a button's lengths under ``NovelSize``."""


def count_things(perturbations: Sequence[Perturbation]) -> int:
    """How many buttons or objects an episode has under these perturbations."""
    extra = sum(p.count for p in perturbations if isinstance(p, Distractors))
    return NUM_THINGS + extra


class AlohaPressButtonEnv(AlohaEnv):
    """Three buttons of different shape and colour; success is holding the named one down.

    Pressing another, however shortly, ends the episode as a failure. Stages: reached, pressed.
    """

    task = "press_button"
    time_limit = 150
    carried = (*AlohaEnv.carried, *CARRIED, Layout)

    def __init__(self, **settings: Unpack[Settings]) -> None:
        """Compiles the model."""
        super().__init__(**settings)
        self._variants = Variants(self.world, self.composition, "button")
        self._travel = np.array(
            [self.world.model.joint(s.name).qposadr[0] for s in self.world.slots["button"]]
        )

    def _slot_groups(self) -> tuple[SlotGroup, ...]:
        count = count_things(self.composition)
        return (SlotGroup(prefix="button", kind="button", count=count, kinds=("button",)),)

    def _begin(self, rng: np.random.Generator, options: dict[str, Any]) -> None:
        draw = draw_episode(self.task, rng, self.composition)
        self.drawn |= draw.drawn
        category = draw.things[0].category
        size = self._variants.change(self.drawn, category, _SIZES)
        radii = [CATEGORIES[t.category].radius for t in draw.things]
        radii[0] *= size
        regions = widened(_REGIONS, self.drawn.get("Layout", {}).get("widen", 0.0))
        places = lay_out(rng, [regions] * len(radii), radii, gap=_GAP)
        for slot, thing, (x, y) in zip(
            self.world.slots["button"], draw.things, places, strict=True
        ):
            slot.show(thing.category, thing.colour)
            self.world.place(slot, np.array([x, y, 0.0]))
        self._target = np.array([*places[0], 0.0])
        self._cap_height = size * CATEGORIES[category].grasp_height
        self._goal = draw.goal
        self._stages = {"reached": False, "pressed": False}
        self._steps_held = 0
        self._facts = SceneFacts(
            things=tuple(
                SceneThing(
                    category=t.category, colour=t.colour, pos_world=(float(x), float(y), 0.0)
                )
                for t, (x, y) in zip(draw.things, places, strict=True)
            )
        )
        self._instruction = draw.instruction(self._facts, self.composition)

    def _judge(self) -> tuple[bool, bool]:
        travel = self.world.data.qpos[self._travel]
        pressed = travel > PRESSED
        if not self._stages["reached"]:
            # Only a gripper close above the cap can have reached it.
            self._stages["reached"] = any(
                np.hypot(*(tcp - self._target)[:2]) < REACHED and tcp[2] < self._cap_height + 0.08
                for tcp in (self.world.tcp(0), self.world.tcp(1))
            )
        self._steps_held = self._steps_held + 1 if pressed[0] else 0
        failure = bool(pressed[1:].any())
        success = self._steps_held >= HOLD_STEPS and not failure
        self._stages["pressed"] |= success
        return success, failure

    def expert(self, rng: np.random.Generator) -> Iterator[Float32[np.ndarray, "14"]]:
        """Closed gripper above the named button, then straight down.

        Args:
            rng: varies speed, hover height and the point that is pressed.
        """
        arm = arm_for(self._target[0])
        path = press_path(self._target, self._cap_height, BUTTON_TRAVEL, rng)
        for action in follow(self.world, arm, self.control, 0.0, path):
            if self._stages["pressed"]:
                return
            yield action
