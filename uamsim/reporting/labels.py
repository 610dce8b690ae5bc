"""How things are called and coloured in tables and figures, and how numbers are written."""

from collections.abc import Callable

from uamsim.statistics import Estimate

_VARIANT_TITLES = {
    "no_dorsal": "No dorsal expert",
    "random_init": "Random init",
    "vlm_init_vision": "VLM init, vision (2a)",
    "vlm_init_query": "VLM init, query (2b)",
    "gen_init": "Gen init (3a)",
    "uam": "UAM (3b)",
    "mlp_head": "MLP head",
}
DESIGN = {
    "no_dorsal": "no E_dor",
    "random_init": "random, vision, none",
    "vlm_init_vision": "VLM, vision, none",
    "vlm_init_query": "VLM, queries, none",
    "gen_init": "generator, vision, none",
    "uam": "generator, vision, dynamics",
    "mlp_head": "no E_dor, no E_act",
}
"""Table 1's columns: initialisation of E_dor, its input, auxiliary loss."""

MODE_TITLES = {
    "unfrozen": "E_sem unfrozen",
    "frozen": "E_sem frozen",
    "cotrained": "E_sem co-trained",
    "insulated": "E_sem insulated",
    "restored": "E_sem put back",
}
_SPLIT_TITLES = {
    "in_domain": "in-domain",
    "novel_object": "novel object",
    "novel_pair": "novel pair",
    "distractors": "distractors",
    "chinese": "Chinese",
    "pinyin": "pinyin",
    "code_mix": "code-mixing",
}

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_VARIANT_COLOURS = {
    "no_dorsal": "#7f7f7f",
    "random_init": "#E69F00",
    "vlm_init_vision": "#56B4E9",
    "vlm_init_query": "#009E73",
    "gen_init": "#CC79A7",
    "uam": "#D55E00",
    "mlp_head": "#0072B2",
}
_SPARE_COLOURS = ("#B8A900", "#8C564B", "#9467BD")
VARIANT_MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">", "h")
MODE_HATCHES = {
    "unfrozen": "",
    "frozen": "////",
    "cotrained": "++",
    "insulated": "xx",
    "restored": "....",
}


def variant_title(variant: str) -> str:
    """A variant's name for readers; an unknown one keeps its own."""
    return _VARIANT_TITLES.get(variant, variant.replace("_", " "))


def split_title(split: str) -> str:
    """A split's name for readers."""
    return _SPLIT_TITLES.get(split, split.replace("_", " "))


def task_title(task: str) -> str:
    """A task's name for readers."""
    return task.replace("_", " ")


def variant_colours(variants: list[str]) -> dict[str, str]:
    """One colour a variant, the same in every figure."""
    spare = iter(_SPARE_COLOURS * (1 + len(variants)))
    return {v: _VARIANT_COLOURS.get(v) or next(spare) for v in variants}


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
