"""Ways to ask for RoboTwin's tasks that are our own; the 17 tasks of the UAM paper.

Slots are the things of a goal; a thing without a colour is said by its noun alone.
"""

from collections.abc import Mapping

from uamsim.perturbations.language.vocabulary import Written

Table = Mapping[tuple[str, Written], tuple[str, ...]]
"""Task and what is written in -> templates."""


def _table(text: str) -> Table:
    """Paragraphs: tasks, then sentences for them, each on a line of its own."""
    table: dict[tuple[str, Written], tuple[str, ...]] = {}
    for paragraph in text.strip().split("\n\n"):
        tasks, *sentences = paragraph.split("\n")
        for task in tasks.split():
            table[task, "english"] = tuple(s for s in sentences if s.isascii())
            table[task, "chinese"] = tuple(s for s in sentences if not s.isascii())
    return table


DEMONSTRATED: Table = _table(
    """
beat_block_hammer
hit the {target} with the {thing}
pick up the {thing} and beat the {target}
用{thing}敲{target}
拿起{thing}，敲打{target}

blocks_ranking_rgb blocks_ranking_size
place the {thing}, the {second} and the {third} in a row from left to right
arrange the {thing}, the {second} and the {third} from left to right
把{thing}、{second}、{third}从左到右排成一排
从左到右依次摆放{thing}、{second}、{third}

click_alarmclock
press the button of the {thing}
click the top of the {thing}
按下{thing}的按钮
点按{thing}的顶部

dump_bin_bigbin
dump the {thing} into the {target}
pour what is in the {thing} into the {target}
把{thing}倒进{target}
将{thing}里的东西倒入{target}

handover_block
hand the {thing} to the other arm and place it on the {target}
pass the {thing} from one arm to the other, then put it on the {target}
把{thing}递到另一只手臂，再放到{target}上
用一只手臂把{thing}交给另一只，然后放在{target}上

hanging_mug
hang the {thing} on the {target}
pick up the {thing} and hang it on the {target}
把{thing}挂到{target}上
拿起{thing}，挂在{target}上

lift_pot
lift the {thing} with both arms
pick up the {thing} with both arms
用双臂提起{thing}
双手拿起{thing}

move_can_pot
move the {thing} beside the {target}
pick up the {thing} and place it next to the {target}
把{thing}移到{target}旁边
拿起{thing}，放在{target}旁边

pick_diverse_bottles
pick up both {thing}
lift the two {thing} with both arms
拿起两个{thing}
用双臂提起两个{thing}

place_can_basket
put the {thing} in the {target}, then lift it
place the {thing} into the {target} and pick it up
把{thing}放进{target}，再提起来
将{thing}放到{target}里，然后拿起来

place_dual_shoes
put the {thing} in the {target}
place both {thing} into the {target}
把{thing}放进{target}
用双臂将一双{thing}放到{target}里

put_bottles_dustbin
put all {thing} into the {target}
pick up the {thing} and drop them in the {target}
把所有{thing}放进{target}
拿起{thing}，丢到{target}里

scan_object
scan the {thing} with the {target}
pick up the {target} and scan the {thing}
用{target}扫描{thing}
拿起{target}，扫描{thing}

stack_blocks_three
stack the {thing}, the {second} and the {third} from bottom to top
put the {second} on the {thing}, then the {third} on top
从下到上叠放{thing}、{second}、{third}
把{second}叠在{thing}上，再把{third}叠在最上面

stamp_seal
stamp the {thing} on the {target}
pick up the {thing} and press it on the {target}
把{thing}盖在{target}上
拿起{thing}，盖到{target}上

turn_switch
turn the {thing}
press the {thing}
拨动{thing}
按{thing}
"""
)
"""Plain ways to ask."""

PARAPHRASES: Table = _table(
    """
beat_block_hammer
strike the {target} using the {thing}
let the {thing} come down on the {target}
拿{thing}捶{target}
让{thing}砸到{target}上

blocks_ranking_rgb blocks_ranking_size
build a row that begins with the {thing}, goes on with the {second} and ends with the {third}
line up, leftmost first, the {thing}, the {second}, the {third}
让{thing}、{second}、{third}自左向右站成一行
自左向右列好{thing}、{second}、{third}

click_alarmclock
tap the upper side of the {thing}
silence the {thing} with one push
轻触{thing}上方
碰一下{thing}的按键

dump_bin_bigbin
empty the {thing} over the {target}
let the rubbish of the {thing} fall into the {target}
在{target}上方清空{thing}
让{thing}里的垃圾落到{target}中

handover_block
swap grippers while you hold the {thing} and leave it on the {target}
give the {thing} from gripper to gripper and deposit it upon the {target}
换手拿住{thing}，搁到{target}上面
让{thing}换到另一个夹爪，再摆在{target}上面

hanging_mug
let the {thing} dangle from the {target}
slip the handle of the {thing} over the {target}
让{thing}悬在{target}上
将{thing}的把手套到{target}上

lift_pot
raise the {thing} using two grippers
hoist the {thing} by its two handles
用两个夹爪举高{thing}
握住两侧把手抬高{thing}

move_can_pot
bring the {thing} close to the {target}
let the {thing} stand at the side of the {target}
让{thing}挨着{target}
将{thing}挪近{target}

pick_diverse_bottles
grasp the pair of {thing} and raise them
let each gripper hoist one of the {thing}
抓牢一对{thing}举高
让每个夹爪各举一个{thing}

place_can_basket
drop the {thing} inside the {target} and raise both
fill the {target} with the {thing} and hoist it
让{thing}落入{target}，一起举高
往{target}装入{thing}，连同举高

place_dual_shoes
pack the pair of {thing} inside the {target}
store the {thing} side by side in the {target}
将成对的{thing}装入{target}
让{thing}并排待在{target}中

put_bottles_dustbin
throw every one of the {thing} away in the {target}
clear the {thing} off the table using the {target}
让{thing}全部落入{target}
将桌上的{thing}清理到{target}中

scan_object
read the code on the {thing} using the {target}
hold the {target} up to the {thing}
借助{target}读取{thing}
将{target}对准{thing}

stack_blocks_three
build a tower that begins with the {thing}, goes on with the {second} and ends with the {third}
let the {third} crown a column of the {thing} and the {second}
自下而上垒起{thing}、{second}、{third}
用{thing}、{second}、{third}垒成高塔

stamp_seal
leave the mark of the {thing} upon the {target}
set the {thing} down flat upon the {target}
让{thing}印在{target}上面
将{thing}平摁于{target}

turn_switch
flip the {thing} over
tilt the {thing} to its other side
扳动{thing}
让{thing}翻转
"""
)
"""Other words for the same."""

