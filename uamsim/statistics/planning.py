"""How many episodes resolve a difference, and what difference a number of them resolves.

Power is exact for the tests that are used here: Newcombe's interval for policies that ran
different episodes, McNemar's exact test for policies that ran the same ones.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float

from uamsim.errors import ConfigError
from uamsim.statistics.intervals import check_share

MAX_EPISODES = 200_000
"""Above it a plan is refused: a difference that small matters to nobody."""
_TAIL_SDS = 6.0


@dataclass(frozen=True, kw_only=True)
class Design:
    """A comparison of two success rates to be planned.

    Attributes:
        baseline: expected success of the first policy.
        paired: both policies run the same episodes.
        discordance: share of episodes in which exactly one succeeds, for paired ones; None takes
            that of independent outcomes, the share when pairing helps nothing.
        alpha: of the two-sided test.
        power: probability that the difference is found.
    """

    baseline: float
    paired: bool = False
    discordance: float | None = None
    alpha: float = 0.05
    power: float = 0.8

    def __post_init__(self) -> None:
        for name in ("baseline", "alpha", "power"):
            check_share(name, getattr(self, name))
        if self.discordance is not None and not self.paired:
            raise ConfigError("discordance is a share of pairs: it needs a paired design.")

    def discordance_at(self, difference: float) -> float:
        """The share of discordant pairs when the second rate is ``difference`` higher.

        Raises:
            ConfigError: the two rates do not allow the share that was given.
        """
        p, q = self.baseline, self.baseline + difference
        if self.discordance is None:
            return p * (1 - q) + q * (1 - p)
        most = min(p + q, 2 - p - q)
        if not abs(difference) - 1e-12 <= self.discordance <= most + 1e-12:
            raise ConfigError(
                f"rates of {p:.3g} and {q:.3g} allow a discordance from {abs(difference):.3g} to "
                f"{most:.3g}, got {self.discordance:.3g}."
            )
        return self.discordance


def power_of(design: Design, difference: float, episodes: int) -> float:
    """Probability that the test finds a difference.

    Args:
        design: its ``power`` is not used.
        difference: success of the second policy minus the first's.
        episodes: of each policy.

    Raises:
        ConfigError: the difference or the number makes no sense.
    """
    second = design.baseline + difference
    if not 0 <= second <= 1 or difference == 0:
        raise ConfigError(
            f"the second rate, {design.baseline:.3g} {difference:+.3g}, must lie from 0 to 1 and "
            "differ from the baseline."
        )
    if episodes < 1:
        raise ConfigError(f"expected at least one episode, got {episodes}.")
    if design.paired:
        share = design.discordance_at(difference)
        return _mcnemar_power(episodes, share, difference, design.alpha)
    return _newcombe_power(episodes, design.baseline, second, design.alpha)


def episodes_for(design: Design, difference: float) -> int:
    """Episodes of each policy at which the test finds the difference with the design's power.

    Exact power does not rise in every single step, so a few episodes fewer may do as well.

    Raises:
        ConfigError: the difference makes no sense, or needs more than ``MAX_EPISODES``.
    """
    high = 1
    while power_of(design, difference, high) < design.power:
        high *= 2
        if high > MAX_EPISODES:
            raise ConfigError(
                f"a difference of {difference:+.3g} needs more than {MAX_EPISODES:,} episodes of "
                "each policy; plan for a larger one."
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(design, difference, middle) < design.power:
            low = middle
        else:
            high = middle
    return high


def resolvable_difference(design: Design, episodes: int) -> float | None:
    """The smallest gain over the baseline that the episodes find with the design's power.

    Args:
        design: what is compared.
        episodes: of each policy.

    Returns:
        A difference of success rates to 0.001, or None where not even the largest is found.

    Raises:
        ConfigError: no episodes, or a discordance above what any difference allows.
    """
    # The given discordance bounds the difference: first from below one, then the other rate.
    largest = 1 - design.baseline
    if design.discordance is not None:
        largest = min(largest, design.discordance, 2 - 2 * design.baseline - design.discordance)
    low, high = 0, math.floor(1000 * largest + 1e-9)
    if high < 1 or power_of(design, high / 1000, episodes) < design.power:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(design, middle / 1000, episodes) < design.power:
            low = middle
        else:
            high = middle
    return high / 1000


def _likely(n: int, p: float) -> Float[np.ndarray, " K"]:
    """The counts of a binomial variable that have more than a negligible probability."""
    reach = _TAIL_SDS * math.sqrt(n * p * (1 - p)) + _TAIL_SDS
    return np.arange(max(0, math.floor(n * p - reach)), min(n, math.ceil(n * p + reach)) + 1)


def _mcnemar_power(n: int, discordance: float, difference: float, alpha: float) -> float:
    discordant = _likely(n, discordance)
    # Most losses that a number of discordant pairs may have and still be significant.
    most = scipy.stats.binom.ppf(alpha / 2, discordant, 0.5)
    most = most - (scipy.stats.binom.cdf(most, discordant, 0.5) > alpha / 2)
    win = (discordance + difference) / (2 * discordance)
    found = scipy.stats.binom.cdf(most, discordant, 1 - win) + scipy.stats.binom.cdf(
        most, discordant, win
    )
    return float(scipy.stats.binom.pmf(discordant, n, discordance) @ found)


def _newcombe_power(n: int, first: float, second: float, alpha: float) -> float:
    z2 = float(scipy.stats.norm.ppf(1 - alpha / 2)) ** 2

    def wilson(p: Float[np.ndarray, " K"]) -> tuple[Float[np.ndarray, " K"], ...]:
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
        return p - (centre - half), centre + half - p

    x, y = _likely(n, first), _likely(n, second)
    below_x, above_x = wilson(x / n)
    below_y, above_y = wilson(y / n)
    gap = (y[None, :] - x[:, None]) / n
    higher = gap > np.hypot(below_y[None, :], above_x[:, None])
    lower = -gap > np.hypot(below_x[:, None], above_y[None, :])
    chance_x, chance_y = scipy.stats.binom.pmf(x, n, first), scipy.stats.binom.pmf(y, n, second)
    return float(chance_x @ (higher | lower) @ chance_y)
