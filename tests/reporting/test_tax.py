import json

import pytest

from uamsim.reporting import paper
from uamsim.reporting.findings import find
from uamsim.reporting.report import build_report
from uamsim.reporting.results import Results
from uamsim.reporting.tax import tax_table


@pytest.fixture
def tax_results(make_results):
    """A run of embodiment_tax with two training seeds, its success and S set by hand."""

    def make(successes=30, s=0.3, seeds=(0, 1)):
        results = make_results(
            seeds=seeds, variants=("no_dorsal", "mlp_head", "uam"), splits=("in_domain",)
        )
        results["claims"] = ["embodiment_tax"]
        renamed = {"uam": ("no_dorsal", "insulated")}
        for part in ("rows", "retention", "curves"):
            kept = [r for r in results[part] if r["variant"] != "uam" or r["e_sem"] == "unfrozen"]
            for row in kept:
                row["variant"], row["e_sem"] = renamed.get(
                    row["variant"], (row["variant"], row["e_sem"])
                )
            results[part] = kept
        for row in results["rows"]:
            if (row["variant"], row["e_sem"]) == ("mlp_head", "unfrozen"):
                row |= {"successes": successes, "rate": successes / 40, "ci_low": 0, "ci_high": 1}
                row.pop("outcomes", None)
        for row in results["retention"]:
            if (row["variant"], row["e_sem"]) == ("mlp_head", "unfrozen"):
                value = s + 0.01 * row["seed"]
                row |= {"S": value, "delta": 1 - value / row["S0"]}
        return results

    return make


def test_derived_figures_are_those_of_the_paper():
    for row in paper.printed()["table_3"]:
        assert paper.semantic_score(row) == pytest.approx(row["vqa_avg"], abs=0.006)
    assert round(100 * paper.mean_retention(), 2) == 95.72
    shares = {name: round(100 * value, 2) for name, value in paper.retention().items()}
    assert shares == {
        "MMMU": 97.11,
        "MME-P": 95.26,
        "MME-S": 95.85,
        "MMBench": 98.47,
        "MM-Vet": 94.35,
        "MathVista": 93.30,
    }


def test_tax_of_the_paper_is_one_less_the_share_kept():
    action, score, delta = paper.table_3("no_dorsal", "unfrozen")["Qwen2.5"]
    assert (action, round(score, 2)) == (65.98, 37.94)
    assert delta == pytest.approx(1 - 37.940 / 74.324, abs=1e-4)
    assert paper.table_3("mlp_head", "unfrozen")["PaliGemma"][2] == 1
    assert paper.table_3("mlp_head", "frozen")["Qwen2.5"][2] == 0
    assert paper.table_3("no_dorsal", "cotrained") == {}


def test_ours_stand_beside_the_papers(tax_results):
    table = tax_table(Results(tax_results()))
    assert [row[:2] for row in table.rows] == [
        ["No dorsal expert", "frozen"],
        ["MLP head", "frozen"],
        ["No dorsal expert", "unfrozen"],
        ["MLP head", "unfrozen"],
        ["No dorsal expert", "insulated"],
    ]
    assert all(len(row) == len(table.head) for row in table.rows)
    head = table.rows[3]
    assert head[2].startswith("75%")
    assert head[3].startswith("0.30 [") or head[3].startswith("0.31 [")
    assert head[5:] == ["71.1% / 0.00 / 1.00", "70.1% / 0.00 / 1.00"]
    assert table.rows[0][5:] == ["–", "–"]
    assert "95.72%" in table.note


def test_other_runs_have_no_tax_table(make_results):
    assert tax_table(Results(make_results())).rows == []


def test_claims_of_table_3(tax_results):
    def verdicts(results):
        return {f.claim.partition(" (")[0]: f.verdict for f in find(Results(results))}

    usual = verdicts(tax_results())
    assert len(usual) == 5
    assert usual["The 2-expert keeps more of S than the MLP head"] == "supported"
    assert "not run" not in usual.values()
    assert (
        verdicts(tax_results(seeds=(0,)))["The 2-expert keeps more of S than the MLP head"]
        == "unresolved"
    )
    assert (
        verdicts(tax_results(s=0.85))["The 2-expert keeps more of S than the MLP head"]
        == "contradicted"
    )
    assert verdicts(tax_results(successes=1))["Freezing E_sem costs the MLP head success"] == (
        "contradicted"
    )


def test_report_shows_the_table_once(tax_results, write_run, make_results):
    out = write_run(tax_results(seeds=(0,)))
    page = build_report(out).read_text("utf-8")
    assert page.count('id="tax"') == 1
    assert "E_sem insulated" in page
    assert "The embodiment tax, Table 3" in (out / "report.md").read_text("utf-8")
    (out / "results.json").write_text(json.dumps(make_results(splits=("in_domain",))), "utf-8")
    assert 'id="tax"' not in build_report(out).read_text("utf-8")