REORDERED: Table = _table(
    """
beat_block_hammer
with the {thing}, hit the {target}
{target}，用{thing}敲它

blocks_ranking_rgb blocks_ranking_size
from left to right, arrange the {thing}, the {second} and the {third}
{thing}、{second}、{third}，从左到右排成一排

click_alarmclock
on the {thing}, press the button
{thing}，按下它的按钮

dump_bin_bigbin
into the {target}, dump the {thing}
往{target}里，倒空{thing}

handover_block
to place it on the {target}, hand the {thing} to the other arm
要放到{target}上，把{thing}递到另一只手臂

hanging_mug
on the {target}, hang the {thing}
{thing}，挂到{target}上

lift_pot
with both arms, lift the {thing}
{thing}，用双臂提起来

move_can_pot
beside the {target}, place the {thing}
{target}旁边，放上{thing}

pick_diverse_bottles
with both arms, lift the two {thing}
两个{thing}，用双臂提起来

place_can_basket
in the {target}, put the {thing}, then lift it
往{target}里放{thing}，再提起来

place_dual_shoes
into the {target}, place both {thing}
往{target}里，放一双{thing}

put_bottles_dustbin
into the {target}, put all {thing}
往{target}里，放所有{thing}

scan_object
with the {target}, scan the {thing}
{thing}，用{target}扫描

stack_blocks_three
from bottom to top, stack the {thing}, the {second} and the {third}
{thing}、{second}、{third}，从下到上叠放

stamp_seal
on the {target}, stamp the {thing}
{thing}，盖在{target}上

turn_switch
the {thing}, turn it
{thing}，拨动它
"""
)
"""The plain words, with the clauses in another order."""

REORDERED_PARAPHRASES: Table = _table(
    """
beat_block_hammer
using the {thing}, strike the {target}
{target}，拿{thing}捶它

blocks_ranking_rgb blocks_ranking_size
leftmost first, line up the {thing}, the {second}, the {third}
{thing}、{second}、{third}，自左向右列好

click_alarmclock
at its upper side, tap the {thing}
{thing}，轻触它的上方

dump_bin_bigbin
over the {target}, empty the {thing}
在{target}上方，清空{thing}

handover_block
to leave it on the {target}, swap grippers while you hold the {thing}
要搁到{target}上面，换手拿住{thing}

hanging_mug
from the {target}, let the {thing} dangle
{thing}，让它悬在{target}上

lift_pot
using two grippers, raise the {thing}
{thing}，用两个夹爪举高

move_can_pot
close to the {target}, bring the {thing}
{thing}，让它挨着{target}

pick_diverse_bottles
one for each gripper, hoist the {thing}
一对{thing}，抓牢举高

place_can_basket
inside the {target}, drop the {thing} and raise both
往{target}中丢{thing}，一起举高

place_dual_shoes
inside the {target}, pack the pair of {thing}
往{target}中，装成对的{thing}

put_bottles_dustbin
in the {target}, throw every one of the {thing} away
往{target}中，清理{thing}

scan_object
using the {target}, read the code on the {thing}
{thing}，借助{target}读取

stack_blocks_three
as a tower, build up the {thing}, the {second}, the {third}
{thing}、{second}、{third}，自下而上垒起

stamp_seal
upon the {target}, leave the mark of the {thing}
{thing}，让它印在{target}上面

turn_switch
the {thing}, flip it over
{thing}，扳动它
"""
)
"""Paraphrases with their clauses in another order."""

TABLES = (DEMONSTRATED, PARAPHRASES, REORDERED, REORDERED_PARAPHRASES)
"""By (paraphrased) + 2 (reordered)."""
ARM: tuple[Mapping[Written, str], Mapping[Written, str]] = (
    {"english": "using the ~ arm", "chinese": "用~臂"},
    {"english": "let the ~ arm do it", "chinese": "让~臂来做"},
)
"""A clause that names an arm, plain and paraphrased."""
SIDES: Mapping[str, Mapping[Written, str]] = {
    "left": {"english": "left", "chinese": "左"},
    "right": {"english": "right", "chinese": "右"},
}
