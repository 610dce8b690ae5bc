"""One RoboTwin task, used as it is: laid out from a seed, stepped and looked at apart."""

import functools
import gc
from pathlib import Path
from typing import Any

import numpy as np

from uamsim.errors import ConfigError, RenderingUnavailableError, SceneError
from uamsim_envs.host.simulator import Simulator
from uamsim_envs.robotwin.host.changes import Changes, positions
from uamsim_envs.robotwin.host.original import load_original
from uamsim_envs.robotwin.host.pictures import Moment, draw, moment, show
from uamsim_envs.robotwin.tasks import RAY_TRACED

SHADOWLESS = "raster-shadowless"
_EXPERT_EVERY = 15
"""Physics steps between two frames of RoboTwin's demonstrations (``save_freq``)."""
_SIDES = ("left", "right")


class World(Simulator):
    """The methods that ``uamsim_envs.robotwin.env`` calls.

    Attributes:
        original: an instance of the task's class.
    """

    def __init__(self) -> None:
        super().__init__()
        self._num_steps = 0
        self._changed: dict[str, Any] = {}
        self._history: list[tuple[np.ndarray, Moment]] = []

    def open(
        self,
        *,
        checkout: str,
        task: str,
        config: str,
        render_profile: str,
        planner: str,
        image_size: Any,
    ) -> dict[str, Any]:
        """Loads the task. To be called once, first.

        Args:
            checkout: RoboTwin's repository, with assets.
            task: name of the task's module.
            config: "demo_clean" or "demo_randomized".
            render_profile: "raster", "raster-shadowless" or "ray-traced".
            planner: of the experts, see ``planners.find_planner``.
            image_size: (H, W) of all pictures; None takes RoboTwin's own.

        Returns:
            embodiment: name of the robot.

        Raises:
            ConfigError: it has one already, or cannot import the planner.
            RenderingUnavailableError: no Vulkan device.
        """
        self._check_first("RoboTwin task")
        import sapien  # type: ignore[import-not-found]

        try:
            sapien.Scene()
        except RuntimeError as error:
            raise RenderingUnavailableError(
                f"SAPIEN finds no Vulkan device to draw with ({error}); `uamsim doctor` says what "
                "to install."
            ) from None
        root = Path(checkout)
        made = load_original(root, task, rasterise=render_profile != RAY_TRACED, planner=planner)()
        self._size, self._shadowless = image_size, render_profile == SHADOWLESS
        self._arguments = read_arguments(root, task, config)
        self.original, self._changes = made, Changes(made)
        return {"embodiment": "+".join(map(str, self._arguments["embodiment"]))}

    def reset(
        self,
        *,
        seed: int,
        control: str,
        ask: bool = True,
        changes: dict[str, Any] | None = None,
        kept: dict[str, list[str]] | None = None,
    ) -> dict[str, Any]:
        """Lays an episode out.

        Args:
            seed: RoboTwin's.
            control: "joint" or "ee".
            ask: whether the expert is asked what instructions name.
            changes: what is different about this world, see ``changes``.
            kept: name -> attributes of the task that hold things.

        Returns:
            info: what instructions name, placeholder -> value; nothing where it was not asked.
            things: name -> positions (m, world). distractors: position of each.

        Raises:
            SceneError: things do not come to rest, the expert fails, or distractors have no room.
        """
        self._changed = changes or {}
        info = self._read_info(seed) if ask else {}
        added = self._lay_out(seed)
        self._seed, self._num_steps = seed, 0
        self._kind = {"joint": "qpos", "ee": "ee"}[control]
        self._history = []
        self._keep()
        return {
            "info": info,
            "things": positions(self.original, kept or {}),
            "distractors": added,
            "targets": self._targets(),
            "agent_pos": self._agent_pos(),
        }

    def _keep(self) -> None:
        self._history.append((self._agent_pos(), moment(self.original)))

    def _read_info(self, seed: int) -> dict[str, str]:
        """What an expert says that it would do; the scene is to be laid out again afterwards."""
        self._lay_out(seed)
        # Experts that cannot plan do not move, and say it nevertheless.
        self.original.plan_success = False
        try:
            return dict(self.original.play_once()["info"])
        except OSError:
            raise
        except Exception:
            pass  # some look at what they have not planned: those are played
        self._lay_out(seed)
        try:
            return self.play_expert()["info"]
        except OSError:
            raise
        except Exception as error:
            raise SceneError(f"RoboTwin's seed {seed}: its expert fails: {error!r}") from None

    def _lay_out(self, seed: int) -> list[list[float]]:
        from envs.utils import UnStableError  # type: ignore[import-not-found]

        self._expert = None
        self.original.__dict__.pop("_update_render", None)
        self.original.__dict__.pop("get_obs", None)
        if self._shadowless:
            own = type(self.original).setup_scene
            self.original.setup_scene = lambda **given: own(
                self.original, **{"shadow": False, **given}
            )
        arguments = {"now_ep_num": 0, "seed": seed, "is_test": True, **self._arguments}
        try:
            added = self._changes.lay_out(
                functools.partial(self.original.setup_demo, **arguments), self._changed
            )
        except UnStableError as error:
            raise SceneError(f"RoboTwin's seed {seed}: {error}") from None
        finally:
            gc.collect()  # scenes hold each other in circles
        # The step limit is kept outside; pictures are drawn when they are asked for. What remains
        # of ``_update_render`` is what draws random numbers.
        self.original.step_lim = None
        self.original.get_obs = dict
        if not self.original.crazy_random_light:
            self.original._update_render = _nothing
        return added

    def advance(self, *, actions: np.ndarray) -> dict[str, Any]:
        """See ``Simulator.advance``; actions are as RoboTwin's ``take_action`` takes them."""
        done = super().advance(actions=np.asarray(actions, float))
        return done | {"stages": {"done": done["success"]}, "targets": self._targets()}

    def _step(self, action: np.ndarray) -> tuple[bool, bool]:
        self.original.take_action(action, action_type=self._kind)
        self._keep()
        self._num_steps += 1
        return bool(self.original.eval_success), False

    def observe(self, *, cameras: Any, picture_step: int, proprio_step: int) -> dict[str, Any]:
        """What cameras and joint sensors showed after so many steps of this episode.

        Returns:
            pixels: camera -> uint8 [H, W, 3]. agent_pos: see ``reset``.
        """
        if cameras:
            past = None if picture_step == self._num_steps else self._history[picture_step][1]
            show(self.original, past)
        pixels = {c: draw(self.original, c, self._size) for c in cameras}
        return {"pixels": pixels, "agent_pos": self._history[proprio_step][0]}

    def begin_expert(self, *, seed: int) -> None:
        """Plays the expert, lays the episode out again, and keeps the expert's targets.

        Args:
            seed: not used; RoboTwin's expert depends on the episode alone.

        Raises:
            ConfigError: the episode has begun.
        """
        if self._num_steps:
            raise ConfigError("RoboTwin's expert plays an episode from its beginning; reset first.")
        targets: list[np.ndarray] = []
        self.play_expert(targets)
        self._lay_out(self._seed)
        self._expert = iter(targets)

    def play_expert(self, targets: list[np.ndarray] | None = None) -> dict[str, Any]:
        """Plays the expert as RoboTwin's evaluation does, by its own paths in physics steps.

        Args:
            targets: is given the drive targets at each frame of a demonstration, and at the end.

        Returns:
            success: as RoboTwin counts it. info: what instructions name. physics_steps.
        """
        count = 0
        scene = self.original.scene
        step = scene.step

        def counted() -> None:
            nonlocal count
            step()
            count += 1
            if targets is not None and count % _EXPERT_EVERY == 0:
                targets.append(self._targets())

        self.original.scene = _Stepped(scene, counted)
        try:
            info = dict(self.original.play_once()["info"])
        finally:
            self.original.scene = scene
        if targets is not None:
            targets.append(self._targets())
        success = bool(self.original.plan_success and self.original.check_success())
        return {"success": success, "info": info, "physics_steps": count}

    def check_seed(self, *, seed: int) -> dict[str, Any]:
        """Whether the expert solves a seed, as RoboTwin's evaluation asks.

        Returns:
            success: false also where things do not come to rest or the expert fails. info: what
            instructions name. error: why it failed, or "".
        """
        self._changed = {}
        try:
            self._lay_out(seed)
            return {"error": "", **self.play_expert()}
        except OSError:
            raise  # assets are missing: no seed will do
        except Exception as error:
            return {"success": False, "info": {}, "physics_steps": 0, "error": repr(error)}

    def _targets(self) -> np.ndarray:
        """What the arms are told: [14], or poses and grippers [16]."""
        robot = self.original.robot
        if getattr(self, "_kind", "qpos") == "ee":
            return self._poses()
        return np.array(robot.get_left_arm_jointState() + robot.get_right_arm_jointState(), float)

    def _poses(self) -> np.ndarray:
        robot = self.original.robot
        numbers: list[float] = []
        for side in _SIDES:
            numbers += [*getattr(robot, f"get_{side}_ee_pose")(), self._gripper(side)]
        return np.array(numbers, float)

    def _agent_pos(self) -> np.ndarray:
        """Measured: joints (rad) and gripper (0..1) of each arm [14], or poses [16]."""
        if self._kind == "ee":
            return self._poses().astype(np.float32)
        numbers: list[float] = []
        for side in _SIDES:
            real = getattr(self.original.robot, f"get_{side}_arm_real_jointState")()
            numbers += [*real[:-1], self._gripper(side)]
        return np.array(numbers, np.float32)

    def _gripper(self, side: str) -> float:
        """Measured opening, 0..1."""
        robot = self.original.robot
        entity, joint = getattr(robot, f"{side}_entity"), getattr(robot, f"{side}_gripper")[0][0]
        low, high = getattr(robot, f"{side}_gripper_scale")
        position = entity.get_qpos()[entity.get_active_joints().index(joint)]
        return float(np.clip((position - low) / (high - low), 0.0, 1.0))

    def state(self) -> dict[str, np.ndarray]:
        """Joints, and poses of all things (position, quaternion)."""
        robot, things = self.original.robot, self.original.scene.get_all_actors()
        poses = [[*t.get_pose().p, *t.get_pose().q] for t in things]
        return {
            "qpos": np.array(robot.left_entity.get_qpos(), float),
            "qvel": np.array(robot.left_entity.get_qvel(), float),
            "things": np.array(poses, float),
        }


