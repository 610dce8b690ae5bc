"""What tests of several languages share: wordings, scenes, and a language of a made-up world."""

import re
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from uamsim.contract import Goal, SceneFacts, SceneThing, Thing
from uamsim.perturbations.language.language import Language
from uamsim.perturbations.language.sentences import Sentences, read_sentences
from uamsim.perturbations.language.vocabulary import SLOT, WORD, Written
from uamsim.perturbations.language.wording import (
    WORDING,
    Chinese,
    CodeMix,
    NoiseWords,
    Paraphrase,
    Pinyin,
    Reference,
    Reordered,
    Synonyms,
)
from uamsim.perturbations.splits import SPLITS
from uamsim.perturbations.values import Composition

MADE = Language(read_sentences(Path(__file__).with_name("made_sentences.txt")))
CAN = Goal(
    task="put",
    thing=Thing(category="can", colour="green"),
    target=Thing(category="plate", colour="white"),
)
TONGUES = (
    (),
    (Chinese(),),
    *((Pinyin.at(severity),) for severity in range(1, 6)),
    *((CodeMix.at(severity),) for severity in range(1, 6)),
)
MANNERS = ((False, False), (True, False), (False, True), (True, True))
"""Whether paraphrased, whether reordered."""


def wordings(*, references: bool = True) -> st.SearchStrategy[Composition]:
    """Anything that can be done to words, at once."""
    referring = [None, *map(Reference.at, (1, 3, 5))] if references else [None]
    return st.builds(
        lambda tongue, *others: Composition(*tongue, *(o for o in others if o is not None)),
        st.sampled_from(TONGUES),
        st.sampled_from([None, Paraphrase()]),
        st.sampled_from([None, Reordered()]),
        st.sampled_from(referring),
        st.sampled_from([None, *map(Synonyms.at, range(6))]),
        st.sampled_from([None, *map(NoiseWords.at, range(6))]),
    )


def all_wordings() -> list[Composition]:
    """Those of every split, every axis at every severity, and of much at once."""
    splits = [Composition.of(split.perturbations) for split in SPLITS.values()]
    some = [Composition(*split.active("language")) for split in splits]
    some += [Composition(cls.at(severity)) for cls in WORDING for severity in range(6)]
    return [*some, Paraphrase() | Reordered() | Synonyms() | NoiseWords(count=5) | Reference()]


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scene_of(*things: tuple[str, str, float, float]) -> SceneFacts:
    """Colour, category, x and y (m) of each thing."""
    return SceneFacts(
        things=tuple(
            SceneThing(category=category, colour=colour, pos_world=(float(x), float(y), 0.0))
            for colour, category, x, y in things
        )
    )


def words_of(sentence: str) -> set[str]:
    return set(WORD.findall(SLOT.sub(" ", sentence.lower())))


def worded(
    sentences: Sentences, written: Written, *manners: tuple[bool, bool]
) -> list[tuple[str, str]]:
    """(task, sentence) of some manners."""
    return [
        (task, text)
        for (task, tongue, *manner), texts in sentences.templates.items()
        for text in texts
        if tongue == written and tuple(manner) in manners
    ]


def slots_of(sentence: str) -> list[str]:
    return re.findall(SLOT, sentence)
