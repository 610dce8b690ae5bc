"""Parameters, FLOPs and memory of a config, for a dry run; nothing here imports torch."""

import itertools

from uamsim.models.config import (
    BackboneConfig,
    ExpertConfig,
    GeneratorConfig,
    ModelConfig,
    VAEConfig,
    VisionConfig,
    VLAConfig,
    VLMConfig,
)
from uamsim.models.wiring import ACT, DOR, SEM

TIME_WIDTH = 256
TEXT_TOKENS = 16
"""Text assumed in a sample, where FLOPs are asked for."""


def linear(inputs: int, outputs: int, *, bias: bool = True) -> int:
    """Parameters of a linear layer."""
    return inputs * outputs + (outputs if bias else 0)


def _expert_layer(backbone: BackboneConfig, expert: ExpertConfig) -> int:
    attn = backbone.heads * backbone.head_dim
    qkv = attn + 2 * backbone.kv_heads * backbone.head_dim
    norms = 2 * expert.width + (2 * backbone.head_dim if expert.qk_norm else 0)
    projections = linear(expert.width, qkv, bias=expert.qkv_bias) + attn * expert.width
    return norms + projections + 3 * expert.width * expert.ffn


def _expert(backbone: BackboneConfig, expert: ExpertConfig) -> int:
    return backbone.depth * _expert_layer(backbone, expert) + expert.width


def _stem_widths(vision: VisionConfig) -> list[int]:
    halvings = vision.patch.bit_length() - 1
    return [3] + [max(16, vision.width >> (halvings - i)) for i in range(1, halvings + 1)]


def _vision(vision: VisionConfig) -> int:
    if vision.stem == "linear":
        stem = linear(3 * vision.patch**2, vision.width, bias=vision.stem_bias)
    else:
        widths = _stem_widths(vision)
        stem = sum(linear(9 * a, b) for a, b in itertools.pairwise(widths))
    norm = vision.width * (1 if vision.norm == "rms" else 2)
    block = (
        2 * norm
        + linear(vision.width, 3 * vision.width)
        + linear(vision.width, vision.width)
        + linear(vision.width, vision.ffn * (2 if vision.mlp == "swiglu" else 1))
        + linear(vision.ffn, vision.width)
    )
    return stem + _position_table(vision) + vision.depth * block + norm


def _position_table(vision: VisionConfig) -> int:
    rows, columns = vision.patch_grid
    return rows * columns * vision.width if vision.positions == "learned" else 0


def connector(vision: VisionConfig, width: int) -> int:
    """Parameters of what stands between the ViT and an expert of ``width``."""
    inputs = vision.merge**2 * vision.width
    hidden = inputs if vision.connector == "merger" else width
    second = 0 if vision.connector == "linear" else linear(hidden, width)
    return linear(inputs, hidden) + second + (width if vision.connector_norm else 0)


def _vlm(config: VLMConfig) -> int:
    width = config.expert.width
    embeddings = config.vocab_size * width * (1 if config.tie_embeddings else 2)
    return (
        embeddings
        + _vision(config.vision)
        + connector(config.vision, width)
        + _expert(config.backbone, config.expert)
    )


def _vae(config: VAEConfig) -> int:
    """Weights alone: shift and scale are buffers."""
    if config.kind == "flux":
        return _flux_vae(config)
    widths, latent, last = config.widths, config.latent_channels, config.widths[-1]
    down = sum(linear(16 * a, b) for a, b in zip((3, *widths[:-1]), widths, strict=True)) + linear(
        9 * last, last
    )
    up = sum(linear(9 * a, 4 * b) for a, b in zip(widths[::-1], (*widths[-2::-1], 3), strict=True))
    return down + linear(last, 2 * latent) + linear(9 * latent, last) + up


def _residual(before: int, after: int) -> int:
    shortcut = linear(before, after) if before != after else 0
    return 2 * (before + after) + linear(9 * before, after) + linear(9 * after, after) + shortcut


def _flux_vae(config: VAEConfig) -> int:
    widths, latent = config.widths, config.latent_channels
    first, last = widths[0], widths[-1]
    middle = 2 * _residual(last, last) + 2 * last + 4 * linear(last, last)
    down = sum(_residual(a, b) + _residual(b, b) for a, b in itertools.pairwise((first, *widths)))
    up = sum(
        _residual(a, b) + 2 * _residual(b, b) for a, b in itertools.pairwise((last, *widths[::-1]))
    )
    resamplers = sum(linear(9 * a, a) for a in (*widths[:-1], *widths[1:]))
    encoder = linear(27, first) + down + middle + 2 * last + linear(9 * last, 2 * latent)
    decoder = linear(9 * latent, last) + middle + up + 2 * first + linear(9 * first, 3)
    return encoder + decoder + resamplers


