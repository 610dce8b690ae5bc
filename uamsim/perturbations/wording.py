"""Axes of how an episode's goal is put into words."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from uamsim.errors import ConfigError
from uamsim.perturbations.values import Layer, Perturbation, register

InstructionTongue = Literal["english", "chinese", "pinyin", "code_mix"]
TONGUES: tuple[InstructionTongue, ...] = ("english", "chinese", "pinyin", "code_mix")


@register
@dataclass(frozen=True, kw_only=True)
class InstructionLanguage(Perturbation):
    """The same goal in other words.

    Attributes:
        language: the tongue; "code_mix" is English with Chinese nouns and colours.
        ratio: for "code_mix", the chance of each word to be Chinese; at least one is.
    """

    layer: ClassVar[Layer] = "language"
    axis: ClassVar[str] = "language"
    keeps: ClassVar[str] = "the goal and the scene"
    language: InstructionTongue = "english"
    ratio: float = 0.5

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            ConfigError: an unknown language, or a ratio outside [0, 1].
        """
        if self.language not in TONGUES:
            raise ConfigError(
                f"InstructionLanguage.language must be one of {', '.join(TONGUES)}, "
                f"not {self.language!r}."
            )
        if not 0.0 <= self.ratio <= 1.0:
            raise ConfigError(f"InstructionLanguage.ratio must be 0 to 1, not {self.ratio!r}.")
