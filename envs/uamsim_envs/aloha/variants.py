"""Things of unseen sizes and textures, and more of them than a task needs."""

from collections.abc import Sequence

import mujoco
import numpy as np
from jaxtyping import UInt8

from uamsim.perturbations.axes.objects import SMALLEST, Distractors, NovelSize, NovelTexture
from uamsim.perturbations.values import Composition, Parameters
from uamsim_envs.aloha.world import World
from uamsim_envs.meshes import MESHES
from uamsim_envs.objects import CATEGORIES
from uamsim_envs.patterns import draw_marks

PATTERN = "things/pattern"
_TEXELS = 96
GRASPABLE = 0.064
"""m that a thing may be wide for open fingers to go down beside it; they are 0.074 apart."""
_LARGEST = 1.4


class Variants:
    """Gives the slots of one world the sizes and textures that episodes ask for.

    Where there are distractors, all but the named thing may sleep.

    A size is compiled once and its numbers are then written into the world's model, which keeps
    its renderer and its slots.
    """

    def __init__(self, world: World, composition: Composition, slots: str) -> None:
        """Compiles nothing yet.

        Args:
            world: made with ``prepare``.
            composition: of every episode.
            slots: name prefix of the slots; the first shows the named thing.
        """
        self._world = world
        self._size = composition.find(NovelSize)
        self._slots = world.slots[slots]
        self._differences: dict[tuple[str, float], dict[str, np.ndarray]] = {}
        self._mean_inertias: dict[tuple[str, float], float] = {}
        self._compiled: mujoco.MjModel | None = None
        if Distractors in {type(p) for p in composition.active()}:
            world.let_sleep([slot.name for slot in self._slots[1:]])

    def change(
        self, drawn: dict[str, Parameters], category: str, usable: tuple[float, float]
    ) -> float:
        """Applies what an episode drew, and undoes what the last one did.

        Args:
            drawn: of the episode; gets the factor of ``NovelSize``.
            category: of the named thing.
            usable: least and greatest factor on its lengths.

        Returns:
            The factor on the named thing's lengths.
        """
        if "NovelTexture" in drawn:
            self._world.paint(PATTERN, pattern_of(drawn["NovelTexture"]))
        if self._size is None or "NovelSize" not in drawn:
            return 1.0
        factor = self._size.scale(drawn["NovelSize"], (1.0, 1.0), usable)
        drawn["NovelSize"] = {"larger": factor > 1.0, "factor": factor}
        self._resize(category, factor)
        return factor

    def _resize(self, category: str, factor: float) -> None:
        model, slot = self._world.model, self._slots[0].name
        if self._compiled is None:
            self._compiled = self._world.compile(lambda spec: None)
        wanted = (category, factor)
        if wanted not in self._differences:
            resized = self._world.compile(lambda spec: resize_slot(spec, slot, category, factor))
            self._differences[wanted] = _differences(self._compiled, resized)
            self._mean_inertias[wanted] = resized.stat.meaninertia
        for name in {name for changed in self._differences.values() for name in changed}:
            getattr(model, name)[:] = getattr(self._compiled, name)
        for name, values in self._differences[wanted].items():
            getattr(model, name)[:] = values
        model.stat.meaninertia = self._mean_inertias[wanted]
        for index in range(model.nmesh):
            if model.mesh(index).name.endswith(f"@{slot}"):
                self._world.renderer.reload_mesh(index)


def _differences(one: mujoco.MjModel, other: mujoco.MjModel) -> dict[str, np.ndarray]:
    """The arrays of the other model that are not the first's; both have the same sizes."""
    arrays = (name for name in dir(one) if isinstance(getattr(one, name), np.ndarray))
    return {
        name: getattr(other, name).copy()
        for name in arrays
        if not name.startswith("_") and not np.array_equal(getattr(one, name), getattr(other, name))
    }


def graspable_sizes(category: str) -> tuple[float, float]:
    """Least and greatest factor on a slot's category with which a gripper can hold it."""
    widest = max(_half_width(category, i) for i in range(len(CATEGORIES[category].parts)))
    return SMALLEST, min(_LARGEST, GRASPABLE / (2.0 * widest))


def _half_width(category: str, index: int) -> float:
    """Of a solid shape along x, where the fingers close (m)."""
    part = CATEGORIES[category].parts[index]
    return abs(part.pos[0]) + part.size[0] if part.solid else 0.0


def prepare_slots(spec: mujoco.MjSpec, composition: Composition, slots: Sequence[str]) -> None:
    """Adds to slots what ``Variants`` needs to be there; nothing without a perturbation of it.

    Args:
        spec: with the slots' shapes.
        composition: of every episode.
        slots: their names; the first shows the named thing.
    """
    wanted = {type(p) for p in composition.active()} if slots else set()
    if NovelTexture in wanted:
        add_pattern(spec, np.full((6 * _TEXELS, _TEXELS, 3), 255, np.uint8))
        for geom in spec.geoms:
            if geom.name.startswith(tuple(f"{slot}/" for slot in slots)):
                geom.material = PATTERN
    if NovelSize in wanted:
        for geom in spec.geoms:
            if geom.name.startswith(f"{slots[0]}/") and geom.meshname:
                vertices, faces = MESHES[geom.meshname]
                geom.meshname = f"{geom.meshname}@{slots[0]}"
                if spec.mesh(geom.meshname) is None:
                    spec.add_mesh(
                        name=geom.meshname, uservert=vertices.ravel(), userface=faces.ravel()
                    )


def resize_slot(spec: mujoco.MjSpec, slot: str, category: str, factor: float) -> None:
    """Scales the lengths of one category in a slot; a free slot's mass stays.

    Args:
        spec: with the slot's shapes, after ``prepare_slots``.
        slot: its name.
        category: what it is going to show.
        factor: on all lengths.
    """
    body = spec.body(slot)
    if body.explicitinertial:
        body.ipos = [factor * x for x in body.ipos]
        body.inertia = [factor**2 * x for x in body.inertia]
    for index, part in enumerate(CATEGORIES[category].parts):
        geom = spec.geom(f"{slot}/{category}/{index}")
        geom.pos = [factor * x for x in part.pos]
        if part.shape in MESHES:
            mesh = spec.mesh(geom.meshname)
            mesh.uservert = (factor * MESHES[part.shape][0]).ravel()
        else:
            geom.size = [factor * x for x in geom.size]


def pattern_of(drawn: Parameters) -> UInt8[np.ndarray, "H W 3"]:
    """The six faces, one below the other, of what ``NovelTexture`` drew."""
    return np.tile(draw_marks(drawn, _TEXELS), (6, 1, 1))


def add_pattern(spec: mujoco.MjSpec, faces: UInt8[np.ndarray, "H W 3"]) -> None:
    """Adds a texture, called ``PATTERN``, and a material with it.

    Args:
        spec: gets them.
        faces: as from ``pattern_of``.
    """
    texture = spec.add_texture(
        name=PATTERN,
        type=mujoco.mjtTexture.mjTEXTURE_CUBE,
        width=_TEXELS,
        height=6 * _TEXELS,
        nchannel=3,
    )
    texture.data = faces.tobytes()
    spec.add_material(name=PATTERN).textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = PATTERN


def paint_materials(spec: mujoco.MjSpec, names: Sequence[str]) -> None:
    """Gives the pattern to materials of the spec."""
    for name in names:
        spec.material(name).textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = PATTERN
