"""How every category of the lexicon looks and collides, in primitive shapes and small meshes.

A *slot* is a body that holds the shapes of many categories and shows one of them in one colour,
so that a new scene needs no new model. Lengths in metres; a thing's origin is its base centre.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from uamsim.errors import SceneError
from uamsim.lexicon import LEXICON
from uamsim_envs.meshes import MESHES
from uamsim_envs.rendering import HIDDEN_GROUP, VISIBLE_GROUP

Vec3 = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One shape of a category.

    Attributes:
        shape: "box", "cylinder", "sphere", "ellipsoid", or the name of a mesh in ``MESHES``.
        size: MuJoCo's half sizes; empty for a mesh.
        pos: centre, from the thing's base centre.
        yaw, pitch: rotation about z, then about the new y (rad).
        shade: factor on the thing's colour.
        rgb: a colour of its own instead.
        solid: whether it collides.
        visible: whether it is drawn.
        cap: whether it moves with a button's cap.
    """

    shape: str
    size: tuple[float, ...] = ()
    pos: Vec3 = (0.0, 0.0, 0.0)
    yaw: float = 0.0
    pitch: float = 0.0
    shade: float = 1.0
    rgb: Vec3 | None = None
    solid: bool = False
    visible: bool = True
    cap: bool = False


@dataclass(frozen=True, kw_only=True)
class Category:
    """Shapes and measures of one category.

    Attributes:
        parts: its shapes.
        radius: of the circle it covers on the table.
        grasp_height: of the finger tips' middle above its base; for buttons the cap's top; for
            targets the height things rest at.
    """

    parts: tuple[Part, ...]
    radius: float
    grasp_height: float


_BUTTON_RADIUS = 0.052
_HOUSING = Part(
    shape="cylinder", size=(_BUTTON_RADIUS, 0.009), pos=(0, 0, 0.009), rgb=(0.13, 0.13, 0.14)
)
_PLATE = Part(
    shape="cylinder",
    size=(0.050, 0.009),
    pos=(0, 0, 0.028),
    rgb=(0.24, 0.24, 0.26),
    solid=True,
    cap=True,
)


def _button(*emblem: Part) -> Category:
    """A round push button of 10 cm with a raised emblem on its plate; all of the plate works."""
    return Category(radius=_BUTTON_RADIUS, grasp_height=0.040, parts=(_HOUSING, _PLATE, *emblem))


def _emblem(shape: str, *size: float) -> Part:
    return Part(shape=shape, size=(*size, 0.002), pos=(0, 0, 0.038), cap=True)


def _ring(count: int, radius: float, z: float) -> tuple[Part, ...]:
    """The walls of a bowl, for collisions."""
    half = radius * math.tan(math.pi / count)
    return tuple(
        Part(
            shape="box",
            size=(0.003, half, 0.019),
            pos=(radius * math.cos(a), radius * math.sin(a), z),
            yaw=a,
            pitch=0.35,
            solid=True,
            visible=False,
        )
        for a in np.linspace(0, 2 * math.pi, count, endpoint=False)
    )


_TRAY_WALLS = tuple(
    Part(shape="box", size=size, pos=pos, shade=0.8, solid=True)
    for size, pos in (
        ((0.058, 0.004, 0.010), (0, 0.044, 0.010)),
        ((0.058, 0.004, 0.010), (0, -0.044, 0.010)),
        ((0.004, 0.048, 0.010), (0.058, 0, 0.010)),
        ((0.004, 0.048, 0.010), (-0.058, 0, 0.010)),
    )
)

