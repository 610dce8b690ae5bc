"""Open a drawer, close one, put a thing into one: a low cabinet with two drawers side by side."""

import math
from typing import ClassVar

import mujoco
import numpy as np

from uamsim.contract import Goal, SceneFacts, SceneThing, Thing
from uamsim.errors import SceneError
from uamsim.lexicon import entries
from uamsim_envs.aloha.parts.cabinet import (
    ABOVE,
    CEILING,
    DRAWERS,
    FLOOR,
    SIDE,
    WOODS,
    Cabinet,
    add_cabinet,
)
from uamsim_envs.aloha.skills.handling import Actions, grasp, put, reaches
from uamsim_envs.aloha.skills.motion import Motion, Move
from uamsim_envs.aloha.task import REST_SPEED, Item, TaskEnv
from uamsim_envs.contacts import FINGER_TIP
from uamsim_envs.layout import Region, lay_out
from uamsim_envs.library import Instance, instances_of

MIN_OPEN = 0.07
"""m that a drawer must be out to count as open."""
MAX_SHUT = 0.01
"""m that a drawer may be out to count as shut."""
MIN_GUIDED = 0.05
"""m that a drawer must be moved by its handle, between two fingers. Arms that flail about leave
one open or shut in one episode out of six, so the way counts in the tasks of moving it."""
_TRIES = 300
_AROUND_BAR = 0.27
"""Opening with which the rear finger fits between the bar and the front."""
_IN_VIEW = 0.23
"""How far to a side an open drawer's handle may be, for the primary camera to see it (m)."""
_MAX_HEIGHT, _MAX_RADIUS, _MAX_WIDTH = 0.050, 0.044, 0.056
"""Of what is put into a drawer (m)."""
_SIDES: tuple[Region, Region] = ((-0.24, -0.10, -0.17, -0.01), (0.10, 0.24, -0.17, -0.01))


class DrawerEnv(TaskEnv):
    """Base of the tasks with the cabinet.

    Attributes:
        cabinet: the episode's.
        named: body of the drawer that the instruction names.
        other: the one that must stay as it is.
        guided: how far the named one was moved outwards by its handle, between two fingers (m).
    """

    start_open: ClassVar[bool] = False

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        self._draw_cabinet(rng)
        colours = [e.name for e in entries("colour", in_action_data=True)]
        first, second = (colours[i] for i in rng.permutation(len(colours))[:2])
        wood = WOODS[int(rng.integers(len(WOODS)))]
        self._colours = {self.named: first, self.other: second}
        add_cabinet(spec, self.cabinet, self._colours, wood)
        low, high = self.cabinet.travel - 0.02, self.cabinet.travel
        self._out = {name: self.start_open * float(rng.uniform(low, high)) for name in DRAWERS}
        return self._goal_of(spec, rng, Thing(category="drawer", colour=first))

    def _goal_of(self, spec: mujoco.MjSpec, rng: np.random.Generator, drawer: Thing) -> Goal:
        return Goal(task=self.task, thing=drawer)

    def _draw_cabinet(self, rng: np.random.Generator) -> None:
        for _ in range(_TRIES):
            x = float(rng.uniform(-0.16, 0.16))
            depth = float(rng.uniform(0.112, 0.122))
            self.cabinet = Cabinet(
                pos=(x, float(rng.uniform(0.05, 0.11))),
                yaw=float(rng.uniform(-0.35, 0.35)),
                half_width=float(rng.uniform(0.046, 0.051)),
                depth=depth,
                travel=depth - 0.012,
            )
            side = int(rng.integers(2))
            self.named, self.other = DRAWERS[side], DRAWERS[1 - side]
            seen = all(abs(self.cabinet.at_bar(d, depth)[0]) < _IN_VIEW for d in DRAWERS)
            if seen and self.cabinet.pullers(self.named) and self.cabinet.droppers(self.named):
                return
        raise SceneError("no arm reaches a drawer of any cabinet drawn.")

    def _start(self) -> None:
        for name in DRAWERS:
            self.world.data.joint(name).qpos[0] = self._out[name]
        self.guided, self._last = 0.0, self._out[self.named]

    def _describe(self) -> SceneFacts:
        drawers = tuple(
            SceneThing(
                category="drawer",
                colour=self._colours[name],
                pos_world=(float(x), float(y), float(z)),
            )
            for name in DRAWERS
            for x, y, z in [self.cabinet.at_bar(name, self.joint(name))]
        )
        return SceneFacts(things=(*super()._describe().things, *drawers))

    def _judge(self) -> tuple[bool, bool]:
        out = self.joint(self.named)
        if self.handle_grasped():
            self.guided += out - self._last
        self._last = out
        return super()._judge()

    def is_open(self, drawer: str) -> bool:
        """Whether a drawer is far enough out."""
        return self.joint(drawer) >= MIN_OPEN

    def is_shut(self, drawer: str) -> bool:
        """Whether a drawer is in."""
        return self.joint(drawer) <= MAX_SHUT

    def handle_grasped(self) -> bool:
        """Whether the named drawer's handle is between both fingers of one gripper."""
        return self.pinched(*(f"{self.named}/handle{i}" for i in range(3)))

    # Skills.

    def slide(self, motion: Motion, arm: int, out: float) -> Actions:
        """Takes the named drawer's handle, moves it, and lets go.

        Args:
            motion: both arms' commands.
            arm: 0 left, 1 right.
            out: how far out the drawer is to be (m).
        """
        cabinet, name, turn = self.cabinet, self.named, self.cabinet.pulling
        above = cabinet.at_bar(name, self.joint(name), z=ABOVE)
        yield from motion.go(Move(arm=arm, pos=above, turn=turn, gripper=_AROUND_BAR), seconds=1.0)
        yield from motion.go(Move(arm=arm, pos=cabinet.at_bar(name, self.joint(name))), seconds=0.6)
        yield from motion.go(Move(arm=arm, gripper=0.0), seconds=0.25)
        yield from motion.wait(0.15)
        yield from motion.go(Move(arm=arm, pos=cabinet.at_bar(name, out)), seconds=1.1)
        yield from motion.go(Move(arm=arm, gripper=_AROUND_BAR), seconds=0.25)
        yield from motion.wait(0.1)
        x, y, _ = motion.pos[arm]
        yield from motion.go(Move(arm=arm, pos=(x, y, ABOVE)), seconds=0.5)

    def pull(self, motion: Motion, arm: int, rng: np.random.Generator) -> Actions:
        """Opens the named drawer nearly all the way."""
        return self.slide(motion, arm, self.cabinet.travel - float(rng.uniform(0.002, 0.012)))


