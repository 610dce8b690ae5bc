"""Files that appear whole, locks between processes, and what to do when a disk is full."""

import contextlib
import errno
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from uamsim.errors import StorageError, UamsimError

logger = logging.getLogger(__name__)

_CAUSES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
}


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns the system's errors about a disk into one that names the way out.

    Raises:
        StorageError: the disk is full, or ``path`` cannot be written.
    """
    try:
        yield
    except UamsimError:
        raise
    except OSError as error:
        if error.errno not in _CAUSES:
            raise
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: Exception) -> StorageError:
    where, cause = path, str(error)
    if isinstance(error, OSError):
        where, cause = error.filename or path, _CAUSES.get(error.errno or 0, cause)
    return StorageError(
        f"cannot write {where}: {cause}. What was finished is kept. Free some space, then run the "
        "same command again, an experiment with --resume. Choose other folders with --out, "
        "UAMSIM_CACHE or UAMSIM_SIMULATORS."
    )


@contextlib.contextmanager
def whole_file(path: Path, *failures: type[Exception], alone: bool = False) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` when the block ends without an error.

    Until then ``path`` keeps what it held, so a reader never meets half a file.

    Args:
        path: its folder is made where there is none.
        failures: what a library raises, beside ``OSError``, when it cannot write.
        alone: whether no other process writes ``path`` at the same time; then the next attempt
            overwrites what a killed one left behind.

    Raises:
        StorageError: the file cannot be written.
    """
    owner = "" if alone else f".{os.getpid()}"
    partial = path.with_name(f".{path.name}{owner}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except UamsimError:
        raise
    except (OSError, *failures) as error:
        raise _cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes the whole file or nothing.

    Raises:
        StorageError: the file cannot be written.
    """
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes an indented JSON file, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False))


def read_json(path: Path) -> Any:
    """The value, or None where the file is missing or not whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
        return None


def sha256(path: Path) -> str:
    """Hex digits of the SHA-256 of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes one JSON object a line, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file; a missing file is empty, a torn last line is dropped."""
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


@contextlib.contextmanager
def lock(path: Path, busy: UamsimError | None = None) -> Iterator[None]:
    """Holds a lock file while the block runs; no two processes hold the same one.

    The lock is the kernel's (``flock``), not the file's existence: it ends with the process that
    holds it, however that ends, and Linux asks the server about it on NFS, so that it also counts
    between machines. A file system without such locks is an error and no silent fallback to files
    that a killed process leaves behind. The file stays: if it were deleted, a process that had
    opened it and one that makes it anew could both hold "the" lock.

    Args:
        path: the lock file; its folder is made where there is none.
        busy: raised where another process holds the lock; None waits for it.

    Raises:
        StorageError: the file cannot be made or locked.
    """
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Where it cannot be made, FileLock would take it to be held.
        path.touch()
        held = FileLock(path, fallback_to_soft=False)
        try:
            held.acquire(timeout=0)
        except Timeout:
            if busy is not None:
                raise busy from None
            logger.warning("waiting for another process that holds %s", path)
            held.acquire()
    except UamsimError:
        raise
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield
    finally:
        held.release()
