"""The policy head of UP-VLA: attention pooling of the action tokens' states, then a linear layer.

Axes: B batch, T tokens, K actions of a chunk, A action, W width of E_sem.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from uamsim.models.config import VLAConfig

RMS_FLOOR = 1e-8
"""Below which no state is scaled up; nothing is added to the mean square."""


class FlooredRMSNorm(nn.Module):
    """RMSNorm without an epsilon, as the head was published with."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(width))

    def reset_parameters(self) -> None:
        """No scaling."""
        nn.init.ones_(self.g)

    def forward(self, x: Tensor) -> Tensor:
        """[..., W] to the same."""
        rms = x.square().mean(-1, keepdim=True).sqrt().clamp_min(RMS_FLOOR)
        return x / rms * self.g


class PoolingAttention(nn.Module):
    """One query over T tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, query_B1W: Tensor, tokens_BTW: Tensor) -> Tensor:
        """What the query takes of the tokens, [B, 1, W]."""

        def split(x_BTW: Tensor) -> Tensor:
            return x_BTW.unflatten(2, (self.heads, -1)).transpose(1, 2)

        key, value = self.kv(tokens_BTW).chunk(2, dim=-1)
        query = split(self.q(query_B1W))
        out = F.scaled_dot_product_attention(query, split(key), split(value))
        return self.proj(out.transpose(1, 2).flatten(2))


class GatedMLP(nn.Module):
    """SwiGLU of four times the width, value before gate."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, 8 * width)
        self.out = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., W] to the same."""
        value, gate = self.project(x).chunk(2, dim=-1)
        return self.out(value * F.silu(gate))


class MAPHead(nn.Module):
    """Tokens that are all one vector, told apart by position alone, and what is made of them.

    Attributes:
        token: [1, 1, W].
        latent: [1, 1, W], the query.
    """

    def __init__(self, config: VLAConfig) -> None:
        super().__init__()
        width = config.vlm.expert.width
        self.config = config
        self.gripper_dims = list(config.gripper_dims)
        self.pose_dims = [d for d in range(config.action_dim) if d not in config.gripper_dims]
        self.token = nn.Parameter(torch.empty(1, 1, width))
        self.latent = nn.Parameter(torch.empty(1, 1, width))
        self.projection = nn.Linear(width, width)
        self.attn_norm, self.mlp_norm = FlooredRMSNorm(width), FlooredRMSNorm(width)
        self.attn = PoolingAttention(width, config.map_heads)
        self.mlp = GatedMLP(width)
        self.to_actions = nn.Linear(width, config.chunk * config.action_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the token as E_sem's embedding, and the query."""
        for parameter in (self.token, self.latent):
            nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)

    def tokens(self, batch_size: int) -> Tensor:
        """[B, K, W]."""
        return self.token.expand(batch_size, self.config.chunk, -1)

    def numbers(self, states_BTW: Tensor) -> Tensor:
        """Poses, and grippers' logits, [B, K, A]."""
        query = self.latent.expand(len(states_BTW), -1, -1)
        pooled = self.attn_norm(query + self.attn(query, self.projection(states_BTW)))
        pooled = self.mlp_norm(pooled + self.mlp(pooled))
        return self.to_actions(pooled[:, 0]).unflatten(1, (self.config.chunk, -1))

    def actions(self, states_BTW: Tensor) -> Tensor:
        """The normalised chunk; where grippers are classified, they are -1 or 1."""
        numbers = self.numbers(states_BTW)
        if self.config.gripper_loss == "mse":
            return numbers
        chunk = numbers.clone()
        grip = torch.where(numbers[..., self.gripper_dims] > 0, 1.0, -1.0)
        chunk[..., self.gripper_dims] = grip.to(chunk.dtype)
        return chunk

    def loss(self, states_BTW: Tensor, actions_BKA: Tensor, mask_BK: Tensor) -> Tensor:
        """MSE of the poses plus cross-entropy of the grippers; or the MSE of all."""
        numbers, counted = self.numbers(states_BTW), mask_BK.to(actions_BKA.dtype)
        if self.config.gripper_loss == "mse":
            each = (numbers - actions_BKA).square().mean(-1)
        else:
            pose, grip = self.pose_dims, self.gripper_dims
            is_open = (actions_BKA[..., grip] > 0).to(numbers.dtype)
            each = (numbers[..., pose] - actions_BKA[..., pose]).square().mean(-1)
            each = each + F.binary_cross_entropy_with_logits(
                numbers[..., grip], is_open, reduction="none"
            ).mean(-1)
        return (each * counted).sum() / counted.sum().clamp_min(1.0)
