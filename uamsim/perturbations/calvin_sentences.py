"""CALVIN's words and tasks, and ways to ask for them that CALVIN's own sentences do not use.

CALVIN's sentences are read from its checkout (``calvin.CalvinLanguage``); they are the English of
the demonstrations. Slots are names of ``WORDS``, and ``{thing}`` is a block with its colour.
"""

from collections.abc import Iterator, Mapping

from uamsim.contract import Goal, Thing
from uamsim.perturbations.language.vocabulary import FUNCTION_WORDS, Written

BLOCK = "cube"
"""What a block is called in scenes, so that all that is known of cubes holds for it."""
COLOURS = ("red", "blue", "pink")

WORDS: Mapping[str, Mapping[Written, tuple[str, ...]]] = {
    name: {"english": tuple(english.split("/")), "chinese": tuple(chinese.split("/"))}
    for name, english, chinese in (
        (BLOCK, "block/cube/brick", "积木/木块"),
        ("blocks", "blocks/cubes/bricks", "几块积木/几块木块"),
        ("red", "red/crimson/scarlet", "红色/朱红色/大红色"),
        ("blue", "blue/azure", "蓝色/蔚蓝色"),
        ("pink", "pink/rosy", "粉色/桃色"),
        ("yellow", "yellow/golden", "黄色/金黄色"),
        ("green", "green/emerald", "绿色/翠绿色"),
        ("object", "object/item", "物体/物件"),
        ("objects", "objects/items", "几个物体/几个物件"),
        ("drawer", "drawer/chest", "抽屉/抽斗"),
        ("slider", "slider/alcove", "滑柜/壁龛"),
        ("sliding_cabinet", "sliding cabinet/sliding cupboard", "推拉柜/移门柜"),
        ("cabinet", "cabinet/cupboard", "柜子/橱柜"),
        ("shelf", "shelf/ledge", "架子/隔板"),
        ("sliding_door", "sliding door/sliding panel", "推拉门/移门"),
        ("door", "door/panel", "柜门/门板"),
        ("handle", "handle/knob", "把手/拉手"),
        ("switch", "switch/lever", "开关/拨杆"),
        ("light_switch", "light switch/light lever", "电灯开关/电灯拨杆"),
        ("button", "button/push-button", "按钮/按键"),
        ("light_bulb", "light bulb/glass bulb", "灯泡/电灯泡"),
        ("led_light", "led light/diode light", "指示灯/二极管灯"),
        ("led_lamp", "led lamp/diode lamp", "指示灯具/二极管灯具"),
        ("led", "led/diode", "小灯/二极管"),
        ("light", "light/lantern", "电灯/灯盏"),
        ("lamp", "lamp/luminaire", "灯具/灯笼"),
        ("table", "table/desk", "桌子/台面"),
        ("tower", "tower/pillar", "高塔/柱子"),
    )
}
"""Name -> every way to write it, the one that is usual first."""

_TRANSLATIONS = """
all=全部 and=并且 collapse=弄倒 degrees=度 down=向下 downwards=朝下 each=每个 falls=掉落 from=从
go=去 grasp=抓住 grasped=抓着的 is=是 lift=提起 lying=躺着 move=移动 object=物体 of=的 off=掉
on=在上面 open=打开 close=关闭 other=其他 pick=捡 place=放置 press=按 pull=拉 push=推 put=放
remove=移走 right=右边 left=左边 rotate=旋转 side=侧 slide=滑动 stack=叠 stacked=叠着的 store=储存
sweep=扫 take=拿 that=那 the=那个 then=然后 to=到 toggle=拨动 top=顶 towards=朝着 turn=转
unstack=拆开 up=起来 upwards=朝上 use=使用 way=路 another=另一个 one=一 let=让 it=它 in=在里面
into=到里面 a=一个 spin=扭转 leftward=向左侧 rightward=向右侧 give=给 quarter=四分之一 twist=扭
shove=推搡 nudge=轻推 over=在上方 shift=移位 drag=拖 draw=拉动 out=出来 by=用 its=它的 make=使得
shut=关上 back=回去 raise=举起 hoist=吊起 rests=搁着 fetch=取来 leave=留下 what=所 you=你 hold=握
deposit=搁 your=你的 gripper=夹爪 inside=在内 edge=边缘 drop=掉下 set=摆 upon=之上 build=搭
with=和 upper=上面的 away=走 undo=解散 using=用着 flip=扳动 so=以便 shines=发光 shine=亮 goes=变得
dark=暗 extinguish=熄灭 until=直到 glows=发亮 gets=得到 kindle=点燃
"""

CHINESE_OF: Mapping[str, str] = {
    **FUNCTION_WORDS,
    **{
        english: chinese
        for english, _, chinese in (pair.partition("=") for pair in _TRANSLATIONS.split())
    },
}
"""English words of CALVIN's sentences and of those below -> Chinese, for code-mixing."""


