"""Tasks done in a row in the report, beside what papers print."""

import pytest

from uamsim.contract import in_a_row
from uamsim.errors import ResultsError
from uamsim.reporting import paper
from uamsim.reporting.report import build_report
from uamsim.reporting.results import Results, validate_results
from uamsim.reporting.tables import chain_table

ENV = "uamsim_envs:uamsim/CalvinChains-D-v0"
RATES = (0.82, 0.64, 0.5, 0.38, 0.3)


def row(**changes):
    rates = {in_a_row(i): rate for i, rate in enumerate(RATES, start=1)}
    edges = {f"{name}_low": rate - 0.05 for name, rate in rates.items()}
    edges |= {f"{name}_high": rate + 0.05 for name, rate in rates.items()}
    variant = changes.get("variant", "uam")
    who = {"policy": f"{variant}-unfrozen-seed0", "control": None, "variant": variant}
    who |= {"e_sem": "unfrozen", "seed": 0}
    length = {"length": 2.64, "length_low": 2.4, "length_high": 2.9}
    return {**who, "env_id": ENV, "split": "in_domain", "chains": 50, "tasks": 5} | (
        rates | edges | length | changes
    )


def published():
    return [{"env_id": ENV, **printed} for printed in paper.chain_rows("uamsim/CalvinChains-D-v0")]


def test_measured_and_published_rows_stand_in_one_table(make_results, write_run):
    results = make_results() | {"chains": [row()], "published": published()}
    out = write_run(results)
    build_report(out)
    for name in ("report.html", "report.md"):
        text = (out / name).read_text("utf-8")
        assert "82% [77, 87]" in text
        assert "2.64 [2.40, 2.90]" in text
        assert "published (UP-VLA): UP-VLA" in text
        assert "4.08" in text


def test_every_row_has_as_many_cells_as_the_head(make_results):
    results = make_results() | {"chains": [row(), row(variant="no_dorsal")]}
    results["published"] = published()
    table = chain_table(Results(results))
    assert {len(cells) for cells in table.rows} == {len(table.head)}
    # The UAM paper prints no rates in a row.
    blank = [cells for cells in table.rows if "UAM" in cells[0]]
    assert blank
    assert all(set(cells[4:]) == {"–"} for cells in blank if cells[0].startswith("published"))


def test_a_report_without_chains_has_no_such_section(make_results, write_run):
    out = write_run(make_results())
    build_report(out)
    assert "Tasks in a row" not in (out / "report.md").read_text("utf-8")


def test_the_schema_asks_for_the_average(make_results):
    short = row()
    del short["length"]
    with pytest.raises(ResultsError, match="length"):
        validate_results(make_results() | {"chains": [short]})
