"""Moving weights between models, with every disagreement named."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from uamsim.errors import CheckpointError


def local(tensor: Tensor) -> Tensor:
    """This rank's rows of a tensor; all of one that is not split."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def local_start(tensor: Tensor) -> int:
    """The first of this rank's rows of a tensor that is split by rows, as FSDP2 splits."""
    if not isinstance(tensor, DTensor):
        return 0
    mesh, total = tensor.device_mesh, tensor.shape[0]
    return min(mesh.get_local_rank() * -(-total // mesh.size()), total)


@torch.no_grad()
def assign(targets: Mapping[str, Tensor], state: Mapping[str, Tensor], what: str) -> None:
    """Copies ``state`` into ``targets`` in place; nothing changes when they disagree.

    Args:
        targets: name -> parameter or buffer to fill; of one that is split among ranks, each reads
            its own rows alone.
        state: name -> new value.
        what: names the weights in the error.

    Raises:
        CheckpointError: keys that are missing, extra or of another shape, all of them named.
    """
    check_fit(targets, state, what)
    for name, target in targets.items():
        value, rows = state[name], local(target)
        if isinstance(target, DTensor) and not isinstance(value, DTensor):
            start = local_start(target)
            value = value[start : start + len(rows)]
        rows.copy_(local(value))


class Selected(Mapping[str, Tensor]):
    """The entries of ``state`` whose name passes ``keep``, still read one by one."""

    def __init__(self, state: Mapping[str, Tensor], keep: Callable[[str], bool]) -> None:
        self._state, self._names = state, [name for name in state if keep(name)]

    def __getitem__(self, name: str) -> Tensor:
        return self._state[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def check_fit(targets: Mapping[str, Tensor], state: Mapping[str, Tensor], what: str) -> None:
    """Compares names and shapes alone, as ``assign`` does.

    Raises:
        CheckpointError: keys that are missing, extra or of another shape, all of them named.
    """
    names = set(state)
    missing, extra = sorted(set(targets) - names), sorted(names - set(targets))
    misshapen = [
        f"{name} (expected {tuple(target.shape)}, got {tuple(state[name].shape)})"
        for name, target in targets.items()
        if name in names and state[name].shape != target.shape
    ]
    problems = [
        f"{label}: {', '.join(found)}"
        for label, found in (("missing", missing), ("extra", extra), ("misshapen", misshapen))
        if found
    ]
    if problems:
        raise CheckpointError(
            f"the weights do not fit {what}; {'; '.join(problems)}. Build the model with the "
            "config that they were saved with."
        )