def _tasks() -> Iterator[tuple[str, str, Goal]]:
    """Each task, its family (tasks that differ in the block's colour alone) and its goal."""

    def goal(task: str, category: str, target: str = "", colour: str = "") -> Goal:
        there = Thing(category=target, colour="") if target else None
        return Goal(task=task, thing=Thing(category=category, colour=colour), target=there)

    for colour in COLOURS:
        for family in ("rotate_{}_block_right", "rotate_{}_block_left"):
            yield family.format(colour), family, goal(family.format(colour), BLOCK, "", colour)
        for family in ("push_{}_block_right", "push_{}_block_left"):
            yield family.format(colour), family, goal(family.format(colour), BLOCK, "", colour)
        for place in ("table", "slider", "drawer"):
            family = f"lift_{{}}_block_{place}"
            yield family.format(colour), family, goal(family.format(colour), BLOCK, "", colour)
    for task, category, target in (
        ("move_slider_left", "sliding_door", ""),
        ("move_slider_right", "sliding_door", ""),
        ("open_drawer", "drawer", ""),
        ("close_drawer", "drawer", ""),
        ("place_in_slider", BLOCK, "slider"),
        ("place_in_drawer", BLOCK, "drawer"),
        ("push_into_drawer", BLOCK, "drawer"),
        ("stack_block", BLOCK, BLOCK),
        ("unstack_block", BLOCK, ""),
        ("turn_on_lightbulb", "light_bulb", ""),
        ("turn_off_lightbulb", "light_bulb", ""),
        ("turn_on_led", "led", ""),
        ("turn_off_led", "led", ""),
    ):
        yield task, task, goal(task, category, target)


GOALS: Mapping[str, Goal] = {task: goal for task, _, goal in _tasks()}
"""CALVIN's name of a task -> what it asks for; a colour is "" where none is named."""
FAMILY: Mapping[str, str] = {task: family for task, family, _ in _tasks()}
"""CALVIN's name of a task -> the same without the block's colour."""

Sentences = Mapping[tuple[str, Written], tuple[str, ...]]
_Rows = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]


def _table(rows: _Rows) -> Sentences:
    """Family -> (English, Chinese), with "~" for a side's name, as the table that is looked up."""
    table: dict[tuple[str, Written], tuple[str, ...]] = {}
    for family, (english, chinese) in rows.items():
        for side, word in (("left", "左"), ("right", "右")) if "~" in family else (("", ""),):
            name = family.replace("~", side)
            if english:
                table[name, "english"] = tuple(text.replace("~", side) for text in english)
            table[name, "chinese"] = tuple(text.replace("~", word) for text in chinese)
    return table


DEMONSTRATED: Sentences = _table(
    {
        "rotate_{}_block_~": ((), ("把{thing}向~旋转", "拿起{thing}，往~转")),
        "push_{}_block_~": ((), ("把{thing}向~推", "将{thing}往~边推")),
        "move_slider_~": ((), ("把{sliding_door}向~移", "将{sliding_door}推到~边")),
        "open_drawer": ((), ("拉开{drawer}", "握住{handle}，打开{drawer}")),
        "close_drawer": ((), ("关上{drawer}", "握住{handle}，把{drawer}推回去")),
        "lift_{}_block_table": ((), ("提起{table}上的{thing}", "从{table}上拿起{thing}")),
        "lift_{}_block_slider": (
            (),
            ("拿起{sliding_cabinet}里的{thing}", "从{slider}里提起{thing}"),
        ),
        "lift_{}_block_drawer": ((), ("拿起{drawer}里的{thing}", "从{drawer}里提起{thing}")),
        "place_in_slider": (
            (),
            ("把抓着的{cube}放进{sliding_cabinet}", "将手里的{cube}放到{slider}里"),
        ),
        "place_in_drawer": ((), ("把抓着的{cube}放进{drawer}", "将手里的{cube}放到{drawer}里")),
        "push_into_drawer": ((), ("把{cube}推进{drawer}", "将{cube}扫进{drawer}里")),
        "stack_block": ((), ("把抓着的{cube}叠到另一块上", "将手里的{cube}叠在另一块上面")),
        "unstack_block": ((), ("把叠起来的{cube}拿下来", "从{tower}上拿下顶部的{cube}")),
        "turn_on_lightbulb": (
            (),
            ("拨动{switch}，打开{light_bulb}", "向上推{switch}，打开{light_bulb}"),
        ),
        "turn_off_lightbulb": (
            (),
            ("拨动{switch}，关掉{light_bulb}", "向下推{switch}，关掉{light_bulb}"),
        ),
        "turn_on_led": ((), ("按下{button}，打开{led_light}", "打开{led}")),
        "turn_off_led": ((), ("按下{button}，关掉{led_light}", "关掉{led}")),
    }
)
"""In the words of CALVIN's own sentences, in Chinese; in English there are those themselves."""

