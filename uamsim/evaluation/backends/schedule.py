"""Which episodes run next, and what becomes of those whose worker failed."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from uamsim.errors import (
    CheckpointError,
    ConfigError,
    MissingDependencyError,
    TrialError,
    UnknownNameError,
)
from uamsim.evaluation.backends.jobs import RolloutJob
from uamsim.evaluation.rollout import running_seeds

MAX_RETRIES = 2
_MAX_SHOWN = 50
_HOPELESS = (ConfigError, UnknownNameError, MissingDependencyError, CheckpointError)
"""Errors of the whole job, whichever its seeds."""


@dataclass(kw_only=True, eq=False)
class Piece:
    """Episodes of one job that a worker runs in one go, such as seeds 4 to 6 of a job's 0 to 9.

    Attributes:
        whole: that job with all its seeds; records are stored under it.
        job: the same with the piece's seeds alone, which the worker is given.
        num_tried: how often these episodes have failed before.
        is_ready: whether the policy and the environments were made.
        finished: seeds whose records were handed over.
    """

    whole: RolloutJob
    job: RolloutJob
    num_tried: int = 0
    is_ready: bool = False
    finished: set[int] = field(default_factory=set)


class Schedule:
    """Hands out pieces of jobs, smaller towards the end so that workers end together.

    Args:
        jobs: what to run.
        num_workers: how many take pieces.
        max_envs: episodes that a worker runs side by side, where fewer than a batch.
    """

    def __init__(
        self, jobs: Sequence[RolloutJob], *, num_workers: int, max_envs: int | None = None
    ) -> None:
        self._pieces = deque(Piece(whole=job, job=job) for job in jobs if job.unit.seeds)
        self._num_workers, self._max_envs = num_workers, max_envs
        self._failures: list[tuple[RolloutJob, str]] = []
        self._cause: Exception | None = None

    def __len__(self) -> int:
        return len(self._pieces)

    def next_piece(self) -> Piece | None:
        """Episodes to run now, None where no piece waits."""
        if not self._pieces:
            return None
        waiting = sum(len(piece.job.unit.seeds) for piece in self._pieces)
        piece = self._pieces.popleft()
        unit = piece.job.unit
        if self._num_workers == 1 or piece.num_tried:
            return piece
        # Not less than what runs side by side while there is enough: a call of the policy costs
        # the same for fewer.
        side_by_side = min(self._max_envs or unit.batch_envs, unit.batch_envs)
        fair = -(-waiting // self._num_workers)
        size = max(-(-fair // 2), min(side_by_side, fair))
        rest = unit.seeds[size:]
        if rest:
            self._pieces.appendleft(Piece(whole=piece.whole, job=piece.whole.with_seeds(rest)))
            piece.job = piece.whole.with_seeds(unit.seeds[:size])
        return piece

    def failed(self, piece: Piece, error: Exception | str, *, may_pass: bool) -> None:
        """Takes back what a failed piece has not finished.

        Episodes that had not begun wait again as if nothing had been. Those that had run beside
        the culprit, so each is tried alone.

        Args:
            piece: that failed.
            error: why.
            may_pass: whether the same episode could succeed when it is tried again.
        """
        seeds = piece.job.unit.seeds
        left = [seed for seed in seeds if seed not in piece.finished]
        if isinstance(error, _HOPELESS):
            others = [other for other in self._pieces if other.whole is piece.whole]
            self._pieces = deque(other for other in self._pieces if other not in others)
            left += [seed for other in others for seed in other.job.unit.seeds]
            self._give_up(piece, sorted(left), error)
            return
        begun = left
        if piece.is_ready:
            running = running_seeds(piece.job.unit, len(piece.finished), self._max_envs)
            begun = [seed for seed in left if seed in running]
            self._wait(piece, [seed for seed in left if seed not in running], piece.num_tried)
        together = len(seeds) > 1 and piece.is_ready
        if piece.num_tried >= MAX_RETRIES or not (may_pass or together):
            self._give_up(piece, begun, error)
            return
        for group in [[seed] for seed in begun] if together else [begun]:
            self._wait(piece, group, piece.num_tried + 1)

    def _wait(self, piece: Piece, seeds: Sequence[int], num_tried: int) -> None:
        if seeds:
            job = piece.whole.with_seeds(seeds)
            self._pieces.append(Piece(whole=piece.whole, job=job, num_tried=num_tried))

    def _give_up(self, piece: Piece, seeds: Sequence[int], error: Exception | str) -> None:
        if isinstance(error, str):
            reason = error
        else:
            reason = f"{type(error).__name__}: {error}"
            self._cause = self._cause or error
        if seeds:
            self._failures.append((piece.whole.with_seeds(seeds), reason))

    def raise_failures(self) -> None:
        """Raises one error for all episodes that failed, if there are any.

        Raises:
            TrialError: names them and why they failed.
        """
        if not self._failures:
            return
        count = sum(len(job.unit.seeds) for job, _ in self._failures)
        lines = [f"- {job.describe()}: {reason}" for job, reason in self._failures]
        if len(lines) > _MAX_SHOWN:
            lines[_MAX_SHOWN:] = [f"- and {len(lines) - _MAX_SHOWN} more like these"]
        raise TrialError(
            f"{count} episode(s) failed; all others are kept and the same command tries these "
            f"again.\n" + "\n".join(lines)
        ) from self._cause
