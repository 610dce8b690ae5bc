import pytest

from uamsim.reporting.controls import control_table
from uamsim.reporting.figures import budget
from uamsim.reporting.gate import goal_verdict
from uamsim.reporting.glance import glance_table, sentences
from uamsim.reporting.results import Results, validate_results
from uamsim.reporting.rows import row_files, to_csv
from uamsim.reporting.through import intervention_table


def set_rate(results, variant, mode, successes):
    for row in results["rows"]:
        if (row["variant"], row["e_sem"], row["control"]) == (variant, mode, None):
            row |= {"successes": successes, "rate": successes / 40, "ci_low": 0.0, "ci_high": 1.0}
            row["outcomes"] = [place < successes for place in range(40)]


def test_three_sentences_name_the_highest_and_the_lowest_of_any_recipe(make_results):
    results = make_results(variants=("gen_init", "random_init", "mlp_head"))
    for variant, successes in (("gen_init", 10), ("random_init", 38), ("mlp_head", 20)):
        set_rate(results, variant, "unfrozen", successes)
        set_rate(results, variant, "frozen", 5)
    kept, inside, outside = sentences(Results(results))
    assert kept.startswith("The share kept of S₀ = 0.90 is highest with Gen init (3a), 8")
    assert "lowest with MLP head" in kept
    assert kept.endswith("one training run each gives no interval.")
    assert inside.startswith("In-domain success is highest with Random init, 95% [")
    assert "lowest with Gen init (3a), 25% [" in inside
    assert "a difference that this run resolves; with E_sem frozen highest with" in inside
    assert outside.startswith("Success out of distribution (6 splits) is highest with Random init")


def test_policies_that_succeed_alike_are_not_ranked(make_results):
    results = make_results(variants=("uam", "no_dorsal"), splits=("in_domain",), seeds=(0, 1, 2))
    for variant in ("uam", "no_dorsal"):
        set_rate(results, variant, "unfrozen", 30)
    kept, inside = sentences(Results(results))
    assert inside.startswith("In-domain success is 75% [")
    assert "with all 2 policies" in inside
    assert kept.endswith("a difference that this run resolves.")


def test_the_table_has_a_row_for_each_variant_of_the_recipe(make_results):
    results = Results(make_results(variants=("uam", "mlp_head"), splits=("in_domain",)))
    table = glance_table(results)
    assert [row[0] for row in table.rows] == [results.variant_title(v) for v in results.variants]
    assert {row[4] for row in table.rows} == {"–"}
    assert all(len(row) == len(table.head) for row in table.rows)


@pytest.mark.parametrize(("p_value", "mark"), [(1e-6, "✓"), (0.4, "✗")])
def test_controls_are_a_row_for_each_policy(make_results, p_value, mark):
    results = make_results(splits=("in_domain",), variants=("no_dorsal", "uam"))
    results["comparisons"] = [
        {
            "control": "blind",
            "task": None,
            "split": "in_domain",
            "reference": "uam-unfrozen-seed0",
            "p_value": p_value,
            "difference": -0.5,
        }
    ]
    table = control_table(Results(results))
    assert [row[0] for row in table.rows] == [
        "No dorsal expert, E_sem unfrozen",
        "UAM (3b), E_sem unfrozen",
    ]
    blind = next(place for place, title in enumerate(table.head) if title.startswith("blind"))
    assert table.rows[1][blind].endswith(mark)
    assert not table.rows[0][blind].endswith(("✓", "✗"))


def test_rows_are_carried_as_csv(make_results):
    results = make_results(splits=("in_domain",), variants=("uam",))
    files = {file.name: file for file in row_files(Results(results))}
    assert files.keys() == {"rows", "retention", "curves"}
    assert files["rows"].count == len(results["rows"])
    text = to_csv([{"a": 'x, "y"', "outcomes": [True, False]}, {"a": None, "b": {"c": 1}}])
    assert text == 'a,outcomes,b\n"x, ""y""",10,\n,,"{""c"": 1}"\n'


def test_right_goals_are_counted_where_somebody_looked():
    assert goal_verdict([{"variant": "uam"}, {"right": None}]) == ""
    assert goal_verdict([{"right": True}, {"right": True}, {"right": False}]).startswith(
        "2 of 3 are right (67% ["
    )


def test_what_is_hidden_stands_beside_the_policy_as_it_is(make_results):
    results = make_results(variants=("no_dorsal", "uam"), splits=("in_domain",), seeds=(0, 1))
    assert intervention_table(Results(results)).rows == []
    assert budget(Results(results)) is None
    results["interventions"] = [
        {
            "variant": variant,
            "e_sem": "unfrozen",
            "seed": seed,
            "intervention": name,
            "hidden": [],
            "applicable": variant == "uam" or name == "none",
            "task": "press_button",
            "aim_cm": 2.0,
            "aims_cm": [1.0, 3.0, 2.0] if name == "none" else None,
            **({"episodes": 10, "successes": 9, "rate": 0.9, "ci_low": 0.6, "ci_high": 1.0}),
        }
        for variant in ("no_dorsal", "uam")
        for seed in (0, 1)
        for name in ("none", "hide_e_dor")
    ]
    row = {"variant": "uam", "e_sem": "unfrozen", "seed": 0, "right": 19, "goals": 20}
    results["goal_accuracy"] = [row | {"guessing": 0.3, "rate": 0.95, "ci_low": 0.7, "ci_high": 1}]
    results["costs"] = [
        {"variant": v, "e_sem": "unfrozen", "parameters": 5, "flops_per_step": 1e9}
        for v in ("no_dorsal", "uam")
    ]
    validate_results(results)
    table = intervention_table(Results(results))
    plain, uam = table.rows
    assert table.head[1:] == [
        "as it is",
        "C and G_1 hidden: actions see E_sem alone",
        "right goals",
    ]
    assert uam[1].startswith("90% [")
    assert uam[1].endswith("; 2.0 cm")
    assert uam[2].startswith("90% [")
    assert uam[3].startswith("95% [")
    assert plain[2:] == ["–", "–"]
    assert "guessing gives 30%" in table.note
    assert budget(Results(results)) is not None
