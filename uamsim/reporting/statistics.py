"""Intervals for the report: rates, differences of rates, and differences over training seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its interval.

    Attributes:
        value: the point estimate.
        low: lower end, or None where the data allow no interval (one training seed).
        high: upper end, or None.
        n: observations behind it: episodes, or training seeds.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends, or None where there is no interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def rate(successes: int, n: int, *, confidence: float = 0.95) -> Estimate:
    """Share of successes with the Wilson score interval.

    Raises:
        ValueError: ``n`` is 0 or smaller than ``successes``.
    """
    low, high = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return Estimate(value=successes / n, low=float(low), high=float(high), n=n)


def over_seeds(values: Sequence[float], *, confidence: float = 0.95) -> Estimate:
    """Mean of one value a training seed, with Student's t interval; none for a single seed."""
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Estimate(value=mean, low=None, high=None, n=n)
    half = stats.t.ppf(0.5 + confidence / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n)
    return Estimate(value=mean, low=mean - float(half), high=mean + float(half), n=n)


def difference(a: Estimate, b: Estimate, *, correlation: float = 0.0) -> Estimate:
    """``a - b`` by square-and-add of both intervals.

    With Wilson intervals this is Newcombe's method 10 for independent rates; with the
    correlation of paired outcomes, his method 10 for paired ones (Newcombe 1998).
    """
    value = a.value - b.value
    if a.interval is None or b.interval is None:
        return Estimate(value=value, low=None, high=None, n=min(a.n, b.n))
    (a_low, a_high), (b_low, b_high) = a.interval, b.interval

    def width(x: float, y: float) -> float:
        return math.sqrt(max(0.0, x * x + y * y - 2 * correlation * x * y))

    return Estimate(
        value=value,
        low=value - width(a.value - a_low, b_high - b.value),
        high=value + width(a_high - a.value, b.value - b_low),
        n=min(a.n, b.n),
    )


def paired_difference(
    a: Sequence[bool], b: Sequence[bool], *, confidence: float = 0.95
) -> Estimate:
    """Difference of two rates measured on the same episodes (Newcombe 1998, paired method 10).

    Args:
        a: outcomes of the first policy, one an episode.
        b: outcomes of the second on the same episodes in the same order.
        confidence: coverage of the interval.

    Raises:
        ValueError: the lengths differ, or are 0.
    """
    if len(a) != len(b):
        raise ValueError(f"paired outcomes need equal lengths, got {len(a)} and {len(b)}.")
    x, y = np.asarray(a, float), np.asarray(b, float)
    both_vary = x.std() > 0 and y.std() > 0
    correlation = float(np.corrcoef(x, y)[0, 1]) if both_vary else 0.0
    return difference(
        rate(int(x.sum()), len(x), confidence=confidence),
        rate(int(y.sum()), len(y), confidence=confidence),
        correlation=correlation,
    )


def wider(a: Estimate, b: Estimate) -> Estimate:
    """``a``'s value with the hull of both intervals.

    A t interval over two or three seeds can be narrow by luck; it is never let below what the
    number of episodes allows.
    """
    if a.interval is None or b.interval is None:
        return a if b.interval is None else b
    low, high = min(a.interval[0], b.interval[0]), max(a.interval[1], b.interval[1])
    return Estimate(value=a.value, low=low, high=high, n=a.n)


def resolvable_difference(n: int, *, power: float = 0.8, confidence: float = 0.95) -> float:
    """Smallest gap between two rates near one half that ``n`` episodes each resolve."""
    z = stats.norm.ppf(0.5 + confidence / 2) + stats.norm.ppf(power)
    return float(z * math.sqrt(0.5 / n))
