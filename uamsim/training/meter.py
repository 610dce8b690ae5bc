"""How fast training is, how large gradients are, and how much memory it takes."""

import contextlib
import functools
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from uamsim.models.vla import VLA
from uamsim.training.ranks import gathered

_GIB = 2.0**30


@dataclass(kw_only=True)
class Meter:
    """Of one run.

    Attributes:
        experts: name -> parameters whose gradients' norms are reported.
        samples: a step, over all ranks.
        tokens: a sample.
        flops: floating-point operations of a sample in training.
        peak_flops: a second, of all ranks together; 0 where it is not known.
        device: that trains.
    """

    experts: Mapping[str, list[nn.Parameter]] = field(default_factory=dict)
    samples: int = 0
    tokens: int = 0
    flops: float = 0.0
    peak_flops: float = 0.0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    _seconds: float = field(default=0.0, init=False)
    _steps: int = field(default=0, init=False)

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Around each step."""
        started = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self._seconds += time.perf_counter() - started
        self._steps += 1

    def gradient_norms(self) -> dict[str, float]:
        """Norm of the gradients of each expert, before clipping."""
        norms = {}
        for name, parameters in self.experts.items():
            gradients = [p.grad for p in parameters if p.grad is not None]
            if gradients:
                norm = torch.nn.utils.get_total_norm(gradients)
                norms[f"grad_norm_{name}"] = float(gathered(norm))
        return norms

    def speed(self) -> dict[str, float]:
        """Since the last call: samples and tokens a second, MFU; and the most memory so far.

        MFU counts backward passes through weights that are frozen, as if all were trained.
        """
        if not self.samples:
            return {}
        rate = self._steps * self.samples / max(self._seconds, 1e-9)
        self._seconds, self._steps = 0.0, 0
        speed = {"samples_per_s": rate, "tokens_per_s": rate * self.tokens}
        if self.peak_flops:
            speed["mfu"] = rate * self.flops / self.peak_flops
        return speed | {"memory_gib": _memory_bytes(self.device) / _GIB}


def _memory_bytes(device: torch.device) -> int:
    """The most memory of this process so far: the GPU's, or on a CPU the resident set."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def by_group(model: VLA) -> dict[str, list[nn.Parameter]]:
    """Trainable parameters by ``VLA.group_of``."""
    groups: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(model.group_of(name), []).append(parameter)
    return groups


@functools.cache
def matmul_flops(precision: torch.dtype, size: int = 1024, repeats: int = 5) -> float:
    """Floating-point operations a second of a product of square matrices on the CPU; the best.

    Measured once in a process.
    """
    a, b = (torch.ones(size, size, dtype=precision) for _ in range(2))
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best
