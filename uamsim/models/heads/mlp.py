"""One more token of E_sem, whose last state an MLP turns into the chunk (VLM4VLA)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from uamsim.errors import ConfigError
from uamsim.models.config import VLAConfig
from uamsim.models.sizes import linear
from uamsim.models.wiring import HEADS, SEM, Head, Model, Segment

if TYPE_CHECKING:
    from torch import Tensor, nn

    from uamsim.models.mlp_head import MLPHead


def _mlp(width: int, outputs: int) -> int:
    return linear(width, width // 2) + linear(width // 2, width // 4) + linear(width // 4, outputs)


class MLPTokenHead(Head):
    """A alone: a token that is learnt. Its arms pass a tanh, so actions lie in [-1, 1]."""

    expert = SEM
    num_tokens = 1
    normalization = "quantile"

    def __init__(self, config: VLAConfig) -> None:
        self.config = config
        width, grippers = config.vlm.expert.width, len(config.gripper_dims)
        trunk = linear(width, width // 2) + linear(width // 2, config.mlp_width)
        arms = _mlp(config.mlp_width, config.chunk * (config.action_dim - grippers))
        self.num_parameters = width + trunk + arms + _mlp(config.mlp_width, config.chunk * grippers)
        self.num_multiplied = self.num_parameters

    def check(self) -> None:
        """Refuses a dorsal expert, which E_sem does not see, and grippers that are not there."""
        config = self.config
        if config.has_dorsal:
            raise ConfigError(
                "an MLP head reads E_sem alone, so it needs dorsal_input 'none'; got "
                f"{config.dorsal_input!r}."
            )
        dims, possible = set(config.gripper_dims), set(range(config.action_dim))
        if not dims or len(dims) < len(config.gripper_dims) or not dims < possible:
            raise ConfigError(
                f"gripper_dims must name some of the action's {config.action_dim} dimensions, each "
                f"once; got {config.gripper_dims}."
            )

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        """The token and the MLPs on its last state."""
        from uamsim.models.mlp_head import MLPHead

        del seed
        return {"head": MLPHead(self.config)}

    def segments(self) -> tuple[Segment, ...]:
        """A."""
        return (Segment(kind="A", expert=SEM, length=1, rope="text"),)

    def actions(self, model: Model, x_BKA: Tensor, t_B: Tensor) -> Tensor:
        """The token, for each sample."""
        del t_B
        head: MLPHead = model.head
        return head.tokens(len(x_BKA))

    def output(self, model: Model, hidden_BTW: Tensor) -> Tensor:
        """The chunk."""
        head: MLPHead = model.head
        return head.actions(hidden_BTW)

    def loss(
        self,
        model: Model,
        hidden_BTW: Tensor,
        actions_BKA: Tensor,
        mask_BK: Tensor,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        """Huber of the arms and cross-entropy of the grippers."""
        del noise
        head: MLPHead = model.head
        return head.loss(hidden_BTW, actions_BKA, mask_BK)


HEADS.add("mlp", MLPTokenHead)
