"""What every task of a world looks like: a contact sheet and a video of an expert's episode."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from uamsim.bounds import Pixels, Seed, check_bounds
from uamsim.contract import EpisodeRecord
from uamsim.evaluation.attention import write_png
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import make_env
from uamsim.evaluation.experts import play_one
from uamsim.evaluation.rollout import Clip, film_stride
from uamsim.evaluation.videos import draw_caption, label_font, write_video
from uamsim.simulated import SimulatedEnv, expert_episode, simulated
from uamsim.worlds import resolve_demonstrated, world_of

MOMENTS: tuple[str, ...] = ("start", "middle", "end")
_MARGIN = 6
_SEED_TRIES = 20


@dataclass(frozen=True, kw_only=True)
class GalleryRequest:
    """What a gallery shows.

    Attributes:
        tasks: names; all of the world's that have an expert when empty.
        seed: of the first episode that is tried; the first in which the expert succeeds is shown.
        image_size: (H, W) of each picture.
        render_profile: one of the world's; None takes its finest.
        cameras: a column each, the first is filmed; all of the world's when empty.
    """

    tasks: tuple[str, ...] = ()
    seed: Seed = 0
    image_size: tuple[Pixels, Pixels] = (480, 640)
    render_profile: str | None = None
    cameras: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_bounds(self)


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
    tasks = resolve_demonstrated(world, request.tasks)
    return [_exhibit(task, env_id, request, out) for task, env_id in tasks.items()]


def _exhibit(task: str, env_id: str, request: GalleryRequest, out: Path) -> Exhibit:
    world = world_of(env_id)
    profile = request.render_profile or world.fine_profile
    look = {"image_size": request.image_size, "render_profile": profile}
    unit = RolloutUnit(
        env_id=env_id, split="in_domain", seeds=(), env_kwargs={"cameras": (), **look}
    )
    # One without cameras plays fast.
    blind = make_env(unit)
    cameras = request.cameras or world.cameras
    env = make_env(replace(unit, env_kwargs={"cameras": cameras[:1], **look}))
    try:
        records = [play_one(blind, unit, request.seed).record]
        while not records[-1].success and len(records) < _SEED_TRIES:
            records.append(play_one(blind, unit, request.seed + len(records)).record)
        record = records[-1] if records[-1].success else records[0]
        film, moments = _film(simulated(env), record, cameras)
    finally:
        env.close()
        blind.close()
    video = write_video(out / f"{task}.mp4", Clip(record=record, frames=film))
    sheet = write_png(out / f"{task}.png", _sheet(moments, cameras, record))
    return Exhibit(task=task, record=record, sheet=sheet, video=video)


def _film(
    env: SimulatedEnv, record: EpisodeRecord, cameras: Sequence[str]
) -> tuple[np.ndarray, list[dict[str, np.ndarray]]]:
    """The episode again as ``Clip`` has it, and all cameras at its moments."""
    stride = film_stride(env)
    last = -(-record.num_steps // stride)
    frames, moments = list[np.ndarray](), list[dict[str, np.ndarray]]()
    for step, moment in enumerate(expert_episode(env, record.seed, stride)):
        frames.append(moment.observation["pixels"][cameras[0]])
        if step in (0, last // 2, last):
            moments.append(env.look(cameras))
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
    rate = world_of(record.env_id).control_hz
    took = f"{record.num_steps / rate:.1f} s" if rate else f"{record.num_steps} actions"
    stages = ", ".join(name for name, reached in record.stages.items() if reached)
    outcome = f"{'success' if record.success else 'failure'} after {took}: {stages}"
    colour = (90, 220, 110) if record.success else (255, 110, 100)
    return draw_caption(np.asarray(canvas), record.instruction, outcome, colour)
