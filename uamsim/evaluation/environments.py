"""Environments of units of work, made once for all units of a kind."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator

from uamsim.adapter import Adapter
from uamsim.contract import IN_DOMAIN, canonical_json, content_hash
from uamsim.errors import ConfigError
from uamsim.evaluation.config import RolloutUnit
from uamsim.perturbations.splits import find_split
from uamsim.simulated import SimulatedEnv, simulated
from uamsim.worlds import WorldSpec, adopt, find_spec

ADAPTED = "uamsim_envs.adapted:AdaptedEnv"
"""What makes one of ours of an environment that knows nothing of uamsim."""


class EnvPool:
    """Environments that are made once and used again by later units of the same kind.

    Args:
        max_envs: environments to keep; the kind used longest ago is closed first. Those whose
            ``kept_idle`` is false are closed as soon as others are used.
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
        for old in [old for old in self._envs if old != key]:
            if not all(simulated(env).kept_idle for env in self._envs[old]):
                self._close(old)
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
        ConfigError: its world is another than the unit was planned with.
    """
    if "adapter" in unit.env_kwargs:
        name = unit.env_id.rpartition(":")[2]
        spec = EnvSpec(id=name, entry_point=ADAPTED, kwargs={"adapts": unit.env_id})
    else:
        spec = copy.deepcopy(find_spec(unit.env_id))
    # The arguments go into the spec, since gymnasium.make would keep max_episode_steps to itself.
    spec.kwargs |= {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in unit.env_kwargs.items()
    }
    spec.kwargs["perturbations"] = find_split(unit.split).perturbations
    env = gym.make(spec, disable_env_checker=True)
    if unit.world is not None and (here := _describe(env)) != unit.world:
        env.close()
        raise ConfigError(
            f"{unit.env_id} was planned with {canonical_json(unit.world)}, and here it has "
            f"{canonical_json(here)}; install the same on every machine."
        )
    return env


def adopt_foreign(env_ids: Sequence[str], adapter: Adapter) -> None:
    """Lets ``world_of`` know those environments that know nothing of uamsim.

    Args:
        env_ids: those of ours among them stay as they are.
        adapter: where the others have what a policy needs; one step of each is tried.

    Raises:
        UamsimError: an environment does not have it, or cannot be made.
    """
    for env_id in env_ids:
        made_by = _made_by(env_id)
        # A function may make anything; it is asked to keep the contract, as before.
        if not isinstance(made_by, type) or issubclass(made_by, SimulatedEnv):
            continue
        kwargs = {"adapter": adapter.to_json()}
        env = make_env(RolloutUnit(env_id=env_id, split=IN_DOMAIN, seeds=(0,), env_kwargs=kwargs))
        try:
            env.reset(seed=0)
            env.step(env.action_space.sample() * 0)
            world: WorldSpec = env.get_wrapper_attr("world_spec")
        finally:
            env.close()
        adopt(env_id, replace(world, made_with=kwargs))


def identify(units: Sequence[RolloutUnit]) -> list[RolloutUnit]:
    """The units with what their worlds are made of (``RolloutUnit.world``).

    Raises:
        UamsimError: as ``make_env``.
    """
    known: dict[str, dict[str, Any] | None] = {}
    for unit in units:
        key = canonical_json([unit.env_id, unit.env_kwargs])
        if key not in known:
            known[key] = _world_of(unit)
    worlds = (known[canonical_json([unit.env_id, unit.env_kwargs])] for unit in units)
    return [replace(unit, world=world) for unit, world in zip(units, worlds, strict=True)]


def has_other_goals(env_id: str) -> bool:
    """Whether the environment says what else an episode might ask for; it is not made for that.

    Raises:
        UamsimError: as ``find_spec``.
    """
    made_by = _made_by(env_id)
    return (
        isinstance(made_by, type)
        and issubclass(made_by, SimulatedEnv)
        and (made_by.has_other_goals())
    )


def _made_by(env_id: str) -> Any:
    entry = find_spec(env_id).entry_point
    return load_env_creator(entry) if isinstance(entry, str) else entry


def _world_of(unit: RolloutUnit) -> dict[str, Any] | None:
    made_by = _made_by(unit.env_id)
    # Only worlds with an identity are made here; they start nothing before their first reset.
    if not isinstance(made_by, type) or not issubclass(made_by, SimulatedEnv):
        return None
    if not made_by.has_identity():
        return None
    env = make_env(replace(unit, world=None))
    try:
        return _describe(env)
    finally:
        env.close()


def _describe(env: gym.Env) -> dict[str, Any]:
    world = simulated(env)
    return {
        **world.identity,
        "renderer": world.render_profile,
        "comparable": world.comparable,
    }


def world_rows(units: Sequence[RolloutUnit]) -> list[dict[str, Any]]:
    """A row for each environment that says what it is made of, of ``identify``'s units."""
    found = {(u.env_id, canonical_json(u.world)): u.world for u in units if u.world is not None}
    return [{"env_id": env_id, **world} for (env_id, _), world in found.items()]
