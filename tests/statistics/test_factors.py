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


def test_cells_must_match() -> None:
    with pytest.raises(ConfigError, match=r"\[2, 2, 2, 3\]"):
        interaction([True] * 2, [True] * 2, [True] * 2, [True] * 3)
