"""What `uamsim evaluate` leaves: results.json, tables, TensorBoard scalars, videos, and words."""

import dataclasses
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uamsim.contract import EpisodeRecord, content_hash
from uamsim.evaluation.backends.jobs import Player, RolloutJob
from uamsim.evaluation.environments import EnvPool, world_rows
from uamsim.evaluation.episode_tables import EPISODES_FILE, episode_rows, write_parquet
from uamsim.evaluation.experts import film_expert
from uamsim.evaluation.rollout import Clip, iter_unit
from uamsim.evaluation.videos import pick_for_video, write_videos
from uamsim.orchestration.chain_tables import chain_lines, chain_rows, published
from uamsim.orchestration.runs.folder import versions
from uamsim.orchestration.trials.measuring import rate_fields
from uamsim.reporting.comparable import world_lines
from uamsim.reporting.tensorboard import TensorBoardLog
from uamsim.reporting.terminal import comparison_lines
from uamsim.statistics import (
    Comparison,
    compare,
    rate,
    suite_average,
)
from uamsim.statistics.paired import outcomes
from uamsim.storage import write_json
from uamsim.worlds import world_of

if TYPE_CHECKING:
    from uamsim.orchestration.evaluate.policies import Entrant
    from uamsim.orchestration.evaluate.request import EvaluationRequest

SCHEMA_VERSION = 1
ALPHA = 0.05
FILM_SIZE = (240, 320)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was asked for, and the episodes that came of it.

    Attributes:
        jobs: of the policy first, then of its controls or of the one that it is compared with.
        entrants: likewise.
        suites: environment id -> suite.
        records: of the jobs, in their order.
    """

    jobs: Sequence[RolloutJob]
    entrants: Sequence["Entrant"]
    suites: Mapping[str, str]
    records: Sequence[EpisodeRecord]

    @property
    def policies(self) -> dict[str, str | None]:
        """Name in records -> which control it is, None for the policy itself."""
        controls = {id(entrant.factory): entrant.control for entrant in self.entrants}
        return {job.policy: controls[id(job.policy_factory)] for job in self.jobs}

    @property
    def leading(self) -> list[str]:
        """The policy, or the two that are compared, as records call them."""
        return [name for name, control in self.policies.items() if control is None]

    def of(self, policy: str) -> list[EpisodeRecord]:
        """One policy's records."""
        return [record for record in self.records if record.policy == policy]

    def comparisons(self) -> list[tuple[str, Comparison]]:
        """Each control beside the policy, on the episodes that both ran."""
        (first, _), *controls = self.policies.items()
        return [
            (str(control), comparison)
            for name, control in controls
            if control and self.of(name) and self.of(first)
            for comparison in compare(self.of(first), self.of(name), alpha=ALPHA)
        ]


def head_to_head(
    request: "EvaluationRequest", jobs: Sequence[RolloutJob], records: Sequence[EpisodeRecord]
) -> list[Comparison]:
    """The two policies of ``--compare`` on the episodes that both finished, seed by seed."""
    first, second = dict.fromkeys(job.policy for job in jobs)
    own = [[r for r in records if r.policy == policy] for policy in (first, second)]
    if not outcomes(own[0]).keys() & outcomes(own[1]).keys():
        return []
    return compare(*own, alpha=request.alpha, margin=request.margin, order=_by_seed)


def _by_seed(key: tuple[str, str, int]) -> tuple[int, str]:
    # More episodes then come after those that were looked at; a seed's tasks are mixed.
    return key[2], content_hash(key)


def rate_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Success with Wilson's interval for each policy, environment and split."""
    counts: dict[tuple[str, str, str, str], list[bool]] = {}
    for record in outcome.records:
        key = (record.policy, record.env_id, record.task, record.split)
        counts.setdefault(key, []).append(record.success)
    policies = outcome.policies
    return [
        {
            "policy": policy,
            "control": policies[policy],
            "suite": outcome.suites[env_id],
            "env_id": env_id,
            "task": task,
            "split": split,
            **rate_fields(rate(sum(values), len(values))),
        }
        for (policy, env_id, task, split), values in counts.items()
    ]


