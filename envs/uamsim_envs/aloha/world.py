"""The table with its cameras, lights, arms and slots: one compiled model for every episode."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import mujoco
import numpy as np
from jaxtyping import Float32, Float64, Int8, UInt8

from uamsim.contract import ACTION_DIM, CONTROL_HZ, Control
from uamsim.errors import ConfigError
from uamsim_envs.aloha import kinematics
from uamsim_envs.aloha.robot import FINGER_RANGE, SIDES
from uamsim_envs.aloha.slots import SlotGroup, add_slot, tune_slot
from uamsim_envs.aloha.table import SUBSTEPS, compile_spec, new_spec
from uamsim_envs.contacts import TABLE_BIT, THING_BIT
from uamsim_envs.labels import LabelSlot, add_label
from uamsim_envs.meshes import add_meshes
from uamsim_envs.objects import Slot
from uamsim_envs.rendering import RenderProfile, SceneRenderer

REST_POS: Float64[np.ndarray, "2 3"] = np.array([[-0.30, 0.0, 0.20], [0.30, 0.0, 0.20]])
"""Where each gripper waits, pointing straight down and closed."""
MAX_POSITION = (0.50, 0.35, 0.45)
"""Gripper targets are clipped to this box (m); their z to [0, 0.45]."""
MAX_ROTATION = math.pi / 2
"""rad; each component of a target's rotation vector is clipped to it."""


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """What a model is compiled for.

    Attributes:
        slots: bodies that can show things of many categories.
        num_labels: cards with text.
        cameras: those to draw.
        image_size: (H, W).
        render_profile: see ``uamsim_envs.rendering``.
    """

    slots: tuple[SlotGroup, ...]
    num_labels: int = 0
    cameras: tuple[str, ...] = ()
    image_size: tuple[int, int]
    render_profile: RenderProfile = "fast"

    def __post_init__(self) -> None:
        """Checks the picture's size.

        Raises:
            ConfigError: not one that can be drawn.
        """
        if min(self.image_size) < 8 or max(self.image_size) > 4096:
            raise ConfigError(
                f"image_size must be (height, width) of 8 to 4096, not {self.image_size!r}."
            )


