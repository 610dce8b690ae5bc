"""Latents of a frozen VAE, encoded once and shared by every trial."""

from pathlib import Path

import numpy as np
import torch

from uamsim.contract import content_hash
from uamsim.models.vae import VAE
from uamsim.storage import whole_file

_BATCH = 256


@torch.inference_mode()
def encode_frames(vae: VAE, frames: np.ndarray) -> np.ndarray:
    """Latents float32 [N, T, C] of uint8 [N, H, W, 3]."""
    device = vae.scale.device
    batches = (
        torch.from_numpy(np.array(frames[i : i + _BATCH])) for i in range(0, len(frames), _BATCH)
    )
    return np.concatenate([vae.encode(batch.to(device)).cpu().numpy() for batch in batches])


def cached_latents(vae: VAE, frames: np.ndarray, folder: Path) -> np.ndarray:
    """Latents of a dataset's frames, kept in ``folder`` under the hash of the VAE's weights.

    Args:
        vae: the encoder.
        frames: uint8 [N, H, W, 3].
        folder: where to keep them.

    Returns:
        A read-only memory map, float32 [N, T, C].

    Raises:
        StorageError: they cannot be written.
    """
    weights = {name: value.sum().item() for name, value in vae.state_dict().items()}
    path = folder / f"{content_hash([weights, list(frames.shape)])}.npy"
    if not path.exists():
        latents = encode_frames(vae, frames)
        with whole_file(path) as partial, partial.open("wb") as file:
            np.save(file, latents)
    return np.load(path, mmap_mode="r")
