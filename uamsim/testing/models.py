"""Micro models and batches made from their configs, for tests of anything that takes a model."""

import dataclasses

import numpy as np
import torch

from uamsim.models.batch import VLABatch
from uamsim.models.config import (
    BackboneConfig,
    ExpertConfig,
    VAEConfig,
    VisionConfig,
    VLAConfig,
    VLMConfig,
)
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.variants import VARIANTS
from uamsim.models.vla import VLA

INSTRUCTIONS = ["press the red button", "把红色方块放进盘子", "put the green cube on the tray"]


def micro_config(variant: str, **overrides: object) -> VLAConfig:
    """A model small enough to build in milliseconds; every part is there."""
    config = VLAConfig(
        vlm=VLMConfig(
            backbone=BackboneConfig(depth=2, heads=4, kv_heads=2, head_dim=8),
            expert=ExpertConfig(width=32, ffn=48),
            vision=VisionConfig(image_size=(32, 48), width=16, heads=2, ffn=24),
            vocab_size=300,
        ),
        vae=VAEConfig(image_size=(32, 48), widths=(8, 8, 8, 8), latent_channels=6),
        dorsal=ExpertConfig(width=32, ffn=48),
        action=ExpertConfig(width=24, ffn=32),
        chunk=4,
        num_queries=5,
        num_euler_steps=3,
        mlp_width=32,
        num_goal_steps=2,
    )
    return dataclasses.replace(VARIANTS[variant].apply(config), **overrides)


def micro_vla(variant: str, seed: int = 0, **overrides: object) -> VLA:
    """A model whose zero-initialised parts are random too, so that tests see them."""
    vla = VLA(micro_config(variant, **overrides), make_tokenizer(), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in vla.named_parameters():
        if name == "latent.llm2vae.weight":
            torch.nn.init.normal_(parameter, std=0.1, generator=generator)
        elif name == "head.token":
            torch.nn.init.normal_(parameter, generator=generator)
    return vla


def make_tokenizer() -> Tokenizer:
    """Knows every byte and a few words."""
    return Tokenizer.train(INSTRUCTIONS * 3, 290)


def make_batch(vla: VLA, seed: int = 0) -> VLABatch:
    """A random batch of three with one chunk cut short, latents included."""
    rng = np.random.default_rng(seed)
    config, size = vla.config, len(INSTRUCTIONS)
    shape = (size, config.vae.num_tokens, config.vae.token_dim)
    images = rng.integers(0, 256, (size, config.num_views, *config.vlm.vision.image_size, 3))

    def normal(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))

    mask = torch.ones(size, config.chunk, dtype=torch.bool)
    mask[0, 2:] = False
    return VLABatch(
        images=torch.from_numpy(images.astype(np.uint8)),
        instructions=INSTRUCTIONS,
        action_mask=mask,
        proprio=normal(size, config.proprio_dim),
        actions=normal(size, config.chunk, config.action_dim),
        latents=normal(*shape),
        goal_latents=normal(*shape),
    )
