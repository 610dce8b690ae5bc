"""Episode records on disk, a file a unit, so that a run that was killed repeats nothing.

A file appears whole or not at all; its first line says what it must hold, and a file that does
not hold it (torn by a disk or an editor) counts as absent.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from uamsim.contract import EpisodeRecord
from uamsim.errors import StorageError
from uamsim.evaluation.jobs import RolloutBackend, RolloutJob

SCHEMA_VERSION = 1


class EpisodeStore:
    """Records under ``root``, in ``<job hash>.jsonl``.

    Args:
        root: folder, made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, job: RolloutJob) -> Path:
        """Where the job's records are or will be."""
        return self.root / f"{job.job_hash}.jsonl"

    def load(self, job: RolloutJob) -> list[EpisodeRecord] | None:
        """The job's records in the order of its seeds, or None if they must be made (again)."""
        try:
            lines = self.path(job).read_text(encoding="utf-8").splitlines()
            header, *rows = map(json.loads, lines)
            records = [EpisodeRecord(**row) for row in rows]
        except (OSError, ValueError, TypeError):
            return None
        if header != _header(job) or not _holds(job, records):
            return None
        return records

    def save(self, job: RolloutJob, records: Sequence[EpisodeRecord]) -> Path:
        """Writes the records of a finished job.

        Raises:
            StorageError: the disk is full or the folder cannot be written.
        """
        rows = [_header(job), *map(dataclasses.asdict, records)]
        text = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
        path = self.path(job)
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with partial.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise StorageError(
                f"cannot write the episodes of {job.describe()} to {path}: {error}. Free some "
                "space or choose another folder, then resume; finished units are kept."
            ) from error
        return path

    def run(
        self,
        backend: RolloutBackend,
        jobs: Sequence[RolloutJob],
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[EpisodeRecord]:
        """Runs the jobs that are not stored yet.

        Args:
            backend: runs them.
            jobs: all jobs, finished or not.
            on_progress: called with (finished, all) jobs after each one.

        Returns:
            The records of all jobs, in the order of the jobs and of their seeds.

        Raises:
            TrialError: jobs failed; the others are stored.
            StorageError: the disk is full.
        """
        finished = {job.job_hash: records for job in jobs if (records := self.load(job))}
        missing = [job for job in jobs if job.job_hash not in finished]

        def on_done(job: RolloutJob, records: list[EpisodeRecord]) -> None:
            self.save(job, records)
            finished[job.job_hash] = records
            if on_progress is not None:
                on_progress(len(finished), len(jobs))

        if on_progress is not None:
            on_progress(len(finished), len(jobs))
        if missing:
            backend.run_units(missing, on_done)
        return [record for job in jobs for record in finished[job.job_hash]]


def _header(job: RolloutJob) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "job": job.job_hash,
        "policy": job.policy,
        "env_id": job.unit.env_id,
        "split": job.unit.split,
        "episodes": len(job.unit.seeds),
    }


def _holds(job: RolloutJob, records: Sequence[EpisodeRecord]) -> bool:
    return [r.seed for r in records] == list(job.unit.seeds) and all(
        r.policy == job.policy for r in records
    )
