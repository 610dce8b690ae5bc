"""What the folders of `transformers` have alike: where a part's keys begin, and E_sem's parts.

A part's prefix has changed between versions of `transformers` ("visual." or "model.visual."), so
it is found from a key that the part must have.
"""

from pathlib import Path
from typing import Any

from uamsim.errors import CheckpointError
from uamsim.models.config import GeneratorConfig, VLAConfig, VLMConfig
from uamsim.models.pretrained.layers import decoder
from uamsim.models.pretrained.stream import Taken, TensorFiles, linear, read_json, same
from uamsim.models.wiring import DOR, SEM

CONFIG = "config.json"


def model_type(folder: Path) -> str | None:
    """``model_type`` of the folder's ``config.json``; None where there is no such file."""
    path = folder / CONFIG
    return str(read_json(path).get("model_type")) if path.is_file() else None


def section(
    config: dict[str, Any], name: str, default: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A nested object of a config.

    Raises:
        CheckpointError: it is missing, and there is no default.
    """
    value = config.get(name, default)
    if not isinstance(value, dict):
        raise CheckpointError(f"{CONFIG} must give {name} as an object; got {value!r}.")
    return value


def rope_theta(text: dict[str, Any], default: float) -> float:
    """The rotary base, which files of `transformers` 5 keep in ``rope_parameters``."""
    nested = text.get("rope_parameters") or {}
    return float(nested.get("rope_theta", text.get("rope_theta", default)))


def normalisation(
    folder: Path, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the colours: of ``preprocessor_config.json``, else those given."""
    path = folder / "preprocessor_config.json"
    found = read_json(path) if path.is_file() else {}
    return (
        tuple(found.get("image_mean", mean)),  # pyright: ignore[reportArgumentType]
        tuple(found.get("image_std", std)),  # pyright: ignore[reportArgumentType]
    )


def root(source: TensorFiles, suffix: str) -> str:
    """What stands ahead of ``suffix`` in the one key that ends with it, such as "model.visual.".

    Raises:
        CheckpointError: no key ends so, or several do.
    """
    keys = [key for key in source if key == suffix or key.endswith(f".{suffix}")]
    if len(keys) != 1:
        raise CheckpointError(
            f"expected one key ...{suffix} in {source.folder}; found {', '.join(keys) or 'none'}. "
            "Use the weights as transformers' save_pretrained writes them."
        )
    return keys[0].removesuffix(suffix)


def language(
    config: VLMConfig | GeneratorConfig | VLAConfig,
    source: TensorFiles,
    tower: dict[str, Taken],
    connector: dict[str, str],
) -> dict[str, Taken]:
    """Our parameters -> their keys: E_sem, and E_dor where it starts as a copy of it.

    Args:
        config: of the model to fill.
        source: their tensors.
        tower: our parameters below ``vision.`` -> their keys.
        connector: our layers below ``connector.`` -> theirs.
    """
    vlm = config if isinstance(config, VLMConfig) else config.vlm
    ours = "" if isinstance(config, VLMConfig) else "vlm."
    theirs, depth = root(source, "embed_tokens.weight"), vlm.backbone.depth
    decoder_path = theirs.removesuffix(".")
    taken = {
        f"{ours}embed.weight": same(f"{theirs}embed_tokens.weight"),
        **decoder(f"{ours}mot", decoder_path, SEM, depth, vlm.expert),
        **{f"{ours}vision.{name}": value for name, value in tower.items()},
    }
    for own, layer in connector.items():
        taken |= linear(f"{ours}connector.{own}", layer)
    if not vlm.tie_embeddings:
        taken[f"{ours}head.weight"] = same(f"{root(source, 'lm_head.weight')}lm_head.weight")
    if isinstance(config, VLAConfig) and config.dorsal_init == "vlm":
        taken |= decoder("vlm.mot", decoder_path, DOR, depth, config.dorsal)
        for copy in config.copied:
            for own, layer in connector.items():
                taken |= linear(f"{copy}.{own}", layer)
    return taken


def tied_head(config: VLMConfig | GeneratorConfig | VLAConfig) -> tuple[str, ...]:
    """Keys of a head that is the embedding once more."""
    vlm = config if isinstance(config, VLMConfig) else config.vlm
    return ("*lm_head.weight",) if vlm.tie_embeddings else ()
