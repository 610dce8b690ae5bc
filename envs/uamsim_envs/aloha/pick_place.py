"""Put the named object on the named target."""

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

import numpy as np
from jaxtyping import Float32

from uamsim.contract import SceneFacts, SceneThing, Thing
from uamsim.perturbations.axes.objects import NovelTarget
from uamsim.perturbations.axes.scene import Layout
from uamsim_envs.aloha.draw import CARRIED, NUM_TARGETS, draw_episode
from uamsim_envs.aloha.env import AlohaEnv
from uamsim_envs.aloha.press_button import count_things
from uamsim_envs.aloha.skills.experts import arm_for, follow, pick_place_path
from uamsim_envs.aloha.slots import SlotGroup
from uamsim_envs.aloha.table import TABLE_HALF
from uamsim_envs.aloha.variants import Variants, graspable_sizes
from uamsim_envs.env import Settings
from uamsim_envs.layout import lay_out, widened
from uamsim_envs.objects import CATEGORIES

REST_STEPS = 8
"""Control steps that an object must lie still for before it counts as placed."""
STILL = 0.03
"""m/s below which it is still."""
LIFTED = 0.03
ON_TARGET = {"plate": 0.045, "tray": 0.042, "bowl": 0.032}
"""m between the centres of object and target, seen from above, within which it lies on it."""
_SIDES = ((-0.23, -0.115, -0.10, 0.12), (0.115, 0.23, -0.10, 0.12))
_TARGET_REGIONS = ((-0.025, 0.025, -0.085, -0.055), (-0.025, 0.025, 0.065, 0.10))
_GAP = 0.014
_RELEASE_HEIGHT = {"plate": 0.004, "tray": 0.006, "bowl": 0.016}
_PADS = ((1, 2), (3, 4))
_OBJECT, _TARGET = 5, 6