def suite_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The mean over each suite's tasks, from ``rate_rows``, with both intervals."""
    suites: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    for row in rows:
        key = (row["policy"], row["control"], row["suite"], row["split"])
        suites.setdefault(key, []).append((row["successes"], row["episodes"]))
    found = []
    for (policy, control, suite, split), counts in suites.items():
        these = suite_average(counts, over="these_tasks")
        others = suite_average(counts, over="task_population")
        found.append(
            {
                "policy": policy,
                "control": control,
                "suite": suite,
                "split": split,
                "tasks": len(counts),
                "episodes": sum(episodes for _, episodes in counts),
                "rate": these.value,
                "ci_low": these.ci_low,
                "ci_high": these.ci_high,
                "clustered_low": others.ci_low,
                "clustered_high": others.ci_high,
            }
        )
    return found


def warnings(outcome: Outcome) -> list[str]:
    """A sentence for each control that cannot be told from the policy."""
    meaning = {
        "random": "it does no better than chance motion",
        "blind": "nothing shows that it uses its pictures",
        "deaf": "nothing shows that it uses its instructions",
        "shuffled": "nothing shows that it follows its instructions",
    }
    sentences = []
    for control, found in outcome.comparisons():
        if found.p_value >= ALPHA or found.difference > 0:
            relation = "is worse than" if found.p_value < ALPHA else "cannot be told from"
            sentences.append(
                f"In {found.split}, the policy ({found.first.successes} of {found.episodes}) "
                f"{relation} its {control} control ({found.second.successes} of "
                f"{found.episodes}; McNemar's p = {found.p_value:.2g}): {meaning[control]}."
            )
    return sentences


def write(
    out: Path, outcome: Outcome, request: "EvaluationRequest", command: str, step: int
) -> str:
    """Writes results.json, the tables of episodes, rates and chains, and the TensorBoard scalars.

    Returns:
        The same for a terminal.

    Raises:
        StorageError: the disk is full.
    """
    rows, sentences = rate_rows(outcome), warnings(outcome)
    suites = suite_rows(rows)
    chains = chain_rows(outcome.records, outcome.policies)
    papers = published(chains)
    worlds = world_rows([job.unit for job in outcome.jobs])
    asked = sum(len(job.unit.seeds) for job in outcome.jobs)
    found = []
    if request.compare is not None:
        found = head_to_head(request, outcome.jobs, outcome.records)
    results = {
        "schema_version": SCHEMA_VERSION,
        "kind": "evaluation",
        "policy": next(iter(outcome.policies)),
        "request": dataclasses.asdict(request),
        "episodes": {"asked": asked, "finished": len(outcome.records)},
        "rows": rows,
        "suites": suites,
        "chains": chains,
        "published": papers,
        "controls": [
            {"control": control, **comparison.to_row()}
            for control, comparison in outcome.comparisons()
        ],
        "comparison": {
            "policies": outcome.leading if found else [],
            "alpha": request.alpha,
            "splits": [comparison.to_row() for comparison in found],
        },
        "warnings": sentences,
        "worlds": worlds,
        "settings": sorted({job.setting for job in outcome.jobs}),
        "provenance": {
            "command": command,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "versions": versions(),
        },
    }
    write_json(out / "results.json", results)
    labels = {name: {"control": control} for name, control in outcome.policies.items()}
    write_parquet(out / EPISODES_FILE, episode_rows(outcome.records, labels))
    write_parquet(out / "rates.parquet", rows)
    if chains:
        write_parquet(out / "chains.parquet", chains)
    for policy in outcome.leading:
        # TensorBoard shows folders as lines of one chart.
        place = "first" if policy == outcome.leading[0] else "second"
        with TensorBoardLog(
            out / "tensorboard" / (place if request.compare is not None else "")
        ) as log:
            for row in suites:
                if row["policy"] == policy:
                    name = f"eval/{row['suite']}/{row['split']}/success"
                    values = {"": row["rate"], "_lo": row["ci_low"], "_hi": row["ci_high"]}
                    log.scalars(step, {f"{name}{part}": value for part, value in values.items()})
            for row in chains:
                if row["policy"] == policy:
                    name = f"eval/{row['env_id'].rpartition('/')[2]}/{row['split']}/length"
                    log.scalars(step, {name: row["length"]})
    lines = [*_table(rows, suites), *chain_lines(chains, papers), *world_lines(worlds)]
    if found:
        lines += [
            "",
            *(
                f"{place}: {name}"
                for place, name in zip(("first", "second"), outcome.leading, strict=True)
            ),
        ]
        lines += ["", *comparison_lines(found, request.alpha)]
    return "\n".join([*lines, *(["", *sentences] if sentences else [])])


