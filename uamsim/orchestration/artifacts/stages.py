"""What trials start from: data sets and the "public models", each made once.

Recipes name everything upstream, so a model that ships with the package is found without its
training data ever being made.
"""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uamsim.contract import json_fields
from uamsim.data.config import VQAConfig
from uamsim.jsonable import to_json
from uamsim.models.config import GeneratorConfig, VAEConfig, VLMConfig
from uamsim.orchestration.artifacts.gate import GATE_FILE, gate_config, measure_gate
from uamsim.orchestration.artifacts.given_data import demonstration_config
from uamsim.orchestration.artifacts.public_weights import fingerprint, given_kinds
from uamsim.orchestration.artifacts.store import ArtifactStore, Recipe
from uamsim.orchestration.runs.progress import Report
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.runtime import limit_threads
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
    "scene_changes": 4,
    "tokenizer": 3,
    "vlm": 3,
    "vae": 3,
    "generator": 1,
    "gate": 2,
}
"""Raised by hand when code changes what a recipe gives."""


def recipes(spec: ExperimentSpec) -> dict[str, Recipe]:
    """Kind of artifact -> its recipe in this experiment."""
    given = given_kinds(spec.init)
    found: dict[str, Recipe] = {}

    def work_out(kind: str) -> Recipe:
        if kind not in found:
            config, upstream = configs[kind]
            if kind in given:
                config = {"init": fingerprint(spec.init), "model": given_model(spec, kind)}
                upstream = ()
            stored = {"vqa_test": "vqa", "vlm_start": "vlm"}.get(kind, kind)
            keys = {name: work_out(name).key for name in upstream}
            if kind == "vae" and keys and spec.pretraining.vae_pairs:
                keys["scene_changes"] = spec.pretraining.vae_pairs
            found[kind] = Recipe(
                kind=stored, version=_VERSIONS[stored], config=to_json(config), upstream=keys
            )
        return found[kind]

    configs = _configs(spec, is_joint(spec, given))
    return {kind: work_out(kind) for kind in configs}


def _configs(spec: ExperimentSpec, joint: bool) -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Kind -> the config that decides it, and the kinds that it is made from."""
    pretraining, model = spec.pretraining, spec.model
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
    return {
        "demonstrations": (demonstration_config(spec), ()),
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


def is_joint(spec: ExperimentSpec, given: Collection[str]) -> bool:
    """Whether E_sem is trained with the generator; what public weights give stays as it is."""
    return spec.pretraining.joint is not None and "vlm" not in given


def given_model(spec: ExperimentSpec, kind: str) -> VLMConfig | VAEConfig | GeneratorConfig | None:
    """The config of a kind that public weights give; a tokenizer has none."""
    model = spec.model
    return {"vlm": model.vlm, "vae": model.vae, "generator": model.generator}.get(kind)


def vqa_test_config(spec: ExperimentSpec) -> VQAConfig:
    """The question set without its training scenes; the test part is the same."""
    return dataclasses.replace(spec.vqa, num_train_scenes=1)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an experiment starts from: worked out once a run, and handed on.

    Attributes:
        spec: the experiment.
        store: where artifacts are.
        recipes: kind -> recipe.
        paths: kind -> folder, of those that are there, of all that the experiment asks for.
        given: kinds that public weights give (``spec.init``).
        joint: whether E_sem is trained with the generator.
    """

    spec: ExperimentSpec
    store: ArtifactStore
    recipes: Mapping[str, Recipe]
    paths: Mapping[str, Path]
    given: tuple[str, ...]
    joint: bool

    @property
    def order(self) -> tuple[str, ...]:
        """All kinds, each after what it needs."""
        vlms = (
            ("vlm_start", "vae", "generator", "vlm") if self.joint else ("vlm", "vae", "generator")
        )
        return ("demonstrations", "vqa_test", "vqa", "scene_changes", "tokenizer", *vlms, "gate")

    @property
    def needed(self) -> list[str]:
        """The kinds that must still be made, each after what it needs."""
        wanted = self.wanted
        return [kind for kind in self.order if kind in wanted and kind not in self.paths]

    @property
    def wanted(self) -> set[str]:
        """The kinds that the experiment asks for, there or not."""
        missing = {kind for kind in PRETRAINED if kind not in self.paths}
        trained = missing - set(self.given)
        wanted = {"demonstrations", "vqa_test", *PRETRAINED}
        if trained & {"vlm", "vae"} or self.spec.cotrains:
            wanted.add("vqa")
        if trained & {"vae", "generator"}:
            wanted.add("scene_changes")
        if self.joint and "generator" in trained:
            wanted |= {"vlm_start", "vqa"}
        if "generator" not in self.given:
            wanted.add("gate")
        return wanted

    def with_paths(self, paths: Mapping[str, Path]) -> "Plan":
        """The same once more artifacts are there."""
        return dataclasses.replace(self, paths={**self.paths, **paths})

    def look_up(self, kinds: Iterable[str]) -> "Plan":
        """The same with what the store has of these kinds, whose files are read for that."""
        found = {
            kind: path
            for kind in kinds
            if (path := self.store.find(self.recipes[kind], remakable=kind in _REMADE)) is not None
        }
        return self.with_paths(found)


def plan(spec: ExperimentSpec, store: ArtifactStore) -> Plan:
    """Works out every recipe, and looks for each artifact once.

    Raises:
        CheckpointError: the weights that ``spec.init`` names are missing, or of no known family.
    """
    given = given_kinds(spec.init)
    empty = Plan(
        spec=spec,
        store=store,
        recipes=recipes(spec),
        paths={},
        given=given,
        joint=is_joint(spec, given),
    )
    # Which data sets are asked for depends on which models are missing.
    models = empty.look_up(PRETRAINED)
    return models.look_up(models.wanted - set(PRETRAINED))


