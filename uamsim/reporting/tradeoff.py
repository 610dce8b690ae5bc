"""The one figure: success against retention, in-domain and out of distribution."""

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, PercentFormatter

from uamsim.contract import IN_DOMAIN
from uamsim.reporting.labels import MODE_TITLES, VARIANT_MARKERS
from uamsim.reporting.results import KEEPING, Results
from uamsim.reporting.svg import INK, error_bars, new_figure, percent_axis
from uamsim.statistics import Estimate

_BAND = 0.3
"""Width of the band of frozen policies, as a share of the plane's."""


def tradeoff(results: Results, *, narrow: bool = False) -> Figure | None:
    """One point a variant, with its intervals; a panel in-domain and one for all other splits.

    A policy whose E_sem is frozen keeps S by construction: those stand side by side in a band at
    the right, hollow.

    Args:
        results: of a run.
        narrow: one panel above the other, for a narrow page.

    Returns:
        None where no variant has both success and retention.
    """
    panels = [("In-domain", [IN_DOMAIN])]
    if results.ood_splits:
        panels.append(("Out of distribution, all splits pooled", results.ood_splits))
    kept = {
        (variant, mode): estimate
        for variant in results.variants
        for mode in results.modes
        if mode not in KEEPING
        and results.success(variant, mode) is not None
        and (estimate := results.kept(variant, mode)) is not None
    }
    if not kept:
        return None
    count = len(panels)
    figure = new_figure(4.4, 3.4 * count + 1.2) if narrow else new_figure(10, 4.1)
    shape = (count, 1) if narrow else (1, count)
    grid = figure.subplots(*shape, sharey=True, sharex=True, squeeze=False)
    left = _left_end([low for e in kept.values() for low in (e.value, e.ci_low)])
    for axes, (title, splits) in zip(grid.flat, panels, strict=True):
        _panel(axes, results, kept, splits, left)
        axes.set_title(title, loc="left")
    label = "kept of S, S / S₀   →  better"
    for axes in grid[-1]:
        axes.set_xlabel(label)
    for axes in grid[:, 0]:
        axes.set_ylabel("success   →  better")
    handles = _handles(results, list(kept))
    columns = 2 if narrow else min(6, len(handles))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
    return figure


def _left_end(values: Sequence[float]) -> float:
    """The plane's left end: below every value, on a fifth."""
    lowest = min(value for value in values if np.isfinite(value))
    return max(0.0, min(0.8, np.floor((lowest - 0.02) * 5) / 5))


def _panel(
    axes: Axes,
    results: Results,
    kept: dict[tuple[str, str], Estimate],
    splits: Sequence[str],
    left: float,
) -> None:
    width = 1 - left
    for (variant, mode), share in kept.items():
        success = results.success(variant, mode, splits)
        if success is None:
            continue
        _point(axes, results, variant, (share, success))
        if mode != "unfrozen":
            axes.annotate(
                MODE_TITLES.get(mode, mode).removeprefix("E_sem "),
                (share.value, success.value),
                (8, 4),
                textcoords="offset points",
                color=results.variant_colours[variant],
                fontsize=8,
            )
    right = 1 + 0.04 * width
    frozen = [
        (variant, success)
        for variant in results.variants
        if (success := results.success(variant, "frozen", splits)) is not None
    ]
    if "frozen" in results.modes:
        start, right = right, right + _BAND * width
        axes.axvspan(start, right, color=INK, alpha=0.05, linewidth=0)
        axes.annotate(
            "E_sem frozen", ((start + right) / 2, 1.03), ha="center", va="bottom", fontsize=8,
            annotation_clip=False,
        )  # fmt: skip
        for place, (variant, success) in enumerate(frozen):
            x = start + (place + 0.5) / len(frozen) * (right - start)
            at = Estimate(value=x, ci_low=-np.inf, ci_high=np.inf, n=1)
            _point(axes, results, variant, (at, success), hollow=True)
    axes.axvline(1, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xlim(left - 0.02 * width, right)
    axes.set_ylim(-0.03, 1.03)
    percent_axis(axes)
    step = 0.2 if width > 0.45 else 0.1
    axes.xaxis.set_major_locator(FixedLocator(list(np.arange(left, 1.001, step))))
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.tick_params(labelleft=True, labelbottom=True)


def _point(
    axes: Axes,
    results: Results,
    variant: str,
    at: tuple[Estimate, Estimate],
    *,
    hollow: bool = False,
) -> None:
    x, y = at
    axes.errorbar(
        x.value,
        y.value,
        xerr=error_bars(x),
        yerr=error_bars(y),
        fmt=_marker(results, variant),
        color=results.variant_colours[variant],
        markerfacecolor="none" if hollow else results.variant_colours[variant],
        markersize=6 if hollow else 9,
        capsize=2,
        linewidth=1.0 if hollow else 1.3,
    )


def _marker(results: Results, variant: str) -> str:
    return VARIANT_MARKERS[results.variants.index(variant) % len(VARIANT_MARKERS)]


def _handles(results: Results, points: Sequence[tuple[str, str]]) -> list[Artist]:
    drawn = {variant for variant, _ in points} | {
        v for v in results.variants if results.success(v, "frozen") is not None
    }
    return [
        Line2D(
            [], [], linestyle="", marker=_marker(results, v), color=results.variant_colours[v],
            markersize=8, label=results.variant_title(v),
        )
        for v in results.variants
        if v in drawn
    ]  # fmt: skip
