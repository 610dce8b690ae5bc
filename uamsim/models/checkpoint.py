"""Checkpoints: one safetensors file with config, tokenizer and format version in its header."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from uamsim.errors import CheckpointError, ConfigError, ShapeError, UnknownNameError
from uamsim.models.config import (
    GeneratorConfig,
    ModelConfig,
    VAEConfig,
    VLAConfig,
    VLMConfig,
    config_from_json,
    config_to_json,
)
from uamsim.models.generator import Generator
from uamsim.models.pretrained.stream import TensorFiles, find_folder
from uamsim.models.state import assign, check_fit
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.vae import VAE
from uamsim.models.vla import VLA
from uamsim.models.vlm import VLM
from uamsim.storage import whole_file

ModelT = TypeVar("ModelT", bound=nn.Module)
FORMAT_VERSION = 1
WEIGHTS_FILE = "model.safetensors"
HEADER_KEY = "uamsim"
CONFIGS: dict[str, type[ModelConfig]] = {
    "vlm": VLMConfig,
    "vae": VAEConfig,
    "generator": GeneratorConfig,
    "vla": VLAConfig,
}


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a file held.

    Attributes:
        kind: "vlm", "vae", "generator" or "vla".
        state: the weights, each read from the file when it is asked for.
        extra: JSON that the writer added: normaliser, step, recipe.
    """

    kind: str
    config: ModelConfig
    tokenizer: Tokenizer | None
    state: Mapping[str, Tensor]
    extra: dict[str, Any]

    def build(self) -> nn.Module:
        """The model with its weights, in eval mode.

        Raises:
            CheckpointError: the weights do not fit the config.
        """
        self._check_fit()
        model = build_model(self.config, self.tokenizer)
        assign(model.state_dict(), self.state, f"this {self.kind}")
        return model.eval()

    def _check_fit(self) -> None:
        """Compares shapes before anything has memory: a config may name sizes that none has.

        Raises:
            CheckpointError: the weights do not fit the config, or it describes no model.
        """
        try:
            with torch.device("meta"):
                wanted = build_model(self.config, self.tokenizer).state_dict()
        except (ConfigError, ShapeError) as error:
            raise CheckpointError(f"a config that makes no {self.kind}: {error}") from error
        state = self.state
        if isinstance(state, TensorFiles):
            state = {name: state.meta(name) for name in state}
        check_fit(wanted, state, f"this {self.kind}")

    def build_vlm(self) -> VLM:
        """``build`` where a VLM is wanted.

        Raises:
            CheckpointError: it is of another kind.
        """
        return self._build(VLM)

    def build_vae(self) -> VAE:
        """``build`` where a VAE is wanted.

        Raises:
            CheckpointError: it is of another kind.
        """
        return self._build(VAE)

    def build_generator(self) -> Generator:
        """``build`` where a generator is wanted.

        Raises:
            CheckpointError: it is of another kind.
        """
        return self._build(Generator)

    def build_vla(self) -> VLA:
        """``build`` where a VLA is wanted.

        Raises:
            CheckpointError: it is of another kind.
        """
        return self._build(VLA)

    def _build(self, cls: type[ModelT]) -> ModelT:
        model = self.build()
        if not isinstance(model, cls):
            raise CheckpointError(f"expected a {cls.__name__} checkpoint; got kind {self.kind!r}.")
        return model


def build_model(
    config: ModelConfig, tokenizer: Tokenizer | None = None, *, seed: int = 0
) -> VLM | VAE | Generator | VLA:
    """A model of ``config`` with initial weights.

    Raises:
        ConfigError: a model that reads text got no tokenizer.
    """
    if isinstance(config, VAEConfig):
        return VAE(config, seed=seed)
    if tokenizer is None:
        raise ConfigError(f"a model of {type(config).__name__} needs a tokenizer; got None.")
    if isinstance(config, VLMConfig):
        return VLM(config, tokenizer, seed=seed)
    if isinstance(config, GeneratorConfig):
        return Generator(config, tokenizer, seed=seed)
    return VLA(config, tokenizer, seed=seed)


