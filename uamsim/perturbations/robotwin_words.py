"""What RoboTwin's tasks are about, and the words for it; the 17 tasks of the UAM paper."""

from collections.abc import Mapping

from uamsim.contract import Goal, Thing
from uamsim.perturbations.language.vocabulary import FUNCTION_WORDS, Written

_PAIRS = """
cube=block/cube/brick=积木/木块
large_block=large block/big brick=大积木/大木块
medium_block=medium block/middling brick=中号积木/中号木块
small_block=small block/little brick=小积木/小木块
long_block=long block/oblong brick=长积木/长木块
pad=pad/mat=垫子/垫板
hammer=hammer/mallet=锤子/榔头
alarm_clock=alarm clock/bedside clock=闹钟/座钟
table_bin=small bin/tabletop bin=小垃圾桶/桌面纸篓
dustbin=dustbin/trash can=大垃圾桶/垃圾箱
mug=mug/cup=马克杯/水杯
rack=rack/stand=架子/挂架
pot=pot/saucepan=锅子/炖锅
sauce_can=sauce can/sauce tin=酱料罐/佐料罐
can=can/tin=罐子/易拉罐
basket=basket/hamper=篮子/提篮
bottles=bottles/flasks=瓶子/水瓶
shoes=shoes/sneakers=鞋子/球鞋
shoe_box=shoe box/shoe carton=鞋盒/鞋箱
tea_box=tea box/tea carton=茶盒/茶叶包装盒
scanner=scanner/barcode reader=扫描器/扫码枪
seal=seal/signet=印章/图章
switch=switch/lever=开关/拨杆
red=red/crimson/scarlet=红色/朱红色/大红色
green=green/emerald=绿色/翠绿色
blue=blue/azure=蓝色/蔚蓝色
yellow=yellow/golden=黄色/金黄色
white=white/snowy=白色/雪白色
purple=purple/violet=紫色/紫罗兰色
orange=orange/amber=橙色/橘黄色
cyan=cyan/aqua=青色/水青色
magenta=magenta/fuchsia=品红色/洋红色
black=black/ebony=黑色/乌黑色
gray=gray/ashen=灰色/烟灰色
brown=brown/chestnut=棕色/褐色
pink=pink/rosy=粉色/桃色
lime=lime/chartreuse=青柠色/嫩绿色
olive=olive/khaki green=橄榄色/军绿色
teal=teal/peacock blue=蓝绿色/孔雀蓝色
maroon=maroon/burgundy=栗色/酒红色
navy=navy/midnight blue=藏青色/海军蓝色
coral=coral/salmon=珊瑚色/鲑鱼色
turquoise=turquoise/aquamarine=松石绿色/碧绿色
indigo=indigo/anil=靛蓝色/靛青色
beige=beige/cream=米色/奶油色
tan=tan/tawny=黄褐色/茶色
silver=silver/silvery=银色/银白色
"""

WORDS: Mapping[str, Mapping[Written, tuple[str, ...]]] = {
    name: {"english": tuple(english.split("/")), "chinese": tuple(chinese.split("/"))}
    for name, english, chinese in (line.split("=") for line in _PAIRS.split("\n") if line)
}
"""Name -> every way to write it, the one that is usual first."""
NOUNS = tuple(WORDS)[: tuple(WORDS).index("red")]
COLOURS = tuple(WORDS)[len(NOUNS) :]

_TRANSLATIONS = """
arrange=排列 row=排 right=右边 left=左边 line=列 ends=结束 goes=继续 begins=开始 click=点按
button=按钮 tap=轻触 upper=上方的 side=侧 silence=停下 push=推 dump=倒出 pour=倾倒 what=所
empty=清空 rubbish=垃圾 fall=落下 hand=递 swap=换 grippers=夹爪们 while=同时 hold=握 leave=留下
gripper=夹爪 deposit=搁 upon=之上 dangle=垂下 slip=套入 handles=把手们 two=两只 beside=旁边
next=旁 bring=带 close=近 each=每个 pair=一对 hoist=吊起 raise=举起 drop=丢 inside=在内 fill=装满
pack=装 store=储存 throw=扔 clear=清 scan=扫描 read=读 code=条码 crown=盖顶 column=柱子 tower=塔
build=搭 stamp=盖 mark=印记 flat=平 flip=翻 tilt=扳 other=其他 let=让 do=做 arm=手臂 arms=手臂们
hit=敲 beat=打 strike=捶 come=来 down=下 medium=中号 as=作为 move=移动 grasp=抓 lift=提起
"""

CHINESE_OF: Mapping[str, str] = {
    **FUNCTION_WORDS,
    **{
        english: chinese
        for english, _, chinese in (pair.partition("=") for pair in _TRANSLATIONS.split())
    },
}
"""English words of the sentences below -> Chinese, for code-mixing."""


ANY = "any"
"""Colour of a goal's thing that every episode draws."""


def _goal(task: str, thing: str, target: str = "", *then: str) -> Goal:
    things = [
        Thing(category=n, colour=c) for c, _, n in (t.rpartition(" ") for t in (thing, *then))
    ]
    colour, _, noun = target.rpartition(" ")
    there = Thing(category=noun, colour=colour) if target else None
    return Goal(task=task, thing=things[0], target=there, then=tuple(things[1:]))


GOALS: Mapping[str, Goal] = {
    goal.task: goal
    for goal in (
        _goal("beat_block_hammer", "hammer", "red cube"),
        _goal("blocks_ranking_rgb", "red cube", "", "green cube", "blue cube"),
        _goal("blocks_ranking_size", "large_block", "", "medium_block", "small_block"),
        _goal("click_alarmclock", "alarm_clock"),
        _goal("dump_bin_bigbin", "table_bin", "dustbin"),
        _goal("handover_block", "red long_block", "blue pad"),
        _goal("hanging_mug", "mug", "rack"),
        _goal("lift_pot", "pot"),
        _goal("move_can_pot", "sauce_can", "pot"),
        _goal("pick_diverse_bottles", "bottles"),
        _goal("place_can_basket", "can", "basket"),
        _goal("place_dual_shoes", "shoes", "shoe_box"),
        _goal("put_bottles_dustbin", "bottles", "dustbin"),
        _goal("scan_object", "tea_box", "scanner"),
        _goal("stack_blocks_three", "red cube", "", "green cube", "blue cube"),
        _goal("stamp_seal", "seal", f"{ANY} pad"),
        _goal("turn_switch", "switch"),
    )
}
"""Task -> what it asks for; a colour is "" where none is named, and ``ANY`` where it is drawn."""
ONE_ARM = frozenset(
    {
        "beat_block_hammer",
        "click_alarmclock",
        "move_can_pot",
        "place_can_basket",
        "stamp_seal",
        "turn_switch",
    }
)
"""Tasks whose expert says with which arm it begins."""
