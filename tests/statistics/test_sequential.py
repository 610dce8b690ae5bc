import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from uamsim.errors import ConfigError
from uamsim.statistics import SequentialComparison
from uamsim.statistics.sequential import log_wealth


def play(pairs, **options):
    test = SequentialComparison(**options)
    for pair in pairs:
        test.update(*pair)
    return test


@pytest.mark.parametrize("n", [1, 7, 30])
def test_the_bet_is_fair(n: int):
    # Whatever the difference and discordance, the mean fortune under the truth is exactly 1.
    for gain, loss in ((0.1, 0.1), (0.6, 0.05), (0.0, 0.3)):
        a, b = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
        a, b = a[a + b <= n], b[a + b <= n]
        chance = stats.multinomial.pmf(
            np.stack([a, b, n - a - b], axis=1), n, [gain, loss, 1 - gain - loss]
        )
        assert chance @ np.exp(log_wealth(a, n - a - b, b, gain - loss)) == pytest.approx(1)


def test_ties_say_nothing_about_who_is_better():
    assert log_wealth(9, 0, 2, 0.0) == pytest.approx(log_wealth(9, 500, 2, 0.0))


def test_a_clear_winner_is_named_early_and_the_verdict_stays():
    test = play([(False, True)] * 9)
    assert (test.verdict, test.decided_after, test.episodes) == ("second", 9, 9)
    for _ in range(50):
        assert test.update(True, False) == "second"
    assert test.p_value <= 0.05
    assert play([(True, False)] * 9).verdict == "first"


def test_margin_ends_a_comparison_without_a_difference():
    same = [(True, True), (False, False)] * 60
    assert play(same).verdict == "undecided"
    test = play(same, margin=0.1)
    assert test.verdict == "equivalent"
    low, high = play(same[: test.decided_after]).interval()
    assert -0.1 < low < 0 < high < 0.1


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_interval_and_verdict_agree(pairs, alpha: float):
    test = SequentialComparison(alpha=alpha)
    for a, b in pairs:
        if test.update(a, b) != "undecided":
            break
    low, high = test.interval()
    mean = (test.only_second - test.only_first) / max(1, test.episodes)
    assert -1 <= low <= mean <= high <= 1
    assert (test.verdict == "second") == (low > 0)
    assert (test.verdict == "first") == (high < 0)
    assert (test.verdict == "undecided") == (test.p_value > alpha)
    swapped = play([(b, a) for a, b in pairs[: test.episodes]], alpha=alpha)
    assert swapped.interval() == pytest.approx((-high, -low), abs=1e-6)


def test_pickled_in_the_middle_it_goes_on_as_if_not():
    rng = np.random.default_rng(0)
    pairs = [tuple(map(bool, pair)) for pair in rng.random((80, 2)) < (0.4, 0.7)]
    test = play(pairs[:30])
    test = pickle.loads(pickle.dumps(test))
    for pair in pairs[30:]:
        test.update(*pair)
    assert test == play(pairs)


def test_few_false_alarms_under_continuous_monitoring():
    rng = np.random.default_rng(1)
    wins = np.cumsum(rng.random((2000, 300)) < 0.5, axis=1)
    gains, losses = np.meshgrid(np.arange(301), np.arange(301), indexing="ij")
    table = log_wealth(gains, 0 * gains, losses, 0.0)
    left = np.arange(1, 301) - wins
    alarms = np.mean(np.maximum(table[wins, left], table[left, wins]).max(axis=1) >= np.log(40))
    assert 0.005 < alarms <= 0.05


@pytest.mark.parametrize("options", [{"alpha": 0}, {"alpha": 5}, {"margin": 10}])
def test_rejects_nonsense(options):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        SequentialComparison(**options)
