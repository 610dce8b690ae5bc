"""The shared ViT's tokens of the primary view, through a connector of their own (Table 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from uamsim.models.config import VLAConfig
from uamsim.models.sizes import connector
from uamsim.models.wiring import FEEDS, Feed, Model

if TYPE_CHECKING:
    from torch import Tensor, nn


class ViTFeed(Feed):
    """What E_sem sees of the primary view, connected once more."""

    def __init__(self, config: VLAConfig) -> None:
        self.config = config
        self.num_tokens, self.grid = config.vlm.vision.num_tokens, config.vlm.vision.grid
        self.num_parameters = connector(config.vlm.vision, config.dorsal.width)

    def copied(self, start: str) -> Mapping[str, str]:
        """E_sem's own connector, which a generator has as well."""
        return {} if start == "random" else {"dorsal_connector": "connector"}

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        """The connector."""
        from uamsim.models.vision import Connector

        del seed
        return {"dorsal_connector": Connector(self.config.vlm.vision, self.config.dorsal.width)}

    def tokens(self, model: Model, features: Tensor, latents: Tensor | None) -> Tensor:
        """The primary view's features, connected."""
        del latents
        return model.dorsal_connector(features[:, 0])


FEEDS.add("vit", ViTFeed)
