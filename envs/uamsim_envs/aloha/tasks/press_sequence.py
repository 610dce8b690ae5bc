"""Press three of four coloured buttons in the spoken order."""

import math
from typing import ClassVar

import mujoco
import numpy as np

from uamsim.contract import Goal, Thing
from uamsim.lexicon import LEXICON, entries, is_held_out
from uamsim_envs.aloha.skills.handling import Actions
from uamsim_envs.aloha.skills.motion import UP, Motion, Move, best_arm, closing_along
from uamsim_envs.aloha.task import Item, TaskEnv
from uamsim_envs.aloha.world import REST_POS
from uamsim_envs.contacts import FINGER_TIP, THING_BIT
from uamsim_envs.layout import Region, lay_out
from uamsim_envs.library import Instance, Shape

NAMES: tuple[str, ...] = ("first", "second", "third", "other")
TRAVEL = 0.012
PRESSED = 0.008
"""m of travel from which a button is pressed."""
RELEASED = 0.003
"""m of travel below which a pressed button is up again."""
PRESS_STEPS = 4
"""Control steps that a button must be held down by a finger, so that a tap in passing is none."""
CAP_TOP = 0.040
"""m above the table, of a button at scale 1 that is up."""
_RADIUS = 0.034
_SCALE = (0.95, 1.05)
_REGIONS: tuple[Region, ...] = ((-0.22, -0.02, -0.11, 0.12), (0.02, 0.22, -0.11, 0.12))
_GAP = 0.025
_HOVER = (0.04, 0.055)
"""m above a cap from which it is pressed."""
_SHARED = 0.05
"""m to either side of the middle in which either arm may press."""
_DARK = (0.10, 0.10, 0.11)
_STEEL = (0.42, 0.43, 0.45)
_CAP_LOW, _CAP_HALF = 0.017, 0.0115
_TRIANGLE = tuple(
    (0.0315 * math.cos(a), 0.0315 * math.sin(a))
    for a in (math.pi / 2 + 2 * math.pi * k / 3 for k in range(3))
)


def _housing(category: str) -> Instance:
    """The fixed part of a button: a dark foot and a steel collar that the cap slides in."""
    shapes = (
        Shape(kind="cylinder", size=(_RADIUS, 0.007), pos=(0, 0, 0.007), rgb=_DARK, solid=True),
        Shape(kind="cylinder", size=(_RADIUS - 0.001, 0.0045), pos=(0, 0, 0.0185), rgb=_STEEL),
    )
    return Instance(
        name=f"{category}_small",
        category=category,
        shapes=shapes,
        radius=_RADIUS,
        height=CAP_TOP,
        colours=tuple(e.name for e in entries("colour")),
        scale=_SCALE,
        mass=0.2,
        friction=0.9,
        material=(0.1, 0.5),
        grasps=(),
    )


def _colours_of(category: str) -> list[str]:
    colours = [e.name for e in entries("colour", in_action_data=True)]
    return [colour for colour in colours if not is_held_out((colour, category))]


