"""Every finished episode, in one SQLite file that a crash leaves whole.

An episode's key is the hash of all that decides it (``RolloutJob.setting``) and its seed. What is
there is never run again. A row bears the hash of its content: one that a disk or an editor has
changed is named and run again. One process writes; others may read meanwhile (write-ahead log), on
the same machine.
"""

import contextlib
import dataclasses
import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from uamsim.contract import EpisodeRecord, content_hash
from uamsim.errors import ResultsError, StorageError
from uamsim.evaluation.backends.jobs import RolloutBackend, RolloutJob

LOGGER = logging.getLogger("uamsim.evaluation")
LEDGER_FILE = "ledger.sqlite"
SCHEMA_VERSION = 2
UNHASHED_VERSION = 1
"""Of ledgers that are read still, but not written to: their keys leave out what makes the policy,
and their rows bear no hash."""
_FIELDS = tuple(field.name for field in dataclasses.fields(EpisodeRecord))
_SCHEMA = """
CREATE TABLE settings (
    setting_hash TEXT PRIMARY KEY,
    setting TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE episodes (
    episode_key TEXT PRIMARY KEY,
    setting_hash TEXT NOT NULL REFERENCES settings,
    policy TEXT NOT NULL,
    env_id TEXT NOT NULL,
    task TEXT NOT NULL,
    split TEXT NOT NULL,
    seed INTEGER NOT NULL,
    instruction TEXT NOT NULL,
    success INTEGER NOT NULL CHECK (success IN (0, 1)),
    stages TEXT NOT NULL CHECK (json_valid(stages)),
    num_steps INTEGER NOT NULL,
    render_profile TEXT NOT NULL,
    wall_s REAL NOT NULL,
    row_hash TEXT NOT NULL,
    UNIQUE (setting_hash, seed)
) WITHOUT ROWID;
"""
_KEYS = ("episode_key", "setting_hash")
_HASHED = (*_KEYS, *_FIELDS)
_COLUMNS = (*_HASHED, "row_hash")
_INSERT = f"INSERT INTO episodes ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_SELECT = f"SELECT {', '.join(_FIELDS)} FROM episodes"
_SELECT_ROWS = f"SELECT {', '.join(_COLUMNS)} FROM episodes"
_ORDER = "ORDER BY policy, env_id, split, seed, episode_key"

OnProgress = Callable[[int, int, EpisodeRecord | None], None]
"""Called with (finished, all) episodes and the last one; None for those found at the start."""


