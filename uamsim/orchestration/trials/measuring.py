"""What a model knows and does, as rows: the measurements that trials and the pipeline share."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uamsim.contract import IN_DOMAIN, EpisodeRecord, Question
from uamsim.evaluation.backends.jobs import PolicyFactory, RolloutBackend
from uamsim.evaluation.entrants import Entrant, plan_jobs
from uamsim.evaluation.retention import (
    Answerer,
    Retention,
    SkillScores,
    blind_floor,
    retention,
    score,
)
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.serving.refs import CheckpointFactory
from uamsim.statistics import Rate, rate, success_rates

Scores = dict[str, list[int]]
"""JSON of skill scores: skill -> [right answers, questions]."""


def test_set(vqa_root: Path) -> tuple[Any, list[tuple[int, Question]]]:
    """Pictures (uint8 [N, H, W, 3]) and fixed questions of the held-out scenes.

    Raises:
        DatasetError: the dataset is missing or corrupt.
    """
    from uamsim.data.vqa import VQADataset

    dataset = VQADataset(vqa_root, "test")
    return dataset.images, dataset.test_questions()


def subset(questions: Sequence[tuple[int, Question]], per_skill: int) -> list[tuple[int, Question]]:
    """The first questions of each skill."""
    kept: dict[str, int] = {}
    chosen = []
    for index, question in questions:
        kept[question.skill] = kept.get(question.skill, 0) + 1
        if kept[question.skill] <= per_skill:
            chosen.append((index, question))
    return chosen


def scores_to_json(scores: SkillScores) -> Scores:
    """Counts, from which ``scores_from_json`` makes the same rates."""
    return {skill: [value.successes, value.episodes] for skill, value in scores.skills.items()}


def scores_from_json(value: Scores) -> SkillScores:
    """Inverse of ``scores_to_json``."""
    return SkillScores(skills={skill: rate(right, n) for skill, (right, n) in value.items()})


def measure_before(vlm: Path, vqa_root: Path, per_skill: int) -> dict[str, Any]:
    """S0 and the blind floors of the VLM that every trial starts from.

    Returns:
        {"scores", "floors"} over all questions, and the same under "snapshot" over the first
        ``per_skill`` of each skill.
    """
    images, questions = test_set(vqa_root)
    answerer = load_answerer(vlm)

    def measure(chosen: Sequence[tuple[int, Question]]) -> dict[str, Any]:
        return {
            "scores": scores_to_json(score(answerer, chosen, images)),
            "floors": blind_floor(answerer, chosen, images),
        }

    return measure(questions) | {"snapshot": measure(subset(questions, per_skill))}


def measure_policy(checkpoint: Path, vqa_root: Path, *, per_skill: int | None = None) -> Scores:
    """Scores of a tuned model's VLM, over all questions or the first of each skill.

    Raises:
        CheckpointError: the checkpoint is missing, corrupt or of another kind.
    """
    images, questions = test_set(vqa_root)
    chosen = questions if per_skill is None else subset(questions, per_skill)
    policy = CheckpointFactory(name=checkpoint.stem, checkpoint=checkpoint)().policy
    return scores_to_json(score(policy, chosen, images))


def load_answerer(vlm: Path) -> Answerer:
    """The pretrained VLM, as something that answers questions.

    Raises:
        CheckpointError: a file is missing, corrupt or of another kind.
    """
    from uamsim.serving.policy import VLMAnswerer

    return VLMAnswerer(vlm)


def retention_since(before: dict[str, Any], after: Scores) -> Retention:
    """Retention of ``after`` against S0 and floors measured on the same questions."""
    return retention(scores_from_json(before["scores"]), scores_from_json(after), before["floors"])


def in_domain_rates(
    spec: ExperimentSpec, name: str, factory: PolicyFactory, backend: RolloutBackend
) -> dict[str, Rate]:
    """Task -> success on a few in-domain episodes, in this process."""
    few = dataclasses.replace(
        spec.evaluation,
        splits=(IN_DOMAIN,),
        in_domain_episodes=spec.evaluation.snapshot_episodes,
    )
    policy = Entrant(name=name, factory=factory, spec=spec.policy_spec)
    records: list[EpisodeRecord] = []
    backend.run_units(plan_jobs(few, [policy]), lambda _job, record: records.append(record))
    return {task: value for (_, task, _), value in success_rates(records).items()}
