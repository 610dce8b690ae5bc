"""Rolls a policy out in a batch of environments that share its calls.

Every episode keeps the slot it started in and a finished one makes room for the next seed. The
policy always sees a batch of the same size, so that an episode depends on its seed alone.
"""

import copy
import importlib
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import gymnasium as gym
import numpy as np
from jaxtyping import Float32, UInt8

from uamsim.contract import (
    CONTROL_HZ,
    ChunkedEnv,
    EpisodeRecord,
    Observation,
    Policy,
    PolicyInput,
    PolicySpec,
    content_hash,
)
from uamsim.errors import (
    ConfigError,
    InvalidActionError,
    MissingDependencyError,
    SceneError,
)
from uamsim.evaluation.config import RolloutUnit
from uamsim.perturbations.splits import SPLITS

VIDEO_FPS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """An episode's pictures with its outcome.

    Attributes:
        record: the episode.
        frames: uint8 [T, H, W, 3] of the policy's first camera, ``VIDEO_FPS`` a second.
    """

    record: EpisodeRecord
    frames: UInt8[np.ndarray, "T H W 3"]


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
    spec.kwargs["perturbations"] = SPLITS[unit.split].perturbations
    return gym.make(spec, disable_env_checker=True)


class _Film:
    """Repeats an episode in an environment of its own, which may show larger pictures."""

    def __init__(self, env: gym.Env, camera: str, seed: int) -> None:
        self._env, self._camera, self.frames = env, camera, list[np.ndarray]()
        self._take(env.reset(seed=seed)[0])

    def advance(self, actions: Float32[np.ndarray, "T A"]) -> None:
        """Steps the chunk in pieces, a picture after each."""
        env, stride = cast(ChunkedEnv, self._env.unwrapped), CONTROL_HZ // VIDEO_FPS
        for start in range(0, len(actions), stride):
            observation, _, terminated, truncated, _ = env.step_chunk(
                actions[start : start + stride]
            )
            self._take(observation)
            if terminated or truncated:
                break

    def _take(self, observation: Observation) -> None:
        self.frames.append(observation["pixels"][self._camera].copy())


class _Episode:
    """One episode in its environment, from reset to the end."""

    def __init__(
        self, env: gym.Env, unit: RolloutUnit, seed: int, index: int, film: _Film | None
    ) -> None:
        started = time.perf_counter()
        self.env, self.unit, self.seed, self.index = env, unit, seed, index
        observation, self.info = env.reset(seed=seed)
        self.observation = cast(Observation, observation)
        self.instruction = str(self.info["instruction"])
        self.max_steps = int(self.info["_max_episode_steps"])
        self.step, self.done = 0, False
        self.film = film
        self.wall_s = time.perf_counter() - started

    def policy_input(self) -> PolicyInput:
        return PolicyInput(
            observation=self.observation,
            instruction=self.instruction,
            seed=self.seed,
            step=self.step,
            info=self.info,
        )

    def advance(self, actions: Float32[np.ndarray, "T A"]) -> None:
        started = time.perf_counter()
        env = cast(ChunkedEnv, self.env.unwrapped)
        self.observation, _, terminated, truncated, info = env.step_chunk(actions)
        self.step = int(info.get("num_steps", min(self.step + len(actions), self.max_steps)))
        self.info, self.done = info, terminated or truncated
        self.wall_s += time.perf_counter() - started
        if self.film is not None:
            self.film.advance(actions)
        if not self.done and self.step >= self.max_steps:
            raise SceneError(
                f"{self.unit.env_id} seed {self.seed}: expected the episode to end after "
                f"{self.max_steps} control steps, but it goes on; the environment must truncate."
            )

    def record(self, policy: Policy) -> EpisodeRecord:
        stages: Mapping[str, Any] = self.info["stages"]
        return EpisodeRecord(
            policy=policy.name,
            env_id=self.unit.env_id,
            task=str(self.info["task"]),
            split=self.unit.split,
            seed=self.seed,
            instruction=self.instruction,
            success=bool(self.info["is_success"]),
            stages={name: bool(reached) for name, reached in stages.items()},
            num_steps=self.step,
            render_profile=str(getattr(self.env.unwrapped, "render_profile", "default")),
            wall_s=round(self.wall_s, 4),
        )


