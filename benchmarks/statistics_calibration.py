"""Whether the intervals cover, the sequential test errs no more than it says, and plans hold.

    python benchmarks/statistics_calibration.py

writes docs/results/statistics_calibration.md: some minutes on one core. What can be counted
exactly is; the rest is simulated, from a fixed seed.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from scipy import stats

from uamsim.statistics import (
    Design,
    SequentialComparison,
    episodes_for,
    paired_difference,
    power_of,
    resolvable_difference,
    suite_average,
    wilson_interval,
)
from uamsim.statistics.sequential import log_wealth

OUT = Path(__file__).parents[1] / "docs" / "results" / "statistics_calibration.md"
RUNS = 20_000
PAIRS = ((0.02, 0.02), (0.1, 0.0), (0.1, 0.1), (0.3, 0.1), (0.3, 0.2), (0.6, 0.05))
"""Chance that the second policy alone succeeds, and that the first alone does."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=RUNS, help="simulated runs of each setting")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    started = time.monotonic()
    parts = [
        "# Calibration of the statistics",
        f"`python benchmarks/statistics_calibration.py --runs {options.runs}`. Percent of runs, or "
        "exact sums where it says so; nominal are 95% for intervals and 5% for tests.",
    ]
    for part in (wilson, suites, paired, false_alarms, sequences, stopping, plans):
        rng = np.random.default_rng([7, len(parts)])
        parts += part(rng, options.runs)
        print(f"{time.monotonic() - started:6.0f} s  {part.__name__}", flush=True)
    options.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(options.out)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def wilson(rng: np.random.Generator, runs: int) -> Iterator[str]:
    shares = np.linspace(0.02, 0.98, 193)
    rows = []
    for n in (10, 20, 50, 100, 400):
        ends = np.array([wilson_interval(k, n) for k in range(n + 1)])
        inside = (ends[:, 0, None] <= shares) & (shares <= ends[:, 1, None])
        covered = (stats.binom.pmf(np.arange(n + 1)[:, None], n, shares) * inside).sum(axis=0)
        at = covered[np.argmin(np.abs(shares - 0.35))]
        rows.append([n, percent(covered.mean()), percent(at), percent(covered.min())])
    yield "## A rate: Wilson"
    yield (
        "Exact. A count of successes is discrete, so the coverage of any such interval swings "
        "with the true rate; Wilson's is right on the average over rates (here 2% to 98%)."
    )
    yield table(["episodes", "mean over rates", "at 35%", "lowest"], rows)


def suites(rng: np.random.Generator, runs: int) -> Iterator[str]:
    rows = []
    for tasks in (2, 3, 5, 10, 20):
        for n in (10, 20, 50):
            rows.append([tasks, n, *(percent(x) for x in _suite_coverage(rng, tasks, n, runs))])
    yield "## The mean of a suite's tasks"
    yield (
        f"{runs // 4:,} runs (standard error 0.3 points). "
        "*These tasks* (stratified): the tasks are fixed, their rates drawn once a run, uniform "
        "from 10% to 90% or from 85% to 100%; the truth is the mean of these rates. *Clustered by "
        "task*: the tasks are a sample, rates drawn from Beta(2, 2) or Beta(8, 2); the truth is "
        "the mean of that distribution; never narrower than the one for these tasks, and "
        "conservative for two or three, which often agree by chance. The last column is "
        "a bootstrap of whole tasks in its percentile form, for Beta(2, 2), "
        f"{runs // 16:,} runs."
    )
    yield table(
        [
            "tasks",
            "episodes a task",
            "these tasks, 10–90%",
            "these tasks, 85–100%",
            "clustered, Beta(2, 2)",
            "clustered, Beta(8, 2)",
            "bootstrap of tasks",
        ],
        rows,
    )
    yield (
        "Which is used where: a benchmark's own average, in `results.json`, the report and "
        "`suites.parquet` as `ci_low` and `ci_high`, is about these tasks. `clustered_low` and "
        "`clustered_high` beside it are the ones to quote for a claim about tasks in general. "
        "With two tasks it is nearly [0, 100]: there is nothing to learn about a third from two."
    )


