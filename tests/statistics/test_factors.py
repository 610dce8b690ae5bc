"""The interaction of two factors, against cases worked out by hand."""

import numpy as np
import pytest

from uamsim.errors import ConfigError
from uamsim.statistics import interaction


def test_factors_that_add_up_have_none() -> None:
    rng = np.random.default_rng(0)
    cells = [(rng.random(4000) < rate).tolist() for rate in (0.9, 0.7, 0.6, 0.4)]
    value = interaction(*cells)
    assert value.ci_low < 0 < value.ci_high
    assert value.value == pytest.approx(0.0, abs=0.03)


def test_factors_that_make_each_other_worse() -> None:
    plain, first, second = [True] * 20, [True] * 20, [True] * 20
    both = [True] * 10 + [False] * 10
    value = interaction(plain, first, second, both)
    assert value.value == -0.5
    assert value.ci_high < 0


@pytest.mark.parametrize("n", [2, 100])
@pytest.mark.parametrize("both", [True, False])
def test_seeds_that_all_agree_leave_an_interval(n: int, both: bool) -> None:
    value = interaction([True] * n, [True] * n, [True] * n, [both] * n)
    assert value.value == both - 1
    assert value.ci_low <= value.value <= value.ci_high
    # No other contrast among n excludes a share of 3 / n (the rule of three).
    assert 1 / n < value.ci_high - value.ci_low
    assert (value.ci_high < 0) == (n == 100 and not both)


def test_cells_must_match() -> None:
    with pytest.raises(ConfigError, match=r"\[2, 2, 2, 3\]"):
        interaction([True] * 2, [True] * 2, [True] * 2, [True] * 3)
