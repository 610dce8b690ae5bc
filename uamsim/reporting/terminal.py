"""Comparisons of two policies as lines of text."""

from collections.abc import Sequence

from uamsim.statistics.paired import Comparison


def comparison_lines(found: Sequence[Comparison], alpha: float) -> list[str]:
    """A table with a row a split, and what its columns mean.

    Args:
        found: one comparison a split.
        alpha: that they were made with.
    """
    return [*_table(found), "", *_notes(found, alpha)]


def _table(found: Sequence[Comparison]) -> list[str]:
    head = ["split", "episodes", "first", "second", "second - first", "p", "sequential test"]
    rows = [
        [
            c.split,
            str(c.episodes),
            *(f"{100 * r.rate:.0f}% {_range(r.ci_low, r.ci_high)}" for r in (c.first, c.second)),
            f"{100 * c.difference:+.0f} {_range(c.ci_low, c.ci_high, sign=True)}",
            f"{c.p_value:.3g}",
            _verdict(c),
        ]
        for c in found
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]


def _verdict(c: Comparison) -> str:
    said = {"first": "first is better", "second": "second is better"}.get(c.verdict, c.verdict)
    when = "" if c.decided_after is None else f" after {c.decided_after}"
    return f"{said}{when} {_range(c.sequence_low, c.sequence_high, sign=True)}"


def _notes(found: Sequence[Comparison], alpha: float) -> list[str]:
    confidence = f"{100 * (1 - alpha):g}%"
    lines = [
        f"{confidence} intervals in points: Wilson's of a rate, Bonett and Price's of the "
        "difference,",
        "a confidence sequence's beside the sequential verdict. p is McNemar's, exact.",
    ]
    if len(found) > 1:
        lines.append(
            f"alpha {alpha:g} holds for each split by itself: for all {len(found)} together, ask "
            f"with --alpha {alpha / len(found):.2g}."
        )
    return lines


def _range(low: float, high: float, *, sign: bool = False) -> str:
    form = "+.0f" if sign else ".0f"
    return f"[{100 * low:{form}}, {100 * high:{form}}]"
