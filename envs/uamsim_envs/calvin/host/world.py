"""One CALVIN environment, used as it is: laid out from a seed, stepped and looked at apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from uamsim.errors import ConfigError, RenderingUnavailableError, SceneError
from uamsim_envs.calvin.host.changes import Changes
from uamsim_envs.calvin.host.experts import expert
from uamsim_envs.calvin.host.oracle import annotations, make_oracle, succeeded
from uamsim_envs.calvin.host.original import make_original, speed_up
from uamsim_envs.calvin.host.pictures import Poses, lowpoly_robot, resize_camera, show
from uamsim_envs.calvin.host.starts import draw_start
from uamsim_envs.calvin.host.state import BLOCKS, pack_scene, unpack_scene
from uamsim_envs.host.simulator import Simulator

_SEED = 0
"""Which ``PlayTableSimEnv`` has in calvin_env's config."""
DONE = "done"
"""The one stage of a task."""


class World(Simulator):
    """The methods that ``uamsim_envs.calvin.env`` calls.

    Attributes:
        original: the ``PlayTableSimEnv``; its cameras are taken away, so that it steps without
            drawing.
        cameras: name -> camera of calvin_env.
        oracle: calvin_env's judge.
        task: the present one.
        start_info: what the oracle compares the present with.
    """

    def __init__(self) -> None:
        super().__init__()
        self._next: np.ndarray | None = None
        self._gave_up: Exception | None = None

    def open(
        self,
        *,
        calvin: str,
        calvin_env: str,
        scene: str,
        render_profile: str,
        image_size: Sequence[int] | None,
    ) -> dict[str, Any]:
        """Builds the environment. To be called once, first.

        Args:
            calvin: checkout.
            calvin_env: checkout.
            scene: "A", "B", "C" or "D".
            render_profile: "tiny", "egl" or "tiny-lowpoly".
            image_size: (H, W) of every camera; None takes calvin_env's own.

        Returns:
            training: task -> its sentences. validation: task -> its sentence.

        Raises:
            ConfigError: it has one already.
            RenderingUnavailableError: no EGL.
        """
        self._check_first("CALVIN environment")
        try:
            self.original = make_original(Path(calvin_env), scene, use_egl=render_profile == "egl")
        except SystemExit:
            raise RenderingUnavailableError(
                "calvin_env could not load its EGL plugin. Install EGL (`uamsim doctor` says how), "
                "or take the render profile 'tiny'."
            ) from None
        speed_up(self.original)
        self.cameras = {camera.name: camera for camera in self.original.cameras}
        self.original.cameras = []
        if image_size is not None:
            for camera in self.cameras.values():
                resize_camera(camera, (image_size[0], image_size[1]))
        self._changes = Changes(self.original, self.cameras)
        shown = self.original.robot.filename
        simple = lowpoly_robot(self.original.scene.data_path / shown, self._changes.folder)
        self._simple_robot = str(simple)
        self._shown_robot = self._simple_robot if render_profile == "tiny-lowpoly" else shown
        if render_profile == "egl":
            for name in 2 * tuple(self.cameras):
                self._draw(name)  # the first two pictures of a process have another light
        self.oracle = make_oracle(Path(calvin))
        training, validation = annotations(Path(calvin))
        return {"training": training, "validation": validation}

    def pack(self, *, named: dict[str, Any]) -> np.ndarray:
        """``scene_obs`` [24] of a scene by names, see ``pack_scene``."""
        return pack_scene(self.original, named)

    def reset(
        self,
        *,
        seed: int,
        task: str,
        changes: dict[str, Any],
        robot_obs: np.ndarray | None = None,
        scene_obs: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Lays out an episode, which depends on the arguments alone.

        Args:
            seed: of the start, where none is given.
            task: which the oracle judges.
            changes: what is different about this world, see ``changes``.
            robot_obs: [15]; None with a ``scene_obs`` takes calvin_env's own.
            scene_obs: [24], blocks in this scene's order; None draws a start for the task.

        Returns:
            robot_obs, scene_obs: of the start. blocks: name -> position (m, world). distractors:
            position of each.

        Raises:
            SceneError: no start was found, or there is no room for the distractors.
        """
        original = self.original
        if scene_obs is None:
            robot_obs, scene_obs = self._draw_start(task, seed, changes)
            self._changes.begin(changes)
        else:
            self._changes.begin(changes)
            scene_obs = self._changes.raised(scene_obs)
        self._before_load(self._shown_robot)
        # Without loading, contacts and motors of the episode before would stay.
        original.load()
        self._changes.after_load()
        original.robot.gripper_action = 1 if robot_obs is None or robot_obs[14] > 0 else -1
        original.reset(robot_obs, scene_obs)
        distractors = self._changes.after_reset()
        state = original.get_state_obs()
        self._expert = self._next = self._gave_up = None
        self._history: list[tuple[np.ndarray, Poses]] = []
        self._keep(state)
        self.begin_task(task=task)
        named = unpack_scene(original, state["scene_obs"])
        return {
            "robot_obs": state["robot_obs"],
            "scene_obs": state["scene_obs"],
            "blocks": {name: named[name][:3].tolist() for name in BLOCKS},
            "distractors": distractors,
        }

    def _draw_start(
        self, task: str, seed: int, changes: dict[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        # It loads, which the simple robot makes faster, and draws its own. The blocks are the
        # episode's, since a start may have one in the hand.
        self._changes.begin({"blocks": changes.get("blocks", {})})
        self._before_load(self._simple_robot)
        try:
            return draw_start(self.original, task, np.random.default_rng(seed))
        except RuntimeError as error:
            raise SceneError(f"{error} (seed {seed}).") from None

    def _before_load(self, robot: str) -> None:
        # Loading draws where it puts the blocks, and that decides about the order of contacts;
        # this is where a new environment puts them.
        self.original.np_random.seed(_SEED)
        self.original.robot.filename = robot
        self.original.robot.gripper_action = 1

    def begin_task(self, *, task: str) -> None:
        """Another task from the present state.

        Raises:
            ConfigError: no such task.
        """
        if task not in self.oracle.tasks:
            raise ConfigError(f"CALVIN has the tasks {', '.join(self.oracle.tasks)}, not {task!r}.")
        self.task, self.start_info = task, self.original.get_info()

    def advance(self, *, actions: np.ndarray) -> dict[str, Any]:
        """See ``Simulator.advance``; of the gripper's number only the sign counts."""
        done = super().advance(actions=actions)
        if done["success"]:
            self._expert = None
        self._ask_expert()
        return done | {"stages": {DONE: done["success"]}, "scene_obs": self._scene_obs}

    def _step(self, action: np.ndarray) -> tuple[bool, bool]:
        action = np.array(action, np.float32)  # which calvin_env changes
        action[6] = 1.0 if action[6] > 0 else -1.0
        state, _, _, info = self.original.step(action)
        self._keep(state)
        self._scene_obs = state["scene_obs"]
        return succeeded(self.oracle, self.start_info, info, self.task), False

    def _keep(self, state: dict[str, Any]) -> None:
        self._history.append((state["robot_obs"], self._poses()))

    def observe(
        self, *, cameras: Sequence[str], picture_step: int, proprio_step: int
    ) -> dict[str, Any]:
        """What the cameras and the robot showed at control steps of this episode.

        Returns:
            pixels: camera -> uint8 [H, W, 3]. agent_pos: robot_obs, float32 [15].
        """
        if picture_step == len(self._history) - 1:
            pixels = {name: self._draw(name) for name in cameras}
        else:
            poses = self._history[picture_step][1]
            with show(self.original, self.cameras["gripper"], poses):
                pixels = {name: self._draw(name) for name in cameras}
        return {
            "pixels": pixels,
            "agent_pos": self._history[proprio_step][0].astype(np.float32),
        }

    def _poses(self) -> Poses:
        return Poses(self.original, self.cameras["gripper"].gripper_cam_link)

    def _draw(self, camera: str) -> np.ndarray:
        return np.ascontiguousarray(self.cameras[camera].render()[0])

    def begin_expert(self, *, seed: int) -> None:
        """Starts the scripted expert of the present task from the present state."""
        self._expert = iter(expert(self.original, self.task, np.random.default_rng(seed)))
        self._ask_expert()

    def _ask_expert(self) -> None:
        # At once, since what it reads is another 1/240 s after pictures of the past were drawn.
        self._next = self._gave_up = None
        if self._expert is None:
            return
        try:
            self._next = next(self._expert, None)
        except Exception as error:
            self._gave_up = error

    def next_action(self) -> np.ndarray | None:
        """The expert's action for the present state, float32 [7]; None where it has done.

        Raises:
            SceneError: the task cannot be done from here.
        """
        if self._gave_up is not None:
            raise self._gave_up
        return None if self._next is None else np.asarray(self._next, np.float32)

    def state(self) -> dict[str, np.ndarray]:
        """Positions and velocities of everything, for tests and comparisons."""
        seen = {"robot_obs": self._history[-1][0], "scene_obs": self.original.scene.get_obs()}
        return self._poses().arrays() | seen

    def close(self) -> None:
        """Removes what it wrote."""
        if self.original is not None:
            self._changes.close()
