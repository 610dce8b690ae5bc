"""One seed of a scripted demonstration, recorded in whatever process it is, and kept at once."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from uamsim.contract import Control, steps_per_frame
from uamsim.data.archives import read_archive, write_archive
from uamsim.data.config import DemonstrationConfig
from uamsim.data.lerobot_writer import EpisodeData
from uamsim.data.video import ClipWriter
from uamsim.errors import ConfigError, SceneError
from uamsim.simulated import SimulatedEnv, expert_episode, simulated

_env: tuple[tuple[Any, ...], gym.Env[Any, Any]] | None = None
"""The environment of this process, kept from seed to seed because compiling it takes long."""


def episode_path(folder: Path, number: int, seed: int) -> Path:
    """Where the outcome of a seed of the n-th file is kept."""
    return folder / "episodes" / f"{number:05d}-{seed}.npz"


def record_seed(
    config: DemonstrationConfig,
    perturbations: tuple[Any, ...],
    path: Path,
    env_id: str,
    seed: int,
) -> str | None:
    """Records one seed and keeps its outcome, a failure as well.

    Args:
        config: what to record.
        perturbations: for ``gymnasium.make``.
        path: of the outcome.
        env_id: the environment.
        seed: of the episode and its expert.

    Returns:
        None, or why there is no demonstration.

    Raises:
        ConfigError: the configuration does not fit the environment.
        StorageError: the disk is full.
    """
    env = _open_env(config, perturbations, env_id)
    rate = simulated(env).control_hz
    if config.control != "relative" and rate != config.control_hz:
        raise ConfigError(
            f"{env_id} takes {rate} actions a second; the WorldSpec in its world's "
            f"registration.py must say control_hz={rate}, not {config.control_hz}."
        )
    try:
        recorded = record_episode(env, env_id, seed, config.fps)
        failure = None if recorded is not None else "the expert did not succeed"
    except SceneError as error:
        recorded, failure = None, str(error)
    if recorded is None:
        write_archive(path, {"failure": failure}, {})
        return failure
    episode, clips = recorded
    write_archive(
        path,
        {"failure": None, "instruction": episode.instruction},
        {"state": episode.state, "action": episode.action}
        | {clip_name(camera): clip for camera, clip in clips.items()},
    )
    return None


def read_failure(path: Path) -> str | None:
    """What ``record_seed`` returned when it wrote this outcome, all of which is checked.

    Raises:
        DatasetError: it is damaged.
    """
    return read_archive(path)[0]["failure"]


def read_episode(path: Path, env_id: str, seed: int) -> EpisodeData:
    """The episode of a success, without its pictures.

    Raises:
        DatasetError: it is damaged.
    """
    head, arrays = read_archive(path, ("state", "action"))
    return EpisodeData(env_id=env_id, seed=seed, instruction=head["instruction"], **arrays)


def clip_name(camera: str) -> str:
    """The array that holds a camera's pictures in an outcome."""
    return f"pixels.{camera}"


def close_env() -> None:
    """Closes this process's environment, if it has one."""
    global _env
    if _env is not None:
        _env[1].close()
    _env = None


def _open_env(
    config: DemonstrationConfig, perturbations: tuple[Any, ...], env_id: str
) -> gym.Env[Any, Any]:
    global _env
    key = (config, perturbations, env_id)
    if _env is not None and _env[0] == key:
        return _env[1]
    close_env()
    # Given only where there are some: not every environment of a user's own takes them.
    options: dict[str, Any] = {"perturbations": perturbations} if perturbations else {}
    env = gym.make(
        env_id,
        control=config.control,
        cameras=config.cameras,
        image_size=config.image_size,
        render_profile=config.render_profile,
        disable_env_checker=True,
        **options,
    )
    _env = (key, env)
    return env


def actions_per_frame(env: SimulatedEnv, fps: int) -> int:
    """Actions of the expert from one kept frame to the next.

    Args:
        env: an environment with an expert.
        fps: frames a second that are kept.

    Raises:
        ConfigError: there are not so many.
    """
    if env.control_hz is not None:
        return steps_per_frame(env.control, fps, env.control_hz)
    stride = round(env.metadata["render_fps"] / fps)
    if stride < 1:
        raise ConfigError(
            f"the expert has {env.metadata['render_fps']} actions a second; fps must not be more, "
            f"not {fps}."
        )
    return stride


def record_episode(
    env: gym.Env[Any, Any], env_id: str, seed: int, fps: int
) -> tuple[EpisodeData, dict[str, np.ndarray]] | None:
    """One demonstration, or None where the expert does not succeed.

    The last frame is the one that shows the success; its action holds the last target, or where
    actions are movements makes none and leaves the gripper as it is.

    Args:
        env: with an expert.
        env_id: its name, kept with the episode.
        seed: of the episode and of the expert.
        fps: frames a second that are kept.

    Returns:
        The episode, and camera -> its clip, which ``video.read_clip`` reads.

    Raises:
        ConfigError: actions are movements, and the environment takes another number a second; or
            it is untimed and has fewer.
    """
    world = simulated(env)
    control, stride = world.control, actions_per_frame(world, fps)
    if control == "relative" and fps != env.metadata["render_fps"]:
        raise ConfigError(
            f"{env_id} takes {env.metadata['render_fps']} movements a second, all of which are "
            f"kept; set fps to {env.metadata['render_fps']}, not {fps}."
        )
    states: list[np.ndarray] = []
    actions: list[np.ndarray] = []
    clips: dict[str, ClipWriter] = {}
    instruction, success = "", False
    for moment in expert_episode(world, seed, stride):
        if len(moment.actions):
            actions.append(np.array(moment.actions[-1], dtype=np.float32))
        else:
            instruction = moment.info["instruction"]
        states.append(np.array(moment.observation["agent_pos"], dtype=np.float32))
        for camera, picture in moment.observation["pixels"].items():
            clips.setdefault(camera, ClipWriter()).add(picture)
        success = moment.info["is_success"]
    if not success or not actions:
        return None
    actions.append(_hold(control, actions[-1]))
    episode = EpisodeData(
        env_id=env_id,
        seed=seed,
        instruction=instruction,
        state=np.stack(states),
        action=np.stack(actions),
    )
    return episode, {camera: clip.finish() for camera, clip in clips.items()}


def _hold(control: Control, last: np.ndarray) -> np.ndarray:
    """The action that stays: where it is, or of a movement all but the gripper's last number."""
    return last * (np.arange(len(last)) == len(last) - 1) if control == "relative" else last
