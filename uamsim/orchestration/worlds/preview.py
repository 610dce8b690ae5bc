"""What a split looks like: a contact sheet of scenes with their instructions and parameters."""

import json
import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from uamsim.contract import canonical_json
from uamsim.evaluation.videos import chinese_font_path, label_font, printable
from uamsim.orchestration.worlds.split_requests import PreviewRequest
from uamsim.perturbations.splits import find_split
from uamsim.perturbations.values import to_json
from uamsim.storage import whole_file, write_json
from uamsim.worlds import resolve_environment, world_of

_MARGIN = 8


@dataclass(frozen=True, kw_only=True)
class _Scene:
    seed: int
    picture: np.ndarray
    instruction: str
    drawn: Mapping[str, Any]


def preview_split(name: str, request: PreviewRequest, out: Path) -> Path:
    """Writes ``out/SPLIT.png`` and ``out/SPLIT.json``.

    The pictures are what a policy would see at the start of an episode.

    Args:
        name: of a split, or ``path/to/file.py:split``.
        request: what is shown.
        out: folder.

    Returns:
        The picture's path.

    Raises:
        UnknownNameError: no such split, environment or camera.
        ConfigError: the environment cannot carry the split.
        StorageError: a file cannot be written.
    """
    split = find_split(name)
    scenes = _draw_scenes(split.perturbations, request)
    stem = name.rpartition(":")[2]
    facts = {
        "split": split.name,
        "summary": split.summary,
        "env": resolve_environment(request.env),
        "perturbations": [to_json(p) for p in split.perturbations],
        "episodes": [
            {"seed": s.seed, "instruction": s.instruction, "drawn": s.drawn} for s in scenes
        ],
    }
    sheet = out / f"{stem}.png"
    with whole_file(sheet) as partial:
        _sheet(scenes, request).save(partial, format="PNG")
    write_json(out / f"{stem}.json", json.loads(canonical_json(facts)))
    return sheet


def _draw_scenes(perturbations: Any, request: PreviewRequest) -> list[_Scene]:
    import gymnasium as gym

    env_id = resolve_environment(request.env)
    world = world_of(env_id)
    camera = request.camera or world.cameras[0]
    env = gym.make(
        env_id,
        cameras=(camera,),
        image_size=request.image_size,
        render_profile=request.render_profile or world.fine_profile,
        perturbations=perturbations,
        disable_env_checker=True,
    )
    scenes = []
    for seed in range(request.seed, request.seed + request.episodes):
        observation, info = env.reset(seed=seed)
        scenes.append(
            _Scene(
                seed=seed,
                picture=observation["pixels"][camera],
                instruction=info["instruction"],
                drawn=info["perturbations"],
            )
        )
    env.close()
    return scenes


def _sheet(scenes: list[_Scene], request: PreviewRequest) -> Image.Image:
    height, width = request.image_size
    size = max(10, width // 28)
    font, small = label_font(size), label_font(max(8, size - 3))
    per_line = int(width / (0.5 * small.size))
    texts = [_lines(s, per_line, round(width / (0.58 * size))) for s in scenes]
    words_height = int(max(len(t[0]) * 1.3 * size + len(t[1]) * 1.25 * small.size for t in texts))
    tall = height + words_height + 2 * _MARGIN
    columns = min(request.columns, len(scenes))
    rows = math.ceil(len(scenes) / columns)
    canvas = Image.new("RGB", (columns * (width + _MARGIN), rows * tall), "white")
    draw = ImageDraw.Draw(canvas)
    for index, (scene, (words, parameters)) in enumerate(zip(scenes, texts, strict=True)):
        x, y = index % columns * (width + _MARGIN), index // columns * tall
        canvas.paste(Image.fromarray(scene.picture), (x, y))
        y += height + _MARGIN // 2
        for line in words:
            draw.text((x + 2, y), line, font=font, fill="black")
            y += int(1.3 * size)
        for line in parameters:
            draw.text((x + 2, y), line, font=small, fill=(90, 90, 90))
            y += int(1.25 * small.size)
    return canvas


def _lines(scene: _Scene, small_width: int, width: int) -> tuple[list[str], list[str]]:
    text = printable(scene.instruction, has_chinese_font=chinese_font_path() is not None)
    if not text.isascii():
        width //= 2 if any("\u4e00" <= c <= "\u9fff" for c in text) else 1
    parameters = [f"seed {scene.seed}"]
    for name, values in scene.drawn.items():
        shown = ", ".join(f"{key} {_brief(value)}" for key, value in values.items())
        parameters += textwrap.wrap(f"{name}: {shown}", small_width)
    return textwrap.wrap(text, max(10, width)), parameters


def _brief(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return "[" + ", ".join(_brief(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} {_brief(v)}" for k, v in value.items()) + "}"
    return str(value)
