"""A cloth that deforms: a flex of MuJoCo with stretch and bending, held by friction alone."""

import math
from dataclasses import dataclass

import mujoco
import numpy as np
from jaxtyping import Float64

from uamsim.lexicon import LEXICON
from uamsim_envs.aloha.robot import SIDES
from uamsim_envs.aloha.table import TABLE_HALF
from uamsim_envs.aloha.task import TaskEnv
from uamsim_envs.contacts import TABLE_BIT, THING_BIT

NAME = "cloth"
RADIUS = 0.004
"""m; half of how thick the cloth is, in contacts and in pictures."""
COUNT = 9
"""Vertices along each side."""
FOLD_HEIGHT, FOLD_WIDTH = 0.030, 0.056
"""m, of the ridge in which an untidy cloth lies; open fingers fit astride it."""
TOUCH = 0.004
"""m between cloth and table below which they count as touching."""


@dataclass(frozen=True, kw_only=True)
class Cloth:
    """How a cloth lies at the start.

    Attributes:
        colour: name in the lexicon.
        centre: x and y of its middle (m, world).
        yaw: of its sides about z (rad).
        size: its lengths along its own x and y (m).
        fold: where along its y a ridge runs from side to side (m from its middle).
        ripple: amplitude of the waves in it (m).
        phase: of these waves (rad).
    """

    colour: str
    centre: tuple[float, float]
    yaw: float = 0.0
    size: tuple[float, float] = (0.18, 0.2)
    fold: float = 0.0
    ripple: float = 0.0015
    phase: float = 0.0

    def to_world(self, x: float, y: float, z: float = 0.0) -> Float64[np.ndarray, "3"]:
        """A point given in the cloth's own axes (m)."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return np.array([self.centre[0] + c * x - s * y, self.centre[1] + s * x + c * y, z])


def add_cloth(spec: mujoco.MjSpec, cloth: Cloth) -> None:
    """Adds a cloth to a spec, and sets the solver as a cloth between fingers needs it.

    The stiffness of a flex needs the "discrete" integrator. With a friction cone as soft as
    MuJoCo has it by default (impratio 1) a pinched cloth creeps out of the fingers. Newton costs
    a third more than conjugate gradients, which within 25 iterations let a cloth that arms pull
    pass through a rod. A drag of the air (on a vertex 0.8 mN s/m) lets it come to rest; the arms
    do not feel it.
    """
    option = spec.option
    option.integrator = mujoco.mjtIntegrator.mjINT_DISCRETE
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.iterations, option.impratio, option.viscosity = 10, 10.0, 0.02
    body = spec.worldbody.add_body(name=NAME, pos=(*cloth.centre, RADIUS + 0.0005))
    spacing = [side / (COUNT - 1) for side in cloth.size]
    flex = body.make_flex(
        NAME,
        type="grid",
        dim=2,
        count=[COUNT, COUNT, 1],
        spacing=[*spacing, 0.01],
        radius=RADIUS,
        mass=0.02,
        elastic2d=3,
    )
    flex.young, flex.poisson, flex.thickness, flex.damping = 1e5, 0.2, 0.001, 0.01
    flex.contype, flex.conaffinity = THING_BIT, THING_BIT | TABLE_BIT
    # The cloth's own friction on everything: four rows a contact instead of the pads' six.
    flex.condim, flex.priority, flex.friction = 3, 2, (1.2, 0.005, 0.0001)
    flex.solref = (0.004, 1.0)
    flex.selfcollide = mujoco.mjtFlexSelf.mjFLEXSELF_NONE
    flex.material = [_weave(spec, cloth.colour)]
    ticks = np.linspace(0.0, 1.0, COUNT)
    flex.texcoord = [float(t) for x in ticks for y in ticks for t in (x, y)]
    for vertex in body.bodies:
        vertex.pos = _lie(cloth, float(vertex.pos[0]), float(vertex.pos[1]))


def _weave(spec: mujoco.MjSpec, colour: str) -> str:
    rgb = LEXICON[colour].rgb
    assert rgb is not None
    spec.add_texture(
        name=NAME,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=rgb,
        rgb2=[0.78 * c for c in rgb],
        width=64,
        height=64,
    )
    material = spec.add_material(name=NAME, texrepeat=(6, 6), specular=0.0, reflectance=0.0)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = NAME
    return NAME


def _lie(cloth: Cloth, x: float, y: float) -> tuple[float, float, float]:
    """Where a point of the flat cloth is in the untidy one, from the body's origin (m)."""
    along = np.linspace(-FOLD_WIDTH / 2, FOLD_WIDTH / 2, 400)
    height = FOLD_HEIGHT / 2 * (1 + np.cos(2 * np.pi * along / FOLD_WIDTH))
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(along), np.diff(height)))])
    arc -= arc[-1] / 2
    off, z = y - cloth.fold, 0.0
    if abs(off) < arc[-1]:
        off, z = float(np.interp(off, arc, along)), float(np.interp(off, arc, height))
    else:
        off -= math.copysign(arc[-1] - FOLD_WIDTH / 2, off)
    z += cloth.ripple * (1 + math.sin(45.0 * x + 25.0 * y + cloth.phase))
    at = cloth.to_world(x, cloth.fold + off)
    return at[0] - cloth.centre[0], at[1] - cloth.centre[1], z


class ClothState:
    """The one cloth of an environment's present episode, read from the live state."""

    def __init__(self, env: TaskEnv) -> None:
        self._model, self._data = env.world.model, env.world.data
        self.elements: np.ndarray = self._model.flex_elem.reshape(-1, 3)
        start = self._model.body_dofadr[self._model.flex_vertbodyid]
        self._dofs = start[:, None] + np.arange(3)
        self._geom_names = [self._model.geom(i).name for i in range(self._model.ngeom)]

    @property
    def vertices(self) -> Float64[np.ndarray, "V 3"]:
        """Positions (m, world); first along the cloth's x, then along its y."""
        return self._data.flexvert_xpos.copy()

    def rows(self) -> Float64[np.ndarray, "Y X 3"]:
        """The vertices by their rows along the cloth's x, in the order of its y (m, world)."""
        return self.vertices.reshape(COUNT, COUNT, 3).swapaxes(0, 1)

    @property
    def velocities(self) -> Float64[np.ndarray, "V 3"]:
        """Of the vertices (m/s, world); each has three slides along the world's axes."""
        return self._data.qvel[self._dofs]

    def touched(self) -> set[str]:
        """Names of the shapes that the cloth touched in the last physics step."""
        contact = self._data.contact
        count = self._data.ncon
        geoms = contact.geom[:count][(contact.flex[:count] >= 0).any(axis=1)].ravel()
        return {self._geom_names[g] for g in set(geoms[geoms >= 0].tolist())}

    def pinched(self) -> list[bool]:
        """Of each arm, whether both its fingers touch the cloth."""
        touched = self.touched()
        return [all(f"{s}/{f}_finger/pad" in touched for f in SIDES) for s in SIDES]

    def held(self) -> bool:
        """Whether any finger touches the cloth."""
        return any(name.endswith("/pad") for name in self.touched())

    def off_table(self) -> bool:
        """Whether its middle has left the table."""
        x, y, z = self.vertices.mean(axis=0)
        return bool(abs(x) > TABLE_HALF[0] or abs(y) > TABLE_HALF[1] or z < -0.03)
