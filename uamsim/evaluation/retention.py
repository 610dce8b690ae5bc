"""What a model still knows about pictures after it learnt to act: S and Delta.

S is the mean accuracy over skills (the paper's mean over benchmarks), Delta = 1 - S/S0 (section 4
of the paper). Both also come corrected for guessing: a skill's accuracy above its blind floor,
over the room above that floor, since a guesser's accuracy can be far from zero.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import UInt8

from uamsim.contract import SKILLS, Question
from uamsim.errors import ConfigError, ShapeError
from uamsim.statistics import Rate, rate

GREY = 127
"""What a picture is replaced by for a blind policy or answerer."""

TestQuestions = Sequence[tuple[int, Question]]
"""(index of the image, question)."""


class Answerer(Protocol):
    """Answers a batch of questions, each about its own picture."""

    def answer(
        self, images: UInt8[np.ndarray, "B H W 3"], questions: Sequence[str]
    ) -> Sequence[str]:
        """One short answer for each."""
        ...


@dataclass(frozen=True, kw_only=True)
class SkillScores:
    """Accuracy for each skill, in the order of ``SKILLS``."""

    skills: Mapping[str, Rate]

    @property
    def mean(self) -> float:
        """S: the mean over skills."""
        return float(np.mean([skill.rate for skill in self.skills.values()]))


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What was kept of the abilities before action tuning.

    Attributes:
        before: S0 of each skill.
        after: S of each skill.
        floors: what guessing gets in each skill.
    """

    before: Mapping[str, float]
    after: Mapping[str, float]
    floors: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """S0, S, delta, the same corrected for guessing, and each skill.

        A delta is None where S0 is 0 (nothing was there to forget). The corrected accuracy of a
        skill below its floor is 0: less than nothing cannot be known.
        """
        s0, s = _mean(self.before), _mean(self.after)
        s0_corrected = _mean(self._corrected(self.before))
        s_corrected = _mean(self._corrected(self.after))
        return {
            "S0": s0,
            "S": s,
            "delta": _delta(s0, s),
            "S0_corrected": s0_corrected,
            "S_corrected": s_corrected,
            "delta_corrected": _delta(s0_corrected, s_corrected),
            "skills": {
                skill: {
                    "before": self.before[skill],
                    "after": self.after[skill],
                    "floor": self.floors[skill],
                }
                for skill in self.before
            },
        }

    def _corrected(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {
            skill: max(0.0, (score - self.floors[skill]) / (1 - self.floors[skill]))
            for skill, score in scores.items()
            if self.floors[skill] < 1
        }


def _mean(scores: Mapping[str, float]) -> float:
    return float(np.mean(list(scores.values()))) if scores else 0.0


def _delta(before: float, after: float) -> float | None:
    return 1 - after / before if before > 0 else None


def normalise_answer(text: str) -> str:
    """The form in which answers are compared: NFKC, no case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def score(
    answerer: Answerer,
    test_questions: TestQuestions,
    images: UInt8[np.ndarray, "N H W 3"],
    *,
    batch_size: int = 64,
    blind: bool = False,
) -> SkillScores:
    """Exact-match accuracy for each skill that is asked.

    Args:
        answerer: what is tested.
        test_questions: questions with the index of their image.
        images: uint8 pictures; a memory map does.
        batch_size: questions in one call.
        blind: shows mid-grey instead of every picture.

    Raises:
        ConfigError: no question, or an unknown skill.
        ShapeError: pictures that are not uint8 [N, H, W, 3], or answers that are not one for each.
    """
    if not test_questions:
        raise ConfigError("expected at least one test question, got none.")
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ShapeError(
            f"expected uint8 pictures [N, H, W, 3], got {images.dtype} {images.shape}."
        )
    if unknown := {question.skill for _, question in test_questions} - set(SKILLS):
        raise ConfigError(f"unknown skills {sorted(unknown)}; known: {', '.join(SKILLS)}.")
    correct, total = Counter[str](), Counter[str]()
    for start in range(0, len(test_questions), batch_size):
        batch = test_questions[start : start + batch_size]
        pictures = np.asarray(images[[index for index, _ in batch]])
        if blind:
            pictures = np.full_like(pictures, GREY)
        answers = answerer.answer(pictures, [question.question for _, question in batch])
        if len(answers) != len(batch):
            raise ShapeError(f"asked {len(batch)} questions, got {len(answers)} answers.")
        for (_, question), answer in zip(batch, answers, strict=True):
            total[question.skill] += 1
            correct[question.skill] += normalise_answer(answer) == normalise_answer(question.answer)
    return SkillScores(
        skills={skill: rate(correct[skill], total[skill]) for skill in SKILLS if total[skill]}
    )


def constant_floor(test_questions: TestQuestions) -> dict[str, float]:
    """For each skill, the accuracy of the one answer that is right most often."""
    answers: dict[str, Counter[str]] = {}
    for _, question in test_questions:
        answers.setdefault(question.skill, Counter())[normalise_answer(question.answer)] += 1
    return {
        skill: answers[skill].most_common(1)[0][1] / answers[skill].total()
        for skill in SKILLS
        if skill in answers
    }


def blind_floor(
    answerer: Answerer,
    test_questions: TestQuestions,
    images: UInt8[np.ndarray, "N H W 3"],
    *,
    batch_size: int = 64,
) -> dict[str, float]:
    """What guessing gets in each skill: the answerer on grey pictures, or the best constant.

    Raises:
        ConfigError, ShapeError: as ``score``.
    """
    blind = score(answerer, test_questions, images, batch_size=batch_size, blind=True)
    constant = constant_floor(test_questions)
    return {skill: max(blind.skills[skill].rate, constant[skill]) for skill in constant}


def retention(before: SkillScores, after: SkillScores, floors: Mapping[str, float]) -> Retention:
    """Compares the scores before and after action tuning on the same questions.

    Raises:
        ConfigError: the three do not cover the same skills.
    """
    if not before.skills.keys() == after.skills.keys() == floors.keys():
        raise ConfigError(
            f"expected the same skills before ({', '.join(before.skills)}), after "
            f"({', '.join(after.skills)}) and in the floors ({', '.join(floors)})."
        )
    return Retention(
        before={skill: value.rate for skill, value in before.skills.items()},
        after={skill: value.rate for skill, value in after.skills.items()},
        floors=dict(floors),
    )
