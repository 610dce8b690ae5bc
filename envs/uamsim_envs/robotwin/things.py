"""Where RoboTwin's classes keep the things that the paper's tasks are about."""

from collections.abc import Mapping

_BLOCKS = {"thing": ("block1",), "second": ("block2",), "third": ("block3",)}

KEPT: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "beat_block_hammer": {"thing": ("hammer",), "target": ("block",)},
    "blocks_ranking_rgb": _BLOCKS,
    "blocks_ranking_size": _BLOCKS,
    "click_alarmclock": {"thing": ("alarm",)},
    "dump_bin_bigbin": {"thing": ("deskbin",), "target": ("dustbin",)},
    "handover_block": {"thing": ("box",), "target": ("target_box",)},
    "hanging_mug": {"thing": ("mug",), "target": ("rack",)},
    "lift_pot": {"thing": ("pot",)},
    "move_can_pot": {"thing": ("can",), "target": ("pot",)},
    "pick_diverse_bottles": {"thing": ("bottle1", "bottle2")},
    "place_can_basket": {"thing": ("can",), "target": ("basket",)},
    "place_dual_shoes": {"thing": ("left_shoe", "right_shoe"), "target": ("shoe_box",)},
    "put_bottles_dustbin": {"thing": ("bottles",), "target": ("dustbin",)},
    "scan_object": {"thing": ("object",), "target": ("scanner",)},
    "stack_blocks_three": _BLOCKS,
    "stamp_seal": {"thing": ("seal",), "target": ("target",)},
    "turn_switch": {"thing": ("switch",)},
}
"""Task -> slot of a goal (``language.GOALS``) -> attributes of the task's
instance that hold the thing, or several that are handled alike."""
