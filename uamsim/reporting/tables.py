"""The report's tables, as rows of ready text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from uamsim.contract import IN_DOMAIN, SKILLS, in_a_row
from uamsim.reporting.labels import (
    MODE_TITLES,
    duration,
    interval_text,
    points,
    spoken,
)
from uamsim.reporting.results import Results, Row, pool, seed_rates
from uamsim.statistics import Design, Estimate, resolvable_difference


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of text.

    Attributes:
        head: column titles.
        rows: cells, as many a row as ``head`` has.
        note: how to read it.
        source: the parts of results.json that hold the rows behind it.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    source: Sequence[str] = ()


MISSING = "–"
_VERDICTS = {"first": "worse", "second": "better", "equivalent": "equivalent"}


def rate_cell(estimate: Estimate | None) -> str:
    """A share with its interval, or the mark of what was not run."""
    return MISSING if estimate is None else interval_text(estimate)


def _value(estimate: Estimate | None) -> str:
    return MISSING if estimate is None else interval_text(estimate, percent=False)


def sweep_table(results: Results) -> Table:
    """Table 1 with its results: design, success by mode, S and Δ."""
    modes = results.modes
    head = ["variant", "what it is"]
    head += [f"success, {MODE_TITLES.get(m, m)}" for m in modes]
    head += ["S", "Δ", "S corrected", "Δ corrected"]
    rows = []
    for variant in results.variants:
        row = [results.variant_title(variant), results.variant_summary(variant) or MISSING]
        row += [rate_cell(results.success(variant, mode)) for mode in modes]
        row += [
            _value(results.retained(variant, "unfrozen", field))
            for field in ("S", "delta", "S_corrected", "delta_corrected")
        ]
        rows.append(row)
    start = "" if results.before is None else f" Before tuning S₀ = {results.before:.2f}."
    seeds = len(results.seeds)
    between = (
        "S and Δ are of one training run each and have no interval."
        if seeds < 2
        else f"Rates pool {seeds} training seeds; intervals are Student's t between seeds where "
        "that is wider. S and Δ are means over seeds with t intervals."
    )
    return Table(
        head=head,
        rows=rows,
        note=f"In-domain success, all tasks pooled, with Wilson's 95% interval. {between} S and Δ "
        f"with E_sem unfrozen; corrected means less the blind floor of each skill.{start} "
        + _power_note(results),
        source=("rows", "retention"),
    )


def _power_note(results: Results) -> str:
    cells = [
        pool(rows).n
        for v in results.variants
        for m in results.modes
        if (rows := results.rows(v, m))
    ]
    if not cells:
        return ""
    n = min(cells)
    # Near a half, and as if the policies' outcomes on the same episodes had nothing in common.
    gap = resolvable_difference(Design(baseline=0.5, paired=True), n)
    found = "no gap" if gap is None else f"a gap of about {100 * gap:.0f} points"
    return f"{n} episodes a cell resolve {found} with 80% power."


def split_table(results: Results, mode: str) -> Table:
    """Success on every split, tasks pooled, one mode; controls last."""
    rows = []
    for variant in results.variants:
        cells = [rate_cell(results.success(variant, mode, [split])) for split in results.splits]
        if any(cell != MISSING for cell in cells):
            rows.append([results.variant_title(variant), *cells])
    for name, found in _control_groups(results, mode).items():
        cells = [
            rate_cell(pool(of) if (of := [r for r in found if r["split"] == split]) else None)
            for split in results.splits
        ]
        rows.append([name, *cells])
    return Table(
        head=["variant", *map(results.split_title, results.splits)],
        rows=rows,
        note="All tasks pooled, 95% intervals.",
        source=("rows",),
    )


def _control_groups(results: Results, *modes: str) -> dict[str, list[Row]]:
    """Control rows by title, one group for each policy that has controls of its own."""
    groups: dict[str, list[Row]] = {}
    for row in results.controls:
        if row["e_sem"] in (None, *modes):
            owner = f", {results.variant_title(row['variant'])}" if row["variant"] else ""
            groups.setdefault(f"{row['control']}{owner}", []).append(row)
    return groups


def task_table(results: Results) -> Table:
    """In-domain success of each task, variant and mode, with the training seeds apart."""
    rows = []
    for variant in results.variants:
        for mode in results.modes:
            if not results.rows(variant, mode):
                continue
            seeds = seed_rates(results.rows(variant, mode))
            rows.append(
                [
                    results.variant_title(variant),
                    MODE_TITLES.get(mode, mode),
                    *(
                        rate_cell(results.success(variant, mode, task=task))
                        for task in results.tasks
                    ),
                    ", ".join(f"{100 * value:.0f}%" for value in seeds.values()),
                ]
            )
    for name, found in _control_groups(results, *results.modes).items():
        own = [r for r in found if r["split"] == IN_DOMAIN]
        cells = [
            rate_cell(pool(of) if (of := [r for r in own if r["task"] == task]) else None)
            for task in results.tasks
        ]
        rows.append([name, "control", *cells, MISSING])
    return Table(
        head=["variant", "mode", *map(spoken, results.tasks), "each seed, tasks pooled"],
        rows=rows,
        source=("rows",),
    )


def suite_table(results: Results) -> Table:
    """Mean over tasks of every policy and control on every split, with both intervals."""
    return Table(
        head=["policy", "split", "tasks", "episodes", "mean of the tasks", "clustered by task"],
        rows=[
            [
                results.policy_title(row["policy"]),
                results.split_title(row["split"]),
                str(row["tasks"]),
                str(row["episodes"]),
                interval_text(_estimate(row, "rate", "ci")),
                interval_text(_estimate(row, "rate", "clustered")),
            ]
            for row in results.raw["suites"]
        ],
        note="Every task has the same weight. The first 95% interval is about these tasks and "
        "other episodes of them; the second, clustered by task, about tasks like these, which a "
        "few of them say little about.",
        source=("suites",),
    )


def comparison_table(results: Results) -> Table:
    """Policies beside a reference on the same episodes, split by split."""
    return Table(
        head=["policy", "beside", "split", "pairs", "difference", "McNemar's p", "sequential test"],
        rows=[
            [
                results.policy_title(row["policy"]),
                results.policy_title(row["reference"]),
                results.split_title(row["split"]),
                str(row["episodes"]),
                points(_estimate(row, "difference", "ci")),
                f"{row['p_value']:.3g}",
                _verdict(row),
            ]
            for row in results.raw["comparisons"]
            if row["task"] is None
        ],
        note="The row's policy minus the one beside it, with Bonett and Price's 95% interval; "
        "exact test; anytime-valid test at 0.05 with the "
        "pair at which it could have stopped. Each row is a test by itself: of 20 without a "
        "difference one is expected below 0.05.",
        source=("comparisons",),
    )


def _verdict(row: Row) -> str:
    if row["verdict"] == "undecided":
        return "undecided"
    return f"{_VERDICTS[row['verdict']]}, after {row['decided_after']}"


def chain_table(results: Results) -> Table:
    """Chains with 1, 2, ... tasks done in a row and the average, measured and published."""
    measured = results.raw.get("chains", ())
    longest = max((row["tasks"] for row in measured), default=0)
    counts = range(1, longest + 1)
    head = ["policy", "environment", "split", "chains", *map(str, counts), "average in a row"]
    return Table(
        head=head,
        rows=[
            *([*_ours(row, results), *_rates(row, counts)] for row in measured),
            *(_published(row, longest) for row in results.raw.get("published", ())),
        ],
        note="Share of chains with so many tasks done in a row, with Wilson's 95% interval, and "
        "their average number. Published rows were not run here; * marks what that paper's "
        "authors ran themselves, its other rows are copied there from the methods' own papers.",
        source=("chains", "published"),
    )


def _ours(row: Row, results: Results) -> list[str]:
    environment = spoken(row["env_id"].rpartition("/")[2].removesuffix("-v0"))
    return [
        results.policy_title(row["policy"]),
        environment,
        results.split_title(row["split"]),
        str(row["chains"]),
    ]


def _rates(row: Row, counts: Sequence[int]) -> list[str]:
    names = map(in_a_row, counts)
    cells = [interval_text(_estimate(row, name, name)) if name in row else "" for name in names]
    return [*cells, interval_text(_estimate(row, "length", "length"), percent=False)]


def _published(row: Row, longest: int) -> list[str]:
    rates = [MISSING if value is None else f"{100 * value:.1f}%" for value in row["in_a_row"]]
    length = MISSING if row["length"] is None else f"{row['length']:.2f}"
    return [
        f"published ({row['paper']}): {row['method']}{'*' if row['reproduced'] else ''}",
        spoken(row["env_id"].rpartition("/")[2].removesuffix("-v0")),
        f"{row['trained_on']} → D",
        "",
        *(rates + [MISSING] * longest)[:longest],
        length,
    ]


def _estimate(row: Row, value: str, ends: str) -> Estimate:
    """A column of a row with the columns of its interval, such as "rate" and "clustered"."""
    return Estimate(
        value=row[value],
        ci_low=row[f"{ends}_low"],
        ci_high=row[f"{ends}_high"],
        n=row["chains"] if "chains" in row else row["episodes"],
    )


def skills_table(results: Results) -> Table:
    """Each skill before tuning, its blind floor, and after tuning with E_sem unfrozen."""
    kept = [v for v in results.variants if results.retention(v, "unfrozen")]
    every = results.raw["retention"]
    present = {skill for row in every for skill in row["skills"]}
    skills = [s for s in SKILLS if s in present] + sorted(present - set(SKILLS))
    rows = []
    for skill in skills:
        before = _skill_mean(every, skill, "before")
        floor = _skill_mean(every, skill, "floor")
        after = [_skill_mean(results.retention(v, "unfrozen"), skill, "after") for v in kept]
        rows.append([skill, *(_number(x) for x in (floor, before, *after))])
    return Table(
        head=["skill", "blind floor", "before", *map(results.variant_title, kept)],
        rows=rows,
        note="Exact-match score after action tuning with E_sem unfrozen, mean over training seeds.",
        source=("retention",),
    )


def _skill_mean(rows: Sequence[Row], skill: str, field: str) -> float | None:
    values = [row["skills"][skill][field] for row in rows if skill in row["skills"]]
    return float(np.mean(values)) if values else None


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def floor_remarks(results: Results) -> list[str]:
    """Skills that tell nothing because they start at the floor of a blind guesser."""
    every = results.raw["retention"]
    remarks = []
    for skill in sorted({skill for row in every for skill in row["skills"]}):
        before, floor = (_skill_mean(every, skill, field) for field in ("before", "floor"))
        if before is not None and floor is not None and before - floor < 0.05:
            remarks.append(
                f"{skill}: {before:.2f} before tuning against a blind floor of {floor:.2f}: "
                "there is nothing to forget here."
            )
    return remarks


def provenance_table(results: Results) -> Table:
    """What was run."""
    made: Mapping[str, Any] = results.raw["provenance"]
    commit = made["commit"] or "unknown"
    if made["dirty"]:
        commit += ", with local changes"
    seeds = made["seeds"]
    rows = [
        ["experiment", f"{results.raw['experiment']}, scale {results.raw['scale']}"],
        ["command", made["command"]],
        ["commit", commit],
        ["started", made["started"]],
        ["finished", made["finished"] or "not yet"],
        ["time", duration(results.raw["timing"]["total"])],
        ["training seeds", ", ".join(map(str, results.seeds)) or MISSING],
        ["seeds", seeds if isinstance(seeds, str) else json.dumps(seeds)],
        ["render profile", made["render_profile"]],
        ["hardware", _pairs(made["hardware"])],
        ["versions", _pairs(made["versions"])],
        ["episodes", _episodes(results)],
    ]
    return Table(head=["what", "value"], rows=rows)


def _episodes(results: Results) -> str:
    controls = sum(row["episodes"] for row in results.controls)
    policies = sum(row["episodes"] for row in results.raw["rows"]) - controls
    curves = sum(row["episodes"] for row in results.raw.get("curves", ()))
    return f"{policies:,} of policies, {controls:,} of controls, {curves:,} along training"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or MISSING


def timing_table(results: Results) -> Table:
    """Seconds of each stage."""
    timing = results.raw["timing"]
    stages = sorted(((k, v) for k, v in timing.items() if k != "total"), key=lambda kv: -kv[1])
    rows = [[name.replace("_", " "), duration(seconds)] for name, seconds in stages]
    return Table(
        head=["stage", "time"],
        rows=[*rows, ["total", duration(timing["total"])]],
        note="Stages that ran side by side add up to more than the total.",
    )
