import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from uamsim.contract import EpisodeRecord
from uamsim.errors import ConfigError
from uamsim.evaluation.statistics import (
    clustered_mean,
    mcnemar_exact,
    paired_difference,
    rate,
    success_rates,
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


def test_paired_difference():
    rng = np.random.default_rng(0)
    first = [record(seed, seed % 2 == 0) for seed in range(40)]
    second = [record(seed, seed % 4 != 1, policy="q") for seed in reversed(range(40))]
    estimate = paired_difference(first, second, rng=rng)
    assert estimate.value == pytest.approx(0.25)
    assert 0 < estimate.ci_low < 0.25 < estimate.ci_high < 0.5
    assert estimate.p_value == pytest.approx(2 / 1024)
    same = paired_difference(first, first, rng=rng)
    assert (same.value, same.ci_low, same.ci_high, same.p_value) == (0, 0, 0, 1)
    with pytest.raises(ConfigError, match="same episodes"):
        paired_difference(first, second[1:], rng=rng)


def test_clusters_widen_the_interval():
    values = [float(cluster % 2) for cluster in range(20) for _ in range(10)]
    clusters = [cluster for cluster in range(20) for _ in range(10)]
    rng = np.random.default_rng(1)
    whole = clustered_mean(values, clusters, rng=rng)
    single = clustered_mean(values, list(range(200)), rng=rng)
    assert whole.value == single.value == 0.5
    assert whole.ci_high - whole.ci_low > 2 * (single.ci_high - single.ci_low)


def test_clustered_mean_covers_the_truth():
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        values = rng.normal(size=40) + np.repeat(rng.normal(size=20), 2)
        estimate = clustered_mean(
            list(values), list(np.repeat(np.arange(20), 2)), rng=rng, resamples=400
        )
        hits += estimate.ci_low <= 0 <= estimate.ci_high
    assert 0.87 <= hits / 200 <= 0.98