class Ledger:
    """Finished episodes; use it as a context manager, or call ``close``.

    Args:
        path: the file, made if missing.

    Raises:
        StorageError: it cannot be opened or written, is damaged, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._storing():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._db.text_factory = _text
            # FULL: a commit is on the disk before the next episode is counted as finished, also
            # when the machine loses power. It costs one fsync an episode.
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._prepare()
            self._file = _file_id(path)

    def _prepare(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._db.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        elif version != SCHEMA_VERSION:
            raise StorageError(
                f"{self.path}: expected a ledger of version {SCHEMA_VERSION}, got {version}. "
                "Choose another --out, use the version of uamsim that wrote it, or move the file "
                "away to play its episodes anew."
            )
        else:
            self._drop_damaged()

    def _drop_damaged(self) -> None:
        """Takes out rows that are not what was written, so that their episodes are run again."""
        rows = self._db.execute(_SELECT_ROWS).fetchall()
        settings = self._db.execute("SELECT setting_hash, setting FROM settings").fetchall()
        whole = [row for row in rows if _is_whole(row)]
        known = [row for row in settings if content_hash(row[1]) == row[0]]
        if (whole, known) == (rows, settings):
            (check,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
            if check == "ok":
                return
        for row in rows:
            if row not in whole:
                LOGGER.warning(
                    "%s: a row was changed after it was written; its episode is played again: %s",
                    self.path,
                    dict(zip(_COLUMNS, row, strict=True)),
                )
        self._db.execute("BEGIN IMMEDIATE")
        # Written anew, since an index may disagree with its table.
        self._db.execute("DELETE FROM episodes")
        self._db.executemany(_INSERT, whole)
        self._db.execute("DELETE FROM settings")
        self._db.executemany("INSERT INTO settings VALUES (?, ?)", known)
        self._db.execute("COMMIT")
        (check,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        if check != "ok":
            raise sqlite3.DatabaseError(check)

    def check_in_place(self) -> None:
        """Whether the file is still where it was opened.

        Raises:
            StorageError: it was deleted, moved or replaced meanwhile.
        """
        if _file_id(self.path) != self._file:
            raise StorageError(
                f"{self.path} was deleted, moved or replaced while episodes were being stored in "
                "it. Put it back where it was, or run the same command again, which plays what is "
                "missing; let no other program change the folder of a run."
            )

    def add(self, job: RolloutJob, record: EpisodeRecord) -> None:
        """Stores one finished episode, durably.

        Args:
            job: that it is of.
            record: the episode.

        Raises:
            StorageError: the disk is full, or the file cannot be written; nothing that was stored
                is lost.
            ResultsError: the episode is there already.
        """
        name = content_hash(job.setting)
        values = dataclasses.asdict(record) | {
            "stages": json.dumps(record.stages, ensure_ascii=False)
        }
        values["success"], values["wall_s"] = int(record.success), float(record.wall_s)
        row = [content_hash([name, record.seed]), name, *(values[field] for field in _FIELDS)]
        row.append(content_hash(row))
        with self._storing():
            self.check_in_place()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute(
                    "INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, job.setting)
                )
                self._db.execute(_INSERT, row)
                self._db.execute("COMMIT")
            except sqlite3.IntegrityError as error:
                raise ResultsError(
                    f"{self.path} already holds seed {record.seed} of {job.describe()} ({error}); "
                    "no episode may run twice."
                ) from error
            finally:
                if self._db.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")

    def find(self, job: RolloutJob) -> dict[int, EpisodeRecord]:
        """The job's episodes that are finished, by seed."""
        name = content_hash(job.setting)
        with self._storing():
            self.check_in_place()
            rows = self._db.execute(f"{_SELECT} WHERE setting_hash = ?", (name,)).fetchall()
        wanted = set(job.unit.seeds)
        records = map(_record, rows)
        return {record.seed: record for record in records if record.seed in wanted}

    def load(self, job: RolloutJob) -> list[EpisodeRecord] | None:
        """The job's records in the order of its seeds, or None if some are missing."""
        found = self.find(job)
        if len(found) < len(set(job.unit.seeds)):
            return None
        return [found[seed] for seed in job.unit.seeds]

    def run(
        self,
        backend: RolloutBackend,
        jobs: Sequence[RolloutJob],
        on_progress: OnProgress | None = None,
    ) -> list[EpisodeRecord]:
        """Runs the episodes that are not stored yet.

        Args:
            backend: runs them.
            jobs: all jobs, finished or not.
            on_progress: called after each episode.

        Returns:
            The records of all jobs, in the order of the jobs and of their seeds.

        Raises:
            TrialError: episodes failed; the others are stored.
            StorageError: the disk is full; nothing that was stored is lost.
        """
        by_setting: dict[str, dict[int, EpisodeRecord]] = {}
        missing: list[RolloutJob] = []
        wanted: set[tuple[str, int]] = set()
        for job in jobs:
            name = job.setting
            known = by_setting.setdefault(name, {})
            known |= self.find(job)
            seeds = dict.fromkeys(job.unit.seeds)
            new = [seed for seed in seeds if seed not in known and (name, seed) not in wanted]
            wanted |= {(name, seed) for seed in seeds}
            if new:
                missing.append(job.with_seeds(new))
        # A foreign simulator's process starts and stops with the environment that is used.
        places = list(dict.fromkeys(job.unit.env_id for job in jobs))
        missing.sort(key=lambda job: places.index(job.unit.env_id) if job.unit.world else 0)
        done = sum(map(len, by_setting.values()))

        def on_record(job: RolloutJob, record: EpisodeRecord) -> None:
            nonlocal done
            self.add(job, record)
            by_setting[job.setting][record.seed] = record
            done += 1
            if on_progress is not None:
                on_progress(done, len(wanted), record)

        if on_progress is not None:
            on_progress(done, len(wanted), None)
        if missing:
            backend.run_units(missing, on_record)
        return [by_setting[job.setting][seed] for job in jobs for seed in job.unit.seeds]

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"cannot use the ledger {self.path}: {error}. Every episode that was counted as "
                "finished is kept. Free some space, or see that the folder is on a local disk "
                "and can be written, then run the same command again."
            ) from error


def read_ledger(path: Path) -> list[EpisodeRecord]:
    """All episodes of a ledger, which a run may be writing, in the order of policy, task and seed.

    Raises:
        ResultsError: there is no ledger, or it cannot be read.
    """
    if not path.is_file():
        raise ResultsError(f"expected a ledger of episodes at {path}; there is none.")
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as db:
            db.text_factory = _text
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == UNHASHED_VERSION:
                return list(map(_record, db.execute(f"{_SELECT} {_ORDER}").fetchall()))
            rows = db.execute(f"{_SELECT_ROWS} {_ORDER}").fetchall()
    except (sqlite3.Error, ValueError) as error:
        raise ResultsError(f"{path} cannot be read as a ledger of episodes: {error}.") from error
    for row in rows:
        if not _is_whole(row):
            raise ResultsError(
                f"{path} has a row that was changed after it was written: "
                f"{dict(zip(_COLUMNS, row, strict=True))}. The command that wrote it plays its "
                "episode again."
            )
    return [_record(row[len(_KEYS) : -1]) for row in rows]


def _is_whole(row: Sequence[Any]) -> bool:
    """Whether a row of ``_COLUMNS`` is as it was written."""
    # Bytes would be no JSON, and are never written.
    return bytes not in map(type, row) and content_hash(row[:-1]) == row[-1]


def _text(content: bytes) -> str:
    """A column's text; what is no UTF-8 any more can still be read and named."""
    return content.decode("utf-8", "backslashreplace")


def _file_id(path: Path) -> tuple[int, int] | None:
    """Tells one file from another at the same path; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _record(row: Sequence[Any]) -> EpisodeRecord:
    values = dict(zip(_FIELDS, row, strict=True))
    return EpisodeRecord(
        **values | {"success": bool(values["success"]), "stages": json.loads(values["stages"])}
    )