class _Stepped:
    """A scene whose steps are counted."""

    def __init__(self, scene: Any, step: Any) -> None:
        self._scene, self.step = scene, step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scene, name)


def _nothing() -> None:
    """Stands in for drawing what nobody looks at."""


def read_arguments(root: Path, task: str, config: str) -> dict[str, Any]:
    """What ``setup_demo`` takes, put together as RoboTwin's own evaluation does.

    Args:
        root: RoboTwin's repository.
        task: name of the task.
        config: name of a file in ``task_config``.
    """
    import yaml

    def read(path: Path) -> Any:
        return yaml.safe_load(path.read_text("utf-8"))

    given = read(root / "task_config" / f"{config}.yml")
    files = read(root / "task_config" / "_embodiment_config.yml")
    named = given["embodiment"]
    left = files[named[0]]["file_path"]
    right = files[named[min(1, len(named) - 1)]]["file_path"]
    if len(named) == 3:
        given["embodiment_dis"] = named[2]
    return given | {
        "task_name": task,
        "left_robot_file": left,
        "right_robot_file": right,
        "left_embodiment_config": read(root / left / "config.yml"),
        "right_embodiment_config": read(root / right / "config.yml"),
        "dual_arm_embodied": len(named) == 1,
        "eval_mode": True,
        "save_data": False,
        "render_freq": 0,
    }
