"""Atomic writes that say what to do when the disk is full."""

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from uamsim.errors import StorageError


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turns the system's errors about writing ``path`` into one that names the way out.

    Raises:
        StorageError: the disk is full, or the path cannot be written.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        causes = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the disk quota is used up",
            errno.EROFS: "the file system is read-only",
            errno.EACCES: "permission is denied",
            errno.EPERM: "permission is denied",
        }
        if error.errno not in causes:
            raise
        raise StorageError(
            f"cannot write {error.filename or path}: {causes[error.errno]}. What was finished is "
            "kept. Free some space or set UAMSIM_CACHE and --out to writable folders with room, "
            "then run the same command with --resume."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes the whole file or nothing.

    Raises:
        StorageError: the disk is full, or the path cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Writes an indented JSON file atomically.

    Raises:
        StorageError: the disk is full, or the path cannot be written.
    """
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The value, or None where the file is missing or not whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
        return None


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes one JSON object a line, atomically.

    Raises:
        StorageError: the disk is full, or the path cannot be written.
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
