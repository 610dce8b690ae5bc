"""RoboTwin's sentences, filled in from its own description files."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from uamsim.errors import ConfigError

Half = Literal["seen", "unseen"]
Sentences = Literal[Half, "own"]
"""RoboTwin's, of one of its halves, or plain ones of ``language``."""


def draw_instruction(
    checkout: Path,
    task: str,
    named: Mapping[str, str],
    *,
    sentences: Half,
    rng: np.random.Generator,
) -> str:
    """A sentence for an episode, as RoboTwin's evaluation makes them.

    Args:
        checkout: RoboTwin's repository.
        task: name of the task.
        named: placeholder, such as "{A}" or, for arms, "{a}" -> an object's description file
            ("001_bottle/base0"), an arm, or words.
        sentences: which half of the task's sentences, and of an object's descriptions where it has
            both.
        rng: draws the sentence and the descriptions.

    Raises:
        ConfigError: no sentence names just what the episode has, or a description is missing.
    """
    values, fitting = _fitting(checkout, task, named, sentences)
    if not fitting:
        raise ConfigError(
            f"no {sentences} sentence in {_file_of(checkout, task)} names "
            f"{sorted(values) or 'nothing'}, which is what an episode of {task} has."
        )
    sentence = fitting[int(rng.integers(len(fitting)))]
    for key, value in values.items():
        if f"{{{key}}}" in sentence:
            words = _words(checkout, key, value, sentences)
            sentence = sentence.replace(f"{{{key}}}", words[int(rng.integers(len(words)))])
    return sentence


def is_instruction(
    text: str, checkout: Path, task: str, named: Mapping[str, str], *, sentences: Half
) -> bool:
    """Whether a text is one of RoboTwin's sentences for an episode; see ``draw_instruction``."""
    values, fitting = _fitting(checkout, task, named, sentences)
    said = {key: _words(checkout, key, value, sentences) for key, value in values.items()}
    for sentence in fitting:
        parts = re.split(r"{([^}]+)}", sentence)
        pattern = "".join(
            f"(?:{'|'.join(map(re.escape, said[part]))})" if i % 2 else re.escape(part)
            for i, part in enumerate(parts)
        )
        if re.fullmatch(pattern, text):
            return True
    return False


def _file_of(checkout: Path, task: str) -> Path:
    return checkout / "description" / "task_instruction" / f"{task}.json"


def _fitting(
    checkout: Path, task: str, named: Mapping[str, str], sentences: Half
) -> tuple[dict[str, str], list[str]]:
    """What placeholders stand for, and the sentences that name just that."""
    values = {key.strip("{}"): value for key, value in named.items()}
    known = _read(_file_of(checkout, task)).get(sentences, [])
    return values, [s for s in known if _fits(s, values)]


def _fits(sentence: str, values: Mapping[str, str]) -> bool:
    """Whether a sentence names all things of the episode, and all of its arms or none."""
    named = set(re.findall(r"{([^}]+)}", sentence))
    arms = {key for key in values if _is_arm(key)}
    return named in (set(values), set(values) - arms)


def _is_arm(key: str) -> bool:
    return len(key) == 1 and "a" <= key <= "z"


def _words(checkout: Path, key: str, value: str, sentences: Half) -> list[str]:
    """Every way to say what a placeholder stands for."""
    path = checkout / "description" / "objects_description" / f"{value}.json"
    if "/" in value or "\\" in value or path.is_file():
        described = _read(path)
        # As RoboTwin does where an object has no unseen description.
        choices = described.get(sentences) or described.get("seen") or []
        if not choices:
            raise ConfigError(f"{path} has no descriptions.")
        return [f"the {choice}" for choice in choices]
    return [f"the {value} arm" if _is_arm(key) else value]


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"RoboTwin's description {path} cannot be read: {error}. Run: uamsim install robotwin "
            "--again"
        ) from None
