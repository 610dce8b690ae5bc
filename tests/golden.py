"""Writes small checkpoints of this version and what they compute, which later ones must read.

    python tests/golden.py tests/data/golden

The files that are there are never written anew: a new format version adds files of its own.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import tokenizers
import torch
from safetensors.torch import save_file
from tokenizers import decoders, models, pre_tokenizers, trainers
from torch import Tensor

from uamsim.data.normalization import Normalizer
from uamsim.models.checkpoint import FORMAT_VERSION, Checkpoint, from_pretrained, save_pretrained
from uamsim.models.config import BackboneConfig, ExpertConfig, VisionConfig, VLMConfig
from uamsim.models.sampling import Sampler
from uamsim.models.tokenizer import PretrainedTokenizer, Template
from uamsim.models.vla import VLA
from uamsim.models.vlm import VLM
from uamsim.models.wiring import SEM
from uamsim.testing.models import INSTRUCTIONS, micro_config, micro_vla

VIEWS = 1


def vla() -> tuple[VLA, dict[str, object]]:
    """UAM with its own tokenizer and a normaliser."""
    base = micro_config("uam")
    backbone = dataclasses.replace(base.vlm.backbone, heads=2, kv_heads=1)
    small = ExpertConfig(width=16, ffn=16)
    vision = dataclasses.replace(base.vlm.vision, ffn=8)
    model = micro_vla(
        "uam",
        vlm=dataclasses.replace(base.vlm, backbone=backbone, expert=small, vision=vision),
        vae=dataclasses.replace(base.vae, widths=(4, 4, 4, 4)),
        dorsal=small,
        action=ExpertConfig(width=16, ffn=16),
    )
    rng = np.random.default_rng(0)
    dims = model.config.action_dim
    normalizer = Normalizer.fit(rng.normal(1.0, 3.0, (50, dims)), rng.normal(size=(50, dims)))
    return model, {"normalizer": normalizer.to_json()}


def vlm() -> tuple[VLM, dict[str, object]]:
    """A VLM with every field away from its default, and another model's tokenizer."""
    config = VLMConfig(
        backbone=BackboneConfig(
            depth=2, heads=2, kv_heads=1, head_dim=8, rope_theta=100.0, mrope_sections=(1, 1, 2)
        ),
        expert=ExpertConfig(
            width=16,
            ffn=24,
            qk_norm=True,
            qkv_bias=False,
            norm="rms_plus_one",
            activation="gelu_tanh",
        ),
        vision=VisionConfig(
            image_size=(28, 42),
            patch=7,
            stem="linear",
            stem_bias=False,
            width=8,
            depth=2,
            heads=2,
            ffn=8,
            connector="merger",
            connector_norm=False,
            norm="rms",
            norm_eps=1e-6,
            mlp="swiglu",
            positions="rotary",
            window=28,
            full_layers=(1,),
            mean=(0.4, 0.5, 0.6),
            std=(0.2, 0.3, 0.4),
            resize="bicubic",
        ),
        vocab_size=300,
        tie_embeddings=False,
        attention="prefix",
        image_rope="grid",
        scale_embeddings=True,
    )
    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(INSTRUCTIONS * 3, trainer)
    bpe.add_special_tokens(["<pad>", "<bos>", "<eos>", "<view>"])
    template = Template(
        before="<bos>look",
        view=("<view>", "<view>"),
        question=("", "\n"),
        answer="<bos>",
        end="<eos>",
        pad="<pad>",
    )
    return VLM(config, PretrainedTokenizer(bpe, template)), {"step": 3}


def inputs(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Random inputs that fit the model."""
    rng = np.random.default_rng(1)
    size = len(INSTRUCTIONS)
    pixels = rng.integers(0, 256, (size, VIEWS, 32, 48, 3), dtype=np.uint8)
    given = {"images": torch.from_numpy(pixels)}
    if checkpoint.kind == "vla":
        config = checkpoint.build_vla().config
        latent = (config.vae.num_tokens, config.vae.token_dim)
        for name, shape in {
            "proprio": (size, config.proprio_dim),
            "noise": (size, config.chunk, config.action_dim),
            "goal_noise": (size, *latent),
        }.items():
            given[name] = torch.from_numpy(rng.standard_normal(shape).astype(np.float32))
    return given


@torch.inference_mode()
def outputs(checkpoint: Checkpoint, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the checkpoint computes of them."""
    if checkpoint.kind == "vla":
        model = checkpoint.build_vla()
        normalizer = Normalizer.from_json(checkpoint.extra["normalizer"])
        actions = Sampler(model).sample_actions(
            given["images"], INSTRUCTIONS, given["proprio"], given["noise"], given["goal_noise"]
        )
        targets = normalizer.unnormalize(actions.numpy(), "action")
        goal = Sampler(model).predict_goal(given["images"], INSTRUCTIONS, given["goal_noise"])
        return {"actions": torch.from_numpy(targets), "goal": goal}
    model = checkpoint.build_vlm()
    prompts = model.prompts(INSTRUCTIONS, asking=True)
    hidden = model(prompts, given["images"]).hidden[SEM]
    return {"hidden": hidden, "logits": model.logits(hidden[:, 0])}


def main(folder: Path) -> None:
    """Writes what is not there yet."""
    for name, make in {"vla": vla, "vlm": vlm}.items():
        target = folder / f"{name}-{FORMAT_VERSION}"
        if target.exists():
            continue
        model, extra = make()
        save_pretrained(model, target, extra=extra)
        checkpoint = from_pretrained(target)
        given = inputs(checkpoint)
        save_file(
            {**given, **{f"out.{k}": v for k, v in outputs(checkpoint, given).items()}},
            target / "expected.safetensors",
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
