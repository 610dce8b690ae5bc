"""Environments of units of work, made once for all units of a kind."""

import copy
import importlib

import gymnasium as gym

from uamsim.contract import content_hash
from uamsim.errors import MissingDependencyError
from uamsim.evaluation.config import RolloutUnit
from uamsim.perturbations.splits import find_split


class EnvPool:
    """Environments that are made once and used again by later units of the same kind.

    Args:
        max_envs: environments to keep; the kind used longest ago is closed first.
    """

    def __init__(self, max_envs: int = 64) -> None:
        self._max_envs = max_envs
        self._envs: dict[str, list[gym.Env]] = {}

    def get(self, unit: RolloutUnit, count: int) -> list[gym.Env]:
        """``count`` environments for the unit, all of one kind."""
        key = content_hash([unit.env_id, unit.env_kwargs, unit.split])
        envs = self._envs.pop(key, [])
        self._envs[key] = envs
        others = sum(map(len, self._envs.values())) - len(envs)
        for old in list(self._envs):
            if old != key and others + max(count, len(envs)) > self._max_envs:
                others -= self._close(old)
        while len(envs) < count:
            envs.append(make_env(unit))
        return envs[:count]

    def _close(self, key: str) -> int:
        envs = self._envs.pop(key)
        for env in envs:
            env.close()
        return len(envs)

    def close(self) -> None:
        """Closes all environments."""
        for key in list(self._envs):
            self._close(key)


def make_env(unit: RolloutUnit) -> gym.Env:
    """The unit's environment, with its split's perturbations.

    Raises:
        MissingDependencyError: the package that registers it cannot be imported.
        UnknownNameError: an unknown split.
    """
    package, _, name = unit.env_id.rpartition(":")
    try:
        importlib.import_module(package or "gymnasium")
    except ImportError as error:
        raise MissingDependencyError(
            f"cannot import {package!r}, which registers {unit.env_id!r}: {error}. Run "
            "`uamsim doctor` to see what is missing."
        ) from error
    # The arguments go into the spec, since gymnasium.make would keep max_episode_steps to itself.
    spec = copy.deepcopy(gym.spec(name))
    spec.kwargs |= {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in unit.env_kwargs.items()
    }
    spec.kwargs["perturbations"] = find_split(unit.split).perturbations
    return gym.make(spec, disable_env_checker=True)
