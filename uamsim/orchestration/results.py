"""The parts of results.json that an experiment and an evaluation share."""

from collections.abc import Sequence
from typing import Any, Literal

from uamsim.evaluation.backends.jobs import RolloutJob
from uamsim.evaluation.environments import world_rows
from uamsim.evaluation.tables import Tables
from uamsim.models.variants import VARIANTS
from uamsim.perturbations.splits import find_split
from uamsim.reporting.paper import published
from uamsim.reporting.remarks import control_remarks, not_applicable_remarks
from uamsim.reporting.results import SCHEMA_VERSION


def shared_results(
    kind: Literal["experiment", "evaluation"], tables: Tables, jobs: Sequence[RolloutJob]
) -> dict[str, Any]:
    """What ``results.schema.json`` asks of both, but for the provenance.

    Args:
        kind: which verb it is.
        tables: of all entrants.
        jobs: what ran.
    """
    splits = dict.fromkeys(row["split"] for row in tables.rows)
    # All of them, so that a variant has one colour in every report.
    variants = VARIANTS if any(row["variant"] for row in tables.rows) else {}
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "names": {
            "variants": [
                {"name": name, "title": variant.title, "summary": variant.summary}
                for name, variant in variants.items()
            ],
            "splits": [{"name": name, "title": find_split(name).title} for name in splits],
        },
        "rows": tables.rows,
        "suites": tables.suites,
        "comparisons": tables.comparisons,
        "chains": tables.chains,
        "published": published(tables.chains),
        "not_applicable": tables.not_applicable,
        "warnings": [
            *control_remarks(tables.comparisons, warnings_only=True),
            *not_applicable_remarks(tables.not_applicable),
        ],
        "worlds": world_rows([job.unit for job in jobs]),
    }
