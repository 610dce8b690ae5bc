"""The report's figures, drawn by matplotlib."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from uamsim.contract import IN_DOMAIN
from uamsim.reporting.comparisons import Policy
from uamsim.reporting.labels import (
    MODE_HATCHES,
    MODE_TITLES,
    VARIANT_MARKERS,
)
from uamsim.reporting.results import Results, pool
from uamsim.reporting.svg import INK, error_bars, new_figure, percent_axis, style
from uamsim.reporting.tradeoff import tradeoff
from uamsim.statistics import Estimate

_LACKING = {"blind": ("o", -0.28), "deaf": ("^", 0.0), "shuffled": ("s", 0.28)}
"""Marker of a policy that lacks a sense or is told something else, and its place on the policy's
bar, in bar widths."""

Drawing = Callable[[Results], Figure | None]
SOURCES = {
    "sweep": ("rows",),
    "tradeoff": ("rows", "retention"),
    "training": ("curves",),
    "budget": ("curves", "costs"),
    "ood": ("rows",),
}
"""Figure, or what its name begins with -> the parts of results.json that it draws."""
PROBE = "restored"
"""The mode that is a row of a table alone: E_act was never trained with that E_sem."""


def figures(results: Results) -> dict[str, Figure]:
    """Every figure that these results can fill, by name."""
    drawings: dict[str, Drawing] = {
        "sweep": sweep,
        "tradeoff": tradeoff,
        "tradeoff_narrow": lambda results: tradeoff(results, narrow=True),
        "training": training,
        "budget": budget,
        **{f"ood_{mode}": _ood_drawing(mode) for mode in results.modes if mode != PROBE},
    }
    drawn = {}
    for name, draw in drawings.items():
        with style(name):
            figure = draw(results)
        if figure is not None:
            drawn[name] = figure
    return drawn


def _bar(axes: Axes, x: float, width: float, estimate: Estimate, colour: str, hatch: str) -> None:
    axes.bar(
        x,
        estimate.value,
        width,
        facecolor=colour,
        edgecolor=INK if hatch else colour,
        linewidth=0.6,
        alpha=0.85,
        hatch=hatch,
    )
    errors = error_bars(estimate)
    if errors is not None:
        axes.errorbar(x, estimate.value, yerr=errors, color=INK, capsize=2, linewidth=1)


def _wrap(title: str) -> str:
    """Breaks a variant's name over two or three lines for an axis."""
    return (
        title.replace(" (", "\n(").replace(", ", ",\n").replace("dorsal expert", "dorsal\nexpert")
    )


def sweep(results: Results) -> Figure | None:
    """Fig. 4: success of each variant, E_sem unfrozen and frozen, in-domain and beyond."""
    panels = [("In-domain", [IN_DOMAIN])]
    if results.ood_splits:
        panels.append(("Out of distribution, all splits pooled", results.ood_splits))
    modes = [mode for mode in results.modes if mode != PROBE]
    if not any(results.rows(v, m, s) for _, s in panels for v in results.variants for m in modes):
        return None
    colours = results.variant_colours
    figure = new_figure(10, 3.1 * len(panels))
    for axes, (title, splits) in zip(
        np.atleast_1d(figure.subplots(len(panels), 1)), panels, strict=True
    ):
        width = 0.8 / len(modes)
        for i, variant in enumerate(results.variants):
            for j, mode in enumerate(modes):
                estimate = results.success(variant, mode, splits)
                if estimate is not None:
                    x = i + (j - (len(modes) - 1) / 2) * width
                    _bar(axes, x, width * 0.9, estimate, colours[variant], MODE_HATCHES[mode])
                    _mark_controls(axes, results, splits, (x, width), (variant, mode))
        axes.set_title(title, loc="left")
        axes.set_xticks(
            range(len(results.variants)),
            [_wrap(results.variant_title(v)) for v in results.variants],
        )
        axes.set_xlim(-0.6, len(results.variants) - 0.4)
        axes.set_ylim(0, 1.02)
        axes.set_ylabel("success")
        axes.grid(visible=False, axis="x")
        percent_axis(axes)
        _mark_random(axes, results, splits, -0.5, len(results.variants) - 0.5)
    handles = [
        Patch(
            facecolor="#b0b0b0", edgecolor=INK, linewidth=0.6, hatch=MODE_HATCHES[m],
            label=MODE_TITLES[m],
        )
        for m in modes
    ] + _control_handles(results, modes)  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _mark_controls(
    axes: Axes, results: Results, splits: Sequence[str], bar: tuple[float, float], policy: Policy
) -> None:
    """The rates of the policy's own controls, on its bar at (x, width)."""
    for name, (marker, shift) in _LACKING.items():
        rows = [
            row
            for row in results.controls
            if (row["control"], row["variant"], row["e_sem"]) == (name, *policy)
            and row["split"] in splits
        ]
        if rows:
            x = bar[0] + shift * bar[1]
            axes.plot(
                x,
                pool(rows).value,
                marker,
                color="white",
                markeredgecolor="black",
                markersize=6,
                clip_on=False,
                zorder=4,
            )


