"""Ways to ask for each task that ``lexicon`` does not have, and which there are in every wording.

``lexicon`` has those that demonstrations of the main job use, ``phrasings`` those that none use.

``{thing}`` is the first thing's noun phrase, ``{second}`` to ``{fourth}`` those that follow it in
the spoken order, ``{target}`` the target's and ``{on}`` the preposition that goes with it.
"""

from collections.abc import Mapping

from uamsim.contract import Goal, Thing
from uamsim.errors import ConfigError
from uamsim.lexicon import INSTRUCTION_TEMPLATES, LEXICON
from uamsim.perturbations.language.vocabulary import Written
from uamsim.perturbations.phrasings import (
    PARAPHRASES,
    REORDERED,
    REORDERED_PARAPHRASES,
    Table,
)

BENCH_TEMPLATES: Table = {
    ("stack_cubes", "english"): (
        "stack the {second} on the {thing}, then the {third} and the {fourth}",
        "build a tower from the bottom up: {thing}, {second}, {third}, {fourth}",
    ),
    ("stack_cubes", "chinese"): (
        "先放{thing}，再依次叠上{second}、{third}、{fourth}",
        "从下到上叠起来：{thing}、{second}、{third}、{fourth}",
    ),
    ("drawer_open", "english"): (
        "open the {thing} by its handle",
        "take the {thing} by its handle and pull it open",
    ),
    ("drawer_open", "chinese"): (
        "握着把手打开{thing}",
        "握住把手，把{thing}拉开",
    ),
    ("drawer_close", "english"): (
        "take the {thing} by its handle and push it shut",
        "close the {thing} by its handle",
    ),
    ("drawer_close", "chinese"): (
        "握住把手，把{thing}推回去",
        "握着把手关上{thing}",
    ),
    ("drawer_put", "english"): (
        "open the {target}, put the {thing} in it and close it again",
        "put the {thing} away in the {target} and shut it",
    ),
    ("drawer_put", "chinese"): (
        "打开{target}，把{thing}放进去，再关上",
        "把{thing}收进{target}里并关好",
    ),
    ("plug_cable", "english"): (
        "plug the {thing} into the {target}",
        "insert the {thing} all the way into the {target}",
    ),
    ("plug_cable", "chinese"): ("把{thing}插进{target}", "将{thing}完全插入{target}"),
    ("pick_place_objects", "english"): (
        "put the {thing} {on} the {target}",
        "pick up the {thing} and place it {on} the {target}",
        "please take the {thing} and put it {on} the {target}",
    ),
    ("pick_place_objects", "chinese"): (
        "把{thing}放到{target}{on}",
        "拿起{thing}，放在{target}{on}",
        "请将{thing}移到{target}{on}",
    ),
    ("stack_bowls", "english"): (
        "stack the bowls from the bottom up: {thing}, {second}, {third}",
        "put the {second} into the {thing}, then the {third} on top of them",
    ),
    ("stack_bowls", "chinese"): (
        "从下到上叠起来：{thing}、{second}、{third}",
        "把{second}叠进{thing}里，再把{third}叠在最上面",
    ),
    ("press_sequence", "english"): (
        "press the {thing}, then the {second}, then the {third}",
        "push these in order: {thing}, {second}, {third}",
    ),
    ("press_sequence", "chinese"): (
        "先按{thing}，再按{second}，最后按{third}",
        "依次按下{thing}、{second}、{third}",
    ),
    ("pour_fries", "english"): (
        "open the {thing} and pour the fries onto the {target}",
        "lift the lid of the {thing}, then tip the fries onto the {target}",
        "pour the fries from the {thing} onto the {target}",
    ),
    ("pour_fries", "chinese"): (
        "打开{thing}，把薯条倒在{target}上",
        "掀开{thing}的盖子，然后把薯条倒到{target}里",
    ),
    ("sweep_rubbish", "english"): (
        "sweep the tissues into the {target} with the {thing}, then put it down",
        "use the {thing} to sweep the rubbish into the {target}, then put it on the table",
    ),
    ("sweep_rubbish", "chinese"): (
        "用{thing}把纸团扫进{target}，再把它放下",
        "拿{thing}把垃圾扫到{target}里，然后放回桌上",
    ),
    ("water_flower", "english"): (
        "water the flower in the {target} with the {thing}, then put it down",
        "use the {thing} to water the flower in the {target} and set it back on the table",
    ),
    ("water_flower", "chinese"): (
        "用{thing}给{target}里的花浇水，然后放下",
        "拿{thing}浇一浇{target}里的花，再放回桌上",
    ),
    ("insert_flower", "english"): (
        "put the {thing} into the {target}",
        "stand the {thing} upright in the {target}",
    ),
    ("insert_flower", "chinese"): ("把{thing}插进{target}里", "把{thing}竖起来插到{target}中"),
    ("hang_cloth", "english"): (
        "hang the {thing} over the {target}",
        "lift the {thing} with both arms and hang it on the {target}",
    ),
    ("hang_cloth", "chinese"): (
        "把{thing}挂到{target}上",
        "用双臂提起{thing}，搭在{target}上",
    ),
    ("wipe_table", "english"): (
        "wipe away the {thing} with the {second}",
        "take the {second} and wipe off the {thing}, then let go of it",
    ),
    ("wipe_table", "chinese"): (
        "用{second}把{thing}擦掉",
        "拿起{second}擦干净{thing}，然后放下",
    ),
}

