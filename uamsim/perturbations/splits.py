"""Named compositions of perturbations that policies are evaluated on."""

from dataclasses import dataclass

from uamsim.perturbations.objects import Distractors, NovelObject, NovelPair
from uamsim.perturbations.values import Perturbation
from uamsim.perturbations.wording import InstructionLanguage
from uamsim.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Split:
    """A named composition.

    Attributes:
        name: key in ``SPLITS``.
        summary: one line for people.
        perturbations: what it composes; their order has no meaning.
    """

    name: str
    summary: str
    perturbations: tuple[Perturbation, ...] = ()


SPLITS: Registry[Split] = Registry("split")
for _split in (
    Split(name="in_domain", summary="what demonstrations show, at new seeds"),
    Split(
        name="novel_object",
        summary="the named thing has a category or a colour that demonstrations never show",
        perturbations=(NovelObject(),),
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
        name="chinese",
        summary="the instruction in Chinese",
        perturbations=(InstructionLanguage(language="chinese"),),
    ),
    Split(
        name="pinyin",
        summary="the instruction in pinyin without tone marks",
        perturbations=(InstructionLanguage(language="pinyin"),),
    ),
    Split(
        name="code_mix",
        summary="the instruction in English with Chinese nouns and colours",
        perturbations=(InstructionLanguage(language="code_mix", ratio=0.5),),
    ),
):
    SPLITS.add(_split.name, _split)
