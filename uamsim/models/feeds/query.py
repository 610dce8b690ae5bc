"""Learnable queries, which see the observation through attention alone (Table 1, 2b)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uamsim.models.config import VLAConfig
from uamsim.models.wiring import FEEDS, Feed, Model

if TYPE_CHECKING:
    from torch import Tensor, nn


class QueryFeed(Feed):
    """The same tokens for every observation."""

    def __init__(self, config: VLAConfig) -> None:
        self.num_tokens, self.width = config.num_queries, config.dorsal.width
        self.num_parameters = self.num_tokens * self.width

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        """The queries."""
        import torch

        del seed
        return {"queries": torch.nn.Parameter(torch.empty(self.num_tokens, self.width))}

    def reset_parameters(self, model: Model) -> None:
        """Draws the queries."""
        model.queries.data.normal_().mul_(self.width**-0.5)

    def tokens(self, model: Model, features: Tensor, latents: Tensor | None) -> Tensor:
        """The queries, for each sample."""
        del latents
        return model.queries.expand(len(features), -1, -1)


FEEDS.add("query", QueryFeed)
