"""Placeholder tokens of E_sem, whose states are pooled into the chunk (UP-VLA)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from uamsim.errors import ConfigError
from uamsim.models.config import VLAConfig
from uamsim.models.sizes import linear
from uamsim.models.wiring import HEADS, SEM, Head, Model, Segment

if TYPE_CHECKING:
    from torch import Tensor, nn

    from uamsim.models.map_head import MAPHead


class MAPTokenHead(Head):
    """A alone: K times the same token, each of which sees those before it."""

    expert = SEM
    normalization = "quantile"

    def __init__(self, config: VLAConfig) -> None:
        self.config = config
        width, numbers = config.vlm.expert.width, config.chunk * config.action_dim
        self.num_tokens = config.chunk
        attention = 3 * width**2 + linear(width, width)
        mlp = linear(width, 8 * width) + linear(4 * width, width)
        pooling = linear(width, width) + attention + mlp + 2 * width
        self.num_parameters = 2 * width + pooling + linear(width, numbers)
        # What each token goes through, and then the one that is pooled.
        each = linear(width, width) + 2 * width**2
        self.num_multiplied = self.num_parameters + (config.chunk - 1) * each

    def check(self) -> None:
        """Refuses a dorsal expert, which E_sem does not see, and what does not divide."""
        config = self.config
        if config.has_dorsal:
            raise ConfigError(
                "a MAP head reads E_sem alone, so it needs dorsal_input 'none'; got "
                f"{config.dorsal_input!r}."
            )
        if config.vlm.expert.width % config.map_heads:
            raise ConfigError(
                f"map_heads must divide E_sem's width {config.vlm.expert.width}; got "
                f"{config.map_heads}."
            )
        if config.gripper_loss not in ("bce", "mse"):
            raise ConfigError(f"gripper_loss must be 'bce' or 'mse'; got {config.gripper_loss!r}.")
        if not set(config.gripper_dims) < set(range(config.action_dim)):
            raise ConfigError(
                f"gripper_dims must name some of the action's {config.action_dim} dimensions; got "
                f"{config.gripper_dims}."
            )

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        """The token, and what pools its states."""
        from uamsim.models.map_head import MAPHead

        del seed
        return {"pooled": MAPHead(self.config)}

    def segments(self) -> tuple[Segment, ...]:
        """A."""
        return (Segment(kind="A", expert=SEM, length=self.config.chunk, rope="text", causal=True),)

    def actions(self, model: Model, x_BKA: Tensor, t_B: Tensor) -> Tensor:
        """The token, K times for each sample."""
        del t_B
        pooled: MAPHead = model.pooled
        return pooled.tokens(len(x_BKA))

    def output(self, model: Model, hidden_BTW: Tensor) -> Tensor:
        """The chunk."""
        pooled: MAPHead = model.pooled
        return pooled.actions(hidden_BTW)

    def loss(
        self,
        model: Model,
        hidden_BTW: Tensor,
        actions_BKA: Tensor,
        mask_BK: Tensor,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        """MSE of the poses and cross-entropy of the grippers."""
        del noise
        pooled: MAPHead = model.pooled
        return pooled.loss(hidden_BTW, actions_BKA, mask_BK)


HEADS.add("map", MAPTokenHead)
