"""What every task of a world looks like: a contact sheet and a video of an expert's episode."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from uamsim.contract import CONTROL_HZ, EpisodeRecord
from uamsim.errors import ConfigError, StorageError
from uamsim.evaluation.rollout import VIDEO_FPS, Clip
from uamsim.evaluation.videos import draw_caption, label_font, write_video
from uamsim.orchestration.tasks import resolve_tasks

MOMENTS: tuple[str, ...] = ("start", "middle", "end")
_MARGIN = 6
_SEED_TRIES = 20


@dataclass(frozen=True, kw_only=True)
class GalleryRequest:
    """What a gallery shows.

    Attributes:
        tasks: names; all of the world's when empty.
        seed: of the first episode that is tried; the first in which the expert succeeds is shown.
        image_size: (H, W) of each picture.
        render_profile: "quality" or "fast".
        cameras: a column each, the first is filmed; all of the world's when empty.
    """

    tasks: tuple[str, ...] = ()
    seed: int = 0
    image_size: tuple[int, int] = (480, 640)
    render_profile: str = "quality"
    cameras: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One task's files.

    Attributes:
        task: its name.
        record: of the episode.
        sheet: the contact sheet, png.
        video: mp4.
    """

    task: str
    record: EpisodeRecord
    sheet: Path
    video: Path


def make_gallery(world: str, request: GalleryRequest, out: Path) -> list[Exhibit]:
    """Writes ``out/TASK.png`` and ``out/TASK.mp4`` for every task that has an expert.

    Raises:
        UnknownNameError: no such world or task.
        ConfigError: a task is named that has no expert.
        StorageError: a file cannot be written.
    """
    shown = []
    for task, env_id in resolve_tasks(world, request.tasks).items():
        exhibit = _exhibit(task, env_id, request, out)
        if exhibit is not None:
            shown.append(exhibit)
        elif request.tasks:
            raise ConfigError(f"{task} of {world} has no scripted expert to film.")
    return shown


def _exhibit(task: str, env_id: str, request: GalleryRequest, out: Path) -> Exhibit | None:
    import gymnasium as gym

    look = {"image_size": request.image_size, "render_profile": request.render_profile}
    # Gymnasium's checker wants a picture in every observation.
    blind = gym.make(env_id, cameras=(), disable_env_checker=True, **look)
    if not getattr(blind.unwrapped, "has_expert", True):
        return None
    cameras = request.cameras or tuple(blind.unwrapped.all_cameras)  # type: ignore[attr-defined]
    env = gym.make(env_id, cameras=cameras[:1], **look)
    try:
        seeds = range(request.seed, request.seed + _SEED_TRIES)
        records = (_record(blind, env_id, task, seed) for seed in seeds)
        record = next((r for r in records if r.success), None)
        if record is None:
            record = _record(blind, env_id, task, request.seed)
        film, moments = _film(env, record, cameras)
    finally:
        env.close()
        blind.close()
    video = write_video(out / f"{task}.mp4", Clip(record=record, frames=film))
    sheet = out / f"{task}.png"
    try:
        Image.fromarray(_sheet(moments, cameras, record)).save(sheet)
    except OSError as error:
        raise StorageError(f"cannot write {sheet}: {error}. Free some space.") from error
    return Exhibit(task=task, record=record, sheet=sheet, video=video)


def _record(env: Any, env_id: str, task: str, seed: int) -> EpisodeRecord:
    """What comes of an expert's episode; an environment without cameras plays it fast."""
    env.reset(seed=seed)
    world = env.unwrapped
    expert = world.expert(np.random.default_rng([seed, 1]))
    _, (_, _, _, _, info) = world.play(expert, world.max_episode_steps)
    return EpisodeRecord(
        policy="expert",
        env_id=env_id,
        task=task,
        split="in_domain",
        seed=seed,
        instruction=info["instruction"],
        success=bool(info["is_success"]),
        stages=info["stages"],
        num_steps=info["num_steps"],
        render_profile=world.render_profile,
    )


def _film(
    env: Any, record: EpisodeRecord, cameras: Sequence[str]
) -> tuple[np.ndarray, list[dict[str, np.ndarray]]]:
    """The episode again: ``VIDEO_FPS`` pictures a second, and all cameras at its moments."""
    observation, _ = env.reset(seed=record.seed)
    world, stride = env.unwrapped, CONTROL_HZ // VIDEO_FPS
    expert = world.expert(np.random.default_rng([record.seed, 1]))
    frames, moments = [observation["pixels"][cameras[0]]], [world.look(cameras)]
    last = -(-record.num_steps // stride)
    for step in range(1, last + 1):
        _, (observation, *_) = world.play(expert, stride)
        frames.append(observation["pixels"][cameras[0]])
        if step in (last // 2, last):
            moments.append(world.look(cameras))
    return np.stack(frames), moments


def _sheet(
    moments: Sequence[dict[str, np.ndarray]], cameras: Sequence[str], record: EpisodeRecord
) -> UInt8[np.ndarray, "H W 3"]:
    """Rows are moments, columns cameras; the instruction below."""
    height, width = moments[0][cameras[0]].shape[:2]
    tall, wide = height + _MARGIN, width + _MARGIN
    canvas = Image.new("RGB", (wide * len(cameras) - _MARGIN, tall * len(moments) - _MARGIN))
    draw, font = ImageDraw.Draw(canvas), label_font(max(12, height // 20))
    for row, (name, pictures) in enumerate(zip(MOMENTS, moments, strict=True)):
        for column, camera in enumerate(cameras):
            at = (column * wide, row * tall)
            canvas.paste(Image.fromarray(pictures[camera]), at)
            place = (at[0] + _MARGIN, at[1] + _MARGIN)
            draw.text(place, f"{name}, {camera}", font=font, fill="white", stroke_fill="black",
                      stroke_width=2)  # fmt: skip
    seconds = record.num_steps / CONTROL_HZ
    stages = ", ".join(name for name, reached in record.stages.items() if reached)
    outcome = f"{'success' if record.success else 'failure'} after {seconds:.1f} s: {stages}"
    colour = (90, 220, 110) if record.success else (255, 110, 100)
    return draw_caption(np.asarray(canvas), record.instruction, outcome, colour)
