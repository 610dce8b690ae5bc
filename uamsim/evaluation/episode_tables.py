"""Episode records and their rates as parquet, and records read back from wherever they lie."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from uamsim.contract import EpisodeRecord
from uamsim.errors import ResultsError
from uamsim.evaluation.backends.ledger import LEDGER_FILE, read_ledger
from uamsim.storage import whole_file

EPISODES_FILE = "episodes.parquet"
_FIELDS = {field.name: field for field in dataclasses.fields(EpisodeRecord)}
_REQUIRED = {
    name
    for name, field in _FIELDS.items()
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
}
Labels = Mapping[str, Mapping[str, Any]]
"""Further columns by policy."""


def episode_rows(records: Sequence[EpisodeRecord], labels: Labels) -> list[dict[str, Any]]:
    """A row an episode: its hash, its policy's labels and the record; mappings become JSON."""
    return [
        {"episode_hash": record.episode_hash, **labels.get(record.policy, {})}
        | {
            name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
            for name, value in dataclasses.asdict(record).items()
        }
        for record in records
    ]


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows as a table, whole or not at all; a column of nothing but None holds strings.

    Raises:
        StorageError: the disk is full, or the path cannot be written.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: pa.array([row.get(name) for row in rows]) for name in names}
    table = pa.table(
        {
            name: column.cast(pa.string()) if pa.types.is_null(column.type) else column
            for name, column in columns.items()
        }
    )
    with whole_file(path) as partial:
        pq.write_table(table, partial)


def read_episodes(path: Path) -> dict[str, list[EpisodeRecord]]:
    """Records by policy, in the order of the files.

    Args:
        path: a run's folder (its ledger, else its episodes.parquet), a ledger (.sqlite), or a
            .parquet, .jsonl or .json file with a row an episode.

    Raises:
        ResultsError: there is nothing, or it does not hold episode records.
    """
    file = next((f for f in (path / LEDGER_FILE, path / EPISODES_FILE) if f.is_file()), path)
    if not file.is_file():
        raise ResultsError(
            f"expected a run's folder (with {LEDGER_FILE} or {EPISODES_FILE}) or a .sqlite, "
            f".parquet, .jsonl or .json file of episodes, got {path}"
            + ("." if path.exists() else ", which does not exist.")
        )
    if file.suffix == ".sqlite":
        records = read_ledger(file)
    else:
        records = [_record(row, file) for row in _read_rows(file)]
    if not records:
        raise ResultsError(f"{path} holds no episodes; expected at least one.")
    by_policy: dict[str, list[EpisodeRecord]] = {}
    for record in records:
        by_policy.setdefault(record.policy, []).append(record)
    return by_policy


def _read_rows(path: Path) -> list[dict[str, Any]]:
    try:
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
        elif path.suffix == ".jsonl":
            rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        else:
            rows = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ResultsError(f"{path} cannot be read as episodes: {error}.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ResultsError(f"{path}: expected a list of episodes, each an object.")
    return rows


def _record(row: Mapping[str, Any], path: Path) -> EpisodeRecord:
    missing = sorted(_REQUIRED - row.keys())
    if missing:
        raise ResultsError(
            f"{path}: an episode lacks {', '.join(missing)}; it has {', '.join(sorted(row))}."
        )
    values = {name: value for name, value in row.items() if name in _FIELDS}
    if isinstance(values["stages"], str):
        values["stages"] = json.loads(values["stages"])
    if not isinstance(values["success"], bool):
        raise ResultsError(f"{path}: success must be true or false, got {values['success']!r}.")
    return EpisodeRecord(**values)
