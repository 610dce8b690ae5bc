"""One robosuite environment, used as it is: laid out from a seed, stepped and looked at apart."""

from collections.abc import Iterator, Sequence
from typing import Any

import mujoco
import numpy as np
import robosuite  # pyright: ignore[reportMissingImports]
from robosuite import load_composite_controller_config  # pyright: ignore[reportMissingImports]

from uamsim.errors import ConfigError, SceneError
from uamsim_envs.host.simulator import Simulator
from uamsim_envs.rendering import RenderProfile, SceneRenderer, apply_profile
from uamsim_envs.robosuite.host.arms import Arm
from uamsim_envs.robosuite.host.distractors import add_distractors, place_distractors
from uamsim_envs.robosuite.host.experts import EXPERTS
from uamsim_envs.robosuite.host.tasks import TASKS

CONTROL_HZ = 50
CAMERAS = {
    "primary": "agentview",
    "front": "frontview",
    "top": "birdview",
    "wrist": "robot0_eye_in_hand",
    "left_wrist": "robot0_eye_in_hand",
    "right_wrist": "robot1_eye_in_hand",
}
"""Names of ours -> those of robosuite."""
_VISUAL_GROUP = 1
_MODEL_SEED = 0
"""Of what robosuite draws when it builds a model, such as the size of a cube: the same always."""


