"""Files written whole or not at all, and work split over processes with one result."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from uamsim.contract import content_hash
from uamsim.data.workers import open_executor
from uamsim.errors import DatasetError, StorageError

Progress = Callable[[int, int], None]
"""Called with (finished, total) units of work."""

T = TypeVar("T")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns a full or read-only disk into a ``StorageError`` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"no space left while writing {path}. Free some space and run the same command "
                "again; what was finished is kept."
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise StorageError(
                f"{path} cannot be written ({error.strerror}). Choose another folder."
            ) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Replaces a file in one step.

    Raises:
        StorageError: the disk is full or the path cannot be written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Replaces a JSON file in one step."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1))


def read_json(path: Path, remedy: str) -> Any:
    """A JSON file's value.

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


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Keeps a second process away from ``root`` while the block runs.

    Raises:
        StorageError: another process is at work there, or the path cannot be written.
    """
    if not root.name:
        raise StorageError(f"{root} cannot hold a dataset. Choose a folder inside of it.")
    path = root.with_name(root.name + ".lock")
    try:
        with storage_errors(root):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = path.open("w")
    except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        raise StorageError(
            f"{root} cannot be written ({error.strerror}: {error.filename}). Choose another folder."
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                f"another process is writing {root}. Wait until it has ended, or choose another "
                "folder."
            ) from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


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


def map_tasks(
    function: Callable[..., T], tasks: Sequence[tuple[Any, ...]], *, workers: int
) -> Iterator[tuple[int, T]]:
    """``(i, function(*tasks[i]))`` for every task, in the order in which they finish.

    Args:
        function: at the top level of a module, so that another process can import it.
        tasks: arguments that can be pickled.
        workers: processes, started by "spawn"; with 1 the work is done in this process.
    """
    if workers <= 1 or len(tasks) <= 1:
        for i, task in enumerate(tasks):
            yield i, function(*task)
        return
    with open_executor(min(workers, len(tasks))) as pool:
        futures = {pool.submit(function, *task): i for i, task in enumerate(tasks)}
        for future in as_completed(futures):
            yield futures[future], future.result()
