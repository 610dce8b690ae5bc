"""Clean VAE latents of the primary view (Table 1, 3a and UAM)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from uamsim.models.config import VLAConfig
from uamsim.models.sizes import latent_io
from uamsim.models.wiring import FEEDS, Feed, Model

if TYPE_CHECKING:
    from torch import Tensor, nn

    from uamsim.models.flow import LatentIO


class VAEFeed(Feed):
    """The latents as tokens, with the generator's layers around them."""

    reads_latents = marked = True

    def __init__(self, config: VLAConfig) -> None:
        self.config = config
        self.num_tokens, self.grid = config.vae.num_tokens, config.vae.grid
        self.num_parameters = latent_io(config.vae.token_dim, config.dorsal.width)

    def copied(self, start: str) -> Mapping[str, str]:
        """The generator's latent layers."""
        return {"latent": "latent"} if start == "generator" else {}

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        """The VAE, which is never trained, and what stands between latents and E_dor."""
        from uamsim.models.flow import LatentIO
        from uamsim.models.vae import VAE

        latent = LatentIO(self.config.vae, self.config.dorsal.width)
        if not self.config.dynamics:
            latent.llm2vae.requires_grad_(False)
        vae = VAE(self.config.vae, seed=seed).requires_grad_(False)
        return {"vae": vae, "latent": latent}

    def tokens(self, model: Model, features: Tensor, latents: Tensor | None) -> Tensor:
        """The latents at t = 0."""
        del features
        assert latents is not None
        latent: LatentIO = model.latent
        return latent.embed(latents, None)


FEEDS.add("vae", VAEFeed)
