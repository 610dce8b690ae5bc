"""The ALOHA replica: this repository's own bench, which needs MuJoCo alone."""

from uamsim.worlds import ActionSizes, EnvironmentEntry, WorldSpec

_ENVIRONMENTS: tuple[tuple[str, str, str], ...] = (
    ("", "uamsim/AlohaScene-v0", "uamsim_envs.aloha.scene:AlohaSceneEnv"),
    (
        "press_button",
        "uamsim/AlohaPressButton-v0",
        "uamsim_envs.aloha.press_button:AlohaPressButtonEnv",
    ),
    ("pick_place", "uamsim/AlohaPickPlace-v0", "uamsim_envs.aloha.pick_place:AlohaPickPlaceEnv"),
    (
        "stack_cubes",
        "uamsim/AlohaStackCubes-v0",
        "uamsim_envs.aloha.tasks.stack_cubes:AlohaStackCubesEnv",
    ),
    (
        "drawer_open",
        "uamsim/AlohaDrawerOpen-v0",
        "uamsim_envs.aloha.tasks.drawer:AlohaDrawerOpenEnv",
    ),
    (
        "drawer_close",
        "uamsim/AlohaDrawerClose-v0",
        "uamsim_envs.aloha.tasks.drawer:AlohaDrawerCloseEnv",
    ),
    ("drawer_put", "uamsim/AlohaDrawerPut-v0", "uamsim_envs.aloha.tasks.drawer:AlohaDrawerPutEnv"),
    (
        "plug_cable",
        "uamsim/AlohaPlugCable-v0",
        "uamsim_envs.aloha.tasks.plug_cable:AlohaPlugCableEnv",
    ),
    (
        "pick_place_objects",
        "uamsim/AlohaPickPlaceObjects-v0",
        "uamsim_envs.aloha.tasks.pick_place_objects:AlohaPickPlaceObjectsEnv",
    ),
    (
        "stack_bowls",
        "uamsim/AlohaStackBowls-v0",
        "uamsim_envs.aloha.tasks.stack_bowls:AlohaStackBowlsEnv",
    ),
    (
        "press_sequence",
        "uamsim/AlohaPressSequence-v0",
        "uamsim_envs.aloha.tasks.press_sequence:AlohaPressSequenceEnv",
    ),
    (
        "water_flower",
        "uamsim/AlohaWaterFlower-v0",
        "uamsim_envs.aloha.tasks.water_flower:AlohaWaterFlowerEnv",
    ),
    (
        "insert_flower",
        "uamsim/AlohaInsertFlower-v0",
        "uamsim_envs.aloha.tasks.insert_flower:AlohaInsertFlowerEnv",
    ),
    (
        "pour_fries",
        "uamsim/AlohaPourFries-v0",
        "uamsim_envs.aloha.tasks.pour_fries:AlohaPourFriesEnv",
    ),
    (
        "sweep_rubbish",
        "uamsim/AlohaSweepRubbish-v0",
        "uamsim_envs.aloha.tasks.sweep_rubbish:AlohaSweepRubbishEnv",
    ),
    (
        "wipe_table",
        "uamsim/AlohaWipeTable-v0",
        "uamsim_envs.aloha.tasks.wipe_table:AlohaWipeTableEnv",
    ),
    (
        "hang_cloth",
        "uamsim/AlohaHangCloth-v0",
        "uamsim_envs.aloha.tasks.hang_cloth:AlohaHangClothEnv",
    ),
)
"""Task ("" where there is none to solve), environment id, where its class is."""

_FREE = {"has_expert": False}

WORLD = WorldSpec(
    name="aloha",
    package="uamsim_envs",
    summary="two arms at a table: sixteen tasks, and free scenes that questions are asked about",
    environments=tuple(
        EnvironmentEntry(
            id=env_id, entry_point=entry_point, task=task, differs={} if task else _FREE
        )
        for task, env_id, entry_point in _ENVIRONMENTS
    ),
    controls={"ee": ActionSizes(hands=((0, 1, 2), (7, 8, 9))), "joint": ActionSizes()},
    cameras=("primary", "left_wrist", "right_wrist", "top"),
)
