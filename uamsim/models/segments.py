"""Segments of a sequence and the one mask function over them.

| query | sees |
|---|---|
| V, L | M, V, L (L causal; V does not see L unless views and question are a prefix) |
| C (or D) | C, V, L |
| G_t, G_1 | themselves, C, V, L |
| S, A | S (A also A), C (or D), G_1, V, L |

V: ViT views; M: a template's text before and around them, seen by all that see V; L: text;
C: clean VAE tokens of the current frame; D: dorsal tokens of a model without dynamics; G_t: goal
frame noised at the sampled t, visible to nobody else; G_1: goal block at t=1, the only goal that
actions see; S: state; A: noised actions. (UAM, Fig. 7 and section 3.)
Axes: B batch, T tokens of the sequence.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from uamsim.errors import ConfigError
from uamsim.models.wiring import Kind, Segment

MaskMod = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

VISIBLE: dict[Kind, frozenset[Kind]] = {
    "M": frozenset({"M", "V"}),
    "V": frozenset({"M", "V"}),
    "L": frozenset({"M", "V", "L"}),
    "C": frozenset({"M", "V", "L", "C"}),
    "G_t": frozenset({"M", "V", "L", "C", "G_t"}),
    "G_1": frozenset({"M", "V", "L", "C", "G_1"}),
    "S": frozenset({"M", "V", "L", "C", "G_1", "S"}),
    "A": frozenset({"M", "V", "L", "C", "G_1", "S", "A"}),
}
VIEWS: frozenset[Kind] = frozenset({"M", "V"})
PICTURES: frozenset[Kind] = frozenset({"C", "G_t", "G_1"})
PADDING = -1
"""Document id of padding; 0 is seen by every document of its sample."""
MASKED = -1e9


@dataclass(frozen=True)
class Layout:
    """Segments in sequence order with the mask and the rotary ids that follow from them.

    A segment sees the kinds of ``VISIBLE``, or of its own ``sees``; of its own kind, itself and
    earlier segments.

    Attributes:
        dorsal_sees_text: False takes L away from C, G_t and G_1.
        prefix: M, V and L see one another, and a document other than 0 is causal (PaliGemma:
            views and question are document 0, the answer is 1).
        hidden: (query, key) kinds of which the first does not see the second, whatever else holds.
    """

    segments: tuple[Segment, ...]
    dorsal_sees_text: bool = True
    prefix: bool = False
    hidden: frozenset[tuple[Kind, Kind]] = frozenset()

    @cached_property
    def length(self) -> int:
        """Tokens in all."""
        return sum(s.length for s in self.segments)

    def ending(self, length: int) -> "Layout":
        """The same with so many tokens in the last segment."""
        *before, last = self.segments
        if last.length == length:
            return self
        return dataclasses.replace(
            self, segments=(*before, dataclasses.replace(last, length=length))
        )

    def span(self, *kinds: Kind) -> slice:
        """The tokens from the first to the last segment of ``kinds``, which must be adjacent."""
        starts = _starts(self.segments)
        hits = [i for i, s in enumerate(self.segments) if s.kind in kinds]
        if not hits or hits != list(range(hits[0], hits[-1] + 1)):
            raise ConfigError(f"{kinds} are not adjacent segments of {self.segments}.")
        return slice(starts[hits[0]], starts[hits[-1]] + self.segments[hits[-1]].length)

    def start(self, kind: Kind, expert: str | None = None) -> int:
        """The first token of the first segment of ``kind``, and of ``expert`` where given."""
        for start, segment in zip(_starts(self.segments), self.segments, strict=True):
            if segment.kind == kind and expert in (None, segment.expert):
                return start
        raise ConfigError(f"{self.segments} has no segment {kind}.")

    def outputs(self, kinds: Mapping[Kind, str]) -> tuple[dict[str, slice], dict[Kind, slice]]:
        """The run of each expert's tokens in which its first segments of some kinds are.

        Args:
            kinds: kind -> expert.

        Returns:
            Expert -> run, counted from the end, whatever came before in another pass; kind ->
            place in that run.
        """
        keep: dict[str, slice] = {}
        places: dict[Kind, slice] = {}
        for expert in kinds.values():
            own = [s for s in self.segments if s.expert == expert]
            starts, total = _starts(own), sum(s.length for s in own)
            rows = {
                segment.kind: (start, start + segment.length)
                for start, segment in reversed(list(zip(starts, own, strict=True)))
                if kinds.get(segment.kind) == expert
            }
            first, last = min(r[0] for r in rows.values()), max(r[1] for r in rows.values())
            keep[expert] = slice(first - total, last - total or None)
            places |= {kind: slice(a - first, b - first) for kind, (a, b) in rows.items()}
        return keep, places

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
        if (query.kind, key.kind) in self.hidden:
            return False
        if self.prefix and {query.kind, key.kind} <= VIEWS | {"L"}:
            return True
        if query.kind == key.kind or {query.kind, key.kind} <= VIEWS:
            return j <= i or (query.view is not None and query.view == key.view)
        if query.kind in PICTURES and key.kind == "L" and not self.dorsal_sees_text:
            return False
        return key.kind in (VISIBLE[query.kind] if query.sees is None else query.sees)

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
                seen = seen & self._same_document(docs_BT[b, q], docs_BT[b, k], q, k)
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
        index = torch.arange(self.length, device=docs_BT.device)
        own = self._same_document(doc_q, doc_k, index[:, None], index[None, :])
        return mask.to(docs_BT.device) & own

    def _same_document(self, doc_q: Tensor, doc_k: Tensor, q: Tensor, k: Tensor) -> Tensor:
        own = (doc_k == doc_q) & (doc_k != PADDING)
        return (doc_k == 0) | (own & (q >= k) if self.prefix else own)

    def positions(self, text_lengths_B: Tensor) -> Tensor:
        """Rotary ids [B, T]; what follows the text continues from each sample's own length.

        With a "grid" segment [3, B, T]: time, row and column.
        """
        start_B1 = torch.zeros_like(text_lengths_B)[:, None]
        parts: list[Tensor] = []
        first_of: dict[int | None, Tensor] = {}
        for segment in self.segments:
            first_B1 = first_of.setdefault(segment.view, start_B1)
            steps = torch.arange(segment.length, device=text_lengths_B.device)
            if segment.rope == "text":
                parts.append(start_B1 + steps)
                lengths = text_lengths_B[:, None] if segment.kind == "L" else segment.length
                start_B1 = start_B1 + lengths
            elif segment.rope == "grid":
                rows, columns = steps // segment.grid[1], steps % segment.grid[1]
                ids_3T = torch.stack((torch.zeros_like(steps), rows, columns))
                parts.append(start_B1 + ids_3T[:, None])
                start_B1 = start_B1 + max(segment.grid)
            elif segment.rope == "marked":
                parts.append(first_B1.expand(-1, segment.length))
            else:
                parts.append(start_B1.expand(-1, segment.length))
                start_B1 = start_B1 + int(segment.rope == "image")
        if any(segment.rope == "grid" for segment in self.segments):
            parts = [part if part.ndim == 3 else part.expand(3, -1, -1) for part in parts]
        return torch.cat(parts, dim=-1)


def additive(mask: Tensor) -> Tensor:
    """A boolean mask as float32 to add to attention scores."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, MASKED)


def _starts(segments: Sequence[Segment]) -> list[int]:
    starts, total = [], 0
    for segment in segments:
        starts.append(total)
        total += segment.length
    return starts
