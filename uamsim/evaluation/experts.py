"""Episodes of an environment's own scripted expert: is a split solvable, and how fast?"""

import multiprocessing
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from uamsim.contract import EpisodeRecord
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import EnvPool, make_env
from uamsim.evaluation.rollout import Clip, film_stride
from uamsim.simulated import expert_episode, simulated


@dataclass(frozen=True, kw_only=True)
class ExpertEpisode:
    """What came of one episode.

    Attributes:
        record: the episode.
        goal: the environment's own, for checks of the instruction.
        scene: its facts.
        held_out: names of its things' shapes that no demonstration shows.
        reset_s: wall time of the reset; that of the steps is in the record.
        reads_back: whether its first instruction, read back, means its goal; None where the
            environment cannot tell.
    """

    record: EpisodeRecord
    goal: Any
    scene: Any
    held_out: frozenset[str]
    reset_s: float
    reads_back: bool | None = None


class ExpertPlayer:
    """The environment's expert, as something that plays a unit's episodes by itself."""

    name = "expert"

    def play(self, unit: RolloutUnit, pool: EnvPool) -> Iterator[EpisodeRecord | None]:
        """See ``Player.play``; cameras that the unit names are of no use and should be none."""
        (env,) = pool.get(unit, 1)
        yield None
        for seed in unit.seeds:
            yield from simulated(env).prepare(seed)
            yield play_one(env, unit, seed).record


def film_expert(env: gym.Env, camera: str, record: EpisodeRecord) -> Clip:
    """An expert's episode again, in an environment that shows the camera."""
    frames, told = list[np.ndarray](), list[str]()
    for moment in expert_episode(simulated(env), record.seed, film_stride(env)):
        frames.append(moment.observation["pixels"][camera].copy())
        told.append(str(moment.info["instruction"]))
    return Clip(record=record, frames=np.stack(frames), told=told)


def play_expert(
    env_id: str, seeds: Iterable[int], *, split: str = "in_domain", only_reset: bool = False
) -> list[ExpertEpisode]:
    """Plays an expert, nothing rendered.

    Args:
        env_id: of an environment with an expert.
        seeds: one episode each; the expert's own chance is drawn from the seed too.
        split: as ``perturbations.splits.find_split`` takes it.
        only_reset: looks at how episodes begin, and plays none.

    Raises:
        UnknownNameError: no such split.
        ConfigError: the environment cannot carry the split.
    """
    unit = RolloutUnit(env_id=env_id, split=split, seeds=(), env_kwargs={"cameras": ()})
    env = make_env(unit)
    episodes = [play_one(env, unit, seed, only_reset=only_reset) for seed in seeds]
    env.close()
    return episodes


def play_one(
    env: gym.Env, unit: RolloutUnit, seed: int, *, only_reset: bool = False
) -> ExpertEpisode:
    """Plays one episode of an expert in an environment of the unit's kind."""
    world = simulated(env)
    moments = expert_episode(world, seed)
    start = time.perf_counter()
    info = next(moments).info
    begun = time.perf_counter()
    goal, scene = info["goal"], info["scene"]
    held_out, reads_back = world.held_out, world.reads_back()
    if not only_reset:
        for moment in moments:
            info = moment.info
    record = EpisodeRecord(
        policy=ExpertPlayer.name,
        env_id=unit.env_id,
        task=info["task"],
        split=unit.split,
        seed=seed,
        instruction=info["instruction"],
        success=bool(info["is_success"]),
        stages=info["stages"],
        num_steps=info["num_steps"],
        render_profile=world.render_profile,
        wall_s=time.perf_counter() - begun,
    )
    return ExpertEpisode(
        record=record,
        goal=goal,
        scene=scene,
        held_out=held_out,
        reset_s=begun - start,
        reads_back=reads_back,
    )


def play_experts(
    jobs: Sequence[tuple[str, str]], seeds: Sequence[int], *, workers: int = 1
) -> list[list[ExpertEpisode]]:
    """Experts' episodes of several environments and splits, side by side.

    Args:
        jobs: (environment id, split) each.
        seeds: the same for every job.
        workers: processes.

    Returns:
        The episodes of each job, in the order of the seeds.
    """
    if workers == 1:
        return [play_expert(env_id, seeds, split=split) for env_id, split in jobs]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting = [pool.submit(play_expert, e, list(seeds), split=s) for e, s in jobs]
        return [job.result() for job in waiting]