PARAPHRASES: Sentences = _table(
    {
        "rotate_{}_block_~": (
            ("spin the {thing} ~ward", "give the {thing} a quarter twist to the ~"),
            ("让{thing}朝~侧扭九十度", "使{thing}往~拧"),
        ),
        "push_{}_block_~": (
            ("shove the {thing} ~ward", "nudge the {thing} over to the ~"),
            ("让{thing}朝~侧挪动", "使{thing}滑往~侧"),
        ),
        "move_slider_~": (
            ("shift the {sliding_door} ~ward", "drag the {sliding_door} over to the ~"),
            ("让{sliding_door}朝~侧滑动", "使{sliding_door}挪往~侧"),
        ),
        "open_drawer": (
            ("draw the {drawer} out by its {handle}", "make the {drawer} slide out"),
            ("抽出{drawer}", "让{drawer}敞开"),
        ),
        "close_drawer": (
            ("shut the {drawer}", "make the {drawer} slide back in"),
            ("合上{drawer}", "让{drawer}滑回去"),
        ),
        "lift_{}_block_table": (
            ("raise the {thing} off the {table}", "hoist the {thing} that rests on the {table}"),
            ("举高{table}上的{thing}", "让{thing}离开{table}"),
        ),
        "lift_{}_block_slider": (
            (
                "fetch the {thing} out of the {sliding_cabinet}",
                "raise the {thing} that rests in the {sliding_cabinet}",
            ),
            ("取出{sliding_cabinet}中的{thing}", "让{thing}离开{slider}"),
        ),
        "lift_{}_block_drawer": (
            (
                "fetch the {thing} out of the {drawer}",
                "raise the {thing} that rests in the {drawer}",
            ),
            ("取出{drawer}中的{thing}", "让{thing}离开{drawer}"),
        ),
        "place_in_slider": (
            (
                "leave the {cube} you hold in the {sliding_cabinet}",
                "deposit the {cube} in your gripper inside the {sliding_cabinet}",
            ),
            ("将手中的{cube}存入{sliding_cabinet}", "让夹住的{cube}待在{slider}里"),
        ),
        "place_in_drawer": (
            (
                "leave the {cube} you hold in the {drawer}",
                "deposit the {cube} in your gripper inside the {drawer}",
            ),
            ("将手中的{cube}存入{drawer}", "让夹住的{cube}待在{drawer}里"),
        ),
        "push_into_drawer": (
            (
                "shove the {cube} over the edge into the {drawer}",
                "make the {cube} drop into the {drawer}",
            ),
            ("让{cube}落入{drawer}", "使{cube}滑进{drawer}"),
        ),
        "stack_block": (
            ("set the {cube} you hold upon another", "build a {tower} with the {cube} you hold"),
            ("让夹住的{cube}摞到别的上面", "用夹住的{cube}垒成{tower}"),
        ),
        "unstack_block": (
            ("fetch the upper {cube}", "undo the {tower}"),
            ("搬走最高的{cube}", "让{tower}散开"),
        ),
        "turn_on_lightbulb": (
            (
                "flip the {switch} so that the {light_bulb} shines",
                "kindle the {light_bulb} using its {switch}",
            ),
            ("借助{switch}点亮{light_bulb}", "扳{switch}，使{light_bulb}发光"),
        ),
        "turn_off_lightbulb": (
            (
                "flip the {switch} so that the {light_bulb} goes dark",
                "extinguish the {light_bulb} using its {switch}",
            ),
            ("借助{switch}熄灭{light_bulb}", "扳{switch}，使{light_bulb}变暗"),
        ),
        "turn_on_led": (
            (
                "make the {led_light} shine with the {button}",
                "press the {button} until the {led} glows",
            ),
            ("摁{button}点亮{led}", "触动{button}，使{led_light}发光"),
        ),
        "turn_off_led": (
            (
                "extinguish the {led_light} with the {button}",
                "press the {button} until the {led} goes dark",
            ),
            ("摁{button}熄灭{led}", "触动{button}，使{led_light}变暗"),
        ),
    }
)
"""Other words for the same."""

