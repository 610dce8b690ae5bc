"""Words beyond the lexicon's: references, function words, noise.

None of what ``Paraphrase``, ``Synonyms`` and ``NoiseWords`` bring is in a demonstration's
instruction; tests/perturbations/test_wording.py holds them to it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from uamsim.lexicon import LEXICON, entries

Written = Literal["english", "chinese"]
"""What sentences are written in; pinyin is written in Chinese first, code-mixing in English."""

WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
"""An English word, in lower case."""
SLOT = re.compile(r"\{(\w+)\}")
"""What is filled in: a thing of the goal, its preposition, or a noun that stands for itself."""

COMMA: Mapping[Written, str] = {"english": ", ", "chinese": "，"}
"""Between clauses."""

THING_SLOTS: tuple[str, ...] = ("thing", "second", "third", "fourth")
"""Slots of a goal's thing and of those that follow it."""

GENERIC: Mapping[str, Mapping[Written, tuple[str, ...]]] = {
    "button": {"english": ("button", "switch"), "chinese": ("按钮", "开关")},
    "object": {"english": ("object", "item"), "chinese": ("物体", "物件")},
    "thing": {"english": ("thing", "article"), "chinese": ("东西", "玩意")},
}
"""Nouns that take in several categories, in a reference -> every way to write them."""

COLOURS = frozenset(entry.name for entry in entries("colour"))


def forms(name: str, written: Written) -> tuple[str, ...]:
    """Every way to write a name of the lexicon or of ``GENERIC``, its own first."""
    if name in GENERIC:
        return GENERIC[name][written]
    entry = LEXICON[name]
    if written == "english":
        return entry.english, *entry.other_english
    return entry.chinese, *entry.other_chinese


NOISE: Mapping[Written, tuple[str, ...]] = {
    "english": (
        "um",
        "well",
        "you know",
        "kindly",
        "thanks",
        "if you would",
        "when you are ready",
        "hello there",
    ),
    "chinese": ("劳驾", "麻烦你", "谢谢", "有空的话", "拜托", "辛苦了", "好吗", "你好呀"),
}
"""What ``NoiseWords`` puts between clauses; it means nothing."""

ORDINALS: Mapping[Written, tuple[str, ...]] = {
    "english": tuple(
        [
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
        ]
    ),
    "chinese": tuple("一二三四五六七八九十"),
}

OR: Mapping[Written, str] = {"english": " or the ", "chinese": "以及"}
"""Between the things that a negation rules out."""

REFERENCES: Mapping[str, Mapping[Written, str]] = {
    relation: {"english": english, "chinese": chinese}
    for relation, english, chinese in (
        ("leftmost", "leftmost {noun}", "最左边的{noun}"),
        ("rightmost", "rightmost {noun}", "最右边的{noun}"),
        ("frontmost", "frontmost {noun}", "最前面的{noun}"),
        ("rearmost", "rearmost {noun}", "最后面的{noun}"),
        ("left_of", "{noun} to the left of the {anchor}", "{anchor}左边的{noun}"),
        ("right_of", "{noun} to the right of the {anchor}", "{anchor}右边的{noun}"),
        ("in_front_of", "{noun} in front of the {anchor}", "{anchor}前面的{noun}"),
        ("behind", "{noun} behind the {anchor}", "{anchor}后面的{noun}"),
        (
            "between",
            "{noun} between the {anchor} and the {other}",
            "{anchor}与{other}之间的{noun}",
        ),
        ("from_left", "{ordinal} {noun} from the left", "左起第{ordinal}个{noun}"),
        ("from_right", "{ordinal} {noun} from the right", "右起第{ordinal}个{noun}"),
        ("not_colour", "{noun} that is not {colour}", "不是{colour}的{noun}"),
        (
            "not_category",
            "{colour} {noun} that is not a {category}",
            "不是{category}但是{colour}的{noun}",
        ),
        ("not_these", "{noun} that is not the {others}", "除了{others}以外的{noun}"),
    )
}
"""Relation -> how a noun phrase says it; ``references`` has what each means in a scene."""

_TRANSLATIONS = """
the=那个 at=在 a=一个 on=在上面 onto=到上面 into=到里面 in=在里面 to=到 from=从 by=用 with=和
using=用着 of=的 over=在上方 up=起来 down=下来 off=掉 away=走 all=全部 and=并且 then=然后 you=你
that=那 it=它 its=它的 them=它们 is=是 not=不 or=或者 where=其中 until=直到 both=两个 one=一
first=第一 second=第二 third=第三 fourth=第四 fifth=第五 sixth=第六 seventh=第七 eighth=第八
ninth=第九 tenth=第十 every=每个 bottom=底 top=顶 put=放 place=放置 pick=捡 pull=拉 press=按
open=打开 stack=叠 tower=塔 handle=把手 lift=提起 use=使用 table=桌子 set=摆 stand=竖 hang=挂
arms=手臂 let=让 give=给 carry=搬 make=做 slide=滑动 raise=举起 two-handed=双手 um=嗯 well=那么
know=知道 kindly=劳驾 thanks=谢谢 if=如果 would=愿意 when=当 are=正 ready=准备好 hello=你好
there=那边 leftmost=最左边 rightmost=最右边 frontmost=最前面 rearmost=最后面 left=左边 right=右边
front=前面 behind=在后面 between=在之间 door=门 turn=转动 pass=传递 for=为
"""

FUNCTION_WORDS: dict[str, str] = {
    english: chinese
    for english, _, chinese in (pair.partition("=") for pair in _TRANSLATIONS.split())
}
"""English words that are said in several worlds -> Chinese, for code-mixing."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The words that the instructions of a world are made of.

    Attributes:
        colours: names of colours.
        nouns: names that a thing may have, besides its colour.
        generic: names that take in several of these, in a reference.
        own: name -> every way to write it, its own first; other names are in the lexicon.
        function_words: English words of the sentences -> Chinese.
    """

    colours: frozenset[str] = COLOURS
    nouns: tuple[str, ...] = tuple(name for name in LEXICON if name not in COLOURS)
    generic: tuple[str, ...] = tuple(GENERIC)
    own: Mapping[str, Mapping[Written, tuple[str, ...]]] = field(default_factory=dict)
    function_words: Mapping[str, str] = field(default_factory=lambda: FUNCTION_WORDS)

    def forms(self, name: str, written: Written) -> tuple[str, ...]:
        """Every way to write a name, its own first."""
        return self.own[name][written] if name in self.own else forms(name, written)