class World:
    """Model and state, with what tasks need of them.

    Attributes:
        model, data: MuJoCo's.
        slots: name prefix -> its slots.
        labels: the cards.
        table_height: of the table top above the arms' bases (m). The world's z is 0 on the table;
            the z of an "ee" action or of ``agent_pos`` is above the bases, as a robot knows it.
        start_pos: where the grippers are when an episode starts (m, z above the bases).
    """

    def __init__(
        self,
        config: WorldConfig,
        prepare: Callable[[mujoco.MjSpec], None] = lambda spec: None,
        prepare_slots: Callable[[mujoco.MjSpec, Sequence[str]], None] = lambda spec, slots: None,
    ) -> None:
        """Compiles the model.

        Args:
            config: what for.
            prepare: adds what perturbations need to the table, before anything stands on it.
            prepare_slots: the same to the slots, whose names it gets.
        """
        self.config = config
        self._rest_joints = np.stack(
            [kinematics.inverse(arm, REST_POS[arm], np.zeros(3)) for arm in range(2)]
        )
        self._max_delta = kinematics.MAX_JOINT_SPEED / CONTROL_HZ
        self._prepare, self._prepare_slots = prepare, prepare_slots
        self.slots: dict[str, list[Slot]] = {}
        self.load(self.compile(lambda spec: None))
        for group in config.slots:
            free = group.kind == "free"
            bits = (THING_BIT, THING_BIT | TABLE_BIT) if free else (TABLE_BIT, 0)
            self.slots[group.prefix] = [
                Slot(self.model, name, group.categories, bits=bits, cap_bits=(THING_BIT, 0))
                for name in group.names
            ]
            for name in group.names if group.kind != "static" else ():
                tune_slot(self.model, name, group.kind)
        self.labels = [LabelSlot(self.model, f"label{i}") for i in range(config.num_labels)]

    def compile(self, change: Callable[[mujoco.MjSpec], None]) -> mujoco.MjModel:
        """A model of its configuration; the world goes on with its own.

        Args:
            change: edits the spec when all slots are in it.
        """
        config = self.config
        spec = new_spec(config.render_profile)
        self._prepare(spec)
        if config.slots:
            add_meshes(spec)
        for group in config.slots:
            for name in group.names:
                add_slot(spec, name, group.kind, group.categories)
        self._prepare_slots(spec, [name for group in config.slots for name in group.names])
        for index in range(config.num_labels):
            body = spec.worldbody.add_body(name=f"label{index}")
            add_label(body, f"label{index}")
        change(spec)
        return compile_spec(spec, config.image_size)

    def load(self, model: mujoco.MjModel) -> None:
        """Goes on with another model, in its initial state; the slots are those of the first.

        Args:
            model: made by ``new_spec`` and ``compile_spec``.
        """
        if hasattr(self, "renderer"):
            self.renderer.close()
        self.model = model
        self.data: mujoco.MjData = mujoco.MjData(model)
        self._past: mujoco.MjData | None = None
        self.renderer = SceneRenderer(model, self.config.image_size, self.config.render_profile)
        self._arm_qpos = np.array(
            [[model.joint(f"{s}/{j}").qposadr[0] for j in kinematics.JOINTS] for s in SIDES]
        )
        self._finger_qpos = np.array(
            [[model.joint(f"{s}/{f}_finger").qposadr[0] for f in SIDES] for s in SIDES]
        )
        self.pad_ids = [[int(model.geom(f"{s}/{f}_finger/pad").id) for f in SIDES] for s in SIDES]
        self.reset()

    def reset(self) -> None:
        """Initial state: arms at rest, the table at its height; slots keep what they show."""
        mujoco.mj_resetData(self.model, self.data)
        self.set_table_height(0.0)
        self.start_pos = REST_POS.copy()
        self.set_arms(self._rest_joints, np.zeros(2))

    def set_table_height(self, height: float) -> None:
        """Sets how far the table top is above the arms' bases (m); cameras stay at the table."""
        self.table_height = height
        for side in SIDES:
            self.model.body_pos[self.model.body(f"{side}/base_link").id, 2] = -height

    def set_start(self, offsets: Float64[np.ndarray, "2 3"]) -> None:
        """Puts the grippers this far from where they wait (m)."""
        self.start_pos = REST_POS + offsets
        joints = [kinematics.inverse(arm, p, np.zeros(3)) for arm, p in enumerate(self.start_pos)]
        self.set_arms(np.stack(joints), np.zeros(2))

    def set_arms(
        self, joints: Float64[np.ndarray, "2 6"], grippers: Float64[np.ndarray, "2"]
    ) -> None:
        """Puts both arms at rest at these angles (rad) and openings (0..1)."""
        self._target_joints = np.array(joints, float)
        self._last_command: list[np.ndarray | None] = [None, None]
        self._last_joints = self._target_joints.copy()
        low, high = FINGER_RANGE
        for arm in range(2):
            self.data.qpos[self._arm_qpos[arm]] = joints[arm]
            self.data.qpos[self._finger_qpos[arm]] = low + grippers[arm] * (high - low)
            self.data.ctrl[8 * arm : 8 * arm + 6] = joints[arm]
            self.data.ctrl[8 * arm + 6 : 8 * arm + 8] = low + grippers[arm] * (high - low)

    def command(self, action: Float32[np.ndarray, "14"], control: Control) -> None:
        """Sets the servos' targets; no joint's target moves faster than the maker's limit."""
        low, high = FINGER_RANGE
        for arm in range(2):
            part = action[7 * arm : 7 * arm + 6]
            last = self._last_command[arm]
            if last is None or not np.array_equal(part, last):
                self._last_command[arm] = part.copy()
                self._last_joints[arm] = self._joints_of(arm, part.astype(float), control)
            delta = self._last_joints[arm] - self._target_joints[arm]
            self._target_joints[arm] += np.clip(delta, -self._max_delta, self._max_delta)
            opening = min(max(float(action[7 * arm + 6]), 0.0), 1.0)
            self.data.ctrl[8 * arm : 8 * arm + 6] = self._target_joints[arm]
            self.data.ctrl[8 * arm + 6 : 8 * arm + 8] = low + opening * (high - low)

    def _joints_of(self, arm: int, part: np.ndarray, control: Control) -> np.ndarray:
        if control == "joint":
            return np.clip(part, kinematics.JOINT_RANGE[:, 0], kinematics.JOINT_RANGE[:, 1])
        x, y, z = MAX_POSITION
        position = np.clip(part[:3], (-x, -y, 0.0), (x, y, z))
        vector = np.clip(part[3:], -MAX_ROTATION, MAX_ROTATION)
        return kinematics.inverse(arm, position, vector)

    def step(self) -> None:
        """Physics for one control step."""
        mujoco.mj_step(self.model, self.data, SUBSTEPS)

    def update_positions(self) -> None:
        """Brings the positions of bodies, shapes and flexes up to date with the joints.

        The physics does it at the start of a step, so after one they lag behind by 2 ms. The next
        step is not changed by it.
        """
        mujoco.mj_kinematics(self.model, self.data)
        if self.model.nflex:
            mujoco.mj_flex(self.model, self.data)

    def joints(self, arm: int) -> Float64[np.ndarray, "6"]:
        """Measured joint angles (rad)."""
        return self.data.qpos[self._arm_qpos[arm]]

    def gripper(self, arm: int) -> float:
        """Measured opening, 0 closed to 1 open."""
        low, high = FINGER_RANGE
        opening = float(self.data.qpos[self._finger_qpos[arm]].mean())
        return min(max((opening - low) / (high - low), 0.0), 1.0)

    def tcp(self, arm: int) -> Float64[np.ndarray, "3"]:
        """Measured position of the point between the finger tips (m, world)."""
        return kinematics.forward(arm, self.joints(arm))[0] - (0.0, 0.0, self.table_height)

    def agent_pos(self, control: Control) -> Float32[np.ndarray, "14"]:
        """The measured pose in the action's representation."""
        out = np.empty(ACTION_DIM, np.float32)
        for arm in range(2):
            joints = self.joints(arm)
            if control == "ee":
                position, vector = kinematics.forward(arm, joints)
                out[7 * arm : 7 * arm + 3] = position
                out[7 * arm + 3 : 7 * arm + 6] = vector
            else:
                out[7 * arm : 7 * arm + 6] = joints
            out[7 * arm + 6] = self.gripper(arm)
        return out

    def rest_action(self, control: Control) -> Float32[np.ndarray, "14"]:
        """The action that keeps both arms at rest."""
        out = np.zeros(ACTION_DIM, np.float32)
        for arm in range(2):
            if control == "ee":
                out[7 * arm : 7 * arm + 3] = REST_POS[arm]
            else:
                out[7 * arm : 7 * arm + 6] = self._rest_joints[arm]
        return out

    def start_action(self, control: Control) -> Float32[np.ndarray, "14"]:
        """The action that keeps both arms where the episode starts."""
        out = self.rest_action(control)
        for arm, pos in enumerate(self.start_pos):
            part = slice(7 * arm, 7 * arm + (3 if control == "ee" else 6))
            out[part] = pos if control == "ee" else kinematics.inverse(arm, pos, np.zeros(3))
        return out

    @contextmanager
    def shown_at(self, qpos: Float64[np.ndarray, " Q"]) -> Iterator[None]:
        """Within it, pictures and measurements are those of other joint positions."""
        now = self.data
        past = self._past or mujoco.MjData(self.model)
        self.data = self._past = past
        past.qpos[:] = qpos
        try:
            # What sleeps now may have moved then.
            with self._all_awake():
                yield
        finally:
            self.data = now

    @contextmanager
    def _all_awake(self) -> Iterator[None]:
        option = self.model.opt
        flags = option.enableflags
        option.enableflags &= ~mujoco.mjtEnableBit.mjENBL_SLEEP.value
        try:
            yield
        finally:
            option.enableflags = flags

    def fix_places(self) -> None:
        """To be called when an episode is laid out: sleeping takes what cannot move as it was."""
        if not self.model.opt.enableflags & mujoco.mjtEnableBit.mjENBL_SLEEP.value:
            return
        with self._all_awake():
            mujoco.mj_fwdPosition(self.model, self.data)

    def let_sleep(self, joints: Sequence[str]) -> None:
        """Takes what stands by itself out of the physics while it is still; initial state.

        What touches it wakes it. Of what sleeps, no contact with another that sleeps or with the
        table is reported.

        Args:
            joints: names of their joints; everything else stays awake.
        """
        model = self.model
        model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP.value
        model.tree_sleep_policy[:] = mujoco.mjtSleepPolicy.mjSLEEP_NEVER.value
        trees = [model.dof_treeid[model.joint(name).dofadr[0]] for name in joints]
        model.tree_sleep_policy[trees] = mujoco.mjtSleepPolicy.mjSLEEP_ALLOWED.value
        self.reset()

    def place(self, slot: Slot | LabelSlot, pos: np.ndarray) -> None:
        """Moves a fixed slot's body to a position on the table (m, world)."""
        self.model.body_pos[slot.body_id] = pos

    def paint(self, texture: str, pixels: UInt8[np.ndarray, "H W 3"]) -> None:
        """Changes a texture of the model, by its name."""
        start = int(self.model.texture(texture).adr[0])
        self.model.tex_data[start : start + pixels.size] = pixels.ravel()
        self.renderer.reload_texture(self.model.texture(texture).id)

    def touching(self, roles: Int8[np.ndarray, " G"], subject: int) -> set[int]:
        """Roles of the shapes that touch shapes of one role, in the last physics step.

        Args:
            roles: a number for each shape of the model; 0 has no role.
            subject: the role asked about.
        """
        count = self.data.ncon
        if count == 0:
            return set()
        pairs = roles[self.data.contact.geom[:count]]
        hits = pairs[(pairs == subject).any(axis=1)]
        return set(hits.ravel().tolist()) - {0, subject}

    def render(
        self, cameras: tuple[str, ...] | None = None, *, shrink: int = 1
    ) -> dict[str, np.ndarray]:
        """Pictures of the present state, name -> uint8 [H, W, 3].

        The physics is left as it is: only derived positions are recomputed.

        Args:
            cameras: names; the configured ones where None.
            shrink: how many times smaller than configured they are.
        """
        self.update_positions()
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        return self.renderer.render(
            self.data, self.config.cameras if cameras is None else cameras, shrink=shrink
        )

    def close(self) -> None:
        """Frees the renderer."""
        self.renderer.close()
