import pytest

from uamsim.errors import ResultsError
from uamsim.reporting.report import build_report
from uamsim.reporting.results import validate_results

WHO = {
    "policy": "uam-unfrozen-seed0",
    "control": None,
    "variant": "uam",
    "e_sem": "unfrozen",
    "seed": 0,
    "split": "pinyin",
}
SUITE = WHO | {
    "suite": "aloha",
    "tasks": 2,
    "episodes": 80,
    "rate": 0.61,
    "ci_low": 0.5,
    "ci_high": 0.71,
    "clustered_low": 0.03,
    "clustered_high": 0.98,
}
SIDES = {
    f"{side}_{field}": value
    for side in ("first", "second")
    for field, value in (("successes", 30), ("rate", 0.375), ("ci_low", 0.3), ("ci_high", 0.5))
}
COMPARISON = {
    **WHO,
    **SIDES,
    "reference": "no_dorsal-unfrozen-seed0",
    "alpha": 0.05,
    "task": None,
    "tasks": 2,
    "episodes": 80,
    "difference": 0.23,
    "ci_low": 0.11,
    "ci_high": 0.34,
    "only_first": 4,
    "only_second": 22,
    "p_value": 0.000533,
    "verdict": "second",
    "decided_after": 57,
    "sequence_low": 0.04,
    "sequence_high": 0.4,
}


def test_averages_and_comparisons_are_in_the_report(make_results, write_run):
    results = make_results() | {"suites": [SUITE], "comparisons": [COMPARISON]}
    out = write_run(results)
    build_report(out)
    for name in ("report.html", "report.md"):
        text = (out / name).read_text("utf-8")
        for shown in (
            "61% [50, 71]",
            "61% [3, 98]",
            "0.000533",
            "better, after 57",
            "+23.0 [+11.0, +34.0] points",
        ):
            assert shown in text, f"{shown} in {name}"


@pytest.mark.parametrize(
    "change",
    [
        {"suites": [SUITE, SUITE]},
        {"suites": [SUITE | {"clustered_low": -0.1}]},
        {"comparisons": [COMPARISON | {"verdict": "maybe"}]},
        {"comparisons": [{k: v for k, v in COMPARISON.items() if k != "p_value"}]},
    ],
)
def test_wrong_averages_and_comparisons_are_refused(make_results, change):
    with pytest.raises(ResultsError):
        validate_results(make_results() | change)
