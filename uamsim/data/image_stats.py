"""Statistics of pictures, summed up one by one and in parts."""

from typing import Any

import numpy as np


class ImageSums:
    """Sums over pictures that ``merge_image_stats`` puts together.

    Rows are added in order, so that the sums do not depend on how pictures are grouped.
    """

    def __init__(self) -> None:
        self._min, self._max = np.full(3, np.inf), np.full(3, -np.inf)
        self._sum, self._square = np.zeros((1, 3)), np.zeros((1, 3))
        self._pixels = self._count = 0

    def add(self, picture: np.ndarray) -> None:
        """Takes a uint8 [H, W, 3] picture."""
        wide = picture.reshape(-1, 3).astype(np.float64) / 255
        self._min = np.minimum(self._min, wide.min(axis=0))
        self._max = np.maximum(self._max, wide.max(axis=0))
        self._sum = np.concatenate([self._sum, wide]).sum(axis=0, keepdims=True)
        self._square = np.concatenate([self._square, wide**2]).sum(axis=0, keepdims=True)
        self._pixels += len(wide)
        self._count += 1

    def to_json(self) -> dict[str, list[float]]:
        """The sums."""
        return {
            "min": self._min.tolist(),
            "max": self._max.tolist(),
            "sum": self._sum[0].tolist(),
            "square": self._square[0].tolist(),
            "pixels": [self._pixels],
            "count": [self._count],
        }


def merge_image_stats(parts: list[dict[str, list[float]]]) -> dict[str, Any]:
    """Statistics of a camera as the layout has them: [3, 1, 1] in [0, 1]."""
    stacked = {key: np.array([part[key] for part in parts]) for key in parts[0]}
    pixels = stacked["pixels"].sum()
    mean = stacked["sum"].sum(axis=0) / pixels
    variance = np.maximum(stacked["square"].sum(axis=0) / pixels - mean**2, 0)
    values = {
        "min": stacked["min"].min(axis=0),
        "max": stacked["max"].max(axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
    }
    merged: dict[str, Any] = {k: v.reshape(3, 1, 1).tolist() for k, v in values.items()}
    return merged | {"count": [int(stacked["count"].sum())]}
