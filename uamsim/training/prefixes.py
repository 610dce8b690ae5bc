"""What a frozen E_sem makes of pictures and instructions, computed once and shared by every trial.

Axes: B samples, Q frames that are kept, V views, T tokens, H key-value heads, D head dimension.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from uamsim.contract import content_hash
from uamsim.data.action_data import ActionDataset
from uamsim.models.batch import Prefix, VLABatch
from uamsim.models.vla import VLA
from uamsim.storage import whole_file

_BATCH = 64


@dataclasses.dataclass(frozen=True, eq=False)
class Prefixes:
    """Prefixes of the frames at which policies are asked, most of what training draws.

    Attributes:
        rows: row of each frame of the dataset, -1 where it is not kept; int64 [N].
        states: keys and values of each layer in turn, float32 [Q, 2 * layers, T, H, D].
        features: of the ViT, float32 [Q, V, T, merge^2 * vision width].
    """

    rows: np.ndarray
    states: np.ndarray
    features: np.ndarray

    @classmethod
    def of(
        cls, model: VLA, data: ActionDataset, folder: Path, max_bytes: float
    ) -> "Prefixes | None":
        """Those of a dataset, kept in ``folder`` under the hash of E_sem's weights.

        Args:
            model: with the E_sem that is frozen.
            data: the dataset.
            folder: where to keep them.
            max_bytes: what they may need.

        Returns:
            None where they need more.

        Raises:
            StorageError: they cannot be written.
        """
        frames = data.query_frames
        shapes = _shapes(model, data, len(frames))
        if sum(4 * np.prod(shape, dtype=np.int64) for shape in shapes) > max_bytes:
            return None
        weights = {name: p.sum().item() for name, p in model.vlm.sem_parameters()}
        key = content_hash([weights, [list(s) for s in shapes], data.chunk, list(data.cameras)])
        paths = [folder / f"{key}-{name}.npy" for name in ("states", "features")]
        if not all(path.exists() for path in paths):
            arrays = [np.zeros(shape, np.float32) for shape in shapes]
            for start in range(0, len(frames), _BATCH):
                batch = data.batch(frames[start : start + _BATCH])
                rows = np.arange(start, start + len(batch["images"]))
                images = torch.from_numpy(batch["images"])
                _fill(arrays, rows, model, images, batch["instructions"])
            for path, array in zip(paths, arrays, strict=True):
                with whole_file(path) as partial, partial.open("wb") as file:
                    np.save(file, array)
        rows = np.full(len(data), -1)
        rows[frames] = np.arange(len(frames))
        return cls(rows, *(np.load(path, mmap_mode="r") for path in paths))

    def put_into(self, model: VLA, batch: VLABatch, frames: np.ndarray) -> VLABatch:
        """The batch of these frames with its prefix; what is not kept is computed."""
        rows, texts = self.rows[frames], batch.instructions
        kept, others = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
        length = _num_before_text(model) + model.vlm.prompts(texts).ids.shape[1]
        states, features = (
            np.zeros((len(frames), *kind.shape[1:]), np.float32)
            for kind in (self.states[:, :, :length], self.features)
        )
        states[kept] = self.states[rows[kept], :, :length]
        features[kept] = self.features[rows[kept]]
        if len(others):
            asked = [texts[i] for i in others.tolist()]
            _fill([states, features], others, model, batch.images[others], asked)
        device = batch.images.device
        layers = torch.from_numpy(states).to(device).unbind(1)
        cache = list(zip(layers[::2], layers[1::2], strict=True))
        prefix = Prefix(cache=cache, features=torch.from_numpy(features).to(device))
        return dataclasses.replace(batch, prefix=prefix)


def _shapes(model: VLA, data: ActionDataset, count: int) -> tuple[tuple[int, ...], ...]:
    vlm, views = model.config.vlm, model.config.num_views
    backbone, vision = vlm.backbone, vlm.vision
    text = model.vlm.prompts(sorted(set(data.dataset.instructions))).ids.shape[1]
    tokens = _num_before_text(model) + text
    states = (count, 2 * backbone.depth, tokens, backbone.kv_heads, backbone.head_dim)
    return states, (count, views, vision.num_tokens, vision.merge**2 * vision.width)


def _num_before_text(model: VLA) -> int:
    return model.vlm.layout(1, model.config.num_views).start("L")


def _fill(
    arrays: Sequence[np.ndarray],
    rows: np.ndarray,
    model: VLA,
    images: Tensor,
    texts: Sequence[str],
) -> None:
    """Writes states and features of some samples, whose text may be shorter than others'."""
    prefix = model.e_sem_prefix(images.to(model.vlm.device), model.vlm.prompts(texts))
    states = torch.stack([part for layer in prefix.cache for part in layer], dim=1)
    arrays[0][rows, :, : states.shape[2]] = states.cpu().numpy()
    arrays[1][rows] = prefix.features.cpu().numpy()