class AlohaDrawerOpenEnv(DrawerEnv):
    """Open the named drawer of a shut cabinet by its handle.

    Success: it is out by ``MIN_OPEN``, the other one is shut, no finger touches the cabinet, and
    it was moved by its handle for ``MIN_GUIDED``.
    """

    task = "drawer_open"
    stage_names: ClassVar[tuple[str, ...]] = ("handle_grasped", "pulled", "opened")
    time_limit = 340

    def _now(self) -> dict[str, bool]:
        pulled = self.is_open(self.named) and self.guided >= MIN_GUIDED
        done = pulled and self.is_shut(self.other) and not self.held("cabinet")
        return {"handle_grasped": self.handle_grasped(), "pulled": pulled, "opened": done}

    def expert(self, rng: np.random.Generator) -> Actions:
        """Pulls the handle with the nearer arm.

        Args:
            rng: varies its speed and how far it pulls.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.9, 1.15)))
        arm = self.cabinet.pullers(self.named)[0]
        yield from self.pull(motion, arm, rng)
        yield from motion.rest(arm)
        yield from motion.wait(0.5)


class AlohaDrawerCloseEnv(DrawerEnv):
    """Both drawers are open: shut the named one by its handle and leave the other open.

    Success: it is in to ``MAX_SHUT``, the other one is where it was to within 2 cm, no finger
    touches the cabinet, and it was moved by its handle for ``MIN_GUIDED``.
    """

    task = "drawer_close"
    stage_names: ClassVar[tuple[str, ...]] = ("handle_grasped", "guided", "closed")
    time_limit = 350
    start_open: ClassVar[bool] = True

    def _now(self) -> dict[str, bool]:
        left = abs(self.joint(self.other) - self._out[self.other]) < 0.02
        guided = self.guided <= -MIN_GUIDED
        done = guided and left and self.is_shut(self.named) and not self.held("cabinet")
        return {"handle_grasped": self.handle_grasped(), "guided": guided, "closed": done}

    def expert(self, rng: np.random.Generator) -> Actions:
        """Pushes by the handle with the nearer arm.

        Args:
            rng: varies its speed.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.9, 1.2)))
        arm = self.cabinet.pullers(self.named)[0]
        yield from self.slide(motion, arm, -0.002)
        yield from motion.rest(arm)
        yield from motion.wait(0.5)


