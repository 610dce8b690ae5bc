"""The goal frame's VAE latents, by flow matching in the dorsal expert (UAM's dynamics)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from uamsim.errors import ConfigError
from uamsim.models.config import VLAConfig
from uamsim.models.wiring import (
    DOR,
    PREDICTIONS,
    SEM,
    Kind,
    Model,
    Prediction,
    Segment,
    picture,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from uamsim.models.flow import LatentIO


class LatentPrediction(Prediction):
    """G_t, the goal at a drawn time, which nobody sees, and G_1, its start, which actions see.

    An action that saw the goal at t < 1 would see the true future, which inference has not.
    """

    reads_latents = True
    expert = DOR
    trained, seen, predicting = ("G_t", "G_1"), ("G_1",), "G_t"

    def __init__(self, config: VLAConfig) -> None:
        self.config = config
        self.weight = config.wm_weight
        self.noise_shape = (config.vae.num_tokens, config.vae.token_dim)
        self.num_tokens = 2 * config.vae.num_tokens

    def check(self) -> None:
        """Refuses a dorsal expert without latents."""
        feed = self.config.feed
        if feed is None or not feed.reads_latents:
            raise ConfigError(
                "dynamics needs dorsal_input 'vae' to predict latents; got "
                f"{self.config.dorsal_input!r}."
            )

    def segment(self, kind: Kind) -> Segment:
        """As many tokens as the frame's latents."""
        return picture(kind, self.config.vae.num_tokens)

    def draw(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Times [B] and noise [B, T, C]."""
        import torch

        from uamsim.models.flow import sample_image_time

        times = sample_image_time(size, self.config.image_time_shift, generator)
        shape = (size, self.config.vae.num_tokens, self.config.vae.token_dim)
        normal = torch.randn(shape, generator=generator, device=generator.device)
        return {"goal_t": times, "goal": normal}

    def _start(self, latents: Tensor | None, noise: Tensor) -> Tensor:
        from uamsim.models.flow import goal_start

        return goal_start(_given(latents), noise, self.config.goal_start)

    def tokens(
        self,
        model: Model,
        kind: Kind,
        latents: Tensor | None,
        goal_latents: Tensor | None,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        """The goal between its start and its end, or its start."""
        from uamsim.models.flow import interpolate

        latent: LatentIO = model.latent
        start = self._start(latents, noise["goal"])
        if kind == "G_1":
            return latent.embed(start, start.new_ones(len(start)))
        times = noise["goal_t"]
        return latent.embed(interpolate(_given(goal_latents), start, times), times)

    def loss(
        self,
        model: Model,
        hidden_BTW: Tensor,
        latents: Tensor | None,
        goal_latents: Tensor | None,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        """MSE of the velocity."""
        latent: LatentIO = model.latent
        start = self._start(latents, noise["goal"])
        return (latent.velocity(hidden_BTW) - (start - _given(goal_latents))).square().mean()

    def picture(
        self, model: Model, images: Tensor, instructions: Sequence[str], noise: Tensor | None
    ) -> Tensor:
        """Euler steps over G_t, decoded."""
        from uamsim.models.sequence import sample_goal

        assert noise is not None
        latents = model.encode_latents(images[:, 0])
        prompts = model.vlm.prompts(instructions, multiple=model.prompt_multiple)
        sem, dorsal = model.embed_observation(images, prompts.ids, latents)
        goal = sample_goal(
            model.vlm.mot,
            model.latent,
            model.layout(prompts.ids.shape[1], goals=["G_t"], actions=False),
            {SEM: model.with_marks(sem, 1), DOR: dorsal},
            prompts,
            latents,
            noise,
            model.with_marks(sem[:, :0], 1),
            start=self.config.goal_start,
            num_steps=self.config.num_goal_steps,
        )
        return model.vae.decode(goal)


def _given(latents: Tensor | None) -> Tensor:
    if latents is None:
        raise ConfigError("dynamics needs latents and goal_latents in the batch; got None.")
    return latents


PREDICTIONS.add("latents", LatentPrediction)
