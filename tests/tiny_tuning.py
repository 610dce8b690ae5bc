"""Data and pretrained micro models for tests of tuning, and one rank of it as a process.

python tests/tiny_tuning.py '[{"start": DIR, "out": DIR, "variant": "uam", ...}, ...]' is what
``torchrun`` would start; the losses of each step go to OUT/losses.jsonl.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from uamsim.data.config import DemonstrationConfig, SceneChangeConfig, VQAConfig
from uamsim.data.demonstrations import collect_demonstrations
from uamsim.data.scene_change import generate_scene_changes
from uamsim.data.vqa import corpus, generate_vqa
from uamsim.testing.models import micro_config
from uamsim.training.config import (
    OptimConfig,
    PretrainingConfig,
    Questions,
    RuntimeConfig,
    Sources,
    TuningConfig,
)
from uamsim.training.pretraining import (
    MODEL_NAME,
    pretrain_generator,
    pretrain_vae,
    pretrain_vlm,
    train_tokenizer,
)
from uamsim.training.ranks import joined
from uamsim.training.tuning import tune

SIZE = (32, 48)
BRIEF = OptimConfig(steps=2, batch_size=4, learning_rate=1e-3, warmup_steps=1, log_every=1)
PRETRAINING = PretrainingConfig(vision=BRIEF, vlm=BRIEF, vae=BRIEF, generator=BRIEF)
TUNING = TuningConfig(steps=4, batch_size=4, warmup_steps=1, log_every=1, snapshots=(0.5, 1.0))


def silent(step, total, metrics):
    assert 0 < step <= total
    assert np.isfinite(metrics["total"])


def make_start(root: Path) -> Path:
    """Data and pretrained models, a folder each, in ``root``."""
    vqa = VQAConfig(
        num_train_scenes=12, num_test_scenes=24, questions_per_skill_test=4, image_size=SIZE
    )
    generate_vqa(vqa, root / "vqa")
    generate_scene_changes(SceneChangeConfig(num_pairs=6, image_size=SIZE), root / "changes")
    demonstrations = DemonstrationConfig(
        env_ids=("uamsim_envs:uamsim/AlohaPressButton-v0",),
        episodes_per_env=2,
        image_size=SIZE,
        fps=5,
    )
    collect_demonstrations(demonstrations, root / "demonstrations")
    texts = corpus(np.random.default_rng(0), 300)
    tokenizer = train_tokenizer(texts, 300, root / "tokenizer")
    model = micro_config("uam")
    for folder in ("vlm", "vae", "generator"):
        (root / folder).mkdir()
    pretrain_vlm(
        PRETRAINING,
        model.vlm,
        vqa_root=root / "vqa",
        tokenizer_path=tokenizer,
        out=root / "vlm",
        report=silent,
    )
    pretrain_vae(
        PRETRAINING,
        model.vae,
        vqa_root=root / "vqa",
        scene_change_root=root / "changes",
        out=root / "vae",
        report=silent,
    )
    pretrain_generator(
        PRETRAINING,
        model.generator,
        vlm_path=root / "vlm" / MODEL_NAME,
        vae_path=root / "vae" / MODEL_NAME,
        scene_change_root=root / "changes",
        out=root / "generator",
        report=silent,
    )
    return root


def tune_micro(
    start: Path,
    out: Path,
    variant: str,
    *,
    trainable: bool = True,
    share: float = 0.0,
    tuning: dict[str, Any] | None = None,
    runtime: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    dataset: Path | None = None,
    cameras: tuple[str, ...] = ("primary",),
    report=silent,
    on_snapshot=lambda step, path: None,
    watch=None,
) -> Path:
    """``tune`` of a micro model on what ``make_start`` made."""
    return tune(
        dataclasses.replace(TUNING, vqa_share=share, **(tuning or {})),
        micro_config(variant, **(model or {})),
        Sources(
            demonstrations=dataset or start / "demonstrations",
            cameras=cameras,
            vlm=start / "vlm" / MODEL_NAME,
            vae=start / "vae" / MODEL_NAME,
            generator=start / "generator" / MODEL_NAME,
            questions=Questions(root=start / "vqa", pretraining=PRETRAINING) if share else None,
        ),
        e_sem_trainable=trainable,
        out=out,
        seed=0,
        report=report,
        on_snapshot=on_snapshot,
        runtime=RuntimeConfig(**(runtime or {})),
        watch=watch,
    )


def run(start: str, out: str, ask: str | None = None, **request: Any) -> None:
    """``tune_micro``, with each step's losses in OUT/losses.jsonl and answers to ``ask``."""
    Path(out).mkdir(parents=True, exist_ok=True)
    with (Path(out) / "losses.jsonl").open("a") as file:

        def report(step, total, metrics):
            print(json.dumps({"step": step, **metrics}), file=file, flush=True)

        def watch(step, model):
            images = np.zeros((1, *SIZE, 3), np.uint8)
            import torch

            answers = model.vlm.answer(torch.from_numpy(images), [ask])
            print(json.dumps({"step": step, "answers": answers}), file=file, flush=True)

        watching = watch if ask else None
        tune_micro(Path(start), Path(out), report=report, watch=watching, **request)


def main(words: str) -> None:
    with joined():
        for request in json.loads(words):
            run(**request)


if __name__ == "__main__":
    main(sys.argv[1])
