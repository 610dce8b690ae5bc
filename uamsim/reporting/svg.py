"""The look of the report's figures, and their SVG text.

Text stays text. A page's figures take the page's colours, so that one picture reads in light and
in dark.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

from uamsim.statistics import Estimate

# Stand-ins, replaced in the SVG text by what the page or the file needs.
INK, _GRID = "#0a0b0c", "#d0d1d2"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "hatch.linewidth": 0.8,
    "hatch.color": INK,
}


@contextmanager
def style(salt: str) -> Iterator[None]:
    """Draws and saves in the report's style; ``salt`` decides the ids in the SVG."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": salt}):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, its size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def percent_axis(axes: Axes, *, axis: str = "y") -> None:
    """Writes shares as percent, a tick every 20."""
    which = axes.yaxis if axis == "y" else axes.xaxis
    which.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    which.set_major_locator(MultipleLocator(0.2))


def error_bars(estimate: Estimate) -> list[list[float]] | None:
    """What ``errorbar`` takes for an interval; None where there is none."""
    if not estimate.is_bounded:
        return None
    below, above = estimate.value - estimate.ci_low, estimate.ci_high - estimate.value
    return [[max(0.0, below)], [max(0.0, above)]]


def to_svg(figure: Figure, *, salt: str) -> str:
    """The figure as SVG text with stand-in colours; ``inline`` and ``standalone`` finish it."""
    buffer = io.StringIO()
    with style(salt):
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            bbox_inches="tight",
            metadata={"Date": None, "Creator": None},
        )
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def inline(svg: str, *, salt: str, label: str = "") -> str:
    """For a page: it takes the page's colours, and its ids differ from other figures'.

    Args:
        svg: of ``to_svg``.
        salt: what its ids begin with.
        label: what it shows, for readers who do not see it.
    """
    if label:
        svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
    svg = svg.replace(INK, "currentColor").replace(_GRID, "var(--grid)")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{salt}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{salt}-\1)", svg)
    return re.sub(r'href="#([^"]+)"', rf'href="#{salt}-\1"', svg)


def standalone(svg: str) -> str:
    """For a file: dark text on a white ground."""
    end = svg.index(">") + 1
    return f'{svg[:end]}<rect width="100%" height="100%" fill="#ffffff"/>{svg[end:]}'
