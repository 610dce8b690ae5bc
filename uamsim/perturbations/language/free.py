"""Wordings of sentences that nobody has described: those of an environment that is not ours."""

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from uamsim.contract import Goal, Thing
from uamsim.errors import ConfigError
from uamsim.lexicon import LEXICON
from uamsim.perturbations.language.language import Language
from uamsim.perturbations.language.saying import finish
from uamsim.perturbations.language.sentences import read_sentences
from uamsim.perturbations.language.vocabulary import FUNCTION_WORDS, WORD, Dialect, Written, forms
from uamsim.perturbations.language.wording import (
    WORDING,
    CodeMix,
    LanguagePerturbation,
    NoiseWords,
    Reference,
    Synonyms,
)
from uamsim.perturbations.values import Composition, Perturbation

EXCHANGED: tuple[type[LanguagePerturbation], ...] = (Synonyms, NoiseWords, CodeMix)
"""Wordings that exchange or add words, for which the sentence itself is enough."""


class FreeLanguage:
    """Words sentences anew by their nouns and colours that the lexicon knows.

    What says a sentence in another way altogether (``Paraphrase``, ``Reordered``, ``Chinese``,
    ``Pinyin``) needs it written down, in a file of the form that ``sentences`` describes.

    Attributes:
        carried: the axes of language that it has.
    """

    def __init__(self, file: Path | None = None, task: str = "") -> None:
        """Reads the file.

        Args:
            file: of sentences; None where there are none.
            task: its section that says what the environment asks for; "" takes the first.

        Raises:
            ConfigError: no such file or section, or it cannot be read.
        """
        self._language: Language | None = None
        self._task = task
        self.carried = EXCHANGED
        if file is None:
            return
        if not file.is_file():
            raise ConfigError(f"expected a file of sentences, got {str(file)!r}.")
        sentences = read_sentences(file)
        self._language = Language(sentences, references=False, goal_first=False)
        self.carried = tuple(cls for cls in WORDING if cls is not Reference)
        self._task = task or sentences.tasks[0]
        if self._task not in sentences.tasks:
            known = ", ".join(sentences.tasks)
            raise ConfigError(f"{file} has no section [{self._task}]; it has {known}.")

    def say(
        self, sentence: str, rng: np.random.Generator, wording: Sequence[Perturbation] = ()
    ) -> str:
        """The sentence in a wording; without one, as it is.

        Args:
            sentence: what the environment says.
            rng: draws what the wording leaves to chance.
            wording: perturbations; those of other layers are ignored.

        Raises:
            ConfigError: a wording that the sentence does not take.
        """
        axes = Composition(*Composition.of(wording).active("language"))
        if not axes.items:
            return sentence
        if self._language is not None and any(type(axis) not in EXCHANGED for axis in axes):
            goal = Goal(task=self._task, thing=Thing(category="", colour=""))
            return self._language.say(goal, rng=rng, wording=axes)
        text, dialect = _template(sentence)
        names = list(dialect.own)
        if not names and (axes.find(Synonyms) or axes.find(CodeMix)):
            raise ConfigError(
                f"{sentence!r} has no noun and no colour of the lexicon, so Synonyms and CodeMix "
                "change nothing; write its wordings into a file of sentences."
            )
        return finish(text, names, axes, rng, rng.spawn(3), dialect)


def _template(sentence: str) -> tuple[str, Dialect]:
    """A sentence with numbered slots for what the lexicon knows, and its words."""
    own: dict[str, Mapping[Written, tuple[str, ...]]] = {}
    colours: set[str] = set()
    pattern, known = _known_words()

    def replace(found: re.Match[str]) -> str:
        name, word = known[found.group().lower()], found.group()
        others = tuple(form for form in forms(name, "english") if form != word.lower())
        slot = f"word{len(own)}"
        own[slot] = {"english": (word, *others), "chinese": forms(name, "chinese")}
        if LEXICON[name].kind == "colour":
            colours.add(slot)
        return f"{{{len(own) - 1}}}"

    text = pattern.sub(replace, sentence.replace("{", "{{").replace("}", "}}"))
    # A word without a translation stays what it is.
    function_words = {word: word for word in WORD.findall(text)} | FUNCTION_WORDS
    return text, Dialect(
        colours=frozenset(colours), nouns=(), own=own, function_words=function_words
    )


@functools.cache
def _known_words() -> tuple[re.Pattern[str], Mapping[str, str]]:
    """Finds English words of the lexicon, the longest first; and whose each is."""
    known: dict[str, str] = {}
    for name in LEXICON:
        for form in forms(name, "english"):
            known.setdefault(form.lower(), name)
    words = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE), known
