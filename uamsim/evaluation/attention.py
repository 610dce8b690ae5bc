"""Attention maps laid over pictures, as in appendix E of the paper."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from uamsim.errors import ShapeError
from uamsim.storage import whole_file


def overlay(
    image: UInt8[np.ndarray, "H W 3"], attention: Float[np.ndarray, "h w"], *, alpha: float = 0.5
) -> UInt8[np.ndarray, "H W 3"]:
    """The picture under its map: bicubic to the picture's size, min-max, JET colours.

    A constant map shows as the lowest colour everywhere.

    Raises:
        ShapeError: a picture or map of another shape, or a map that is not finite.
    """
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8:
        raise ShapeError(f"expected a uint8 picture [H, W, 3], got {image.dtype} {image.shape}.")
    if attention.ndim != 2 or not np.isfinite(attention).all():
        raise ShapeError(f"expected a finite attention map [h, w], got shape {attention.shape}.")
    height, width = image.shape[:2]
    small = Image.fromarray(attention.astype(np.float32))
    large = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
    span = float(large.max() - large.min())
    unit = (large - large.min()) / span if span > 0 else np.zeros_like(large)
    import matplotlib

    colours = matplotlib.colormaps["jet"](unit)[..., :3] * 255
    return np.rint((1 - alpha) * image + alpha * colours).astype(np.uint8)


def write_png(path: Path, image: UInt8[np.ndarray, "H W 3"], *, min_width: int = 0) -> Path:
    """Writes a picture, enlarged by a whole factor to at least ``min_width`` pixels.

    Raises:
        StorageError: the file cannot be written.
    """
    factor = max(1, -(-min_width // image.shape[1]))
    picture = Image.fromarray(image.repeat(factor, axis=0).repeat(factor, axis=1))
    with whole_file(path) as partial:
        picture.save(partial, format="PNG")
    return path
