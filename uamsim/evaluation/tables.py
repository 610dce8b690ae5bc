"""What comes of an evaluation, as rows: rates, averages over suites, comparisons, chains.

Every row begins with the columns of its entrant: policy, control, variant, e_sem and seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uamsim.contract import EpisodeRecord
from uamsim.evaluation.entrants import Entrant, not_applicable
from uamsim.evaluation.episode_tables import EPISODES_FILE, episode_rows, write_parquet
from uamsim.statistics import (
    Comparison,
    chain_result,
    compare,
    is_chain,
    rate,
    suite_average,
)
from uamsim.statistics.paired import EpisodeKey, by_episode

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """How policies are compared on the same episodes.

    Attributes:
        alpha: error rate of each test, and 1 - the confidence of each interval.
        margin: the sequential test calls policies equivalent that surely differ by less.
        order: sorts the pairs for the sequential test; None mixes them by their names' hashes.
    """

    alpha: float = 0.05
    margin: float | None = None
    order: Callable[[EpisodeKey], Any] | None = None

    def compare(
        self, first: Sequence[EpisodeRecord], second: Sequence[EpisodeRecord]
    ) -> list[Comparison]:
        """A comparison a split, of the episodes that both ran; none where they share none."""
        if not by_episode(first).keys() & by_episode(second).keys():
            return []
        order = {} if self.order is None else {"order": self.order}
        return compare(first, second, alpha=self.alpha, margin=self.margin, **order)


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Rows of one evaluation.

    Attributes:
        rows: success of each entrant, environment, task and split (``rate_rows``).
        suites: means over the tasks of a suite (``suite_rows``).
        comparisons: entrants beside others on the same episodes (``comparison_rows``).
        chains: tasks done in a row (``chain_rows``).
        not_applicable: controls that an environment cannot be asked for.
    """

    rows: list[Row]
    suites: list[Row]
    comparisons: list[Row]
    chains: list[Row]
    not_applicable: list[Row]


def make_tables(
    entrants: Sequence[Entrant],
    records: Sequence[EpisodeRecord],
    suites: Mapping[str, str],
    test: PairedTest = PairedTest(),
) -> Tables:
    """Every table.

    Args:
        entrants: policies and controls, in the order of the rows.
        records: their episodes.
        suites: environment id -> suite.
        test: how they are compared.

    Raises:
        ConfigError: an entrant ran an episode twice.
    """
    own = {entrant.policy: [] for entrant in entrants}
    for record in records:
        own[record.policy].append(record)
    rows = rate_rows(entrants, own, suites)
    return Tables(
        rows=rows,
        suites=suite_rows(rows),
        comparisons=comparison_rows(entrants, own, test),
        chains=chain_rows(entrants, own),
        not_applicable=list(not_applicable(list(suites), {e.control for e in entrants})),
    )


Records = Mapping[str, Sequence[EpisodeRecord]]
"""Episodes of each policy by its name."""


def rate_rows(entrants: Sequence[Entrant], own: Records, suites: Mapping[str, str]) -> list[Row]:
    """Success with Wilson's interval, and outcomes in the order of the seeds."""
    rows = []
    for entrant in entrants:
        cells: dict[tuple[str, str, str], dict[int, bool]] = {}
        for record in own[entrant.policy]:
            cell = (record.env_id, record.task, record.split)
            cells.setdefault(cell, {})[record.seed] = record.success
        for (env_id, task, split), by_seed in cells.items():
            outcomes = [by_seed[seed] for seed in sorted(by_seed)]
            rows.append(
                {
                    **entrant.columns,
                    "suite": suites[env_id],
                    "env_id": env_id,
                    "task": task,
                    "split": split,
                    **vars(rate(sum(outcomes), len(outcomes))),
                    "outcomes": outcomes,
                }
            )
    return rows


def suite_rows(rows: Sequence[Row]) -> list[Row]:
    """The mean over each suite's tasks, from ``rate_rows``, with both intervals of it."""
    suites: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        suites.setdefault((row["policy"], row["suite"], row["split"]), []).append(row)
    found = []
    for (_, suite, split), tasks in suites.items():
        counts = [(task["successes"], task["episodes"]) for task in tasks]
        these = suite_average(counts, over="these_tasks")
        others = suite_average(counts, over="task_population")
        found.append(
            {
                **{
                    name: tasks[0][name]
                    for name in ("policy", "control", "variant", "e_sem", "seed")
                },
                "suite": suite,
                "split": split,
                "tasks": len(tasks),
                "episodes": these.n,
                "rate": these.value,
                "ci_low": these.ci_low,
                "ci_high": these.ci_high,
                "clustered_low": others.ci_low,
                "clustered_high": others.ci_high,
            }
        )
    return found


def comparison_rows(entrants: Sequence[Entrant], own: Records, test: PairedTest) -> list[Row]:
    """Each entrant as the second policy after the one it stands beside, a row a split.

    All tasks are pooled; a control of several tasks has a row for each of them as well, since a
    policy may need its pictures in one and not in another.
    """
    rows = []
    for entrant in entrants:
        if entrant.beside is None:
            continue
        first, second = own[entrant.beside], own[entrant.policy]
        who = {**entrant.columns, "reference": entrant.beside, "alpha": test.alpha}
        rows += [{**who, "task": None, **c.to_row()} for c in test.compare(first, second)]
        tasks = dict.fromkeys(record.task for record in second)
        if entrant.control is None or len(tasks) < 2:
            continue
        for task in tasks:
            both = ([r for r in records if r.task == task] for records in (first, second))
            rows += [{**who, "task": task, **c.to_row()} for c in test.compare(*both)]
    return rows


def chain_rows(entrants: Sequence[Entrant], own: Records) -> list[Row]:
    """Rates of 1, 2, ... tasks in a row and their average, where episodes are chains of tasks."""
    rows = []
    for entrant in entrants:
        cells: dict[tuple[str, str], list[EpisodeRecord]] = {}
        for record in filter(is_chain, own[entrant.policy]):
            cells.setdefault((record.env_id, record.split), []).append(record)
        rows += [
            {
                **entrant.columns,
                "env_id": env_id,
                "split": split,
                **chain_result(chains).to_row(),
                "tasks": len(chains[0].stages),
            }
            for (env_id, split), chains in cells.items()
        ]
    return rows


def write_tables(
    out: Path, tables: Tables, entrants: Sequence[Entrant], records: Sequence[EpisodeRecord]
) -> None:
    """Writes episodes, rates, suites, comparisons and chains as parquet, those that have rows.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    labels = {entrant.policy: _renamed(entrant.columns) for entrant in entrants}
    write_parquet(out / EPISODES_FILE, episode_rows(records, labels))
    rates = [{name: v for name, v in row.items() if name != "outcomes"} for row in tables.rows]
    for name, rows in (
        ("rates", rates),
        ("suites", tables.suites),
        ("comparisons", tables.comparisons),
        ("chains", tables.chains),
    ):
        if rows:
            write_parquet(out / f"{name}.parquet", [_renamed(row) for row in rows])


def _renamed(row: Mapping[str, Any]) -> Row:
    """An episode's seed keeps its name, so that of a training gets one."""
    return {("training_seed" if name == "seed" else name): value for name, value in row.items()}
