"""RoboTwin 2.0's tasks in the project's contract; the simulator itself is in a host process."""

import copy
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Unpack, get_args

import numpy as np
from jaxtyping import Float32

from uamsim.contract import Observation
from uamsim.errors import ConfigError, SceneError, UnknownNameError
from uamsim_envs.env import Settings
from uamsim_envs.host.client import Host
from uamsim_envs.host.env import HostedEnv
from uamsim_envs.robotwin import language, perturbing
from uamsim_envs.robotwin.goals import episode_arm, episode_goal, scene_facts
from uamsim_envs.robotwin.instructions import (
    Half,
    Sentences,
    draw_instruction,
    is_instruction,
)
from uamsim_envs.robotwin.planners import CUROBO, find_planner
from uamsim_envs.robotwin.registration import SIMULATOR, WORLD
from uamsim_envs.robotwin.seeds import BLOCK, SeedManifest
from uamsim_envs.robotwin.tasks import (
    CHECKOUT,
    CONFIGS,
    EMBODIMENT,
    RAY_TRACED,
    check_task,
    step_limit,
)
from uamsim_envs.robotwin.things import KEPT

Seeds = Literal["any", "checked"]
_TRIES = 20
"""Seeds one after the other whose things do not come to rest, after which a reset fails."""
_BOUNDS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "joint": ((-np.pi,) * 6 + (0.0,), (np.pi,) * 6 + (1.0,)),
    "ee": ((-2.0,) * 3 + (-1.0,) * 4 + (0.0,), (2.0,) * 3 + (1.0,) * 4 + (1.0,)),
}
"""Control -> lowest and highest of an arm's part of an action."""
_NOISE = {
    "joint": (0.004,) * 6 + (0.0,),
    "ee": (0.0015,) * 3 + (0.004,) * 4 + (0.0,),
}
"""Of one severity of ``ActionNoise`` on an arm's part (rad; m and quaternion)."""


