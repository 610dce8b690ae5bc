"""Milliseconds a chunk of actions, of several models in turn: Table 4 of the UAM paper."""

import dataclasses
import os
import platform
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from uamsim.errors import ConfigError
from uamsim.models.config import VLAConfig
from uamsim.models.sampling import Sampler
from uamsim.models.sizes import count_parameters
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.vla import VLA
from uamsim.orchestration.latency_spec import BASELINE, LatencySpec
from uamsim.orchestration.runs.folder import versions
from uamsim.orchestration.runs.progress import progress_bar
from uamsim.reporting import paper
from uamsim.runtime import limit_threads
from uamsim.storage import write_json


@dataclass(frozen=True, kw_only=True)
class LatencyRow:
    """One model.

    Attributes:
        variant: its name in ``VARIANTS``.
        parameters: of each part, and "total".
        gflop: of a call, as PyTorch counts it: matrix products and convolutions; attention only
            where it is not the CPU's fused one.
        median_ms: wall time of a call.
        low_ms: 10% of calls are faster.
        high_ms: 10% are slower.
        ratio: to the 2-expert model, the median over turns of both.
        paper_ms: what the paper prints of it at its own size, None where it has no row.
    """

    variant: str
    parameters: dict[str, int]
    gflop: float
    median_ms: float
    low_ms: float
    high_ms: float
    ratio: float
    paper_ms: float | None


def run_latency(spec: LatencySpec, out: Path, command: str = "") -> str:
    """Times the models and writes ``results.json`` to a folder.

    Without a C++ compiler, which compilation needs, models run uncompiled; the results say so.

    Returns:
        Table 4 as text.

    Raises:
        ConfigError: no such device.
    """
    spec = runnable(spec)
    rows = measure(spec)
    out.mkdir(parents=True, exist_ok=True)
    results = {
        "kind": "latency",
        "spec": spec.to_json(),
        "device": _device_name(spec),
        "rows": [dataclasses.asdict(row) for row in rows],
        "provenance": {"command": command, "versions": versions()},
    }
    write_json(out / "results.json", results)
    notes = (
        describe(spec),
        "The paper's milliseconds are of 7B models on its own GPU: compare the ratios alone.",
    )
    return "\n".join([*_table(rows), "", *notes])


def runnable(spec: LatencySpec) -> LatencySpec:
    """``spec`` uncompiled where no C++ compiler is there to compile with, which is printed."""
    compiler = os.environ.get("CXX", "g++")
    if not spec.compiled or shutil.which(compiler):
        return spec
    print(
        f"compiling needs the C++ compiler {compiler!r} (or another in CXX), which is not there; "
        "models are measured as they are.",
        file=sys.stderr,
    )
    return dataclasses.replace(spec, compiled=False)


def measure(spec: LatencySpec) -> list[LatencyRow]:
    """Times the models, taking turns so that all meet the same machine.

    Raises:
        ConfigError: no such device.
    """
    if spec.device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda', but PyTorch sees no GPU here; expected device 'cpu'.")
    before = torch.get_num_threads()
    limit_threads(spec.threads)
    try:
        calls = {variant: Call(spec, spec.model(variant)) for variant in spec.variants}
        times: dict[str, list[float]] = {variant: [] for variant in calls}
        with progress_bar("latency", "calls") as bar:
            total = (spec.warmup + spec.repeats) * len(calls)
            bar(0, total)
            for turn in range(spec.warmup + spec.repeats):
                for variant, call in calls.items():
                    seconds = call()
                    if turn >= spec.warmup:
                        times[variant].append(1000 * seconds)
                bar((turn + 1) * len(calls), total)
    finally:
        limit_threads(before)
    base = np.array(times[BASELINE])
    printed = paper.table_4()
    return [
        LatencyRow(
            variant=variant,
            parameters=count_parameters(spec.model(variant)),
            gflop=calls[variant].gflop,
            median_ms=float(np.median(own)),
            low_ms=float(np.quantile(own, 0.1)),
            high_ms=float(np.quantile(own, 0.9)),
            ratio=float(np.median(np.array(own) / base)),
            paper_ms=printed.get(variant),
        )
        for variant, own in times.items()
    ]


