"""Resumable training states: safetensors alone, split by rows among ranks.

One rank writes one file. Several write a folder ``<name>.ranks/step-000300``, each the file
``rank-00000-of-00002.safetensors`` with its own rows of every tensor and their place in the header.
Any number of ranks reads either. A folder gets its name when all its files are whole, so a rank may
be killed at any time.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.tensor import DTensor

from uamsim.errors import CheckpointError
from uamsim.models.state import check_fit, local, local_start
from uamsim.storage import storage_errors, whole_file
from uamsim.training.ranks import Ranks

STATE_NAME = "training_state.safetensors"
_ROWS = "rows"


@dataclass(frozen=True, kw_only=True)
class Training:
    """All that changes in training.

    Attributes:
        model: whose state is saved.
        optimizer: its moments.
        average: averages of trainable parameters by their names; empty where none is kept.
    """

    model: torch.nn.Module
    optimizer: torch.optim.AdamW
    average: Mapping[str, Tensor]

    def tensors(self) -> dict[str, Tensor]:
        """Model and averages by name; tied tensors once."""
        named = {f"model.{n}": t for n, t in _unshared(self.model.state_dict()).items()}
        return named | {f"average.{n}": t for n, t in self.average.items()}

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """What the optimiser changes, in its order."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]


def save_state(path: Path, training: Training, step: int, ranks: Ranks) -> None:
    """Writes a state, whole or not at all, and removes the one before.

    Args:
        path: of the file of one rank; several put a folder beside it.
        training: what to write.
        step: steps done.
        ranks: all call this together.

    Raises:
        StorageError: the disk is full or the path cannot be written.
    """
    tensors = training.tensors()
    for index, parameter in enumerate(training.parameters):
        for key, value in training.optimizer.state[parameter].items():
            tensors[f"optimizer.{index}.{key}"] = value
    folder = _folder(path)
    with storage_errors(path):
        if ranks.size == 1:
            _write(path, tensors, step, ranks)
            shutil.rmtree(folder, ignore_errors=True)
            return
        target = folder / f"step-{step:06d}"
        partial = target.with_suffix(".partial")
        if ranks.is_first:
            for stale in folder.glob("*.partial"):
                shutil.rmtree(stale)
            partial.mkdir(parents=True)
        ranks.barrier()
        file = partial / f"rank-{ranks.rank:05d}-of-{ranks.size:05d}.safetensors"
        _write(file, tensors, step, ranks)
        ranks.barrier()
        if ranks.is_first:
            shutil.rmtree(target, ignore_errors=True)
            os.replace(partial, target)
            path.unlink(missing_ok=True)
            for old in folder.glob("step-*"):
                if old != target:
                    shutil.rmtree(old)
        ranks.barrier()


def has_state(path: Path) -> bool:
    """Whether there is a state to go on from."""
    return bool(_latest(path))


def remove_state(path: Path) -> None:
    """Removes what ``save_state`` wrote."""
    path.unlink(missing_ok=True)
    shutil.rmtree(_folder(path), ignore_errors=True)


def load_state(path: Path, training: Training) -> int:
    """Restores what any number of ranks saved and returns the number of steps done.

    Raises:
        CheckpointError: a file is corrupt or belongs to another model or optimiser.
    """
    advice = f"Remove {path} and {_folder(path)} to start this training again."
    try:
        saved = _Saved(_latest(path))
        _restore(saved, training)
    except CheckpointError as error:
        raise CheckpointError(f"{error} {advice}") from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(f"{path} is not a training state: {error}. {advice}") from error
    return saved.step


