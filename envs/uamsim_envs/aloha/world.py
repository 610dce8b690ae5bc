"""The table with its cameras, lights, arms and slots: one compiled model for every episode."""

import math
from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np
from jaxtyping import Float32, Float64, Int8

from uamsim.contract import ACTION_DIM, CONTROL_HZ, Control
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.lexicon import entries
from uamsim_envs.aloha import kinematics
from uamsim_envs.aloha.robot import FINGER_RANGE, SIDES, TABLE_BIT, THING_BIT, add_arm
from uamsim_envs.labels import LabelSlot, add_label
from uamsim_envs.meshes import add_meshes
from uamsim_envs.objects import Slot, add_parts
from uamsim_envs.rendering import RenderProfile, SceneRenderer, apply_profile, look_quat

CAMERAS: tuple[str, ...] = ("primary", "left_wrist", "right_wrist", "top")
TIMESTEP = 0.002
SUBSTEPS = round(1.0 / (CONTROL_HZ * TIMESTEP))
TABLE_HALF = (0.40, 0.26)
"""Half extents of the table top (m); beyond it a thing has left the table."""
REST_POS: Float64[np.ndarray, "2 3"] = np.array([[-0.30, 0.0, 0.20], [0.30, 0.0, 0.20]])
"""Where each gripper waits, pointing straight down and closed."""
BUTTON_TRAVEL = 0.013
MAX_POSITION = (0.50, 0.35, 0.45)
"""Gripper targets are clipped to this box (m); their z to [0, 0.45]."""
MAX_ROTATION = math.pi / 2
"""rad; each component of a target's rotation vector is clipped to it."""
SlotKind = Literal["static", "free", "button"]
_CAMERA_HALF_WIDTH_DEG = {"primary": 20.0, "left_wrist": 38.0, "right_wrist": 38.0, "top": 24.0}
"""Half the horizontal field of view, the same at every picture size."""
_LOOK_AT, _DISTANCE, _PITCH_DEG = (0.0, 0.005, 0.02), 0.86, 56.0


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """What a model is compiled for.

    Attributes:
        slots: (name prefix, kind, number, lexicon kinds it can show).
        num_labels: cards with text.
        cameras: those to draw.
        image_size: (H, W).
        render_profile: see ``uamsim_envs.rendering``.
    """

    slots: tuple[tuple[str, SlotKind, int, tuple[str, ...]], ...]
    num_labels: int = 0
    cameras: tuple[str, ...] = CAMERAS[:3]
    image_size: tuple[int, int] = (480, 640)
    render_profile: RenderProfile = "fast"

    def __post_init__(self) -> None:
        """Checks the cameras and the picture's size.

        Raises:
            UnknownNameError: no such camera.
            ConfigError: not a size.
        """
        for camera in self.cameras:
            if camera not in CAMERAS:
                raise UnknownNameError("camera", camera, CAMERAS)
        if len(self.image_size) != 2 or min(self.image_size) < 8 or max(self.image_size) > 4096:
            raise ConfigError(
                f"image_size must be (height, width) of 8 to 4096, not {self.image_size!r}."
            )


def categories_of(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the lexicon's categories of these kinds."""
    return tuple(e.name for kind in kinds for e in entries(kind))  # type: ignore[arg-type]


def _add_surroundings(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    world.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=(0.75, 0.5, 0.05),
        rgba=(0.44, 0.43, 0.42, 1),
        contype=TABLE_BIT,
        conaffinity=0,
        friction=(1.0, 0.005, 0.0001),
    )
    spec.visual.headlight.ambient = (0.42, 0.42, 0.42)
    spec.visual.headlight.diffuse = (0.22, 0.22, 0.22)
    spec.visual.headlight.specular = (0.0, 0.0, 0.0)
    world.add_light(
        pos=(-0.5, -0.4, 1.6),
        dir=(0.3, 0.3, -1.0),
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=(0.52, 0.52, 0.52),
        specular=(0.05, 0.05, 0.05),
        castshadow=True,
    )
    pitch = math.radians(_PITCH_DEG)
    x, y, z = _LOOK_AT
    world.add_camera(
        name="primary",
        pos=(x, y - _DISTANCE * math.cos(pitch), z + _DISTANCE * math.sin(pitch)),
        quat=look_quat((1, 0, 0), (0, math.sin(pitch), math.cos(pitch))),
    )
    world.add_camera(name="top", pos=(0, 0, 0.85), quat=look_quat((1, 0, 0), (0, 1, 0)))


def _add_slot(spec: mujoco.MjSpec, name: str, kind: SlotKind, categories: tuple[str, ...]) -> None:
    body = spec.worldbody.add_body(name=name)
    cap = None
    if kind == "free":
        body.add_freejoint(name=name)
        body.explicitinertial = True
        body.mass, body.ipos, body.inertia = 0.06, (0, 0, 0.022), (2.5e-5, 2.5e-5, 2.5e-5)
    elif kind == "button":
        cap = body.add_body(name=f"{name}/cap")
        cap.gravcomp = 1.0
        cap.explicitinertial = True
        cap.mass, cap.ipos, cap.inertia = 0.05, (0, 0, 0.03), (2e-5, 2e-5, 2e-5)
        cap.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0, 0, -1),
            range=(0.0, BUTTON_TRAVEL),
            limited=True,
            armature=0.02,
        )
    for category in categories:
        add_parts(body, name, category, cap_body=cap)


