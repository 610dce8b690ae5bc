"""Chains of tasks as the papers' tables have them, with published rows beside ours."""

from collections.abc import Mapping, Sequence
from typing import Any

from uamsim.contract import EpisodeRecord, in_a_row
from uamsim.reporting.paper import chain_rows as published_rows
from uamsim.statistics import chain_result, is_chain

IN_DOMAIN = "in_domain"


def chain_rows(
    records: Sequence[EpisodeRecord], controls: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    """Rates of 1, 2, ... tasks in a row and their average, of every policy, environment and split.

    Args:
        records: of any environments; those that are no chains are left out.
        controls: name of a policy -> which control it is, None for the policy itself.
    """
    groups: dict[tuple[str, str, str], list[EpisodeRecord]] = {}
    for record in filter(is_chain, records):
        key = (record.policy, record.env_id, record.split)
        groups.setdefault(key, []).append(record)
    return [
        {
            "policy": policy,
            "control": controls[policy],
            "env_id": env_id,
            "split": split,
            **chain_result(found).to_row(),
            "tasks": len(found[0].stages),
        }
        for (policy, env_id, split), found in groups.items()
    ]


def published(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What papers print for the environments of ``chain_rows``, where they are not perturbed."""
    plain = dict.fromkeys(row["env_id"] for row in rows if row["split"] == IN_DOMAIN)
    return [
        {"env_id": env_id, **row}
        for env_id in plain
        for row in published_rows(env_id.rpartition(":")[2])
    ]


def chain_lines(
    rows: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> list[str]:
    """A table for a terminal for each environment: measured rows, then published ones."""
    lines = []
    for env_id in dict.fromkeys(row["env_id"] for row in rows):
        own = [row for row in rows if row["env_id"] == env_id]
        counts = range(1, own[0]["tasks"] + 1)
        cells = [["tasks in a row", "split", "chains", *map(str, counts), "average", "of all"]]
        for row in own:
            cells.append(
                [
                    row["control"] or row["policy"],
                    row["split"],
                    str(row["chains"]),
                    *(f"{row[in_a_row(count)]:.3f}" for count in counts),
                    f"{row['length']:.2f}",
                    f"{row['length'] / row['tasks']:.3f}",
                ]
            )
            low, high = ([row[f"{in_a_row(c)}_{end}"] for c in counts] for end in ("low", "high"))
            between = [f"{a:.2f}-{b:.2f}" for a, b in zip(low, high, strict=True)]
            length = f"{row['length_low']:.2f}-{row['length_high']:.2f}"
            cells.append(["  95% interval", "", "", *between, length, ""])
        for row in others:
            if row["env_id"] == env_id:
                mark = "*" if row["reproduced"] else ""
                cells.append(
                    [
                        f"published ({row['paper']}): {row['method']}{mark}",
                        f"{row['trained_on']}->D",
                        "",
                        *(_number(value, 3) for value in row["in_a_row"]),
                        _number(row["length"], 2),
                        _number(row["completed"], 3),
                    ]
                )
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines += ["", env_id]
        lines += ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
        if any(row["reproduced"] for row in others if row["env_id"] == env_id):
            lines.append(
                "Published rows were not run here. * run by that paper's authors; its other rows "
                "are copied there from the methods' own papers."
            )
    return lines


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
