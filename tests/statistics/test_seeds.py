import math

import pytest

from uamsim.statistics import Estimate, difference, over_seeds, rate, wider


def test_newcombe_reproduces_the_published_example():
    # Newcombe 1998, table II, 56/70 against 48/80, method 10: 0.0524 to 0.3339.
    gap = difference(rate(48, 80).estimate, rate(56, 70).estimate)
    assert gap.value == pytest.approx(0.2)
    assert (gap.ci_low, gap.ci_high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_one_seed_has_no_interval():
    assert not over_seeds([0.4]).is_bounded
    assert not difference(over_seeds([0.4]), rate(3, 9).estimate).is_bounded


def test_t_interval_over_seeds():
    estimate = over_seeds([0.1, 0.2, 0.3])
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((0.2 - half, 0.2 + half), abs=1e-6)


def test_wider_is_the_hull():
    a = Estimate(value=0.5, ci_low=0.45, ci_high=0.55, n=3)
    b = Estimate(value=0.4, ci_low=0.3, ci_high=0.5, n=100)
    assert wider(a, b) == Estimate(value=0.5, ci_low=0.3, ci_high=0.55, n=3)


def test_an_interval_that_excludes_nothing_is_not_in_the_hull():
    one, many = over_seeds([0.5]), rate(5, 10).estimate
    assert wider(many, one) == many
    assert wider(one, many).ci_low == many.ci_low
    assert not wider(one, one).is_bounded
