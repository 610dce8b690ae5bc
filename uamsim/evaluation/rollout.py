"""Rolls a policy out in a batch of environments that share its calls.

A finished episode makes room for the next seed. Every call of the policy has the same size, and a
policy that says which inputs may share one is obeyed, so that an episode depends on its seed alone.
"""

import time
from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import gymnasium as gym
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from uamsim.contract import (
    CONTROL_HZ,
    EpisodeRecord,
    Observation,
    Policy,
    PolicyInput,
    PolicySpec,
    Told,
    batch_key,
)
from uamsim.errors import (
    ConfigError,
    InvalidActionError,
    SceneError,
)
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import EnvPool, make_env
from uamsim.evaluation.realtime import Playback, act_timed
from uamsim.simulated import SimulatedEnv, simulated

VIDEO_FPS = 10
_OTHER_STREAM = 7_000_003
"""Beside an episode's seed, of what it is told in place of its own instruction."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """An episode's pictures with its outcome.

    Attributes:
        record: the episode.
        frames: uint8 [T, H, W, 3] of the policy's first camera, ``VIDEO_FPS`` a second.
        told: the instruction at each frame, where it changes as in a chain of tasks; by default
            the record's.
    """

    record: EpisodeRecord
    frames: UInt8[np.ndarray, "T H W 3"]
    told: Sequence[str] | None = None


def film_stride(env: gym.Env) -> int:
    """Actions from one picture of a video to the next."""
    return max(1, round(env.metadata.get("render_fps", CONTROL_HZ) / VIDEO_FPS))


class _Film:
    """Repeats an episode in an environment of its own, which may show larger pictures."""

    def __init__(self, env: gym.Env, camera: str, seed: int) -> None:
        self._env, self._camera = env, camera
        self.frames, self.told = list[np.ndarray](), list[str]()
        self._take(*env.reset(seed=seed))

    def advance(self, actions: Float32[np.ndarray, "T A"]) -> None:
        """Steps the chunk in pieces, a picture after each."""
        env, stride = simulated(self._env), film_stride(self._env)
        for start in range(0, len(actions), stride):
            observation, _, terminated, truncated, info = env.step_chunk(
                actions[start : start + stride]
            )
            self._take(observation, info)
            if terminated or truncated:
                break

    def _take(self, observation: Observation, info: Mapping[str, Any]) -> None:
        self.frames.append(observation["pixels"][self._camera].copy())
        self.told.append(str(info["instruction"]))


class _Episode:
    """One episode in its environment, from reset to the end."""

    def __init__(
        self,
        env: gym.Env,
        unit: RolloutUnit,
        seed: int,
        film: _Film | None,
        told: Told,
    ) -> None:
        started = time.perf_counter()
        self.env, self.world, self.unit, self.seed = env, simulated(env), unit, seed
        observation, self.info = env.reset(seed=seed)
        self._other = _other_instruction(self.world, unit, seed) if told == "other_goal" else None
        self.observation = cast(Observation, observation)
        self.max_steps = int(self.info["_max_episode_steps"])
        self.step, self.done = 0, False
        self.film = film
        self.playback = (
            None
            if unit.realtime is None
            else Playback(
                unit.realtime, self.observation["agent_pos"], self.world.control_hz or CONTROL_HZ
            )
        )
        self.wall_s = time.perf_counter() - started

    def clip(self, record: EpisodeRecord) -> Clip:
        """What was filmed."""
        assert self.film is not None
        told = self.film.told if self._other is None else None
        return Clip(record=record, frames=np.stack(self.film.frames), told=told)

    @property
    def instruction(self) -> str:
        """What the policy is told now; in a chain of tasks it changes."""
        return str(self.info["instruction"]) if self._other is None else self._other

    def policy_input(self) -> PolicyInput:
        return PolicyInput(
            observation=self.observation,
            instruction=self.instruction,
            seed=self.seed,
            step=self.step,
            info=self.info,
        )

    def play(self, chunk: Float32[np.ndarray, "T A"], measured_s: float) -> None:
        """Plays the chunk, after what passes while the policy thinks if that is charged."""
        if self.playback is None or self.unit.realtime is None:
            self.advance(chunk)
            return
        fixed_s = self.unit.realtime.latency_s
        latency_s = measured_s if fixed_s is None else fixed_s
        self.advance(self.playback.play(chunk, latency_s, self.max_steps - self.step))

    def advance(self, actions: Float32[np.ndarray, "T A"]) -> None:
        started = time.perf_counter()
        self.observation, _, terminated, truncated, info = self.world.step_chunk(actions)
        before = self.step
        self.step = int(info.get("num_steps", min(before + len(actions), self.max_steps)))
        self.info, self.done = info, terminated or truncated
        self.wall_s += time.perf_counter() - started
        if self.film is not None:
            # A chain of tasks drops what is left of a chunk when a task is done.
            self.film.advance(actions[: self.step - before])
        if not self.done and self.step >= self.max_steps:
            raise SceneError(
                f"{self.unit.env_id} seed {self.seed}: expected the episode to end after "
                f"{self.max_steps} control steps, but it goes on; the environment must truncate."
            )

    def record(self, policy: Policy) -> EpisodeRecord:
        stages: Mapping[str, Any] = self.info["stages"]
        return EpisodeRecord(
            policy=self.unit.record_name(policy.name),
            env_id=self.unit.env_id,
            task=str(self.info["task"]),
            split=self.unit.split,
            seed=self.seed,
            instruction=self.instruction,
            success=bool(self.info["is_success"]),
            stages={name: bool(reached) for name, reached in stages.items()},
            num_steps=self.step,
            render_profile=self.world.render_profile,
            wall_s=round(self.wall_s, 4),
        )


def _other_instruction(world: SimulatedEnv, unit: RolloutUnit, seed: int) -> str:
    """An instruction for another goal than the episode's, drawn from its seed."""
    other = world.other_instruction(np.random.default_rng([seed, _OTHER_STREAM]))
    if other is None:
        raise ConfigError(
            f"{unit.env_id} does not say what else could be asked for; leave the shuffled control "
            "out there."
        )
    return other