class RoboTwinEnv(HostedEnv):
    """One task of RoboTwin, laid out and judged by RoboTwin, in a process of its own.

    An episode depends on its seed alone. An action is a target, in the representation of
    ``agent_pos``: of each arm, left first, six joints (rad) and the gripper (0 closed to 1 open)
    with "joint" [14], or the hand's position (m), quaternion (w first) and the gripper with "ee"
    [16]. RoboTwin times each by itself, so that an action is no fixed time. ``agent_pos`` is
    measured; ``info["drive_targets"]`` is what RoboTwin's own observation has in its stead.

    Attributes:
        task: name in RoboTwin.
        config: RoboTwin's configuration.
    """

    simulator = SIMULATOR
    factory = "uamsim_envs.robotwin.host.world:World"
    world_spec = WORLD
    picture_sizes = dict.fromkeys(WORLD.cameras, (240, 320))
    # A process of 1 GB.
    kept_idle = False

    def __init__(
        self,
        *,
        task: str,
        config: str = "demo_clean",
        seeds: Seeds = "any",
        sentences: Sentences = "seen",
        **settings: Unpack[Settings],
    ) -> None:
        """Starts nothing; the first reset starts the host.

        Args:
            task: one of RoboTwin's.
            config: "demo_clean", or "demo_randomized" (its domain randomisation).
            seeds: "any" takes a seed as RoboTwin's, or the next whose things come to rest;
                "checked" takes 100000 n + i as the i-th (from 0) from 100000 n upward that the
                expert solves, which is how RoboTwin evaluates.
            sentences: "seen" or "unseen", the halves of RoboTwin's; or "own", plain ones of
                ``language`` for its tasks, as perturbations of words and things
                have them.
            settings: see ``Settings``. Pictures of another size are shrunk from RoboTwin's; of the
                render profiles, "raster" draws triangles with RoboTwin's three shadows,
                "raster-shadowless" is faster (other pictures), and "ray-traced" is RoboTwin's own,
                32 rays a pixel and a denoiser, for GPUs. The step limit is RoboTwin's.

        Raises:
            MissingDependencyError: RoboTwin is not installed; says how to.
            UnknownNameError: no such task, configuration, camera or render profile.
            ConfigError: another control, no step limit, or a perturbation that is not carried.
        """
        for kind, name, known in (
            ("RoboTwin configuration", config, CONFIGS),
            ("seeds", seeds, get_args(Seeds)),
            ("sentences", sentences, get_args(Sentences)),
        ):
            if name not in known:
                raise UnknownNameError(kind, name, known)
        self.task, self.config = task, config
        if sentences == "own" and task not in language.GOALS:
            raise UnknownNameError("RoboTwin task with sentences of our own", task, language.GOALS)
        self._seeds: Seeds = seeds
        self._sentences: Sentences = sentences
        self._checkout = self.installation.checkout(CHECKOUT)
        check_task(self._checkout, task)
        self.label, self.carried = f"RoboTwin-{task}", perturbing.carried(task)
        if settings.get("max_episode_steps") is None:
            self.time_limit = step_limit(self._checkout, task)
        super().__init__(**settings)
        self._image_size = settings.get("image_size")
        self.action_noise = np.array(_NOISE[self.control] * 2, np.float32)

    def _action_bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        low, high = _BOUNDS[self.control]
        return low * 2, high * 2

    def _open(self, host: Host) -> None:
        said = host.call(
            "open",
            checkout=str(self._checkout),
            task=self.task,
            config=self.config,
            render_profile=self.render_profile,
            planner=self.identity["planner"],
            image_size=self._image_size,
        )
        self._embodiment = said["embodiment"]
        parts = [self.task, self.config, *sorted(map("@".join, self.identity.items()))]
        name = f"{self.task}-{self.config}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"
        self._manifest = SeedManifest(self.installation.folder / "checked_seeds" / f"{name}.json")

    @property
    def identity(self) -> dict[str, str]:
        """What an episode depends on beside its seed: planner, robot, assets and commits."""
        planner = find_planner(self.installation.python, self._checkout)
        return {"planner": planner, "embodiment": EMBODIMENT, **self.installation.commits}

    @property
    def comparable(self) -> bool:
        """Whether results may stand beside published ones: all is RoboTwin's own."""
        return (
            self.render_profile == RAY_TRACED
            and self.installation.has_own_assets
            and self.identity["planner"].startswith(CUROBO)
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Lays out a new episode.

        Args:
            seed: see ``seeds``; None draws one, of checked ones the first that the expert solves
                from a multiple of 100000 on, for which few must be tried.
            options: none are known.

        Raises:
            ConfigError: an option, or no sentence names what the episode has.
            SceneError: things do not come to rest, or the expert solves no seed.
            SimulatorError: the simulator fails, hangs or has died.
        """
        super().reset(seed=seed)
        if options:
            raise ConfigError(f"RoboTwin's reset takes no options, not {sorted(options)}.")
        if seed is None:
            seed = int(self.np_random.integers(2**31))
            if self._seeds == "checked":
                seed -= seed % BLOCK
        rng = np.random.default_rng([seed, 0])
        host, named = self.host, None
        if self._seeds == "checked":
            seed, named = self._manifest.find(seed, lambda s: host.call("check_seed", seed=s))
        episode = int(np.random.default_rng([seed, 1]).integers(2**62))
        draw = perturbing.draw_scene(self.composition, episode, task=self.task)
        kept = {slot: list(names) for slot, names in KEPT.get(self.task, {}).items()}
        laid_out, self.robotwin_seed = self._lay_out(
            seed, ask=named is None, changes=draw.changes, kept=kept
        )
        self.drawn = draw.drawn
        named = laid_out["info"] if named is None else named
        self._goal = episode_goal(self.task, named, draw.colour)
        self._facts = scene_facts(
            self._goal, laid_out["things"], draw.distractors, laid_out["distractors"]
        )
        self._named = named
        self._instruction = self._word(rng)
        self._stages = {"done": False}
        self._targets = laid_out["targets"]
        self._rest = np.asarray(laid_out["targets"], np.float32)
        return self._begin_episode(int(copy.deepcopy(rng).integers(2**62)))

    def _half(self) -> Half | None:
        """Which half of RoboTwin's sentences is said; None where it is one of our own."""
        if "NovelObject" in self.drawn or self.composition.active("language"):
            return None
        return None if self._sentences == "own" else self._sentences

    def _word(self, rng: np.random.Generator) -> str:
        half = self._half()
        if half is not None:
            return draw_instruction(self._checkout, self.task, self._named, sentences=half, rng=rng)
        assert self._goal is not None
        arm = episode_arm(self.task, self._named)
        return language.say(self._goal, rng=rng, arm=arm, wording=self.composition)

    def other_instruction(self, rng: np.random.Generator) -> str:
        """One of our own sentences for another task.

        Args:
            rng: draws the task and its words.
        """
        others = [
            goal
            for task, goal in language.GOALS.items()
            if task != self.task and (goal.target is None or goal.target.colour != language.ANY)
        ]
        other = others[int(rng.integers(len(others)))]
        return language.say(other, rng=rng, wording=self.composition)

    def reads_back(self) -> bool:
        """Whether the present instruction is for the present goal.

        One of our own is read without knowing the task; RoboTwin's is one that its files have for
        what the episode has.
        """
        half = self._half()
        if half is not None:
            return is_instruction(
                self._instruction, self._checkout, self.task, self._named, sentences=half
            )
        try:
            return language.read(self._instruction)[0] == self._goal
        except ConfigError:
            return False

    def prepare(self, seed: int) -> Iterator[None]:
        """Finds out which seed of RoboTwin a checked one is, and yields after each that it tries.

        A reset does the same where it was not done before, but says nothing meanwhile.

        Raises:
            SceneError: the expert solves no seed.
            SimulatorError: the simulator fails, hangs or has died.
        """
        if self._seeds == "checked":
            host = self.host
            yield from self._manifest.prepare(seed, lambda s: host.call("check_seed", seed=s))

    def _lay_out(self, seed: int, **given: Any) -> tuple[dict[str, Any], int]:
        # What is random in a scene comes from numpy's global generator, which takes 32 bits.
        last = seed if self._seeds == "checked" else seed + _TRIES - 1
        while True:
            try:
                done = self.host.call("reset", seed=seed % 2**32, control=self.control, **given)
                return done, seed
            except SceneError:
                if seed == last:
                    raise
                seed += 1

    def _note(self, done: dict[str, Any]) -> None:
        self._targets = done["targets"]

    def _info(self, *, success: bool) -> dict[str, Any]:
        return super()._info(success=success) | {
            "drive_targets": self._targets,
            "robotwin_seed": self.robotwin_seed,
            "embodiment": self._embodiment,
            "comparable": self.comparable,
        }

    def rest_action(self) -> Float32[np.ndarray, " A"]:
        """The action that leaves the arms where they were when the episode began."""
        return self._rest
