"""Pictures and videos of a run, as data URIs for the page or paths for the Markdown."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}
MAX_FILE_BYTES = 6_000_000
MAX_TOTAL_BYTES = 40_000_000


@dataclass(frozen=True, kw_only=True)
class Medium:
    """One picture or video.

    Attributes:
        path: as results.json names it, relative to the run's folder.
        uri: its content as a data URI, or None where it cannot be shown.
        note: why it cannot be shown, or "".
    """

    path: str
    uri: str | None
    note: str = ""

    @property
    def href(self) -> str:
        """The path as a relative link."""
        return quote(self.path)


class MediaReader:
    """Reads media below one folder into data URIs, within limits on their size.

    A missing, foreign or too large file does not stop a report: it becomes a note in its place.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.total_bytes = 0
        self._read: dict[str, Medium] = {}

    def read(self, path: str) -> Medium:
        """The medium at a path relative to the folder."""
        if path not in self._read:
            self._read[path] = self._load(path)
        return self._read[path]

    def _load(self, path: str) -> Medium:
        file = (self.folder / path).resolve()
        kind = _TYPES.get(file.suffix.lower())
        if not file.is_relative_to(self.folder):
            return Medium(path=path, uri=None, note=f"{path} lies outside the run's folder")
        if kind is None:
            return Medium(path=path, uri=None, note=f"{path} is no picture or video")
        if not file.is_file():
            return Medium(path=path, uri=None, note=f"{path} is missing")
        size = file.stat().st_size
        if size > MAX_FILE_BYTES or self.total_bytes + size > MAX_TOTAL_BYTES:
            return Medium(path=path, uri=None, note=f"{path} is too large to embed")
        self.total_bytes += size
        data = base64.b64encode(file.read_bytes()).decode("ascii")
        return Medium(path=path, uri=f"data:{kind};base64,{data}")

    def replace_paths(self, entry: Mapping[str, Any], *keys: str) -> dict[str, Any]:
        """A copy of an entry of ``media`` with the paths at ``keys`` read."""
        return {
            **entry,
            **{key: None if entry[key] is None else self.read(entry[key]) for key in keys},
        }