def new_spec(profile: RenderProfile) -> mujoco.MjSpec:
    """The table with its cameras and lights and both arms, before anything stands on it."""
    spec = mujoco.MjSpec()
    spec.modelname = "aloha"
    spec.compiler.degree = False
    option = spec.option
    option.timestep = TIMESTEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
    option.iterations, option.ls_iterations = 20, 10
    spec.stat.extent, spec.stat.center = 1.0, (0, 0, 0)
    spec.visual.map.znear, spec.visual.map.zfar = 0.01, 5.0
    spec.visual.map.shadowclip = 0.9
    apply_profile(spec, profile)
    _add_surroundings(spec)
    for arm in range(2):
        add_arm(spec, arm)
    return spec


def compile_spec(spec: mujoco.MjSpec, image_size: tuple[int, int]) -> mujoco.MjModel:
    """The model of a spec, with the cameras' fields of view at a picture size (H, W)."""
    model = spec.compile()
    height, width = image_size
    for camera, half in _CAMERA_HALF_WIDTH_DEG.items():
        vertical = math.atan(math.tan(math.radians(half)) * height / width)
        model.cam_fovy[model.camera(camera).id] = math.degrees(2 * vertical)
    return model


def _compile(config: WorldConfig) -> mujoco.MjModel:
    spec = new_spec(config.render_profile)
    if config.slots:
        add_meshes(spec)
    for prefix, kind, count, kinds in config.slots:
        for index in range(count):
            _add_slot(spec, f"{prefix}{index}", kind, categories_of(kinds))
    for index in range(config.num_labels):
        body = spec.worldbody.add_body(name=f"label{index}")
        add_label(body, f"label{index}")
    return compile_spec(spec, config.image_size)


class World:
    """Model and state, with what tasks need of them.

    Attributes:
        model, data: MuJoCo's.
        slots: name prefix -> its slots.
        labels: the cards.
    """

    def __init__(self, config: WorldConfig) -> None:
        self.config = config
        self._rest_joints = np.stack(
            [kinematics.inverse(arm, REST_POS[arm], np.zeros(3)) for arm in range(2)]
        )
        self._max_delta = kinematics.MAX_JOINT_SPEED / CONTROL_HZ
        self.load(_compile(config))
        self.slots: dict[str, list[Slot]] = {}
        for prefix, kind, count, kinds in config.slots:
            bits = (THING_BIT, THING_BIT | TABLE_BIT) if kind == "free" else (TABLE_BIT, 0)
            self.slots[prefix] = [
                Slot(
                    self.model,
                    f"{prefix}{i}",
                    categories_of(kinds),
                    bits=bits,
                    cap_bits=(THING_BIT, 0),
                )
                for i in range(count)
            ]
            for i in range(count if kind != "static" else 0):
                self._tune_joint(f"{prefix}{i}", kind)
        self.labels = [LabelSlot(self.model, f"label{i}") for i in range(config.num_labels)]

    def load(self, model: mujoco.MjModel) -> None:
        """Goes on with another model, in its initial state; the slots are those of the first.

        Args:
            model: made by ``new_spec`` and ``compile_spec``.
        """
        if hasattr(self, "renderer"):
            self.renderer.close()
        self.model, self.data = model, mujoco.MjData(model)
        self.renderer = SceneRenderer(model, self.config.image_size, self.config.render_profile)
        self._arm_qpos = np.array(
            [[model.joint(f"{s}/{j}").qposadr[0] for j in kinematics.JOINTS] for s in SIDES]
        )
        self._finger_qpos = np.array(
            [[model.joint(f"{s}/{f}_finger").qposadr[0] for f in SIDES] for s in SIDES]
        )
        self.pad_ids = [[int(model.geom(f"{s}/{f}_finger/pad").id) for f in SIDES] for s in SIDES]
        self.reset()

    def _tune_joint(self, name: str, kind: SlotKind) -> None:
        dof = int(self.model.joint(name).dofadr[0])
        if kind == "button":
            joint = self.model.joint(name).id
            self.model.jnt_stiffness[joint] = 150.0
            self.model.dof_damping[dof] = 3.0
        else:
            # Without rolling friction a ball would never come to rest.
            self.model.dof_damping[dof + 3 : dof + 6] = 3e-4

    def reset(self) -> None:
        """Initial state: arms at rest; slots keep what they show."""
        mujoco.mj_resetData(self.model, self.data)
        self.set_arms(self._rest_joints, np.zeros(2))

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
        return kinematics.forward(arm, self.joints(arm))[0]

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

    def place(self, slot: Slot | LabelSlot, pos: np.ndarray) -> None:
        """Moves a fixed slot's body to a position on the table (m, world)."""
        self.model.body_pos[slot.body_id] = pos

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

    def render(self, cameras: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
        """Pictures of the present state, name -> uint8 [H, W, 3].

        The physics is left as it is: only derived positions are recomputed.
        """
        self.update_positions()
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        return self.renderer.render(self.data, cameras or self.config.cameras)

    def close(self) -> None:
        """Frees the renderer."""
        self.renderer.close()
