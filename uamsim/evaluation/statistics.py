"""Intervals on success rates, and tests between policies that ran the same episodes."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float
from scipy import stats

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


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with an interval, and the p-value of being zero where a test was made."""

    value: float
    ci_low: float
    ci_high: float
    p_value: float | None = None


def wilson_interval(
    successes: int, episodes: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927); (0, 1) of no episodes.

    Raises:
        ConfigError: the counts or the confidence make no sense.
    """
    if not 0 <= successes <= episodes:
        raise ConfigError(f"expected 0 <= successes <= episodes, got {successes} of {episodes}.")
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence must be between 0 and 1, got {confidence}.")
    if episodes == 0:
        return 0.0, 1.0
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    p = successes / episodes
    centre = (p + z2 / (2 * episodes)) / (1 + z2 / episodes)
    variance = p * (1 - p) / episodes + z2 / (4 * episodes**2)
    half = math.sqrt(z2 * variance) / (1 + z2 / episodes)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == episodes else centre + half
    return low, high


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


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value of McNemar's test on discordant pairs (McNemar 1947).

    Args:
        only_first: pairs in which the first succeeds and the second fails.
        only_second: the opposite.

    Raises:
        ConfigError: a count is negative.
    """
    if min(only_first, only_second) < 0:
        raise ConfigError(f"counts of pairs cannot be negative: {only_first}, {only_second}.")
    discordant = only_first + only_second
    return float(stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0


def clustered_mean(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    rng: np.random.Generator,
    resamples: int = 4000,
    confidence: float = 0.95,
) -> Estimate:
    """The mean with a percentile bootstrap interval that draws whole clusters.

    Args:
        values: one for each observation.
        clusters: each observation's cluster (a seed or a task); those within one are dependent.
        rng: decides the resamples.
        resamples: bootstrap resamples.
        confidence: of the interval.

    Raises:
        ConfigError: no values, or not one cluster for each.
    """
    if not values or len(values) != len(clusters):
        raise ConfigError(
            f"expected one cluster for each of at least one value, got {len(values)} values and "
            f"{len(clusters)} clusters."
        )
    order = {cluster: index for index, cluster in enumerate(dict.fromkeys(clusters))}
    index = np.array([order[cluster] for cluster in clusters])
    array = np.asarray(values, dtype=np.float64)
    sums = np.bincount(index, weights=array, minlength=len(order))
    counts = np.bincount(index, minlength=len(order)).astype(np.float64)
    means = _bootstrap_means(sums, counts, rng, resamples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(value=float(array.mean()), ci_low=float(low), ci_high=float(high))


def _bootstrap_means(
    sums: Float[np.ndarray, " C"],
    counts: Float[np.ndarray, " C"],
    rng: np.random.Generator,
    resamples: int,
) -> Float[np.ndarray, " R"]:
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=resamples)
    return (drawn @ sums) / (drawn @ counts)


def paired_difference(
    first: Sequence[EpisodeRecord],
    second: Sequence[EpisodeRecord],
    *,
    rng: np.random.Generator,
    resamples: int = 4000,
    confidence: float = 0.95,
) -> Estimate:
    """Success of the second policy minus the first's, on the same episodes.

    The interval is a paired bootstrap clustered by seed (the same seed gives related scenes in
    every split), the p-value McNemar's exact test over all pairs.

    Raises:
        ConfigError: the two did not run the same episodes.
    """

    def outcomes(records: Sequence[EpisodeRecord]) -> dict[tuple[str, str, int], bool]:
        return {(r.env_id, r.split, r.seed): r.success for r in records}

    a, b = outcomes(first), outcomes(second)
    if a.keys() != b.keys() or not a:
        raise ConfigError(
            f"expected both policies on the same episodes, got {len(a)} and {len(b)} episodes of "
            f"which {len(a.keys() & b.keys())} are shared."
        )
    mean = clustered_mean(
        [float(b[key]) - float(a[key]) for key in a],
        [seed for _, _, seed in a],
        rng=rng,
        resamples=resamples,
        confidence=confidence,
    )
    p_value = mcnemar_exact(
        sum(a[key] and not b[key] for key in a), sum(b[key] and not a[key] for key in a)
    )
    return Estimate(value=mean.value, ci_low=mean.ci_low, ci_high=mean.ci_high, p_value=p_value)