def _mark_random(
    axes: Axes, results: Results, splits: Sequence[str], start: float, end: float
) -> None:
    """A dotted line at the success of random actions."""
    rows = [r for r in results.controls if r["control"] == "random" and r["split"] in splits]
    if rows:
        axes.hlines(pool(rows).value, start, end, color=INK, linestyle=":", linewidth=1.5)


def _control_handles(results: Results, modes: Sequence[str]) -> list[Artist]:
    present = {row["control"] for row in results.controls if row["e_sem"] in (None, *modes)}
    handles: list[Artist] = [
        Line2D([], [], linestyle="", marker=marker, color="white", markeredgecolor=INK,
               label=f"{name} control")
        for name, (marker, _) in _LACKING.items() if name in present
    ]  # fmt: skip
    if "random" in present:
        handles.append(Line2D([], [], color=INK, linestyle=":", label="random actions"))
    return handles


def training(results: Results) -> Figure | None:
    """S against success along training, so that variants compare at matched success."""
    curves = {
        variant: [c for seed in results.seeds if (c := results.curve(variant, "unfrozen", seed))]
        for variant in results.variants
    }
    curves = {v: c for v, c in curves.items() if c}
    if not curves:
        return None
    colours = results.variant_colours
    figure = new_figure(10, 4.6)
    axes = figure.subplots()
    for variant, runs in curves.items():
        i = results.variants.index(variant)
        for run in runs if len(runs) > 1 else ():
            axes.plot([p[1] for p in run], [p[2] for p in run], color=colours[variant],
                      linewidth=0.8, alpha=0.35)  # fmt: skip
        mean = _mean_curve(runs)
        x, y = [p[1] for p in mean], [p[2] for p in mean]
        axes.plot(x, y, color=colours[variant], linewidth=2, label=results.variant_title(variant))
        axes.scatter(
            x,
            y,
            s=[25 + 60 * (k + 1) / len(x) for k in range(len(x))],
            marker=VARIANT_MARKERS[i % len(VARIANT_MARKERS)],
            color=colours[variant],
            zorder=3,
        )
    start = [row["S0"] for row in results.raw["retention"]]
    if start:
        axes.axhline(float(np.mean(start)), color=INK, linestyle=":", linewidth=1,
                     label="S₀, before tuning")  # fmt: skip
    floors = [s["floor"] for row in results.raw["retention"] for s in row["skills"].values()]
    mean_floor = [float(np.mean(floors))] if floors else []
    for floor in mean_floor:
        axes.axhline(floor, color=INK, linestyle="--", linewidth=1,
                     label="blind floor")  # fmt: skip
    axes.set_xlabel("in-domain success, tasks pooled   →  better")
    axes.set_ylabel("S   →  better")
    low = min([p[2] for runs in curves.values() for run in runs for p in run] + mean_floor)
    axes.set_ylim(max(0.0, low - 0.06), 1.0)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def budget(results: Results) -> Figure | None:
    """Success along training against steps, and against floating-point operations."""
    costs = {
        (row["variant"], row["e_sem"]): row["flops_per_step"]
        for row in results.raw.get("costs", ())
    }
    means = {
        (variant, mode): _mean_curve(runs)
        for variant in results.variants
        for mode in results.modes
        if (runs := [c for seed in results.seeds if (c := results.curve(variant, mode, seed))])
        and (variant, mode) in costs
    }
    if not means:
        return None
    figure = new_figure(10, 4.1)
    panels = figure.subplots(1, 2, sharey=True)
    for (variant, mode), mean in means.items():
        look = {
            "color": results.variant_colours[variant],
            "marker": VARIANT_MARKERS[results.variants.index(variant) % len(VARIANT_MARKERS)],
            "linestyle": "-" if mode == "unfrozen" else "--",
        }
        steps, success = [p[0] for p in mean], [p[1] for p in mean]
        panels[0].plot(steps, success, **look)
        panels[1].plot([costs[variant, mode] * step for step in steps], success, **look)
    panels[0].set_xlabel("training steps")
    panels[1].set_xlabel("floating-point operations of training")
    panels[0].set_ylabel("in-domain success   →  better")
    for axes in panels:
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlim(left=0)
        percent_axis(axes)
    handles = [
        Line2D([], [], linestyle="-", color=results.variant_colours[v],
               label=results.variant_title(v),
               marker=VARIANT_MARKERS[results.variants.index(v) % len(VARIANT_MARKERS)])
        for v in dict.fromkeys(variant for variant, _ in means)
    ]  # fmt: skip
    if any(mode != "unfrozen" for _, mode in means):
        handles.append(Line2D([], [], linestyle="--", color=INK, label="E_sem not unfrozen"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))
    return figure


