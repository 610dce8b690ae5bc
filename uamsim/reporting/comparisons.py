"""Comparisons between two policies, and the verdicts that their intervals allow."""

import itertools
from collections.abc import Hashable, Sequence
from typing import Literal

from uamsim.contract import IN_DOMAIN
from uamsim.reporting.results import Results, Row, pool, seed_rates
from uamsim.statistics import (
    Estimate,
    difference,
    interaction,
    over_seeds,
    paired_difference,
    wider,
)

Verdict = Literal["supported", "contradicted", "unresolved", "not tested", "not run"]
MARGIN = 0.10
"""Success rates closer than this count as "on par" or "close"."""

Policy = tuple[str, str]
"""A variant and how its E_sem was treated."""


_Cells = dict[tuple[str, str, int], Row]
"""Rows of one policy by task, split and training seed."""


def compare_success(
    results: Results,
    first: Policy,
    second: Policy,
    splits: Sequence[str] = (IN_DOMAIN,),
    *,
    confidence: float = 0.95,
) -> tuple[Estimate, str] | None:
    """Success of ``second`` minus ``first``'s on the same splits and tasks, and what it is over.

    Several training seeds: the t interval of the differences by seed, widened to what the
    episodes allow. One seed: the same episodes paired where outcomes are recorded, else
    Newcombe's interval of independent rates.
    """
    cells = _shared_cells(results, (first, second), splits)
    if not cells[0]:
        return None
    if outcomes := _outcomes(cells):
        by_episode = paired_difference(
            *outcomes, clusters=_episodes(cells[0]), confidence=confidence
        )
        basis = f"{by_episode.n} paired episodes"
    else:
        pooled = [pool(list(rows.values()), confidence=confidence) for rows in cells]
        by_episode = difference(*pooled)
        basis = f"{pooled[1].n} and {pooled[0].n} episodes"
    seeds = [seed_rates(list(rows.values())) for rows in cells]
    gaps = [seeds[1][seed] - seeds[0][seed] for seed in seeds[0]]
    return _widened(gaps, by_episode, basis, confidence)


def compare_changes(
    results: Results, first: tuple[Policy, Policy], second: tuple[Policy, Policy]
) -> tuple[Estimate, str] | None:
    """What ``second`` gains from one policy to the other minus what ``first`` gains, in-domain.

    All four ran the same episodes, so that what these have in common falls out of the difference
    of differences.
    """
    cells = _shared_cells(results, (*first, *second), (IN_DOMAIN,))
    if not cells[0]:
        return None
    if outcomes := _outcomes(cells):
        episodes = _episodes(cells[0])
        shares = [_mean_by_episode(values, episodes) for values in outcomes]
        by_episode = interaction(shares[0], shares[1], shares[2], shares[3])
        basis = f"{len(episodes)} paired episodes"
    else:
        pooled = [pool(list(rows.values())) for rows in cells]
        by_episode = difference(difference(*pooled[:2]), difference(*pooled[2:]))
        basis = f"{by_episode.n} episodes each"
    a, b, c, d = (seed_rates(list(rows.values())) for rows in cells)
    gaps = [(d[seed] - c[seed]) - (b[seed] - a[seed]) for seed in a]
    return _widened(gaps, by_episode, basis, 0.95)


def _shared_cells(
    results: Results, policies: Sequence[Policy], splits: Sequence[str]
) -> list[_Cells]:
    """Each policy's rows in the tasks, splits and training seeds that all of them ran."""
    found = [
        {(row["task"], row["split"], row["seed"]): row for row in results.rows(*policy, splits)}
        for policy in policies
    ]
    shared = [key for key in found[0] if all(key in cells for cells in found)]
    return [{key: cells[key] for key in shared} for cells in found]


def _outcomes(cells: Sequence[_Cells]) -> list[list[bool]] | None:
    """Each policy's outcomes in one list; None unless all recorded those of the same episodes."""
    for key in cells[0]:
        lengths = {len(rows[key].get("outcomes", ())) for rows in cells}
        if len(lengths) > 1 or lengths == {0}:
            return None
    return [[o for row in rows.values() for o in row["outcomes"]] for rows in cells]


def _episodes(cells: _Cells) -> list[tuple[str, int]]:
    """Task and place among the seeds of each outcome.

    Outcomes of one place are related: the same scene in several splits, or played by policies of
    several training seeds.
    """
    return [(key[0], place) for key, row in cells.items() for place in range(row["episodes"])]


def _mean_by_episode(outcomes: Sequence[bool], episodes: Sequence[Hashable]) -> list[float]:
    found: dict[Hashable, list[bool]] = {}
    for episode, outcome in zip(episodes, outcomes, strict=True):
        found.setdefault(episode, []).append(outcome)
    return [sum(values) / len(values) for values in found.values()]


def _widened(
    gaps: Sequence[float], by_episode: Estimate, basis: str, confidence: float
) -> tuple[Estimate, str]:
    """The differences by training seed, where there are several."""
    if len(gaps) < 2:
        return by_episode, basis
    between = over_seeds(gaps, confidence=confidence)
    return wider(between, by_episode), f"{len(gaps)} training seeds, {basis}"


def greater(gap: Estimate, *, by: float = 0.0) -> Verdict:
    """Whether a difference lies above ``by``; contradicted where it lies below."""
    if gap.ci_low > by:
        return "supported"
    return "contradicted" if gap.ci_high < by else "unresolved"


def similar(gap: Estimate, margin: float = MARGIN) -> Verdict:
    """Whether a difference lies within the margin; contradicted where it lies outside."""
    if -margin < gap.ci_low and gap.ci_high < margin:
        return "supported"
    return "contradicted" if gap.ci_low > margin or gap.ci_high < -margin else "unresolved"


def matched_gap(
    a: Sequence[tuple[int, float, float]], b: Sequence[tuple[int, float, float]]
) -> tuple[float, float] | None:
    """S of ``a`` minus S of ``b`` at the highest success that both reach, and that success.

    Each argument is (step, success, S) along training. S is read off where the curve first
    reaches the level, linearly between measurements. None where one curve is already above the
    level at its first measurement, or where one never succeeds: nothing can be read off then.
    """
    if not a or not b:
        return None
    level = min(max(point[1] for point in curve) for curve in (a, b))
    if level <= 0:
        return None
    values = [_at_level(curve, level) for curve in (a, b)]
    if values[0] is None or values[1] is None:
        return None
    return values[0] - values[1], level


def _at_level(curve: Sequence[tuple[int, float, float]], level: float) -> float | None:
    if curve[0][1] > level:
        return None
    for (_, x0, s0), (_, x1, s1) in itertools.pairwise(curve):
        if x0 <= level <= x1 and x1 > x0:
            return s0 + (s1 - s0) * (level - x0) / (x1 - x0)
    return next((s for _, x, s in curve if x >= level), None)
