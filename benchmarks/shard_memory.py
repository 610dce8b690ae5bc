"""The most host memory that a rank takes until training can start, as a share of the model's bytes.

    python benchmarks/shard_memory.py                       # 1 and 2 ranks, a model of about 1 GB

Random checkpoints of a VLM, a VAE and a generator are written first. Each rank is a process on the
CPU, joined by gloo. "load" is what tuning starts from (``tuning.initial``); "resume" is that, both
of AdamW's moments, and the state that as many ranks saved, as a share of three times the model.
Peaks are VmHWM less VmRSS before; the frozen VAE is whole on every rank.
"""

import argparse
import dataclasses
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn

from uamsim.models.checkpoint import build_model, save_checkpoint
from uamsim.models.config import ExpertConfig, VLAConfig
from uamsim.models.presets import PRESETS
from uamsim.models.sizes import count_parameters
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.variants import VARIANTS
from uamsim.training.config import OptimConfig, Sources
from uamsim.training.loop import make_optimizer
from uamsim.training.ranks import joined
from uamsim.training.state import STATE_NAME, Training, load_state, save_state
from uamsim.training.tuning import initial

KINDS = ("vlm", "vae", "generator")


def sizes(depth: int) -> VLAConfig:
    """UAM with wider experts than "small" has; 12 layers make about 1 GB of float32."""
    config = VARIANTS["uam"].apply(PRESETS["small"])
    expert = ExpertConfig(width=768, ffn=3072, qk_norm=True)
    backbone = dataclasses.replace(config.vlm.backbone, depth=depth)
    vlm = dataclasses.replace(config.vlm, backbone=backbone, expert=expert)
    action = ExpertConfig(width=512, ffn=2048, qk_norm=True)
    return dataclasses.replace(config, vlm=vlm, dorsal=expert, action=action)


def write_checkpoints(config: VLAConfig, folder: Path) -> None:
    """Random weights of what tuning starts from."""
    tokenizer = Tokenizer.train(["put the red cube into the green tray"], 300)
    configs = {"vlm": config.vlm, "vae": config.vae, "generator": config.generator}
    for kind, part in configs.items():
        model = build_model(part, tokenizer, seed=1)
        save_checkpoint(folder / f"{kind}.safetensors", model, kind=kind, config=part)


def status(field: str) -> int:
    """Bytes that the kernel counts for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def rank(folder: Path, depth: int, *, resume: bool) -> None:
    """One rank's load or resume; prints its peak."""
    config = sizes(depth)
    with joined() as ranks:
        # PyTorch's and FSDP's own first use is not what is measured.
        nn.Linear(8, 8)(torch.ones(1, 8)).sum().backward()
        before = status("VmRSS")
        vlm, vae, generator = (folder / f"{kind}.safetensors" for kind in KINDS)
        sources = Sources(demonstrations=folder, cameras=(), vlm=vlm, vae=vae, generator=generator)
        trainee = initial(config, sources, 0, ranks)
        size = 4 * count_parameters(config)["total"]
        optim = OptimConfig(steps=1, batch_size=1, learning_rate=1e-5)
        model, path = trainee.model, folder / str(ranks.size) / STATE_NAME
        optimizer = make_optimizer(optim, model.named_parameters())
        training = Training(model=model, optimizer=optimizer, average={})
        if resume:
            load_state(path, training)
        peak = status("VmHWM") - before
        row = {
            "what": "resume" if resume else "load",
            "ranks": ranks.size,
            "rank": ranks.rank,
            "model_mb": round(size / 1e6),
            "peak_mb": round(peak / 1e6),
            "share": round(peak / (3 * size if resume else size), 3),
        }
        print(json.dumps(row), flush=True)
        if not resume:
            for parameter in training.parameters:
                parameter.grad = torch.zeros_like(parameter)
            optimizer.step()
            save_state(path, training, 1, ranks)


def start(folder: Path, depth: int, size: int, *, resume: bool) -> None:
    """As many processes as ``torchrun`` would start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, __file__, "--folder", str(folder), "--depth", str(depth)]
    # Settings of the allocator that keep what was freed would be measured too.
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    address = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [*words, "--resume"] if resume else words,
            env={**plain, **address, "RANK": str(index), "LOCAL_RANK": str(index)},
        )
        for index in range(size)
    ]
    failed = [process.args for process in processes if process.wait()]
    if failed:
        raise SystemExit(f"a rank failed: {failed[0]}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak host memory of a rank.")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--depth", type=int, default=12, help="layers of the mixture")
    parser.add_argument("--load-only", action="store_true", help="no resume")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.folder is not None:
        rank(options.folder, options.depth, resume=options.resume)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoints(sizes(options.depth), Path(folder))
        for size in options.ranks:
            for resume in (False,) if options.load_only else (False, True):
                start(Path(folder), options.depth, size, resume=resume)


if __name__ == "__main__":
    main()
