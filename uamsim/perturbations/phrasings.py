"""Ways to ask for each task that no demonstration uses: paraphrases and reordered clauses.

Slots are as in ``templates``. Every English paraphrase has a word, and every Chinese one a
character, that the demonstrations' templates do not have.
"""

from collections.abc import Mapping

from uamsim.perturbations.language.vocabulary import Written

Table = Mapping[tuple[str, Written], tuple[str, ...]]

PARAPHRASES: Table = {
    ("press_button", "english"): ("activate the {thing}", "give the {thing} one firm push"),
    ("press_button", "chinese"): ("触动{thing}", "摁住{thing}"),
    ("pick_place", "english"): (
        "deposit the {thing} {on} the {target}",
        "grab the {thing} and deposit it {on} the {target}",
    ),
    ("pick_place", "chinese"): ("把{thing}搁在{target}{on}", "取来{thing}，搁到{target}{on}"),
    ("stack_cubes", "english"): (
        "make a column: the {thing} lowest, next the {second}, next the {third}, the {fourth} last",
        "pile these one above another, beginning at the base: {thing}, {second}, {third}, {fourth}",
    ),
    ("stack_cubes", "chinese"): (
        "把{thing}垫底，往上依次摞{second}、{third}、{fourth}",
        "自下而上摞成一座塔：{thing}、{second}、{third}、{fourth}",
    ),
    ("drawer_open", "english"): (
        "slide the {thing} out using its grip",
        "get the {thing} to slide out by tugging its handle",
    ),
    ("drawer_open", "chinese"): ("抓牢拉手，让{thing}滑出来", "借助拉手将{thing}抽出来"),
    ("drawer_close", "english"): (
        "slide the {thing} inward using its grip",
        "return the {thing} to its closed position by its handle",
    ),
    ("drawer_close", "chinese"): ("抓牢拉手，让{thing}滑回去", "借助拉手将{thing}合上"),
    ("drawer_put", "english"): (
        "stow the {thing} inside the {target} and leave that closed",
        "store the {thing} in the {target}, which should finish closed",
    ),
    ("drawer_put", "chinese"): (
        "把{thing}存进{target}，最后合上",
        "让{thing}待在{target}里，并且合上它",
    ),
    ("plug_cable", "english"): (
        "connect the {thing} to the {target}",
        "join the {thing} firmly with the {target}",
    ),
    ("plug_cable", "chinese"): ("让{thing}与{target}接通", "把{thing}接到{target}"),
    ("pick_place_objects", "english"): (
        "transfer the {thing} {on} the {target}",
        "grasp the {thing}, carry it over and lower it {on} the {target}",
    ),
    ("pick_place_objects", "chinese"): (
        "将{thing}转移到{target}{on}",
        "抓住{thing}，搬过去，搁到{target}{on}",
    ),
    ("stack_bowls", "english"): (
        "nest these bowls beginning with the lowest: {thing}, {second}, {third}",
        "make a pile where the {thing} is lowest, the {second} sits inside it and the {third} is "
        "highest",
    ),
    ("stack_bowls", "chinese"): (
        "自下而上摞起来：{thing}、{second}、{third}",
        "{thing}垫底，{second}套进去，{third}搁最上层",
    ),
    ("press_sequence", "english"): (
        "activate the {thing} first, the {second} next and the {third} last",
        "one after another, activate {thing}, {second}, {third}",
    ),
    ("press_sequence", "chinese"): (
        "按照顺序触动{thing}、{second}、{third}",
        "首先摁{thing}，接着摁{second}，末了摁{third}",
    ),
    ("pour_fries", "english"): (
        "empty the {thing} of its fries over the {target}",
        "serve the fries held in the {thing} onto the {target}",
    ),
    ("pour_fries", "chinese"): (
        "将{thing}里的薯条全盛到{target}上",
        "掀盖以后，让{thing}里的薯条落到{target}里",
    ),
    ("sweep_rubbish", "english"): (
        "brush every scrap into the {target} using the {thing}, and leave that lying on the table",
        "gather the litter in the {target} using the {thing}, which you lay down afterwards",
    ),
    ("sweep_rubbish", "chinese"): (
        "借助{thing}清扫碎屑，归拢到{target}中，随后搁下它",
        "用{thing}将碎屑归拢到{target}，随后搁下",
    ),
    ("water_flower", "english"): (
        "sprinkle the plant growing in the {target} using the {thing}, which you lay down "
        "afterwards",
        "give the plant in the {target} a drink from the {thing}, then return that to the table",
    ),
    ("water_flower", "chinese"): (
        "拎起{thing}，给{target}里的植物喝点水，随后搁下",
        "借助{thing}滋润{target}中的植物，随后搁下",
    ),
    ("insert_flower", "english"): (
        "arrange the {thing} so that its stem is inside the {target}",
        "slip the stem of the {thing} down the neck of the {target}",
    ),
    ("insert_flower", "chinese"): (
        "让{thing}那根茎没入{target}",
        "把{thing}安放到{target}里并让它直立",
    ),
    ("hang_cloth", "english"): (
        "drape the {thing} across the {target}",
        "raise the {thing} two-handed and let it dangle from the {target}",
    ),
    ("hang_cloth", "chinese"): ("将{thing}晾到{target}上", "两手拎起{thing}，让它垂在{target}上"),
    ("wipe_table", "english"): (
        "clean up the {thing} using the {second}",
        "scrub until the {thing} is gone, using the {second}, and release that",
    ),
    ("wipe_table", "chinese"): ("拿{second}清理{thing}", "用{second}抹去{thing}，随后松开"),
    ("lift_cube", "english"): ("hoist the {thing}", "raise the {thing} into the air"),
    ("lift_cube", "chinese"): ("举高{thing}", "让{thing}离开桌面"),
    ("stack_two", "english"): (
        "rest the {thing} upon the {target}",
        "make the {target} carry the {thing}",
    ),
    ("stack_two", "chinese"): ("让{target}托住{thing}", "将{thing}摞到{target}顶上"),
    ("sort_groceries", "english"): (
        "sort the {thing} into the compartment meant for it",
        "drop the {thing} into the matching compartment",
    ),
    ("sort_groceries", "chinese"): ("将{thing}归入对应的格子", "把{thing}收纳到对应位置"),
    ("fit_nut", "english"): (
        "thread the {thing} over the matching post",
        "slide the {thing} down the matching post",
    ),
    ("fit_nut", "chinese"): ("让{thing}穿过对应的立柱", "把{thing}穿到对应的立柱"),
    ("open_door", "english"): (
        "swing the door wide using the {thing}",
        "work the {thing} until the door swings",
    ),
    ("open_door", "chinese"): ("拧{thing}，让门敞开", "拽着{thing}，让门敞开"),
    ("lift_together", "english"): (
        "hoist the {thing} two-handed",
        "raise the {thing} using a pair of grippers",
    ),
    ("lift_together", "chinese"): ("双手举高{thing}", "两边合力举高{thing}"),
    ("hand_over", "english"): (
        "give the {thing} to the arm opposite",
        "let the arms swap the {thing}",
    ),
    ("hand_over", "chinese"): ("让{thing}换手", "把{thing}转交对面那边"),
}
"""Other words for the same."""

