"""The generator: E_gen learns to predict scene changes by flow matching, beside E_sem.

Its expert and latent layers are what E_dor of `gen_init` and `uam` starts from.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from uamsim.models.config import GeneratorConfig
from uamsim.models.flow import LatentIO, goal_start, interpolate, sample_image_time
from uamsim.models.segments import Layout
from uamsim.models.sequence import dorsal_segments, run_layout, sample_goal
from uamsim.models.state import assign
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.vae import VAE
from uamsim.models.vlm import VLM, Prompts
from uamsim.models.wiring import DOR, SEM, picture


class Generator(nn.Module):
    """Image editing on the mixture: V and L through E_sem, C and G_t through E_dor."""

    def __init__(self, config: GeneratorConfig, tokenizer: Tokenizer, *, seed: int = 0) -> None:
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        self.vlm = VLM(config.vlm, tokenizer, experts={DOR: config.dorsal}, seed=seed)
        self.vae = VAE(config.vae, seed=seed).requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self.latent = LatentIO(config.vae, config.dorsal.width)
        self.set_e_sem_trainable(False)

    def set_e_sem_trainable(self, trainable: bool) -> None:
        """Freezes or frees E_sem; it is frozen at first."""
        self.e_sem_trainable = trainable
        for _, parameter in self.vlm.sem_parameters():
            parameter.requires_grad_(trainable)

    def init_from(self, vlm_state: Mapping[str, Tensor], vae_state: Mapping[str, Tensor]) -> None:
        """Takes E_sem and the VAE from their own pretraining.

        Raises:
            CheckpointError: weights of other sizes.
        """
        assign(dict(self.vlm.sem_parameters()), vlm_state, "E_sem")
        assign(self.vae.state_dict(), vae_state, "the VAE")

    def dorsal_state(self) -> dict[str, Tensor]:
        """What E_dor of a VLA takes over, by the names that it has there too."""
        return {n: p.detach() for n, p in self.named_parameters() if is_dorsal(n)}

    def expert_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters that pretraining changes."""
        return ((n, p) for n, p in self.named_parameters() if p.requires_grad)

    def layout(self, num_text: int, *, staged: bool = False) -> Layout:
        """V, L, C, G_t; ``staged`` as for ``dorsal_segments``."""
        pictures = [picture(kind, self.config.vae.num_tokens) for kind in ("C", "G_t")]
        marked = dorsal_segments(pictures, self.vlm.num_marks, staged=staged)
        segments = (*self.vlm.segments(num_text), *marked)
        return Layout(segments, self.config.dorsal_sees_text, self.vlm.prefix)

    def _sem_inputs(self, images: Tensor, instructions: Sequence[str]) -> tuple[Tensor, Prompts]:
        prompts = self.vlm.prompts(instructions)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.e_sem_trainable):
            features = self.vlm.view_features(images[:, None])
            return self.vlm.embed_prefix(features, prompts.ids), prompts

    def with_marks(self, sem_BTW: Tensor, num_pictures: int) -> Tensor:
        """E_sem's input, then what it reads around pictures of E_dor."""
        if not self.vlm.num_marks:
            return sem_BTW
        return torch.cat((sem_BTW, self.vlm.marks(len(sem_BTW), num_pictures)), dim=1)

    def loss(
        self,
        images: Tensor,
        instructions: Sequence[str],
        latents: Tensor,
        goal_latents: Tensor,
        generator: torch.Generator,
        weight_BT: Tensor | None = None,
    ) -> Tensor:
        """Flow-matching MSE of the scene change.

        Args:
            images: uint8 [B, H, W, 3] before the change.
            instructions: what changes, B strings.
            latents: [B, T, C] of the same pictures, from ``vae.encode``.
            goal_latents: [B, T, C] after the change.
            generator: draws times and noise.
            weight_BT: of the goal's tokens, 1 on average; all alike where None.
        """
        x_sem, prompts = self._sem_inputs(images, instructions)
        noise = torch.randn(latents.shape, generator=generator, device=generator.device)
        t_B = sample_image_time(len(latents), self.config.image_time_shift, generator)
        t_B = t_B.to(latents.device)
        start = goal_start(latents, noise.to(latents.device), self.config.goal_start)
        tokens = [
            self.latent.embed(latents, None),
            self.latent.embed(interpolate(goal_latents, start, t_B), t_B),
        ]
        goal = slice(latents.shape[1], None)
        out = run_layout(
            self.vlm.mot,
            self.layout(prompts.ids.shape[1]),
            {
                SEM: self.with_marks(x_sem, 2),
                DOR: torch.cat(tokens, dim=1),
            },
            prompts,
            keep={DOR: goal},
            freeze_sem=not self.e_sem_trainable,
        )
        velocity = self.latent.velocity(out.hidden[DOR])
        if weight_BT is None:
            return F.mse_loss(velocity, start - goal_latents)
        return ((velocity - start + goal_latents).square().mean(2) * weight_BT).mean()

    @torch.inference_mode()
    def sample(self, images: Tensor, instructions: Sequence[str], noise: Tensor) -> Tensor:
        """Pictures uint8 [B, H, W, 3] after the change, from noise [B, T, C]."""
        return self.vae.decode(self.sample_latents(images, instructions, noise))

    @torch.inference_mode()
    def sample_latents(
        self,
        images: Tensor,
        instructions: Sequence[str],
        noise: Tensor,
        *,
        num_steps: int | None = None,
    ) -> Tensor:
        """Latents [B, T, C] of ``sample``'s pictures; by the config's number of steps if None."""
        x_sem, prompts = self._sem_inputs(images, instructions)
        latents = self.vae.encode(images)
        return sample_goal(
            self.vlm.mot,
            self.latent,
            self.layout(prompts.ids.shape[1], staged=True),
            {SEM: self.with_marks(x_sem, 1), DOR: self.latent.embed(latents, None)},
            prompts,
            latents,
            noise,
            self.with_marks(x_sem[:, :0], 1),
            start=self.config.goal_start,
            num_steps=num_steps or self.config.num_goal_steps,
        )


def copy_sem_to_dorsal(vlm: VLM) -> None:
    """Starts the expert beside E_sem as a copy of its blocks (BAGEL's ``init_moe``).

    Raises:
        CheckpointError: the two have other sizes.
    """
    own = {name: value for name, value in vlm.named_parameters() if is_dorsal(name)}
    sem = dict(vlm.sem_parameters())
    assign(own, {name: sem[name.replace(f".{DOR}.", f".{SEM}.")] for name in own}, "E_dor")


def is_dorsal(name: str) -> bool:
    """Whether a parameter belongs to the generation expert or its latent layers."""
    return name.startswith("latent.") or f".experts.{DOR}." in name or f".norms.{DOR}." in name