def _check_fit(spec: PolicySpec, env: gym.Env, unit: RolloutUnit, seen: Observation) -> None:
    """Whether the policy's spec and the environment say the same."""
    control = unit.env_kwargs.get("control", spec.control)
    if control != spec.control:
        raise ConfigError(
            f"the policy acts in control={spec.control!r} but {unit.env_id} is made with "
            f"{control!r}; make the environment with control={spec.control!r}."
        )
    if control == "relative" and unit.realtime is not None:
        raise ConfigError(
            f"thinking time cannot be charged in {unit.env_id}: a policy whose actions are "
            "movements says nothing of the time in between. Leave realtime out."
        )
    takes_hz = simulated(env).control_hz
    if spec.control_hz != takes_hz:
        raise ConfigError(
            f"the policy gives {spec.control_hz} actions a second, {unit.env_id} takes {takes_hz} "
            "(None: each takes as long as it needs); evaluate it where it was trained."
        )
    if takes_hz is None and unit.realtime is not None:
        raise ConfigError(
            f"thinking time cannot be charged in {unit.env_id}: its actions take no fixed time. "
            "Leave realtime out."
        )
    taken = env.action_space.shape
    if taken is not None and taken != (spec.action_dim,):
        raise ConfigError(
            f"the policy's actions have {spec.action_dim} numbers, {unit.env_id} takes {taken} "
            f"with control={control!r}; set action_dim in the policy's spec."
        )
    if len(seen["agent_pos"]) != spec.proprio_dim:
        raise ConfigError(
            f"the policy expects agent_pos of {spec.proprio_dim} numbers, {unit.env_id} gives "
            f"{len(seen['agent_pos'])}; set proprio_dim in the policy's spec."
        )
    for camera in spec.cameras:
        if camera not in seen["pixels"]:
            raise ConfigError(
                f"the policy looks at camera {camera!r}, which {unit.env_id} does not show; it "
                f"shows {', '.join(seen['pixels'])}. Name it in the environment's cameras."
            )
        shape = seen["pixels"][camera].shape
        if shape != (*spec.image_size, 3):
            raise ConfigError(
                f"the policy expects {camera!r} pictures of shape {(*spec.image_size, 3)}, "
                f"{unit.env_id} gives {shape}; set its image_size to {spec.image_size}."
            )


def _act(
    policy: Policy, inputs: Sequence[PolicyInput], batch_size: int
) -> tuple[Float32[np.ndarray, "B T A"], Float64[np.ndarray, " B"]]:
    """Actions for each input and how long they took (s), from calls of ``batch_size`` inputs.

    Inputs share a call where the policy's ``batch_key`` allows it; copies fill it up.
    """
    together: dict[Hashable, list[int]] = {}
    for row, item in enumerate(inputs):
        together.setdefault(batch_key(policy, item), []).append(row)
    spec = policy.spec
    actions = np.empty((len(inputs), spec.horizon, spec.action_dim), np.float32)
    latency_s = np.empty(len(inputs))
    for rows in together.values():
        batch = [inputs[row] for row in rows]
        padding = [batch[0]] * (batch_size - len(batch))
        chunks, seconds = act_timed(policy, batch + padding)
        actions[rows] = _checked(policy, batch, np.asarray(chunks), batch_size)
        latency_s[rows] = seconds[: len(rows)]
    return actions, latency_s