CATEGORIES: dict[str, Category] = {
    "cube": Category(
        radius=0.037,
        grasp_height=0.026,
        parts=(Part(shape="box", size=(0.026, 0.026, 0.026), pos=(0, 0, 0.026), solid=True),),
    ),
    "ball": Category(
        radius=0.029,
        grasp_height=0.028,
        parts=(Part(shape="sphere", size=(0.029,), pos=(0, 0, 0.029), solid=True),),
    ),
    "can": Category(
        radius=0.024,
        grasp_height=0.030,
        parts=(
            Part(shape="cylinder", size=(0.024, 0.029), pos=(0, 0, 0.029), solid=True),
            Part(shape="cylinder", size=(0.0175, 0.001), pos=(0, 0, 0.058), rgb=(0.75, 0.77, 0.8)),
            Part(shape="cylinder", size=(0.0245, 0.0035), pos=(0, 0, 0.036), rgb=(0.75, 0.77, 0.8)),
        ),
    ),
    "cone": Category(
        radius=0.030,
        grasp_height=0.038,
        parts=(
            Part(shape="cone"),
            Part(
                shape="cylinder", size=(0.027, 0.007), pos=(0, 0, 0.007), solid=True, visible=False
            ),
            Part(
                shape="cylinder", size=(0.014, 0.026), pos=(0, 0, 0.034), solid=True, visible=False
            ),
        ),
    ),
    "mushroom": Category(
        radius=0.029,
        grasp_height=0.028,
        parts=(
            Part(
                shape="cylinder",
                size=(0.0145, 0.024),
                pos=(0, 0, 0.024),
                rgb=(0.93, 0.88, 0.74),
                solid=True,
            ),
            Part(shape="ellipsoid", size=(0.029, 0.029, 0.016), pos=(0, 0, 0.056)),
            *(
                Part(
                    shape="sphere",
                    size=(0.006,),
                    pos=(0.015 * math.cos(a), 0.015 * math.sin(a), 0.067),
                    rgb=(0.97, 0.95, 0.9),
                )
                for a in (-math.pi / 2, math.pi / 6, math.pi * 5 / 6)
            ),
            Part(
                shape="cylinder", size=(0.027, 0.010), pos=(0, 0, 0.056), solid=True, visible=False
            ),
            Part(
                shape="cylinder", size=(0.023, 0.003), pos=(0, 0, 0.003), solid=True, visible=False
            ),
        ),
    ),
    "star": Category(
        radius=0.036,
        grasp_height=0.018,
        parts=(
            Part(shape="star"),
            Part(
                shape="box",
                size=(0.019, 0.019, 0.013),
                pos=(0, 0, 0.013),
                solid=True,
                visible=False,
            ),
        ),
    ),
    "round_button": _button(_emblem("cylinder", 0.038)),
    "square_button": _button(_emblem("box", 0.032, 0.032)),
    "triangle_button": _button(Part(shape="triangle", pos=(0, 0, 0.036), cap=True)),
    "cross_button": _button(_emblem("box", 0.042, 0.0125), _emblem("box", 0.0125, 0.042)),
    "plate": Category(
        radius=0.056,
        grasp_height=0.008,
        parts=(
            Part(shape="cylinder", size=(0.056, 0.004), pos=(0, 0, 0.004), solid=True),
            Part(shape="cylinder", size=(0.036, 0.0005), pos=(0, 0, 0.0082), shade=0.72),
        ),
    ),
    "tray": Category(
        radius=0.066,
        grasp_height=0.006,
        parts=(
            Part(
                shape="box", size=(0.058, 0.044, 0.003), pos=(0, 0, 0.003), shade=0.62, solid=True
            ),
            *_TRAY_WALLS,
        ),
    ),
    "bowl": Category(
        radius=0.056,
        grasp_height=0.009,
        parts=(
            Part(shape="bowl"),
            Part(shape="cylinder", size=(0.034, 0.0006), pos=(0, 0, 0.0096), shade=0.45),
            Part(
                shape="cylinder",
                size=(0.042, 0.0045),
                pos=(0, 0, 0.0045),
                solid=True,
                visible=False,
            ),
            *_ring(10, 0.051, 0.024),
        ),
    ),
}


def _quat(yaw: float, pitch: float) -> tuple[float, float, float, float]:
    cy, sy, cp, sp = (f(a / 2) for a in (yaw, pitch) for f in (math.cos, math.sin))
    return (cy * cp, -sy * sp, cy * sp, sy * cp)


