"""Words and things: the one table that worlds, perturbations and questions share, lexicon.txt.

Each entry is a colour or a category of thing with its names in English, Chinese and pinyin.
``in_action_data`` says whether demonstrations may show it. The vision-language questions know
every entry of the kinds colour, object, button and target; the difference is what "out of
distribution" means here. The kinds item and receptacle are the rest of what worlds have.
``HELD_OUT_PAIRS`` are combinations that demonstrations never show although they show both members.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast, get_args

from uamsim.errors import ConfigError
from uamsim.registry import Registry

Kind = Literal["colour", "object", "button", "target", "item", "receptacle", "fixture"]
Tones = Literal["marks", "numbers", "none"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One word and the thing it names.

    Attributes:
        name: key in the table, also used in code and in scene facts.
        kind: what it names.
        english: the singular English name.
        chinese: the Chinese name, without a measure word.
        pinyin: the Chinese name in pinyin, tone marks, a space between syllables.
        other_english, other_chinese: synonyms.
        in_action_data: whether demonstrations may show it.
        rgb: for colours, linear RGB in [0, 1].
        path: where it stands in the tree of categories, from the widest class to itself; () for
            colours and fixtures.
    """

    name: str
    kind: Kind
    english: str
    chinese: str
    pinyin: str
    other_english: tuple[str, ...]
    other_chinese: tuple[str, ...]
    in_action_data: bool = True
    rgb: tuple[float, float, float] | None = None
    path: tuple[str, ...] = ()


def _read(path: Path) -> tuple[tuple[Entry, ...], frozenset[tuple[str, str]]]:
    """Entries and held-out pairs of a file.

    Raises:
        ConfigError: a line that is none; names file and line.
    """
    found: list[Entry] = []
    pairs: set[tuple[str, str]] = set()
    kind = ""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            if line.startswith("["):
                kind = line.strip("[]")
            elif kind == "held out pairs" and line:
                first, others = line.split(":")
                pairs |= {(first, other) for other in others.split()}
            elif line and not line.startswith("#"):
                found.append(_entry(kind, line))
        except ValueError as error:
            raise ConfigError(f"{path}:{number}: cannot read {line!r}: {error}") from None
    return tuple(found), frozenset(pairs)


def _entry(kind: str, line: str) -> Entry:
    if kind not in get_args(Kind):
        raise ValueError(f"it stands below [{kind}], expected one of {', '.join(get_args(Kind))}.")
    marked, forms, chinese_forms, pinyin, *where = line.split(" = ")
    name, place = marked.removeprefix("*"), "".join(where)
    english, *other_english = forms.split("/")
    chinese, *other_chinese = chinese_forms.split("/")
    rgb = None
    if kind == "colour":
        red, green, blue = map(float, place.split())
        rgb = red, green, blue
    return Entry(
        name=name,
        kind=cast("Kind", kind),
        english=english,
        chinese=chinese,
        pinyin=pinyin,
        other_english=tuple(other_english),
        other_chinese=tuple(other_chinese),
        in_action_data=marked == name,
        rgb=rgb,
        path=(*place.split("/"), name) if place and rgb is None else (),
    )


_TABLE, HELD_OUT_PAIRS = _read(Path(__file__).with_suffix(".txt"))
LEXICON: Registry[Entry] = Registry("word")
for _one in _TABLE:
    LEXICON.add(_one.name, _one)


def entries(kind: Kind, *, in_action_data: bool | None = None) -> list[Entry]:
    """Entries of one kind in the table's order, all of them or one side of the hold-out."""
    return [
        entry
        for entry in _TABLE
        if entry.kind == kind and in_action_data in (None, entry.in_action_data)
    ]


def is_held_out(names: Sequence[str]) -> bool:
    """Whether demonstrations must never show these things together."""
    if any(not LEXICON[name].in_action_data for name in names):
        return True
    return any((a, b) in HELD_OUT_PAIRS for a in names for b in names)


_PUNCTUATION = str.maketrans("？，、。：；", "?,,.:;")


@lru_cache(maxsize=65536)
def romanise(chinese: str, tones: Tones = "none", *, spaced: bool = True) -> str:
    """Pinyin; "v" for "ü", unless there are tone marks.

    Args:
        chinese: text in Chinese.
        tones: "marks", "numbers" after the syllables (none for the neutral tone), or "none".
        spaced: whether there is a space between syllables.
    """
    from pypinyin import Style, lazy_pinyin  # its tables take a moment to load

    styles = {"marks": Style.TONE, "numbers": Style.TONE3, "none": Style.NORMAL}
    plain = chinese.translate(_PUNCTUATION)
    syllables = " ".join(lazy_pinyin(plain, style=styles[tones])).split()
    text = re.sub(r" ([?,.:;])", r"\1", " ".join(syllables))
    return text if spaced else re.sub(r"(?<![?,.:;]) ", "", text)


def noun_phrase(
    category: str, colour: str, language: Literal["english", "chinese", "pinyin"]
) -> str:
    """Colour and category as one phrase, for instance "red round button" or "红色圆按钮".

    Pinyin comes without tone marks.

    Raises:
        UnknownNameError: a name is not in the table.
    """
    if language == "english":
        return f"{LEXICON[colour].english} {LEXICON[category].english}"
    chinese = LEXICON[colour].chinese + LEXICON[category].chinese
    return chinese if language == "chinese" else romanise(chinese)


_HOLLOW = frozenset({"bowl", "cup", "basket", "box", "garbage_can", "vase", "flower_pot"})


def placement_word(target_category: str, language: Literal["english", "chinese"]) -> str:
    """The preposition that goes with a target: into what is hollow, on anything else."""
    inside = target_category in _HOLLOW
    if language == "english":
        return "into" if inside else "on"
    return "里" if inside else "上"