@torch.no_grad()
def _restore(saved: "_Saved", training: Training) -> None:
    targets = training.tensors()
    names = [name for name in saved.names if not name.startswith("optimizer.")]
    check_fit(targets, {name: saved.meta(name) for name in names}, "the model")
    parameters = training.parameters
    moments: dict[int, dict[str, Tensor]] = {}
    for name in set(saved.names) - set(names):
        _, index, key = name.split(".", 2)
        # A parameter that no loss reaches has none, such as the last layer of a prefix.
        if not int(index) < len(parameters):
            raise CheckpointError("it holds moments of another optimiser.")
        parameter = parameters[int(index)]
        shape = saved.meta(name).shape
        if shape not in (parameter.shape, torch.Size([])):
            raise CheckpointError(
                f"it holds moments {tuple(shape)} of a parameter of another shape."
            )
        device = parameter.device
        value = torch.zeros_like(parameter) if shape else torch.zeros((), device=device)
        moments.setdefault(int(index), {})[key] = value
        targets[name] = value
    for name, target in targets.items():
        # One by one: beside the state itself, a rank has room for one tensor of it.
        saved.read_into(name, target)
    for index, state in moments.items():
        training.optimizer.state[parameters[index]] = state


class _Saved:
    """The files of one state; each is mapped while a tensor of it is read, and no longer."""

    def __init__(self, files: list[Path]) -> None:
        self.step = -1
        self._where: dict[str, list[tuple[int, Path]]] = {}
        self._shape: dict[str, list[int]] = {}
        for path in files:
            with _open(path) as file:
                header = file.metadata() or {}
                self.step = int(header["step"])
                rows = json.loads(header.get(_ROWS, "{}"))
                for name in file.keys():  # noqa: SIM118
                    shape = file.get_slice(name).get_shape()
                    start, total = rows.get(name, (0, shape[0] if shape else 0))
                    self._where.setdefault(name, []).append((start, path))
                    self._shape[name] = [total, *shape[1:]] if shape else []

    @property
    def names(self) -> list[str]:
        return list(self._where)

    def meta(self, name: str) -> Tensor:
        """The whole tensor without its values."""
        return torch.empty(self._shape[name], device="meta")

    def read_into(self, name: str, target: Tensor) -> None:
        """Fills this rank's rows of ``target``."""
        own, first = local(target), local_start(target)
        for start, path in self._where[name]:
            with _open(path) as file:
                if not own.ndim:
                    own.copy_(file.get_tensor(name))
                    return
                piece = file.get_slice(name)
                low = max(first, start)
                high = min(first + len(own), start + piece.get_shape()[0])
                if low < high:
                    own[low - first : high - first] = piece[low - start : high - start]


def _folder(path: Path) -> Path:
    return path.with_suffix(".ranks")


def _latest(path: Path) -> list[Path]:
    """The files of the last whole state; none where there is none."""
    folders = sorted(_folder(path).glob("step-*"))
    whole = [folder for folder in folders if folder.suffix != ".partial"]
    # Whoever changes the number of ranks leaves the other kind only if killed while removing it,
    # and by then the new one is whole: it is the younger.
    found = [*whole[-1:], *([path] if path.exists() else [])]
    if not found:
        return []
    newest = max(found, key=lambda item: item.stat().st_mtime_ns)
    return sorted(newest.glob("rank-*.safetensors")) if newest.is_dir() else [newest]


def _open(file: Path) -> Any:
    return safe_open(file, framework="pt")


def _write(file: Path, tensors: Mapping[str, Tensor], step: int, ranks: Ranks) -> None:
    """This rank's rows; tensors that are not split are the first rank's to write."""
    rows = {
        name: [local_start(tensor), tensor.shape[0]]
        for name, tensor in tensors.items()
        if isinstance(tensor, DTensor)
    }
    own = {
        name: local(tensor).detach().contiguous()
        for name, tensor in tensors.items()
        if name in rows or ranks.is_first
    }
    with whole_file(file, SafetensorError, alone=True) as partial:
        save_file(own, partial, metadata={"step": str(step), _ROWS: json.dumps(rows)})


def _unshared(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with each storage once, since safetensors refuses tied tensors."""
    seen: set[int] = set()
    kept = {}
    for name, tensor in state.items():
        pointer = local(tensor).data_ptr()
        if local(tensor).numel() and pointer in seen:
            continue
        seen.add(pointer)
        kept[name] = tensor
    return kept
