"""Comparisons between two policies, and the verdicts that their intervals allow."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Literal

from uamsim.reporting.results import IN_DOMAIN, Results, Row, pool, seed_rates
from uamsim.reporting.statistics import Estimate, difference, over_seeds, paired_difference, wider

Verdict = Literal["supported", "contradicted", "unresolved", "not run"]
MARGIN = 0.10
"""Success rates closer than this count as "on par" or "close"."""

Policy = tuple[str, str]
"""A variant and how its E_sem was treated."""


def compare_success(
    results: Results,
    a: Policy,
    b: Policy,
    splits: Sequence[str] = (IN_DOMAIN,),
    *,
    confidence: float = 0.95,
) -> tuple[Estimate, str] | None:
    """Success of ``a`` minus success of ``b`` on the same splits and tasks, and what it is over.

    Several training seeds: the t interval of the differences by seed, widened to what the
    episodes allow. One seed: the same episodes paired where outcomes are recorded, else
    Newcombe's interval of independent rates.
    """
    rows_a, rows_b = results.rows(*a, splits), results.rows(*b, splits)
    shared = {(r["task"], r["split"], r["seed"]) for r in rows_a} & {
        (r["task"], r["split"], r["seed"]) for r in rows_b
    }
    if not shared:
        return None
    cells_a, cells_b = (
        {k: r for r in rows if (k := (r["task"], r["split"], r["seed"])) in shared}
        for rows in (rows_a, rows_b)
    )
    by_episode, basis = _over_episodes(cells_a, cells_b, confidence)
    seeds_a, seeds_b = seed_rates(list(cells_a.values())), seed_rates(list(cells_b.values()))
    if len(seeds_a) < 2:
        return by_episode, basis
    gaps = [seeds_a[seed] - seeds_b[seed] for seed in seeds_a]
    between = over_seeds(gaps, confidence=confidence)
    return wider(between, by_episode), f"{len(gaps)} training seeds, {basis}"


def _over_episodes(
    a: Mapping[tuple[str, str, int], Row], b: Mapping[tuple[str, str, int], Row], confidence: float
) -> tuple[Estimate, str]:
    paired = all(
        len(a[key].get("outcomes", ())) == len(b[key].get("outcomes", ())) > 0 for key in a
    )
    if paired:
        joined = ([o for key in a for o in side[key]["outcomes"]] for side in (a, b))
        estimate = paired_difference(*joined, confidence=confidence)
        return estimate, f"{estimate.n} paired episodes"
    first = pool(list(a.values()), confidence=confidence)
    second = pool(list(b.values()), confidence=confidence)
    return difference(first, second), f"{first.n} and {second.n} episodes"


def greater(gap: Estimate, *, by: float = 0.0) -> Verdict:
    """Whether a difference lies above ``by``; contradicted where it lies below."""
    if gap.interval is None:
        return "unresolved"
    low, high = gap.interval
    return "supported" if low > by else "contradicted" if high < by else "unresolved"


def similar(gap: Estimate, margin: float = MARGIN) -> Verdict:
    """Whether a difference lies within the margin; contradicted where it lies outside."""
    if gap.interval is None:
        return "unresolved"
    low, high = gap.interval
    if -margin < low and high < margin:
        return "supported"
    return "contradicted" if low > margin or high < -margin else "unresolved"


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
