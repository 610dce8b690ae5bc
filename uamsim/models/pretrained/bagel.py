"""BAGEL-7B-MoT: E_sem from its understanding expert, E_dor and its latents from the other.

A folder as ByteDance-Seed/BAGEL-7B-MoT has it: ``ema.safetensors``, ``ae.safetensors``,
``llm_config.json``, ``vit_config.json`` and the tokenizer. The fixed positions in it are computed
anew; the vision tower's last layer is not part of the model (BAGEL's app.py).
"""

import dataclasses
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from torch import Tensor

from uamsim.errors import CheckpointError
from uamsim.models.config import (
    BackboneConfig,
    ExpertConfig,
    GeneratorConfig,
    VAEConfig,
    VLAConfig,
    VLMConfig,
)
from uamsim.models.generator import Generator
from uamsim.models.pretrained.layers import decoder, integers, siglip
from uamsim.models.pretrained.stream import (
    Dtype,
    Taken,
    TensorFiles,
    linear,
    load_streamed,
    read_json,
    same,
)
from uamsim.models.pretrained.texts import read_tokenizer
from uamsim.models.pretrained.vae import load_flux_vae
from uamsim.models.tokenizer import PretrainedTokenizer, Template
from uamsim.models.vla import VLA
from uamsim.models.vlm import VLM
from uamsim.models.wiring import DOR, SEM

WEIGHTS = "ema"
TEMPLATE = Template(
    view=("<|vision_start|>", "<|vision_end|>"),
    question=("<|im_start|>", "<|im_end|>"),
    answer="<|im_start|>",
    end="<|im_end|>",
    pad="<|endoftext|>",
)
RECOMPUTED = ("vit_pos_embed.pos_embed", "latent_pos_embed.pos_embed")
GENERATION = ("*_moe_gen.*", "vae2llm.*", "llm2vae.*", "time_embedder.*")


def is_bagel(folder: Path) -> bool:
    """Whether the folder has BAGEL's layout."""
    return (folder / "llm_config.json").is_file() and (folder / "vit_config.json").is_file()


def read_bagel_tokenizer(folder: Path) -> PretrainedTokenizer:
    """Its tokenizer, with the marks around prompts and pictures."""
    return read_tokenizer(folder, TEMPLATE)


def bagel_config(folder: Path, base: VLAConfig) -> VLAConfig:
    """``base`` with the sizes that the folder's files give; pictures and E_act stay as they are.

    Raises:
        CheckpointError: a file is missing, or lacks a size.
    """
    llm, vit = read_json(folder / "llm_config.json"), read_json(folder / "vit_config.json")
    width, ffn, depth, heads, kv_heads, vocab_size = integers(
        llm,
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "vocab_size",
    )
    vit_width, vit_ffn, vit_depth, vit_heads, patch = integers(
        vit,
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "patch_size",
    )
    # The published code sets qk_norm, untied embeddings and one layer less after reading these.
    expert = ExpertConfig(width=width, ffn=ffn, qk_norm=True)
    vision = dataclasses.replace(
        base.vlm.vision,
        image_size=_rounded(base.vlm.vision.image_size, patch),
        resize="bicubic",
        patch=patch,
        stem="linear",
        width=vit_width,
        depth=vit_depth - 1,
        heads=vit_heads,
        ffn=vit_ffn,
        merge=1,
        connector_norm=False,
        columns_first=True,
        norm_eps=_number(vit, "layer_norm_eps", 1e-6),
    )
    backbone = BackboneConfig(
        depth=depth,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=width // heads,
        rope_theta=_number(llm, "rope_theta", 1e6),
        rms_eps=_number(llm, "rms_norm_eps", 1e-6),
    )
    vlm = dataclasses.replace(
        base.vlm,
        backbone=backbone,
        expert=expert,
        vision=vision,
        vocab_size=vocab_size,
        tie_embeddings=False,
    )
    return dataclasses.replace(base, vlm=vlm, dorsal=expert, vae=_vae_config(folder, base.vae))


