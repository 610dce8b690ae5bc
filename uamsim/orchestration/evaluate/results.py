"""What `uamsim evaluate` leaves: results.json, tables, TensorBoard scalars, videos, and words."""

import dataclasses
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uamsim.contract import EpisodeRecord, content_hash
from uamsim.evaluation.backends.jobs import RolloutJob
from uamsim.evaluation.entrants import Entrant
from uamsim.evaluation.filming import episodes_of, film
from uamsim.evaluation.tables import PairedTest, Tables, make_tables, write_tables
from uamsim.evaluation.videos import pick_for_video, video_mark
from uamsim.orchestration.evaluate.request import EvaluationRequest
from uamsim.orchestration.results import shared_results
from uamsim.orchestration.runs.folder import versions
from uamsim.reporting.remarks import world_remarks
from uamsim.reporting.tensorboard import TensorBoardLog
from uamsim.reporting.terminal import chain_lines, comparison_lines, rate_lines
from uamsim.storage import write_json
from uamsim.worlds import resolve_environments, world_of

FILM_SIZE = (240, 320)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was asked for, and the episodes that came of it.

    Attributes:
        request: what was asked for.
        jobs: of the policy first, then of its controls or of the one that it is compared with.
        entrants: likewise.
        records: of the jobs, in their order.
    """

    request: EvaluationRequest
    jobs: Sequence[RolloutJob]
    entrants: Sequence[Entrant]
    records: Sequence[EpisodeRecord]

    @property
    def leading(self) -> list[str]:
        """The policy, or the two that are compared, as records call them."""
        return [entrant.policy for entrant in self.entrants if entrant.control is None]

    def tables(self) -> Tables:
        """Everything that is counted."""
        suites = resolve_environments(self.request.env)
        return make_tables(self.entrants, self.records, suites, paired_test(self.request))


def paired_test(request: EvaluationRequest) -> PairedTest:
    """How the two policies of ``--compare`` are compared: seed by seed."""
    if request.compare is None:
        return PairedTest()
    return PairedTest(alpha=request.alpha, margin=request.margin, order=_by_seed)


def _by_seed(key: tuple[str, str, int]) -> tuple[int, str]:
    # More episodes then come after those that were looked at; a seed's tasks are mixed.
    return key[2], content_hash(key)


def write(out: Path, outcome: Outcome, command: str, step: int) -> str:
    """Writes results.json, the tables of episodes, rates and so on, and the TensorBoard scalars.

    Args:
        out: the folder.
        outcome: of the evaluation.
        command: the user's words, for the record.
        step: of the scalars.

    Returns:
        The same for a terminal.

    Raises:
        StorageError: the disk is full.
    """
    tables = outcome.tables()
    results = {
        **shared_results("evaluation", tables, outcome.jobs),
        "request": dataclasses.asdict(outcome.request),
        "episodes": {
            "asked": sum(len(job.unit.seeds) for job in outcome.jobs),
            "finished": len(outcome.records),
        },
        "settings": sorted({job.setting for job in outcome.jobs}),
        "provenance": {
            "command": command,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "versions": versions(),
        },
    }
    write_json(out / "results.json", results)
    write_tables(out, tables, outcome.entrants, outcome.records)
    for policy, place in zip(outcome.leading, ("first", "second"), strict=False):
        # TensorBoard shows folders as lines of one chart.
        folder = out / "tensorboard" / (place if outcome.request.compare else "")
        _log_scalars(folder, tables, policy, step)
    return "\n".join(_lines(outcome, results))


def _log_scalars(folder: Path, tables: Tables, policy: str, step: int) -> None:
    with TensorBoardLog(folder) as log:
        for row in (row for row in tables.suites if row["policy"] == policy):
            name = f"eval/{row['suite']}/{row['split']}/success"
            values = {"": row["rate"], "_lo": row["ci_low"], "_hi": row["ci_high"]}
            log.scalars(step, {f"{name}{part}": value for part, value in values.items()})
        for row in (row for row in tables.chains if row["policy"] == policy):
            name = f"eval/{row['env_id'].rpartition('/')[2]}/{row['split']}/length"
            log.scalars(step, {name: row["length"]})


def _lines(outcome: Outcome, results: Mapping[str, Any]) -> list[str]:
    lines = rate_lines(results["rows"], results["suites"])
    lines += chain_lines(results["chains"], results["published"])
    if results["worlds"]:
        lines += ["", *world_remarks(results["worlds"])]
    if outcome.request.compare and results["comparisons"]:
        places = zip(("first", "second"), outcome.leading, strict=True)
        lines += ["", *(f"{place}: {name}" for place, name in places), ""]
        lines += comparison_lines(results["comparisons"], outcome.request.alpha)
    if results["warnings"]:
        lines += ["", *results["warnings"]]
    return lines


def film_episodes(folder: Path, outcome: Outcome, limit: int) -> None:
    """Videos of the policies' episodes, failures first, as many of each environment and split.

    Those that are there are not made again.

    Raises:
        StorageError: the disk is full.
    """
    for job, records in _share(outcome, limit):
        marks = {record.seed: video_mark(job.setting, record.seed) for record in records}
        missing = [r for r in records if not any(folder.glob(f"*-{marks[r.seed]}.mp4"))]
        camera = world_of(job.unit.env_id).cameras[0]
        film(folder, [(job, missing)], camera=camera, image_size=FILM_SIZE)


def _share(outcome: Outcome, limit: int) -> list[tuple[RolloutJob, list[EpisodeRecord]]]:
    """At most ``limit`` episodes: one of each job in turn, failures before successes."""
    jobs = [job for job in outcome.jobs if job.policy in outcome.leading]
    queues = [
        [(place, record) for record in pick_for_video(episodes_of(job, outcome.records), limit)]
        for place, job in enumerate(jobs)
    ]
    turns = [pair for turn in itertools.zip_longest(*queues) for pair in turn if pair]
    turns.sort(key=lambda pair: pair[1].success)
    chosen: dict[int, list[EpisodeRecord]] = {}
    for place, record in turns[:limit]:
        chosen.setdefault(place, []).append(record)
    return [(jobs[place], records) for place, records in chosen.items()]
