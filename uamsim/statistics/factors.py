"""Two factors crossed: is what they cost together more than what each costs alone?"""

from collections.abc import Sequence

import numpy as np
import scipy

from uamsim.errors import ConfigError
from uamsim.statistics.intervals import Estimate


def interaction(
    plain: Sequence[float],
    first: Sequence[float],
    second: Sequence[float],
    both: Sequence[float],
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The difference of differences of success, (both - first) - (second - plain).

    0 says that the factors add up, below 0 that each makes the other worse. An episode is a seed
    that all four cells share; the interval is Student's over seeds.

    Args:
        plain: success without either factor, one a seed; a share where a seed was run several
            times.
        first: with the first factor alone, on the same seeds.
        second: with the second alone.
        both: with both.
        confidence: of the interval.

    Raises:
        ConfigError: fewer than two seeds, or cells of different length.
    """
    cells = [np.asarray(cell, np.float64) for cell in (plain, first, second, both)]
    lengths = [len(cell) for cell in cells]
    if len(set(lengths)) > 1 or lengths[0] < 2:
        raise ConfigError(f"expected four cells of the same two or more seeds, got {lengths}.")
    a, b, c, d = cells
    contrast = (d - b) - (c - a)
    if not contrast.any():
        return Estimate(value=0.0, ci_low=0.0, ci_high=0.0, n=lengths[0])
    low, high = scipy.stats.t.interval(
        confidence, len(contrast) - 1, loc=contrast.mean(), scale=scipy.stats.sem(contrast)
    )
    return Estimate(
        value=float(contrast.mean()),
        ci_low=float(low),
        ci_high=float(high),
        n=lengths[0],
    )
