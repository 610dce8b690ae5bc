"""A training batch of a VLA as tensors.

Axes: B batch, V views, T tokens, K actions of a chunk, A action, P proprio, C latent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


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
    """

    images: Tensor
    instructions: Sequence[str]
    proprio: Tensor
    actions: Tensor
    action_mask: Tensor
    latents: Tensor | None = None
    goal_latents: Tensor | None = None
