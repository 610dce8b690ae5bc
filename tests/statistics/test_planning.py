import math

import numpy as np
import pytest

from uamsim.errors import ConfigError
from uamsim.statistics import (
    Design,
    difference,
    episodes_for,
    mcnemar_exact,
    power_of,
    rate,
    resolvable_difference,
)


def test_sizes_are_near_the_textbook_approximations():
    z_alpha, z_power = 1.959964, 0.841621
    # Fleiss, Levin and Paik 2003, two independent rates, without continuity correction.
    p, q = 0.35, 0.55
    pooled = z_alpha * math.sqrt((p + q) * (2 - p - q) / 2)
    approximate = (pooled + z_power * math.sqrt(p * (1 - p) + q * (1 - q))) ** 2 / (q - p) ** 2
    assert episodes_for(Design(baseline=p), q - p) == pytest.approx(approximate, abs=3)
    # Connor 1987, paired rates: a lower bound for the exact test.
    share, gap = 0.3, 0.15
    approximate = (z_alpha * share**0.5 + z_power * (share - gap**2) ** 0.5) ** 2 / gap**2
    needed = episodes_for(Design(baseline=0.4, paired=True, discordance=share), gap)
    assert approximate < needed < 1.15 * approximate


def test_twenty_episodes_resolve_little():
    gap = resolvable_difference(Design(baseline=0.35), 20)
    assert gap == pytest.approx(0.43, abs=0.005)


def test_power_is_that_of_newcombes_interval():
    rng = np.random.default_rng(0)
    found = 0
    for x, y in zip(rng.binomial(25, 0.3, 1500), rng.binomial(25, 0.65, 1500), strict=True):
        gap = difference(rate(int(x), 25).estimate, rate(int(y), 25).estimate)
        found += gap.ci_low > 0 or gap.ci_high < 0
    assert found / 1500 == pytest.approx(power_of(Design(baseline=0.3), 0.35, 25), abs=0.035)


def test_power_is_that_of_mcnemars_test():
    rng = np.random.default_rng(0)
    design = Design(baseline=0.4, paired=True, discordance=0.4)
    counts = rng.multinomial(60, [0.1, 0.3, 0.6], size=3000)
    found = np.mean([mcnemar_exact(int(a), int(b)) <= 0.05 for a, b, _ in counts])
    assert found == pytest.approx(power_of(design, 0.2, 60), abs=0.03)


def test_agreement_between_policies_saves_episodes():
    alone = episodes_for(Design(baseline=0.35), 0.2)
    alike = episodes_for(Design(baseline=0.35, paired=True, discordance=0.25), 0.2)
    assert alike < 0.6 * alone


@pytest.mark.parametrize("paired", [False, True])
def test_the_two_questions_agree(paired: bool):
    design = Design(baseline=0.35, paired=paired)
    gap = resolvable_difference(design, 120)
    assert gap is not None
    assert power_of(design, gap, 120) >= 0.8 > power_of(design, gap - 0.001, 120)
    needed = episodes_for(design, gap)
    assert 110 <= needed <= 120
    assert power_of(design, gap, needed) >= 0.8 > power_of(design, gap, needed - 1)


def test_large_numbers_are_quick_and_agree_with_the_normal_approximation():
    assert episodes_for(Design(baseline=0.35), 0.02) == pytest.approx(9000, rel=0.02)


def test_nothing_is_resolved_by_a_few():
    assert resolvable_difference(Design(baseline=0.95), 10) is None
    assert resolvable_difference(Design(baseline=0.5, paired=True, discordance=0.1), 20) is None


def test_rejects_nonsense():
    with pytest.raises(ConfigError, match="baseline"):
        Design(baseline=35)
    with pytest.raises(ConfigError, match="paired"):
        Design(baseline=0.5, discordance=0.2)
    with pytest.raises(ConfigError, match="second rate"):
        episodes_for(Design(baseline=0.9), 0.2)
    with pytest.raises(ConfigError, match=r"discordance from 0\.2"):
        episodes_for(Design(baseline=0.4, paired=True, discordance=0.1), 0.2)
    with pytest.raises(ConfigError, match="more than"):
        episodes_for(Design(baseline=0.5), 0.001)
