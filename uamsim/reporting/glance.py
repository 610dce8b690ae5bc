"""What a report says first: who keeps what, and who acts how well, in and out of distribution."""

import itertools
from collections.abc import Callable, Sequence

from uamsim.contract import IN_DOMAIN
from uamsim.reporting.comparisons import Policy, compare_success
from uamsim.reporting.labels import MODE_TITLES, interval_text
from uamsim.reporting.results import KEEPING, Results
from uamsim.reporting.tables import MISSING, Table, rate_cell
from uamsim.statistics import Estimate, over_seeds

Gap = Callable[[Policy, Policy, float], Estimate | None]
"""Value of the second policy minus the first's, with an interval of some confidence."""


def sentences(results: Results) -> list[str]:
    """Three sentences: what is kept of S, success in-domain, success out of distribution."""
    found = [_kept(results), _acted(results, "In-domain success", [IN_DOMAIN])]
    count = len(results.ood_splits)
    if count:
        where = f"Success out of distribution ({count} split{'s' if count > 1 else ''})"
        found.append(_acted(results, where, results.ood_splits))
    return found


def glance_table(results: Results) -> Table:
    """A row a variant: what it is, what it keeps of S, and its success."""
    modes = results.modes
    first = modes[0] if modes else ""
    head = ["variant", "what it is"]
    head += [f"kept of S, {_mode(first)}", "success in-domain", "out of distribution"]
    head += [f"in-domain, {_mode(mode)}" for mode in modes[1:]]
    rows = []
    for variant in results.variants:
        cells = [
            rate_cell(results.kept(variant, first)),
            rate_cell(results.success(variant, first)),
            rate_cell(results.success(variant, first, results.ood_splits)),
            *(rate_cell(results.success(variant, mode)) for mode in modes[1:]),
        ]
        named = [results.variant_title(variant), results.variant_summary(variant) or MISSING]
        rows.append([*named, *cells])
    return Table(
        head=head,
        rows=rows,
        note="Tasks and training seeds pooled, with 95% intervals. Kept is S / S₀ = 1 − Δ, the "
        "share of its score on questions that the VLM keeps. "
        f"Success without a mode: {_mode(first)}.",
        source=("rows", "retention"),
    )


def _mode(mode: str) -> str:
    return MODE_TITLES.get(mode, mode)


def _trained(results: Results) -> list[Policy]:
    """What stands in the plane of success against retention: policies whose E_sem was trained."""
    modes = [mode for mode in results.modes if mode not in KEEPING]
    return [(variant, mode) for variant in results.variants for mode in modes]


def _title(results: Results, policy: Policy) -> str:
    title = results.variant_title(policy[0])
    several = len([mode for mode in results.modes if mode not in KEEPING]) > 1
    return f"{title} ({_mode(policy[1]).removeprefix('E_sem ')})" if several else title


def _kept(results: Results) -> str:
    values = {p: kept for p in _trained(results) if (kept := results.kept(*p)) is not None}
    if not values or results.before is None:
        return "What the VLM keeps was not measured."
    what = f"The share kept of S₀ = {results.before:.2f}"
    sentence = _extremes(results, what, values, _kept_gap(results))
    if max(estimate.n for estimate in values.values()) == 1:
        return f"{sentence}; one training run each gives no interval."
    return f"{sentence}."


def _acted(results: Results, where: str, splits: Sequence[str]) -> str:
    trained = {
        p: rate for p in _trained(results) if (rate := results.success(*p, splits)) is not None
    }
    fixed = {
        v: rate
        for v in results.variants
        if (rate := results.success(v, "frozen", splits)) is not None
    }

    def gap(first: Policy, second: Policy, confidence: float) -> Estimate | None:
        found = compare_success(results, first, second, splits, confidence=confidence)
        return None if found is None else found[0]

    if not trained and not fixed:
        return f"{where} was not measured."
    parts = [_extremes(results, where, trained, gap)] if trained else []
    if fixed:
        best = max(fixed, key=lambda v: fixed[v].value)
        highest = f"{results.variant_title(best)}, {interval_text(fixed[best])}"
        parts.append(f"with E_sem frozen {'' if parts else 'it is '}highest with {highest}")
    return f"{'; '.join(parts) if trained else f'{where}: {parts[0]}'}."


def _extremes(results: Results, what: str, values: dict[Policy, Estimate], gap: Gap) -> str:
    """The highest and the lowest of some values, and whether the run tells them apart.

    They were picked from all, so that their difference has Bonferroni's interval of all pairs.
    """
    ranked = sorted(values, key=lambda policy: -values[policy].value)
    high, low = ranked[0], ranked[-1]
    if len(ranked) == 1:
        return f"{what} is {interval_text(values[high])} with {_title(results, high)}"
    if values[high].value == values[low].value:
        return f"{what} is {interval_text(values[high])} with all {len(ranked)} policies"
    pairs = len(list(itertools.combinations(ranked, 2)))
    between = gap(low, high, 1 - 0.05 / pairs)
    told = ""
    if between is not None and between.is_bounded:
        resolved = "resolves" if between.ci_low > 0 else "does not resolve"
        told = f", a difference that this run {resolved}"
    return (
        f"{what} is highest with {_title(results, high)}, {interval_text(values[high])}, and "
        f"lowest with {_title(results, low)}, {interval_text(values[low])}{told}"
    )


def _kept_gap(results: Results) -> Gap:
    def gap(first: Policy, second: Policy, confidence: float) -> Estimate | None:
        shares = [
            {row["seed"]: 1 - row["delta"] for row in results.retention(*policy)}
            for policy in (first, second)
        ]
        seeds = sorted(shares[0].keys() & shares[1].keys())
        if not seeds:
            return None
        return over_seeds([shares[1][s] - shares[0][s] for s in seeds], confidence=confidence)

    return gap
