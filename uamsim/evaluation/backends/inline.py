"""The backend inside one process."""

from collections.abc import Sequence

from uamsim.evaluation.backends.jobs import OnRecord, RolloutJob, iter_job
from uamsim.evaluation.backends.schedule import Schedule
from uamsim.evaluation.environments import EnvPool


class InlineBackend:
    """Runs jobs one after another in this process, without retries and without a watchdog.

    Where a batch fails, each of its episodes is run alone once, so that only those fail which do
    so by themselves.
    """

    def __init__(self) -> None:
        self._pool = EnvPool()

    def run_units(self, jobs: Sequence[RolloutJob], on_record: OnRecord) -> None:
        """See ``RolloutBackend.run_units``."""
        schedule = Schedule(jobs, num_workers=1)
        while piece := schedule.next_piece():
            played = iter_job(piece.job, self._pool)
            while True:
                try:
                    record = next(played)
                except StopIteration:
                    break
                except Exception as error:
                    schedule.failed(piece, error, may_pass=False)
                    break
                piece.is_ready = True
                if record is not None:
                    on_record(piece.whole, record)
                    piece.finished.add(record.seed)
        schedule.raise_failures()

    def close(self) -> None:
        """Closes the environments."""
        self._pool.close()
