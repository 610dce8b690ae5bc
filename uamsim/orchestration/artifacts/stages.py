"""What trials start from: data sets and the "public models", each made once.

Recipes name everything upstream, so a model that ships with the package is found without its
training data ever being made.
"""

import dataclasses
from pathlib import Path
from typing import Any

from uamsim.contract import json_fields
from uamsim.data.config import VQAConfig
from uamsim.models.config import GeneratorConfig, VAEConfig, VLMConfig
from uamsim.orchestration.artifacts.gate import GATE_FILE, gate_config, measure_gate
from uamsim.orchestration.artifacts.public_weights import fingerprint, given_kinds
from uamsim.orchestration.artifacts.store import ArtifactStore, Recipe
from uamsim.orchestration.jsonable import to_json
from uamsim.orchestration.runs.progress import Report
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.storage import write_json

MODEL_FILE = "model.safetensors"
PRETRAINED: tuple[str, ...] = ("tokenizer", "vlm", "vae", "generator")
"""Kinds that stand for public models: they may ship with the package."""
SHIPPED: tuple[str, ...] = (*PRETRAINED, "gate")
_REMADE = (*SHIPPED, "vlm_start")
_ASKED = (
    "qa_per_image",
    "captions_per_image",
    "pointings_per_image",
    "pointing_cell_m",
    "pointing_instruction_share",
)

_VERSIONS = {
    "demonstrations": 2,
    "vqa": 3,
    "scene_changes": 2,
    "tokenizer": 3,
    "vlm": 3,
    "vae": 3,
    "generator": 1,
    "gate": 1,
}
"""Raised by hand when code changes what a recipe gives."""


def recipe(spec: ExperimentSpec, kind: str) -> Recipe:
    """The recipe of one kind of artifact in this experiment."""
    pretraining, model = spec.pretraining, spec.model
    joint = is_joint(spec)
    asked = {name: v for name, v in json_fields(pretraining).items() if name in _ASKED}
    questions: tuple[Any, tuple[str, ...]] = (
        {
            "model": model.vlm,
            "vision": pretraining.vision,
            "optim": pretraining.vlm,
            "seed": pretraining.seed,
            **asked,
        },
        ("vqa", "tokenizer"),
    )
    generation = {
        "model": model.generator,
        "optim": pretraining.generator,
        "seed": pretraining.seed,
    }
    configs: dict[str, tuple[Any, tuple[str, ...]]] = {
        "demonstrations": (spec.demonstrations, ()),
        "vqa": (spec.vqa, ()),
        "vqa_test": (vqa_test_config(spec), ()),
        "scene_changes": (spec.scene_changes, ()),
        "tokenizer": (
            {
                "vocab_size": pretraining.vocab_size,
                "texts": pretraining.tokenizer_texts,
                "seed": pretraining.seed,
            },
            (),
        ),
        "vlm_start": questions,
        "vlm": ({"model": model.vlm}, ("generator",)) if joint else questions,
        "vae": (
            {"model": model.vae, "optim": pretraining.vae, "seed": pretraining.seed},
            ("vqa", "scene_changes"),
        ),
        "generator": (
            (
                {**generation, "joint": pretraining.joint, **asked},
                ("vlm_start", "vae", "scene_changes", "vqa"),
            )
            if joint
            else (generation, ("vlm", "vae", "scene_changes"))
        ),
        "gate": (gate_config(spec), ("generator", "vlm", "vqa_test")),
    }
    config, upstream = configs[kind]
    if kind in given_kinds(spec.init):
        config, upstream = {"init": fingerprint(spec.init), "model": given_model(spec, kind)}, ()
    kind = {"vqa_test": "vqa", "vlm_start": "vlm"}.get(kind, kind)
    return Recipe(
        kind=kind,
        version=_VERSIONS[kind],
        config=to_json(config),
        upstream={name: recipe(spec, name).key for name in upstream},
    )


def is_joint(spec: ExperimentSpec) -> bool:
    """Whether E_sem is trained with the generator; what ``spec.init`` gives stays as it is."""
    return spec.pretraining.joint is not None and "vlm" not in given_kinds(spec.init)