def _rounded(size: tuple[int, int], step: int) -> tuple[int, int]:
    """The nearest (H, W) in multiples of ``step`` pixels."""
    height, width = (max(step, (pixels + step // 2) // step * step) for pixels in size)
    return height, width


def _number(config: dict[str, object], name: str, default: float) -> float:
    value = config.get(name, default)
    if not isinstance(value, int | float):
        raise CheckpointError(f"the config must give {name} as a number; got {value!r}.")
    return float(value)


def _vae_config(folder: Path, base: VAEConfig) -> VAEConfig:
    """The autoencoder's sizes, which no config file gives."""
    files, widths = TensorFiles(folder, "ae"), []
    while (key := f"encoder.down.{len(widths)}.block.0.conv1.weight") in files:
        widths.append(files.meta(key).shape[0])
    last = "decoder.conv_in.weight"
    if not widths or last not in files:
        raise CheckpointError(f"{folder / 'ae.safetensors'} is not the FLUX autoencoder.")
    stride = 2 ** len(widths)
    return dataclasses.replace(
        base,
        image_size=_rounded(base.image_size, stride),
        kind="flux",
        widths=tuple(widths),
        latent_channels=files.meta(last).shape[1],
        patch=2,
        bagel_tokens=True,
    )


def load_bagel(
    model: VLM | Generator | VLA,
    folder: Path,
    *,
    dtype: Dtype = None,
    device: torch.device | str = "cpu",
) -> None:
    """Fills what BAGEL has of ``model``: E_sem, and E_dor as ``config.dorsal_init`` says.

    Args:
        model: of the folder's sizes, on the meta device or not.
        folder: see the module.
        dtype: as for ``load_streamed``.
        device: as for ``load_streamed``.

    Raises:
        CheckpointError: files are missing, or do not fit.
    """
    source = TensorFiles(folder, WEIGHTS)
    mapping = bagel_mapping(model.config)
    used = {key for taken in mapping.values() for key in taken.keys}
    vlm = model.config if isinstance(model.config, VLMConfig) else model.config.vlm
    tower = "vit_model.vision_model"
    dropped = (*RECOMPUTED, f"{tower}.encoder.layers.{vlm.vision.depth}.*", f"{tower}.head.*")
    # E_gen's blocks may be wanted without its latent layers.
    dropped += tuple(p for p in GENERATION if not any(fnmatchcase(key, p) for key in used))
    load_streamed(model, source, mapping, dropped=dropped, dtype=dtype, device=device)
    if not isinstance(model, VLM) and hasattr(model, "vae"):
        load_flux_vae(model.vae, folder, dtype=dtype, device=device)


def bagel_mapping(config: VLMConfig | GeneratorConfig | VLAConfig) -> dict[str, Taken]:
    """Our parameters -> BAGEL's keys, for all that BAGEL gives a model of ``config``."""
    if isinstance(config, VLMConfig):
        return _sem("", config)
    mapping = _sem("vlm.", config.vlm)
    vla = isinstance(config, VLAConfig)
    origin = config.dorsal_init if vla else "generator"
    if origin in ("vlm", "generator"):
        suffix = "_moe_gen" if origin == "generator" else ""
        depth, theirs = config.vlm.backbone.depth, "language_model.model"
        mapping |= decoder("vlm.mot", theirs, DOR, depth, config.dorsal, suffix)
    for ours, source in (config.copied if vla else {"latent": "latent"}).items():
        mapping |= _latent(config.vae) if source == "latent" else _connector(ours)
    return mapping


def _connector(ours: str) -> dict[str, Taken]:
    return linear(f"{ours}.fc1", "connector.fc1") | linear(f"{ours}.fc2", "connector.fc2")


def _sem(ours: str, config: VLMConfig) -> dict[str, Taken]:
    depth, theirs = config.backbone.depth, "language_model"
    return {
        f"{ours}embed.weight": same(f"{theirs}.model.embed_tokens.weight"),
        f"{ours}head.weight": same(f"{theirs}.lm_head.weight"),
        **decoder(f"{ours}mot", f"{theirs}.model", SEM, depth, config.expert),
        **siglip(f"{ours}vision", "vit_model.vision_model", config.vision),
        **_connector(f"{ours}connector"),
    }


def _latent(vae: VAEConfig) -> dict[str, Taken]:
    """Latent tokens are (row, column, channel) in BAGEL, (channel, row, column) here."""
    square = (vae.patch, vae.patch, vae.latent_channels)

    def inputs(weight: Tensor) -> Tensor:
        return weight.unflatten(1, square).permute(0, 3, 1, 2).flatten(1)

    def outputs(tensor: Tensor) -> Tensor:
        return tensor.unflatten(0, square).movedim(2, 0).flatten(0, 2)

    def time(weight: Tensor) -> Tensor:
        # Cosines before sines in BAGEL.
        cos, sin = weight.chunk(2, dim=1)
        return torch.cat((sin, cos), dim=1)

    return {
        "latent.vae2llm.weight": Taken(("vae2llm.weight",), inputs),
        "latent.vae2llm.bias": same("vae2llm.bias"),
        "latent.llm2vae.weight": Taken(("llm2vae.weight",), outputs),
        "latent.llm2vae.bias": Taken(("llm2vae.bias",), outputs),
        "latent.time_mlp.0.weight": Taken(("time_embedder.mlp.0.weight",), time),
        "latent.time_mlp.0.bias": same("time_embedder.mlp.0.bias"),
        **linear("latent.time_mlp.2", "time_embedder.mlp.2"),
    }
