"""Writes report.html and report.md from OUT/results.json and OUT's media."""

from collections import Counter
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from uamsim.reporting import glance, tables
from uamsim.reporting.controls import control_table
from uamsim.reporting.figures import SOURCES, figures
from uamsim.reporting.findings import find
from uamsim.reporting.gate import fails_gate, gate_table, gate_verdict, goal_verdict
from uamsim.reporting.labels import MODE_TITLES, spoken
from uamsim.reporting.media import MediaReader
from uamsim.reporting.remarks import control_remarks, not_applicable_remarks, world_remarks
from uamsim.reporting.results import Results
from uamsim.reporting.rows import row_files
from uamsim.reporting.svg import inline, standalone, to_svg
from uamsim.reporting.tax import tax_table
from uamsim.reporting.through import intervention_table
from uamsim.storage import write_text

_VERDICTS = ("supported", "contradicted", "unresolved", "not tested", "not run")
_UNDECIDED = ("not tested", "not run")
_LABELS = {
    "tradeoff": "Success against the share of S that is kept, one point a variant",
    "sweep": "Success of each variant and mode",
    "training": "S against success along training",
    "budget": "Success against steps and floating-point operations of training",
    "ood": "Success by split",
}


def build_report(out: Path) -> Path:
    """Writes ``report.html``, ``report.md`` and the figures into a run's folder.

    The page holds its figures, pictures and videos and asks for nothing from outside. The
    Markdown points to files in ``OUT/media``.

    Args:
        out: the folder that holds results.json.

    Returns:
        The path of report.html.

    Raises:
        ResultsError: results.json is missing or does not follow its schema.
        StorageError: the report cannot be written.
    """
    results = Results.read(out / "results.json")
    drawn = {name: to_svg(figure, salt=name) for name, figure in figures(results).items()}
    context = _context(results, MediaReader(out))
    context["sources"] = {name: _of_figure(SOURCES, name) for name in drawn}
    page = _render(
        "report.html.j2",
        results,
        context,
        figures={
            name: Markup(inline(svg, salt=name, label=_of_figure(_LABELS, name)))
            for name, svg in drawn.items()
        },
        style=Markup(_template_text("report.css")),
    )
    paths = {name: f"media/{name}.svg" for name in drawn if not name.endswith("_narrow")}
    for name, path in paths.items():
        write_text(out / path, standalone(drawn[name]))
    write_text(out / "report.md", _render("report.md.j2", results, context, figures=paths))
    report = out / "report.html"
    write_text(report, page)
    return report


def _of_figure(values: Mapping[str, Any], name: str) -> Any:
    """What a table says of a figure, found by what the figure's name begins with."""
    return next(value for start, value in values.items() if name.startswith(start))


def _context(results: Results, media: MediaReader) -> dict[str, Any]:
    findings = find(results)
    shown = results.raw.get("media", {})
    counts = Counter(finding.verdict for finding in findings)
    return {
        "experiment": results.raw["experiment"],
        "scale": results.raw["scale"],
        "sentences": glance.sentences(results),
        "glance": glance.glance_table(results),
        "comparable": world_remarks(results.raw["worlds"]),
        "findings": [f for f in findings if f.verdict not in _UNDECIDED],
        "undecided": [f for f in findings if f.verdict in _UNDECIDED],
        "counts": [(verdict, counts[verdict]) for verdict in _VERDICTS],
        "remarks": [
            *control_remarks(results.raw["comparisons"], results.policy_title, warnings_only=True),
            *not_applicable_remarks(results.raw.get("not_applicable", [])),
            *tables.floor_remarks(results),
        ],
        "controls": control_table(results),
        "files": row_files(results),
        "modes": results.modes,
        "gate": gate_table(results),
        "gate_verdict": gate_verdict(results),
        "gate_passed": not fails_gate(results),
        "tax": tax_table(results),
        "through": intervention_table(results),
        "sweep": tables.sweep_table(results),
        "tasks": tables.task_table(results),
        "splits": {mode: tables.split_table(results, mode) for mode in results.modes},
        "chains": tables.chain_table(results),
        "suites": tables.suite_table(results),
        "comparisons": tables.comparison_table(results),
        "skills": tables.skills_table(results),
        "provenance": tables.provenance_table(results),
        "timing": tables.timing_table(results),
        "num_seeds": len(results.seeds),
        "num_ood": len(results.ood_splits),
        "worlds": [media.replace_paths(e, "path") for e in shown.get("worlds", ())],
        "videos": [media.replace_paths(e, "path") for e in shown.get("videos", ())],
        "goals": [
            {"right": None, "instruction": ""}
            | media.replace_paths(e, "current", "true", "predicted")
            for e in shown.get("goals", ())
        ],
        "goal_verdict": goal_verdict(shown.get("goals", ())),
        "attention": [
            media.replace_paths(e, "image", "e_sem_map", "e_dor_map")
            for e in shown.get("attention", ())
        ],
    }


def _template_text(name: str) -> str:
    folder = resources.files("uamsim.reporting") / "templates"
    return folder.joinpath(name).read_text("utf-8")


def _render(name: str, results: Results, context: dict[str, Any], **more: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template_text),
        autoescape=name.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        variant=results.variant_title,
        split=results.split_title,
        task=spoken,
        mode=lambda mode: MODE_TITLES.get(mode, mode),
        cell=lambda text: str(text).replace("|", "\\|").replace("\n", " "),
    )
    return environment.get_template(name).render(**context, **more)
