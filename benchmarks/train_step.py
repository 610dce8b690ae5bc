"""Samples a second and MFU of training UAM and its 2-expert model, on random weights.

    python benchmarks/train_step.py                        # tiny, on this CPU
    python benchmarks/train_step.py --packed               # beside it, samples without padding
    python benchmarks/train_step.py --frozen               # E_sem frozen, its prefix kept or not
    python benchmarks/train_step.py --scale paper --precision bfloat16 --peak-flops 989e12  # a GPU
    LEROBOT_PYTHON=/path/to/env/bin/python python benchmarks/train_step.py --lerobot

A step is what tuning does: losses of a batch, backward, clipping by norm, AdamW. Data are random
and already on the device; latents are given, as tuning caches them. With ``--lerobot`` the 2-expert
model is built at the sizes of LeRobot's PyTorch pi0 too (``train_step_lerobot.py``, run by the
Python of an environment that has it), and both take turns on the same machine.

With ``--packed`` instructions have many lengths, and padded and packed steps of the same samples
take turns; it prints the median of their ratios. With ``--frozen`` steps that compute what E_sem
makes of pictures and text take turns with steps that are given it, as tuning gives them the frames
at which policies are asked (85% of its samples at tiny); ``saved`` is a share of the step.
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from uamsim.models.batch import VLABatch
from uamsim.models.config import BackboneConfig, ExpertConfig, VisionConfig, VLAConfig, VLMConfig
from uamsim.models.presets import PRESETS
from uamsim.models.sizes import count_parameters, flops_per_sample
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.variants import VARIANTS
from uamsim.models.vla import VLA
from uamsim.training.config import OptimConfig, RuntimeConfig
from uamsim.training.layers import prepare_layers
from uamsim.training.loop import make_optimizer
from uamsim.training.meter import matmul_flops
from uamsim.training.ranks import training_device

TEXT = "put the red cube into the green tray, then press the blue button"
LIKE_PI0 = {
    "depth": 4,
    "heads": 8,
    "head_dim": 16,
    "width": 128,
    "ffn": 512,
    "action_width": 64,
    "action_ffn": 256,
    "image": 224,
    "patch": 14,
    "vision_width": 96,
    "vision_depth": 2,
    "vision_ffn": 256,
    "vision_heads": 4,
    "vocab": 2048,
    "text": 48,
    "chunk": 16,
    "action": 32,
    "batch": 8,
    "rounds": 3,
    "steps": 2,
}
"""Tiny sizes that LeRobot's pi0 takes too: its pictures are 224 x 224, its actions 32 wide."""


def like_pi0() -> VLAConfig:
    """The 2-expert model at the sizes of ``LIKE_PI0``, with one key-value head as Gemma has."""
    s = LIKE_PI0
    config = VLAConfig(
        vlm=VLMConfig(
            backbone=BackboneConfig(
                depth=s["depth"], heads=s["heads"], kv_heads=1, head_dim=s["head_dim"]
            ),
            expert=ExpertConfig(width=s["width"], ffn=s["ffn"], qkv_bias=False),
            vision=VisionConfig(
                image_size=(s["image"], s["image"]),
                patch=s["patch"],
                stem="linear",
                width=s["vision_width"],
                depth=s["vision_depth"],
                heads=s["vision_heads"],
                ffn=s["vision_ffn"],
                merge=1,
            ),
            vocab_size=s["vocab"],
        ),
        action=ExpertConfig(width=s["action_width"], ffn=s["action_ffn"], qkv_bias=False),
        action_dim=s["action"],
        proprio_dim=s["action"],
        chunk=s["chunk"],
        dorsal_input="none",
        dorsal_init="none",
        dynamics=False,
    )
    return config