class AlohaPressSequenceEnv(TaskEnv):
    """Four push buttons of four colours on the table, three of which are named.

    Success: the three named ones were each held down by a finger for ``PRESS_STEPS``, in the
    spoken order. Pressing any other than the next one, however shortly, ends the episode as a
    failure; so does pressing one twice. Stages: first_pressed, second_pressed,
    sequence_pressed.
    """

    task = "press_sequence"
    stage_names: ClassVar[tuple[str, ...]] = ("first_pressed", "second_pressed", "sequence_pressed")
    time_limit = 450

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        categories = [e.name for e in entries("button", in_action_data=True)]
        colours = [e.name for e in entries("colour", in_action_data=True)]
        order = [colours[i] for i in rng.permutation(len(colours))[: len(NAMES)]]
        scale = float(rng.uniform(*_SCALE))
        places = lay_out(rng, [_REGIONS] * len(NAMES), [scale * _RADIUS] * len(NAMES), gap=_GAP)
        things = []
        for name, colour, (x, y) in zip(NAMES, order, places, strict=True):
            able = [c for c in categories if colour in _colours_of(c)]
            category = able[int(rng.integers(len(able)))]
            item = Item(
                name=name,
                instance=_housing(category),
                colour=colour,
                scale=scale,
                pos=(float(x), float(y), 0.0),
                yaw=float(rng.uniform(-0.4, 0.4)),
                static=True,
            )
            self._add_cap(spec, self.add_item(spec, item), item)
            things.append(Thing(category=category, colour=colour))
        return Goal(task=self.task, thing=things[0], then=tuple(things[1:3]))

    def _add_cap(self, spec: mujoco.MjSpec, housing: mujoco.MjsBody, item: Item) -> None:
        """The coloured part, on a spring."""
        k = item.scale
        cap = housing.add_body(name=f"{item.name}/cap")
        cap.gravcomp = 1.0
        cap.explicitinertial = True
        cap.mass, cap.ipos, cap.inertia = 0.05, (0, 0, 0.028), (2e-5, 2e-5, 2e-5)
        cap.add_joint(
            name=f"{item.name}/cap",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0, 0, -1),
            range=(0.0, TRAVEL),
            limited=True,
            armature=0.02,
            stiffness=[150.0, 0.0, 0.0],
            damping=[3.0, 0.0, 0.0],
        )
        rgb = LEXICON[item.colour].rgb
        geom = cap.add_geom(
            name=f"{item.name}/cap",
            material=item.name,
            rgba=(*rgb, 1.0) if rgb else (1, 1, 1, 1),
            pos=(0, 0, k * (_CAP_LOW + _CAP_HALF)),
            contype=THING_BIT,
            conaffinity=0,
            mass=0.0,
        )
        if item.instance.category == "round_button":
            geom.type = mujoco.mjtGeom.mjGEOM_CYLINDER
            geom.size = (k * 0.027, k * _CAP_HALF, 0)
        elif item.instance.category == "square_button":
            geom.type = mujoco.mjtGeom.mjGEOM_BOX
            geom.size = (k * 0.0225, k * 0.0225, k * _CAP_HALF)
        else:
            mesh = f"{item.name}/cap"
            corners = [(k * x, k * y, s * k * _CAP_HALF) for s in (-1, 1) for x, y in _TRIANGLE]
            spec.add_mesh(name=mesh, uservert=np.array(corners).ravel())
            geom.type = mujoco.mjtGeom.mjGEOM_MESH
            geom.meshname = mesh

    def _start(self) -> None:
        self._num_pressed = 0
        self._steps_down = 0
        self._last_is_up = True
        self._out_of_order = False

    def _now(self) -> dict[str, bool]:
        return {stage: self._num_pressed > index for index, stage in enumerate(self.stage_names)}

    def _judge(self) -> tuple[bool, bool]:
        self._remember()
        return super()._judge()

    def _remember(self) -> None:
        """Takes a control step into the memory of what was pressed."""
        travel = {name: self.joint(f"{name}/cap") for name in NAMES}
        allowed = set(NAMES[:3][self._num_pressed : self._num_pressed + 1])
        if self._num_pressed > 0:
            last = NAMES[self._num_pressed - 1]
            self._last_is_up |= travel[last] < RELEASED
            allowed |= set() if self._last_is_up else {last}
        pressed = {name for name in NAMES if travel[name] > PRESSED}
        self._out_of_order |= not pressed <= allowed
        due = NAMES[self._num_pressed]
        counts = self._num_pressed < 3 and due in pressed and self.held(due)
        self._steps_down = self._steps_down + 1 if counts else 0
        if self._steps_down >= PRESS_STEPS and not self._out_of_order:
            self._num_pressed += 1
            self._steps_down, self._last_is_up = 0, False

    def _failed(self) -> bool:
        return self._out_of_order

    def expert(self, rng: np.random.Generator) -> Actions:
        """One button after another with a closed gripper, each with the arm on its side.

        Args:
            rng: varies speed, hover height, the point that is pressed and, in the middle, the arm.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.12)))
        last = None
        for name in NAMES[:3]:
            item = self.items[name]
            x, y, _ = item.pos
            arm = int(rng.integers(2)) if abs(x) < _SHARED else best_arm((x, y, 0.1))
            at = np.add((x, y, item.height + FINGER_TIP), (*rng.uniform(-0.004, 0.004, 2), 0))
            over = at + rng.uniform(*_HOVER) * UP
            turn = closing_along(math.pi / 2 + float(rng.uniform(-0.5, 0.5)))
            moves = [Move(arm=arm, pos=over, turn=turn)]
            if last is not None and last != arm:
                moves.append(Move(arm=last, pos=REST_POS[last], turn=(0, 0, 0)))
            yield from motion.go(*moves, seconds=0.8)
            yield from motion.go(Move(arm=arm, pos=at - (0, 0, TRAVEL)), seconds=0.4)
            yield from motion.wait(0.12)
            yield from motion.go(Move(arm=arm, pos=over), seconds=0.3)
            last = arm
        if last is not None:
            yield from motion.rest(last)
        yield from motion.wait(0.5)
