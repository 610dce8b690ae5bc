"""Question sets over rendered scenes: the tiny stand-in for a public VLM's training data."""

import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import Literal

import numpy as np

from uamsim.contract import SKILLS, Question, SceneFacts, SceneThing
from uamsim.data.captions import draw_caption, draw_pointing
from uamsim.data.config import VQAConfig
from uamsim.data.files import load_json, unfinished_folder
from uamsim.data.questions import draw_question
from uamsim.data.scenes import read_scenes, render_scenes
from uamsim.data.workers import Progress
from uamsim.errors import ConfigError, DatasetError
from uamsim.lexicon import entries
from uamsim.storage import write_json

_REMEDY = "Delete the folder and generate the question set again."
_TEST_SEED_OFFSET = 500_000_000
_ATTEMPTS = 60
"""Draws before a scene is taken to have no question of a skill."""


def generate_vqa(
    config: VQAConfig, root: Path, workers: int = 1, progress: Progress | None = None
) -> Path:
    """Renders the scenes and fixes the test questions; the same files for any ``workers``.

    Args:
        config: what to make.
        root: the folder to make; an interrupted call goes on where it stopped.
        workers: processes.
        progress: called with (finished, total) scenes.

    Raises:
        StorageError: the disk is full; finished scenes are kept.
        DatasetError: the test scenes do not hold enough questions of a skill.
    """
    env_kwargs = {
        "image_size": config.image_size,
        "camera": config.camera,
        "render_profile": config.render_profile,
    }
    total = config.num_train_scenes + config.num_test_scenes

    def report(done: int) -> Progress:
        return lambda finished, _: progress(done + finished, total) if progress else None

    with unfinished_folder(root, config) as folder:
        for name, seed0, count, done in (
            ("train", config.seed0, config.num_train_scenes, 0),
            (
                "test",
                config.seed0 + _TEST_SEED_OFFSET,
                config.num_test_scenes,
                config.num_train_scenes,
            ),
        ):
            render_scenes(
                folder / name,
                config.env_id,
                env_kwargs,
                seed0=seed0,
                count=count,
                workers=workers,
                progress=report(done),
            )
        _, facts = read_scenes(folder / "test", _REMEDY)
        questions = balanced_questions(facts, config.questions_per_skill_test, config.seed0)
        rows = [{"image": image, **dataclasses.asdict(question)} for image, question in questions]
        write_json(folder / "test" / "questions.json", rows)
        write_json(folder / "config.json", dataclasses.asdict(config))
    return root


