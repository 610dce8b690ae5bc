"""Synthetic results of several sizes, with media."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from uamsim.models.variants import VARIANTS as VARIANTS_BY_NAME
from uamsim.perturbations.splits import find_split
from uamsim.reporting.report import build_report

VARIANTS = ("no_dorsal", "random_init", "vlm_init_vision", "vlm_init_query", "gen_init", "uam")
SPLITS = (
    "in_domain",
    "novel_object",
    "novel_pair",
    "distractors",
    "chinese",
    "pinyin",
    "code_mix",
)
TASKS = ("press_button", "pick_place")
SKILLS = ("recognition", "attribute", "counting", "spatial", "ocr", "multilingual")
IN_DOMAIN = {"press_button": 0.85, "pick_place": 0.6}
KEPT: dict[str, float] = dict(zip(VARIANTS, (0.6, 0.68, 0.75, 0.72, 0.78, 0.85), strict=True))
KEPT["mlp_head"] = 0.4
MODE_LOSS = {"unfrozen": 0.0, "frozen": 0.25, "restored": 0.15}


def counted(rate: float, episodes: int, rng: np.random.Generator) -> dict[str, Any]:
    outcomes = [bool(x) for x in rng.random(episodes) < rate]
    successes = sum(outcomes)
    ci = binomtest(successes, episodes).proportion_ci(method="wilson")
    return {
        "episodes": episodes,
        "successes": successes,
        "rate": successes / episodes,
        "ci_low": float(ci.low),
        "ci_high": float(ci.high),
        "outcomes": outcomes,
    }


def without_outcomes(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "outcomes"}


def who(
    variant: str | None, mode: str | None, seed: int, control: str | None = None
) -> dict[str, Any]:
    """The columns of a row that say whose it is."""
    name = "+".join(filter(None, (variant and f"{variant}-{mode}-seed{seed}", control)))
    labels = {"policy": name, "control": control, "variant": variant, "e_sem": mode, "seed": seed}
    return labels | {"suite": "aloha", "env_id": None}


def retention_row(variant: str, mode: str, seed: int, rng: np.random.Generator) -> dict[str, Any]:
    kept = 1.0 if mode != "unfrozen" else min(1.0, KEPT[variant] + rng.normal(0, 0.02))
    skills = {
        skill: {"before": 0.9, "after": 0.3 + (0.9 - 0.3) * kept, "floor": 0.3} for skill in SKILLS
    }
    s0, s, floor = 0.9, 0.3 + 0.6 * kept, 0.3
    return {
        "variant": variant,
        "e_sem": mode,
        "seed": seed,
        "S0": s0,
        "S": s,
        "delta": 1 - s / s0,
        "S0_corrected": (s0 - floor) / (1 - floor),
        "S_corrected": (s - floor) / (1 - floor),
        "delta_corrected": 1 - (s - floor) / (s0 - floor),
        "skills": skills,
    }


def synthetic_results(
    *,
    seeds: Sequence[int] = (0,),
    variants: Sequence[str] = VARIANTS,
    splits: Sequence[str] = SPLITS,
    episodes: int = 40,
) -> dict[str, Any]:
    """A whole, valid results.json; the same arguments give the same numbers."""
    rng = np.random.default_rng(7)
    rows, retention, curves = [], [], []
    for seed in seeds:
        for i, variant in enumerate(variants):
            for mode, loss in MODE_LOSS.items():
                retention.append(retention_row(variant, mode, seed, rng))
                for task in TASKS:
                    for j, split in enumerate(splits):
                        rate = max(0.05, IN_DOMAIN[task] + 0.02 * i - loss - 0.07 * j)
                        row = {**who(variant, mode, seed), "task": task, "split": split}
                        rows.append({**row, **counted(min(rate, 0.98), episodes, rng)})
            for share in (1 / 3, 2 / 3, 1):
                for task in TASKS:
                    s = 0.9 - (0.9 - 0.3 - 0.6 * KEPT[variant]) * share
                    curve = counted(IN_DOMAIN[task] * (0.3 + 0.7 * share), episodes, rng)
                    curves.append(
                        {
                            "variant": variant,
                            "e_sem": "unfrozen",
                            "seed": seed,
                            "step": round(900 * share),
                            "S": s,
                            "S_corrected": (s - 0.3) / 0.7,
                            "task": task,
                            **without_outcomes(curve),
                        }
                    )
    owned = [("random", None, None, 0.08)]
    for variant in dict.fromkeys((variants[0], variants[-1])):
        owned += [("blind", variant, "unfrozen", 0.2), ("deaf", variant, "unfrozen", 0.3)]
        owned += [("shuffled", variant, "unfrozen", 0.05)]
    for control, variant, mode, rate in owned:
        for task in TASKS:
            row = who(variant, mode, seeds[0], control) | {"task": task, "split": "in_domain"}
            rows.append({**row, **without_outcomes(counted(rate, episodes, rng))})
    return {
        "schema_version": 2,
        "kind": "experiment",
        "claims": ["dorsal_sweep"],
        "names": {
            "variants": [
                {"name": name, "title": variant.title, "summary": variant.summary}
                for name, variant in VARIANTS_BY_NAME.items()
            ],
            "splits": [{"name": s, "title": find_split(s).title} for s in splits],
        },
        "experiment": "dorsal_sweep",
        "scale": "tiny",
        "rows": rows,
        "retention": retention,
        "suites": [],
        "comparisons": [],
        "chains": [],
        "published": [],
        "warnings": [],
        "worlds": [],
        "curves": curves,
        "timing": {"demonstrations": 62.0, "tuning": 1500.5, "rollouts": 830.0, "total": 2400.0},
        "provenance": {
            "commit": "0123abc",
            "dirty": False,
            "versions": {"python": "3.11.7", "torch": "2.13.0"},
            "hardware": {"cpu": "a CPU with 2 cores"},
            "seeds": {"training": list(seeds)},
            "started": "2026-01-01T10:00:00+00:00",
            "finished": "2026-01-01T10:40:00+00:00",
            "render_profile": "fast",
            "command": "uamsim experiment dorsal_sweep",
        },
        "spec": {"name": "dorsal_sweep"},
        "media": {},
    }


def write_picture(path: Path, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 255, (6, 9, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).resize((288, 192), Image.Resampling.BICUBIC).save(path)


def write_video(path: Path) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for level in range(5):
            picture = np.full((64, 96, 3), 50 * level, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture)):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


def add_media(results: dict[str, Any], out: Path) -> None:
    """Writes pictures and videos below ``out`` and names them in the results."""
    for i, name in enumerate(("world", "now", "true", "predicted", "sem", "dor")):
        write_picture(out / "media" / f"{name}.png", i)
    write_video(out / "media" / "episode.mp4")
    common = {"variant": "uam", "e_sem": "unfrozen", "task": "pick_place"}
    instruction = "put the 红色 cube on the <blue> plate | now"
    results["media"] = {
        "worlds": [{"path": "media/world.png", "title": f"world {i}"} for i in range(2)],
        "videos": [
            {
                **common,
                "path": "media/episode.mp4",
                "title": "an episode",
                "split": split,
                "instruction": instruction,
                "success": success,
            }
            for split, success in (("in_domain", True), ("code_mix", False))
        ],
        "goals": [
            {
                "variant": "uam",
                "task": task,
                "current": "media/now.png",
                "true": "media/true.png",
                "predicted": "media/predicted.png",
            }
            for task in TASKS
        ],
        "attention": [
            {
                **common,
                "variant": variant,
                "instruction": instruction,
                "image": "media/now.png",
                "e_sem_map": "media/sem.png",
                "e_dor_map": dorsal,
            }
            for variant, dorsal in (("uam", "media/dor.png"), ("no_dorsal", None))
        ],
    }


@pytest.fixture
def make_results() -> Callable[..., dict[str, Any]]:
    return synthetic_results


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes results (and their media) as a finished run and returns its folder."""

    def write(results: dict[str, Any], *, media: bool = False) -> Path:
        out = tmp_path / "out"
        out.mkdir()
        if media:
            add_media(results, out)
        (out / "results.json").write_text(json.dumps(results), "utf-8")
        return out

    return write


@pytest.fixture(scope="session")
def whole_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one seed with everything in it, reported once."""
    out = tmp_path_factory.mktemp("whole")
    results = synthetic_results()
    add_media(results, out)
    (out / "results.json").write_text(json.dumps(results), "utf-8")
    build_report(out)
    return out
