"""Moving weights between models, with every disagreement named."""

from collections.abc import Mapping

import torch
from torch import Tensor

from uamsim.errors import CheckpointError


@torch.no_grad()
def assign(targets: Mapping[str, Tensor], state: Mapping[str, Tensor], what: str) -> None:
    """Copies ``state`` into ``targets`` in place; nothing changes when they disagree.

    Args:
        targets: name -> parameter or buffer to fill.
        state: name -> new value.
        what: names the weights in the error.

    Raises:
        CheckpointError: keys that are missing, extra or of another shape, all of them named.
    """
    missing = sorted(set(targets) - set(state))
    extra = sorted(set(state) - set(targets))
    misshapen = [
        f"{name} (expected {tuple(target.shape)}, got {tuple(state[name].shape)})"
        for name, target in targets.items()
        if name in state and state[name].shape != target.shape
    ]
    problems = [
        f"{label}: {', '.join(names)}"
        for label, names in (("missing", missing), ("extra", extra), ("misshapen", misshapen))
        if names
    ]
    if problems:
        raise CheckpointError(
            f"the weights do not fit {what}; {'; '.join(problems)}. Build the model with the "
            "config that they were saved with."
        )
    for name, target in targets.items():
        target.copy_(state[name])
