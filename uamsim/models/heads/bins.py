"""Each number of an action as one of 256 ids of E_sem (RT-2, OpenVLA)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uamsim.models.config import VLAConfig
from uamsim.models.heads.tokens import TokenHead
from uamsim.models.wiring import HEADS, Model

if TYPE_CHECKING:
    from torch import Tensor

NUM_EDGES = 256
"""Evenly from -1 to 1. OpenVLA digitises on edges, so that there are 255 bins, and the last id is
that of the upper end alone."""


class BinHead(TokenHead):
    """K times A tokens, action after action."""

    num_ids = NUM_EDGES

    def __init__(self, config: VLAConfig) -> None:
        self.max_tokens = config.chunk * config.action_dim
        super().__init__(config)

    def encode(self, model: Model, actions_BKA: Tensor) -> Tensor:
        """The bin of each number; those beyond [-1, 1] are in the outermost."""
        del model
        place = (actions_BKA.flatten(1).clamp(-1, 1) + 1) * ((NUM_EDGES - 1) / 2)
        return place.floor().long()

    def decode(self, model: Model, ids_BT: Tensor) -> Tensor:
        """The middle of each bin."""
        del model
        middle = (ids_BT.clamp_max(NUM_EDGES - 2).float() + 0.5) * (2 / (NUM_EDGES - 1)) - 1
        return middle.unflatten(1, (self.config.chunk, self.config.action_dim))

    def weights(self, ids_BT: Tensor, mask_BK: Tensor) -> Tensor:
        """1 for the numbers of actions that count."""
        del ids_BT
        return mask_BK.float().repeat_interleave(self.config.action_dim, dim=1)


HEADS.add("bins", BinHead)
