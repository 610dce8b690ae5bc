"""A data set's files and its folder, which appears when it is whole."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from uamsim.contract import content_hash
from uamsim.errors import DatasetError, StorageError
from uamsim.storage import lock, storage_errors, write_text


def load_json(path: Path, remedy: str) -> Any:
    """The value of a JSON file that must be there.

    Raises:
        DatasetError: it is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing. {remedy}") from error
    except (ValueError, OSError) as error:
        raise DatasetError(f"{path} cannot be read ({error}). {remedy}") from error


def open_array(path: Path, remedy: str, *, shape: Sequence[int | None]) -> np.ndarray:
    """A uint8 ``.npy`` file as a read-only memory map, checked against a shape.

    Raises:
        DatasetError: it is missing, cut short, or of another shape.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing. {remedy}") from error
    except (ValueError, OSError, EOFError) as error:
        raise DatasetError(f"{path} cannot be read ({error}). {remedy}") from error
    fits = array.dtype == np.uint8 and len(array.shape) == len(shape)
    if not fits or any(b not in (None, a) for a, b in zip(array.shape, shape, strict=True)):
        raise DatasetError(
            f"{path} holds {array.dtype}{list(array.shape)}, expected uint8{list(shape)}. {remedy}"
        )
    return array


def unfinished_path(root: Path) -> Path:
    """Where ``unfinished_folder`` keeps what will become ``root``."""
    return root.with_name(root.name + ".partial")


def exclusive(root: Path) -> AbstractContextManager[None]:
    """Keeps a second process away from ``root`` while the block runs.

    Raises:
        StorageError: another process is at work there, or the path cannot be written.
    """
    if not root.name:
        raise StorageError(f"{root} cannot hold a dataset. Choose a folder inside of it.")
    busy = StorageError(
        f"another process is writing {root}. Wait until it has ended, or choose another folder."
    )
    return lock(root.with_name(f".{root.name}.lock"), busy)


@contextmanager
def unfinished_folder(root: Path, config: Any) -> Iterator[Path]:
    """A folder beside ``root`` that takes its place when the block ends without an error.

    What it holds after an error is kept, so that the next attempt with the same config goes on
    from there; with another config it starts anew.
    """
    partial = unfinished_path(root)
    recipe = partial / ".recipe"
    with storage_errors(root):
        if partial.exists() and (
            not recipe.exists() or recipe.read_text(encoding="utf-8") != content_hash(config)
        ):
            shutil.rmtree(partial)
        partial.mkdir(parents=True, exist_ok=True)
        write_text(recipe, content_hash(config))
        yield partial
        if root.exists():
            shutil.rmtree(root)
        partial.replace(root)
        # Last: without it, what is there would count as another config's and be deleted.
        (root / recipe.name).unlink()


def create_array(path: Path, shape: tuple[int, ...]) -> None:
    """An empty uint8 ``.npy`` file, unless it is there already."""
    with storage_errors(path):
        if not path.exists():
            array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
            array.flush()
