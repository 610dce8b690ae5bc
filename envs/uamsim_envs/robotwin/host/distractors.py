"""Further things on RoboTwin's table, where they hinder no task."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from uamsim.errors import SceneError
from uamsim_envs.host.simulator import Rectangle, grown, place_circles
from uamsim_envs.robotwin.host.looks import TABLE_TOP, render_body
from uamsim_envs.robotwin.host.pictures import camera_of

_HALF = (0.59, 0.34)
"""m, of the table's top; as RoboTwin's own clutter."""
_LOW = 0.05
"""m; what is higher stands in the far half, out of the arms' way: as RoboTwin's own clutter."""
_GAP = 0.01
_MARGIN = 0.03
"""Share of the picture at each edge where a thing does not count as seen."""
_AIR = 0.0005
"""m above the table from which they come to rest."""
_TRIES = 100
_ROBOT_ABOVE = 0.12
"""m above the table, over which an arm is out of the way."""


def add_distractors(
    task: Any, things: Sequence[Mapping[str, Any]], rng: np.random.Generator
) -> list[list[float]]:
    """Stands things on the table, away from those of the task and where it keeps things away.

    They stand where the head camera sees them, unless there is no room; it is to be where RoboTwin
    puts it.

    Args:
        task: an instance of one of RoboTwin's classes, laid out.
        things: "parts" ("vertices" [V, 3] and "faces" [F, 3], origin at the base centre; "rgb";
            "visible"; "solid"), "radius" (m), "height" (m) and "mass" (kg).
        rng: of their places.

    Returns:
        The position of each (m, world).

    Raises:
        SceneError: there is no room.
    """
    kept_clear = [(x0, x1, y0, y1) for x0, y0, x1, y1 in task.prohibited_area]
    taken = [*kept_clear, *_covered(task)]
    places = _places(things, taken, _seen(task), rng)
    height = TABLE_TOP + task.table_z_bias + _AIR
    positions = []
    for thing, (x, y) in zip(things, places, strict=True):
        positions.append([x, y, height])
        _build(task.scene, thing, positions[-1], float(rng.uniform(-np.pi, np.pi)))
    return positions


def _covered(task: Any) -> list[Rectangle]:
    """Where anything stands on the table or hangs low above it."""
    table = TABLE_TOP + task.table_z_bias
    covered = []
    for entity in task.scene.entities:
        body = render_body(entity)
        if body is None or entity.name in ("table", "wall", "ground"):
            continue
        low, high = body.compute_global_aabb_tight()
        if high[2] > table and low[2] < table + _ROBOT_ABOVE:
            covered.append(grown((low[0], high[0], low[1], high[1]), _GAP))
    return covered


def _seen(task: Any) -> Callable[[float, float], bool]:
    """Whether the head camera sees what stands at x, y on the table."""
    camera = camera_of(task, "head")
    matrix, height = camera.get_extrinsic_matrix(), TABLE_TOP + task.table_z_bias
    to_pixels = camera.get_intrinsic_matrix() @ np.asarray(matrix)[:3]

    def seen(x: float, y: float) -> bool:
        across, down, depth = to_pixels @ (x, y, height, 1.0)
        share = across / depth / camera.width, down / depth / camera.height
        return bool(depth > 0 and all(_MARGIN < s < 1 - _MARGIN for s in share))

    return seen


def _places(
    things: Sequence[Mapping[str, Any]],
    taken: Sequence[Rectangle],
    seen: Callable[[float, float], bool],
    rng: np.random.Generator,
) -> list[tuple[float, float]]:
    x, y = _HALF
    circles = [(t["radius"], (-x, x, 0.0 if t["height"] > _LOW else -y, y)) for t in things]
    for where in ({"allowed": seen}, {}):
        places = place_circles(circles, taken, rng, gap=_GAP, tries=_TRIES, **where)
        if places is not None:
            return places
    raise SceneError(f"there is no room for {len(things)} distractors; ask for fewer.")


def _build(scene: Any, thing: Mapping[str, Any], position: list[float], yaw: float) -> None:
    import sapien  # type: ignore[import-not-found]

    body = sapien.physx.PhysxRigidDynamicComponent()
    shown = sapien.render.RenderBodyComponent()
    for part in thing["parts"]:
        vertices = np.asarray(part["vertices"], np.float32)
        if part["solid"]:
            body.attach(
                sapien.physx.PhysxCollisionShapeConvexMesh(
                    vertices=vertices, scale=[1, 1, 1], material=scene.default_physical_material
                )
            )
        if part["visible"]:
            shown.attach(_surface(vertices, np.asarray(part["faces"]), part["rgb"]))
    body.set_mass(thing["mass"])
    # Round things would roll for ever.
    body.set_angular_damping(20.0)
    entity = sapien.Entity()
    entity.set_name("distractor")
    entity.add_component(body)
    entity.add_component(shown)
    entity.set_pose(sapien.Pose(position, [np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]))
    scene.add_entity(entity)


def _surface(vertices: np.ndarray, faces: np.ndarray, rgb: Sequence[float]) -> Any:
    """A mesh with flat faces: the edges of a thing are not rounded by shared normals."""
    import sapien  # type: ignore[import-not-found]

    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    count = 3 * len(faces)
    return sapien.render.RenderShapeTriangleMesh(
        vertices=corners.reshape(count, 3),
        triangles=np.arange(count, dtype=np.uint32).reshape(-1, 3),
        normals=np.repeat(normals, 3, axis=0).astype(np.float32),
        uvs=np.zeros((count, 2), np.float32),
        material=sapien.render.RenderMaterial(base_color=[*rgb, 1.0]),
    )
