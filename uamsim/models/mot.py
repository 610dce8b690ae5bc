"""Mixture of transformers: experts with weights of their own, one attention over all tokens.

Axes: B batch, T tokens, H heads, D head dimension; W is an expert's width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from uamsim.models.config import BackboneConfig, ExpertConfig

KVCache = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, each [B, T, kv_heads, D]."""
Rotary = tuple[Tensor, Tensor]
"""Cosine and sine, each [B or 1, T, 1, D / 2]."""


class GrowingCache:
    """Keys and values of one layer with room for those of tokens to come.

    Args:
        keys: [B, T, kv_heads, D] of the tokens before.
        values: alike.
        more: how many tokens may come.
    """

    def __init__(self, keys: Tensor, values: Tensor, more: int) -> None:
        size, self._used, *rest = keys.shape
        room = (size, self._used + more, *rest)
        self._keys, self._values = keys.new_empty(room), values.new_empty(room)
        self._keys[:, : self._used], self._values[:, : self._used] = keys, values

    @property
    def keys(self) -> Tensor:
        """Of all tokens so far."""
        return self._keys[:, : self._used]

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Adds those of new tokens; keys and values of all so far."""
        start, self._used = self._used, self._used + keys.shape[1]
        self._keys[:, start : self._used], self._values[:, start : self._used] = keys, values
        return self.keys, self._values[:, : self._used]


class OffsetRMSNorm(nn.Module):
    """RMSNorm that multiplies by 1 + weight, in float32 (Gemma)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(width))

    def reset_parameters(self) -> None:
        """Weights of zero: multiplies by 1."""
        nn.init.zeros_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] to the same."""
        scale = 1.0 + self.weight.float()
        return F.rms_norm(x.float(), scale.shape, scale, self.eps).to(x.dtype)


def through(module: nn.Module, x: Tensor, held: bool) -> Tensor:
    """``module`` of ``x``; where ``held``, its weights get no gradient, only ``x`` does."""
    if not held:
        return module(x)
    # FSDP puts whole weights in place only inside a layer's forward, so they are taken here.
    weights = {name: parameter.detach() for name, parameter in module.named_parameters()}
    return torch.func.functional_call(module, weights, (x,))


def make_norm(config: ExpertConfig, width: int, eps: float) -> nn.Module:
    """The norm that ``config`` names."""
    return (OffsetRMSNorm if config.norm == "rms_plus_one" else nn.RMSNorm)(width, eps=eps)


def rotate(x_BTHD: Tensor, rotary: Rotary) -> Tensor:
    """Rotary position embedding, half-split as in Qwen2."""
    cos, sin = rotary
    first, second = x_BTHD.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


@dataclass(frozen=True)
class PackedMask:
    """Attention among samples that are packed into one sequence, each alone.

    Their tokens are laid out as padded samples again for attention, the one place where samples
    must be apart; all that comes before and after computes no padding.

    Attributes:
        padded: additive [B, 1, Tq, Tk].
        queries: [N] place of each query among the B * Tq.
        keys: [N] place of each key among the B * Tk.
    """

    padded: Tensor
    queries: Tensor
    keys: Tensor

    def rows(self, rows: Sequence[slice]) -> "PackedMask":
        """For some of the queries alone."""
        queries = torch.cat([self.queries[part] for part in rows])
        length = self.padded.shape[2]
        sample, token = queries // length, queries % length
        low, high = int(token.min()), int(token.max()) + 1
        places = sample * (high - low) + token - low
        return PackedMask(self.padded[:, :, low:high], places, self.keys)

    def attend(self, q_BTHD: Tensor, k_BTHD: Tensor, v_BTHD: Tensor) -> Tensor:
        """``attend`` of [1, N, H, D]."""
        size, _, num_queries, num_keys = self.padded.shape

        def spread(x_BTHD: Tensor, places: Tensor, length: int) -> Tensor:
            empty = x_BTHD.new_zeros(size * length, *x_BTHD.shape[2:])
            return empty.index_copy(0, places, x_BTHD[0]).unflatten(0, (size, length))

        q = spread(q_BTHD, self.queries, num_queries)
        k, v = (spread(x, self.keys, num_keys) for x in (k_BTHD, v_BTHD))
        return attend(q, k, v, self.padded).flatten(0, 1)[self.queries][None]


Mask = Tensor | BlockMask | PackedMask


def attend(q_BTHD: Tensor, k_BTHD: Tensor, v_BTHD: Tensor, mask: Mask) -> Tensor:
    """Grouped-query attention.

    Args:
        q_BTHD: queries.
        k_BTHD: keys.
        v_BTHD: values.
        mask: additive [B or 1, 1, Tq, Tk], a flex BlockMask, or of packed samples.
    """
    if isinstance(mask, PackedMask):
        return mask.attend(q_BTHD, k_BTHD, v_BTHD)
    q, k, v = (x.transpose(1, 2) for x in (q_BTHD, k_BTHD, v_BTHD))
    if isinstance(mask, BlockMask):
        out = flex_attention(q, k, v, block_mask=mask, enable_gqa=True)
        assert isinstance(out, Tensor)
    else:
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    return out.transpose(1, 2)


class Expert(nn.Module):
    """One expert's share of one layer: pre-norm RMSNorm, fused q/k/v, o, gated MLP."""

    def __init__(self, backbone: BackboneConfig, config: ExpertConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads = backbone.heads, backbone.kv_heads
        self.head_dim = backbone.head_dim
        attn_width = self.heads * self.head_dim
        qkv_width = attn_width + 2 * self.kv_heads * self.head_dim
        self.attn_norm = make_norm(config, config.width, backbone.rms_eps)
        self.qkv = nn.Linear(config.width, qkv_width, bias=config.qkv_bias)
        if config.qk_norm:
            self.q_norm = make_norm(config, self.head_dim, backbone.rms_eps)
            self.k_norm = make_norm(config, self.head_dim, backbone.rms_eps)
        self.qk_norm, self.gelu = config.qk_norm, config.activation == "gelu_tanh"
        self.o = nn.Linear(attn_width, config.width, bias=False)
        self.mlp_norm = make_norm(config, config.width, backbone.rms_eps)
        self.gate_up = nn.Linear(config.width, 2 * config.ffn, bias=False)
        self.down = nn.Linear(config.ffn, config.width, bias=False)
        self.depth = backbone.depth
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Fan-in normal weights, those into the residual stream smaller by its depth."""
        for linear in (self.qkv, self.o, self.gate_up, self.down):
            residual = linear is self.o or linear is self.down
            std = linear.in_features**-0.5 * ((2 * self.depth) ** -0.5 if residual else 1.0)
            nn.init.normal_(linear.weight, std=std)
        if self.qkv.bias is not None:
            nn.init.zeros_(self.qkv.bias)

    def project(self, x_BTW: Tensor, held: bool = False) -> Tensor:
        """Queries, keys and values before rotation, [B, T, heads + 2 * kv_heads, D]."""
        qkv = through(self.qkv, through(self.attn_norm, x_BTW, held), held)
        qkv = qkv.unflatten(-1, (-1, self.head_dim))
        if not self.qk_norm:
            return qkv
        q, k, v = qkv.split((self.heads, self.kv_heads, self.kv_heads), dim=2)
        return torch.cat((through(self.q_norm, q, held), through(self.k_norm, k, held), v), dim=2)

    def update(self, x_BTW: Tensor, attended_BTHD: Tensor, held: bool = False) -> Tensor:
        """The residual stream after attention's output and the MLP."""
        x_BTW = x_BTW + through(self.o, attended_BTHD.flatten(2), held)
        normed = through(self.mlp_norm, x_BTW, held)
        gate, up = through(self.gate_up, normed, held).chunk(2, dim=-1)
        gate = F.gelu(gate, approximate="tanh") if self.gelu else F.silu(gate)
        return x_BTW + through(self.down, gate * up, held)


class MoTLayer(nn.Module):
    """N named experts around one softmax attention."""

    def __init__(self, backbone: BackboneConfig, experts: Mapping[str, ExpertConfig]) -> None:
        super().__init__()
        self.heads, self.kv_heads = backbone.heads, backbone.kv_heads
        self.experts = nn.ModuleDict({n: Expert(backbone, c) for n, c in experts.items()})

    def expert(self, name: str) -> Expert:
        """The named expert's share of this layer."""
        expert = self.experts[name]
        assert isinstance(expert, Expert)
        return expert

    def forward(
        self,
        x: Mapping[str, Tensor],
        rotary: Rotary,
        mask: Mask,
        past: tuple[Tensor, Tensor] | GrowingCache | None = None,
        keep: Mapping[str, slice] | None = None,
        held: str | None = None,
    ) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor], Tensor]:
        """One layer.

        Args:
            x: expert name -> [B, T, W], in sequence order.
            rotary: of the tokens in ``x``.
            mask: over (kept queries, past and new keys).
            past: keys and values that came before; those of the new tokens are added to one that
                grows.
            keep: the tokens of each expert whose output is wanted; all when None.
            held: the expert whose weights get no gradient.

        Returns:
            The kept residual streams; keys and values of the new tokens; the kept queries.
        """
        qkv = [self.expert(name).project(tokens, name == held) for name, tokens in x.items()]
        joined = torch.cat(qkv, dim=1) if len(qkv) > 1 else qkv[0]
        rotating, v = joined.split((self.heads + self.kv_heads, self.kv_heads), dim=2)
        # Rotary angles are float32 whatever the rest is.
        rotated = rotate(rotating, rotary).to(v.dtype)
        q, k = rotated.split((self.heads, self.kv_heads), dim=2)
        new = (k, v)
        if isinstance(past, GrowingCache):
            k, v = past.extend(k, v)
        elif past is not None:
            k, v = torch.cat((past[0], k), dim=1), torch.cat((past[1], v), dim=1)
        kept = dict(x)
        if keep is not None and not keep:
            return {}, new, q[:, :0]
        if keep is not None:
            q = torch.cat([q[:, rows] for rows in global_slices(x, keep)], dim=1)
            kept = {name: tokens[:, keep[name]] for name, tokens in x.items() if name in keep}
        attended = attend(q, k, v, mask)
        parts = attended.split([tokens.shape[1] for tokens in kept.values()], dim=1)
        out = {
            name: self.expert(name).update(tokens, part, name == held)
            for (name, tokens), part in zip(kept.items(), parts, strict=True)
        }
        return out, new, q


