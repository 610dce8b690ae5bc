"""Scripted experts, from the live state: one arm picks a thing from above and brings it somewhere.

An expert is a generator of actions of the project's "ee" kind (see ``arms``).
"""

from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np

from uamsim_envs.robosuite.host.arms import CONTROL_HZ, Arm
from uamsim_envs.robosuite.host.tasks import Task

Action = np.ndarray
_OPEN, _CLOSED = 1.0, 0.0
_WIDEST = 0.075
"""m that a gripper can hold."""
_FINGERS_YAW = np.pi / 2
"""Direction in which the fingers move at yaw 0 (rad, world), for an arm that looks along x."""
_NEAR = 0.006
"""m from its target at which a gripper has arrived."""
_TRIES = 3
_SETTLE_S = 0.5
_CLOSE_S = 0.45
_DEEP = 0.035
"""m below a thing's top at which it is taken, where it is so high."""


class Expert:
    """Base of the experts; a subclass writes ``play``."""

    def __init__(self, env: Any, task: Task, arms: list[Arm], rng: np.random.Generator) -> None:
        """Draws how fast it moves and how high."""
        self.env, self.task, self.arm = env, task, arms[0]
        self.speed = float(rng.uniform(0.22, 0.32))
        self.height = float(rng.uniform(0.08, 0.12))
        self._yaw = 0.0

    def play(self) -> Iterator[Action]:
        """The whole episode."""
        raise NotImplementedError

    # Moving.

    @property
    def here(self) -> np.ndarray:
        """Where the gripper is (m, world)."""
        return self.arm.measure(self.env.sim.data._data)[:3]

    def go(self, pos: np.ndarray, grip: float, *, speed: float = 1.0) -> Iterator[Action]:
        """Straight to a place with the present yaw, and waits there a moment.

        Args:
            pos: m, world.
            grip: opening.
            speed: share of the expert's own.
        """
        start, start_yaw = self.arm.target[:3].copy(), float(self.arm.target[5])
        length = float(np.linalg.norm(pos - start))
        turn = abs(self._yaw - start_yaw)
        steps = max(1, round(CONTROL_HZ * max(length / (speed * self.speed), turn / 2.5)))
        for step in range(1, steps + 1):
            # Slow at both ends.
            share = 0.5 - 0.5 * np.cos(np.pi * step / steps)
            yaw = start_yaw + share * (self._yaw - start_yaw)
            yield self._action(start + share * (pos - start), yaw, grip)
        for _ in range(round(CONTROL_HZ * _SETTLE_S)):
            if np.linalg.norm(self.here - pos) < _NEAR:
                return
            yield self._action(pos, self._yaw, grip)

    def wait(self, seconds: float, grip: float) -> Iterator[Action]:
        """Stays where it is told to be."""
        pos = self.arm.target[:3].copy()
        for _ in range(round(CONTROL_HZ * seconds)):
            yield self._action(pos, self._yaw, grip)

    def _action(self, pos: np.ndarray, yaw: float, grip: float) -> Action:
        return np.array([*pos, 0.0, 0.0, yaw, grip], np.float32)

    # Taking and putting down.

    def take(self, body: str) -> Iterator[Action]:
        """Grasps a thing from above and lifts it; tries again where it slipped."""
        for attempt in range(_TRIES):
            low, high = self.extent(body)
            self._yaw = self.choose_yaw(body, attempt)
            centre = self.env.sim.data.get_body_xpos(body).copy()
            centre[:2] = self.middle(body)
            top = centre[2] + high[2]
            grasp = centre.copy()
            grasp[2] = max(top - _DEEP, centre[2] + 0.5 * (low[2] + high[2]))
            above = np.array([*grasp[:2], max(top, self.task.surface[2]) + self.height])
            if self.here[2] < above[2] - 0.03:
                yield from self.go(np.array([*self.here[:2], above[2]]), _OPEN)
            yield from self.go(above, _OPEN)
            yield from self.go(grasp, _OPEN, speed=0.6)
            yield from self.wait(_CLOSE_S, _CLOSED)
            up = np.array([*grasp[:2], above[2] + 0.04])
            yield from self.go(up, _CLOSED, speed=0.8)
            if self.task.held():
                return
            yield from self.wait(0.2, _OPEN)

    def put(self, body: str, xy: np.ndarray, bottom: float) -> Iterator[Action]:
        """Brings a held thing over a place, lowers it and lets go.

        Args:
            body: what is held.
            xy: where its middle is to be (m, world).
            bottom: height at which its lowest point is let go (m, world).
        """
        high = self.here
        offset = self.here[:2] - self.middle(body)
        over = np.array([*(xy + offset), high[2]])
        yield from self.go(over, _CLOSED)
        offset = self.here[:2] - self.middle(body)
        lower = self.here[2] - self.lowest(body) + bottom
        yield from self.go(np.array([*(xy + offset), lower]), _CLOSED, speed=0.6)
        yield from self.wait(0.3, _OPEN)
        yield from self.go(np.array([*self.here[:2], high[2]]), _OPEN)

    # The shape of a thing.

    def extent(self, body: str) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest coordinates of its shapes in its own frame (m)."""
        model = self.env.sim.model._model
        index = model.body(body).id
        geoms = [g for g in range(model.ngeom) if model.geom_bodyid[g] == index]
        corners = []
        for geom in geoms:
            centre, half = model.geom_aabb[geom][:3], model.geom_aabb[geom][3:]
            rotation = _matrix(model.geom_quat[geom])
            middle = model.geom_pos[geom] + rotation @ centre
            reach = np.abs(rotation) @ half
            corners += [middle - reach, middle + reach]
        return np.min(corners, axis=0), np.max(corners, axis=0)

    def middle(self, body: str) -> np.ndarray:
        """Middle of its shapes in x and y (m, world)."""
        low, high = self.extent(body)
        return self._to_world(body, (low + high) / 2)[:2]

    def lowest(self, body: str) -> float:
        """Height of its lowest corner (m, world)."""
        low, high = self.extent(body)
        corners = [[(low, high)[(i >> k) & 1][k] for k in range(3)] for i in range(8)]
        return min(float(self._to_world(body, np.array(c))[2]) for c in corners)

    def _to_world(self, body: str, point: np.ndarray) -> np.ndarray:
        data = self.env.sim.data
        return data.get_body_xpos(body) + data.get_body_xmat(body).reshape(3, 3) @ point

    def choose_yaw(self, body: str, attempt: int) -> float:
        """How far the gripper is to be turned, so that its fingers fit around a thing."""
        low, high = self.extent(body)
        rotation = self.env.sim.data.get_body_xmat(body).reshape(3, 3)
        options = []
        for axis in (0, 1):
            width = high[axis] - low[axis]
            direction = rotation[:2, axis]
            across = np.arctan2(direction[1], direction[0]) - _FINGERS_YAW
            yaw = (across + np.pi / 2) % np.pi - np.pi / 2
            options.append((width > _WIDEST, self._crowded(body, yaw, width), abs(yaw), yaw))
        options.sort()
        usable = [o for o in options if not o[0]] or options
        return float(usable[attempt % len(usable)][3])

    def _crowded(self, body: str, yaw: float, width: float) -> float:
        """How much there is where the open fingers would come down (m, 0 is best)."""
        at = self.middle(body)
        along = yaw + _FINGERS_YAW
        finger = np.array([np.cos(along), np.sin(along)])
        places = [at + sign * finger * 0.05 for sign in (-1, 1)]
        worst = 0.0
        for other in self.others(body):
            for place in places:
                gap = float(np.linalg.norm(self.env.sim.data.get_body_xpos(other)[:2] - place))
                worst = max(worst, 0.055 - gap)
        half = self.task.surface_half - 0.02
        for place in places:
            outside = np.abs(place - self.task.surface[:2]) - half
            worst = max(worst, float(outside.max()))
        return round(max(0.0, worst), 3)

    def others(self, body: str) -> list[str]:
        """Everything else that stands about."""
        roots = [obj.root_body for obj in self.env.model.mujoco_objects]
        return [r for r in roots if r != body and not r.startswith("Visual")]


def _matrix(quat: np.ndarray) -> np.ndarray:
    out = np.empty(9)
    mujoco.mju_quat2Mat(out, quat)
    return out.reshape(3, 3)


class LiftExpert(Expert):
    """Takes the cube and lifts it."""

    def play(self) -> Iterator[Action]:
        """See ``Expert.play``."""
        yield from self.take("cube_main")
        yield from self.wait(0.5, _CLOSED)


class StackExpert(Expert):
    """Takes the red cube and puts it on the green one."""

    def play(self) -> Iterator[Action]:
        """See ``Expert.play``."""
        for _ in range(2):
            yield from self.take("cubeA_main")
            base = self.env.sim.data.get_body_xpos("cubeB_main").copy()
            bottom = base[2] + self.extent("cubeB_main")[1][2] + 0.004
            yield from self.put("cubeA_main", base[:2], bottom)
            yield from self.wait(0.3, _OPEN)


class PickPlaceExpert(Expert):
    """Takes the named thing and puts it into its bin."""

    def play(self) -> Iterator[Action]:
        """See ``Expert.play``."""
        body = self.task.object().root_body
        bin_pos = self.env.target_bin_placements[self.task.target]
        for _ in range(2):
            yield from self.take(body)
            yield from self.put(body, bin_pos[:2], bin_pos[2] + 0.03)
            yield from self.wait(0.3, _OPEN)


EXPERTS: dict[str, type[Expert]] = {
    "Lift": LiftExpert,
    "Stack": StackExpert,
    "PickPlace": PickPlaceExpert,
}
"""Name in robosuite -> its expert."""