REORDERED: Table = {
    ("press_button", "english"): ("the {thing}, press it", "the {thing}, push it"),
    ("press_button", "chinese"): ("{thing}，按下它", "{thing}，请按一下"),
    ("pick_place", "english"): (
        "{on} the {target}, put the {thing}",
        "the {thing}, place it {on} the {target}",
    ),
    ("pick_place", "chinese"): ("往{target}{on}放{thing}", "{thing}，放到{target}{on}"),
    ("stack_cubes", "english"): (
        "on the {thing} stack the {second}, then the {third} and the {fourth}",
        "from the bottom up, build a tower: {thing}, {second}, {third}, {fourth}",
    ),
    ("stack_cubes", "chinese"): ("依次叠上{second}、{third}、{fourth}，先放{thing}",),
    ("drawer_open", "english"): ("by its handle, open the {thing}",),
    ("drawer_open", "chinese"): ("{thing}，握着把手打开",),
    ("drawer_close", "english"): ("by its handle, close the {thing}",),
    ("drawer_close", "chinese"): ("{thing}，握着把手关上",),
    ("drawer_put", "english"): ("the {target}: open it, put the {thing} in and close it again",),
    ("drawer_put", "chinese"): ("往{target}里放{thing}，先打开，再关上",),
    ("plug_cable", "english"): ("into the {target}, plug the {thing}",),
    ("plug_cable", "chinese"): ("往{target}里插入{thing}",),
    ("pick_place_objects", "english"): (
        "{on} the {target}, place the {thing}",
        "the {thing}, pick it up and put it {on} the {target}",
    ),
    ("pick_place_objects", "chinese"): ("{thing}，请移到{target}{on}",),
    ("stack_bowls", "english"): (
        "from the bottom up, stack the bowls: {thing}, {second}, {third}",
        "into the {thing} put the {second}, then on top of them the {third}",
    ),
    ("stack_bowls", "chinese"): ("{thing}、{second}、{third}，从下到上叠起来",),
    ("press_sequence", "english"): (
        "the {thing}, then the {second}, then the {third}: press them",
        "in order, push these: {thing}, {second}, {third}",
    ),
    ("press_sequence", "chinese"): ("{thing}、{second}、{third}，依次按下",),
    ("pour_fries", "english"): ("onto the {target}, pour the fries from the {thing}",),
    ("pour_fries", "chinese"): ("往{target}上倒薯条，打开{thing}",),
    ("sweep_rubbish", "english"): (
        "with the {thing}, sweep the tissues into the {target}, then put it down",
    ),
    ("sweep_rubbish", "chinese"): ("把纸团扫进{target}，用{thing}，再把它放下",),
    ("water_flower", "english"): (
        "with the {thing}, water the flower in the {target}, then put it down",
    ),
    ("water_flower", "chinese"): ("给{target}里的花浇水，用{thing}，然后放下",),
    ("insert_flower", "english"): ("upright in the {target}, stand the {thing}",),
    ("insert_flower", "chinese"): ("往{target}里插上{thing}",),
    ("hang_cloth", "english"): ("over the {target}, hang the {thing}",),
    ("hang_cloth", "chinese"): ("往{target}上挂{thing}",),
    ("wipe_table", "english"): ("with the {second}, wipe away the {thing}",),
    ("wipe_table", "chinese"): ("把{thing}擦掉，用{second}",),
    ("lift_cube", "english"): ("the {thing}, lift it off the table",),
    ("lift_cube", "chinese"): ("{thing}，提起它",),
    ("stack_two", "english"): ("on the {target} stack the {thing}",),
    ("stack_two", "chinese"): ("往{target}上叠{thing}",),
    ("sort_groceries", "english"): ("into its bin, put the {thing}",),
    ("sort_groceries", "chinese"): ("{thing}，放进它的格子",),
    ("fit_nut", "english"): ("onto its peg, fit the {thing}",),
    ("fit_nut", "chinese"): ("{thing}，套到它的柱子上",),
    ("open_door", "english"): ("by the {thing}, open the door",),
    ("open_door", "chinese"): ("打开门，握住{thing}",),
    ("lift_together", "english"): ("with both arms, lift the {thing}",),
    ("lift_together", "chinese"): ("{thing}，用双臂提起来",),
    ("hand_over", "english"): ("to the other arm, hand over the {thing}",),
    ("hand_over", "chinese"): ("{thing}，递给另一只手臂",),
}
"""The demonstrations' words with their clauses in another order."""