def film(folder: Path, outcome: Outcome, limit: int) -> list[Path]:
    """Videos of the policies' episodes, failures first, as many of each environment and split.

    An episode is run again to be filmed. Those that are there are not made again.

    Raises:
        StorageError: the disk is full.
    """
    jobs = [job for job in outcome.jobs if job.policy in outcome.leading]
    chosen = _share(jobs, outcome.records, limit)
    written: list[Path] = []
    pool = EnvPool()
    try:
        for job, records in chosen:
            have = [
                next(folder.glob(f"*-{record.episode_hash[:6]}.mp4"), None) for record in records
            ]
            written += [path for path in have if path]
            missing = [record for record, path in zip(records, have, strict=True) if not path]
            clips = _film(job.with_seeds([r.seed for r in missing]), missing, pool)
            written += [path for path, _ in write_videos(folder, clips, limit=len(clips))]
    finally:
        pool.close()
    return written


def _film(job: RolloutJob, records: Sequence[EpisodeRecord], pool: EnvPool) -> list[Clip]:
    if not records:
        return []
    cameras = job.unit.env_kwargs["cameras"][:1] or [world_of(job.unit.env_id).cameras[0]]
    kwargs = {"cameras": cameras, "image_size": list(FILM_SIZE)}
    player = job.policy_factory()
    if isinstance(player, Player):
        unit = replace(job.unit, env_kwargs={**job.unit.env_kwargs, **kwargs})
        (env,) = pool.get(unit, 1)
        return [film_expert(env, cameras[0], record) for record in records]
    clips: list[Clip] = []
    for _ in iter_unit(player, job.unit, pool, clips=clips, film_kwargs=kwargs):
        pass
    return clips


def _share(
    jobs: Sequence[RolloutJob], records: Sequence[EpisodeRecord], limit: int
) -> list[tuple[RolloutJob, list[EpisodeRecord]]]:
    """At most ``limit`` episodes: one of each job in turn, failures before successes."""
    queues = []
    for job in jobs:
        name = (job.policy, job.unit.env_id, job.unit.split)
        own = [r for r in records if (r.policy, r.env_id, r.split) == name]
        queues.append([(job, record) for record in pick_for_video(own, limit)])
    turns = [pair for turn in itertools.zip_longest(*queues) for pair in turn if pair]
    turns.sort(key=lambda pair: pair[1].success)
    chosen: dict[int, tuple[RolloutJob, list[EpisodeRecord]]] = {}
    for job, record in turns[:limit]:
        chosen.setdefault(id(job), (job, []))[1].append(record)
    return list(chosen.values())


def _table(rows: Sequence[Mapping[str, Any]], suites: Sequence[Mapping[str, Any]]) -> list[str]:
    alone = len({row["policy"] for row in rows if not row["control"]}) < 2
    lines = [("policy", "task", "split", "success", "95% interval")]
    for row in rows:
        lines.append(
            (
                row["control"] or ("policy" if alone else row["policy"]),
                row["task"],
                row["split"],
                f"{row['successes']}/{row['episodes']} = {row['rate']:.2f}",
                f"{row['ci_low']:.2f} to {row['ci_high']:.2f}",
            )
        )
    for row in (row for row in suites if row["tasks"] > 1):
        lines.append(
            (
                row["control"] or ("policy" if alone else row["policy"]),
                f"mean of {row['tasks']}, {row['suite']}",
                row["split"],
                f"{row['rate']:.2f}",
                f"{row['ci_low']:.2f} to {row['ci_high']:.2f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
