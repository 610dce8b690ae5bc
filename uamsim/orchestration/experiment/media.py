"""Pictures and videos for the report: worlds, episodes, predicted goals, attention."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
from jaxtyping import UInt8

from uamsim.contract import EpisodeRecord, Observation, PolicyInput
from uamsim.data.recording import actions_per_frame
from uamsim.evaluation.attention import overlay, write_png
from uamsim.evaluation.backends.jobs import RolloutJob
from uamsim.evaluation.config import RolloutUnit, plan_units
from uamsim.evaluation.environments import make_env
from uamsim.evaluation.filming import episodes_of, film
from uamsim.evaluation.rollout import Clip
from uamsim.evaluation.videos import pick_for_video
from uamsim.orchestration.experiment.policies import Mode, checkpoint_factory
from uamsim.orchestration.runs.progress import Report
from uamsim.orchestration.trials.trial import TrialContext, TrialSpec, expand
from uamsim.reporting.tensorboard import TensorBoardLog
from uamsim.serving.refs import NamedPolicy
from uamsim.simulated import SimulatedEnv, expert_episode, simulated
from uamsim.storage import read_json, write_json
from uamsim.worlds import world_of

WORLD_SIZE = (240, 360)
PICTURE_WIDTH = 288


def make_media(
    context: TrialContext,
    jobs: Sequence[RolloutJob],
    records: Sequence[EpisodeRecord],
    report: Report,
) -> dict[str, Any]:
    """Makes what is not there yet under ``OUT/media``.

    Args:
        context: of a run whose trials are finished.
        jobs: of the trained policies.
        records: all their episodes, to choose from.
        report: progress.

    Returns:
        The "media" part of results.json; paths are relative to the run's folder.
    """
    index = context.out / "media" / "index.json"
    found = read_json(index)
    if isinstance(found, dict) and all((context.out / p).is_file() for p in _paths(found)):
        return found
    trials = _shown(context)
    media: dict[str, list[dict[str, Any]]] = {"worlds": _worlds(context)}
    media |= {"videos": [], "goals": [], "attention": []}
    report(1, len(trials) + 1, {})
    for number, trial in enumerate(trials, 2):
        media["videos"] += _videos(context, trial, jobs, records)
        media["attention"] += _attention(context, trial)
        media["goals"] += _goals(context, trial)
        report(number, len(trials) + 1, {})
    write_json(index, media)
    return media


def _paths(media: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    keys = ("path", "current", "true", "predicted", "image", "e_sem_map", "e_dor_map")
    for entries in media.values():
        for entry in entries:
            yield from (entry[key] for key in keys if entry.get(key))


def _shown(context: TrialContext) -> list[TrialSpec]:
    """The trials of the first seed whose variants are shown."""
    spec = context.spec
    return [
        trial
        for trial in expand(spec)
        if trial.seed == spec.seeds[0] and trial.variant in spec.media.variants
    ]


def _policy(context: TrialContext, trial: TrialSpec, mode: Mode) -> NamedPolicy:
    return checkpoint_factory(context, trial, mode)()


def _unit(context: TrialContext, env_id: str, split: str, seeds: tuple[int, ...]) -> RolloutUnit:
    """A unit as evaluation plans it, with other seeds."""
    units = plan_units(context.spec.evaluation, context.spec.policy_spec, splits=(split,))
    return replace(next(unit for unit in units if unit.env_id == env_id), seeds=seeds)


def _relative(context: TrialContext, path: Path) -> str:
    return path.relative_to(context.out).as_posix()


def _worlds(context: TrialContext) -> list[dict[str, Any]]:
    """What policies see of every environment, well rendered."""
    spec, shown = context.spec, []
    for env_id in spec.evaluation.env_ids:
        name = env_id.rpartition("/")[2]
        env = gym.make(
            env_id,
            disable_env_checker=True,
            cameras=spec.policy_spec.cameras,
            image_size=WORLD_SIZE,
            render_profile=world_of(env_id).fine_profile,
        )
        try:
            observation, info = env.reset(seed=spec.evaluation.seed0)
            for camera, image in observation["pixels"].items():
                path = context.out / "media" / "worlds" / f"{name}-{camera}.png"
                write_png(path, image)
                title = f"{name}, {camera}: {info['instruction']}"
                shown.append({"path": _relative(context, path), "title": title})
        finally:
            env.close()
    return shown


def _videos(
    context: TrialContext,
    trial: TrialSpec,
    jobs: Sequence[RolloutJob],
    records: Sequence[EpisodeRecord],
) -> list[dict[str, Any]]:
    """Some episodes of each environment and split; at least one failure if there is."""
    media = context.spec.media
    if trial.e_sem != "unfrozen":
        return []
    policy = checkpoint_factory(context, trial, trial.e_sem).name
    # One job stands for its environment and split, however many units these were cut into.
    own = {
        (job.unit.split, job.unit.env_id): job
        for job in jobs
        if job.policy == policy and job.unit.split in media.splits
    }
    limits = {"limit": media.videos, "failures": (media.videos + 1) // 2}
    chosen = [(job, pick_for_video(episodes_of(job, records), **limits)) for job in own.values()]
    folder = context.out / "media" / "videos" / trial.trial_id
    return [_video_entry(context, trial, path, clip) for path, clip in film(folder, chosen)]


def _video_entry(context: TrialContext, trial: TrialSpec, path: Path, clip: Clip) -> dict[str, Any]:
    record = clip.record
    outcome = "success" if record.success else "failure"
    with TensorBoardLog(context.out / "tensorboard" / trial.trial_id) as log:
        name = f"episodes/{record.task}-{record.split}-{record.seed}-{outcome}"
        log.video(context.spec.tuning.steps, name, clip.frames, fps=10)
    return {
        "path": _relative(context, path),
        "title": f"{record.task}, {record.split}, seed {record.seed}: {outcome}",
        "variant": trial.variant,
        "e_sem": trial.e_sem,
        "task": record.task,
        "split": record.split,
        "instruction": record.instruction,
        "success": record.success,
    }


def _attention(context: TrialContext, trial: TrialSpec) -> list[dict[str, Any]]:
    """One scene of each environment, at its start, as in appendix E."""
    policy = _policy(context, trial, trial.e_sem).policy
    camera, shown = policy.spec.cameras[0], []
    folder = context.out / "media" / "attention" / trial.trial_id
    for env_id in context.spec.evaluation.env_ids:
        seed = context.spec.evaluation.seed0
        env = make_env(_unit(context, env_id, "in_domain", (seed,)))
        try:
            observation, info = env.reset(seed=seed)
        finally:
            env.close()
        item = _input(observation, info, seed, 0)
        maps = policy.attention_maps([item])
        image = item.observation["pixels"][camera]
        written: dict[str, str | None] = {}
        for name, value in maps.items():
            if value is None:
                written[name] = None
                continue
            path = folder / f"{info['task']}-{name}.png"
            write_png(path, overlay(image, value[0]), min_width=PICTURE_WIDTH)
            written[name] = _relative(context, path)
        path = write_png(folder / f"{info['task']}.png", image, min_width=PICTURE_WIDTH)
        shown.append(
            {
                "variant": trial.variant,
                "e_sem": trial.e_sem,
                "task": info["task"],
                "instruction": item.instruction,
                "image": _relative(context, path),
                "e_sem_map": written["sem"],
                "e_dor_map": written["dor"],
            }
        )
    return shown


def _goals(context: TrialContext, trial: TrialSpec) -> list[dict[str, Any]]:
    """Predicted goals beside where the expert really was, on scenes of the evaluation.

    A goal is right where the picture predicted for its instruction is nearer to the true one, in
    mean square difference, than the one predicted for another instruction of the same scene.
    """
    policy = _policy(context, trial, trial.e_sem).policy
    if trial.e_sem != "unfrozen" or policy.model.prediction is None:
        return []
    shown = []
    folder = context.out / "media" / "goals" / trial.trial_id
    for env_id in context.spec.evaluation.env_ids:
        env = make_env(_unit(context, env_id, "in_domain", (0,)))
        world = simulated(env)
        stride = actions_per_frame(world, context.spec.demonstrations.fps)
        try:
            for number in range(context.spec.media.goals):
                seed = context.spec.evaluation.seed0 + number
                item, true = _expert_chunk(
                    world, seed, chunks=1 + number, horizon=context.spec.model.chunk * stride
                )
                other = world.other_instruction(np.random.default_rng(seed))
                asked = [item] if other is None else [item, replace(item, instruction=other)]
                predicted = policy.predict_goals(asked)
                assert predicted is not None
                task = str(item.info["task"])
                camera = policy.spec.cameras[0]
                pictures = {
                    "current": item.observation["pixels"][camera],
                    "true": true["pixels"][camera],
                    "predicted": predicted[0],
                }
                entry: dict[str, Any] = {
                    "variant": trial.variant,
                    "task": task,
                    "instruction": item.instruction,
                    "right": is_right(predicted, true["pixels"][camera]),
                }
                for name, image in pictures.items():
                    path = folder / f"{task}-{seed}-{name}.png"
                    write_png(path, image, min_width=PICTURE_WIDTH)
                    entry[name] = _relative(context, path)
                shown.append(entry)
        finally:
            env.close()
    return shown


def is_right(
    predicted: UInt8[np.ndarray, "N H W 3"], true: UInt8[np.ndarray, "H W 3"]
) -> bool | None:
    """Whether the first of some predicted pictures is nearer to the true one than all others.

    Returns:
        None where there is no other.
    """
    if len(predicted) < 2:
        return None
    errors = np.square(predicted.astype(np.float32) - true).mean((1, 2, 3))
    return bool(errors[0] < errors[1:].min())


def _expert_chunk(
    env: SimulatedEnv, seed: int, *, chunks: int, horizon: int
) -> tuple[PolicyInput, Observation]:
    """What the expert sees before a chunk of its own, and after it.

    Args:
        env: an environment with a scripted expert.
        seed: of the episode.
        chunks: the chunk's number, from 1; the last one if the expert is done before.
        horizon: actions of the expert in a chunk.
    """
    moments = list(itertools.islice(expert_episode(env, seed, horizon), chunks + 1))
    before, after = moments[-2:] if len(moments) > 1 else 2 * moments
    step = horizon * max(0, len(moments) - 2)
    return _input(before.observation, before.info, seed, step), after.observation


def _input(observation: Any, info: dict[str, Any], seed: int, step: int) -> PolicyInput:
    return PolicyInput(
        observation=cast(Observation, observation),
        instruction=str(info["instruction"]),
        seed=seed,
        step=step,
        info=info,
    )