def balanced_questions(
    facts: list[SceneFacts], per_skill: int, seed: int
) -> list[tuple[int, Question]]:
    """Questions with an equal number for each skill, and level answers within a kind.

    Kinds of a skill take turns, and so do the answers of a kind, so that knowing the kind of
    question tells little about the answer.

    Raises:
        DatasetError: the scenes hold too few questions of a skill.
    """
    chosen = []
    for number, skill in enumerate(SKILLS):
        rng = np.random.default_rng([seed, number])
        pool: dict[str, dict[str, list[tuple[int, Question]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for _ in range(max(1, -(-8 * per_skill // len(facts)))):
            for image in rng.permutation(len(facts)):
                drawn = draw_question(facts[int(image)], skill, rng)
                if drawn is not None:
                    kind, question = drawn
                    pool[kind][question.answer].append((int(image), question))
        taken = _take_turns(pool, per_skill)
        if len(taken) < per_skill:
            raise DatasetError(
                f"{len(facts)} test scenes hold only {len(taken)} {skill} questions, {per_skill} "
                "are asked for. Raise num_test_scenes or lower questions_per_skill_test."
            )
        chosen += taken
    return chosen


def _take_turns(
    pool: dict[str, dict[str, list[tuple[int, Question]]]], count: int
) -> list[tuple[int, Question]]:
    taken: list[tuple[int, Question]] = []
    seen: set[tuple[int, str]] = set()
    turn = {kind: 0 for kind in sorted(pool)}
    while len(taken) < count and turn:
        for kind in list(turn):
            by_answer = pool[kind]
            if not by_answer:
                del turn[kind]
                continue
            answer = sorted(by_answer)[turn[kind] % len(by_answer)]
            turn[kind] += 1
            image, question = by_answer[answer].pop()
            if not by_answer[answer]:
                del by_answer[answer]
            if (image, question.question) not in seen and len(taken) < count:
                seen.add((image, question.question))
                taken.append((image, question))
    return taken


class VQADataset:
    """A question set that ``generate_vqa`` wrote.

    Attributes:
        config: what it was made from.
        images: uint8 [N, H, W, 3], a read-only memory map.
    """

    def __init__(self, root: Path, part: Literal["train", "test"]) -> None:
        """Opens one part.

        Raises:
            DatasetError: a file is missing or corrupt.
            ConfigError: no such part.
        """
        if part not in ("train", "test"):
            raise ConfigError(f"part must be 'train' or 'test', not {part!r}.")
        self._root, self._part = root, part
        raw = load_json(root / "config.json", _REMEDY)
        try:
            raw["image_size"] = tuple(raw["image_size"])
            self.config = VQAConfig(**raw)
        except (TypeError, KeyError) as error:
            raise DatasetError(
                f"{root / 'config.json'} does not fit: {error}. {_REMEDY}"
            ) from error
        self.images, self._facts = read_scenes(root / part, _REMEDY)
        weights = np.array([self.config.skill_weights[skill] for skill in SKILLS])
        self._edges = np.cumsum(weights / weights.sum())

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._facts)

    def facts(self, i: int) -> SceneFacts:
        """What picture ``i`` shows."""
        return self._facts[i]

    def questions(self, i: int, rng: np.random.Generator, count: int) -> list[Question]:
        """``count`` questions about picture ``i``, of all skills by ``skill_weights``.

        A skill that the scene does not offer gives way to the next draw.

        Raises:
            DatasetError: the scene is so bare that nothing can be asked about it.
        """
        questions: list[Question] = []
        for _ in range(_ATTEMPTS * count):
            if len(questions) == count:
                break
            skill = SKILLS[min(int(np.searchsorted(self._edges, rng.random())), len(SKILLS) - 1)]
            drawn = draw_question(self._facts[i], skill, rng)
            if drawn is not None:
                questions.append(drawn[1])
        if len(questions) < count:
            raise DatasetError(f"nothing can be asked about picture {i} of {self._root}. {_REMEDY}")
        return questions

    def test_questions(self) -> list[tuple[int, Question]]:
        """The fixed questions of the test part, as (picture, question).

        Raises:
            DatasetError: the file is missing or corrupt, or this is the training part.
        """
        path = self._root / self._part / "questions.json"
        rows = load_json(path, _REMEDY)
        try:
            return [
                (
                    int(row["image"]),
                    Question(skill=row["skill"], question=row["question"], answer=row["answer"]),
                )
                for row in rows
            ]
        except (TypeError, KeyError, ValueError) as error:
            raise DatasetError(f"{path} does not fit: {error}. {_REMEDY}") from error


def _made_up_facts(rng: np.random.Generator) -> SceneFacts:
    """Random facts that nobody renders, for their words."""
    kinds = [entry.name for kind in ("object", "button", "target") for entry in entries(kind)]
    colours = [entry.name for entry in entries("colour")]
    letters = [
        chr(code) for code in (*range(ord("A"), ord("Z") + 1), *range(ord("0"), ord("9") + 1))
    ]
    things = [
        SceneThing(
            category=kinds[int(rng.integers(len(kinds)))],
            colour=colours[int(rng.integers(len(colours)))],
            pos_world=(float(rng.uniform(-0.28, 0.28)), float(rng.uniform(-0.14, 0.14)), 0.0),
        )
        for _ in range(int(rng.integers(2, 6)))
    ]
    text = "".join(
        letters[int(i)] for i in rng.integers(len(letters), size=int(rng.integers(1, 4)))
    )
    things.append(
        SceneThing(category="label", colour="white", pos_world=(0.0, 0.0, 0.0), text=text)
    )
    return SceneFacts(things=tuple(things))


def corpus(rng: np.random.Generator, n: int) -> list[str]:
    """Texts to train a tokenizer on: questions, captions, pointing, and their answers."""
    texts: list[str] = []
    while len(texts) < n:
        skill = SKILLS[int(rng.integers(len(SKILLS)))]
        if rng.random() < 0.4:
            skill = "multilingual"
        facts = _made_up_facts(rng)
        drawn = draw_question(facts, skill, rng)
        if drawn is not None:
            texts += [drawn[1].question, drawn[1].answer]
        if rng.random() < 0.3:
            texts += draw_caption(facts, rng)
        texts += draw_pointing(facts, rng) or ()
    return texts[:n]