def make(plan: Plan, kind: str, workers: int, report: Report) -> Path:
    """One artifact, made now if there is none.

    Args:
        plan: of the experiment.
        kind: one of its recipes'.
        workers: processes, for data sets; models are trained in this process.
        report: progress.

    Raises:
        StorageError: the disk is full; what was finished is kept.
        DatasetError: data cannot be made or read.
    """
    if kind in plan.paths:
        return plan.paths[kind]

    def fill(folder: Path) -> None:
        if kind in plan.given:
            _import(plan.spec, kind, folder)
            return
        if kind in _REMADE:
            limit_threads()
        MAKERS[kind](plan, folder, workers, report)

    return plan.store.get_or_make(plan.recipes[kind], fill, remakable=kind in _REMADE)


def _import(spec: ExperimentSpec, kind: str, out: Path) -> None:
    from uamsim.models.pretrained.families import import_pretrained, import_tokenizer

    config = given_model(spec, kind)
    if config is None:
        import_tokenizer(spec.init, out / "tokenizer.json")
    else:
        import_pretrained(config, kind, spec.init, out / MODEL_FILE)


def _demonstrations(plan: Plan, out: Path, workers: int, report: Report) -> None:
    from uamsim.data.demonstrations import collect_demonstrations
    from uamsim.data.given import GivenDataset
    from uamsim.data.lerobot import LeRobotDataset

    config = plan.spec.demonstrations
    if plan.spec.data.path:
        given = GivenDataset(plan.spec.data, config.cameras)
        given.write(out, config.image_size, config.control_hz)
        return

    collect_demonstrations(
        plan.spec.demonstrations, out, workers=workers, progress=lambda n, of: report(n, of, {})
    )
    dataset = LeRobotDataset(out)
    for camera in plan.spec.demonstrations.cameras:
        # Decoded here, once, and not by every trial at the same time.
        dataset.frames(camera)


def _vqa(plan: Plan, out: Path, workers: int, report: Report) -> None:
    from uamsim.data.vqa import generate_vqa

    generate_vqa(plan.spec.vqa, out, workers=workers, progress=lambda n, of: report(n, of, {}))


def _vqa_test(plan: Plan, out: Path, workers: int, report: Report) -> None:
    from uamsim.data.vqa import generate_vqa

    config = vqa_test_config(plan.spec)
    generate_vqa(config, out, workers=workers, progress=lambda n, of: report(n, of, {}))


def _scene_changes(plan: Plan, out: Path, workers: int, report: Report) -> None:
    from uamsim.data.scene_change import generate_scene_changes

    generate_scene_changes(
        plan.spec.scene_changes, out, workers=workers, progress=lambda n, of: report(n, of, {})
    )


def _tokenizer(plan: Plan, out: Path, workers: int, report: Report) -> None:
    import numpy as np

    from uamsim.data.vqa import corpus
    from uamsim.training.pretraining import train_tokenizer

    config = plan.spec.pretraining
    texts = corpus(np.random.default_rng(config.seed), config.tokenizer_texts)
    train_tokenizer(texts, config.vocab_size, out)


def _vlm(plan: Plan, out: Path, workers: int, report: Report) -> None:
    if not plan.joint:
        _vlm_start(plan, out, workers, report)
        return
    from uamsim.training.pretraining import extract_e_sem

    extract_e_sem(make(plan, "generator", 1, report) / MODEL_FILE, out)


def _vlm_start(plan: Plan, out: Path, workers: int, report: Report) -> None:
    from uamsim.training.pretraining import pretrain_vlm

    pretrain_vlm(
        plan.spec.pretraining,
        plan.spec.model.vlm,
        vqa_root=make(plan, "vqa", 1, report),
        tokenizer_path=make(plan, "tokenizer", 1, report) / "tokenizer.json",
        out=out,
        report=report,
    )
    _end_training(out)


def _vae(plan: Plan, out: Path, workers: int, report: Report) -> None:
    from uamsim.training.pretraining import pretrain_vae

    pretrain_vae(
        plan.spec.pretraining,
        plan.spec.model.vae,
        vqa_root=make(plan, "vqa", 1, report),
        scene_change_root=make(plan, "scene_changes", 1, report),
        out=out,
        report=report,
    )
    _end_training(out)


def _generator(plan: Plan, out: Path, workers: int, report: Report) -> None:
    from uamsim.training.pretraining import pretrain_generator

    joint = plan.joint
    pretrain_generator(
        plan.spec.pretraining if joint else dataclasses.replace(plan.spec.pretraining, joint=None),
        plan.spec.model.generator,
        vlm_path=make(plan, "vlm_start" if joint else "vlm", 1, report) / MODEL_FILE,
        vae_path=make(plan, "vae", 1, report) / MODEL_FILE,
        scene_change_root=make(plan, "scene_changes", 1, report),
        vqa_root=make(plan, "vqa", 1, report) if joint else None,
        out=out,
        report=report,
    )
    _end_training(out)


def _gate(plan: Plan, out: Path, workers: int, report: Report) -> None:
    gate = measure_gate(
        plan.spec,
        make(plan, "generator", 1, report) / MODEL_FILE,
        make(plan, "vlm", 1, report) / MODEL_FILE,
        make(plan, "vqa_test", 1, report),
    )
    write_json(out / GATE_FILE, gate)


def _end_training(out: Path) -> None:
    """Removes the state that training would have resumed from."""
    from uamsim.training.state import STATE_NAME

    for state in out.glob(f"*{STATE_NAME}"):
        state.unlink()


MAKERS: dict[str, Callable[[Plan, Path, int, Report], None]] = {
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
"""Kind -> what makes it, from the plan, into a folder, with so many processes."""
