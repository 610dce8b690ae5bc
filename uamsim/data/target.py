"""Whether a folder is free for a recording, holds part of it, or something else."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uamsim.contract import json_fields
from uamsim.data.config import DemonstrationConfig
from uamsim.data.files import unfinished_path
from uamsim.errors import ConfigError, StorageError

COLLECTION_PATH = "meta/collection.json"
"""How a dataset was recorded; written last."""
SETTINGS_FILE = "settings.json"


def settings_of(config: DemonstrationConfig, perturbations: Sequence[Any]) -> dict[str, Any]:
    """What decides a recording, as JSON."""
    settings: dict[str, Any] = {"config": json_fields(config)}
    if perturbations:
        settings["perturbations"] = [repr(value) for value in perturbations]
    return json.loads(json.dumps(settings))


def check_target(root: Path, settings: Mapping[str, Any]) -> bool:
    """Makes sure that recording into a folder destroys nothing.

    Args:
        root: the dataset's folder.
        settings: of ``settings_of``.

    Returns:
        Whether the whole recording is there.

    Raises:
        ConfigError: the folder holds something else, or a recording with other settings.
        StorageError: the folder cannot be one.
    """
    if root.is_mount() or (root.exists() and not root.is_dir()):
        raise StorageError(
            f"{root} cannot be replaced by a finished dataset. Choose a folder inside of it, or "
            "another one."
        )
    if root.exists() and any(root.iterdir()):
        _compare(root, _read(root / COLLECTION_PATH), settings)
        return True
    partial = unfinished_path(root)
    if _holds_something(partial):
        if not (partial / ".recipe").exists():
            _compare(partial, None, settings)
        theirs = _read(partial / SETTINGS_FILE) or _read(partial / COLLECTION_PATH)
        if theirs is not None:
            _compare(partial, theirs, settings)
    return False


def drop_empty(root: Path) -> None:
    """Removes what a recording leaves behind that ended before its first seed."""
    partial = unfinished_path(root)
    if partial.exists() and not _holds_something(partial):
        shutil.rmtree(partial, ignore_errors=True)


def _holds_something(partial: Path) -> bool:
    own = {".recipe", SETTINGS_FILE}
    return any(path.is_file() and path.name not in own for path in partial.rglob("*"))


def _compare(folder: Path, theirs: Mapping[str, Any] | None, settings: Mapping[str, Any]) -> None:
    if theirs is None:
        raise ConfigError(
            f"{folder} holds something that is not a recording of demonstrations. Choose another "
            "folder, or move it away."
        )
    there, here = _flat(theirs), _flat(settings)
    differences = [
        f"{name} is {there.get(name)!r} there and {here.get(name)!r} now"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]
    if differences:
        raise ConfigError(
            f"{folder} holds a recording with other settings: {'; '.join(differences)}. Give the "
            f"same settings to go on with it, choose another folder, or delete {folder}."
        )


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    perturbations = settings.get("perturbations", [])
    return {**settings["config"], "perturbations": perturbations}


def _read(path: Path) -> dict[str, Any] | None:
    """The settings in a file, None where there are none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("config"), dict) else None
