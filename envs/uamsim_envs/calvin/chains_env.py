"""CALVIN's long-horizon protocol as an environment: an episode is a chain of five tasks."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float32

from uamsim.contract import Observation, in_a_row
from uamsim.errors import ConfigError, SceneError, UnknownNameError
from uamsim_envs.calvin.chains import CHAIN_LENGTH, NUM_CHAINS, Chain, draw_chain, official_chain
from uamsim_envs.calvin.env import TASK_STEPS, CalvinEnv
from uamsim_envs.calvin.initial import ROBOT_OBS, NamedScene, official_scene, resampled_scene

Protocol = Literal["official", "resampled"]
_CHAIN_STREAM, _WORDS_STREAM = 1, 2


class CalvinChainsEnv(CalvinEnv):
    """Five tasks in a row in one scene, each from where the one before has left it.

    ``info["instruction"]`` changes when CALVIN's oracle, asked after every step, says that a task
    is done; the rest of a chunk is dropped then. A task that is not done within its steps ends the
    chain. ``info["stages"]`` says how many were done in a row, ``info["subtask"]`` which is asked
    for now, ``info["chain"]`` all five.

    Attributes:
        protocol: "official" or "resampled".
        task_steps: control steps of a task.
        chain: the present one.
    """

    def __init__(
        self,
        *,
        scene: str,
        protocol: Protocol = "official",
        max_episode_steps: int | None = None,
        **settings: Any,
    ) -> None:
        """Starts nothing; the first reset starts the host.

        Args:
            scene: "A", "B", "C" or "D"; that of the published results is D.
            protocol: "official", CALVIN's 1000 chains, of which seed s is number s modulo 1000; or
                "resampled", a chain and a scene drawn from the seed by the same rules.
            max_episode_steps: of a whole chain, a fifth for each task; None takes 360 for each.
            **settings: of ``CalvinEnv``, but for ``tasks``; sentences are those of validation
                unless they are given.

        Raises:
            UamsimError: as ``CalvinEnv``.
        """
        if protocol not in get_args(Protocol):
            raise UnknownNameError("CALVIN protocol", protocol, get_args(Protocol))
        if "tasks" in settings:
            raise ConfigError("a chain has its own tasks; leave tasks out.")
        steps = CHAIN_LENGTH * TASK_STEPS if max_episode_steps is None else max_episode_steps
        if steps < CHAIN_LENGTH or steps % CHAIN_LENGTH:
            raise ConfigError(
                f"max_episode_steps must be a multiple of {CHAIN_LENGTH}, each task has a "
                f"{CHAIN_LENGTH}th of it; got {steps}."
            )
        settings = {"sentences": "validation"} | settings
        super().__init__(scene=scene, max_episode_steps=steps, **settings)
        self.protocol: Protocol = protocol
        self.task_steps = steps // CHAIN_LENGTH

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Lays out the beginning of a chain.

        Args:
            seed: of the chain and of everything else.
            options: none.

        Raises:
            ConfigError: an option.
            SceneError: no room for all things.
            SimulatorError: the simulator fails, hangs or has died.
        """
        if options:
            raise ConfigError(f"a chain lays itself out; it takes no options, not {options}.")
        self._chain_seed = int(self.np_random.integers(2**31)) if seed is None else seed
        self.chain, named = self._draw(self._chain_seed)
        self._num_done, self._task_began = 0, 0
        scene_obs = self.host.call("pack", named=named)
        start = {"task": self.chain.tasks[0], "robot_obs": ROBOT_OBS, "scene_obs": scene_obs}
        return super().reset(seed=seed, options=start)

    def _to_come(self) -> tuple[str, ...]:
        return self.chain.tasks

    def _draw(self, seed: int) -> tuple[Chain, NamedScene]:
        if self.protocol == "official":
            chain = official_chain(seed % NUM_CHAINS)
            return chain, official_scene(chain.state, self.scene)
        rng = np.random.default_rng([seed, _CHAIN_STREAM])
        chain = draw_chain(rng)
        return chain, resampled_scene(chain.state, self.scene, rng)

    def _advance(self, actions: np.ndarray) -> tuple[bool, bool]:
        left = self.task_steps - (self._num_steps - self._task_began)
        success, failed = super()._advance(actions[: max(1, left)])
        if success and self._num_done < CHAIN_LENGTH:
            self._num_done += 1
            if self._num_done < CHAIN_LENGTH:
                self._task_began = self._num_steps
                words = [self._chain_seed, _WORDS_STREAM, self._num_done]
                self.begin_task(self.chain.tasks[self._num_done], np.random.default_rng(words))
                return False, False
        out_of_time = self._num_steps - self._task_began >= self.task_steps
        return success, failed or (out_of_time and not success)

    def _info(self, *, success: bool) -> dict[str, Any]:
        stages = {in_a_row(i + 1): self._num_done > i for i in range(CHAIN_LENGTH)}
        return super()._info(success=success) | {
            "task": f"{self.protocol}_chains_{self.scene.lower()}",
            "stages": stages,
            "subtask": self.task,
            "chain": list(self.chain.tasks),
        }

    def expert(self, rng: np.random.Generator) -> Iterator[Float32[np.ndarray, " A"]]:
        """Actions of each task's scripted expert in turn, again where it has not succeeded.

        Args:
            rng: varies its speed and paths.
        """
        acted = True
        while acted:
            task, acted = self._num_done, False
            # It gives up where the task before has left the scene so that this one cannot be
            # done, such as a block to be placed that has slipped from the gripper.
            with contextlib.suppress(SceneError):
                for action in super().expert(rng):
                    yield action
                    acted = True
                    if self._num_done > task:
                        break
