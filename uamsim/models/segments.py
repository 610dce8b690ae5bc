"""Segments of a sequence and the one mask function over them.

| query | sees |
|---|---|
| V, L | V, L (L causal; V does not see L) |
| C (or D) | C, V, L |
| G_t, G_1 | themselves, C, V, L |
| S, A | S (A also A), C (or D), G_1, V, L |

V: ViT views; L: text; C: clean VAE tokens of the current frame; D: dorsal tokens of a model
without dynamics; G_t: goal frame noised at the sampled t, visible to nobody else; G_1: goal block
at t=1, the only goal that actions see; S: state; A: noised actions. (UAM, Fig. 7 and section 3.)
Axes: B batch, T tokens of the sequence.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from uamsim.errors import ConfigError

Kind = Literal["V", "L", "C", "G_t", "G_1", "S", "A"]
RopeRule = Literal["image", "noise", "text"]
MaskMod = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

VISIBLE: dict[Kind, frozenset[Kind]] = {
    "V": frozenset({"V"}),
    "L": frozenset({"V", "L"}),
    "C": frozenset({"V", "L", "C"}),
    "G_t": frozenset({"V", "L", "C", "G_t"}),
    "G_1": frozenset({"V", "L", "C", "G_1"}),
    "S": frozenset({"V", "L", "C", "G_1", "S"}),
    "A": frozenset({"V", "L", "C", "G_1", "S", "A"}),
}
PADDING = -1
"""Document id of padding; 0 is seen by every document of its sample."""
MASKED = -1e9


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A run of tokens of one kind.

    Attributes:
        expert: name of the expert whose weights these tokens go through.
        rope: "text" gives each token an id of its own; "image" one id to all, then advances;
            "noise" one id to all without advancing, so that the clean copy would reuse it.
        causal: tokens see only earlier tokens of their own segment.
    """

    kind: Kind
    expert: str
    length: int
    rope: RopeRule = "image"
    causal: bool = False


@dataclass(frozen=True)
class Layout:
    """Segments in sequence order with the mask and the rotary ids that follow from them.

    A segment sees the kinds of ``VISIBLE``; of its own kind, itself and earlier segments.

    Attributes:
        dorsal_sees_text: False takes L away from C, G_t and G_1.
    """

    segments: tuple[Segment, ...]
    dorsal_sees_text: bool = True

    @cached_property
    def length(self) -> int:
        """Tokens in all."""
        return sum(s.length for s in self.segments)

    def span(self, *kinds: Kind) -> slice:
        """The tokens from the first to the last segment of ``kinds``, which must be adjacent."""
        starts = _starts(self.segments)
        hits = [i for i, s in enumerate(self.segments) if s.kind in kinds]
        if not hits or hits != list(range(hits[0], hits[-1] + 1)):
            raise ConfigError(f"{kinds} are not adjacent segments of {self.segments}.")
        return slice(starts[hits[0]], starts[hits[-1]] + self.segments[hits[-1]].length)

    def expert_span(self, expert: str) -> slice:
        """The tokens that go through ``expert``."""
        kinds: list[Kind] = [s.kind for s in self.segments if s.expert == expert]
        return self.span(*kinds)

    def has(self, kind: Kind) -> bool:
        """Whether there is such a segment."""
        return any(s.kind == kind for s in self.segments)

    @cached_property
    def _tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """Segment of each token [T], segment sees segment [N, N], segment is causal [N]."""
        lengths = torch.tensor([s.length for s in self.segments])
        segment_T = torch.repeat_interleave(torch.arange(len(self.segments)), lengths)
        allowed = torch.tensor(
            [
                [self._sees(i, q, j, k) for j, k in enumerate(self.segments)]
                for i, q in enumerate(self.segments)
            ]
        )
        return segment_T, allowed, torch.tensor([s.causal for s in self.segments])

    def _sees(self, i: int, query: Segment, j: int, key: Segment) -> bool:
        if query.kind == key.kind:
            return j <= i
        if query.expert == "dor" and key.kind == "L" and not self.dorsal_sees_text:
            return False
        return key.kind in VISIBLE[query.kind]

    def mask_mod(self, docs_BT: Tensor | None = None) -> MaskMod:
        """The mask as a function of (batch, head, query, key) indices, as flex attention takes it.

        Args:
            docs_BT: int document of each token: a token sees documents 0 and its own, nobody
                sees ``PADDING``.
        """
        device = None if docs_BT is None else docs_BT.device
        segment_T, allowed, causal = (t.to(device) for t in self._tables)

        def visible(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
            del h
            segment_q, segment_k = segment_T[q], segment_T[k]
            seen = allowed[segment_q, segment_k]
            seen = seen & (~causal[segment_q] | (segment_q != segment_k) | (q >= k))
            if docs_BT is not None:
                doc_k = docs_BT[b, k]
                seen = seen & ((doc_k == 0) | ((doc_k == docs_BT[b, q]) & (doc_k != PADDING)))
            return seen

        return visible

    @cached_property
    def _static_mask(self) -> Tensor:
        index = torch.arange(self.length)
        zero = torch.zeros((), dtype=torch.long)
        return self.mask_mod()(zero, zero, index[:, None], index[None, :])

    def dense_mask(self, docs_BT: Tensor | None = None) -> Tensor:
        """Boolean [B or 1, 1, T, T], True where a query (row) sees a key."""
        mask = self._static_mask[None, None]
        if docs_BT is None:
            return mask
        doc_k, doc_q = docs_BT[:, None, None, :], docs_BT[:, None, :, None]
        return mask.to(docs_BT.device) & ((doc_k == 0) | ((doc_k == doc_q) & (doc_k != PADDING)))

    def positions(self, text_lengths_B: Tensor) -> Tensor:
        """Rotary ids [B, T]; what follows the text continues from each sample's own length."""
        start_B1 = torch.zeros_like(text_lengths_B)[:, None]
        parts: list[Tensor] = []
        for segment in self.segments:
            steps = torch.arange(segment.length, device=text_lengths_B.device)
            if segment.rope == "text":
                parts.append(start_B1 + steps)
                lengths = text_lengths_B[:, None] if segment.kind == "L" else segment.length
                start_B1 = start_B1 + lengths
            else:
                parts.append(start_B1.expand(-1, segment.length))
                start_B1 = start_B1 + int(segment.rope == "image")
        return torch.cat(parts, dim=1)


def additive(mask: Tensor) -> Tensor:
    """A boolean mask as float32 to add to attention scores."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, MASKED)


def _starts(segments: Sequence[Segment]) -> list[int]:
    starts, total = [], 0
    for segment in segments:
        starts.append(total)
        total += segment.length
    return starts
