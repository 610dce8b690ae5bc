import re
import xml.etree.ElementTree as ET

import pytest

from uamsim.errors import ResultsError
from uamsim.reporting.media import MediaReader
from uamsim.reporting.report import build_report


def ids(page):
    return re.findall(r'\bid="([^"]+)"', page)


def check_page(page, *, media):
    assert "Against the paper" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)
    assert "url(http" not in page
    assert "@import" not in page
    assert "currentColor" in page
    assert len(ids(page)) == len(set(ids(page)))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids(page))
    assert page.index('id="rows-rows"') > page.index('href="#rows-rows"')
    assert ("data:video/mp4;base64," in page) is media
    assert ("红色" in page) is media


def test_report_is_whole_and_self_contained(whole_report):
    check_page((whole_report / "report.html").read_text("utf-8"), media=True)


@pytest.mark.slow
def test_report_of_several_seeds(make_results, write_run):
    out = write_run(make_results(seeds=(0, 1, 2)))
    check_page(build_report(out).read_text("utf-8"), media=False)


def test_figures_are_files_of_their_own(whole_report):
    paths = list((whole_report / "media").glob("*.svg"))
    names = {path.stem for path in paths}
    assert {"sweep", "tradeoff", "training", "ood_unfrozen", "ood_frozen"} <= names
    for path in paths:
        ET.parse(path)


def test_claims_that_were_not_run_are_folded_away(make_results, write_run):
    page = build_report(
        write_run(make_results(variants=("uam",), splits=("in_domain",)))
    ).read_text("utf-8")
    first, folded = page.split("claims that this run did not test")
    assert first.count('<span class="chip not run">') == 1
    assert folded.count('<span class="chip not run">') > 10


def test_markdown_points_to_files_that_exist(whole_report):
    text = (whole_report / "report.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 10
    assert all((whole_report / link).is_file() for link in links)
    assert "plate \\| now" in text


def test_a_report_is_reproducible(make_results, write_run):
    out = write_run(make_results(variants=("uam", "no_dorsal"), splits=("in_domain",)))
    first = build_report(out).read_bytes()
    assert build_report(out).read_bytes() == first


@pytest.mark.parametrize("empty", ["rows", "retention", "curves", "all"])
def test_missing_parts_leave_a_readable_report(make_results, write_run, empty):
    results = make_results(variants=("no_dorsal", "uam"), splits=("in_domain", "chinese"))
    for part in ("rows", "retention", "curves"):
        if empty in (part, "all"):
            results[part] = []
    page = build_report(write_run(results)).read_text("utf-8")
    assert "What was run" in page


def test_an_unknown_variant_and_a_bare_sweep_are_shown(make_results, write_run):
    results = make_results(variants=("uam",), splits=("in_domain",))
    for part in ("rows", "retention", "curves"):
        for row in results[part]:
            row["variant"] = "my_idea"
    results["rows"] = [row for row in results["rows"] if row["control"] is None]
    assert "my idea" in build_report(write_run(results)).read_text("utf-8")


def test_text_of_a_run_cannot_become_markup(make_results, write_run):
    results = make_results(variants=("uam",), splits=("in_domain",))
    results["provenance"]["command"] = "<script>alert(1)</script>"
    assert "<script>" not in build_report(write_run(results)).read_text("utf-8")


def test_invalid_results_write_no_report(make_results, write_run):
    results = make_results(variants=("uam",), splits=("in_domain",))
    del results["provenance"]
    out = write_run(results)
    with pytest.raises(ResultsError, match="provenance"):
        build_report(out)
    assert not (out / "report.html").exists()


def test_bad_media_become_notes(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    reader = MediaReader(tmp_path / "out")
    assert "missing" in reader.read("media/none.png").note
    assert "outside" in reader.read("../secret.png").note
    assert "no picture" in reader.read("results.json").note
