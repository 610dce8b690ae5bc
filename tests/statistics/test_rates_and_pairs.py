import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from uamsim.contract import EpisodeRecord
from uamsim.errors import ConfigError
from uamsim.statistics import (
    compare,
    difference,
    mcnemar_exact,
    paired_difference,
    rate,
    success_rates,
    suite_average,
    wilson_interval,
)


def record(seed: int, success: bool, *, policy: str = "p", split: str = "in_domain"):
    return EpisodeRecord(
        policy=policy,
        env_id="e",
        task="reach",
        split=split,
        seed=seed,
        instruction="touch the red cube",
        success=success,
        stages={},
        num_steps=1,
        render_profile="fast",
    )


def test_wilson_known_values():
    # Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    known = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (successes, episodes), expected in known.items():
        assert wilson_interval(successes, episodes) == pytest.approx(expected, abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(n=st.integers(1, 400), share=st.floats(0, 1), confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(n: int, share: float, confidence: float):
    k = round(share * n)
    low, high = wilson_interval(k, n, confidence=confidence)
    expected = stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= k / n <= high <= 1


def test_wilson_rejects_nonsense():
    with pytest.raises(ConfigError, match="5 of 4"):
        wilson_interval(5, 4)
    with pytest.raises(ConfigError, match="confidence"):
        rate(1, 4, confidence=95)


def test_mcnemar_known_values():
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(1, 7) == pytest.approx(18 / 256)
    assert mcnemar_exact(7, 1) == mcnemar_exact(1, 7)
    assert mcnemar_exact(0, 10) == pytest.approx(2 / 1024)
    with pytest.raises(ConfigError):
        mcnemar_exact(-1, 3)


def test_success_rates_group():
    records = [record(1, True), record(2, False), record(1, True, split="pinyin")]
    rates = success_rates(records)
    assert rates["p", "reach", "in_domain"] == rate(1, 2)
    assert rates["p", "reach", "pinyin"].rate == 1.0


def test_suite_average_of_one_task_is_wilson():
    estimate = suite_average([(7, 20)], over="these_tasks")
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx(wilson_interval(7, 20))
    population = suite_average([(7, 20)], over="task_population")
    assert (population.ci_low, population.ci_high) == (0, 1)


@given(
    st.lists(
        st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
        min_size=2,
        max_size=12,
    )
)
@example([(0, 1), (0, 1), (1, 13)])  # two that agree beside one that hardly differs
def test_suite_averages_lie_in_their_intervals(tasks: list[tuple[int, int]]):
    these = suite_average(tasks, over="these_tasks")
    population = suite_average(tasks, over="task_population")
    assert these.value == pytest.approx(np.mean([k / n for k, n in tasks]))
    assert population.ci_low <= these.ci_low + 1e-12
    assert population.ci_high >= these.ci_high - 1e-12
    for estimate in (these, population):
        assert 0 <= estimate.ci_low <= estimate.value <= estimate.ci_high <= 1
        assert estimate.ci_high > estimate.ci_low
    failures = suite_average([(n - k, n) for k, n in tasks], over="these_tasks")
    assert (failures.ci_low, failures.ci_high) == pytest.approx(
        (1 - these.ci_high, 1 - these.ci_low)
    )


def test_suite_average_covers_tasks_that_differ():
    # A pooled Wilson interval, and one that forgets the tasks, would miss these bounds.
    rng = np.random.default_rng(0)
    true = np.array([0.05, 0.2, 0.5, 0.9, 0.98])
    hits = {"these_tasks": 0, "task_population": 0}
    for _ in range(400):
        fixed = suite_average([(int(k), 20) for k in rng.binomial(20, true)], over="these_tasks")
        hits["these_tasks"] += fixed.ci_low <= true.mean() <= fixed.ci_high
        drawn = rng.binomial(20, rng.beta(2, 2, size=5))
        sample = suite_average([(int(k), 20) for k in drawn], over="task_population")
        hits["task_population"] += sample.ci_low <= 0.5 <= sample.ci_high
    assert 0.92 <= hits["these_tasks"] / 400 <= 0.98
    assert 0.92 <= hits["task_population"] / 400 <= 0.98


@pytest.mark.parametrize("tasks", [[], [(0, 0)], [(3, 2)], [(1, 2), (-1, 4)]])
def test_suite_average_rejects_nonsense(tasks):
    with pytest.raises(ConfigError, match="at least one task"):
        suite_average(tasks, over="these_tasks")


def test_paired_difference_is_the_second_minus_the_first():
    first = [seed % 2 == 0 for seed in range(40)]
    second = [seed % 4 != 1 for seed in range(40)]
    estimate = paired_difference(first, second)
    assert estimate.value == pytest.approx(0.25)
    # Bonett and Price 2012: 10 and 0 discordant pairs of 40, and one of each more.
    p, q = 11 / 42, 1 / 42
    half = 1.959964 * math.sqrt((p + q - (p - q) ** 2) / 42)
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((p - q - half, p - q + half))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_paired_difference_is_antisymmetric(pairs):
    first, second = zip(*pairs, strict=True)
    forward, backward = paired_difference(first, second), paired_difference(second, first)
    assert forward.value == pytest.approx(-backward.value)
    ends = -backward.ci_high, -backward.ci_low
    assert (forward.ci_low, forward.ci_high) == pytest.approx(ends)


def test_pairing_narrows_the_interval():
    rng = np.random.default_rng(0)
    first = rng.random(200) < 0.6
    second = first ^ (rng.random(200) < 0.1)
    paired = paired_difference(first.tolist(), second.tolist())
    loose = difference(*(rate(int(x.sum()), 200).estimate for x in (first, second)))
    assert paired.ci_high - paired.ci_low < 0.6 * (loose.ci_high - loose.ci_low)


@pytest.mark.parametrize("n", [5, 20, 200])
def test_agreement_leaves_an_interval(n: int):
    estimate = paired_difference([True] * n, [True] * n)
    assert estimate.value == 0
    assert estimate.ci_low == pytest.approx(-estimate.ci_high)
    # No discordant pair of n excludes a share of 3 / n (the rule of three).
    assert 1 / n <= estimate.ci_high <= 4 / n


def test_clusters_widen_the_interval():
    first, second, clusters = [], [], []
    for cluster in range(20):
        first += [cluster % 2 == 0] * 10
        second += [cluster % 3 == 0] * 10
        clusters += [cluster] * 10
    whole = paired_difference(first, second, clusters=clusters)
    single = paired_difference(first, second)
    assert whole.value == single.value
    assert whole.ci_high - whole.ci_low > 2 * (single.ci_high - single.ci_low)


def test_paired_difference_rejects_nonsense():
    for first, second, clusters in (([], [], None), ([True], [], None), ([True], [True], [1, 2])):
        with pytest.raises(ConfigError, match="at least one pair"):
            paired_difference(first, second, clusters=clusters)


def test_compare_matches_episodes_and_names_the_better():
    first = [record(seed, seed % 5 == 0) for seed in range(60)]
    second = [record(seed, seed % 5 != 1, policy="q") for seed in reversed(range(10, 80))]
    second += [record(seed, True, policy="q", split="pinyin") for seed in range(5)]
    (found,) = compare(first, second)
    assert (found.split, found.episodes, found.tasks) == ("in_domain", 50, 1)
    assert (found.only_first, found.only_second) == (0, 30)
    assert (found.first.successes, found.second.successes) == (10, 40)
    assert found.difference == pytest.approx(0.6)
    assert 0.4 < found.ci_low < 0.6 < found.ci_high < 0.8
    assert found.p_value == pytest.approx(2**-29)
    assert found.verdict == "second"
    assert found.decided_after is not None
    assert 8 <= found.decided_after <= 30
    assert 0 < found.sequence_low < 0.6 < found.sequence_high
    row = found.to_row()
    assert row["second_rate"] == pytest.approx(0.8)
    assert not any(isinstance(value, dict) for value in row.values())


def test_compare_does_not_depend_on_the_order_of_records():
    rng = np.random.default_rng(3)
    first = [record(seed, bool(rng.random() < 0.4)) for seed in range(80)]
    second = [record(seed, bool(rng.random() < 0.6), policy="q") for seed in range(80)]
    shuffled = [first[i] for i in rng.permutation(80)]
    assert compare(first, second) == compare(shuffled, second[::-1])


def test_compare_refuses_what_is_not_paired():
    with pytest.raises(ConfigError, match="without a shared one"):
        compare([record(1, True)], [record(2, True)])
    with pytest.raises(ConfigError, match="each episode once"):
        compare([record(1, True), record(1, False)], [record(1, True)])
