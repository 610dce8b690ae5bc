"""The vision transformer, the connector after it, and fixed 2-D sin-cos positions.

Axes: B batch, T tokens, H and W pixels, D width.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from uamsim.errors import ShapeError
from uamsim.models.config import VisionConfig

ACTIVATION_GAIN = 1.7
"""Roughly undoes what SiLU or GELU takes from a unit normal."""


def sincos_2d(grid: tuple[int, int], width: int) -> Tensor:
    """Fixed positions [h * w, width]: a quarter each of sin and cos, of rows and of columns."""
    rows, columns = torch.meshgrid(
        torch.arange(grid[0], dtype=torch.float32),
        torch.arange(grid[1], dtype=torch.float32),
        indexing="ij",
    )
    quarter = -(-width // 4)
    frequency = 10_000.0 ** (-torch.arange(quarter, dtype=torch.float32) / quarter)
    parts = [
        wave(axis.flatten()[:, None] * frequency)
        for axis in (rows, columns)
        for wave in (torch.sin, torch.cos)
    ]
    return torch.cat(parts, dim=1)[:, :width]


def to_unit(images: Tensor) -> Tensor:
    """Uint8 [..., H, W, 3] to float32 channels-first [B, 3, H, W] in [-1, 1]."""
    if images.dtype != torch.uint8 or images.shape[-1] != 3:
        raise ShapeError(
            f"images must be uint8 [..., H, W, 3]; got {images.dtype} {tuple(images.shape)}."
        )
    flat = images.reshape(-1, *images.shape[-3:])
    return flat.permute(0, 3, 1, 2).float().mul_(1 / 127.5).sub_(1.0)


def initialise(layer: nn.Linear | nn.Conv2d, gain: float = 1.0) -> None:
    """Fan-in normal weights and zero biases.

    PyTorch's defaults shrink what differs between pictures to a few per cent of what does not
    (biases, positions) by the end of the connector, and training then sits on a plateau.
    """
    nn.init.normal_(layer.weight, std=gain * layer.weight[0].numel() ** -0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class ViTBlock(nn.Module):
    """Pre-norm attention over all patches, then a GELU MLP (SigLIP)."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.attn_norm = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.o = nn.Linear(config.width, config.width)
        self.mlp_norm = nn.LayerNorm(config.width)
        self.up = nn.Linear(config.width, config.ffn)
        self.down = nn.Linear(config.ffn, config.width)
        for linear in (self.qkv, self.up):
            initialise(linear)
        for linear in (self.o, self.down):
            initialise(linear, (2 * config.depth) ** -0.5)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """[B, T, D] to [B, T, D]."""
        qkv = self.qkv(self.attn_norm(x_BTD)).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x_BTD = x_BTD + self.o(attended)
        return x_BTD + self.down(F.gelu(self.up(self.mlp_norm(x_BTD)), approximate="tanh"))


class VisionTransformer(nn.Module):
    """uint8 pictures to merged patch features [B, T, merge^2 * width]."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        if config.stem == "linear":
            self.stem = nn.Sequential(nn.Conv2d(3, config.width, config.patch, stride=config.patch))
        else:
            halvings = config.patch.bit_length() - 1
            widths = [3] + [max(16, config.width >> (halvings - i)) for i in range(1, halvings + 1)]
            layers: list[nn.Module] = []
            for i in range(halvings):
                layers.append(nn.Conv2d(widths[i], widths[i + 1], 3, stride=2, padding=1))
                if i < halvings - 1:
                    layers.append(nn.SiLU())
            self.stem = nn.Sequential(*layers)
        for layer in self.stem:
            if isinstance(layer, nn.Conv2d):
                initialise(layer, ACTIVATION_GAIN)
        rows, columns = config.patch_grid
        self.positions = nn.Parameter(torch.randn(rows * columns, config.width) * 0.02)
        self.blocks = nn.ModuleList([ViTBlock(config) for _ in range(config.depth)])
        self.norm = nn.LayerNorm(config.width)

    def forward(self, images: Tensor) -> Tensor:
        """Features of uint8 [B, H, W, 3].

        Raises:
            ShapeError: pictures of another size or dtype.
        """
        if tuple(images.shape[-3:-1]) != self.config.image_size:
            raise ShapeError(
                f"images must be {self.config.image_size} pixels (H, W); got "
                f"{tuple(images.shape[-3:-1])}."
            )
        x = self.stem(to_unit(images))
        x_BTD = x.flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            x_BTD = block(x_BTD)
        return self._merge(self.norm(x_BTD))

    def _merge(self, x_BTD: Tensor) -> Tensor:
        side, (h, w) = self.config.merge, self.config.grid
        if side == 1:
            return x_BTD
        x = x_BTD.reshape(-1, h, side, w, side, self.config.width)
        return x.transpose(2, 3).reshape(-1, h * w, side * side * self.config.width)


class Connector(nn.Module):
    """Two layers from patch features to an expert's width, plus fixed positions (BAGEL)."""

    positions: Tensor

    def __init__(self, vision: VisionConfig, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(vision.merge**2 * vision.width, width)
        self.fc2 = nn.Linear(width, width)
        initialise(self.fc1)
        initialise(self.fc2, ACTIVATION_GAIN)
        self.norm = nn.RMSNorm(width, eps=1e-6) if vision.connector_norm else nn.Identity()
        self.register_buffer("positions", sincos_2d(vision.grid, width), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """[B, T, merge^2 * vision width] to [B, T, width]."""
        content = self.fc2(F.gelu(self.fc1(features), approximate="tanh"))
        return self.norm(content) + self.positions
