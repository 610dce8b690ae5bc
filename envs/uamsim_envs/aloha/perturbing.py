"""Applies what perturbations of the scene and the physics drew to a model of the ALOHA world."""

import functools
import math
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
from jaxtyping import UInt8

from uamsim.perturbations.axes.actions import ACTIONS
from uamsim.perturbations.axes.physics import ActuatorGain, Friction, Mass
from uamsim.perturbations.axes.scene import (
    Background,
    CameraPose,
    FieldOfView,
    Lighting,
    RobotStart,
    TableHeight,
    TableTexture,
)
from uamsim.perturbations.axes.sensors import SENSORS
from uamsim.perturbations.values import (
    MAX_SEVERITY,
    Composition,
    Parameters,
    Perturbation,
    stream,
)
from uamsim_envs.aloha.robot import SIDES
from uamsim_envs.aloha.table import (
    HEADLIGHT_AMBIENT,
    PRIMARY_LOOK_AT,
    TABLE_HALF,
    TABLE_PLANE,
    TABLE_RGB,
)
from uamsim_envs.aloha.world import World
from uamsim_envs.patterns import mix_pattern
from uamsim_envs.rendering import look_quat

CARRIED: tuple[type[Perturbation], ...] = (
    RobotStart,
    TableHeight,
    TableTexture,
    Background,
    Lighting,
    CameraPose,
    FieldOfView,
    Mass,
    Friction,
    ActuatorGain,
    *SENSORS,
    *ACTIONS,
)
"""What every ALOHA environment can apply, whatever its task."""

_TEXTURE = "table/pattern"
_TEXELS_A_METRE = 256
_SAVED = (
    "body_mass",
    "body_subtreemass",
    "body_invweight0",
    "dof_invweight0",
    "dof_M0",
    "body_inertia",
    "geom_friction",
    "flex_friction",
    "actuator_gainprm",
    "actuator_biasprm",
    "cam_pos",
    "cam_quat",
    "cam_fovy",
    "light_dir",
    "light_diffuse",
    "light_active",
)
_FIXED_CAMERAS = {"primary": PRIMARY_LOOK_AT, "top": (0.0, 0.0, 0.0)}
_NUM_LAMPS = MAX_SEVERITY // 2


class Perturber:
    """Prepares the models of an environment for its perturbations and applies each episode's.

    Attributes:
        composition: all of the environment's perturbations.
    """

    def __init__(self, composition: Composition) -> None:
        self.composition = composition
        self._active = composition.active("scene", "physics")
        types = {type(p) for p in self._active}
        self._textured = not types.isdisjoint((TableTexture, Background))
        self._lamps = Lighting in types
        self._model: mujoco.MjModel | None = None
        self._base: dict[str, np.ndarray] = {}

    def prepare(self, spec: mujoco.MjSpec) -> None:
        """Adds to a spec what its perturbations need to be there; nothing without them."""
        if self._textured:
            width, height = _texture_size()
            spec.add_texture(
                name=_TEXTURE,
                type=mujoco.mjtTexture.mjTEXTURE_2D,
                builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
                rgb1=TABLE_RGB,
                width=width,
                height=height,
            )
            material = spec.add_material(name=_TEXTURE, specular=0.5, shininess=0.5)
            material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = _TEXTURE
            table = spec.geom("table")
            table.material, table.rgba = _TEXTURE, (1, 1, 1, 1)
        for index in range(_NUM_LAMPS if self._lamps else 0):
            spec.worldbody.add_light(
                name=f"lamp{index}",
                pos=(0, 0, 1.6),
                type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
                ambient=(0, 0, 0),
                specular=(0, 0, 0),
                castshadow=False,
                active=False,
            )

    def draw(self, seed: int) -> dict[str, Parameters]:
        """What an episode gets: type name -> parameters.

        Args:
            seed: of the episode.
        """
        return {type(p).__name__: p.draw(stream(seed, p)) for p in self._active}

    def restore(self, model: mujoco.MjModel) -> None:
        """Undoes what an earlier episode did to a model that is used again."""
        if model is self._model:
            for name, values in self._base.items():
                getattr(model, name)[:] = values

    def apply(self, world: World, drawn: Mapping[str, Parameters]) -> None:
        """Applies an episode's parameters to a world that is laid out.

        Args:
            world: its model must have been made with ``prepare``.
            drawn: what ``draw`` gave.
        """
        if not self._active:
            return
        model = world.model
        if model is not self._model:
            self._model = model
            self._base = {name: getattr(model, name).copy() for name in _SAVED}
        _change_physics(model, drawn)
        if "TableHeight" in drawn:
            height = drawn["TableHeight"]["height_m"]
            world.set_table_height(height)
            for camera in _FIXED_CAMERAS:
                model.cam_pos[model.camera(camera).id, 2] -= height
        if "RobotStart" in drawn:
            start = drawn["RobotStart"]
            world.set_start(np.array([start["left_m"], start["right_m"]]))
        if "CameraPose" in drawn:
            _move_cameras(model, drawn["CameraPose"])
        if "FieldOfView" in drawn:
            tangent = np.tan(np.radians(model.cam_fovy) / 2) / drawn["FieldOfView"]["focal"]
            model.cam_fovy[:] = np.degrees(2 * np.arctan(tangent))
        if "Lighting" in drawn:
            _light(model, drawn["Lighting"])
        if self._textured:
            world.paint(_TEXTURE, _table_picture(drawn))