class Call:
    """A call of a new model for one chunk; gives its seconds.

    On the device "meta" nothing is computed, but counted.

    Attributes:
        gflop: see ``LatencyRow``.
    """

    def __init__(self, spec: LatencySpec, config: VLAConfig) -> None:
        device, dtype = torch.device(spec.device), getattr(torch, spec.dtype)
        tokenizer = Tokenizer.train([spec.instruction], vocab_size=min(config.vlm.vocab_size, 512))
        self._sampler = Sampler(_random_model(config, tokenizer, device, dtype))
        generator = torch.Generator().manual_seed(0)
        height, width = config.vlm.vision.image_size
        size = (spec.batch_size, config.num_views, height, width, 3)
        images = torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)
        noise = torch.randn(spec.batch_size, config.chunk, config.action_dim, generator=generator)
        goal = self._sampler.model.goal_noise_shape
        self._inputs = (
            images.to(device),
            [spec.instruction] * spec.batch_size,
            torch.zeros(spec.batch_size, config.proprio_dim, device=device),
            noise.to(device),
            None if goal is None else torch.randn(spec.batch_size, *goal, device=device),
        )
        with FlopCounterMode(display=False) as counter:
            self._sampler.sample_actions(*self._inputs)
        self.gflop = counter.get_total_flops() / 1e9
        if spec.compiled:
            self._sampler.compile(device)

    def __call__(self) -> float:
        """Seconds of one call."""
        started = time.perf_counter()
        actions = self._sampler.sample_actions(*self._inputs)
        if actions.is_cuda:
            torch.cuda.synchronize(actions.device)
        return time.perf_counter() - started


def _random_model(
    config: VLAConfig, tokenizer: Tokenizer, device: torch.device, dtype: torch.dtype
) -> VLA:
    """Made where and as it is used: a float32 copy of 17e9 parameters fits no GPU beside others."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            model = VLA(config, tokenizer)
    finally:
        torch.set_default_dtype(before)
    return model.to(device, dtype).requires_grad_(False).eval()


def _device_name(spec: LatencySpec) -> str:
    if spec.device.startswith("cuda"):
        return torch.cuda.get_device_name(torch.device(spec.device))
    cpu = platform.processor() or platform.machine()
    for line in (
        Path("/proc/cpuinfo").read_text().splitlines() if platform.system() == "Linux" else ()
    ):
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return f"{cpu}, {spec.threads} thread{'s' if spec.threads > 1 else ''}"


def _table(rows: list[LatencyRow]) -> list[str]:
    base = next(row.paper_ms for row in rows if row.variant == BASELINE)
    head = ("variant", "parameters", "GFLOP", "ms a chunk", "10% to 90%", "x 2-expert")
    lines: list[tuple[str, ...]] = [(*head, "paper ms", "x 2-expert")]
    for row in rows:
        printed = row.paper_ms
        lines.append(
            (
                row.variant,
                f"{row.parameters['total'] / 1e6:,.1f} M",
                f"{row.gflop:,.3g}",
                f"{row.median_ms:.1f}",
                f"{row.low_ms:.1f} to {row.high_ms:.1f}",
                f"{row.ratio:.2f}",
                "" if printed is None else f"{printed:.0f}",
                "" if printed is None or base is None else f"{printed / base:.2f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.rjust, line, widths)) for line in lines]


def describe(spec: LatencySpec) -> str:
    """One line on how it was measured."""
    how = f"{spec.dtype}{', compiled' if spec.compiled else ''}"
    return (
        f"{_device_name(spec)}, PyTorch {torch.__version__}, {how}: preset {spec.preset}, random "
        f"weights, batch {spec.batch_size}, {spec.num_euler_steps} action steps, {spec.repeats} "
        "calls each in turn."
    )