def add_parts(
    body: mujoco.MjsBody, slot: str, category: str, *, cap_body: mujoco.MjsBody | None = None
) -> None:
    """Adds a category's shapes to a slot, hidden and without collisions."""
    for index, part in enumerate(CATEGORIES[category].parts):
        owner = cap_body if part.cap and cap_body is not None else body
        geom = owner.add_geom(
            name=f"{slot}/{category}/{index}",
            pos=part.pos,
            quat=_quat(part.yaw, part.pitch),
            mass=0.0,
            contype=0,
            conaffinity=0,
            group=HIDDEN_GROUP,
        )
        if part.shape in MESHES:
            geom.type = mujoco.mjtGeom.mjGEOM_MESH
            geom.meshname = part.shape
        else:
            geom.type = getattr(mujoco.mjtGeom, f"mjGEOM_{part.shape.upper()}")
            geom.size = [*part.size, *([0.0] * (3 - len(part.size)))]


class Slot:
    """A body of a compiled model that can show any of its categories.

    Attributes:
        name: of its body.
        body_id: of its body.
        category: what it shows, None when hidden.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        name: str,
        categories: Sequence[str],
        *,
        bits: tuple[int, int],
        cap_bits: tuple[int, int] = (0, 0),
    ) -> None:
        """Finds the slot's shapes.

        Args:
            model: compiled, with the slot's shapes.
            name: the slot's name in the model.
            categories: those that were added to it.
            bits: contype and conaffinity of a solid shape.
            cap_bits: the same for a button's cap.
        """
        self.name = name
        self.body_id = int(model.body(name).id)
        self.category: str | None = None
        self._model = model
        self._ids: dict[str, np.ndarray] = {}
        self._bits: dict[str, np.ndarray] = {}
        for category in categories:
            parts = CATEGORIES[category].parts
            self._ids[category] = np.array(
                [model.geom(f"{name}/{category}/{i}").id for i in range(len(parts))]
            )
            self._bits[category] = np.array(
                [((cap_bits if p.cap else bits) if p.solid else (0, 0)) for p in parts]
            )

    @property
    def geom_ids(self) -> np.ndarray:
        """Shapes of the category that is shown, int [N]."""
        if self.category is None:
            return np.empty(0, int)
        return self._ids[self.category]

    def hide(self) -> None:
        """Shows nothing."""
        if self.category is not None:
            ids = self._ids[self.category]
            self._model.geom_group[ids] = HIDDEN_GROUP
            self._model.geom_contype[ids] = 0
            self._model.geom_conaffinity[ids] = 0
            self._update_bodies(ids)
        self.category = None

    def show(self, category: str, colour: str) -> None:
        """Shows a category in a colour.

        Raises:
            SceneError: this slot does not hold the category, or the colour is not one.
        """
        if category not in self._ids:
            raise SceneError(
                f"this environment cannot show a {category!r} here; "
                f"it can show {', '.join(self._ids)}."
            )
        rgb = LEXICON[colour].rgb
        if rgb is None:
            raise SceneError(f"{colour!r} is not a colour.")
        self.hide()
        model, ids = self._model, self._ids[category]
        for geom, part in zip(ids, CATEGORIES[category].parts, strict=True):
            if part.visible:
                model.geom_group[geom] = VISIBLE_GROUP
                model.geom_rgba[geom, :3] = part.rgb or [part.shade * c for c in rgb]
        model.geom_contype[ids] = self._bits[category][:, 0]
        model.geom_conaffinity[ids] = self._bits[category][:, 1]
        self._update_bodies(ids)
        self.category = category

    def _update_bodies(self, ids: np.ndarray) -> None:
        """The broad phase filters by each body's union of its shapes' bits."""
        model = self._model
        for body in set(model.geom_bodyid[ids].tolist()):
            first = int(model.body_geomadr[body])
            geoms = slice(first, first + int(model.body_geomnum[body]))
            model.body_contype[body] = np.bitwise_or.reduce(model.geom_contype[geoms])
            model.body_conaffinity[body] = np.bitwise_or.reduce(model.geom_conaffinity[geoms])
