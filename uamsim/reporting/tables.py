"""The report's tables, as rows of ready text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from uamsim.contract import IN_DOMAIN, SKILLS
from uamsim.reporting.labels import (
    MODE_TITLES,
    duration,
    interval_text,
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
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


MISSING = "–"


def _rate(estimate: Estimate | None) -> str:
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
        row += [_rate(results.success(variant, mode)) for mode in modes]
        row += [
            _value(results.retained(variant, "unfrozen", field))
            for field in ("S", "delta", "S_corrected", "delta_corrected")
        ]
        rows.append(row)
    before = [row["S0"] for row in results.raw["retention"]]
    start = f" Before tuning S₀ = {np.mean(before):.2f}." if before else ""
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
        cells = [_rate(results.success(variant, mode, [split])) for split in results.splits]
        if any(cell != MISSING for cell in cells):
            rows.append([results.variant_title(variant), *cells])
    for name, found in _control_groups(results, mode).items():
        cells = [
            _rate(pool(of) if (of := [r for r in found if r["split"] == split]) else None)
            for split in results.splits
        ]
        rows.append([name, *cells])
    return Table(
        head=["variant", *map(results.split_title, results.splits)],
        rows=rows,
        note="All tasks pooled, 95% intervals.",
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
                    *(_rate(results.success(variant, mode, task=task)) for task in results.tasks),
                    ", ".join(f"{100 * value:.0f}%" for value in seeds.values()),
                ]
            )
    for name, found in _control_groups(results, *results.modes).items():
        own = [r for r in found if r["split"] == IN_DOMAIN]
        cells = [
            _rate(pool(of) if (of := [r for r in own if r["task"] == task]) else None)
            for task in results.tasks
        ]
        rows.append([name, "control", *cells, MISSING])
    return Table(
        head=["variant", "mode", *map(spoken, results.tasks), "each seed, tasks pooled"],
        rows=rows,
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


def headline(results: Results) -> str:
    """The main numbers in one or two sentences."""
    parts = []
    for variant in ("no_dorsal", "uam"):
        success = results.success(variant, "unfrozen", [IN_DOMAIN])
        delta = results.retained(variant, "unfrozen", "delta")
        if success is None:
            continue
        text = f"{results.variant_title(variant)} succeeds on {interval_text(success)} in-domain"
        if delta is not None:
            text += f" and loses {interval_text(delta)} of S (Δ)"
        parts.append(text)
    if not parts:
        return "Neither UAM nor its 2-expert baseline was rolled out in-domain in this run."
    return "; ".join(parts) + ", E_sem unfrozen."
