import pytest

from uamsim.errors import UnknownNameError
from uamsim.reporting.comparisons import (
    compare_changes,
    compare_success,
    greater,
    matched_gap,
    similar,
)
from uamsim.reporting.findings import CLAIM_SETS, Claim, find
from uamsim.reporting.gate import gate_verdict
from uamsim.reporting.results import Results, validate_results
from uamsim.statistics import Estimate, difference, over_seeds


def estimate(low, high):
    return Estimate(value=(low + high) / 2, ci_low=low, ci_high=high, n=10)


def verdict(results, start):
    (finding,) = [f for f in find(Results(results)) if f.claim.startswith(start)]
    return finding


def set_rate(results, variant, mode, successes, *, split=None):
    for row in results["rows"]:
        who = (row["variant"], row["e_sem"], row["control"])
        if who == (variant, mode, None) and split in (None, row["split"]):
            share = successes / 40
            row |= {"successes": successes, "rate": share, "ci_low": 0.0, "ci_high": 1.0}
            row.pop("outcomes", None)


def compared(results, first, second, splits=("in_domain",)):
    found = compare_success(Results(results), first, second, splits)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (estimate(0.01, 0.2), "supported"),
        (estimate(-0.2, -0.01), "contradicted"),
        (estimate(-0.1, 0.1), "unresolved"),
        (over_seeds([0.5]), "unresolved"),
    ],
)
def test_greater(gap, expected):
    assert greater(gap) == expected


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (estimate(-0.05, 0.05), "supported"),
        (estimate(0.11, 0.2), "contradicted"),
        (estimate(-0.2, -0.11), "contradicted"),
        (estimate(0.05, 0.15), "unresolved"),
    ],
)
def test_similar(gap, expected):
    assert similar(gap) == expected


def test_matched_gap_reads_both_curves_at_one_success():
    a = [(1, 0.2, 0.9), (2, 0.6, 0.8)]
    b = [(1, 0.1, 0.8), (2, 0.4, 0.6), (3, 0.8, 0.4)]
    gap, level = matched_gap(a, b) or (None, None)
    assert level == pytest.approx(0.6)
    assert gap == pytest.approx(0.8 - 0.5)
    assert matched_gap(a, [(1, 0.9, 0.5)]) is None
    assert matched_gap([], b) is None
    assert matched_gap([(1, 0.0, 0.9)], [(1, 0.0, 0.5)]) is None


def test_one_seed_leaves_retention_unresolved_and_success_decided(make_results):
    results = make_results()
    tax = verdict(results, "Action tuning taxes")
    assert (tax.verdict, tax.basis) == ("unresolved", "one seed")
    matched = verdict(results, "UAM keeps more of S")
    assert (matched.verdict, matched.basis) == ("unresolved", "one seed")
    set_rate(results, "uam", "unfrozen", 39)
    for other in ("no_dorsal", "random_init", "vlm_init_vision", "vlm_init_query", "gen_init"):
        set_rate(results, other, "unfrozen", 10)
    best = verdict(results, "UAM is the best variant")
    assert best.verdict == "supported"
    assert "episodes" in best.basis


def test_three_seeds_resolve_retention(make_results):
    results = make_results(seeds=(0, 1, 2))
    assert verdict(results, "Action tuning taxes").verdict == "supported"
    assert verdict(results, "UAM keeps more of S").verdict == "supported"
    assert verdict(results, "UAM loses less than 5%").verdict == "contradicted"


def test_a_reversed_order_contradicts(make_results):
    results = make_results()
    set_rate(results, "uam", "unfrozen", 4)
    set_rate(results, "no_dorsal", "unfrozen", 36)
    assert verdict(results, "UAM is the best variant").verdict == "contradicted"
    assert verdict(results, "UAM is best on Chinese").verdict == "contradicted"


def test_claims_about_a_generator_that_knows_too_little_are_not_tested(make_results):
    results = make_results()
    set_rate(results, "uam", "unfrozen", 4)
    set_rate(results, "no_dorsal", "unfrozen", 36)
    known = {f.claim: f.verdict for f in find(Results(results))}
    check = {"name": "right goals", "limit": 0.9, "relation": "at least"}
    results["gate"] = {"passed": False, "checks": [{**check, "value": 0.3, "passed": False}]}
    validate_results(results)
    failed = {f.claim: f.verdict for f in find(Results(results))}
    changed = {claim for claim, verdict in failed.items() if verdict != known[claim]}
    assert {failed[claim] for claim in changed} == {"not tested"}
    assert all("uam" in claim.lower() or "gen_init" in claim for claim in changed)
    assert not {"supported", "contradicted"} & {
        verdict for claim, verdict in failed.items() if "UAM" in claim or "gen_init" in claim
    }
    assert "fails 1 of 1 checks (right goals 0.30" in gate_verdict(Results(results))
    results["gate"] = {"passed": True, "checks": [{**check, "value": 0.95, "passed": True}]}
    assert {f.claim: f.verdict for f in find(Results(results))} == known