def _checked(
    policy: Policy, batch: Sequence[PolicyInput], actions: np.ndarray, batch_size: int
) -> Float32[np.ndarray, "B T A"]:
    """The answers to the batch, float32 and finite, without those to its padding."""
    expected = (batch_size, policy.spec.horizon, policy.spec.action_dim)
    if actions.shape != expected:
        seeds = [item.seed for item in batch]
        raise InvalidActionError(
            f"policy {policy.name!r}, episode seed {seeds[0]} (batch of seeds {seeds}): expected "
            f"actions of shape {expected} [B, T, A], got {actions.shape}; its spec and its "
            "output disagree."
        )
    for item, chunk in zip(batch, actions, strict=False):
        if not np.isfinite(chunk).all():
            bad = int((~np.isfinite(chunk)).sum())
            raise InvalidActionError(
                f"policy {policy.name!r}, episode seed {item.seed}, step {item.step}: {bad} of "
                f"the values in its action chunk of shape {chunk.shape} are not finite; the model "
                "has diverged or its normalisation is broken."
            )
    return actions[: len(batch)].astype(np.float32, copy=False)


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
        clips: as for ``iter_unit``.
        film_kwargs: as for ``iter_unit``.

    Returns:
        One record for each seed, in their order.

    Raises:
        UamsimError: as ``iter_unit``.
    """
    own_pool = EnvPool() if pool is None else pool
    try:
        played = iter_unit(policy, unit, own_pool, clips=clips, film_kwargs=film_kwargs)
        records = {record.seed: record for record in played if record is not None}
    finally:
        if pool is None:
            own_pool.close()
    return [records[seed] for seed in unit.seeds]


def iter_unit(
    policy: Policy,
    unit: RolloutUnit,
    pool: EnvPool,
    *,
    max_envs: int | None = None,
    clips: list[Clip] | None = None,
    film_kwargs: Mapping[str, Any] | None = None,
) -> Iterator[EpisodeRecord | None]:
    """Runs the episodes of a unit and hands over each record as its episode ends.

    Seeds are begun in their order, so that whoever knows the records knows what was running:
    ``running_seeds`` says it.

    Args:
        policy: any policy of the contract.
        unit: what to run.
        pool: keeps the environments.
        max_envs: episodes side by side, ``unit.batch_envs`` at most; changes no record.
        clips: if given, every episode is filmed and appended here. It is filmed in a second
            environment that takes the same actions, so that no record changes.
        film_kwargs: other arguments for that environment, such as a larger ``image_size``.

    Yields:
        Records in the order in which episodes end; None as a sign of life, once the environments
        are made, while they prepare, and after each round of chunks.

    Raises:
        InvalidActionError: an action of the wrong shape or not finite.
        ConfigError: the environment does not give what the policy needs.
        UnknownNameError: an unknown split.
        SceneError: an episode that never ends.
    """
    count = min(max_envs or unit.batch_envs, unit.batch_envs, len(unit.seeds))
    envs = pool.get(unit, count)
    film_unit = replace(unit, env_kwargs={**unit.env_kwargs, **(film_kwargs or {})})
    film_envs = [make_env(film_unit) for _ in envs] if clips is not None else []
    waiting = deque(unit.seeds)

    camera = next(iter(film_unit.env_kwargs.get("cameras") or policy.spec.cameras), "")

    def start(slot: int) -> _Episode:
        seed = waiting.popleft()
        film = _Film(film_envs[slot], camera, seed) if film_envs else None
        return _Episode(envs[slot], unit, seed, film, policy.spec.told)

    try:
        yield None
        live: dict[int, _Episode] = {}
        for slot in range(count):
            yield from simulated(envs[slot]).prepare(waiting[0])
            live[slot] = start(slot)
        if live:
            _check_fit(policy.spec, envs[0], unit, live[0].observation)
        while live:
            started = time.perf_counter()
            inputs = [episode.policy_input() for episode in live.values()]
            actions, latency_s = _act(policy, inputs, unit.batch_envs)
            act_s = (time.perf_counter() - started) / len(live)
            for row, (slot, episode) in enumerate(list(live.items())):
                episode.wall_s += act_s
                episode.play(actions[row], float(latency_s[row]))
                if not episode.done:
                    continue
                del live[slot]
                record = episode.record(policy)
                if clips is not None and episode.film is not None:
                    clips.append(episode.clip(record))
                yield record
                if waiting:
                    yield from simulated(envs[slot]).prepare(waiting[0])
                    live[slot] = start(slot)
            yield None
    finally:
        for env in film_envs:
            env.close()


def running_seeds(
    unit: RolloutUnit, num_finished: int, max_envs: int | None = None
) -> tuple[int, ...]:
    """The seeds that ``iter_unit`` may have begun when it has yielded so many records."""
    return unit.seeds[: num_finished + min(max_envs or unit.batch_envs, unit.batch_envs)]
