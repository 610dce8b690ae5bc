"""What environments whose simulator runs in a host process have in common."""

import functools
import os
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Unpack

import numpy as np
from jaxtyping import Float32

from uamsim.simulators import Installation, Simulator, find_installation, install_command
from uamsim_envs.env import BaseEnv, Settings
from uamsim_envs.host.client import Host


class HostedEnv(BaseEnv):
    """One environment of a foreign simulator, stepped and looked at through its host.

    A subclass starts the host (``_open``) and lays out episodes (``reset``). The host's object has

    - ``advance(actions=[T, A])`` -> steps, success, failed, stages;
    - ``observe(cameras=, picture_step=, proprio_step=)`` -> pixels, agent_pos, of control steps of
      this episode;
    - ``begin_expert(seed=)`` and ``next_action()``; ``state()``, arrays for tests.

    Attributes:
        simulator: the foreign one.
        factory: "module:callable" that makes the host's object.
    """

    simulator: ClassVar[Simulator]
    factory: ClassVar[str]

    def __init__(self, **settings: Unpack[Settings]) -> None:
        """Starts nothing; the first reset starts the host.

        Raises:
            MissingDependencyError: the simulator is not installed; says how to.
            UamsimError: as ``BaseEnv``.
        """
        self._python = self.installation.python
        super().__init__(**settings)
        self._host: Host | None = None

    @functools.cached_property
    def installation(self) -> Installation:
        """The simulator's environment.

        Raises:
            MissingDependencyError: it is not installed; says how to.
        """
        return find_installation(self.simulator)

    @abstractmethod
    def _open(self, host: Host) -> None:
        """Builds the simulator in a host that has just started."""

    @property
    def host(self) -> Host:
        """The simulator's process; a process that has none yet, such as a fork, starts its own.

        Raises:
            SimulatorError: it does not start.
        """
        if self._host is None or self._host.owner_pid != os.getpid():
            self._host = Host(
                self.label,
                self.factory,
                python=self._python,
                expected=self.simulator.versions,
                mend=f"Run: {install_command(self.simulator.name)} --again",
            )
            self._open(self._host)
        return self._host

    def _advance(self, actions: Float32[np.ndarray, "T A"]) -> tuple[bool, bool]:
        actions = actions[: max(1, self.max_episode_steps - self._num_steps)]
        if self._channel is not None:
            actions = np.stack([self._carried_out(action) for action in actions])
        done = self.host.call("advance", actions=actions)
        self._num_steps += done["steps"]
        self._stages = done["stages"]
        self._note(done)
        return done["success"], done["failed"]

    def _note(self, done: dict[str, Any]) -> None:
        """Keeps what else the host's ``advance`` said."""

    def _look(
        self, cameras: tuple[str, ...], picture_step: int, proprio_step: int
    ) -> tuple[dict[str, np.ndarray], Float32[np.ndarray, " P"]]:
        seen = self.host.call(
            "observe", cameras=cameras, picture_step=picture_step, proprio_step=proprio_step
        )
        return seen["pixels"], seen["agent_pos"]

    def expert(self, rng: np.random.Generator) -> Iterator[Float32[np.ndarray, " A"]]:
        """Actions of the task's scripted expert, one for each control step.

        It lives in the host and reads the live state there.

        Args:
            rng: varies its speed and paths.

        Raises:
            ConfigError: the task has none.
        """
        self.host.call("begin_expert", seed=int(rng.integers(2**62)))
        while (action := self.host.call("next_action")) is not None:
            yield action

    def state(self) -> dict[str, np.ndarray]:
        """Positions and velocities of all joints, for tests and for comparisons."""
        return self.host.call("state")

    def close(self) -> None:
        """Ends the host; may be called twice."""
        if self._host is not None:
            self._host.close()
            self._host = None
