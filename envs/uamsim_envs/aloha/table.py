"""The table with its cameras and lights and both arms: what every ALOHA world begins with."""

import math

import mujoco

from uamsim.contract import CONTROL_HZ
from uamsim_envs.aloha.robot import add_arm
from uamsim_envs.contacts import TABLE_BIT
from uamsim_envs.rendering import RenderProfile, apply_profile, look_quat

TIMESTEP = 0.002
SUBSTEPS = round(1.0 / (CONTROL_HZ * TIMESTEP))
TABLE_HALF = (0.40, 0.26)
"""Half extents of the table top (m); beyond it a thing has left the table."""
TABLE_PLANE = (0.75, 0.5)
"""Half extents of the surface that is drawn (m)."""
TABLE_RGB = (0.44, 0.43, 0.42)
_CAMERA_HALF_WIDTH_DEG = {"primary": 20.0, "left_wrist": 38.0, "right_wrist": 38.0, "top": 24.0}
"""Half the horizontal field of view, the same at every picture size."""
PRIMARY_LOOK_AT = (0.0, 0.005, 0.02)
_DISTANCE, _PITCH_DEG = 0.86, 56.0
HEADLIGHT_AMBIENT = 0.42


def _add_surroundings(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    world.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=(*TABLE_PLANE, 0.05),
        rgba=(*TABLE_RGB, 1),
        contype=TABLE_BIT,
        conaffinity=0,
        friction=(1.0, 0.005, 0.0001),
    )
    spec.visual.headlight.ambient = (HEADLIGHT_AMBIENT,) * 3
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
    x, y, z = PRIMARY_LOOK_AT
    world.add_camera(
        name="primary",
        pos=(x, y - _DISTANCE * math.cos(pitch), z + _DISTANCE * math.sin(pitch)),
        quat=look_quat((1, 0, 0), (0, math.sin(pitch), math.cos(pitch))),
    )
    world.add_camera(name="top", pos=(0, 0, 0.85), quat=look_quat((1, 0, 0), (0, 1, 0)))


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
    apply_profile(spec.visual, profile)
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
