"""What is expensive to make is made once: artifacts named by the hash of their recipe."""

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uamsim.contract import content_hash
from uamsim.errors import DatasetError
from uamsim.jsonable import to_json
from uamsim.runtime import default_root
from uamsim.storage import lock, read_json, sha256, storage_errors, write_json

RECIPE_FILE = "recipe.json"
SHIPPED_ROOT = Path(__file__).parents[2] / "models" / "shipped"
"""Artifacts that come with the package, each in ``<kind>-<hash>/``."""

_HASHED_UP_TO_BYTES = 32 * 2**20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides an artifact's content.

    Attributes:
        kind: for example "demonstrations" or "vlm".
        version: raised when the code that makes this kind changes what comes out.
        config: JSON of the config fields that matter for it.
        upstream: role -> key of the artifacts it is made from.
    """

    kind: str
    version: int
    config: Any
    upstream: Mapping[str, str]

    @property
    def key(self) -> str:
        """Kind and content hash; also the folder's name."""
        return f"{self.kind}-{content_hash(to_json(self))}"


class ArtifactStore:
    """A folder of finished artifacts, safe to share between processes.

    An artifact is made in a folder under ``partial/`` and renamed when it is whole, so what is
    killed in the middle is never taken for finished; the partial folder stays, and a maker that
    can resume finds its own files in it.

    Args:
        root: where artifacts are kept.
        shipped: folder of artifacts that come with the package, by default ``SHIPPED_ROOT``.
        remake: name of the run that wants shipped kinds made anew; artifacts made for this very
            name are kept, so that a resumed run does not make them twice.
    """

    def __init__(
        self, root: Path | None = None, *, shipped: Path | None = None, remake: str | None = None
    ) -> None:
        self.root = root or default_root()
        self.shipped = shipped or SHIPPED_ROOT
        self.remake = remake

    def find(self, recipe: Recipe, *, remakable: bool = False) -> Path | None:
        """The finished artifact, or None.

        Args:
            recipe: names it.
            remakable: whether ``remake`` applies to it.
        """
        remake = self.remake if remakable else None
        if remake is None:
            shipped = self.shipped / recipe.key
            if not damage(shipped):
                return shipped
        path = self.root / recipe.key
        if damage(path):
            return None
        if remake is not None and (read_json(path / RECIPE_FILE) or {}).get("made_for") != remake:
            return None
        return path

    def get_or_make(
        self, recipe: Recipe, make: Callable[[Path], None], *, remakable: bool = False
    ) -> Path:
        """The finished artifact, made now if there is none.

        Args:
            recipe: names it.
            make: fills the given folder, which may hold what an earlier, killed call left there.
            remakable: whether ``remake`` applies to it.

        Raises:
            StorageError: the disk is full or the root cannot be written.
            DatasetError: ``make`` left nothing behind.
        """
        if found := self.find(recipe, remakable=remakable):
            return found
        with lock(self.root / "locks" / f"{recipe.key}.lock"):
            if found := self.find(recipe, remakable=remakable):
                return found
            return self._make(recipe, make, self.remake if remakable else None)

    def _make(self, recipe: Recipe, make: Callable[[Path], None], made_for: str | None) -> Path:
        path = self.root / recipe.key
        partial = self.root / "partial" / (f"{recipe.key}.{made_for}" if made_for else recipe.key)
        with storage_errors(partial):
            partial.mkdir(parents=True, exist_ok=True)
            make(partial)
            contents = _contents(partial)
            if not contents:
                raise DatasetError(f"making {recipe.key} left an empty folder {partial}.")
            write_json(
                partial / RECIPE_FILE,
                {"recipe": to_json(recipe), "made_for": made_for, "contents": contents},
            )
            if path.exists():
                if made_for is None:
                    logger.warning("%s is damaged (%s); made anew", path, damage(path))
                doomed = self.root / "partial" / f"{recipe.key}.old-{os.getpid()}"
                os.replace(path, doomed)
                shutil.rmtree(doomed, ignore_errors=True)
            os.replace(partial, path)
        return path


def damage(path: Path) -> str:
    """What is wrong with an artifact's folder; empty when it is whole.

    Files that readers added beside the artifact's own (caches) do not matter.
    """
    record = read_json(path / RECIPE_FILE)
    if not isinstance(record, dict) or not isinstance(record.get("contents"), dict):
        return f"{RECIPE_FILE} is missing or unreadable"
    for name, entry in record["contents"].items():
        file = path / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != entry["bytes"]:
            return f"{name} has {file.stat().st_size} bytes, expected {entry['bytes']}"
        if "sha256" in entry and sha256(file) != entry["sha256"]:
            return f"{name} has another checksum"
    return ""


def _contents(path: Path) -> dict[str, dict[str, Any]]:
    contents = {}
    for file in sorted(path.rglob("*")):
        if not file.is_file() or file.name == RECIPE_FILE:
            continue
        entry: dict[str, Any] = {"bytes": file.stat().st_size}
        if entry["bytes"] <= _HASHED_UP_TO_BYTES:
            entry["sha256"] = sha256(file)
        contents[file.relative_to(path).as_posix()] = entry
    return contents