def _check_observation(spec: PolicySpec, unit: RolloutUnit, observation: Observation) -> None:
    control = unit.env_kwargs.get("control", spec.control)
    if control != spec.control:
        raise ConfigError(
            f"the policy acts in control={spec.control!r} but {unit.env_id} is made with "
            f"{control!r}; make the environment with control={spec.control!r}."
        )
    for camera in spec.cameras:
        if camera not in observation["pixels"]:
            raise ConfigError(
                f"the policy looks at camera {camera!r}, which {unit.env_id} does not show; it "
                f"shows {', '.join(observation['pixels'])}. Name it in the environment's cameras."
            )
        shape = observation["pixels"][camera].shape
        if shape != (*spec.image_size, 3):
            raise ConfigError(
                f"the policy expects {camera!r} pictures of shape {(*spec.image_size, 3)}, "
                f"{unit.env_id} gives {shape}; set its image_size to {spec.image_size}."
            )


def _act(policy: Policy, inputs: list[PolicyInput], live: list[int]) -> np.ndarray:
    """Calls the policy and checks what comes back: float32 [B, T, A], finite where live."""
    spec = policy.spec
    actions = np.asarray(policy.act(inputs))
    expected = (len(inputs), spec.horizon, spec.action_dim)
    if actions.shape != expected:
        seeds = [inputs[slot].seed for slot in live]
        raise InvalidActionError(
            f"policy {policy.name!r}, episode seed {seeds[0]} (batch of seeds {seeds}): expected "
            f"actions of shape {expected} [B, T, A], got {actions.shape}; its spec and its "
            "output disagree."
        )
    for slot in live:
        if not np.isfinite(actions[slot]).all():
            bad = int((~np.isfinite(actions[slot])).sum())
            raise InvalidActionError(
                f"policy {policy.name!r}, episode seed {inputs[slot].seed}, step "
                f"{inputs[slot].step}: {bad} of the values in its action chunk of shape "
                f"{actions[slot].shape} are not finite; the model has diverged or its "
                "normalisation is broken."
            )
    return actions.astype(np.float32, copy=False)


def run_unit(
    policy: Policy,
    unit: RolloutUnit,
    *,
    pool: EnvPool | None = None,
    clips: list[Clip] | None = None,
    film_kwargs: Mapping[str, Any] | None = None,
) -> list[EpisodeRecord]:
    """Runs all episodes of a unit.

    Args:
        policy: any policy of the contract.
        unit: what to run.
        pool: keeps environments for later units; without it they are closed at the end.
        clips: if given, every episode is filmed and appended here. It is filmed in a second
            environment that takes the same actions, so that no record changes.
        film_kwargs: other arguments for that environment, such as a larger ``image_size``.

    Returns:
        One record for each seed, in their order.

    Raises:
        InvalidActionError: an action of the wrong shape or not finite.
        ConfigError: the environment does not give what the policy needs.
        UnknownNameError: an unknown split.
        SceneError: an episode that never ends.
    """
    own_pool = EnvPool() if pool is None else pool
    try:
        return _run(policy, unit, own_pool, clips, film_kwargs or {})
    finally:
        if pool is None:
            own_pool.close()


def _run(
    policy: Policy,
    unit: RolloutUnit,
    pool: EnvPool,
    clips: list[Clip] | None,
    film_kwargs: Mapping[str, Any],
) -> list[EpisodeRecord]:
    count = min(unit.batch_envs, len(unit.seeds))
    envs = pool.get(unit, count)
    film_unit = replace(unit, env_kwargs={**unit.env_kwargs, **film_kwargs})
    film_envs = [make_env(film_unit) for _ in envs] if clips is not None else []
    waiting = deque(enumerate(unit.seeds))
    slots: list[_Episode] = []
    records: dict[int, EpisodeRecord] = {}

    def start(slot: int) -> _Episode:
        index, seed = waiting.popleft()
        film = _Film(film_envs[slot], policy.spec.cameras[0], seed) if film_envs else None
        return _Episode(envs[slot], unit, seed, index, film)

    def finish(episode: _Episode) -> None:
        records[episode.index] = record = episode.record(policy)
        if clips is not None and episode.film is not None:
            clips.append(Clip(record=record, frames=np.stack(episode.film.frames)))

    try:
        slots.extend(start(slot) for slot in range(count))
        if slots:
            _check_observation(policy.spec, unit, slots[0].observation)
        inputs: list[PolicyInput] = []
        while live := [slot for slot, episode in enumerate(slots) if not episode.done]:
            fresh = {slot: slots[slot].policy_input() for slot in live}
            inputs = [fresh.get(slot) or inputs[slot] for slot in range(count)]
            padding = [inputs[0]] * (unit.batch_envs - count)
            started = time.perf_counter()
            actions = _act(policy, inputs + padding, live)
            act_s = (time.perf_counter() - started) / len(live)
            for slot in live:
                slots[slot].wall_s += act_s
                slots[slot].advance(actions[slot])
                if slots[slot].done:
                    finish(slots[slot])
                    if waiting:
                        slots[slot] = start(slot)
    finally:
        for env in film_envs:
            env.close()
    return [records[index] for index in range(len(unit.seeds))]
