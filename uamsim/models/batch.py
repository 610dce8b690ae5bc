"""A training batch of a VLA as tensors.

Axes: B batch, V views, T tokens, K actions of a chunk, A action, P proprio, C latent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from uamsim.models.config import VLAConfig
from uamsim.models.flow import sample_action_time, sample_image_time


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


@dataclass(frozen=True)
class FlowNoise:
    """What flow matching draws for the samples of a step.

    Attributes:
        action_t: [B] times of the actions.
        action: [B, K, A] noise of the actions.
        goal_t: [B] times of the goal frame; None without dynamics.
        goal: [B, T, C] noise of the goal frame; None without dynamics.
    """

    action_t: Tensor
    action: Tensor
    goal_t: Tensor | None = None
    goal: Tensor | None = None

    @classmethod
    def draw(cls, config: VLAConfig, batch_size: int, generator: torch.Generator) -> "FlowNoise":
        """The action's come first, so that they are the same for every variant."""
        device = generator.device
        action_t = sample_action_time(batch_size, config.action_time_alpha, generator)
        shape = (batch_size, config.chunk, config.action_dim)
        action = torch.randn(shape, generator=generator, device=device)
        if not config.dynamics:
            return cls(action_t, action)
        goal_t = sample_image_time(batch_size, config.image_time_shift, generator)
        shape = (batch_size, config.vae.num_tokens, config.vae.token_dim)
        return cls(action_t, action, goal_t, torch.randn(shape, generator=generator, device=device))

    def rows(self, rows: slice) -> "FlowNoise":
        """That of some of the samples."""
        parts = (self.action_t, self.action, self.goal_t, self.goal)
        return FlowNoise(*(None if part is None else part[rows] for part in parts))  # pyright: ignore[reportArgumentType]

    def to(self, device: torch.device) -> "FlowNoise":
        """The same on another device."""
        parts = (self.action_t, self.action, self.goal_t, self.goal)
        return FlowNoise(*(None if part is None else part.to(device) for part in parts))  # pyright: ignore[reportArgumentType]