def given_model(spec: ExperimentSpec, kind: str) -> VLMConfig | VAEConfig | GeneratorConfig | None:
    """The config of a kind that public weights give; a tokenizer has none."""
    model = spec.model
    return {"vlm": model.vlm, "vae": model.vae, "generator": model.generator}.get(kind)


def vqa_test_config(spec: ExperimentSpec) -> VQAConfig:
    """The question set without its training scenes; the test part is the same."""
    return dataclasses.replace(spec.vqa, num_train_scenes=1)


def is_made(spec: ExperimentSpec, store: ArtifactStore, kind: str) -> bool:
    """Whether the artifact is there."""
    return store.find(recipe(spec, kind), remakable=kind in _REMADE) is not None


def needed(spec: ExperimentSpec, store: ArtifactStore) -> list[str]:
    """The kinds that must still be made, in an order that respects what needs what."""
    missing = [kind for kind in PRETRAINED if not is_made(spec, store, kind)]
    wanted = {"demonstrations", "vqa_test", *missing}
    trained = set(missing) - set(given_kinds(spec.init))
    if trained & {"vlm", "vae"} or spec.cotrains:
        wanted.add("vqa")
    if trained & {"vae", "generator"}:
        wanted.add("scene_changes")
    vlms: tuple[str, ...] = ("vlm", "vae", "generator")
    if is_joint(spec):
        vlms = ("vlm_start", "vae", "generator", "vlm")
        if "generator" in trained:
            wanted |= {"vlm_start", "vqa"}
    if "generator" not in given_kinds(spec.init):
        wanted.add("gate")
    order = ("demonstrations", "vqa_test", "vqa", "scene_changes", "tokenizer", *vlms, "gate")
    return [kind for kind in order if kind in wanted and not is_made(spec, store, kind)]


def make(
    spec: ExperimentSpec, store: ArtifactStore, kind: str, workers: int, report: Report
) -> Path:
    """One artifact, made now if there is none.

    Args:
        spec: the experiment.
        store: where artifacts are.
        kind: a key of ``recipe``.
        workers: processes, for data sets; models are trained in this process.
        report: progress.

    Raises:
        StorageError: the disk is full; what was finished is kept.
        DatasetError: data cannot be made or read.
    """
    makers = {
        "demonstrations": _demonstrations,
        "vqa": _vqa,
        "vqa_test": _vqa_test,
        "scene_changes": _scene_changes,
        "tokenizer": _tokenizer,
        "vlm_start": _vlm_start,
        "vlm": _vlm,
        "vae": _vae,
        "generator": _generator,
        "gate": _gate,
    }

    def fill(folder: Path) -> None:
        if kind in given_kinds(spec.init):
            _import(spec, kind, folder)
            return
        if kind in _REMADE:
            import torch

            torch.set_num_threads(1)
        makers[kind](spec, store, folder, workers, report)

    return store.get_or_make(recipe(spec, kind), fill, remakable=kind in _REMADE)


def _import(spec: ExperimentSpec, kind: str, out: Path) -> None:
    from uamsim.models.pretrained.families import import_pretrained, import_tokenizer

    config = given_model(spec, kind)
    if config is None:
        import_tokenizer(spec.init, out / "tokenizer.json")
    else:
        import_pretrained(config, kind, spec.init, out / MODEL_FILE)


def _upstream(spec: ExperimentSpec, store: ArtifactStore, kind: str, report: Report) -> Path:
    return make(spec, store, kind, 1, report)


def _demonstrations(
    spec: ExperimentSpec, store: ArtifactStore, out: Path, workers: int, report: Report
) -> None:
    from uamsim.data.demonstrations import collect_demonstrations
    from uamsim.data.lerobot import LeRobotDataset

    collect_demonstrations(
        spec.demonstrations, out, workers=workers, progress=lambda n, of: report(n, of, {})
    )
    dataset = LeRobotDataset(out)
    for camera in spec.demonstrations.cameras:
        # Decoded here, once, and not by every trial at the same time.
        dataset.frames(camera)


