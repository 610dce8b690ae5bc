"""Axes of how an episode's goal is put into words. The goal and the scene stay as they are."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

from uamsim.errors import ConfigError
from uamsim.lexicon import Tones
from uamsim.perturbations.language.vocabulary import NOISE
from uamsim.perturbations.values import (
    MAX_SEVERITY,
    Layer,
    Perturbation,
    Switch,
    check_severity,
    register,
)

ReferenceKind = Literal["spatial", "ordinal", "negation"]
MAX_NOISE = min(len(phrases) for phrases in NOISE.values())


@dataclass(frozen=True, kw_only=True)
class LanguagePerturbation(Perturbation):
    """Base of the axes of the instruction."""

    layer: ClassVar[Layer] = "language"
    keeps: ClassVar[str] = "the goal and the scene"


@dataclass(frozen=True, kw_only=True)
class Partial(LanguagePerturbation):
    """Base of the axes that change a share of the words, a fifth for each severity.

    Attributes:
        ratio: 0 (changes nothing) to 1.
    """

    ratio: float

    def __post_init__(self) -> None:
        """Checks the range.

        Raises:
            ConfigError: a ratio outside [0, 1].
        """
        if not 0.0 <= self.ratio <= 1.0:
            raise ConfigError(f"{type(self).__name__}.ratio must be 0 to 1, not {self.ratio!r}.")

    @classmethod
    def at(cls, severity: int) -> Self:
        """As many fifths as the severity."""
        check_severity(cls.__name__, severity)
        return cls(ratio=severity / MAX_SEVERITY)

    @property
    def is_identity(self) -> bool:
        """At a ratio of 0."""
        return self.ratio == 0


@register
@dataclass(frozen=True, kw_only=True)
class Paraphrase(Switch, LanguagePerturbation):
    """Sentences that no demonstration uses, in whatever tongue is spoken."""

    axis: ClassVar[str] = "paraphrase"


@register
@dataclass(frozen=True, kw_only=True)
class Reordered(Switch, LanguagePerturbation):
    """The clauses in another order: "on the blue plate, put the red can"."""

    axis: ClassVar[str] = "reordered"


@register
@dataclass(frozen=True, kw_only=True)
class Reference(Switch, LanguagePerturbation):
    """The named thing is told from the others by where it is, or by what it is not.

    It needs a scene with two things or more, and one thing of the goal's name among them.

    Attributes:
        kind: "spatial" ("the can to the left of the blue cube", "the leftmost can"), "ordinal"
            ("the second object from the left") or "negation" ("the can that is not red"). Left
            and near are the viewer's.
    """

    axis: ClassVar[str] = "reference"
    kind: ReferenceKind = "spatial"

    def __post_init__(self) -> None:
        """Checks the kind.

        Raises:
            ConfigError: an unknown kind.
        """
        if self.kind not in get_args(ReferenceKind):
            raise ConfigError(
                f"Reference.kind must be one of {', '.join(get_args(ReferenceKind))}, "
                f"not {self.kind!r}."
            )

    @classmethod
    def at(cls, severity: int) -> Self:
        """Off at 0, spatial at 1 and 2, ordinal at 3 and 4, negation at 5."""
        check_severity(cls.__name__, severity)
        kinds: tuple[ReferenceKind, ...] = ("spatial", "spatial", "ordinal", "ordinal", "negation")
        return cls(on=severity > 0, kind=kinds[max(severity, 1) - 1])


@register
@dataclass(frozen=True, kw_only=True)
class Synonyms(Partial):
    """Nouns and colours that no demonstration names so, in whatever tongue is spoken.

    Attributes:
        ratio: chance of each noun and colour; at least one is replaced, unless it is 0.
    """

    axis: ClassVar[str] = "synonyms"
    ratio: float = 1.0


@register
@dataclass(frozen=True, kw_only=True)
class NoiseWords(LanguagePerturbation):
    """Fillers and polite phrases before, between and after the clauses; they mean nothing.

    Attributes:
        count: how many, all different, 0 to ``MAX_NOISE``.
    """

    axis: ClassVar[str] = "noise_words"
    count: int = 2

    def __post_init__(self) -> None:
        """Checks the range.

        Raises:
            ConfigError: the count is out of range.
        """
        if isinstance(self.count, bool) or self.count not in range(MAX_NOISE + 1):
            raise ConfigError(f"NoiseWords.count must be 0 to {MAX_NOISE}, not {self.count!r}.")

    @classmethod
    def at(cls, severity: int) -> Self:
        """As many as the severity."""
        check_severity(cls.__name__, severity)
        return cls(count=severity)

    @property
    def is_identity(self) -> bool:
        """At a count of 0."""
        return self.count == 0


@register
@dataclass(frozen=True, kw_only=True)
class Chinese(Switch, LanguagePerturbation):
    """All in Chinese."""

    axis: ClassVar[str] = "chinese"
    excludes: ClassVar[frozenset[str]] = frozenset({"Pinyin", "CodeMix"})


@register
@dataclass(frozen=True, kw_only=True)
class Pinyin(Switch, LanguagePerturbation):
    """All in Chinese, in Latin letters.

    Attributes:
        tones: "marks" (hóng sè), "numbers" (hong2 se4; none for the neutral tone) or "none".
        spaced: whether there is a space between syllables.
    """

    axis: ClassVar[str] = "pinyin"
    excludes: ClassVar[frozenset[str]] = frozenset({"Chinese", "CodeMix"})
    tones: Tones = "none"
    spaced: bool = True

    def __post_init__(self) -> None:
        """Checks the tones.

        Raises:
            ConfigError: an unknown way to write them.
        """
        if self.tones not in get_args(Tones):
            raise ConfigError(
                f"Pinyin.tones must be one of {', '.join(get_args(Tones))}, not {self.tones!r}."
            )

    @classmethod
    def at(cls, severity: int) -> Self:
        """Off at 0; spaced with marks, numbers, no tones; then joined with marks, no tones."""
        check_severity(cls.__name__, severity)
        tones: tuple[Tones, ...] = ("marks", "numbers", "none", "marks", "none")
        return cls(on=severity > 0, tones=tones[max(severity, 1) - 1], spaced=severity <= 3)


@register
@dataclass(frozen=True, kw_only=True)
class CodeMix(Partial):
    """English with Chinese words: nouns first, then colours, all other words last.

    Attributes:
        ratio: how far the mixing goes. Nouns are Chinese with this chance, colours with
            2 ratio - 0.5 up to a ratio of 0.5 and then as nouns, other words with 2 ratio - 1;
            at least one noun or colour is, unless the ratio is 0.
    """

    axis: ClassVar[str] = "code_mix"
    excludes: ClassVar[frozenset[str]] = frozenset({"Chinese", "Pinyin"})
    ratio: float = 0.5

    @property
    def colour_ratio(self) -> float:
        """Chance of a colour."""
        return self.ratio if self.ratio >= 0.5 else max(0.0, 2 * self.ratio - 0.5)

    @property
    def function_ratio(self) -> float:
        """Chance of a word that is neither a noun nor a colour."""
        return max(0.0, 2 * self.ratio - 1.0)


WORDING: tuple[type[LanguagePerturbation], ...] = (
    Paraphrase,
    Reordered,
    Reference,
    Synonyms,
    NoiseWords,
    Chinese,
    Pinyin,
    CodeMix,
)
"""All of them, for what an environment carries."""
