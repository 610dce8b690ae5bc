"""Words and things: the one table that worlds, perturbations and questions share.

Each entry is a colour or a category of thing with its names in English, Chinese and pinyin.
``in_action_data`` says whether demonstrations may show it. The vision-language questions know
every entry of the kinds colour, object, button and target; the difference is what "out of
distribution" means here. The kinds item and receptacle are the rest of what worlds have.
``HELD_OUT_PAIRS`` are combinations that demonstrations never show although they show both members.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

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
    in_action_data: bool = True
    rgb: tuple[float, float, float] | None = None
    path: tuple[str, ...] = ()


_TREE: Mapping[str, str] = {
    "food/fruit/pome": "apple pear",
    "food/fruit/citrus": "tangerine lemon",
    "food/fruit/tropical": "banana",
    "food/fruit/berry": "strawberry",
    "food/vegetable/nightshade": "tomato pepper eggplant",
    "food/vegetable/root": "carrot potato",
    "food/vegetable/grain": "corn",
    "food/vegetable/fungus": "mushroom",
    "food/dish": "baozi",
    "toy/figure": "star",
    "toy/figure/animal": "duck",
    "toy/figure/vehicle": "toy_car",
    "toy/block": "cube cone",
    "toy/ball": "ball",
    "tool/electronics": "computer_mouse phone battery",
    "tool/stationery": "eraser marker tape_roll",
    "tool/cleaning": "sponge",
    "control/button": "round_button square_button triangle_button cross_button",
    "container/package": "can medicine_box",
    "container/tableware/flat": "plate tray saucer",
    "container/tableware/hollow": "bowl cup",
    "container/storage": "basket box garbage_can",
    "container/plant": "vase flower_pot",
}
"""The tree of categories: kinds of thing first by what they are for, then by what they are."""
_PATHS: Mapping[str, tuple[str, ...]] = {
    name: (*path.split("/"), name) for path, names in _TREE.items() for name in names.split()
}


_TABLE: tuple[Entry, ...] = tuple(
    Entry(
        name=name,
        kind=cast("Kind", kind),
        english=name.replace("_", " "),
        chinese=chinese,
        pinyin=pinyin,
        in_action_data=in_action_data,
        rgb=rgb,
        path=_PATHS.get(name, ()),
    )
    for kind, name, chinese, pinyin, in_action_data, rgb in (
        ("colour", "red", "红色", "hóng sè", True, (0.85, 0.08, 0.08)),
        ("colour", "green", "绿色", "lǜ sè", True, (0.10, 0.60, 0.15)),
        ("colour", "blue", "蓝色", "lán sè", True, (0.10, 0.20, 0.90)),
        ("colour", "yellow", "黄色", "huáng sè", True, (0.95, 0.85, 0.10)),
        ("colour", "white", "白色", "bái sè", True, (0.95, 0.95, 0.95)),
        ("colour", "purple", "紫色", "zǐ sè", False, (0.50, 0.10, 0.65)),
        ("colour", "orange", "橙色", "chéng sè", False, (1.00, 0.45, 0.05)),
        ("colour", "cyan", "青色", "qīng sè", False, (0.10, 0.80, 0.85)),
        ("object", "cube", "方块", "fāng kuài", True, None),
        ("object", "ball", "球", "qiú", True, None),
        ("object", "can", "罐子", "guàn zi", True, None),
        ("object", "cone", "圆锥", "yuán zhuī", True, None),
        ("object", "mushroom", "蘑菇", "mó gu", False, None),
        ("object", "star", "星星", "xīng xing", False, None),
        ("button", "round_button", "圆按钮", "yuán àn niǔ", True, None),
        ("button", "square_button", "方按钮", "fāng àn niǔ", True, None),
        ("button", "triangle_button", "三角按钮", "sān jiǎo àn niǔ", True, None),
        ("button", "cross_button", "十字按钮", "shí zì àn niǔ", False, None),
        ("target", "plate", "盘子", "pán zi", True, None),
        ("target", "tray", "托盘", "tuō pán", True, None),
        ("target", "bowl", "碗", "wǎn", True, None),
        ("item", "apple", "苹果", "píng guǒ", True, None),
        ("item", "banana", "香蕉", "xiāng jiāo", True, None),
        ("item", "tangerine", "橘子", "jú zi", False, None),
        ("item", "lemon", "柠檬", "níng méng", True, None),
        ("item", "pear", "梨子", "lí zi", True, None),
        ("item", "strawberry", "草莓", "cǎo méi", False, None),
        ("item", "tomato", "番茄", "fān qié", True, None),
        ("item", "pepper", "甜椒", "tián jiāo", True, None),
        ("item", "carrot", "胡萝卜", "hú luó bo", False, None),
        ("item", "eggplant", "茄子", "qié zi", False, None),
        ("item", "corn", "玉米", "yù mǐ", True, None),
        ("item", "potato", "土豆", "tǔ dòu", True, None),
        ("item", "baozi", "包子", "bāo zi", True, None),
        ("item", "computer_mouse", "鼠标", "shǔ biāo", True, None),
        ("item", "phone", "手机", "shǒu jī", True, None),
        ("item", "medicine_box", "药盒", "yào hé", True, None),
        ("item", "toy_car", "玩具车", "wán jù chē", True, None),
        ("item", "sponge", "海绵", "hǎi mián", True, None),
        ("item", "eraser", "橡皮", "xiàng pí", True, None),
        ("item", "marker", "记号笔", "jì hào bǐ", True, None),
        ("item", "battery", "电池", "diàn chí", True, None),
        ("item", "tape_roll", "胶带", "jiāo dài", False, None),
        ("item", "duck", "鸭子", "yā zi", False, None),
        ("receptacle", "cup", "杯子", "bēi zi", True, None),
        ("receptacle", "basket", "篮子", "lán zi", False, None),
        ("receptacle", "box", "盒子", "hé zi", True, None),
        ("receptacle", "garbage_can", "垃圾桶", "lā jī tǒng", True, None),
        ("receptacle", "saucer", "茶碟", "chá dié", True, None),
        ("receptacle", "vase", "花瓶", "huā píng", False, None),
        ("receptacle", "flower_pot", "花盆", "huā pén", True, None),
        ("fixture", "watering_can", "水壶", "shuǐ hú", True, None),
        ("fixture", "flower", "花", "huā", True, None),
        ("fixture", "drawer", "抽屉", "chōu ti", True, None),
        ("fixture", "plug", "插头", "chā tóu", True, None),
        ("fixture", "socket", "插座", "chā zuò", True, None),
        ("fixture", "broom", "扫帚", "sào zhou", True, None),
        ("fixture", "dustpan", "簸箕", "bò ji", True, None),
        ("fixture", "tissue", "纸巾", "zhǐ jīn", True, None),
        ("fixture", "carton", "纸盒", "zhǐ hé", True, None),
        ("fixture", "fries", "薯条", "shǔ tiáo", True, None),
        ("fixture", "cloth", "布", "bù", True, None),
        ("fixture", "towel", "毛巾", "máo jīn", True, None),
        ("fixture", "rod", "杆子", "gān zi", True, None),
        ("fixture", "stain", "污渍", "wū zì", True, None),
        ("fixture", "bottle", "瓶子", "píng zi", True, None),
        ("fixture", "milk", "牛奶", "niú nǎi", True, None),
        ("fixture", "bread", "面包", "miàn bāo", True, None),
        ("fixture", "cereal", "麦片", "mài piàn", True, None),
        ("fixture", "square_nut", "方螺母", "fāng luó mǔ", True, None),
        ("fixture", "round_nut", "圆螺母", "yuán luó mǔ", True, None),
        ("fixture", "door_handle", "门把手", "mén bǎ shǒu", True, None),
        ("fixture", "pot", "锅", "guō", True, None),
        ("fixture", "hammer", "锤子", "chuí zi", True, None),
    )
)

LEXICON: Registry[Entry] = Registry("word")
for _entry in _TABLE:
    LEXICON.add(_entry.name, _entry)

HELD_OUT_PAIRS: frozenset[tuple[str, str]] = frozenset(
    {
        # object x target: both seen in demonstrations, the pair never
        ("cube", "bowl"),
        ("ball", "tray"),
        ("can", "plate"),
        # colour x button
        ("red", "square_button"),
        ("green", "triangle_button"),
        ("blue", "round_button"),
        ("yellow", "square_button"),
        ("white", "triangle_button"),
        # item x target
        ("apple", "plate"),
        ("apple", "garbage_can"),
        ("banana", "bowl"),
        ("lemon", "cup"),
        ("pear", "box"),
        ("tomato", "tray"),
        ("pepper", "flower_pot"),
        ("corn", "plate"),
        ("potato", "garbage_can"),
        ("baozi", "box"),
        ("computer_mouse", "tray"),
        ("phone", "bowl"),
        ("medicine_box", "garbage_can"),
        ("toy_car", "box"),
        ("sponge", "saucer"),
        ("eraser", "cup"),
        ("marker", "flower_pot"),
        ("battery", "bowl"),
    }
)


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
