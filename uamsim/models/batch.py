"""A training batch of a VLA as tensors.

Axes: B batch, V views, T tokens, K actions of a chunk, A action, P proprio, C latent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """What a frozen E_sem makes of V and L: it depends on picture and instruction alone.

    Attributes:
        cache: keys and values of each layer, each [B, T, kv_heads, D].
        features: of the ViT, [B, V, T, merge^2 * vision width].
    """

    cache: list[tuple[Tensor, Tensor]]
    features: Tensor


@dataclass(frozen=True, kw_only=True)
class VLABatch:
    """A training batch as tensors; ``VLA.to_batch`` makes one.

    Attributes:
        images: uint8 [B, V, H, W, 3].
        proprio: float32 [B, P], normalised.
        actions: float32 [B, K, A], normalised.
        action_mask: bool [B, K], False where an action carries no loss.
        latents: [B, T, C] of the primary view, for VAE variants.
        goal_latents: [B, T, C] of the goal frame, for dynamics.
        prefix: of these samples, where E_sem is frozen and it is at hand.
    """

    images: Tensor
    instructions: Sequence[str]
    proprio: Tensor
    actions: Tensor
    action_mask: Tensor
    latents: Tensor | None = None
    goal_latents: Tensor | None = None
    prefix: Prefix | None = None