def latent_io(token_dim: int, width: int) -> int:
    """Parameters of what stands between latents and the dorsal expert."""
    time = linear(TIME_WIDTH, width) + linear(width, width)
    return linear(token_dim, width) + time + linear(width, token_dim)


def count_parameters(config: ModelConfig) -> dict[str, int]:
    """Parameters of each part, and "total"."""
    parts: dict[str, int] = {}
    if isinstance(config, VAEConfig):
        parts["vae"] = _vae(config)
    elif isinstance(config, VLMConfig):
        parts["e_sem"] = _vlm(config)
    elif isinstance(config, GeneratorConfig):
        io = latent_io(config.vae.token_dim, config.dorsal.width)
        parts["e_sem"] = _vlm(config.vlm)
        parts["e_dor"] = _expert(config.vlm.backbone, config.dorsal) + io
        parts["vae"] = _vae(config.vae)
    else:
        parts |= _vla(config)
    return parts | {"total": sum(parts.values())}


def _vla(config: VLAConfig) -> dict[str, int]:
    own = {name: part.num_parameters for name, part in config.parts.items() if part.num_parameters}
    for name, expert in (("e_dor", config.dorsal), ("e_act", config.action)):
        if name in own:
            own[name] += _expert(config.vlm.backbone, expert)
    vae = {"vae": _vae(config.vae)} if config.reads_latents else {}
    return {"e_sem": _vlm(config.vlm), **own, **vae}


def _sequence(config: VLMConfig | GeneratorConfig | VLAConfig, num_text: int) -> dict[str, int]:
    """Tokens through each expert in one training sample."""
    vlm = config if isinstance(config, VLMConfig) else config.vlm
    views = config.num_views if isinstance(config, VLAConfig) else 1
    tokens = {SEM: views * vlm.vision.num_tokens + num_text}
    if isinstance(config, GeneratorConfig):
        tokens[DOR] = 2 * config.vae.num_tokens
    elif isinstance(config, VLAConfig):
        tokens |= {DOR: config.feed.num_tokens if config.feed else 0, ACT: 0}
        for part in (config.prediction, config.head, config.taught_head):
            if part:
                tokens[part.expert] += part.num_tokens
        if config.taught:
            # What E_sem reads goes through it once for each head.
            tokens[SEM] += views * vlm.vision.num_tokens + num_text
    return tokens


def flops_per_sample(
    config: ModelConfig, num_text: int = TEXT_TOKENS, *, e_sem_trainable: bool = True
) -> dict[str, float]:
    """Floating-point operations of one sample: "forward" and "training".

    Matrix products and attention, with ``num_text`` tokens of text; convolutions of the VAE are
    left out, since its latents are cached, and attention is counted as if nothing were masked.
    Training takes three times the forward pass, of a frozen E_sem once.
    """
    if isinstance(config, VAEConfig):
        pixels = config.image_size[0] * config.image_size[1]
        forward = 2.0 * _vae(config) * pixels / config.stride
        return {"forward": forward, "training": 3 * forward}
    vlm = config if isinstance(config, VLMConfig) else config.vlm
    backbone, vision = vlm.backbone, vlm.vision
    views = config.num_views if isinstance(config, VLAConfig) else 1
    tokens = _sequence(config, num_text)
    weights = {SEM: _expert(backbone, vlm.expert)}
    if not isinstance(config, VLMConfig):
        weights[DOR] = _expert(backbone, config.dorsal)
    if isinstance(config, VLAConfig):
        weights[ACT] = _expert(backbone, config.action)
    dense = sum(weights[name] * count for name, count in tokens.items())
    if isinstance(config, VLAConfig):
        dense += config.head.num_multiplied
        dense += config.taught_head.num_multiplied if config.taught_head else 0
    patches = vision.patch_grid[0] * vision.patch_grid[1]
    seeing = views * patches * (_vision(vision) - _position_table(vision))
    seeing += views * vision.num_tokens * connector(vision, vlm.expert.width)
    seeing += 2 * views * vision.depth * vision.width * patches**2
    if isinstance(config, VLMConfig):
        dense += num_text * config.vocab_size * config.expert.width
    total = sum(tokens.values())
    per_query = 2 * backbone.depth * backbone.heads * backbone.head_dim * total
    forward = 2.0 * (dense + seeing + per_query * total)
    if e_sem_trainable:
        return {"forward": forward, "training": 3 * forward}
    prefix = views * vision.num_tokens + num_text
    frozen = 2.0 * (prefix * (weights[SEM] + per_query) + seeing)
    return {"forward": forward, "training": 3 * forward - 2 * frozen}


def memory_bytes(config: ModelConfig, *, bytes_per_parameter: int = 16) -> int:
    """Weights, gradients and two moments in float32 (16 bytes a parameter); no activations."""
    return count_parameters(config)["total"] * bytes_per_parameter
