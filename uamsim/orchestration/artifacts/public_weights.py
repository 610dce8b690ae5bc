"""Starting an experiment from a public model's weights (``--init``)."""

import dataclasses
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from uamsim.orchestration.latency_spec import LatencySpec
from uamsim.orchestration.spec import ExperimentSpec

SpecT = TypeVar("SpecT", ExperimentSpec, LatencySpec)
_BLOCK = 65_536
_BLOCKS_PER_FILE = 256


def fit_to_weights(spec: SpecT) -> SpecT:
    """The experiment with the sizes of the weights that ``spec.init`` names.

    Raises:
        CheckpointError: the weights are missing, or of no family that is known.
    """
    if isinstance(spec, LatencySpec) or not spec.init:
        return spec
    from uamsim.models.pretrained.families import family_of
    from uamsim.models.pretrained.stream import find_folder

    folder = find_folder(spec.init)
    model = family_of(folder).config(folder, spec.model)
    vocab_size = model.vlm.vocab_size
    pretraining = dataclasses.replace(spec.pretraining, vocab_size=vocab_size)
    return spec.replace(model=model, pretraining=pretraining)


def given_kinds(name: str) -> tuple[str, ...]:
    """The artifacts that come from the weights ``name`` instead of pretraining; none for ""."""
    if not name:
        return ()
    from uamsim.models.pretrained.families import family_of
    from uamsim.models.pretrained.stream import find_folder

    return family_of(find_folder(name)).gives


@lru_cache
def fingerprint(name: str) -> str:
    """16 hex digits that tell the weights' folder from others.

    Small files count whole. Of a large one its size and evenly spaced blocks: tens of gigabytes
    would take minutes, and weights that were trained further differ nearly everywhere.
    """
    from uamsim.models.pretrained.stream import FILES, find_folder

    folder = find_folder(name)
    digest = hashlib.sha256()
    for path in sorted({p for pattern in FILES for p in folder.rglob(pattern)}):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)} {size}\n".encode())
        _update(digest, path, size)
    return digest.hexdigest()[:16]


def _update(digest: "hashlib._Hash", path: Path, size: int) -> None:
    step = max(_BLOCK, -(-size // _BLOCKS_PER_FILE))
    with path.open("rb") as file:
        for start in range(0, size, step):
            file.seek(start)
            digest.update(file.read(_BLOCK))
