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
    value, shown = float(contrast.mean()), contrast
    if not np.ptp(contrast):
        # A few seeds may all agree; one more in each direction keeps the interval from a point.
        shown = np.append(contrast, [-1.0, 1.0])
    low, high = scipy.stats.t.interval(
        confidence, len(shown) - 1, loc=shown.mean(), scale=scipy.stats.sem(shown)
    )
    return Estimate(
        value=value,
        ci_low=min(float(low), value),
        ci_high=max(float(high), value),
        n=lengths[0],
    )
