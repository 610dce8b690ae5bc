"""Safetensors from a folder or the hub, tensor by tensor onto a module built on the meta device.

Peak host memory is the module's own bytes plus the largest source tensor: a file is mapped for
one parameter at a time, and unmapped before the next. Nothing is unpickled.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from uamsim.errors import CheckpointError

Dtype = torch.dtype | Literal["stored"] | None
"""Of weights that are put in memory: this one, the file's, or (None) the module's own."""
FILES = ("*.safetensors", "*.json", "*.txt")
"""What is fetched from the hub: weights, configs, tokenizers; never a pickle."""
INDEX = "{stem}.safetensors.index.json"
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
}


@dataclass(frozen=True)
class Taken:
    """Where one of our parameters comes from.

    Attributes:
        keys: source keys.
        transform: their tensors, in order, to ours; also run on the meta device to check shapes.
            None puts one below the other, as in fused q, k and v, without a copy beside ours.
    """

    keys: tuple[str, ...]
    transform: Callable[..., Tensor] | None = None


def same(key: str) -> Taken:
    """One key as it is."""
    return Taken((key,))


def linear(ours: str, theirs: str, *, bias: bool = True) -> dict[str, Taken]:
    """Weight and bias of a layer that has both names alike."""
    names = ("weight", "bias") if bias else ("weight",)
    return {f"{ours}.{name}": same(f"{theirs}.{name}") for name in names}


def fused(ours: str, theirs: Iterable[str], *, bias: bool) -> dict[str, Taken]:
    """Weight and bias of a layer that is several of theirs, one below the other."""
    theirs = tuple(theirs)
    names = ("weight", "bias") if bias else ("weight",)
    return {f"{ours}.{name}": Taken(tuple(f"{part}.{name}" for part in theirs)) for name in names}


def find_folder(name: str) -> Path:
    """The folder ``name``, or the hub's snapshot of that name where there is no such folder.

    Raises:
        CheckpointError: neither is there.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise CheckpointError(
            f"expected a folder of weights or a hub name such as ByteDance-Seed/BAGEL-7B-MoT; "
            f"{name!r} is neither."
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES)))
    except Exception as error:  # a dozen classes of three libraries
        raise CheckpointError(
            f"there is no folder {name!r}, and the hub gave none of that name: {error}. Download "
            "it where there is a network, and name the folder."
        ) from error


class TensorFiles(Mapping[str, Tensor]):
    """The tensors of ``stem.safetensors``, or of the shards that its index lists, by key.

    Each is read when it is asked for, and its file stays mapped while it lives.

    Args:
        folder: where they are, or one file whatever its name.
        stem: "model" for `transformers`' files, "ema" and "ae" for BAGEL's.

    Raises:
        CheckpointError: a file is missing or corrupt.
    """

    def __init__(self, folder: Path, stem: str = "model") -> None:
        self.folder = folder
        single = folder if folder.is_file() else folder / f"{stem}.safetensors"
        index = folder / INDEX.format(stem=stem)
        if not single.is_file() and not index.is_file():
            raise CheckpointError(
                f"expected {single.name} or {index.name} in {folder}; found "
                f"{', '.join(sorted(p.name for p in folder.iterdir())[:12]) or 'nothing'}."
            )
        # An index is checked against the shards themselves, which are what is read.
        shards = [single] if single.is_file() else _shards(index)
        self._file_of: dict[str, Path] = {}
        self._meta_of: dict[str, Tensor] = {}
        for shard in shards:
            with _opened(shard) as file:
                for key in file.keys():  # noqa: SIM118
                    part = file.get_slice(key)
                    dtype = DTYPES.get(part.get_dtype())
                    if dtype is None:
                        raise CheckpointError(
                            f"{shard} holds {key} as {part.get_dtype()}; this reads "
                            f"{', '.join(DTYPES)}. Use the weights that are not quantised."
                        )
                    self._file_of[key] = shard
                    self._meta_of[key] = torch.empty(part.get_shape(), dtype=dtype, device="meta")

    def __contains__(self, key: object) -> bool:
        return key in self._file_of

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_of)

    def meta(self, key: str) -> Tensor:
        """Shape and dtype, without values."""
        return self._meta_of[key]

    def __len__(self) -> int:
        return len(self._file_of)

    def __getitem__(self, key: str) -> Tensor:
        with _opened(self._file_of[key]) as file:
            try:
                return file.get_tensor(key)
            except (SafetensorError, OSError) as error:
                raise CheckpointError(
                    f"cannot read {key} of {self._file_of[key]}: {error}."
                ) from error


def _opened(path: Path) -> safe_open:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is corrupt or no safetensors file: {error}. Download it again."
        ) from error


def _shards(index: Path) -> list[Path]:
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{index} has no weight_map: {error!r}. Download it again."
        ) from error
    shards = [index.with_name(name) for name in sorted(names)]
    absent = [shard.name for shard in shards if not shard.is_file()]
    if absent:
        raise CheckpointError(
            f"{index} lists {', '.join(absent)}, missing in {index.parent}. Download them."
        )
    return shards