class AlohaPickPlaceEnv(AlohaEnv):
    """Three objects at the sides and two targets between the arms.

    Success: the named object was lifted and rests on the named target, let go, still, for
    ``REST_STEPS``; one that was only pushed there does not count. An object that leaves the table
    ends the episode. Stages: reached, grasped, lifted, placed.
    """

    task = "pick_place"
    time_limit = 350
    carried = (*AlohaEnv.carried, *CARRIED, NovelTarget, Layout)

    def __init__(self, **settings: Unpack[Settings]) -> None:
        """Compiles the model."""
        super().__init__(**settings)
        self._variants = Variants(self.world, self.composition, "object")
        model, objects = self.world.model, self.world.slots["object"]
        self._qpos = [int(model.joint(s.name).qposadr[0]) for s in objects]
        self._places = np.add.outer(self._qpos, (0, 1))
        self._dof = [int(model.joint(s.name).dofadr[0]) for s in objects]
        self._roles = np.zeros(model.ngeom, np.int8)

    def _slot_groups(self) -> tuple[SlotGroup, ...]:
        return (
            SlotGroup(
                prefix="object",
                kind="free",
                count=count_things(self.composition),
                kinds=("object",),
            ),
            SlotGroup(prefix="target", kind="static", count=NUM_TARGETS, kinds=("target",)),
        )

    def _begin(self, rng: np.random.Generator, options: dict[str, Any]) -> None:
        draw = draw_episode(self.task, rng, self.composition)
        self.drawn |= draw.drawn
        category = draw.things[0].category
        self._size = self._variants.change(self.drawn, category, graspable_sizes(category))
        objects, targets = self.world.slots["object"], self.world.slots["target"]
        order = rng.permutation(NUM_TARGETS)
        target_places = np.array(
            [
                [rng.uniform(x0, x1), rng.uniform(y0, y1)]
                for x0, x1, y0, y1 in (_TARGET_REGIONS[i] for i in order)
            ]
        )
        radii = [CATEGORIES[t.category].radius for t in draw.things]
        radii[0] *= self._size
        taken = [
            (float(x), float(y), CATEGORIES[t.category].radius)
            for t, (x, y) in zip(draw.targets, target_places, strict=True)
        ]
        regions = widened(_SIDES, self.drawn.get("Layout", {}).get("widen", 0.0))
        places = lay_out(rng, [regions] * len(radii), radii, gap=_GAP, taken=taken)
        for slot, thing, (x, y) in zip(targets, draw.targets, target_places, strict=True):
            slot.show(thing.category, thing.colour)
            self.world.place(slot, np.array([x, y, 0.0]))
        qpos = self.world.data.qpos
        for slot, adr, thing, (x, y) in zip(objects, self._qpos, draw.things, places, strict=True):
            slot.show(thing.category, thing.colour)
            yaw = float(rng.uniform(-0.25, 0.25))
            qpos[adr : adr + 7] = (x, y, 0.0, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2))
        self._target_pos = np.array([*target_places[0], 0.0])
        self._thing, self._target = draw.things[0], draw.targets[0]
        self._goal = draw.goal
        self._stages = dict.fromkeys(("reached", "grasped", "lifted", "placed"), False)
        self._steps_at_rest = 0
        self._roles[:] = 0
        for pads, shapes in zip(_PADS, self.world.pad_ids, strict=True):
            self._roles[shapes] = pads
        self._roles[objects[0].geom_ids] = _OBJECT
        self._roles[targets[0].geom_ids] = _TARGET
        self._facts = SceneFacts(
            things=_facts(draw.things, places) + _facts(draw.targets, target_places)
        )
        self._instruction = draw.instruction(self._facts, self.composition)

    def _judge(self) -> tuple[bool, bool]:
        world = self.world
        pos = world.data.qpos[self._qpos[0] : self._qpos[0] + 3]
        touching = world.touching(self._roles, _OBJECT)
        grasped = any(touching.issuperset(pads) for pads in _PADS)
        self._note_stages(pos, grasped)
        velocity = world.data.qvel[self._dof[0] : self._dof[0] + 3]
        resting = (
            self._stages["lifted"]
            and _TARGET in touching
            and touching.isdisjoint((*_PADS[0], *_PADS[1]))
            and self._is_on_target(pos)
            and float(np.abs(velocity).max()) < STILL
        )
        self._steps_at_rest = self._steps_at_rest + 1 if resting else 0
        success = self._steps_at_rest >= REST_STEPS
        self._stages["placed"] |= success
        return success, not success and self._any_lost()

    def _note_stages(self, pos: np.ndarray, grasped: bool) -> None:
        if not self._stages["reached"]:
            centre = pos.copy()
            centre[2] += self._size * CATEGORIES[self._thing.category].grasp_height
            self._stages["reached"] = grasped or any(
                float(np.linalg.norm(self.world.tcp(arm) - centre)) < 0.035 for arm in range(2)
            )
        self._stages["grasped"] |= grasped
        self._stages["lifted"] |= grasped and float(pos[2]) > LIFTED

    def _is_on_target(self, pos: np.ndarray) -> bool:
        """Over the target as seen from above, and no higher than things rest on it."""
        offset = float(np.hypot(*(pos - self._target_pos)[:2]))
        return offset <= ON_TARGET[self._target.category] and -0.02 < float(pos[2]) < 0.045

    def _any_lost(self) -> bool:
        places = self.world.data.qpos[self._places]
        return bool((np.abs(places) > TABLE_HALF).any())

    def expert(self, rng: np.random.Generator) -> Iterator[Float32[np.ndarray, "14"]]:
        """Grasp, carry, let go, retreat, with the arm on the object's side.

        Args:
            rng: varies speed and heights.
        """
        pos = self.world.data.qpos[self._qpos[0] : self._qpos[0] + 3].copy()
        target = CATEGORIES[self._target.category]
        path = pick_place_path(
            pos,
            self._size * CATEGORIES[self._thing.category].grasp_height,
            self._target_pos,
            target.grasp_height + _RELEASE_HEIGHT[self._target.category],
            rng,
        )
        for action in follow(self.world, arm_for(pos[0]), self.control, 1.0, path):
            if self._stages["placed"]:
                return
            yield action


def _facts(things: Sequence[Thing], places: np.ndarray) -> tuple[SceneThing, ...]:
    return tuple(
        SceneThing(category=t.category, colour=t.colour, pos_world=(float(x), float(y), 0.0))
        for t, (x, y) in zip(things, places, strict=True)
    )
