"""One test, on the same episodes, says whether a control differs from its policy."""

import pytest

from uamsim.contract import EpisodeRecord
from uamsim.evaluation.entrants import Entrant, control_of
from uamsim.evaluation.tables import make_tables
from uamsim.reporting.remarks import control_remarks
from uamsim.testing.policies import ReachPolicy

POLICY = Entrant(name="p", factory=ReachPolicy, spec=ReachPolicy().spec)
BLIND = control_of(POLICY, "blind")


def records(entrant, task, successes):
    return [
        EpisodeRecord(
            policy=entrant.policy,
            env_id=task,
            task=task,
            split="in_domain",
            seed=seed,
            instruction="",
            success=success,
            stages={},
            num_steps=1,
            render_profile="fast",
        )
        for seed, success in enumerate(successes)
    ]


def comparisons(outcomes):
    """Task -> (the policy's, the blind control's) outcomes -> rows."""
    played = [
        record
        for task, both in outcomes.items()
        for entrant, successes in zip((POLICY, BLIND), both, strict=True)
        for record in records(entrant, task, successes)
    ]
    return make_tables([POLICY, BLIND], played, dict.fromkeys(outcomes, "s")).comparisons


def test_the_same_episodes_tell_a_control_that_independent_ones_would_not():
    # 12 of 20 and 6 of 20: Newcombe's interval of independent rates holds 0. But every episode
    # of the control that succeeds, the policy wins too.
    rows = comparisons({"a": ([True] * 12 + [False] * 8, [True] * 6 + [False] * 14)})
    assert rows[0]["p_value"] == pytest.approx(2 * 0.5**6)
    (remark,) = control_remarks(rows)
    assert "the policy (12 of 20) does better than its blind control (6 of 20" in remark
    assert "it uses its pictures" in remark
    assert control_remarks(rows, warnings_only=True) == []


def test_a_control_that_does_as_well_or_better_is_a_warning():
    same = comparisons({"a": ([True] * 15 + [False] * 5, [True] * 15 + [False] * 5)})
    (remark,) = control_remarks(same, warnings_only=True)
    assert "cannot be told from its blind control" in remark
    assert "nothing shows that it uses its pictures" in remark
    worse = comparisons({"a": ([False] * 20, [True] * 20)})
    assert "is worse than its blind control" in control_remarks(worse, warnings_only=True)[0]


def test_a_task_that_does_not_show_it_by_itself_is_named():
    rows = comparisons(
        {"needs": ([True] * 20, [False] * 20), "needless": ([True] * 20, [True] * 20)}
    )
    assert [row["task"] for row in rows] == [None, "needs", "needless"]
    (remark,) = control_remarks(rows, lambda name: f"policy {name}")
    assert "policy p (40 of 40) does better than" in remark
    assert remark.endswith("Alone, 1 of 2 tasks do not show it: needless (20 and 20 of 20).")