class Stepper:
    """Training steps of one model on one random batch."""

    def __init__(
        self, config: VLAConfig, batch_size: int, precision: str, texts: list[str]
    ) -> None:
        self.config, self.precision = config, precision
        self.device = training_device()
        tokenizer = Tokenizer.train([TEXT], min(config.vlm.vocab_size, 300))
        # A 7B model must not be made on the host and copied.
        with torch.device(self.device):
            self.model = VLA(config, tokenizer)
        self.optim = OptimConfig(steps=1, batch_size=batch_size, learning_rate=1e-5)
        prepare_layers(
            self.model,
            "bfloat16" if precision == "bfloat16" else "float32",
            RuntimeConfig(checkpoint_activations=count_parameters(config)["total"] > 10**9),
        )
        self.optimizer = make_optimizer(self.optim, self.model.named_parameters())
        generator = torch.Generator().manual_seed(0)
        shape = (batch_size, config.vae.num_tokens, config.vae.token_dim)
        size = config.vlm.vision.image_size

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator).to(self.device)

        images = torch.randint(
            256, (batch_size, config.num_views, *size, 3), generator=generator, dtype=torch.uint8
        )
        self.batch = VLABatch(
            images=images.to(self.device),
            instructions=texts,
            proprio=normal(batch_size, config.proprio_dim),
            actions=normal(batch_size, config.chunk, config.action_dim),
            action_mask=torch.ones(batch_size, config.chunk, dtype=torch.bool, device=self.device),
            latents=normal(*shape) if config.reads_latents else None,
            goal_latents=normal(*shape) if config.dynamics else None,
        )
        self.noise = self.model.draw(batch_size, generator)

    def step(self) -> float:
        """Seconds of one step."""
        started = time.perf_counter()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            loss = self.model.losses(self.batch, self.noise)["total"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        loss.item()
        return time.perf_counter() - started

    def row(self, name: str, peak: float, seconds: list[float]) -> dict[str, object]:
        """A line of the table, from the median step."""
        rate = self.optim.batch_size / statistics.median(seconds)
        flops = flops_per_sample(self.config)["training"]
        return {
            "model": name,
            "parameters": count_parameters(self.config)["total"],
            "samples_per_s": round(rate, 3),
            "mfu": round(rate * flops / peak, 4) if peak else None,
        }


def against_lerobot(python: str) -> None:
    """Both pi0s in turn: one process each, a few steps at a time."""
    command = [python, str(Path(__file__).with_name("train_step_lerobot.py")), json.dumps(LIKE_PI0)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdin is not None
    assert other.stdout is not None
    print(other.stdout.readline().strip(), flush=True)
    text = "a" * (LIKE_PI0["text"] - 2)
    own = Stepper(like_pi0(), LIKE_PI0["batch"], "float32", [text] * LIKE_PI0["batch"])
    tokens = own.model.vlm.prompts([text]).ids.shape[1]
    print(json.dumps({"ours": count_parameters(own.config), "text tokens": tokens}))
    own.step()
    ratios, ours, theirs = [], [], []
    for _ in range(LIKE_PI0["rounds"]):
        ours.append(statistics.median(own.step() for _ in range(LIKE_PI0["steps"])))
        other.stdin.write("steps\n")
        other.stdin.flush()
        theirs.append(float(other.stdout.readline()))
        ratios.append(theirs[-1] / ours[-1])
    other.stdin.close()
    other.wait()
    batch = LIKE_PI0["batch"]
    print(
        json.dumps(
            {
                "uamsim samples_per_s": round(batch / statistics.median(ours), 2),
                "lerobot samples_per_s": round(batch / statistics.median(theirs), 2),
                "ratio": round(statistics.median(ratios), 2),
                "ratios": [round(ratio, 2) for ratio in ratios],
            }
        )
    )


def against_padded(stepper: Stepper, steps: int) -> dict[str, float]:
    """Padded and packed steps of the same samples in turn."""
    model, batch = stepper.model, stepper.batch
    prompts = model.vlm.prompts(batch.instructions)
    padding = prompts.ids.numel() - int(prompts.lengths.sum())
    total = len(batch.actions) * model.inputs(batch, stepper.noise).layout.length
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for packed in (False, True) * (steps + 1):
        model.packed = packed
        seconds[packed].append(stepper.step())
    padded, packed = seconds[False][1:], seconds[True][1:]
    size = len(batch.actions)
    return {
        "samples": size,
        "padding": round(padding / total, 3),
        "padded samples_per_s": round(size / statistics.median(padded), 2),
        "packed samples_per_s": round(size / statistics.median(packed), 2),
        "ratio": round(statistics.median(a / b for a, b in zip(padded, packed, strict=True)), 3),
    }


def against_kept(stepper: Stepper, steps: int) -> dict[str, float]:
    """Steps with E_sem frozen in turn, its prefix computed and given."""
    model, plain = stepper.model, stepper.batch
    model.set_e_sem_trainable(False)
    prefix = model.e_sem_prefix(plain.images, model.vlm.prompts(plain.instructions))
    kept = dataclasses.replace(plain, prefix=prefix)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for given in (False, True) * (steps + 1):
        stepper.batch = kept if given else plain
        seconds[given].append(stepper.step())
    pairs = zip(seconds[False][1:], seconds[True][1:], strict=True)
    return {
        "computed samples_per_s": round(
            len(plain.actions) / statistics.median(seconds[False][1:]), 2
        ),
        "kept samples_per_s": round(len(plain.actions) / statistics.median(seconds[True][1:]), 2),
        "saved": round(1 - statistics.median(b / a for a, b in pairs), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Samples a second and MFU.")
    parser.add_argument("--scale", default="tiny", choices=list(PRESETS))
    parser.add_argument("--variants", nargs="+", default=["no_dorsal", "uam"])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--peak-flops", type=float, default=0.0)
    parser.add_argument("--packed", action="store_true")
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--lerobot", action="store_true")
    options = parser.parse_args()
    if training_device().type == "cpu":
        torch.set_num_threads(1)
    if options.lerobot:
        against_lerobot(os.environ.get("LEROBOT_PYTHON", sys.executable))
        return
    peak = options.peak_flops
    if not peak and training_device().type == "cpu":
        peak = matmul_flops(getattr(torch, options.precision))
        print(f"measured peak: {peak / 1e9:.1f} GFLOP/s")
    for name in options.variants:
        config = VARIANTS[name].apply(PRESETS[options.scale])
        texts = [TEXT] * options.batch_size
        if options.packed:
            words = TEXT.split()
            texts = [" ".join(words[: 1 + i % len(words)]) for i in range(options.batch_size)]
        stepper = Stepper(config, options.batch_size, options.precision, texts)
        stepper.step()
        if options.packed:
            print(json.dumps({"model": name, **against_padded(stepper, options.steps)}), flush=True)
            continue
        if options.frozen:
            print(json.dumps({"model": name, **against_kept(stepper, options.steps)}), flush=True)
            continue
        seconds = [stepper.step() for _ in range(options.steps)]
        print(json.dumps(stepper.row(name, peak, seconds)), flush=True)
        del stepper


if __name__ == "__main__":
    main()