class World(Simulator):
    """The methods that ``uamsim_envs.robosuite.env`` calls."""

    def open(self, *, task: str, image_size: Sequence[int], render_profile: str) -> None:
        """Builds the model. To be called once, first.

        Args:
            task: robosuite's name, such as "Lift".
            image_size: (H, W).
            render_profile: "fast" or "quality".
        """
        self._check_first("robosuite environment")
        self.name = task
        self._image_size = (image_size[0], image_size[1])
        self._profile: RenderProfile = "quality" if render_profile == "quality" else "fast"
        config = load_composite_controller_config(controller="BASIC")
        arm = config["body_parts"]["right"]
        arm["input_type"], arm["input_ref_frame"] = "absolute", "world"
        self.original = robosuite.make(
            task,
            robots=["Panda", "Panda"] if task.startswith("TwoArm") else "Panda",
            controller_configs=config,
            control_freq=CONTROL_HZ,
            has_renderer=False,
            has_offscreen_renderer=False,
            use_camera_obs=False,
            use_object_obs=False,
            ignore_done=True,
            hard_reset=False,
            seed=_MODEL_SEED,
        )
        self._task = TASKS[task](self.original)
        self._distractors: list[dict[str, Any]] = []
        self._use_model()

    def _use_model(self) -> None:
        # They would be computed at each of the ten physics steps of an action, for nobody.
        self.original._observables.clear()
        self._model: mujoco.MjModel = self.original.sim.model._model
        apply_profile(self._model.vis, self._profile)
        self._shown = mujoco.MjData(self._model)
        self._renderer = SceneRenderer(
            self._model,
            self._image_size,
            self._profile,
            geom_group=_VISUAL_GROUP,
            show_sites=False,
        )
        self.arms = [Arm(self.original, robot) for robot in self.original.robots]

    def _rebuild(self, distractors: list[dict[str, Any]]) -> None:
        """The model with other distractors, as robosuite's own hard reset would build it."""
        if distractors == self._distractors:
            return
        env = self.original
        self._seed(_MODEL_SEED)
        env._load_model()
        add_distractors(env, distractors)
        env._initialize_sim()
        self._distractors = distractors
        self._renderer.close()
        env._reset_internal()
        self._use_model()

    def _seed(self, seed: int) -> None:
        # Everything of robosuite's draws from this one generator.
        self.original.rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state

    def reset(
        self, *, seed: int, target: int, distractors: list[dict[str, Any]]
    ) -> dict[str, list[float]]:
        """Lays out an episode, which depends on the arguments alone.

        Args:
            seed: of robosuite's generator.
            target: which of the task's things is asked for.
            distractors: category, rgb and name each.

        Returns:
            Body -> its position (m, world), of everything that can be named.

        Raises:
            SceneError: there is no room for the distractors, or for robosuite's own things.
        """
        # The names of bodies, not of episodes, decide about a model.
        self._rebuild(distractors)
        layout_seed, distractor_seed = np.random.SeedSequence(seed).generate_state(2)
        self._seed(int(layout_seed))
        try:
            self.original.reset()
        except Exception as error:
            if "RandomizationError" not in type(error).__name__:
                raise
            raise SceneError(f"robosuite found no room for its things at seed {seed}.") from error
        self._task.begin(target)
        for arm in self.arms:
            arm.reset()
        place_distractors(
            self.original, self._task, distractors, np.random.default_rng(int(distractor_seed))
        )
        self._expert = None
        self._history = [self.original.sim.data._data.qpos.copy()]
        mujoco.mj_forward(self._model, self.original.sim.data._data)
        names = [*self._task.bodies, *(d["name"] + "_main" for d in distractors)]
        return {name: self.original.sim.data.get_body_xpos(name).tolist() for name in names}

    def advance(self, *, actions: np.ndarray) -> dict[str, Any]:
        """See ``Simulator.advance``; actions are of 7 numbers an arm, see ``arms``."""
        return super().advance(actions=actions) | {"stages": dict(self._task.stages)}

    def _step(self, action: np.ndarray) -> tuple[bool, bool]:
        parts = [arm.command(part) for arm, part in self._split(action)]
        self.original.step(np.concatenate(parts))
        self._history.append(self.original.sim.data._data.qpos.copy())
        return self._task.judge()

    def _split(self, action: np.ndarray) -> Iterator[tuple[Arm, np.ndarray]]:
        return zip(self.arms, np.split(np.asarray(action, float), len(self.arms)), strict=True)

    def rest(self) -> np.ndarray:
        """The action that leaves the arms where they are."""
        return np.concatenate([arm.rest for arm in self.arms])

    def observe(
        self, *, cameras: Sequence[str], picture_step: int, proprio_step: int
    ) -> dict[str, Any]:
        """What the cameras and the joints showed at control steps of this episode.

        Returns:
            pixels: camera -> uint8 [H, W, 3]. agent_pos: float32 [7 per arm].
        """
        self._show(self._history[proprio_step])
        agent_pos = np.concatenate([arm.measure(self._shown) for arm in self.arms])
        self._show(self._history[picture_step])
        theirs = {name: CAMERAS[name] for name in cameras}
        pictures = self._renderer.render(self._shown, tuple(dict.fromkeys(theirs.values())))
        return {
            "pixels": {name: pictures[their] for name, their in theirs.items()},
            "agent_pos": agent_pos.astype(np.float32),
        }

    def _show(self, qpos: np.ndarray) -> None:
        # A state of its own, so that looking changes nothing.
        self._shown.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._shown)
        mujoco.mj_comPos(self._model, self._shown)
        mujoco.mj_camlight(self._model, self._shown)

    def begin_expert(self, *, seed: int) -> None:
        """Starts the scripted expert from the present state.

        Raises:
            ConfigError: the task has none.
        """
        if self.name not in EXPERTS:
            raise ConfigError(
                f"robosuite's {self.name} has no scripted expert; {', '.join(EXPERTS)} have one."
            )
        expert = EXPERTS[self.name](
            self.original, self._task, self.arms, np.random.default_rng(seed)
        )
        self._expert = expert.play()

    def state(self) -> dict[str, np.ndarray]:
        """Positions and velocities of all joints, for tests."""
        data = self.original.sim.data._data
        return {"qpos": data.qpos.copy(), "qvel": data.qvel.copy()}

    def close(self) -> None:
        """Frees the renderer."""
        if self.original is not None:
            self._renderer.close()
