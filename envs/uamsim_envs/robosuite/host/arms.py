"""Actions of the project's "ee" kind, carried out by robosuite's own operational space control.

For each arm 7 numbers: the gripper's position (3, m, world), its rotation vector (3, rad, world)
away from how it points straight down in front of its base, and its opening (1 open, 0 closed).
"""

from typing import Any

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

CONTROL_HZ = 50
MAX_SPEED = 1.0
MAX_TURN = 10.0
"""m/s and rad/s of a target: what robosuite's relative actions can ask for at most (0.05 m and
0.5 rad at 20 Hz)."""
_DOWN = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""The gripper's axes as columns, in the frame of the arm's base."""
_OPEN_M = 0.04
"""Travel of each finger."""


class Arm:
    """One Panda.

    Attributes:
        rest: the action that leaves it where it was when the episode began.
        target: the action that is carried out now, after the limits of speed.
    """

    def __init__(self, env: Any, robot: Any) -> None:
        self._env, self._robot = env, robot
        self._name = robot.arms[0]
        self.gripper = robot.gripper[self._name]
        model = env.sim.model._model
        self._site = int(robot.eef_site_id[self._name])
        self._fingers = [int(model.joint(j).qposadr[0]) for j in self.gripper.joints]
        self._base = int(model.body(robot.robot_model.root_body).id)
        self.rest = self.target = np.zeros(7)

    def reset(self) -> None:
        """Begins an episode from the present state."""
        data = self._env.sim.data._data
        mujoco.mj_kinematics(self._env.sim.model._model, data)
        self.target = self.measure(data)
        self.rest = self.target.copy()

    @property
    def down(self) -> np.ndarray:
        """Orientation of a gripper that points straight down, axes as columns."""
        return self._env.sim.data._data.xmat[self._base].reshape(3, 3) @ _DOWN

    def measure(self, data: mujoco.MjData) -> np.ndarray:
        """The pose and opening in a state, in the representation of an action."""
        down = data.xmat[self._base].reshape(3, 3) @ _DOWN
        turn = Rotation.from_matrix(data.site_xmat[self._site].reshape(3, 3) @ down.T)
        opening = float(np.mean(np.abs(data.qpos[self._fingers]))) / _OPEN_M
        return np.concatenate([data.site_xpos[self._site], turn.as_rotvec(), [opening]])

    def command(self, action: np.ndarray) -> np.ndarray:
        """What robosuite's controllers take for an action of ours."""
        step = _clipped(action[:3] - self.target[:3], MAX_SPEED / CONTROL_HZ)
        now = Rotation.from_rotvec(self.target[3:6])
        turn = (Rotation.from_rotvec(action[3:6]) * now.inv()).as_rotvec()
        now = Rotation.from_rotvec(_clipped(turn, MAX_TURN / CONTROL_HZ)) * now
        opening = min(max(float(action[6]), 0.0), 1.0)
        self.target = np.concatenate([self.target[:3] + step, now.as_rotvec(), [opening]])
        rotation = Rotation.from_matrix(now.as_matrix() @ self.down).as_rotvec()
        # The gripper takes a direction, and goes on from what it was told before: +1 is closed.
        closed = float(np.broadcast_to(self.gripper.current_action, 2)[1])
        error = (1.0 - 2.0 * opening) - closed
        direction = float(np.sign(error)) if abs(error) > 0.1 else 0.0
        return np.concatenate([self.target[:3], rotation, [direction]])


def _clipped(vector: np.ndarray, length: float) -> np.ndarray:
    norm = float(np.linalg.norm(vector))
    return vector if norm <= length else vector * (length / norm)