def global_slices(x: Mapping[str, Tensor], keep: Mapping[str, slice]) -> list[slice]:
    """Slices into the joint sequence for slices into each expert's tokens."""
    slices: list[slice] = []
    start = 0
    for name, tokens in x.items():
        if name in keep:
            first, last, _ = keep[name].indices(tokens.shape[1])
            slices.append(slice(start + first, start + last))
        start += tokens.shape[1]
    return slices


@dataclass
class MoTOutput:
    """What a forward pass leaves.

    Attributes:
        hidden: expert name -> normed final states [B, T, W] of the kept tokens.
        cache: keys and values of the new tokens.
        probe: queries [B, T, H, D] of the probed layer.
    """

    hidden: dict[str, Tensor]
    cache: KVCache
    probe: Tensor | None = None


class MoT(nn.Module):
    """The stack of layers, with a final norm an expert."""

    def __init__(self, backbone: BackboneConfig, experts: Mapping[str, ExpertConfig]) -> None:
        super().__init__()
        self.config = backbone
        # Registered one by one, so that each can be split among ranks before the next is built.
        self.layers = nn.ModuleList(MoTLayer(backbone, experts) for _ in range(backbone.depth))
        self.norms = nn.ModuleDict(
            {n: make_norm(c, c.width, backbone.rms_eps) for n, c in experts.items()}
        )

    def layer(self, index: int) -> MoTLayer:
        """The layer at ``index``."""
        layer = self.layers[index]
        assert isinstance(layer, MoTLayer)
        return layer

    def rotary(self, positions_BT: Tensor) -> Rotary:
        """Cosine and sine for rotary ids; [3, B, T] where a token has three."""
        half = self.config.head_dim // 2
        steps = torch.arange(half, device=positions_BT.device, dtype=torch.float32)
        frequency = self.config.rope_theta ** (-steps / half)
        angle = positions_BT[..., None, None] * frequency
        if positions_BT.ndim == 3:
            sections = angle.split(self.config.mrope_sections, dim=-1)
            angle = torch.cat([part[i % 3] for i, part in enumerate(sections)], dim=-1)
        return angle.cos(), angle.sin()

    def forward(
        self,
        x: Mapping[str, Tensor],
        rotary: Rotary,
        mask: Mask,
        *,
        past: KVCache | Sequence[GrowingCache] | None = None,
        keep: Mapping[str, slice] | None = None,
        probe_layer: int | None = None,
        held: str | None = None,
    ) -> MoTOutput:
        """All layers.

        Args:
            x: expert name -> [B, T, W], in sequence order.
            rotary: of the tokens in ``x``.
            mask: over (new queries, past and new keys).
            past: the cache of the tokens before these.
            keep: tokens of each expert whose final state is wanted (all when None); the last
                layer is computed for these alone.
            probe_layer: layer whose queries are returned.
            held: the expert whose weights get no gradient, though what goes through it may.
        """
        hidden, cache, probe = dict(x), [], None
        for i, layer in enumerate(self.layers):
            last = i == len(self.layers) - 1
            if last and keep is not None:
                rows = global_slices(hidden, keep)
                if isinstance(mask, Tensor):
                    mask = torch.cat([mask[:, :, r] for r in rows], dim=2) if rows else mask
                elif isinstance(mask, PackedMask):
                    mask = mask.rows(rows) if rows else mask
                elif rows:
                    # A BlockMask has no rows to take: compute all, cut below.
                    last = False
            hidden, new, queries = layer(
                hidden,
                rotary,
                mask,
                None if past is None else past[i],
                keep if last else None,
                held,
            )
            cache.append(new)
            probe = queries if i == probe_layer else probe
        if keep and isinstance(mask, BlockMask):
            hidden = {name: hidden[name][:, rows] for name, rows in keep.items()}
        normed = {n: through(self.norms[n], h, n == held) for n, h in hidden.items()}
        return MoTOutput(normed, cache, probe)
