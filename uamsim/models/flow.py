"""Flow matching, t = 1 noise and t = 0 data (pi0's and BAGEL's code; the papers reverse it).

Axes: B batch, T tokens, C numbers a token, W width.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from uamsim.models.config import GoalStart, VAEConfig
from uamsim.models.vision import sincos_2d


def sample_action_time(batch_size: int, alpha: float, generator: torch.Generator) -> Tensor:
    """T = 0.999 * Beta(alpha, 1) + 0.001, [B]: the inverse CDF of Beta(a, 1) is u^(1/a)."""
    uniform = torch.rand(batch_size, generator=generator, device=generator.device)
    return 0.999 * uniform ** (1 / alpha) + 0.001


def sample_image_time(batch_size: int, shift: float, generator: torch.Generator) -> Tensor:
    """Times t = s u / (1 + (s - 1) u) [B] of logit-normal(0, 1) u (BAGEL).

    The shift s moves them towards 1, the noise, where pictures are predicted from and where actions
    read the goal block; 1 leaves them.
    """
    u = torch.randn(batch_size, generator=generator, device=generator.device).sigmoid()
    return shift * u / (1 + (shift - 1) * u)


def goal_start(current_BTC: Tensor, noise_BTC: Tensor, start: GoalStart) -> Tensor:
    """Where the goal block starts, x_1: around the current latents ("residual") or around 0."""
    return current_BTC + noise_BTC if start == "residual" else noise_BTC


def interpolate(data: Tensor, start: Tensor, t_B: Tensor) -> Tensor:
    """x_t = (1 - t) * data + t * start; its velocity is start - data."""
    t = t_B.view(-1, *(1,) * (data.ndim - 1))
    return torch.lerp(data, start, t)


def integrate(velocity: Callable[[Tensor, float], Tensor], x: Tensor, num_steps: int) -> Tensor:
    """Euler from t = 1 to t = 0."""
    for step in range(num_steps):
        x = x - velocity(x, 1.0 - step / num_steps) / num_steps
    return x


def sincos_time(t_B: Tensor, width: int, min_period: float, max_period: float) -> Tensor:
    """Sine and cosine of t at log-spaced periods, [B, width]."""
    fraction = torch.linspace(0.0, 1.0, width // 2, device=t_B.device)
    return sincos_periods(t_B, min_period * (max_period / min_period) ** fraction)


def sincos_periods(t_B: Tensor, period: Tensor) -> Tensor:
    """Sine and cosine of t at the given periods [n], [B, 2 * n]."""
    angle = t_B[:, None] * (2 * math.pi / period)
    return torch.cat((angle.sin(), angle.cos()), dim=1)


class LatentIO(nn.Module):
    """Between latents and the dorsal expert: vae2llm, time embedding, positions, llm2vae (BAGEL).

    ``llm2vae`` starts at zero, so that the first predicted velocity is zero.
    """

    positions: Tensor
    TIME_WIDTH = 256

    def __init__(self, vae: VAEConfig, width: int) -> None:
        super().__init__()
        token_dim, self.bagel = vae.token_dim, vae.bagel_tokens
        self.vae2llm = nn.Linear(token_dim, width)
        self.time_mlp = nn.Sequential(
            nn.Linear(self.TIME_WIDTH, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.llm2vae = nn.Linear(width, token_dim)
        self.reset_parameters()
        positions = sincos_2d(vae.grid, width, columns_first=self.bagel)
        self.register_buffer("positions", positions, persistent=False)

    def reset_parameters(self) -> None:
        """Zeros the output."""
        nn.init.zeros_(self.llm2vae.weight)
        nn.init.zeros_(self.llm2vae.bias)

    def embed(self, latents_BTC: Tensor, t_B: Tensor | None) -> Tensor:
        """Tokens [B, T, W] of latents at times ``t_B``; None is the clean t = 0."""
        if t_B is None:
            t_B = latents_BTC.new_zeros(1)
        # BAGEL feeds raw t at periods from 2 pi to 2 pi * 1e4.
        if self.bagel:
            steps = torch.arange(self.TIME_WIDTH // 2, device=t_B.device)
            period = 2 * math.pi * 1e4 ** (2 * steps / self.TIME_WIDTH)
            features = sincos_periods(t_B, period)
        else:
            features = sincos_time(t_B, self.TIME_WIDTH, 2 * math.pi, 2 * math.pi * 1e4)
        return self.vae2llm(latents_BTC) + self.time_mlp(features)[:, None] + self.positions

    def velocity(self, hidden_BTW: Tensor) -> Tensor:
        """Predicted velocity [B, T, C]."""
        return self.llm2vae(hidden_BTW)


class ActionIO(nn.Module):
    """Between actions, proprioception and the action expert (pi0)."""

    def __init__(self, action_dim: int, proprio_dim: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.state_in = nn.Linear(proprio_dim, width)
        self.action_in = nn.Linear(action_dim, width)
        self.time_fc1 = nn.Linear(2 * width, width)
        self.time_fc2 = nn.Linear(width, width)
        self.action_out = nn.Linear(width, action_dim)

    def embed_state(self, proprio_BP: Tensor) -> Tensor:
        """The state token [B, 1, W]."""
        return self.state_in(proprio_BP)[:, None]

    def embed_actions(self, x_BKA: Tensor, t_B: Tensor) -> Tensor:
        """Tokens [B, K, W] of noised actions at times ``t_B``."""
        actions = self.action_in(x_BKA)
        time = sincos_time(t_B, self.width, 4e-3, 4.0)[:, None].expand_as(actions)
        return self.time_fc2(F.silu(self.time_fc1(torch.cat((actions, time), dim=2))))

    def velocity(self, hidden_BKW: Tensor) -> Tensor:
        """Predicted velocity [B, K, A]."""
        return self.action_out(hidden_BKW)


def derived_noise(noise: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Noise [B, *shape], each row seeded by its row of ``noise`` alone.

    So an episode's noise does not depend on what shares its batch.
    """
    rows: list[Tensor] = []
    for row in noise.cpu().contiguous():
        seed = int(row.view(torch.int32).long().sum()) & 0x7FFF_FFFF
        rows.append(torch.randn(shape, generator=torch.Generator().manual_seed(seed)))
    return torch.stack(rows).to(noise.device)
