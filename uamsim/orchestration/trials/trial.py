"""What a trial is: a variant tuned with one seed, where it lies, and what came of it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from uamsim.contract import content_hash
from uamsim.errors import ConfigError
from uamsim.orchestration.spec import ESem, ExperimentSpec
from uamsim.storage import read_json, read_jsonl, sha256, write_jsonl
from uamsim.training.config import RuntimeConfig

LOGGER = logging.getLogger("uamsim.orchestration")
LOSSES: tuple[str, ...] = ("total", "action", "dynamics", "vqa")
"""Those that a trial keeps of its training, as far as it has them."""
TRIAL_VERSION = 1
"""Raised when code changes what comes out of a trial."""


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """A variant, how E_sem is treated, and the seed."""

    variant: str
    e_sem: ESem
    seed: int

    @property
    def trial_id(self) -> str:
        """Names the trial and its folder."""
        return f"{self.variant}-{self.e_sem}-seed{self.seed}"

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "TrialSpec":
        """Reads the fields; other keys do not matter.

        Raises:
            ConfigError: a field is missing.
        """
        try:
            return cls(variant=value["variant"], e_sem=value["e_sem"], seed=value["seed"])
        except KeyError as error:
            raise ConfigError(f"a trial needs variant, e_sem and seed, got {value}.") from error


@dataclass(frozen=True, kw_only=True)
class Artifacts:
    """Where the things that trials start from are.

    Attributes:
        demonstrations: LeRobot dataset.
        vqa_test: question set whose test part measures S.
        tokenizer: folder of ``tokenizer.json``.
        vlm: folder of the pretrained VLM's ``model.safetensors``.
        vae: folder of the VAE's.
        generator: folder of the generation expert's.
        vqa: question set with its training part, where some trial co-trains on it.
        gate: JSON of what the generator was found to know; None where public weights give it.
    """

    demonstrations: Path
    vqa_test: Path
    tokenizer: Path
    vlm: Path
    vae: Path
    generator: Path
    vqa: Path | None = None
    gate: Path | None = None


@dataclass(frozen=True, kw_only=True)
class TrialContext:
    """What all trials of a run share; pickles.

    Attributes:
        spec: the experiment.
        out: folder of the run.
        artifacts: made before any trial.
        before: S0 and floors, from ``measuring.measure_before``.
        runtime: how trials train, which does not change what comes out.
    """

    spec: ExperimentSpec
    out: Path
    artifacts: Artifacts
    before: Mapping[str, Any]
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)

    def folder(self, trial: TrialSpec) -> Path:
        """The trial's own folder."""
        return self.out / "trials" / trial.trial_id


def expand(spec: ExperimentSpec) -> list[TrialSpec]:
    """All trials, the first seed of every variant before the second of any."""
    frozen = spec.seeds[: spec.frozen_seeds or None]
    return [
        TrialSpec(variant=variant, e_sem=e_sem, seed=seed)
        for seed in spec.seeds
        for variant, e_sem in spec.trained
        if e_sem != "frozen" or seed in frozen
    ]


def load_done(context: TrialContext, trial: TrialSpec) -> dict[str, Any] | None:
    """The result of a finished trial, or None if it must be run (again).

    A checkpoint that is no longer what was measured counts as none: it is made again.
    """
    folder = context.folder(trial)
    done = read_json(folder / "done.json")
    if not isinstance(done, dict) or done.get("recipe") != trial_recipe(context, trial):
        return None
    checkpoint = folder / str(done.get("checkpoint"))
    if not checkpoint.is_file():
        return None
    found = checkpoint.stat()
    if _hash(checkpoint, found.st_mtime_ns, found.st_size) != done.get("checkpoint_hash"):
        LOGGER.warning(
            "%s is not what trial %s left (another checksum); the trial is run again",
            checkpoint,
            trial.trial_id,
        )
        return None
    return done


@lru_cache(maxsize=1024)
def _hash(path: Path, written_ns: int, size: int) -> str:
    """The checkpoint's hash as results have it; a file is read again once it was written to."""
    del written_ns, size
    return sha256(path)[:16]


def is_finished(context: TrialContext, trial: TrialSpec) -> bool:
    """Whether the trial's result is there."""
    return load_done(context, trial) is not None


def curve(context: TrialContext, trial: TrialSpec) -> list[dict[str, Any]]:
    """The rows of ``curve.jsonl``."""
    return read_jsonl(context.folder(trial) / "curve.jsonl")


def append_losses(
    context: TrialContext, trial: TrialSpec, step: int, metrics: Mapping[str, float]
) -> None:
    """Adds a step's losses to ``losses.jsonl``, in place of those of a killed run from there on."""
    kept = [row for row in losses(context, trial) if row["step"] < step]
    row = {"step": step} | {name: metrics[name] for name in LOSSES if name in metrics}
    write_jsonl(context.folder(trial) / "losses.jsonl", [*kept, row])


def losses(context: TrialContext, trial: TrialSpec) -> list[dict[str, float]]:
    """The rows of ``losses.jsonl``."""
    return read_jsonl(context.folder(trial) / "losses.jsonl")


def append_curve(context: TrialContext, trial: TrialSpec, rows: list[dict[str, Any]]) -> None:
    """Adds the rows of a snapshot, in place of earlier ones of the same step."""
    steps = {row["step"] for row in rows}
    kept = [row for row in curve(context, trial) if row["step"] not in steps]
    write_jsonl(context.folder(trial) / "curve.jsonl", [*kept, *rows])


def trial_recipe(context: TrialContext, trial: TrialSpec) -> str:
    """What decides the trial's checkpoint and scores, so that a stale result is not reused."""
    spec, artifacts = context.spec, context.artifacts
    tuning = spec.tuning_of(trial.e_sem)
    data = [artifacts.demonstrations.name, artifacts.vqa_test.name]
    if tuning.vqa_share and artifacts.vqa is not None:
        data.append(artifacts.vqa.name)
    return content_hash(
        [
            TRIAL_VERSION,
            trial,
            tuning,
            spec.variant_model(trial.variant, trial.e_sem),
            data,
            [artifacts.vlm.name, artifacts.vae.name, artifacts.generator.name],
        ]
    )
