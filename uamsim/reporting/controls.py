"""What the random, blind, deaf and shuffled controls say about a result, in words."""

from uamsim.reporting.comparisons import Policy, greater
from uamsim.reporting.labels import MODE_TITLES, interval_text, variant_title
from uamsim.reporting.results import Results, pool
from uamsim.statistics import Estimate, difference


def control_remarks(results: Results) -> list[str]:
    """Says in words whether each control can be told from the policy it belongs to."""
    remarks = []
    for control in ("random", "blind", "deaf", "shuffled"):
        for task in results.tasks:
            rows = results.controls(control, task=task)
            for variant, mode in dict.fromkeys((row["variant"], row["e_sem"]) for row in rows):
                mine = [r for r in rows if (r["variant"], r["e_sem"]) == (variant, mode)]
                policy = (variant, mode or "unfrozen") if variant else _reference(results)
                if policy is None or not results.rows(*policy, task=task):
                    continue
                seeds = {row["seed"] for row in mine} if variant else set(results.seeds)
                own = [r for r in results.rows(*policy, task=task) if r["seed"] in seeds]
                if own:
                    remarks.append(_remark(control, task, policy, pool(mine), pool(own)))
    return remarks


def _reference(results: Results) -> Policy | None:
    ran = [v for v in ("uam", *results.variants) if results.rows(v, "unfrozen")]
    return (ran[0], "unfrozen") if ran else None


_WITHOUT = {
    "random": "the task rewards more than chance",
    "blind": "the policy uses its cameras",
    "deaf": "the policy listens to the instruction",
    "shuffled": "the policy does what it is told",
}


def _remark(control: str, task: str, policy: Policy, rate: Estimate, own: Estimate) -> str:
    gap = difference(rate, own)
    name = f"{variant_title(policy[0])}, {MODE_TITLES.get(policy[1], policy[1])}"
    numbers = f"{interval_text(rate)} against {interval_text(own)} for {name}"
    verdict = greater(gap)
    if verdict == "supported":
        return f"{task}: the {control} control is clearly below, {numbers}: {_WITHOUT[control]}."
    if verdict == "contradicted":
        return f"{task}: the {control} control is above the policy, {numbers}: something is wrong."
    return (
        f"{task}: the {control} control cannot be told from the policy, {numbers}: "
        f"this result does not show that {_WITHOUT[control]}."
    )
