"""Further things in robosuite's arenas: made of its own primitives, placed beside what is there."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from robosuite.models.objects import (  # pyright: ignore[reportMissingImports]
    BallObject,
    BoxObject,
    CylinderObject,
)

from uamsim.errors import SceneError
from uamsim_envs.robosuite.host.tasks import Task

_MAKERS = {
    "cube": (BoxObject, (0.020, 0.020, 0.020)),
    "ball": (BallObject, (0.022,)),
    "can": (CylinderObject, (0.020, 0.030)),
}
"""Category -> robosuite's class and its half sizes (m)."""
_HEIGHTS = {"cube": 0.020, "ball": 0.022, "can": 0.030}
RADIUS = 0.03
_GAP = 0.045
"""m between a distractor and anything else: an open finger has room there."""
_EDGE = 0.05
_TRIES = 3000


def add_distractors(env: Any, distractors: Sequence[dict[str, Any]]) -> None:
    """Adds bodies to a model that is loaded but not compiled.

    Args:
        env: robosuite's.
        distractors: category, rgb and name each.
    """
    objects = []
    for distractor in distractors:
        cls, size = _MAKERS[distractor["category"]]
        objects.append(
            cls(
                name=distractor["name"],
                size=list(size),
                rgba=[*distractor["rgb"], 1.0],
                joints=[{"type": "free", "damping": "0.0005"}],
            )
        )
    env.model.merge_objects(objects)
    env.model.mujoco_objects.extend(objects)


def place_distractors(
    env: Any, task: Task, distractors: Sequence[dict[str, Any]], rng: np.random.Generator
) -> None:
    """Stands the distractors on the table, clear of the task's things and of each other.

    Raises:
        SceneError: there is no room.
    """
    names = {d["name"] for d in distractors}
    model, data = env.sim.model._model, env.sim.data._data
    taken = []
    for obj in env.model.mujoco_objects:
        if obj.name not in names:
            radius = float(getattr(obj, "horizontal_radius", 0.1))
            taken.append((env.sim.data.get_body_xpos(obj.root_body)[:2].copy(), radius))
    taken += [(data.xpos[model.body(p).id][:2].copy(), 0.04) for p in _pegs(model)]
    surface, half = task.surface, task.surface_half - _EDGE
    for distractor in distractors:
        for _ in range(_TRIES):
            xy = surface[:2] + rng.uniform(-half, half)
            # Within the arms' reach, where the cameras look.
            if np.linalg.norm(xy - surface[:2]) > 0.3:
                continue
            if all(np.linalg.norm(xy - p) > r + RADIUS + _GAP for p, r in taken):
                break
        else:
            raise SceneError(f"there is no room for {len(distractors)} distractors.")
        taken.append((xy, RADIUS))
        turn = rng.uniform(-np.pi, np.pi) / 2
        height = surface[2] + _HEIGHTS[distractor["category"]] + 0.001
        joint = model.joint(distractor["name"] + "_joint0")
        start = int(joint.qposadr[0])
        data.qpos[start : start + 7] = [*xy, height, np.cos(turn), 0, 0, np.sin(turn)]


def _pegs(model: Any) -> list[str]:
    names = [model.body(i).name for i in range(model.nbody)]
    return [name for name in names if name.startswith("peg")]
