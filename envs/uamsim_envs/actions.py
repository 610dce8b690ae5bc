"""What every environment asks of the actions that it is given."""

from typing import Any

import numpy as np
from jaxtyping import Float32

from uamsim.errors import InvalidActionError


def check_actions(actions: Any, dim: int) -> Float32[np.ndarray, "T A"]:
    """A chunk of actions, float32.

    Args:
        actions: what was given.
        dim: numbers of an action.

    Raises:
        InvalidActionError: a wrong shape, or values that are not finite.
    """
    array = np.asarray(actions)
    expected = f"actions of shape [T, {dim}] (T >= 1) with finite numbers"
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] != dim:
        raise InvalidActionError(
            f"expected {expected}, got shape {list(array.shape)} of {array.dtype}."
        )
    if len(array) == 0:
        raise InvalidActionError(f"expected {expected}, got no action.")
    if not np.isfinite(array).all():
        step, index = (int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidActionError(
            f"expected {expected}, got {array[step, index]} at step {step}, index {index}."
        )
    return array.astype(np.float32)
