"""What the tasks of the bench share: things of the library, judged by the physical state."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Unpack

import mujoco
import numpy as np
from jaxtyping import Float64

from uamsim.contract import Goal, SceneFacts, SceneThing
from uamsim_envs.aloha.env import AlohaEnv
from uamsim_envs.aloha.language import LANGUAGE
from uamsim_envs.aloha.robot import SIDES
from uamsim_envs.aloha.table import TABLE_HALF, compile_spec, new_spec
from uamsim_envs.env import Settings
from uamsim_envs.library import Grasp, Instance, Opening, add_instance

HOLD_STEPS = 15
"""Control steps (0.3 s) for which the last stage must hold without a break."""
REST_SPEED = 0.04
"""m/s below which a thing counts as at rest."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing of the library as it stands in an episode.

    Attributes:
        name: of its body in the model; a free one's joint has the same name.
        instance: what it is.
        colour: name in the lexicon.
        scale: factor on its lengths.
        pos: where its base centre starts (m, world).
        yaw: how it starts turned about z (rad).
        static: whether it is fixed to the table.
    """

    name: str
    instance: Instance
    colour: str
    pos: tuple[float, float, float]
    scale: float = 1.0
    yaw: float = 0.0
    static: bool = False

    @property
    def radius(self) -> float:
        """Of the circle that it covers on the table (m)."""
        return self.scale * self.instance.radius

    @property
    def height(self) -> float:
        """From its base to its top (m)."""
        return self.scale * self.instance.height

    @property
    def opening(self) -> Opening | None:
        """Where things are put into or onto it, at its scale."""
        opening = self.instance.opening
        if opening is None:
            return None
        k, (x, y) = self.scale, opening.half
        return replace(opening, half=(k * x, k * y), floor=k * opening.floor, rim=k * opening.rim)

    @property
    def grasps(self) -> tuple[Grasp, ...]:
        """Its grasps at its scale."""
        k = self.scale
        return tuple(
            replace(
                g,
                height=k * g.height,
                width=k * g.width,
                offset=(k * g.offset[0], k * g.offset[1]),
            )
            for g in self.instance.grasps
        )

    def covers(self, x: float, y: float) -> bool:
        """Whether its opening lies below a point of its own frame (m)."""
        opening = self.opening
        if opening is None:
            return False
        if opening.shape == "circle":
            return float(np.hypot(x, y)) <= opening.half[0]
        return abs(x) <= opening.half[0] and abs(y) <= opening.half[1]


class TaskEnv(AlohaEnv):
    """Base of the bench's tasks. A model is compiled for every episode, in a few milliseconds.

    A subclass names its ``task``, ``stage_names`` and ``time_limit``, draws an episode in
    ``_compose``, and says in ``_now`` which stages hold. The last stage is the task itself:
    success is that it holds for ``HOLD_STEPS`` without a break. A stage once reached stays
    reached in ``info["stages"]``.
    """

    stage_names: ClassVar[tuple[str, ...]] = ()
    time_limit = 500
    carried = (*AlohaEnv.carried, *LANGUAGE.carried)

    def __init__(self, **settings: Unpack[Settings]) -> None:
        """Makes an empty table; the first reset puts things on it."""
        super().__init__(**settings)
        self.items: dict[str, Item] = {}

    # What a subclass writes.

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        """Draws an episode, adds its bodies to the spec and returns what is asked for."""
        raise NotImplementedError

    def _start(self) -> None:
        """Sets the initial state of what has joints of its own; the model is compiled."""

    def _now(self) -> dict[str, bool]:
        """Which stages hold in this state, by ``stage_names``."""
        raise NotImplementedError

    def _describe(self) -> SceneFacts:
        """The scene as laid out: by default, the things of the library."""
        return SceneFacts(
            things=tuple(
                SceneThing(
                    category=i.instance.category,
                    colour=i.colour,
                    pos_world=i.pos,
                    instance=i.instance.name,
                )
                for i in self.items.values()
            )
        )

    def _failed(self) -> bool:
        """Whether the task cannot be done any more: by default, a thing left the table."""
        return any(self.off_table(name) for name, item in self.items.items() if not item.static)

    # The episode.

    def _begin(self, rng: np.random.Generator, options: dict[str, Any]) -> None:
        scene_rng, language_rng = (
            np.random.default_rng(int(seed)) for seed in rng.integers(2**62, size=2)
        )
        self.items = {}
        spec = new_spec(self.world.config.render_profile)
        self._perturber.prepare(spec)
        self._goal = self._compose(spec, scene_rng)
        self.world.load(compile_spec(spec, self.world.config.image_size))
        self._start()
        self.world.update_positions()
        self._stages = dict.fromkeys(self.stage_names, False)
        self._steps_held = 0
        self._facts = self._describe()
        self._instruction = LANGUAGE.say(
            self._goal, wording=self.composition, rng=language_rng, scene=self._facts
        )

    def _judge(self) -> tuple[bool, bool]:
        self.world.update_positions()
        now = self._now()
        for name in self.stage_names:
            self._stages[name] |= bool(now[name])
        self._steps_held = self._steps_held + 1 if now[self.stage_names[-1]] else 0
        success = self._steps_held >= HOLD_STEPS
        return success, not success and self._failed()

    @property
    def succeeded(self) -> bool:
        """Whether the last stage has held for long enough; an expert may stop then."""
        return self._steps_held >= HOLD_STEPS

    @property
    def held_out(self) -> frozenset[str]:
        """See ``SimulatedEnv.held_out``."""
        return frozenset(i.instance.name for i in self.items.values() if i.instance.held_out)

    # Things.

    def add_item(self, spec: mujoco.MjSpec, item: Item, *, specular: float = 0.1) -> mujoco.MjsBody:
        """Puts a thing of the library on the table and remembers it by its name."""
        x, y, z = item.pos
        half = item.yaw / 2
        body = spec.worldbody.add_body(
            name=item.name, pos=(x, y, z), quat=(np.cos(half), 0, 0, np.sin(half))
        )
        if not item.static:
            body.add_freejoint(name=item.name)
        add_instance(
            spec,
            body,
            item.instance,
            name=item.name,
            colour=item.colour,
            scale=item.scale,
            specular=specular,
            static=item.static,
        )
        self.items[item.name] = item
        return body

    # The state, up to date in ``_now``, in an expert, and after a reset.

    def pos(self, body: str) -> Float64[np.ndarray, "3"]:
        """Position of a body's origin (m, world)."""
        return self.world.data.body(body).xpos.copy()

    def rotation(self, body: str) -> Float64[np.ndarray, "3 3"]:
        """Orientation of a body, its axes as columns."""
        return self.world.data.body(body).xmat.reshape(3, 3).copy()

    def upright(self, body: str) -> float:
        """Cosine of the angle between a body's z axis and the world's."""
        return float(self.world.data.body(body).xmat[8])

    def yaw(self, body: str) -> float:
        """Heading of a body's x axis about the world's z (rad)."""
        m = self.world.data.body(body).xmat
        return float(np.arctan2(m[3], m[0]))

    def speed(self, body: str) -> float:
        """Of a free body (m/s)."""
        start = int(self.world.model.joint(body).dofadr[0])
        return float(np.linalg.norm(self.world.data.qvel[start : start + 3]))

    def joint(self, name: str) -> float:
        """Position of a hinge (rad) or slide (m)."""
        return float(self.world.data.joint(name).qpos[0])

    def touching(self, body: str) -> set[str]:
        """What the shapes of a body touch in the last physics step.

        Returns:
            Names of outermost bodies, "table", and "left" and "right" for the grippers' fingers.
        """
        model, data = self.world.model, self.world.data
        roots = model.body_rootid[model.geom_bodyid[data.contact.geom[: data.ncon]]]
        subject = int(model.body_rootid[model.body(body).id])
        hits = roots[(roots == subject).any(axis=1)]
        others = set(hits.ravel().tolist()) - {subject}
        return {self._outermost(other) for other in others}

    def _outermost(self, body_id: int) -> str:
        if body_id == 0:
            return "table"
        name = self.world.model.body(body_id).name
        return name.split("/")[0] if name.split("/")[0] in SIDES else name

    def held(self, body: str) -> bool:
        """Whether a finger touches a body."""
        return not self.touching(body).isdisjoint(SIDES)

    def pinched(self, *geoms: str) -> bool:
        """Whether some of these shapes are between both fingers of one gripper."""
        model, contact = self.world.model, self.world.data.contact
        wanted = {int(model.geom(name).id) for name in geoms}
        sides = {pad: np.empty((0, 3)) for pads in self.world.pad_ids for pad in pads}
        for (first, second), frame in zip(contact.geom.tolist(), contact.frame, strict=True):
            pad, sign = (second, 1.0) if first in wanted else (first, -1.0)
            if pad in sides and (first in wanted or second in wanted):
                sides[pad] = np.vstack([sides[pad], sign * frame[:3]])
        return any((sides[a] @ sides[b].T < -0.5).any() for a, b in self.world.pad_ids)

    def off_table(self, body: str) -> bool:
        """Whether a free body has left the table."""
        x, y, z = self.pos(body)
        return bool(abs(x) > TABLE_HALF[0] or abs(y) > TABLE_HALF[1] or z < -0.03)
