"""Where a run agrees or disagrees with the paper, decided by intervals.

Each claim of the paper is one entry of a set: what it says, where, and the comparison that decides
it. An experiment names the sets that it is about. A claim about success uses the episodes of a
single training run where there is only one, and says so; a claim about retention needs several.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from uamsim.contract import IN_DOMAIN
from uamsim.registry import Registry
from uamsim.reporting.comparisons import (
    MARGIN,
    Policy,
    Verdict,
    compare_changes,
    compare_success,
    greater,
    matched_gap,
    similar,
)
from uamsim.reporting.gate import fails_gate
from uamsim.reporting.labels import interval_text, points
from uamsim.reporting.results import Results
from uamsim.statistics import Estimate, over_seeds


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One claim of the paper beside what this run says.

    Attributes:
        claim: the claim, in a sentence.
        section: where the paper makes it.
        verdict: what the intervals allow.
        numbers: the numbers that decided.
        basis: what the interval is over, or why there is none.
    """

    claim: str
    section: str
    verdict: Verdict
    numbers: str
    basis: str = ""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim and how to decide it.

    Attributes:
        text: the claim.
        section: where the paper makes it.
        needs: data that decides it, in words.
        decide: verdict, numbers and basis; None where the run lacks the data.
        generative: whether it is about a variant that starts from the generator, 3a or 3b. Where
            that generator knows too little (``gate``), the claim is not tested.
    """

    text: str
    section: str
    needs: str
    decide: Callable[[Results], tuple[Verdict, str, str] | None]
    generative: bool = False


def find(results: Results) -> list[Finding]:
    """Every claim that the run's experiment is about with its verdict, in the paper's order.

    Raises:
        UnknownNameError: the results name claims that ``CLAIM_SETS`` does not have.
    """
    found = []
    claims = [claim for name in results.raw["claims"] for claim in CLAIM_SETS[name](results)]
    for claim in claims:
        decided = claim.decide(results)
        verdict, numbers, basis = decided or ("not run", "–", f"needs {claim.needs}")
        if decided and claim.generative and fails_gate(results):
            verdict = "not tested"
        found.append(
            Finding(
                claim=claim.text,
                section=claim.section,
                verdict=verdict,
                numbers=numbers,
                basis=basis,
            )
        )
    return found


def _name(policy: Policy) -> str:
    return f"{policy[0]} {'put back' if policy[1] == 'restored' else policy[1]}"


def _pair_numbers(
    results: Results, policies: Sequence[Policy], splits: Sequence[str], gap: Estimate
) -> str:
    rates = []
    for policy in policies:
        estimate = results.success(*policy, splits)
        assert estimate is not None
        rates.append(f"{_name(policy)} {interval_text(estimate)}")
    return f"difference {points(gap)}: {rates[0]}, {rates[1]}"


def _success_claim(
    text: str,
    section: str,
    higher: Policy,
    lower: Policy,
    judge: Callable[[Estimate], Verdict] = greater,
    *,
    ood: bool = False,
) -> Claim:
    """What is claimed of the success of ``higher`` minus that of ``lower``."""

    def decide(results: Results) -> tuple[Verdict, str, str] | None:
        splits = results.ood_splits if ood else [IN_DOMAIN]
        compared = compare_success(results, lower, higher, splits)
        if compared is None:
            return None
        gap, basis = compared
        return judge(gap), _pair_numbers(results, (higher, lower), splits, gap), basis

    where = "out-of-distribution" if ood else "in-domain"
    needs = f"{where} roll-outs of {_name(higher)} and {_name(lower)}"
    generative = not {higher[0], lower[0]}.isdisjoint(("gen_init", "uam"))
    return Claim(text=text, section=section, needs=needs, decide=decide, generative=generative)


def _best_claim(
    text: str, section: str, mode: str, split: str, rivals: Sequence[str] | None = None
) -> Claim:
    """UAM above each rival: all gaps above 0, or contradicted by any gap below 0.

    "Contradicted" is the best of several tests, so its intervals are Bonferroni's.
    """

    def decide(results: Results) -> tuple[Verdict, str, str] | None:
        others = [v for v in rivals or results.variants if v != "uam"]
        uam = results.success("uam", mode, [split])
        gaps: dict[str, tuple[Estimate, Estimate, str]] = {}
        for other in others:
            pair = (other, mode), ("uam", mode)
            plain = compare_success(results, *pair, [split])
            strict = compare_success(results, *pair, [split], confidence=1 - 0.05 / len(others))
            if plain is not None and strict is not None:
                gaps[other] = (plain[0], strict[0], plain[1])
        if uam is None or not gaps:
            return None
        verdict: Verdict = "unresolved"
        if all(greater(plain) == "supported" for plain, _, _ in gaps.values()):
            verdict = "supported"
        elif any(greater(strict) == "contradicted" for _, strict, _ in gaps.values()):
            verdict = "contradicted"
        lines = [f"{points(plain)} over {other}" for other, (plain, _, _) in gaps.items()]
        basis = next(iter(gaps.values()))[2]
        return verdict, f"uam {interval_text(uam)}: " + ", ".join(lines), basis

    return Claim(
        text=text,
        section=section,
        needs=f"{mode} roll-outs of uam and another variant on {split}",
        decide=decide,
        generative=True,
    )


def _tax_claim(variant: str, text: str) -> Claim:
    return Claim(
        text=text,
        section="3.1, Fig. 2",
        needs=f"retention of {variant} unfrozen",
        decide=lambda results: _retention_test(results, variant, lambda delta: greater(delta)),
    )


def _small_loss(results: Results) -> tuple[Verdict, str, str] | None:
    def judge(delta: Estimate) -> Verdict:
        return greater(
            Estimate(value=-delta.value, ci_low=-delta.ci_high, ci_high=-delta.ci_low, n=delta.n),
            by=-0.05,
        )

    return _retention_test(results, "uam", judge)


def _retention_test(
    results: Results, variant: str, judge: Callable[[Estimate], Verdict]
) -> tuple[Verdict, str, str] | None:
    delta = results.retained(variant, "unfrozen", "delta")
    if delta is None:
        return None
    numbers = f"{variant} unfrozen Δ {interval_text(delta, percent=False)}"
    corrected = results.retained(variant, "unfrozen", "delta_corrected")
    if corrected is not None:
        numbers += f"; floor-corrected {interval_text(corrected, percent=False)}"
    return judge(delta), numbers, _seed_basis(delta)


def _seed_basis(estimate: Estimate) -> str:
    return "one seed" if estimate.n < 2 else f"{estimate.n} training seeds"


def _keeps_more(results: Results) -> tuple[Verdict, str, str] | None:
    gaps, levels = [], []
    for seed in results.seeds:
        matched = matched_gap(
            results.curve("uam", "unfrozen", seed), results.curve("no_dorsal", "unfrozen", seed)
        )
        if matched is not None:
            gaps.append(matched[0])
            levels.append(matched[1])
    if not gaps:
        return None
    gap = over_seeds(gaps)
    level = f"{100 * min(levels):.0f}" + (
        f"–{100 * max(levels):.0f}" if max(levels) - min(levels) >= 0.005 else ""
    )
    numbers = (
        f"S of uam minus S of no_dorsal {interval_text(gap, percent=False)} at {level}% success"
    )
    return greater(gap), numbers, _seed_basis(gap)


def _smallest_gap(results: Results) -> tuple[Verdict, str, str] | None:
    pairs = {v: ((v, "frozen"), (v, "unfrozen")) for v in results.variants}
    lost = {v: found for v, pair in pairs.items() if (found := compare_success(results, *pair))}
    if "uam" not in lost or len(lost) < 2:
        return None
    gaps = [compare_changes(results, pairs["uam"], pairs[v]) for v in lost if v != "uam"]
    verdicts = [greater(gap[0]) for gap in gaps if gap is not None]
    verdict: Verdict = "unresolved"
    if all(v == "supported" for v in verdicts):
        verdict = "supported"
    elif "contradicted" in verdicts:
        verdict = "contradicted"
    numbers = ", ".join(f"{v} {points(gap, sign=False)}" for v, (gap, _) in lost.items())
    return verdict, f"lost by freezing: {numbers}", lost["uam"][1]


def _split_claims(results: Results) -> list[Claim]:
    return [
        _best_claim(
            f"UAM is best on {results.split_title(split)}, above no_dorsal and vlm_init_vision",
            "4.2, Fig. 5",
            "unfrozen",
            split,
            ("no_dorsal", "vlm_init_vision"),
        )
        for split in results.ood_splits
    ]


def _close(gap: Estimate) -> Verdict:
    return greater(gap, by=-MARGIN)


def _two_expert_keeps_more(results: Results) -> tuple[Verdict, str, str] | None:
    kept = [
        {row["seed"]: row["S"] for row in results.retention(variant, "unfrozen")}
        for variant in ("no_dorsal", "mlp_head")
    ]
    seeds = kept[0].keys() & kept[1].keys()
    if not seeds:
        return None
    gap = over_seeds([kept[0][seed] - kept[1][seed] for seed in sorted(seeds)])
    numbers = f"S of no_dorsal minus S of mlp_head {interval_text(gap, percent=False)}"
    return greater(gap), numbers, _seed_basis(gap)


_U = "unfrozen"
_TWO_EXPERT_TAX = _tax_claim(
    "no_dorsal", "Action tuning taxes the 2-expert: Δ of no_dorsal is above 0"
)
TAX_CLAIMS: tuple[Claim, ...] = (
    _TWO_EXPERT_TAX,
    _tax_claim("mlp_head", "Action tuning taxes the MLP head: Δ of mlp_head is above 0"),
    _success_claim(
        "Freezing E_sem costs the MLP head success",
        "B, Table 3", ("mlp_head", _U), ("mlp_head", "frozen"),
    ),
    _success_claim(
        f"The MLP head acts as well as the 2-expert (within {100 * MARGIN:.0f} points)",
        "B, Table 3", ("mlp_head", _U), ("no_dorsal", _U), similar,
    ),
    Claim(
        text="The 2-expert keeps more of S than the MLP head",
        section="B, Table 3",
        needs="retention of no_dorsal and mlp_head unfrozen",
        decide=_two_expert_keeps_more,
    ),
)  # fmt: skip
CLAIMS: tuple[Claim, ...] = (
    _TWO_EXPERT_TAX,
    _success_claim(
        "Freezing E_sem costs the 2-expert success",
        "3.1, Fig. 2", ("no_dorsal", _U), ("no_dorsal", "frozen"),
    ),
    _success_claim(
        f"random_init is on par with no_dorsal in simulation (within {100 * MARGIN:.0f} points)",
        "3.3", ("random_init", _U), ("no_dorsal", _U), similar,
    ),
    _success_claim(
        "random_init is worse than no_dorsal out of distribution",
        "3.3", ("no_dorsal", _U), ("random_init", _U), ood=True,
    ),
    _success_claim(
        "A VLM prior (2a) beats random_init in-domain",
        "3.3", ("vlm_init_vision", _U), ("random_init", _U),
    ),
    _success_claim(
        "A VLM prior (2a) beats random_init out of distribution",
        "3.3", ("vlm_init_vision", _U), ("random_init", _U), ood=True,
    ),
    _success_claim(
        "Vision input (2a) beats query input (2b), E_sem unfrozen",
        "3.3", ("vlm_init_vision", _U), ("vlm_init_query", _U),
    ),
    _success_claim(
        "Vision input (2a) beats query input (2b), E_sem frozen",
        "3.3", ("vlm_init_vision", "frozen"), ("vlm_init_query", "frozen"),
    ),
    _success_claim(
        f"gen_init (3a) is similar to vlm_init_vision (2a) (within {100 * MARGIN:.0f} points)",
        "3.3", ("gen_init", _U), ("vlm_init_vision", _U), similar,
    ),
    _success_claim(
        "The dynamics loss helps in-domain: uam (3b) beats gen_init (3a)",
        "3.3", ("uam", _U), ("gen_init", _U),
    ),
    _success_claim(
        "The dynamics loss helps out of distribution: uam (3b) beats gen_init (3a)",
        "3.3", ("uam", _U), ("gen_init", _U), ood=True,
    ),
    _best_claim("UAM is the best variant in-domain, E_sem unfrozen", "3.3, Fig. 4", _U, IN_DOMAIN),
    Claim(
        text="UAM loses least when E_sem is frozen",
        section="3.3, Fig. 4",
        needs="unfrozen and frozen roll-outs of uam and another variant",
        decide=_smallest_gap,
        generative=True,
    ),
    _success_claim(
        f"UAM frozen stays close to no_dorsal unfrozen (at most {100 * MARGIN:.0f} points below)",
        "3.3", ("uam", "frozen"), ("no_dorsal", _U), _close,
    ),
    _success_claim(
        "UAM with E_sem put back stays close to no_dorsal unfrozen "
        f"(at most {100 * MARGIN:.0f} points below)",
        "3.3", ("uam", "restored"), ("no_dorsal", _U), _close,
    ),
    Claim(
        text="UAM keeps more of S than no_dorsal at matched success",
        section="3.2, 4.1",
        needs="training curves of uam and no_dorsal unfrozen that cross a common success",
        decide=_keeps_more,
        generative=True,
    ),
    Claim(
        text="UAM loses less than 5% of S",
        section="4.1, Table 2",
        needs="retention of uam unfrozen",
        decide=_small_loss,
        generative=True,
    ),
    _success_claim(
        "A VLM-initialised dorsal expert (2a) falls below no_dorsal out of distribution",
        "4.2, Fig. 5", ("no_dorsal", _U), ("vlm_init_vision", _U), ood=True,
    ),
)  # fmt: skip
CLAIM_SETS: Registry[Callable[[Results], Sequence[Claim]]] = Registry("set of claims")
"""What an experiment may be about: name -> the claims, given its results."""
CLAIM_SETS.add("dorsal_sweep", lambda results: [*CLAIMS, *_split_claims(results)])
CLAIM_SETS.add("embodiment_tax", lambda _: TAX_CLAIMS)
