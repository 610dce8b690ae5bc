"""Writes report.html and report.md from OUT/results.json and OUT's media."""

from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from uamsim.reporting import tables
from uamsim.reporting.figures import figures
from uamsim.reporting.findings import find
from uamsim.reporting.gate import gate_table, gate_verdict
from uamsim.reporting.labels import MODE_TITLES, spoken
from uamsim.reporting.media import MediaReader
from uamsim.reporting.remarks import control_remarks, not_applicable_remarks, world_remarks
from uamsim.reporting.results import Results
from uamsim.reporting.svg import inline, standalone, to_svg
from uamsim.reporting.tax import tax_table
from uamsim.storage import write_text

_VERDICTS = ("supported", "contradicted", "unresolved", "not tested", "not run")


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
    page = _render(
        "report.html.j2",
        results,
        context,
        figures={name: Markup(inline(svg, salt=name)) for name, svg in drawn.items()},
        style=Markup(_template_text("report.css")),
    )
    for name, svg in drawn.items():
        write_text(out / "media" / f"{name}.svg", standalone(svg))
    paths = {name: f"media/{name}.svg" for name in drawn}
    write_text(out / "report.md", _render("report.md.j2", results, context, figures=paths))
    report = out / "report.html"
    write_text(report, page)
    return report


def _context(results: Results, media: MediaReader) -> dict[str, Any]:
    findings = find(results)
    shown = results.raw.get("media", {})
    counts = Counter(finding.verdict for finding in findings)
    return {
        "experiment": results.raw["experiment"],
        "scale": results.raw["scale"],
        "headline": tables.headline(results),
        "comparable": world_remarks(results.raw["worlds"]),
        "findings": findings,
        "counts": [(verdict, counts[verdict]) for verdict in _VERDICTS],
        "remarks": [
            *control_remarks(results.raw["comparisons"], results.policy_title),
            *not_applicable_remarks(results.raw.get("not_applicable", [])),
            *tables.floor_remarks(results),
        ],
        "modes": results.modes,
        "gate": gate_table(results),
        "gate_verdict": gate_verdict(results),
        "tax": tax_table(results),
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
        "worlds": [media.replace_paths(e, "path") for e in shown.get("worlds", ())],
        "videos": [media.replace_paths(e, "path") for e in shown.get("videos", ())],
        "goals": [
            media.replace_paths(e, "current", "true", "predicted") for e in shown.get("goals", ())
        ],
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
