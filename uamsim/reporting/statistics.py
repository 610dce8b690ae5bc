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


def difference(a: Estimate, b: Estimate) -> Estimate:
    """``a - b`` by square-and-add of both intervals.

    With Wilson intervals this is Newcombe's method 10 for independent rates (Newcombe 1998).
    """
    value = a.value - b.value
    if a.interval is None or b.interval is None:
        return Estimate(value=value, low=None, high=None, n=min(a.n, b.n))
    (a_low, a_high), (b_low, b_high) = a.interval, b.interval
    return Estimate(
        value=value,
        low=value - math.hypot(a.value - a_low, b_high - b.value),
        high=value + math.hypot(a_high - a.value, b.value - b_low),
        n=min(a.n, b.n),
    )


def paired_difference(
    a: Sequence[bool], b: Sequence[bool], *, confidence: float = 0.95
) -> Estimate:
    """Difference of two rates measured on the same episodes (Bonett and Price 2012).

    Wald's interval with one more pair that each policy wins. Measured, and beside Newcombe's
    paired interval, which falls short with few pairs: docs/results/statistics_calibration.md.

    Args:
        a: outcomes of the first policy, one an episode.
        b: outcomes of the second on the same episodes in the same order.
        confidence: coverage of the interval.

    Raises:
        ValueError: the lengths differ, or are 0.
    """
    n = len(a)
    if n != len(b) or n == 0:
        raise ValueError(f"paired outcomes need equal lengths above 0, got {n} and {len(b)}.")
    only_a = sum(x and not y for x, y in zip(a, b, strict=True))
    only_b = sum(y and not x for x, y in zip(a, b, strict=True))
    p, q = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    value = (only_a - only_b) / n
    return Estimate(
        value=value,
        low=max(-1.0, min(value, p - q - half)),
        high=min(1.0, max(value, p - q + half)),
        n=n,
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
