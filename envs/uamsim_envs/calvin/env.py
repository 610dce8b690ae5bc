"""CALVIN's four scenes in the project's contract; the simulator itself is in a host process."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Unpack, get_args

import numpy as np
from jaxtyping import Float32

from uamsim.contract import Observation, SceneFacts, SceneThing, Thing
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.perturbations.axes.scene import Lighting
from uamsim.perturbations.language.others import plainly_named
from uamsim.perturbations.language.wording import WORDING
from uamsim.perturbations.values import Composition
from uamsim_envs.calvin import perturbing
from uamsim_envs.calvin.language import BLOCK, GOALS, CalvinLanguage, Half
from uamsim_envs.calvin.registration import SCENES, SIMULATOR, WORLD
from uamsim_envs.calvin.tasks import TASKS, block_of, check_options, check_tasks
from uamsim_envs.env import Settings
from uamsim_envs.host.client import Host
from uamsim_envs.host.env import HostedEnv

CAMERAS = {"static": (200, 200), "gripper": (84, 84)}
"""CALVIN's cameras -> (H, W)."""
TASK_STEPS = 360
"""Control steps of a task in CALVIN's evaluation."""
_EGL_EPISODES = 50
"""Every reset of the EGL plugin leaks 12 MB; after so many the host starts anew."""


