"""Intervals on success rates, of one task and of a suite of tasks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from uamsim.contract import EpisodeRecord
from uamsim.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Successes of a number of episodes with Wilson's interval."""

    episodes: int
    successes: int
    rate: float
    ci_low: float
    ci_high: float

    @property
    def estimate(self) -> "Estimate":
        """The rate as a value with an interval."""
        return Estimate(value=self.rate, ci_low=self.ci_low, ci_high=self.ci_high, n=self.episodes)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with an interval.

    Attributes:
        value: the point estimate.
        ci_low: lower end; minus infinity where the data exclude nothing (one training seed).
        ci_high: upper end; likewise infinity.
        n: observations behind it: episodes, pairs of them, tasks done, or training seeds.
    """

    value: float
    ci_low: float
    ci_high: float
    n: int

    @property
    def is_bounded(self) -> bool:
        """Whether the data allow an interval."""
        return math.isfinite(self.ci_low) and math.isfinite(self.ci_high)


def check_share(name: str, value: float) -> None:
    """Raises where a confidence, level or power does not lie strictly between 0 and 1.

    Raises:
        ConfigError: it does not.
    """
    if not 0 < value < 1:
        raise ConfigError(f"{name} must be between 0 and 1, got {value}.")


def wilson_interval(
    successes: int, episodes: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927); (0, 1) of no episodes.

    Raises:
        ConfigError: the counts or the confidence make no sense.
    """
    if not 0 <= successes <= episodes:
        raise ConfigError(f"expected 0 <= successes <= episodes, got {successes} of {episodes}.")
    check_share("confidence", confidence)
    if episodes == 0:
        return 0.0, 1.0
    ci = scipy.stats.binomtest(successes, episodes).proportion_ci(confidence, method="wilson")
    return float(ci.low), float(ci.high)


def rate(successes: int, episodes: int, *, confidence: float = 0.95) -> Rate:
    """A rate with its interval; the rate of no episodes is 0.

    Raises:
        ConfigError: as ``wilson_interval``.
    """
    low, high = wilson_interval(successes, episodes, confidence=confidence)
    return Rate(
        episodes=episodes,
        successes=successes,
        rate=successes / episodes if episodes else 0.0,
        ci_low=low,
        ci_high=high,
    )


def success_rates(records: Sequence[EpisodeRecord]) -> dict[tuple[str, str, str], Rate]:
    """Success for each (policy, task, split), in the order of first appearance."""
    outcomes: dict[tuple[str, str, str], list[bool]] = {}
    for record in records:
        key = (record.policy, record.task, record.split)
        outcomes.setdefault(key, []).append(record.success)
    return {key: rate(sum(values), len(values)) for key, values in outcomes.items()}


def suite_average(
    tasks: Sequence[tuple[int, int]],
    *,
    over: Literal["these_tasks", "task_population"],
    confidence: float = 0.95,
) -> Estimate:
    """The mean of the tasks' success rates, each task with the same weight.

    Over ``these_tasks`` (stratified) the interval covers other episodes of the same tasks: it
    belongs to a statement about a benchmark whose tasks are fixed. Over the ``task_population``
    (clustered by task) it also covers the choice of the tasks: it belongs to a statement about
    tasks like these, is far wider, and is (0, 1) for a single task.

    Both are Wilson's interval at the effective number of episodes, that which would give a plain
    rate the variance of this mean (Korn and Graubard 1998; Dean and Pagano 2015); clustered, with
    Student's quantile for the number of tasks. Measured: docs/results/statistics_calibration.md.

    Args:
        tasks: (successes, episodes) of each task.
        over: what the interval is to cover.
        confidence: of the interval.

    Raises:
        ConfigError: no tasks, a task without episodes, or impossible counts.
    """
    check_share("confidence", confidence)
    if not tasks or any(not 0 <= k <= n or n == 0 for k, n in tasks):
        raise ConfigError(
            "expected (successes, episodes) of at least one task, each with an episode and "
            f"0 <= successes <= episodes, got {list(tasks)}."
        )
    successes, episodes = np.asarray(tasks, dtype=np.float64).T
    count = len(tasks)
    mean = float(np.mean(successes / episodes))
    # The effective number were all tasks alike; tasks that differ can only raise it.
    plain = count**2 / float(np.sum(1 / episodes))
    # One more episode at the suite's mean: a task that always succeeds still has a variance.
    shrunk = (successes + mean) / (episodes + 1)
    variance = float(np.sum(shrunk * (1 - shrunk) / episodes)) / count**2
    effective = max(plain, mean * (1 - mean) / variance) if variance > 0 else plain
    low, high = wilson(mean, effective, float(scipy.stats.norm.ppf(0.5 + confidence / 2)))
    if over == "task_population":
        if count < 2:
            return Estimate(value=mean, ci_low=0.0, ci_high=1.0, n=int(episodes.sum()))
        variance = float(np.var(successes / episodes, ddof=1)) / count
        effective = mean * (1 - mean) / variance if variance > 0 else plain
        quantile = float(scipy.stats.t.ppf(0.5 + confidence / 2, count - 1))
        wide = wilson(mean, effective, quantile)
        # Few tasks may agree by chance; what is said of all of them holds of these at least.
        low, high = min(low, wide[0]), max(high, wide[1])
    return Estimate(value=mean, ci_low=low, ci_high=high, n=int(episodes.sum()))


def wilson(p: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval where ``n`` is no whole number."""
    z2 = quantile**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = float(np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n**2)))) / (1 + z2 / n)
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))