def _change_physics(model: mujoco.MjModel, drawn: Mapping[str, Parameters]) -> None:
    if "Mass" in drawn:
        arms = {model.body(f"{side}/base_link").id for side in SIDES}
        things = ~np.isin(model.body_rootid, list(arms))
        model.body_mass[things] *= drawn["Mass"]["factor"]
        model.body_inertia[things] *= drawn["Mass"]["factor"]
        # What the solver takes from the masses; it would be too soft or too stiff for them.
        mujoco.mj_setConst(model, mujoco.MjData(model))
    if "Friction" in drawn:
        model.geom_friction[:] *= drawn["Friction"]["factor"]
        model.flex_friction[:] *= drawn["Friction"]["factor"]
    if "ActuatorGain" in drawn:
        model.actuator_gainprm[:] *= drawn["ActuatorGain"]["factor"]
        model.actuator_biasprm[:] *= drawn["ActuatorGain"]["factor"]


def _move_cameras(model: mujoco.MjModel, moved: Parameters) -> None:
    for name, look_at in _FIXED_CAMERAS.items():
        camera = model.camera(name).id
        rotation = np.empty(9)
        mujoco.mju_quat2Mat(rotation, model.cam_quat[camera])
        right, up, back = rotation.reshape(3, 3).T
        azimuth = _turn((0.0, 0.0, 1.0), moved["azimuth_rad"])
        elevation = _turn(right, moved["elevation_rad"])
        arm = model.cam_pos[camera] - look_at
        model.cam_pos[camera] = look_at + moved["distance"] * azimuth @ elevation @ arm
        roll = azimuth @ elevation @ _turn(back, moved["roll_rad"])
        model.cam_quat[camera] = look_quat(roll @ right, roll @ up)


def _turn(axis: Any, angle: float) -> np.ndarray:
    quat, rotation = np.empty(4), np.empty(9)
    mujoco.mju_axisAngle2Quat(quat, np.asarray(axis, float), angle)
    mujoco.mju_quat2Mat(rotation, quat)
    return rotation.reshape(3, 3)


def _light(model: mujoco.MjModel, light: Parameters) -> None:
    tint = np.array(light["tint"])
    model.light_dir[0] = _shining(light["azimuth_rad"], light["tilt_rad"])
    model.light_diffuse[0] *= light["gain"] * tint
    model.vis.headlight.ambient[:] = HEADLIGHT_AMBIENT * light["ambient"] * tint
    for index, lamp in enumerate(light["lamps"]):
        lamp_id = model.light(f"lamp{index}").id
        model.light_active[lamp_id] = True
        model.light_dir[lamp_id] = _shining(lamp["azimuth_rad"], lamp["tilt_rad"])
        model.light_diffuse[lamp_id] = lamp["rgb"]


def _shining(azimuth: float, tilt: float) -> tuple[float, float, float]:
    flat = math.sin(tilt)
    return flat * math.cos(azimuth), flat * math.sin(azimuth), -math.cos(tilt)


def _texture_size() -> tuple[int, int]:
    width, height = (round(2 * half * _TEXELS_A_METRE) for half in TABLE_PLANE)
    return width, height


@functools.cache
def _surfaces() -> dict[str, tuple[tuple[slice, slice], np.ndarray, np.ndarray]]:
    """Of each surface, the lower first: its part of the picture, and x and y of its texels (m)."""
    width, height = _texture_size()
    x = (np.arange(width, dtype=np.float32) + 0.5) / _TEXELS_A_METRE - TABLE_PLANE[0]
    y = (np.arange(height, dtype=np.float32) + 0.5) / _TEXELS_A_METRE - TABLE_PLANE[1]
    columns, rows = (
        slice(*np.searchsorted(at, [-half, half]).tolist())
        for at, half in zip((x, y), TABLE_HALF, strict=True)
    )
    parts = {"Background": (slice(None), slice(None)), "TableTexture": (rows, columns)}
    return {name: (part, *np.meshgrid(x[part[1]], y[part[0]])) for name, part in parts.items()}


def _table_picture(drawn: Mapping[str, Parameters]) -> UInt8[np.ndarray, "H W 3"]:
    width, height = _texture_size()
    plain = np.array(TABLE_RGB)
    picture = np.empty((height, width, 3), np.uint8)
    for name, (part, x, y) in _surfaces().items():
        if name not in drawn:
            picture[part] = np.rint(255 * plain)
            continue
        strength, (first, second) = drawn[name]["strength"], np.asarray(drawn[name]["rgbs"])
        # All that a texel can be is one of 256 steps from the first colour to the second.
        colours = first + np.linspace(0.0, 1.0, 256)[:, None] * (second - first)
        colours = np.rint(255 * (plain + strength * (colours - plain))).astype(np.uint8)
        mix = np.rint(255 * mix_pattern(drawn[name], x, y)).astype(np.uint8)
        picture[part] = colours.take(mix, axis=0)
    return picture
