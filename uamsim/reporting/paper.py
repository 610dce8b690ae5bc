"""The paper's own numbers: cells as printed, and what follows from them, computed."""

import functools
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np

from uamsim.contract import IN_DOMAIN

MME_MAX = 2800
"""Perception and cognition together."""


@functools.cache
def printed() -> dict[str, Any]:
    """The tables of ``paper.json``."""
    text = resources.files("uamsim.reporting").joinpath("paper.json").read_text("utf-8")
    return json.loads(text)


def semantic_score(row: dict[str, Any]) -> float:
    """S of a row of Table 3 in percent: the mean of MME in percent, MMMU and MMBench."""
    return float(np.mean([100 * row["MME"] / MME_MAX, row["MMMU"], row["MMBench"]]))


def table_3(variant: str, e_sem: str) -> dict[str, tuple[float, float, float]]:
    """VLM -> action score, S and Δ of one row of Table 3; empty where the paper has none.

    Action and S are in percent. Δ = 1 - S / S₀, and S₀ is S of the row whose VLM was frozen.
    """
    rows = printed()["table_3"]
    before = {row["vlm"]: semantic_score(row) for row in rows if row["e_sem"] == "frozen"}
    return {
        row["vlm"]: (row["action"], score, 1 - score / before[row["vlm"]])
        for row in rows
        if (row["variant"], row["e_sem"]) == (variant, e_sem)
        for score in [semantic_score(row)]
    }


def retention() -> dict[str, float]:
    """Table 2: each benchmark of UAM as a share of BAGEL, where both have a cell."""
    before, after = printed()["table_2"]["BAGEL"], printed()["table_2"]["UAM"]
    return {name: after[name] / value for name, value in before.items()}


def mean_retention() -> float:
    """Of Table 2, every benchmark with the same weight."""
    return float(np.mean(list(retention().values())))


def table_4() -> dict[str, float]:
    """Variant -> milliseconds a chunk at the paper's size on its GPU."""
    return {row["variant"]: row["ms"] for row in printed()["table_4"] if row["variant"]}


_ARCHITECTURES = {"mlp_head": "MLP head", "no_dorsal": "MoT"}


def chain_rows(environment: str) -> list[dict[str, Any]]:
    """What papers print of chains of tasks in an environment; nothing for any but CALVIN's D.

    Args:
        environment: its id, without a package.

    Returns:
        For each row ``paper``, ``method``, ``trained_on`` (scenes), ``reproduced`` (run by the
        paper's authors, not copied from the method's own), ``in_a_row`` (rates of 1 to 5),
        ``length`` (average) and ``completed`` (normalized completion rate, in parts of 1); None
        where the paper does not print it.
    """
    table = printed()["calvin"]
    if environment != table["environment"]:
        return []
    rows = [
        {
            "paper": "UP-VLA",
            "method": row["method"],
            "trained_on": row["trained_on"],
            "reproduced": row.get("reproduced", False),
            "in_a_row": row["in_a_row"],
            "length": row["length"],
            "completed": None,
        }
        for row in table["rows"]
    ]
    for row in printed()["table_3"]:
        frozen = ", frozen VLM" if row["e_sem"] == "frozen" else ""
        rows.append(
            {
                "paper": "UAM",
                "method": f"{row['vlm']} + {_ARCHITECTURES[row['variant']]}{frozen}",
                "trained_on": "ABC",
                "reproduced": False,
                "in_a_row": [None] * 5,
                "length": None,
                "completed": row["action"] / 100,
            }
        )
    return rows


def published(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What papers print for environments of chains, where they are not perturbed.

    Args:
        rows: the chains of ``results.json``.
    """
    plain = dict.fromkeys(row["env_id"] for row in rows if row["split"] == IN_DOMAIN)
    return [
        {"env_id": env_id, **row}
        for env_id in plain
        for row in chain_rows(env_id.rpartition(":")[2])
    ]