ROBOSUITE_TEMPLATES: Table = {
    ("lift_cube", "english"): ("lift the {thing} off the table", "pick up the {thing}"),
    ("lift_cube", "chinese"): ("提起{thing}", "把{thing}从桌上拿起来"),
    ("stack_two", "english"): (
        "stack the {thing} on the {target}",
        "put the {thing} on top of the {target}",
    ),
    ("stack_two", "chinese"): ("把{thing}叠到{target}上", "将{thing}叠在{target}上面"),
    ("sort_groceries", "english"): (
        "put the {thing} into its bin",
        "place the {thing} in the bin where it belongs",
    ),
    ("sort_groceries", "chinese"): ("把{thing}放进它的格子", "将{thing}放到它所属的格子里"),
    ("fit_nut", "english"): (
        "fit the {thing} onto its peg",
        "put the {thing} down over the peg of its shape",
    ),
    ("fit_nut", "chinese"): ("把{thing}套到它的柱子上", "将{thing}套在同样形状的柱子上"),
    ("open_door", "english"): (
        "open the door by the {thing}",
        "turn the {thing} and pull the door open",
    ),
    ("open_door", "chinese"): ("握住{thing}打开门", "扭动{thing}，把门拉开"),
    ("lift_together", "english"): (
        "lift the {thing} with both arms",
        "use both arms to lift the {thing}",
    ),
    ("lift_together", "chinese"): ("用双臂提起{thing}", "两只手臂一起抬起{thing}"),
    ("hand_over", "english"): (
        "hand the {thing} over to the other arm",
        "pass the {thing} from one arm to the other",
    ),
    ("hand_over", "chinese"): ("把{thing}递给另一只手臂", "用一只手臂拿起{thing}，交给另一只"),
}

DEMONSTRATED: Table = {**INSTRUCTION_TEMPLATES, **BENCH_TEMPLATES, **ROBOSUITE_TEMPLATES}
"""What demonstrations use, in English."""

_TABLES = (DEMONSTRATED, PARAPHRASES, REORDERED, REORDERED_PARAPHRASES)

ALL_TEMPLATES: Mapping[Written, tuple[tuple[str, str], ...]] = {
    written: tuple(
        (task, template)
        for table in _TABLES
        for (task, tongue), templates in table.items()
        if tongue == written
        for template in templates
    )
    for written in ("english", "chinese")
}
"""(task, template) of all tables."""

USUAL: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    task: (frozenset(things.split()), frozenset(targets.split()))
    for task, things, targets in (
        ("press_button", "button", ""),
        ("pick_place", "object", "target"),
        ("stack_cubes", "cube", ""),
        ("drawer_open", "drawer", ""),
        ("drawer_close", "drawer", ""),
        ("drawer_put", "object item", "drawer"),
        ("plug_cable", "plug", "socket"),
        ("pick_place_objects", "object item", "target receptacle"),
        ("stack_bowls", "bowl", ""),
        ("press_sequence", "button", ""),
        ("pour_fries", "carton", "plate"),
        ("sweep_rubbish", "broom", "dustpan"),
        ("water_flower", "watering_can", "flower_pot"),
        ("insert_flower", "flower", "bottle"),
        ("hang_cloth", "cloth towel", "rod"),
        ("wipe_table", "stain cloth towel", ""),
        ("lift_cube", "cube", ""),
        ("stack_two", "cube", "cube"),
        ("sort_groceries", "milk bread cereal can", ""),
        ("fit_nut", "square_nut round_nut", ""),
        ("open_door", "door_handle", ""),
        ("lift_together", "pot", ""),
        ("hand_over", "hammer", ""),
    )
}
"""Task -> kinds or categories of its things and of its target."""


def templates_of(
    task: str, written: Written, *, paraphrased: bool = False, reordered: bool = False
) -> tuple[str, ...]:
    """The templates of a task in one wording.

    Raises:
        ConfigError: there are none.
    """
    table = _TABLES[paraphrased + 2 * reordered]
    if (task, written) not in table:
        tasks = sorted({name for name, _ in table})
        raise ConfigError(f"task must be one of {', '.join(tasks)}, not {task!r}.")
    return table[task, written]


def is_usual(goal: Goal) -> bool:
    """Whether a goal's things are of the sorts that its task is about."""
    things, targets = USUAL[goal.task]

    def is_of(thing: Thing, sorts: frozenset[str]) -> bool:
        return thing.category in sorts or LEXICON[thing.category].kind in sorts

    return all(is_of(thing, things) for thing in (goal.thing, *goal.then)) and (
        goal.target is None or is_of(goal.target, targets)
    )
