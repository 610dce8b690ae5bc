"""Two policies on the same episodes, watched after every episode, at an error rate that holds.

For a supposed difference m of the success rates (second minus first) and each pair's d in
{-1, 0, 1}, a bet of the share u on "the difference is larger" multiplies a fortune by
1 + u (d - m) / (1 + m). Were m true, no mixture of such bets would ever reach 2 / alpha with a
probability above alpha / 2, at whatever time one looks (Ville 1939); so what a fortune of that
size was won against is rejected. All m that are not rejected form a confidence sequence
(Waudby-Smith and Ramdas 2024). At m = 0 only discordant pairs count, and the bet is a mixture
sequential probability ratio test of their sign (Robbins 1970).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from jaxtyping import Float

from uamsim.statistics.intervals import check_share

Verdict = Literal["undecided", "first", "second", "equivalent"]
"""Which policy is better, or that their difference lies within the margin."""

# Any bets are valid. In equal steps of log(u) some are small, for small differences that take many
# episodes; below 0.03 they would only help above a few thousand discordant pairs.
_BETS_U = np.geomspace(0.03, 0.99, 24)
_EDGE = 1e-9


def log_wealth(
    gains: Float[np.ndarray, "*N"] | int,
    ties: Float[np.ndarray, "*N"] | int,
    losses: Float[np.ndarray, "*N"] | int,
    difference: float,
) -> Float[np.ndarray, "*N"]:
    """Log of the fortune won by betting that the true difference is above ``difference``.

    It falls as ``difference`` rises. Exchange gains and losses and negate the difference to bet
    that it is below.

    Args:
        gains: pairs in which the second policy alone succeeds.
        ties: pairs in which both succeed or both fail.
        losses: pairs in which the first policy alone succeeds.
        difference: supposed success of the second minus the first's, above -1 and below 1.
    """
    shares = _BETS_U / (1 + difference)
    counts = [np.asarray(x, dtype=np.float64)[..., None] for x in (gains, ties, losses)]
    logs = (
        counts[0] * np.log1p(shares * (1 - difference))
        + counts[1] * np.log1p(-shares * difference)
        + counts[2] * np.log1p(-_BETS_U)
    )
    return np.asarray(scipy.special.logsumexp(logs, axis=-1) - np.log(len(_BETS_U)))


@dataclass(kw_only=True)
class SequentialComparison:
    """Decides between two policies, episode by episode, and may stop whenever it has decided.

    The first verdict stays. Under "no difference" in every episode a better policy is ever named
    with a probability of at most ``alpha``. Give the episodes in an order that has nothing to do
    with their outcomes (tasks mixed, not one after the other): the confidence sequence and
    "equivalent" are about episodes of one distribution.

    Attributes:
        alpha: error rate over all looks together.
        margin: stop as well once the difference is surely smaller than this; None never does.
        only_first: episodes in which the first policy alone succeeded.
        only_second: episodes in which the second policy alone succeeded.
        ties: the others.
        verdict: so far.
        decided_after: episodes at the verdict, None while undecided.
        p_value: of "no difference", valid at any time; the smallest so far.
    """

    alpha: float = 0.05
    margin: float | None = None
    only_first: int = 0
    only_second: int = 0
    ties: int = 0
    verdict: Verdict = "undecided"
    decided_after: int | None = None
    p_value: float = 1.0

    def __post_init__(self) -> None:
        check_share("alpha", self.alpha)
        if self.margin is not None:
            check_share("margin", self.margin)

    @property
    def episodes(self) -> int:
        """Pairs seen."""
        return self.only_first + self.only_second + self.ties

    def update(self, first: bool, second: bool) -> Verdict:
        """Takes the outcomes of both policies on one episode.

        Args:
            first: whether the first policy succeeded.
            second: whether the second did.

        Returns:
            The verdict so far; anything but "undecided" is final.
        """
        if bool(first) == bool(second):
            self.ties += 1
        elif second:
            self.only_second += 1
        else:
            self.only_first += 1
        best = max(self._log_wealth(0.0, above=True), self._log_wealth(0.0, above=False))
        self.p_value = min(self.p_value, 2 * float(np.exp(-best)))
        if self.verdict == "undecided":
            self.verdict = self._decide()
            self.decided_after = None if self.verdict == "undecided" else self.episodes
        return self.verdict

    def interval(self) -> tuple[float, float]:
        """The confidence sequence now: success of the second minus the first's, at 1 - alpha.

        All the intervals of a run cover the truth together with at least that probability, so
        each of them is wider than one for a number of episodes chosen beforehand.
        """
        return self._limit(above=True), -self._limit(above=False)

    def _decide(self) -> Verdict:
        if self._rejects(0.0, above=True):
            return "second"
        if self._rejects(0.0, above=False):
            return "first"
        margin = self.margin
        within = (
            margin is not None
            and self._rejects(-margin, above=True)
            and self._rejects(margin, above=False)
        )
        return "equivalent" if within else "undecided"

    def _rejects(self, difference: float, *, above: bool) -> bool:
        return self._log_wealth(difference, above=above) >= np.log(2 / self.alpha)

    def _log_wealth(self, difference: float, *, above: bool) -> float:
        if above:
            return float(log_wealth(self.only_second, self.ties, self.only_first, difference))
        return float(log_wealth(self.only_first, self.ties, self.only_second, -difference))

    def _limit(self, *, above: bool) -> float:
        """Lower limit of the difference, or of its negative."""
        sign = 1 if above else -1

        def excess(m: float) -> float:
            return self._log_wealth(sign * m, above=above) - float(np.log(2 / self.alpha))

        if excess(-1 + _EDGE) <= 0:
            return -1.0
        return float(scipy.optimize.root_scalar(excess, bracket=(-1 + _EDGE, 1 - _EDGE)).root)