def _vqa(
    spec: ExperimentSpec, store: ArtifactStore, out: Path, workers: int, report: Report
) -> None:
    from uamsim.data.vqa import generate_vqa

    generate_vqa(spec.vqa, out, workers=workers, progress=lambda n, of: report(n, of, {}))


def _vqa_test(
    spec: ExperimentSpec, store: ArtifactStore, out: Path, workers: int, report: Report
) -> None:
    from uamsim.data.vqa import generate_vqa

    config = vqa_test_config(spec)
    generate_vqa(config, out, workers=workers, progress=lambda n, of: report(n, of, {}))


def _scene_changes(
    spec: ExperimentSpec, store: ArtifactStore, out: Path, workers: int, report: Report
) -> None:
    from uamsim.data.scene_change import generate_scene_changes

    generate_scene_changes(
        spec.scene_changes, out, workers=workers, progress=lambda n, of: report(n, of, {})
    )


def _tokenizer(
    spec: ExperimentSpec, store: ArtifactStore, out: Path, workers: int, report: Report
) -> None:
    import numpy as np

    from uamsim.data.vqa import corpus
    from uamsim.training.pretraining import train_tokenizer

    config = spec.pretraining
    texts = corpus(np.random.default_rng(config.seed), config.tokenizer_texts)
    train_tokenizer(texts, config.vocab_size, out)


def _vlm(
    spec: ExperimentSpec, store: ArtifactStore, out: Path, workers: int, report: Report
) -> None:
    if not is_joint(spec):
        _vlm_start(spec, store, out, workers, report)
        return
    from uamsim.training.pretraining import extract_e_sem

    extract_e_sem(_upstream(spec, store, "generator", report) / MODEL_FILE, out)


def _vlm_start(
    spec: ExperimentSpec, store: ArtifactStore, out: Path, workers: int, report: Report
) -> None:
    from uamsim.training.pretraining import pretrain_vlm

    pretrain_vlm(
        spec.pretraining,
        spec.model.vlm,
        vqa_root=_upstream(spec, store, "vqa", report),
        tokenizer_path=_upstream(spec, store, "tokenizer", report) / "tokenizer.json",
        out=out,
        report=report,
    )
    _end_training(out)


def _vae(
    spec: ExperimentSpec, store: ArtifactStore, out: Path, workers: int, report: Report
) -> None:
    from uamsim.training.pretraining import pretrain_vae

    pretrain_vae(
        spec.pretraining,
        spec.model.vae,
        vqa_root=_upstream(spec, store, "vqa", report),
        scene_change_root=_upstream(spec, store, "scene_changes", report),
        out=out,
        report=report,
    )
    _end_training(out)


def _generator(
    spec: ExperimentSpec, store: ArtifactStore, out: Path, workers: int, report: Report
) -> None:
    from uamsim.training.pretraining import pretrain_generator

    joint = is_joint(spec)
    pretrain_generator(
        spec.pretraining if joint else dataclasses.replace(spec.pretraining, joint=None),
        spec.model.generator,
        vlm_path=_upstream(spec, store, "vlm_start" if joint else "vlm", report) / MODEL_FILE,
        vae_path=_upstream(spec, store, "vae", report) / MODEL_FILE,
        scene_change_root=_upstream(spec, store, "scene_changes", report),
        vqa_root=_upstream(spec, store, "vqa", report) if joint else None,
        out=out,
        report=report,
    )
    _end_training(out)


def _gate(
    spec: ExperimentSpec, store: ArtifactStore, out: Path, workers: int, report: Report
) -> None:
    gate = measure_gate(
        spec,
        _upstream(spec, store, "generator", report) / MODEL_FILE,
        _upstream(spec, store, "vlm", report) / MODEL_FILE,
        _upstream(spec, store, "vqa_test", report),
    )
    write_json(out / GATE_FILE, gate)


def _end_training(out: Path) -> None:
    """Removes the state that training would have resumed from."""
    from uamsim.training.state import STATE_NAME

    for state in out.glob(f"*{STATE_NAME}"):
        state.unlink()