def _fitting() -> list[Instance]:
    """What goes into a drawer and under the cabinet's top."""
    kinds = [*entries("object", in_action_data=True), *entries("item", in_action_data=True)]
    things = [i for kind in kinds for i in instances_of(kind.name, in_action_data=True)]
    return [
        thing
        for thing in things
        if thing.grasps
        and thing.height * thing.scale[1] <= _MAX_HEIGHT
        and thing.radius * thing.scale[1] <= _MAX_RADIUS
        and min(g.width for g in thing.grasps) * thing.scale[1] <= _MAX_WIDTH
    ]


class AlohaDrawerPutEnv(DrawerEnv):
    """Put a thing into the named drawer of a shut cabinet and shut it again.

    Success: the thing lies inside the drawer, the drawer and the other one are in to
    ``MAX_SHUT``, and no finger touches either.
    """

    task = "drawer_put"
    stage_names: ClassVar[tuple[str, ...]] = ("handle_grasped", "opened", "thing_inside", "closed")
    time_limit = 1250

    def _goal_of(self, spec: mujoco.MjSpec, rng: np.random.Generator, drawer: Thing) -> Goal:
        things = _fitting()
        names = sorted({thing.category for thing in things})
        category = names[int(rng.integers(len(names)))]
        shapes = [thing for thing in things if thing.category == category]
        instance = shapes[int(rng.integers(len(shapes)))]
        known = {e.name for e in entries("colour", in_action_data=True)}
        colours = [c for c in instance.colours if c in known]
        colour = colours[int(rng.integers(len(colours)))]
        scale = float(rng.uniform(*instance.scale))
        cabinet, side = self.cabinet, self.cabinet.offset(self.named)
        arms = cabinet.droppers(self.named)
        arm = arms[int(rng.integers(len(arms)))]
        out = cabinet.world(side, -0.5 * cabinet.travel - 0.02, 0.0)
        body = cabinet.world(0.0, 0.05, 0.0)
        taken = [(out[0], out[1], 0.085), (body[0], body[1], 0.15)]
        (x, y), *_ = lay_out(rng, [[_SIDES[arm]]], [scale * instance.radius], gap=0.03, taken=taken)
        self.add_item(
            spec,
            Item(
                name="thing",
                instance=instance,
                colour=colour,
                scale=scale,
                pos=(float(x), float(y), 0.0),
                yaw=float(rng.uniform(-math.pi, math.pi)),
            ),
        )
        return Goal(task=self.task, thing=Thing(category=category, colour=colour), target=drawer)

    def _now(self) -> dict[str, bool]:
        inside = self._inside()
        shut = self.is_shut(self.named) and self.is_shut(self.other)
        return {
            "handle_grasped": self.handle_grasped(),
            "opened": self.is_open(self.named),
            "thing_inside": inside,
            "closed": inside and shut and not self.held("cabinet"),
        }

    def _inside(self) -> bool:
        """Whether the thing rests in the named drawer's box, borne by it and let go."""
        if self.held("thing") or self.speed("thing") > REST_SPEED:
            return False
        x, y, z = self.rotation(self.named).T @ (self.pos("thing") - self.pos(self.named))
        touched = self.touching("thing")
        return bool(
            abs(x) < self.cabinet.half_width
            and 0.0 < y < self.cabinet.depth
            and FLOOR - 0.005 < z < CEILING
            and "cabinet" in touched
            and "table" not in touched
        )

    def expert(self, rng: np.random.Generator) -> Actions:
        """Opens the drawer, drops the thing into it with the arm on its side, and shuts it.

        Args:
            rng: varies its speed, how far it pulls and where it drops.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.08)))
        cabinet = self.cabinet
        puller = cabinet.pullers(self.named)[0]
        yield from self.pull(motion, puller, rng)
        reach = reaches(self, "thing", tuple(cabinet.droppers(self.named)))[0]
        if reach.arm != puller:
            yield from motion.rest(puller)
        hang = float(reach.pos[2] - self.pos("thing")[2])
        yield from grasp(motion, reach)
        # The finger tips stay above the side walls, so that the fingers can open.
        height = max(FLOOR, SIDE + FINGER_TIP + 0.005 - hang)
        y = -0.5 * self.joint(self.named) + float(rng.uniform(-0.004, 0.004))
        at = cabinet.world(cabinet.offset(self.named), y, height)
        yield from put(self, motion, reach.arm, "thing", at, turn=cabinet.dropping, hover=0.07)
        if reach.arm != puller:
            yield from motion.rest(reach.arm)
        yield from self.slide(motion, puller, -0.002)
        yield from motion.rest(puller)
        yield from motion.wait(0.6)
