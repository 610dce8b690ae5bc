import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uamsim.reporting.statistics import (
    Estimate,
    difference,
    over_seeds,
    paired_difference,
    rate,
    resolvable_difference,
    wider,
)


def test_newcombe_reproduces_the_published_example():
    # Newcombe 1998, table II, 56/70 against 48/80, method 10: 0.0524 to 0.3339.
    gap = difference(rate(56, 70), rate(48, 80))
    assert gap.value == pytest.approx(0.2)
    assert gap.interval == pytest.approx((0.0524, 0.3339), abs=1e-4)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_rate_lies_in_its_interval(counts):
    estimate = rate(*counts)
    assert estimate.interval is not None
    low, high = estimate.interval
    assert -1e-9 <= low <= estimate.value + 1e-9
    assert estimate.value - 1e-9 <= high <= 1 + 1e-9


def test_one_seed_has_no_interval():
    assert over_seeds([0.4]).interval is None
    assert difference(over_seeds([0.4]), rate(3, 9)).interval is None


def test_t_interval_over_seeds():
    estimate = over_seeds([0.1, 0.2, 0.3])
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert estimate.interval == pytest.approx((0.2 - half, 0.2 + half), abs=1e-6)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_paired_difference_is_antisymmetric(pairs):
    a, b = zip(*pairs, strict=True)
    forward, backward = paired_difference(a, b), paired_difference(b, a)
    assert forward.interval is not None
    assert backward.interval is not None
    assert forward.value == pytest.approx(-backward.value)
    assert forward.interval == pytest.approx((-backward.interval[1], -backward.interval[0]))


def test_pairing_narrows_the_interval():
    rng = np.random.default_rng(0)
    a = rng.random(200) < 0.6
    b = a ^ (rng.random(200) < 0.1)
    paired = paired_difference(a.tolist(), b.tolist())
    loose = difference(rate(int(a.sum()), 200), rate(int(b.sum()), 200))
    assert paired.interval is not None
    assert loose.interval is not None
    assert paired.interval[1] - paired.interval[0] < loose.interval[1] - loose.interval[0]


def test_paired_needs_equal_lengths():
    with pytest.raises(ValueError, match="equal lengths"):
        paired_difference([True], [True, False])


def test_wider_is_the_hull():
    a = Estimate(value=0.5, low=0.45, high=0.55, n=3)
    b = Estimate(value=0.5, low=0.3, high=0.5, n=100)
    assert wider(a, b).interval == (0.3, 0.55)


def test_twenty_episodes_resolve_little():
    assert resolvable_difference(20) == pytest.approx(0.44, abs=0.01)