REORDERED_PARAPHRASES: Table = {
    ("press_button", "english"): ("the {thing}, activate it",),
    ("press_button", "chinese"): ("{thing}，触动它",),
    ("pick_place", "english"): ("{on} the {target}, deposit the {thing}",),
    ("pick_place", "chinese"): ("往{target}{on}搁{thing}",),
    ("stack_cubes", "english"): (
        "beginning at the base, pile these one above another: {thing}, {second}, {third}, {fourth}",
    ),
    ("stack_cubes", "chinese"): ("往上依次摞{second}、{third}、{fourth}，把{thing}垫底",),
    ("drawer_open", "english"): ("using its grip, slide the {thing} out",),
    ("drawer_open", "chinese"): ("让{thing}滑出来，抓牢拉手",),
    ("drawer_close", "english"): ("using its grip, slide the {thing} inward",),
    ("drawer_close", "chinese"): ("让{thing}滑回去，抓牢拉手",),
    ("drawer_put", "english"): (
        "inside the {target}, which should finish closed, stow the {thing}",
    ),
    ("drawer_put", "chinese"): ("往{target}里存{thing}，最后合上",),
    ("plug_cable", "english"): ("to the {target}, connect the {thing}",),
    ("plug_cable", "chinese"): ("{target}，让{thing}与它接通",),
    ("pick_place_objects", "english"): ("{on} the {target}, transfer the {thing}",),
    ("pick_place_objects", "chinese"): ("{thing}，转移到{target}{on}",),
    ("stack_bowls", "english"): (
        "beginning with the lowest, nest these bowls: {thing}, {second}, {third}",
    ),
    ("stack_bowls", "chinese"): ("{thing}、{second}、{third}，自下而上摞起来",),
    ("press_sequence", "english"): (
        "first the {thing}, next the {second}, last the {third}: activate them",
    ),
    ("press_sequence", "chinese"): ("{thing}、{second}、{third}，按照顺序触动",),
    ("pour_fries", "english"): ("over the {target}, empty the {thing} of its fries",),
    ("pour_fries", "chinese"): ("往{target}上盛薯条，从{thing}里",),
    ("sweep_rubbish", "english"): (
        "using the {thing}, brush every scrap into the {target}, and leave that lying on the table",
    ),
    ("sweep_rubbish", "chinese"): ("将碎屑归拢到{target}中，借助{thing}，随后搁下它",),
    ("water_flower", "english"): (
        "using the {thing}, sprinkle the plant growing in the {target}, and lay it down afterwards",
    ),
    ("water_flower", "chinese"): ("滋润{target}中的植物，借助{thing}，随后搁下",),
    ("insert_flower", "english"): ("inside the {target}, arrange the stem of the {thing}",),
    ("insert_flower", "chinese"): ("往{target}里安放{thing}并让它直立",),
    ("hang_cloth", "english"): ("across the {target}, drape the {thing}",),
    ("hang_cloth", "chinese"): ("往{target}上晾{thing}",),
    ("wipe_table", "english"): ("using the {second}, clean up the {thing}",),
    ("wipe_table", "chinese"): ("清理{thing}，拿{second}",),
    ("lift_cube", "english"): ("the {thing}, hoist it",),
    ("lift_cube", "chinese"): ("{thing}，把它举高",),
    ("stack_two", "english"): ("upon the {target}, rest the {thing}",),
    ("stack_two", "chinese"): ("{thing}，让{target}托住它",),
    ("sort_groceries", "english"): ("into the matching compartment, drop the {thing}",),
    ("sort_groceries", "chinese"): ("{thing}，归入对应的格子",),
    ("fit_nut", "english"): ("over the matching post, thread the {thing}",),
    ("fit_nut", "chinese"): ("让对应的立柱穿过{thing}",),
    ("open_door", "english"): ("using the {thing}, swing the door wide",),
    ("open_door", "chinese"): ("让门敞开，拧{thing}",),
    ("lift_together", "english"): ("two-handed, hoist the {thing}",),
    ("lift_together", "chinese"): ("{thing}，双手举高",),
    ("hand_over", "english"): ("to the arm opposite, give the {thing}",),
    ("hand_over", "chinese"): ("{thing}，让它换手",),
}
"""Paraphrases with their clauses in another order."""
