"""What a long recording leaves on the way: arrays with a JSON head, whole or not there."""

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from uamsim.errors import DatasetError
from uamsim.storage import whole_file

_HEAD = "head"


def write_archive(path: Path, head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Replaces an archive in one step.

    Args:
        path: ends in ".npz".
        head: JSON values.
        arrays: under names other than "head".

    Raises:
        StorageError: the disk is full or the path cannot be written.
    """
    text = np.array(json.dumps(head, ensure_ascii=False))
    with whole_file(path, alone=True) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **{_HEAD: text}, **arrays)


def read_archive(
    path: Path, names: Sequence[str] | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Head and arrays, their checksums compared.

    Args:
        path: of the archive.
        names: the arrays that are wanted; all when None.

    Raises:
        DatasetError: the archive is missing or damaged.
    """
    try:
        # Opened here: numpy leaves a file open that is no archive.
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
            head = json.loads(str(archive[_HEAD]))
            wanted = [name for name in archive.files if name != _HEAD] if names is None else names
            return head, {name: archive[name] for name in wanted}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise damaged(path, error) from error


def damaged(path: Path, reason: object) -> DatasetError:
    """The error about an archive that cannot be used."""
    return DatasetError(
        f"{path} is damaged ({reason}). Delete this file and run the same command again: what it "
        "held is recorded anew, and everything else is kept."
    )
