"""Where action tokens look: attention recomputed for one layer (Appendix E of the UAM paper)."""

import torch
from torch import Tensor

from uamsim.models.mot import MoTOutput
from uamsim.models.segments import Layout
from uamsim.models.wiring import Kind


class AttentionRecorder:
    """Averages one layer's attention from action tokens over heads, tokens and passes.

    Attributes:
        layer: the one that is recorded.
        layout: of the sequence; set before the first step.
    """

    def __init__(self, layer: int) -> None:
        self.layer = layer
        self.layout: Layout | None = None
        self._sum: Tensor | None = None
        self._count = 0

    def add(self, keys: Tensor, mask: Tensor, out: MoTOutput) -> None:
        """Adds one pass.

        Args:
            keys: [B, T, kv_heads, D] of the layer, those of the pass's own tokens included.
            mask: that the pass had.
            out: what it gave.
        """
        assert out.probe is not None
        assert self.layout is not None
        groups = out.probe.shape[2] // keys.shape[2]
        keys = keys.repeat_interleave(groups, dim=2)
        scores = torch.einsum("bqhd,bkhd->bhqk", out.probe, keys) * keys.shape[-1] ** -0.5
        attention = (scores + mask).softmax(-1).mean((1, 2))[:, : self.layout.start("A")]
        self._sum = attention if self._sum is None else self._sum + attention
        self._count += 1

    def mean(self, kind: Kind, grid: tuple[int, int], expert: str | None = None) -> Tensor:
        """Mean attention [B, h, w] to the first picture of ``kind``, without marks around it."""
        assert self.layout is not None
        assert self._sum is not None
        start = self.layout.start(kind, expert)
        attention = self._sum[:, start : start + grid[0] * grid[1]] / self._count
        return attention.unflatten(1, grid)
