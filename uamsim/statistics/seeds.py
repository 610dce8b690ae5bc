"""Training seeds: what several runs of the same training allow to be said."""

import math
from collections.abc import Sequence

import numpy as np
import scipy

from uamsim.statistics.intervals import Estimate


def over_seeds(values: Sequence[float], *, confidence: float = 0.95) -> Estimate:
    """Mean of one value a training seed, with Student's t interval; unbounded for a single seed."""
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Estimate(value=mean, ci_low=-math.inf, ci_high=math.inf, n=n)
    half = float(
        scipy.stats.t.ppf(0.5 + confidence / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n)
    )
    return Estimate(value=mean, ci_low=mean - half, ci_high=mean + half, n=n)


def difference(first: Estimate, second: Estimate) -> Estimate:
    """``second`` - ``first``, of values that have nothing to do with each other.

    The interval is squared and added from both; with Wilson's intervals this is Newcombe's method
    10 for independent rates (Newcombe 1998). Policies that ran the same episodes are compared by
    ``paired_difference``.
    """
    value = second.value - first.value
    return Estimate(
        value=value,
        ci_low=value - math.hypot(second.value - second.ci_low, first.ci_high - first.value),
        ci_high=value + math.hypot(second.ci_high - second.value, first.value - first.ci_low),
        n=min(first.n, second.n),
    )


def wider(a: Estimate, b: Estimate) -> Estimate:
    """``a``'s value with the hull of both intervals; an unbounded one counts for nothing.

    A t interval over two or three seeds can be narrow by luck; it is never let below what the
    number of episodes allows.
    """
    bounded = [estimate for estimate in (a, b) if estimate.is_bounded] or [a]
    return Estimate(
        value=a.value,
        ci_low=min(estimate.ci_low for estimate in bounded),
        ci_high=max(estimate.ci_high for estimate in bounded),
        n=a.n,
    )
