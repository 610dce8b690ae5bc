"""Results as lines of text for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from uamsim.contract import in_a_row

Row = Mapping[str, Any]


def comparison_lines(found: Sequence[Row], alpha: float) -> list[str]:
    """A table of two policies with a row a split, and what its columns mean.

    Args:
        found: one comparison a split, as ``Comparison.to_row``.
        alpha: that they were made with.
    """
    head = ["split", "episodes", "first", "second", "second - first", "p", "sequential test"]
    rows = [
        [
            row["split"],
            str(row["episodes"]),
            *(
                f"{100 * row[f'{side}_rate']:.0f}% "
                + _range(row[f"{side}_ci_low"], row[f"{side}_ci_high"])
                for side in ("first", "second")
            ),
            f"{100 * row['difference']:+.0f} {_range(row['ci_low'], row['ci_high'], sign=True)}",
            f"{row['p_value']:.3g}",
            _verdict(row),
        ]
        for row in found
    ]
    return [*_aligned([head, *rows]), "", *_notes(found, alpha)]


def _verdict(row: Row) -> str:
    verdicts = {"first": "first is better", "second": "second is better"}
    said = verdicts.get(row["verdict"], row["verdict"])
    when = "" if row["decided_after"] is None else f" after {row['decided_after']}"
    return f"{said}{when} {_range(row['sequence_low'], row['sequence_high'], sign=True)}"


def _notes(found: Sequence[Row], alpha: float) -> list[str]:
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


def rate_lines(rows: Sequence[Row], suites: Sequence[Row]) -> list[str]:
    """A table of rates, then of the means of suites that have several tasks.

    Args:
        rows: of ``results.json``.
        suites: likewise.
    """
    alone = len({row["policy"] for row in rows if not row["control"]}) < 2
    lines = [["policy", "task", "split", "success", "95% interval"]]
    several = [row for row in suites if row["tasks"] > 1]
    for row in [*rows, *several]:
        task, rate = row.get("task"), f"{row['rate']:.2f}"
        lines.append(
            [
                row["control"] or ("policy" if alone else row["policy"]),
                task or f"mean of {row['tasks']}, {row['suite']}",
                row["split"],
                f"{row['successes']}/{row['episodes']} = {rate}" if task else rate,
                f"{row['ci_low']:.2f} to {row['ci_high']:.2f}",
            ]
        )
    return _aligned(lines)


def chain_lines(rows: Sequence[Row], published: Sequence[Row]) -> list[str]:
    """A table for each environment of chains: measured rows, then what papers print."""
    lines = []
    for env_id in dict.fromkeys(row["env_id"] for row in rows):
        own = [row for row in rows if row["env_id"] == env_id]
        others = [row for row in published if row["env_id"] == env_id]
        counts = range(1, own[0]["tasks"] + 1)
        head = ["tasks in a row", "split", "chains", *map(str, counts), "average", "of all"]
        measured = [line for row in own for line in _chain_cells(row, counts)]
        lines += ["", env_id, *_aligned([head, *measured, *map(_published_cells, others)])]
        if any(row["reproduced"] for row in others):
            lines.append(
                "Published rows were not run here. * run by that paper's authors; its other rows "
                "are copied there from the methods' own papers."
            )
    return lines


def _chain_cells(row: Row, counts: Sequence[int]) -> list[list[str]]:
    """A row and the intervals below it."""
    names = [in_a_row(count) for count in counts]
    values = [
        row["control"] or row["policy"],
        row["split"],
        str(row["chains"]),
        *(f"{row[name]:.3f}" for name in names),
        f"{row['length']:.2f}",
        f"{row['length'] / row['tasks']:.3f}",
    ]
    between = [f"{row[f'{name}_low']:.2f}-{row[f'{name}_high']:.2f}" for name in names]
    length = f"{row['length_low']:.2f}-{row['length_high']:.2f}"
    return [values, ["  95% interval", "", "", *between, length, ""]]


def _published_cells(row: Row) -> list[str]:
    def number(value: float | None, digits: int) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    return [
        f"published ({row['paper']}): {row['method']}{'*' if row['reproduced'] else ''}",
        f"{row['trained_on']}->D",
        "",
        *(number(value, 3) for value in row["in_a_row"]),
        number(row["length"], 2),
        number(row["completed"], 3),
    ]


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