def save_checkpoint(
    path: Path,
    model: nn.Module,
    *,
    kind: str,
    config: ModelConfig,
    extra: Mapping[str, Any] | None = None,
    state: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes ``model`` to ``path``, whole or not at all.

    Args:
        path: a file; its folder is made where it is missing.
        model: its weights, and its ``tokenizer`` where it has one.
        kind: a key of ``CONFIGS``.
        config: what ``build_model`` needs to make it again.
        extra: JSON values to keep with it.
        state: weights to write in place of the model's own, such as their average.

    Raises:
        StorageError: the disk is full or the path cannot be written.
        UnknownNameError: no such kind.
    """
    if kind not in CONFIGS:
        raise UnknownNameError("checkpoint kind", kind, CONFIGS)
    tokenizer = getattr(model, "tokenizer", None)
    header = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "config": config_to_json(config),
        "tokenizer": tokenizer.to_json() if isinstance(tokenizer, Tokenizer) else None,
        "extra": dict(extra or {}),
    }
    weights = model.state_dict() if state is None else state
    weights = {name: tensor.detach().contiguous() for name, tensor in weights.items()}
    with whole_file(path, SafetensorError) as partial:
        save_file(weights, partial, metadata={HEADER_KEY: json.dumps(header, sort_keys=True)})


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint; nothing is unpickled.

    Raises:
        CheckpointError: the file is missing, corrupt, not ours, or of another format version.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        header = json.loads(metadata[HEADER_KEY])
        version, kind = header["format_version"], header["kind"]
    except KeyError as error:
        raise CheckpointError(f"{path} has no uamsim header ({error} is missing).") from error
    except (SafetensorError, ValueError, OSError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is corrupt or no safetensors file: {error}. Remove it and make it again."
        ) from error
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {version}; this uamsim reads version {FORMAT_VERSION}."
        )
    if kind not in CONFIGS:
        raise CheckpointError(f"{path} holds a {kind!r}; known: {', '.join(CONFIGS)}.")
    try:
        config = config_from_json(CONFIGS[kind], header["config"])
        text = header["tokenizer"]
        tokenizer = None if text is None else Tokenizer.from_json(text)
        extra = header["extra"]
        if not isinstance(extra, dict):
            raise ConfigError(f"extra must be a JSON object, got {extra!r:.50}.")
    except (KeyError, TypeError, ConfigError, ArithmeticError) as error:
        raise CheckpointError(f"{path} has a header that does not fit: {error}") from error
    state = TensorFiles(path)
    return Checkpoint(kind=kind, config=config, tokenizer=tokenizer, state=state, extra=extra)


def save_pretrained(
    model: VLM | VAE | Generator | VLA, folder: Path, *, extra: Mapping[str, Any] | None = None
) -> None:
    """Writes ``folder / "model.safetensors"``, which ``from_pretrained`` reads.

    Args:
        model: its weights, config and tokenizer.
        folder: made where it is missing.
        extra: JSON values to keep with it; a policy's has its normaliser and control.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    kind = next(kind for kind, cls in CONFIGS.items() if isinstance(model.config, cls))
    path = folder / WEIGHTS_FILE
    save_checkpoint(path, model, kind=kind, config=model.config, extra=extra)


def from_pretrained(name: str | Path) -> Checkpoint:
    """What ``save_pretrained`` wrote; ``.build_vla()`` and its like give the model.

    Args:
        name: the folder, the file itself, or a hub name where there is neither.

    Raises:
        CheckpointError: there is no such folder or name, or it does not hold our format.
    """
    file = Path(name).expanduser()
    return load_checkpoint(file if file.is_file() else find_folder(str(name)) / WEIGHTS_FILE)