def _suite_coverage(rng: np.random.Generator, tasks: int, n: int, runs: int) -> list[float]:
    runs //= 4
    covered = []
    for low, high in ((0.1, 0.9), (0.85, 1.0)):
        rates = rng.uniform(low, high, (runs, tasks))
        hits = 0
        for true, counts in zip(rates.mean(axis=1), rng.binomial(n, rates), strict=True):
            found = suite_average([(int(k), n) for k in counts], over="these_tasks")
            hits += found.ci_low <= true <= found.ci_high
        covered.append(hits / runs)
    for a, b in ((2, 2), (8, 2)):
        hits = 0
        for counts in rng.binomial(n, rng.beta(a, b, (runs, tasks))):
            found = suite_average([(int(k), n) for k in counts], over="task_population")
            hits += found.ci_low <= a / (a + b) <= found.ci_high
        covered.append(hits / runs)
    hits = 0
    for counts in rng.binomial(n, rng.beta(2, 2, (runs // 4, tasks))):
        means = counts[rng.integers(0, tasks, (400, tasks))].mean(axis=1) / n
        low, high = np.quantile(means, [0.025, 0.975])
        hits += low <= 0.5 <= high
    return [*covered, hits / (runs // 4)]


def paired(rng: np.random.Generator, runs: int) -> Iterator[str]:
    methods = {
        "Bonett and Price": _bonett_price,
        "bootstrap": partial(_bootstrap, rng=rng),
        "Tango": _tango,
        "Newcombe": _newcombe,
    }
    rows = []
    for n in (10, 20, 50, 100, 200, 400):
        for gain, loss in PAIRS:
            counts, chance = _likely_counts(n, gain, loss)
            row = [n, percent(gain), percent(loss)]
            for interval in methods.values():
                ends = np.array([interval(wins, losses, n) for wins, losses in counts])
                inside = (ends[:, 0] - 1e-9 <= gain - loss) & (gain - loss <= ends[:, 1] + 1e-9)
                width = float(chance @ (ends[:, 1] - ends[:, 0]))
                row.append(f"{percent(float(chance @ inside))} (±{50 * width:.1f})")
            rows.append(row)
    yield "## The difference of two policies on the same episodes"
    yield (
        "Exact sums over the counts of pairs (bootstraps of 2,000 resamples): coverage, and in "
        "brackets the mean half width in points. Bonett and Price (2012) is Wald's interval with "
        "one more pair that each policy wins; the bootstrap resamples the same pairs; Tango (1998) "
        "inverts the score test; Newcombe (1998) is his method 10 for paired rates."
    )
    yield table(["pairs", "second alone (%)", "first alone (%)", *methods], rows)
    yield (
        "`paired_difference` is Bonett and Price's, always the second policy minus the first, and "
        "the one interval of `uamsim stats compare`, `results.json`, `comparisons.parquet` and the "
        "report. Its bootstrap is the same interval with noise: 4,000 resamples and a seed for "
        "what a square root gives. Where fewer than about ten discordant pairs are expected, it "
        "covers more than it says, yet is narrower than Tango's; there, any interval that does "
        "not shrink to a point when all pairs agree has few outcomes to choose from. Newcombe's "
        "falls short with few pairs.\n\n"
        f"Pairs in clusters (40 scenes, each in 5 related splits, {runs // 10:,} runs): "
        f"{percent(_clustered_pairs(rng, runs // 10, clustered=True))} with the scenes as "
        f"clusters, {percent(_clustered_pairs(rng, runs // 10, clustered=False))} without. So the "
        "report takes a scene in several splits, or played by several training seeds, as one "
        "cluster."
    )


def _bonett_price(wins: int, losses: int, n: int) -> tuple[float, float]:
    # Which episodes are ties does not matter, nor which way they end.
    first, second = [False] * n, [False] * n
    first[:losses], second[n - wins :] = [True] * losses, [True] * wins
    found = paired_difference(first, second)
    return found.ci_low, found.ci_high


def _bootstrap(wins: int, losses: int, n: int, rng: np.random.Generator) -> tuple[float, float]:
    """The normal interval of the bootstrap's standard error, of the same pairs and two more."""
    chances = np.array([wins + 1, losses + 1, n - wins - losses]) / (n + 2)
    drawn = rng.multinomial(n + 2, chances, size=2000)
    centre, value = (wins - losses) / (n + 2), (wins - losses) / n
    half = 1.959964 * float(((drawn[:, 0] - drawn[:, 1]) / (n + 2)).std())
    return max(-1.0, min(centre - half, value)), min(1.0, max(centre + half, value))


def _tango(wins: int, losses: int, n: int) -> tuple[float, float]:
    """The differences that the score test for paired rates does not reject (Tango 1998)."""

    def score(gap: float) -> float:
        b = -wins - losses + (2 * n - wins + losses) * gap
        root = np.sqrt(max(0.0, b * b + 8 * n * losses * gap * (1 - gap)))
        variance = n * ((root - b) / (2 * n) + gap * (1 - gap))
        return (wins - losses - n * gap) / np.sqrt(max(variance, 1e-12))

    value, ends = (wins - losses) / n, []
    for edge, limit in ((-1.0, 1.959964), (1.0, -1.959964)):
        inside, outside = value, edge
        for _ in range(30):
            middle = (inside + outside) / 2
            if abs(score(middle)) < abs(limit):
                inside = middle
            else:
                outside = middle
        ends.append(inside)
    return ends[0], ends[1]


def _likely_counts(n: int, gain: float, loss: float) -> tuple[list[tuple[int, int]], np.ndarray]:
    a, b = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    a, b = a[a + b <= n], b[a + b <= n]
    chance = stats.multinomial.pmf(
        np.stack([a, b, n - a - b], axis=1), n, [gain, loss, 1 - gain - loss]
    )
    likely = chance > 1e-6
    counts = [(int(x), int(y)) for x, y in zip(a[likely], b[likely], strict=True)]
    return counts, chance[likely] / chance[likely].sum()


def _newcombe(wins: int, losses: int, n: int) -> tuple[float, float]:
    """Method 10 for paired rates, without continuity correction; half of the ties succeed."""
    both = (n - wins - losses + 1) // 2
    p, q = (both + wins) / n, (both + losses) / n
    p_low, p_high = wilson_interval(both + wins, n)
    q_low, q_high = wilson_interval(both + losses, n)
    spread = p * (1 - p) * q * (1 - q)
    correlation = (both / n - p * q) / np.sqrt(spread) if spread else 0.0

    def width(x: float, y: float) -> float:
        return float(np.sqrt(max(0.0, x * x + y * y - 2 * correlation * x * y)))

    return p - q - width(p - p_low, q_high - q), p - q + width(p_high - p, q - q_low)


def _clustered_pairs(rng: np.random.Generator, runs: int, *, clustered: bool) -> float:
    groups = [scene for scene in range(40) for _ in range(5)] if clustered else None
    hits = 0
    for _ in range(runs):
        # How hard a scene is varies for each policy by itself: means of 0.4 and 0.6.
        first = rng.random(200) < np.repeat(rng.beta(1.2, 1.8, 40), 5)
        second = rng.random(200) < np.repeat(rng.beta(1.8, 1.2, 40), 5)
        x, y = first.tolist(), second.tolist()
        found = paired_difference(x, y, clusters=groups)
        hits += found.ci_low <= 0.2 <= found.ci_high
    return hits / runs


def false_alarms(rng: np.random.Generator, runs: int) -> Iterator[str]:
    horizon = 2000
    bounds = {alpha: _bounds(alpha, horizon) for alpha in (0.01, 0.05, 0.1)}
    naive = stats.binom.ppf(0.025, np.arange(1, horizon + 1), 0.5)
    alarms = dict.fromkeys(bounds, 0)
    careless = 0
    for start in range(0, runs, 1000):
        wins = np.cumsum(rng.random((1000, horizon)) < 0.5, axis=1, dtype=np.int32)
        most = np.maximum(wins, np.arange(1, horizon + 1) - wins)
        for alpha, bound in bounds.items():
            alarms[alpha] += int((most >= bound).any(axis=1).sum())
        least = np.arange(1, horizon + 1) - most
        careless += int((least < naive).any(axis=1).sum())
        if start == 0:
            _check_class(wins[:100, :400], bounds[0.05])
    done = len(range(0, runs, 1000)) * 1000
    rows = [
        [f"{100 * alpha:g}", percent(n / done), "yes" if n / done <= alpha else "NO"]
        for alpha, n in alarms.items()
    ]
    yield "## The sequential test without a difference"
    yield (
        f"{done:,} null runs, looked at after each of up to {horizon:,} discordant pairs (ties "
        "change nothing). At most alpha is guaranteed for endless runs; a finite one stays below, "
        f"by construction. McNemar's exact test at 5%, read after every pair in the same way, "
        f"errs in {percent(careless / done)}% of runs."
    )
    yield table(["alpha (%)", "runs that name a winner (%)", "at most alpha"], rows)


def _bounds(alpha: float, horizon: int) -> np.ndarray:
    """The fewest wins of one policy that decide, for each number of discordant pairs."""
    bounds = np.full(horizon, horizon + 1)
    for pairs in range(1, horizon + 1):
        wins = np.arange(pairs // 2, pairs + 1)
        enough = log_wealth(wins, 0 * wins, pairs - wins, 0.0) >= np.log(2 / alpha)
        if enough.any():
            bounds[pairs - 1] = wins[enough.argmax()]
    return bounds


def _check_class(wins: np.ndarray, bounds: np.ndarray) -> None:
    """The class decides where the bounds say, so that what was counted is what is used."""
    for run in wins:
        test = SequentialComparison(alpha=0.05)
        for won in np.diff(run, prepend=0):
            test.update(not won, bool(won))
        pairs = np.arange(1, len(run) + 1)
        hit = np.flatnonzero(np.maximum(run, pairs - run) >= bounds[: len(run)])
        assert test.decided_after == (hit[0] + 1 if len(hit) else None)


def sequences(rng: np.random.Generator, runs: int) -> Iterator[str]:
    horizon, limit = 1000, np.log(2 / 0.05)
    runs //= 4
    rows = []
    for gain, loss in ((0.02, 0.02), (0.1, 0.1), (0.3, 0.1), (0.45, 0.45), (0.6, 0.05)):
        gains, losses = np.zeros(runs), np.zeros(runs)
        missed, widths = np.zeros(runs, dtype=bool), []
        for n in range(1, horizon + 1):
            drawn = rng.random(runs)
            gains += drawn < gain
            losses += drawn > 1 - loss
            ties = n - gains - losses
            true = gain - loss
            outside = log_wealth(gains, ties, losses, true) >= limit
            outside |= log_wealth(losses, ties, gains, -true) >= limit
            missed |= outside
            if n in (100, 1000):
                widths += [percent(1 - outside.mean()), percent(1 - missed.mean())]
                widths.append(_half_widths(gain, loss, n))
        rows.append([percent(gain), percent(loss), *widths])
    yield "## The confidence sequence of the difference"
    yield (
        f"{runs:,} runs. All intervals up to a number of pairs cover the truth together with at "
        "least 95%, conservative by construction since that holds however long a run goes on. The "
        "price is width: half widths in points at the expected counts, and in brackets those of an "
        "interval for a number of pairs chosen beforehand."
    )
    yield table(
        ["second alone (%)", "first alone (%)"]
        + [f"{what} {n}" for n in (100, 1000) for what in ("at", "all up to", "half width at")],
        rows,
    )


def _half_widths(gain: float, loss: float, n: int) -> str:
    test = SequentialComparison(only_second=round(gain * n), only_first=round(loss * n))
    test.ties = n - test.only_second - test.only_first
    low, high = test.interval()
    fixed = 196 * float(np.sqrt((gain + loss - (gain - loss) ** 2) / n))
    return f"±{50 * (high - low):.0f} (±{fixed:.0f})"


def stopping(rng: np.random.Generator, runs: int) -> Iterator[str]:
    runs //= 10
    rows = []
    for gain, loss in ((0.15, 0.05), (0.3, 0.1), (0.4, 0.1), (0.5, 0.05)):
        fixed = episodes_for(
            Design(baseline=0.35, paired=True, discordance=gain + loss), gain - loss
        )
        horizon = 6 * fixed
        bounds = np.append(_bounds(0.05, horizon)[::-1], horizon + 1)[::-1]
        drawn = rng.random((runs, horizon))
        wins = np.cumsum(drawn < gain, axis=1)
        losses = np.cumsum(drawn > 1 - loss, axis=1)
        hit = np.maximum(wins, losses) >= bounds[wins + losses]
        stops = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, horizon)
        within = float(np.mean(stops <= fixed))
        row = [f"{percent(gain)}, {percent(loss)}", fixed]
        rows.append([*row, *(f"{np.quantile(stops, q):.0f}" for q in (0.5, 0.8)), percent(within)])
    yield "## When the sequential test stops"
    yield (
        "Beside the pairs that McNemar's exact test needs for 80% power. Half of the runs are over "
        "at about that number; give a sequential comparison up to twice as many."
    )
    yield table(
        [
            "second, first alone (%)",
            "McNemar, 80% power",
            "median stop",
            "80% have stopped",
            "stopped by McNemar's number (%)",
        ],
        rows,
    )


def plans(rng: np.random.Generator, runs: int) -> Iterator[str]:
    def gap(design: Design, n: int) -> str:
        found = resolvable_difference(design, n)
        return "none" if found is None else f"{100 * found:.0f}"

    rows = [
        [
            n,
            gap(Design(baseline=0.35), n),
            gap(Design(baseline=0.35, paired=True), n),
            gap(Design(baseline=0.35, paired=True, discordance=0.25), n),
        ]
        for n in (20, 50, 100, 200, 500)
    ]
    yield "## What a number of episodes resolves"
    yield (
        "Points above a baseline of 35%, 80% power, two-sided 5%, exact: Newcombe's interval on "
        "different episodes; McNemar's exact test on the same, their outcomes unrelated, or a "
        "quarter of them discordant (no gap above 25 points is possible then)."
    )
    yield table(["episodes", "different", "same, unrelated", "same, 25% discordant"], rows)
    fisher = _fisher_gap(20)
    yield (
        f"20 episodes a task resolve {gap(Design(baseline=0.35), 20)} points. The 47 that are "
        "quoted for real robots hold for more conservative tests: Fisher's exact test resolves "
        f"{100 * fisher:.0f}, Newcombe's interval has "
        f"{100 * power_of(Design(baseline=0.35), 0.47, 20):.0f}% power at 47."
    )


def _fisher_gap(n: int) -> float:
    counts = np.arange(n + 1)
    p_value = np.array(
        [[stats.fisher_exact([[x, n - x], [y, n - y]])[1] for y in counts] for x in counts]
    )
    chance = stats.binom.pmf(counts, n, 0.35)
    for second in np.arange(0.5, 1, 0.001):
        if chance @ (p_value <= 0.05) @ stats.binom.pmf(counts, n, second) >= 0.8:
            return float(second) - 0.35
    return 1.0


if __name__ == "__main__":
    main()