def _mean_curve(runs: Sequence[list[tuple[int, float, float]]]) -> list[tuple[int, float, float]]:
    steps = sorted(set.intersection(*({p[0] for p in run} for run in runs)))
    return [
        (
            step,
            float(np.mean([p[1] for run in runs for p in run if p[0] == step])),
            float(np.mean([p[2] for run in runs for p in run if p[0] == step])),
        )
        for step in steps
    ]


def _ood_drawing(mode: str) -> Drawing:
    return lambda results: ood(results, mode)


def ood(results: Results, mode: str) -> Figure | None:
    """Fig. 5: splits by variants, with intervals and the controls as lines."""
    shown = [v for v in results.variants if results.rows(v, mode, results.splits)]
    if not shown or not results.ood_splits:
        return None
    colours = results.variant_colours
    half = (len(results.splits) + 1) // 2
    lines = [results.splits[:half], results.splits[half:]] if half > 2 else [results.splits]
    figure = new_figure(10, 2.7 * len(lines))
    width = 0.86 / len(shown)
    for axes, splits in zip(np.atleast_1d(figure.subplots(len(lines), 1)), lines, strict=True):
        for i, split in enumerate(splits):
            for j, variant in enumerate(shown):
                estimate = results.success(variant, mode, [split])
                if estimate is not None:
                    x = i + (j - (len(shown) - 1) / 2) * width
                    _bar(axes, x, width * 0.88, estimate, colours[variant], "")
                    _mark_controls(axes, results, [split], (x, width), (variant, mode))
            _mark_random(axes, results, [split], i - 0.46, i + 0.46)
        axes.set_xticks(range(len(splits)), [results.split_title(s) for s in splits])
        axes.set_xlim(-0.6, len(lines[0]) - 0.4)
        axes.set_ylim(0, 1.02)
        axes.set_ylabel("success")
        axes.grid(visible=False, axis="x")
        percent_axis(axes)
    handles: list[Artist] = [
        Patch(color=colours[v], alpha=0.85, label=results.variant_title(v)) for v in shown
    ]
    handles += _control_handles(results, [mode])
    figure.legend(handles=handles, loc="outside upper center", ncols=min(5, len(handles)))
    return figure
