import copy

import jsonschema
import pytest

from uamsim.errors import ResultsError
from uamsim.reporting.results import Results, results_schema, validate_results


def test_schema_is_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(results_schema())


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_whole_results_are_valid(make_results, seeds):
    validate_results(make_results(seeds=seeds))


def test_empty_parts_are_valid(make_results):
    results = make_results(variants=("uam",), splits=("in_domain",), episodes=1)
    results |= {"rows": [], "retention": []}
    del results["media"], results["curves"], results["spec"]
    validate_results(results)


def drop_row_field(results):
    del results["rows"][0]["task"]


def add_row_field(results):
    results["rows"][0]["sucess"] = 1


def unknown_mode(results):
    results["rows"][0]["e_sem"] = "thawed"


def wrong_rate(results):
    results["rows"][0]["rate"] = 0.123


def too_many_successes(results):
    results["rows"][0] |= {"successes": 41, "episodes": 40}


def rate_outside_interval(results):
    row = results["rows"][0]
    row |= {"successes": 20, "episodes": 40, "rate": 0.5, "ci_low": 0.6, "ci_high": 0.9}


def repeated_row(results):
    results["rows"].append(results["rows"][0])


def wrong_outcomes(results):
    results["rows"][0]["outcomes"] = [True]


def evaluation_in_the_place_of_an_experiment(results):
    results["kind"] = "evaluation"


def older_form(results):
    results["schema_version"] = 1


def no_total(results):
    del results["timing"]["total"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_row_field, "rows/0.*'task' is a required"),
        (add_row_field, "sucess"),
        (unknown_mode, "rows/0/e_sem.*thawed"),
        (wrong_rate, "0.123"),
        (too_many_successes, "41 successes of 40"),
        (rate_outside_interval, "outside"),
        (repeated_row, "more than once"),
        (wrong_outcomes, "outcomes"),
        (no_total, "total"),
        (evaluation_in_the_place_of_an_experiment, "'request' is a required"),
        (older_form, "expected 2.*--resume"),
    ],
)
def test_each_fault_is_named(make_results, spoil, message):
    results = make_results(variants=("uam",), splits=("in_domain",))
    spoil(results)
    with pytest.raises(ResultsError, match=message):
        validate_results(results)


def test_read_names_the_file(tmp_path):
    path = tmp_path / "results.json"
    with pytest.raises(ResultsError, match="run an experiment"):
        Results.read(path)
    path.write_text("{")
    with pytest.raises(ResultsError, match="is not JSON"):
        Results.read(path)


def test_pooling_counts_every_episode(make_results):
    results = Results(make_results(seeds=(0, 1), variants=("uam",), episodes=30))
    pooled = results.success("uam", "unfrozen")
    assert pooled is not None
    rows = results.rows("uam", "unfrozen")
    assert pooled.n == 2 * 2 * 30
    assert pooled.value == pytest.approx(sum(r["successes"] for r in rows) / pooled.n)
    one = results.success("uam", "unfrozen", task="pick_place")
    assert one is not None
    assert one.n == 60
    assert results.success("gen_init", "unfrozen") is None


def test_order_titles_and_colours_are_those_that_the_results_name(make_results):
    value = make_results()
    shuffled = copy.deepcopy(value)
    shuffled["rows"].reverse()
    results = Results(shuffled)
    assert results.variants[0] == "no_dorsal"
    assert results.variants[-1] == "uam"
    assert results.splits == [entry["name"] for entry in value["names"]["splits"]]
    assert results.seeds == [0]
    assert results.variant_title("uam") == "UAM (3b)"
    alone = Results(make_results(variants=("uam",)))
    assert alone.variant_colours["uam"] == results.variant_colours["uam"]
    value["names"]["variants"] = [{"name": "uam", "title": "Mine", "summary": "my own"}]
    renamed = Results(value)
    assert (renamed.variants[0], renamed.variant_title("uam")) == ("uam", "Mine")
    assert renamed.variant_title("gen_init") == "gen init"