def read_json(path: Path) -> dict[str, object]:
    """A JSON object of a checkpoint's folder.

    Raises:
        CheckpointError: it is missing or no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} must hold a JSON object; got {type(value).__name__}.")
    return value


@torch.no_grad()
def load_streamed(
    module: nn.Module,
    source: TensorFiles,
    mapping: Mapping[str, Taken],
    *,
    dropped: Iterable[str] = (),
    dtype: Dtype = None,
    device: torch.device | str = "cpu",
) -> None:
    """Fills the parameters of ``module`` that ``mapping`` names; nothing else changes.

    Args:
        module: a parameter on the meta device is replaced, any other is written in place.
        source: their tensors.
        mapping: our parameter name -> where it comes from.
        dropped: patterns (``*``) of source keys that are knowingly not used.
        dtype: of the replaced parameters.
        device: of the replaced parameters.

    Raises:
        CheckpointError: missing, extra and misshapen keys, all of them named; nothing is changed.
    """
    parameters = dict(module.named_parameters())
    check_fit(parameters, source, mapping, tuple(dropped))
    for name, taken in mapping.items():
        parameter = parameters[name]
        target = parameter
        if parameter.is_meta:
            own = source.meta(taken.keys[0]).dtype if dtype == "stored" else dtype
            target = _materialised(module, name, own, device)
        if taken.transform is not None:
            target.copy_(taken.transform(*(source[key] for key in taken.keys)))
            continue
        rows = [source.meta(key).shape[:1].numel() for key in taken.keys]
        for key, part in zip(taken.keys, target.split(rows), strict=True):
            part.copy_(source[key])


def _materialised(
    module: nn.Module, name: str, dtype: torch.dtype | None, device: torch.device | str
) -> nn.Parameter:
    """The parameter ``name``, put in memory without values."""
    owner, _, leaf = name.rpartition(".")
    old = module.get_parameter(name)
    empty = torch.empty(old.shape, dtype=dtype or old.dtype, device=device)
    new = nn.Parameter(empty, requires_grad=old.requires_grad)
    setattr(module.get_submodule(owner), leaf, new)
    return new


def check_fit(
    targets: Mapping[str, Tensor],
    source: TensorFiles,
    mapping: Mapping[str, Taken],
    dropped: tuple[str, ...],
) -> None:
    """Compares names and shapes alone.

    Raises:
        CheckpointError: they do not fit; every key is named.
    """
    used = {key for taken in mapping.values() for key in taken.keys}
    extra = [
        key
        for key in source
        if key not in used and not any(fnmatchcase(key, pattern) for pattern in dropped)
    ]
    problems = {
        "missing": sorted(key for key in used if key not in source),
        "extra": sorted(extra),
        "misshapen": [
            problem
            for name, taken in mapping.items()
            if name in targets and all(key in source for key in taken.keys)
            for problem in _misshapen(name, targets[name], source, taken)
        ],
        "unknown to the model": sorted(set(mapping) - set(targets)),
    }
    if any(problems.values()):
        listing = "; ".join(f"{kind}: {', '.join(keys)}" for kind, keys in problems.items() if keys)
        raise CheckpointError(
            f"the weights in {source.folder} do not fit the model; {listing}. Choose the preset "
            "that these weights were made with."
        )


def _misshapen(name: str, target: Tensor, source: TensorFiles, taken: Taken) -> list[str]:
    given = [source.meta(key) for key in taken.keys]
    keys = " + ".join(
        f"{key} {tuple(meta.shape)}" for key, meta in zip(taken.keys, given, strict=True)
    )
    try:
        shape = tuple((taken.transform or _stacked)(*given).shape)
    except (RuntimeError, ValueError, IndexError):
        return [f"{keys} (cannot become {name} {tuple(target.shape)})"]
    if shape == tuple(target.shape):
        return []
    return [f"{keys} (expected {tuple(target.shape)} for {name}, got {shape})"]


def _stacked(*parts: Tensor) -> Tensor:
    return torch.cat(parts)


@torch.no_grad()
def initialise_rest(
    module: nn.Module,
    *,
    seed: int,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> list[str]:
    """Gives what is still on the meta device memory and its class's initial weights.

    A class with parameters has ``reset_parameters``, as PyTorch's layers do. It is called where
    the class's own parameters are new or all below it are; children come before their parents.

    Returns:
        The parameters' names.

    Raises:
        CheckpointError: a parameter that no class initialises, and that should have been loaded.
    """
    fresh = {name: None for name, p in module.named_parameters() if p.is_meta}.keys()
    owners = {name.rpartition(".")[0] for name in fresh}
    for name in fresh:
        _materialised(module, name, dtype, device)
    for name, buffer in module.named_buffers():
        if buffer.is_meta:
            owner, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(owner), leaf, torch.empty_like(buffer, device=device))
            owners.add(owner)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, part in reversed(list(module.named_modules())):
            reset = getattr(part, "reset_parameters", None)
            below = [f"{name}.{leaf}".lstrip(".") for leaf, _ in part.named_parameters()]
            if name in owners or (below and set(below) <= fresh):
                if callable(reset):
                    reset()
                elif name in owners:
                    left = ", ".join(n for n in fresh if n.rpartition(".")[0] == name)
                    raise CheckpointError(
                        f"no weights were given for {left}, which have no initial value."
                    )
    return list(fresh)
