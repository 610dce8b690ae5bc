"""How things are called and coloured in tables and figures, and how numbers are written."""

from collections.abc import Callable, Sequence

from uamsim.statistics import Estimate

MODE_TITLES = {
    "unfrozen": "E_sem unfrozen",
    "frozen": "E_sem frozen",
    "cotrained": "E_sem co-trained",
    "insulated": "E_sem insulated",
    "restored": "E_sem put back",
}
# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = (
    *("#7f7f7f", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2"),
    *("#B8A900", "#8C564B", "#9467BD", "#17202A", "#7FB800", "#F4A6A6"),
)
VARIANT_MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">", "h", "p", "*", "d")
MODE_HATCHES = {
    "unfrozen": "",
    "frozen": "////",
    "cotrained": "++",
    "insulated": "xx",
    "restored": "....",
}


def spoken(name: str) -> str:
    """A name for readers where nobody gives it a title."""
    return name.replace("_", " ")


def colours(names: Sequence[str]) -> dict[str, str]:
    """One colour each, by place."""
    return {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(names)}


def interval_text(estimate: Estimate, *, percent: bool = True) -> str:
    """Writes "74% [66, 81]", or "0.42 [0.31, 0.53]"; without an interval only the value."""
    if percent:
        return _with_ends(f"{100 * estimate.value:.0f}%", estimate, lambda v: f"{100 * v:.0f}")
    return _with_ends(_signed(f"{estimate.value:.2f}"), estimate, lambda v: _signed(f"{v:.2f}"))


def points(estimate: Estimate, *, sign: bool = True) -> str:
    """A difference in percentage points, "+12.0 [+3.1, +21.3] points"."""
    form = "+.1f" if sign else ".1f"

    def write(value: float) -> str:
        return _signed(format(100 * value + 0.0, form))

    return _with_ends(write(estimate.value), estimate, write) + " points"


def _with_ends(text: str, estimate: Estimate, write: Callable[[float], str]) -> str:
    if not estimate.is_bounded:
        return text
    return f"{text} [{write(estimate.ci_low)}, {write(estimate.ci_high)}]"


def duration(seconds: float) -> str:
    """Writes "3 h 05 min", "12 min 30 s" or "4.2 s"."""
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{seconds:.1f} s"


def _signed(text: str) -> str:
    """The typographic minus, and no sign before nought."""
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")
    return text.replace("-", "−")
