"""Named compositions of perturbations that policies are evaluated on.

A split of one's own is a value in a file of one's own, and its name there is how one asks for it,
``my_splits.py:dusk``:

    from uamsim.perturbations.axes.scene import CameraPose, Lighting
    from uamsim.perturbations.splits import Split

    dusk = Split(
        name="dusk",
        summary="little light, and the camera was pushed",
        perturbations=Lighting(severity=4) | CameraPose(severity=2),
    )
"""

import runpy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from uamsim.errors import ConfigError, UnknownNameError
from uamsim.perturbations.axes import AXES
from uamsim.perturbations.axes.actions import ActionDelay, ActionNoise
from uamsim.perturbations.axes.objects import Distractors, NovelObject, NovelPair, NovelTarget
from uamsim.perturbations.axes.physics import ActuatorGain, Friction, Mass
from uamsim.perturbations.axes.scene import Background, CameraPose, Lighting, TableTexture
from uamsim.perturbations.axes.sensors import DroppedFrames, ImageBlur, ImageNoise, Latency
from uamsim.perturbations.language.wording import Chinese, CodeMix, Paraphrase, Pinyin, Synonyms
from uamsim.perturbations.values import Composition, Perturbation
from uamsim.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Split:
    """A named composition.

    Attributes:
        name: key in ``SPLITS``.
        summary: one line for people.
        perturbations: what it composes; their order has no meaning.
        title: its name for readers; by default the name with spaces.
    """

    name: str
    summary: str
    perturbations: Sequence[Perturbation] = ()
    title: str = ""

    def __post_init__(self) -> None:
        """Puts the perturbations into their canonical order, and gives a title where there is none.

        Raises:
            ConfigError: they do not go together.
        """
        object.__setattr__(self, "perturbations", Composition.of(self.perturbations))
        object.__setattr__(self, "title", self.title or self.name.replace("_", " "))

    def __or__(self, other: "Split") -> "Split":
        """Both at once, named ``first+second``.

        Raises:
            ConfigError: they do not go together.
        """
        return Split(
            name=f"{self.name}+{other.name}",
            summary=f"{self.summary}; {other.summary}",
            perturbations=Composition(*self.perturbations, *other.perturbations),
        )


def find_split(name: str) -> Split:
    """The split of a name.

    Args:
        name: a key of ``SPLITS``; an axis at a severity, ``lighting@4``; several of them at once,
            ``chinese+lighting@4``; or ``path/to/file.py:name_in_it``.

    Raises:
        UnknownNameError: no such split or axis.
        ConfigError: not a severity; parts that do not go together; no such file, it fails, or what
            it holds under the name is not a split.
    """
    path, _, attribute = name.rpartition(":")
    if path:
        return _load(str(Path(path).resolve()), attribute)
    first, *others = (_find_part(part) for part in name.split("+"))
    for other in others:
        first = first | other
    return first


def _find_part(name: str) -> Split:
    axis, at, severity = name.partition("@")
    if not at:
        return SPLITS[name]
    if axis not in AXES:
        raise UnknownNameError("axis", axis, AXES)
    if not severity.isdecimal():
        raise ConfigError(f"{name!r}: expected a severity after @, such as {axis}@3.")
    value = AXES[axis].at(int(severity))
    return Split(name=name, summary=f"{axis} at severity {severity}", perturbations=(value,))


@lru_cache(maxsize=64)
def _load(path: str, attribute: str) -> Split:
    try:
        values = runpy.run_path(path)
    except Exception as error:
        raise ConfigError(
            f"cannot read splits from {path}: {type(error).__name__}: {error}."
        ) from error
    splits = {key: value for key, value in values.items() if isinstance(value, Split)}
    if attribute not in splits:
        raise UnknownNameError(f"split of {path}", attribute, splits)
    return splits[attribute]


SPLITS: Registry[Split] = Registry("split")
for _split in (
    Split(name="in_domain", title="in-domain", summary="what demonstrations show, at new seeds"),
    Split(
        name="novel_object",
        summary="the named thing has a category or a colour that demonstrations never show",
        perturbations=(NovelObject(),),
    ),
    Split(
        name="novel_target",
        summary="the target has a category or a colour that demonstrations never show",
        perturbations=(NovelTarget(),),
    ),
    Split(
        name="novel_pair",
        summary="both words are in demonstrations, the pair never",
        perturbations=(NovelPair(),),
    ),
    Split(
        name="distractors",
        summary="two more things on the table, of any category and colour",
        perturbations=(Distractors(count=2),),
    ),
    Split(
        name="paraphrase",
        summary="sentences, nouns and colours in words that demonstrations never use",
        perturbations=Paraphrase() | Synonyms(),
    ),
    Split(
        name="chinese",
        title="Chinese",
        summary="the instruction in Chinese",
        perturbations=(Chinese(),),
    ),
    Split(
        name="pinyin",
        summary="the instruction in pinyin without tone marks",
        perturbations=(Pinyin(),),
    ),
    Split(
        name="code_mix",
        title="code-mixing",
        summary="the instruction in English with Chinese nouns and colours",
        perturbations=(CodeMix(ratio=0.5),),
    ),
    Split(
        name="visual",
        summary="another light, table and background, and the camera moved",
        perturbations=(
            TableTexture(severity=3),
            Background(severity=3),
            Lighting(severity=3),
            CameraPose(severity=2),
        ),
    ),
    Split(
        name="physics",
        summary="other masses, less friction and weaker servos",
        perturbations=(Mass(severity=3), Friction(severity=3), ActuatorGain(severity=3)),
    ),
    Split(
        name="sensor",
        summary="noisy, blurred and late pictures, some frames missing",
        perturbations=(
            Latency(severity=2),
            DroppedFrames(severity=2),
            ImageBlur(severity=2),
            ImageNoise(severity=2),
        ),
    ),
    Split(
        name="action",
        summary="actions carried out late and with noise",
        perturbations=(ActionDelay(severity=2), ActionNoise(severity=2)),
    ),
):
    SPLITS.add(_split.name, _split)

GRIDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "language_x_visual": (
        ("in_domain", "visual"),
        *((name, f"{name}+visual") for name in ("paraphrase", "chinese", "pinyin", "code_mix")),
    ),
}
"""Two factors crossed, to tell whether they interact: rows are languages; columns are without the
other factor and with it."""
