"""Two policies on the same episodes: rates, their difference, and tests of it."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy

from uamsim.contract import EpisodeRecord, content_hash
from uamsim.errors import ConfigError
from uamsim.statistics.intervals import Estimate, Rate, check_share, rate
from uamsim.statistics.sequential import SequentialComparison, Verdict

EpisodeKey = tuple[str, str, int]
"""Environment, split and seed: what two policies must share for a pair."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two policies on the episodes of one split that both ran.

    Attributes:
        split: its name.
        tasks: tasks that have such episodes.
        episodes: pairs.
        first: the first policy's rate on them, all tasks pooled.
        second: the second's.
        difference: second minus first.
        ci_low: lower end of the interval of ``paired_difference``.
        ci_high: upper end.
        only_first: pairs in which the first alone succeeds.
        only_second: pairs in which the second alone succeeds.
        p_value: McNemar's, exact, of "no difference".
        verdict: of the sequential test.
        decided_after: pairs after which it could have stopped, None where undecided.
        sequence_low: lower end of the confidence sequence after all pairs.
        sequence_high: upper end.
    """

    split: str
    tasks: int
    episodes: int
    first: Rate
    second: Rate
    difference: float
    ci_low: float
    ci_high: float
    only_first: int
    only_second: int
    p_value: float
    verdict: Verdict
    decided_after: int | None
    sequence_low: float
    sequence_high: float

    def to_row(self) -> dict[str, Any]:
        """As one flat row: ``first_rate``, ``first_ci_low`` and so on."""
        row: dict[str, Any] = {}
        for name, value in asdict(self).items():
            if isinstance(value, dict):
                row |= {f"{name}_{part}": v for part, v in value.items() if part != "episodes"}
            else:
                row[name] = value
        return row


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
    return float(scipy.stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0


def paired_difference(
    first: Sequence[bool],
    second: Sequence[bool],
    *,
    clusters: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Estimate:
    """Success of the second policy minus the first's on the same episodes.

    Wald's interval with two more pairs, one that each policy wins (Bonett and Price 2012), cut at
    -1 and 1: without them it would be a point where all pairs agree, which a few always may. Few
    discordant pairs make it conservative. Measured beside a bootstrap's, Tango's and Newcombe's:
    docs/results/statistics_calibration.md.

    Args:
        first: success of the first policy, one an episode.
        second: success of the second on the same episodes in the same order.
        clusters: each pair's cluster where some are related, such as the scene of one seed in
            several splits. The variance is then that between clusters, and the two more pairs
            are two clusters of mean size.
        confidence: of the interval.

    Raises:
        ConfigError: no pairs, or lengths that differ.
    """
    check_share("confidence", confidence)
    groups = range(len(first)) if clusters is None else clusters
    if not len(first) or not len(first) == len(second) == len(groups):
        raise ConfigError(
            f"expected two outcomes and one cluster for each of at least one pair, got "
            f"{len(first)} and {len(second)} outcomes and {len(groups)} clusters."
        )
    gaps = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    names = {name: index for index, name in enumerate(dict.fromkeys(groups))}
    index = np.array([names[name] for name in groups])
    size = len(gaps) / len(names)
    sums = np.append(np.bincount(index, weights=gaps), [size, -size])
    counts = np.append(np.bincount(index), [size, size])
    centre = float(sums.sum() / counts.sum())
    # Of a ratio of two sums over clusters; of single pairs it is Bonett and Price's.
    deviation = float(np.linalg.norm(sums - centre * counts) / counts.sum())
    half = float(scipy.stats.norm.ppf(0.5 + confidence / 2)) * deviation
    value = float(gaps.mean())
    return Estimate(
        value=value,
        ci_low=max(-1.0, min(centre - half, value)),
        ci_high=min(1.0, max(centre + half, value)),
        n=len(gaps),
    )


def by_episode(records: Sequence[EpisodeRecord]) -> dict[EpisodeKey, EpisodeRecord]:
    """One policy's records by what names an episode.

    Raises:
        ConfigError: an episode is there twice.
    """
    found: dict[EpisodeKey, EpisodeRecord] = {}
    for record in records:
        key = (record.env_id, record.split, record.seed)
        if key in found:
            raise ConfigError(
                f"expected each episode once, got {record.env_id}, split {record.split}, seed "
                f"{record.seed} of {found[key].policy} and of {record.policy} "
                f"({found[key].render_profile}, {record.render_profile}). Give one policy's "
                "records of one run."
            )
        found[key] = record
    return found


def compare(
    first: Sequence[EpisodeRecord],
    second: Sequence[EpisodeRecord],
    *,
    alpha: float = 0.05,
    margin: float | None = None,
    order: Callable[[EpisodeKey], Any] = content_hash,
) -> list[Comparison]:
    """Compares two policies in every split on the episodes that both ran.

    Args:
        first: one policy's records.
        second: another's.
        alpha: error rate of each test, and 1 - the confidence of each interval. It holds for one
            split; over several it adds up.
        margin: the sequential test calls the policies equivalent once they surely differ by less.
        order: sorts the pairs for the sequential test. It must have nothing to do with outcomes;
            the names' hashes mix the tasks, the same way whatever order the records came in.

    Returns:
        One comparison a split that both ran, in the first policy's order.

    Raises:
        ConfigError: no shared episodes, or an episode twice.
    """
    check_share("alpha", alpha)
    a, b = by_episode(first), by_episode(second)
    splits: dict[str, list[EpisodeKey]] = {}
    for key in a:
        if key in b:
            splits.setdefault(key[1], []).append(key)
    if not splits:
        raise ConfigError(
            f"expected policies that ran the same episodes (environment, split and seed), got "
            f"{len(a)} and {len(b)} episodes without a shared one."
        )
    return [
        _compare_split(split, a, b, sorted(keys, key=order), alpha, margin)
        for split, keys in splits.items()
    ]


def _compare_split(
    split: str,
    a: dict[EpisodeKey, EpisodeRecord],
    b: dict[EpisodeKey, EpisodeRecord],
    keys: list[EpisodeKey],
    alpha: float,
    margin: float | None,
) -> Comparison:
    x, y = [a[key].success for key in keys], [b[key].success for key in keys]
    estimate = paired_difference(x, y, confidence=1 - alpha)
    test = SequentialComparison(alpha=alpha, margin=margin)
    for pair in zip(x, y, strict=True):
        test.update(*pair)
    low, high = test.interval()
    return Comparison(
        split=split,
        tasks=len({env_id for env_id, _, _ in keys}),
        episodes=len(keys),
        first=rate(sum(x), len(x), confidence=1 - alpha),
        second=rate(sum(y), len(y), confidence=1 - alpha),
        difference=estimate.value,
        ci_low=estimate.ci_low,
        ci_high=estimate.ci_high,
        only_first=test.only_first,
        only_second=test.only_second,
        p_value=mcnemar_exact(test.only_first, test.only_second),
        verdict=test.verdict,
        decided_after=test.decided_after,
        sequence_low=low,
        sequence_high=high,
    )
