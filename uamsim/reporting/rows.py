"""The rows behind figures and tables, as files that a page carries with it."""

import base64
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uamsim.reporting.results import Results

_MEANING = {
    "rows": "success of a policy or control in an environment and split",
    "retention": "S before and after, of a variant, mode and training seed",
    "curves": "S and success of a task at a snapshot during training",
    "costs": "what a training step of a variant costs",
    "interventions": "a policy with tokens hidden from its actions, in a task",
    "goal_accuracy": "predicted goals of a policy that are the ones asked for",
    "suites": "mean over the tasks of a suite, of a policy and split",
    "comparisons": "a policy beside a reference on the same episodes",
    "chains": "tasks in a row, of a policy, environment and split",
    "published": "what a paper prints of chains",
    "gate": "a check of the generator",
    "goals": "a predicted goal",
}


@dataclass(frozen=True, kw_only=True)
class RowFile:
    """One part of results.json as a table.

    Attributes:
        name: of the part.
        meaning: of one row.
        count: of rows.
        uri: the CSV file as a data URI.
    """

    name: str
    meaning: str
    count: int
    uri: str


def row_files(results: Results) -> list[RowFile]:
    """Every part that has rows."""
    parts: dict[str, Sequence[Mapping[str, Any]]] = {
        **{name: results.raw.get(name, ()) for name in _MEANING},
        "gate": results.raw.get("gate", {}).get("checks", ()),
        "goals": results.raw.get("media", {}).get("goals", ()),
    }
    return [
        RowFile(name=name, meaning=_MEANING[name], count=len(rows), uri=_data_uri(to_csv(rows)))
        for name, rows in parts.items()
        if rows
    ]


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the columns that any of them has; lists of outcomes as 0 and 1, null as nothing."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({column: _field(value) for column, value in row.items()})
    return text.getvalue()


def _field(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(item, bool) for item in value):
        return "".join(str(int(item)) for item in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _data_uri(text: str) -> str:
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode("ascii")