def test_every_split_has_a_claim(make_results):
    results = make_results()
    claims = [f.claim for f in find(Results(results)) if f.claim.startswith("UAM is best on")]
    assert len(claims) == 6


def test_missing_variants_are_not_run(make_results):
    findings = find(Results(make_results(variants=("no_dorsal",), splits=("in_domain",))))
    verdicts = {f.claim: f.verdict for f in findings}
    assert verdicts["UAM is the best variant in-domain, E_sem unfrozen"] == "not run"
    assert "unresolved" in verdicts.values()


def test_comparison_pairs_episodes_and_seeds(make_results):
    a, b = ("no_dorsal", "unfrozen"), ("uam", "unfrozen")
    single = compare_success(Results(make_results()), a, b)
    several = compare_success(Results(make_results(seeds=(0, 1))), a, b)
    assert single is not None
    assert several is not None
    assert single[1] == "80 paired episodes"
    assert several[1].startswith("2 training seeds")


def test_a_difference_is_the_second_policys_success_minus_the_firsts(make_results):
    results = make_results()
    set_rate(results, "uam", "unfrozen", 30)
    set_rate(results, "no_dorsal", "unfrozen", 20)
    gap, _ = compared(results, ("no_dorsal", "unfrozen"), ("uam", "unfrozen"))
    assert gap.value == pytest.approx(0.25)


def test_one_scene_in_several_splits_is_no_more_than_one_scene(make_results):
    results = make_results(splits=("in_domain", "chinese", "pinyin", "code_mix"))
    for row in results["rows"]:
        if row["e_sem"] == "unfrozen" and row["variant"] in ("uam", "no_dorsal"):
            outcomes = [place % 8 != 0 or row["variant"] == "uam" for place in range(40)]
            successes = sum(outcomes)
            row |= {"outcomes": outcomes, "successes": successes, "rate": successes / 40}
    pair = ("no_dorsal", "unfrozen"), ("uam", "unfrozen")
    one, _ = compared(results, *pair, splits=["chinese"])
    three, basis = compared(results, *pair, splits=["chinese", "pinyin", "code_mix"])
    assert basis == "240 paired episodes"
    assert three.value == one.value
    assert (three.ci_low, three.ci_high) == pytest.approx((one.ci_low, one.ci_high), abs=0.01)


def test_what_freezing_costs_two_variants_is_compared_on_the_same_episodes(make_results):
    results = make_results(variants=("uam", "gen_init"), splits=("in_domain",))
    for row in results["rows"]:
        # Both lose the same hard scenes by freezing; gen_init loses every tenth scene more.
        lost = 3 if row["variant"] == "uam" else 2
        outcomes = [row["e_sem"] == "unfrozen" or p % 2 == 1 or p % 10 < lost for p in range(40)]
        if row["variant"] == "gen_init" and row["e_sem"] != "unfrozen":
            outcomes = [o and p % 10 not in (1, 3) for p, o in enumerate(outcomes)]
        successes = sum(outcomes)
        row |= {"outcomes": outcomes, "successes": successes, "rate": successes / 40}
    pairs = [((v, "frozen"), (v, "unfrozen")) for v in ("uam", "gen_init")]
    found = compare_changes(Results(results), *pairs)
    assert found is not None
    gap, basis = found
    assert basis == "80 paired episodes"
    assert gap.value > 0
    apart = difference(*(compared(results, *pair)[0] for pair in pairs))
    assert gap.value == pytest.approx(apart.value)
    assert gap.ci_high - gap.ci_low < 0.8 * (apart.ci_high - apart.ci_low)


def test_an_experiment_names_the_claims_that_it_is_about(make_results):
    results = make_results()
    results["claims"] = []
    assert find(Results(results)) == []
    results["claims"] = ["dorsal_swep"]
    with pytest.raises(UnknownNameError, match="Did you mean 'dorsal_sweep'"):
        find(Results(results))


def test_a_claim_of_ones_own_is_an_entry(make_results, monkeypatch):
    text = "UAM acts at all"
    claim = Claim(
        text=text,
        section="4.2",
        needs="roll-outs of uam",
        decide=lambda results: ("supported", "1 of 1", "all episodes"),
    )
    results = make_results()
    monkeypatch.setattr(CLAIM_SETS, "_values", {"mine": lambda _: (claim,)})
    results["claims"] = ["mine"]
    (finding,) = find(Results(results))
    assert (finding.claim, finding.verdict, finding.section) == (text, "supported", "4.2")