class CalvinEnv(HostedEnv):
    """One scene of CALVIN, judged by CALVIN's oracle, in a process of its own.

    An episode is one task, and depends on its seed alone. An action is CALVIN's own: relative
    position (3; 1 is 0.02 m) and Euler angles (3; 1 is 0.05 rad) of the gripper's target in the
    world, and the gripper (above 0 opens, else closes), at 30 a second. ``agent_pos`` is CALVIN's
    ``robot_obs``: the gripper's position and Euler angles, its width, seven joints, and its last
    command. ``info["scene_obs"]`` is CALVIN's, whose blocks stand in each scene's own order.

    Attributes:
        scene: "A", "B", "C" or "D".
        tasks: what an episode draws its task from.
        instructions: how they are said and read, once there was a reset.
    """

    simulator = SIMULATOR
    factory = "uamsim_envs.calvin.host.world:World"
    world_spec = WORLD
    picture_sizes = CAMERAS
    carried = (*perturbing.CARRIED, *WORDING)
    time_limit = TASK_STEPS
    # Noise of relative actions adds up; over the 10 steps that a draw stays it makes 1.5 mm and
    # 8 mrad a severity, as much as it does to targets.
    action_noise = np.array([0.0075] * 3 + [0.016] * 3 + [0.0], np.float32)

    def __init__(
        self,
        *,
        scene: str,
        tasks: Sequence[str] | None = None,
        sentences: Half = "training",
        **settings: Unpack[Settings],
    ) -> None:
        """Starts nothing; the first reset starts the host.

        Args:
            scene: "A", "B", "C" or "D".
            tasks: what an episode draws its task from; None takes all 34.
            sentences: "training", CALVIN's 389, or "validation", the one of each task.
            settings: see ``Settings``. Of the render profiles, "tiny" is CALVIN's TinyRenderer,
                "egl" its OpenGL (other pictures), and "tiny-lowpoly" shows the robot by its
                collision meshes (faster, other pictures).

        Raises:
            MissingDependencyError: CALVIN is not installed; says how to.
            UnknownNameError: no such scene, task, camera or render profile.
            ConfigError: another control, or a perturbation that is not carried.
        """
        if scene not in SCENES:
            raise UnknownNameError("CALVIN scene", scene, SCENES)
        if sentences not in get_args(Half):
            raise UnknownNameError("sentences", sentences, get_args(Half))
        self.scene, self.tasks = scene, check_tasks(tasks)
        self.label = f"Calvin-{scene}"
        self._sentences: Half = sentences
        super().__init__(**settings)
        if self.render_profile == "egl" and any(isinstance(p, Lighting) for p in self.composition):
            raise ConfigError(
                "pybullet's OpenGL takes no colour and no strength of light, so that Lighting "
                "needs the render profile 'tiny' or 'tiny-lowpoly', not 'egl'."
            )
        self._image_size = settings.get("image_size")
        self._num_episodes = 0

    def _action_bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        return [-1.0] * 7, [1.0] * 7

    def _open(self, host: Host) -> None:
        said = host.call(
            "open",
            calvin=str(self.installation.checkout("calvin")),
            calvin_env=str(self.installation.checkout("calvin_env")),
            scene=self.scene,
            render_profile=self.render_profile,
            image_size=self._image_size,
        )
        self.instructions = CalvinLanguage(said["training"], said["validation"])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Lays out a new episode.

        Args:
            seed: of everything that is drawn.
            options: "task"; "scene_obs" [24], where the episode begins, in this scene's order;
                "robot_obs" [15] beside it, else the robot stands where CALVIN puts it.

        Raises:
            ConfigError: a wrong option.
            SceneError: no start was found, or no room for all things.
            SimulatorError: the simulator fails, hangs or has died.
        """
        super().reset(seed=seed)
        given = check_options(options)
        episode = self._episode_seed()
        layout, task_seed, words = (int(s) for s in self.np_random.integers(2**62, size=3))
        index = int(np.random.default_rng(task_seed).integers(len(self.tasks)))
        self.task = given.pop("task", self.tasks[index])
        draw = perturbing.draw_scene(
            self.composition,
            episode,
            named=block_of(self.task),
            scene=self.scene,
            checkout=self.installation.checkout("calvin_env"),
        )
        self._num_episodes += 1
        if self.render_profile == "egl" and self._num_episodes % _EGL_EPISODES == 0:
            self.close()
        laid_out = self.host.call(
            "reset", seed=layout, task=self.task, changes=draw.changes, **given
        )
        things = [*draw.blocks.values(), *draw.distractors]
        places = [*(laid_out["blocks"][name] for name in draw.blocks), *laid_out["distractors"]]
        self._facts = SceneFacts(
            things=tuple(_fact(thing, pos) for thing, pos in zip(things, places, strict=True))
        )
        self._called = draw.blocks
        self.drawn = draw.drawn
        self._gripper = 1.0 if laid_out["robot_obs"][14] > 0 else -1.0
        self._scene_obs = laid_out["scene_obs"]
        self._stages = {"done": False}
        self._word(np.random.default_rng(words))
        return self._begin_episode(episode)

    def begin_task(self, task: str, rng: np.random.Generator) -> None:
        """Asks for another task from the present state, which the oracle compares with from now on.

        The step count goes on.

        Args:
            task: one of CALVIN's.
            rng: draws the sentence.

        Raises:
            UnknownNameError: no such task.
        """
        self._check_begun()
        check_tasks((task,))
        self.host.call("begin_task", task=task)
        self.task, self._stages = task, {"done": False}
        self._word(rng)

    def _word(self, rng: np.random.Generator) -> None:
        goal, called = GOALS[self.task], self._thing_of(self.task)
        self._goal = goal if called is None else replace(goal, thing=called)
        self._instruction = self._say(self.task, self.composition, rng)

    def _thing_of(self, task: str) -> Thing | None:
        block = block_of(task)
        return None if block is None else self._called[block]

    def _say(self, task: str, wording: Composition, rng: np.random.Generator) -> str:
        return self.instructions.say(
            task,
            self.instructions.draw_sentence(self._sentences, task, rng),
            rng=rng,
            wording=wording,
            scene=self._facts,
            called=self._thing_of(task),
            all_blocks=all(thing.category == BLOCK for thing in self._called.values()),
        )

    def other_instruction(self, rng: np.random.Generator) -> str:
        """A sentence for another task: of ``tasks``, or where there is one alone, of all.

        Args:
            rng: draws the task and its words.
        """
        asked = {self.task, *self._to_come()}
        others = [task for task in self.tasks if task not in asked]
        others = others or [task for task in TASKS if task not in asked]
        task = others[int(rng.integers(len(others)))]
        return self._say(task, plainly_named(self.composition), rng)

    def _to_come(self) -> Sequence[str]:
        """Tasks that the episode asks for later."""
        return ()

    def reads_back(self) -> bool:
        """Whether the present instruction, read without knowing the task, means it."""
        called = {name.removesuffix("_block"): thing for name, thing in self._called.items()}
        try:
            read = self.instructions.read(self._instruction, self._facts, called=called)
        except ConfigError:
            return False
        return read == self.task

    def _note(self, done: dict[str, Any]) -> None:
        self._scene_obs = done["scene_obs"]

    def _info(self, *, success: bool) -> dict[str, Any]:
        return super()._info(success=success) | {"scene_obs": self._scene_obs}

    def rest_action(self) -> Float32[np.ndarray, " A"]:
        """The action that leaves the arm where it was when the episode began."""
        return np.array([0.0] * 6 + [self._gripper], np.float32)


def _fact(thing: Thing, pos_world: Sequence[float]) -> SceneThing:
    """As one sees it who faces the table: CALVIN's x is to the right, its y away."""
    x, y, z = pos_world
    return SceneThing(category=thing.category, colour=thing.colour, pos_world=(x, y, z))