REORDERED: Sentences = _table(
    {
        "rotate_{}_block_~": (("to the ~, rotate the {thing}",), ("{thing}，向~旋转",)),
        "push_{}_block_~": (("to the ~, push the {thing}",), ("{thing}，向~推",)),
        "move_slider_~": (("to the ~, move the {sliding_door}",), ("{sliding_door}，向~移",)),
        "open_drawer": (("the {drawer}, open it",), ("{drawer}，打开它",)),
        "close_drawer": (("the {drawer}, close it",), ("{drawer}，关上它",)),
        "lift_{}_block_table": (
            ("from the {table}, lift the {thing}",),
            ("{thing}，从{table}上拿起来",),
        ),
        "lift_{}_block_slider": (
            ("from the {sliding_cabinet}, lift the {thing}",),
            ("{thing}，从{sliding_cabinet}里拿起来",),
        ),
        "lift_{}_block_drawer": (
            ("from the {drawer}, lift the {thing}",),
            ("{thing}，从{drawer}里拿起来",),
        ),
        "place_in_slider": (
            ("in the {sliding_cabinet}, place the grasped {cube}",),
            ("往{sliding_cabinet}里放抓着的{cube}",),
        ),
        "place_in_drawer": (
            ("in the {drawer}, place the grasped {cube}",),
            ("往{drawer}里放抓着的{cube}",),
        ),
        "push_into_drawer": (("into the {drawer}, push the {cube}",), ("往{drawer}里推{cube}",)),
        "stack_block": (
            ("on top of another, stack the grasped {cube}",),
            ("往另一块上叠抓着的{cube}",),
        ),
        "unstack_block": (
            ("from the {tower}, take off the top {cube}",),
            ("顶部的{cube}，从{tower}上拿下来",),
        ),
        "turn_on_lightbulb": (
            ("to turn on the {light_bulb}, move up the {switch}",),
            ("打开{light_bulb}，拨动{switch}",),
        ),
        "turn_off_lightbulb": (
            ("to turn off the {light_bulb}, move down the {switch}",),
            ("关掉{light_bulb}，拨动{switch}",),
        ),
        "turn_on_led": (
            ("to turn on the {led_light}, push the {button}",),
            ("打开{led_light}，按下{button}",),
        ),
        "turn_off_led": (
            ("to turn off the {led_light}, push the {button}",),
            ("关掉{led_light}，按下{button}",),
        ),
    }
)
"""The words of CALVIN's own sentences, with the clauses in another order."""

REORDERED_PARAPHRASES: Sentences = _table(
    {
        "rotate_{}_block_~": (("~ward, spin the {thing}",), ("{thing}，让它朝~侧扭九十度",)),
        "push_{}_block_~": (("~ward, shove the {thing}",), ("{thing}，让它朝~侧挪动",)),
        "move_slider_~": (("~ward, shift the {sliding_door}",), ("{sliding_door}，让它朝~侧滑动",)),
        "open_drawer": (("by its {handle}, draw the {drawer} out",), ("{drawer}，让它敞开",)),
        "close_drawer": (("the {drawer}, shut it",), ("{drawer}，合上它",)),
        "lift_{}_block_table": (
            ("off the {table}, raise the {thing}",),
            ("{thing}，让它离开{table}",),
        ),
        "lift_{}_block_slider": (
            ("out of the {sliding_cabinet}, fetch the {thing}",),
            ("{thing}，让它离开{sliding_cabinet}",),
        ),
        "lift_{}_block_drawer": (
            ("out of the {drawer}, fetch the {thing}",),
            ("{thing}，让它离开{drawer}",),
        ),
        "place_in_slider": (
            ("inside the {sliding_cabinet}, deposit the {cube} in your gripper",),
            ("往{sliding_cabinet}里存手中的{cube}",),
        ),
        "place_in_drawer": (
            ("inside the {drawer}, deposit the {cube} in your gripper",),
            ("往{drawer}里存手中的{cube}",),
        ),
        "push_into_drawer": (
            ("over the edge into the {drawer}, shove the {cube}",),
            ("{cube}，让它落入{drawer}",),
        ),
        "stack_block": (
            ("upon another, set the {cube} you hold",),
            ("夹住的{cube}，摞到别的上面",),
        ),
        "unstack_block": (("the {tower}, undo it",), ("{tower}，让它散开",)),
        "turn_on_lightbulb": (
            ("so that the {light_bulb} shines, flip the {switch}",),
            ("点亮{light_bulb}，借助{switch}",),
        ),
        "turn_off_lightbulb": (
            ("so that the {light_bulb} goes dark, flip the {switch}",),
            ("熄灭{light_bulb}，借助{switch}",),
        ),
        "turn_on_led": (("until the {led} glows, press the {button}",), ("点亮{led}，摁{button}",)),
        "turn_off_led": (
            ("until the {led} goes dark, press the {button}",),
            ("熄灭{led}，摁{button}",),
        ),
    }
)
"""Paraphrases with their clauses in another order."""

TABLES = (DEMONSTRATED, PARAPHRASES, REORDERED, REORDERED_PARAPHRASES)
"""By (paraphrased) + 2 (reordered)."""
