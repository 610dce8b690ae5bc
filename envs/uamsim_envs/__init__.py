"""The simulated worlds, as Gymnasium environments.

Importing this package registers their ids and nothing else: MuJoCo is imported by ``gym.make``.
"""

import gymnasium as gym

ENTRY_POINTS: dict[str, str] = {
    "uamsim/AlohaScene-v0": "uamsim_envs.aloha.scene:AlohaSceneEnv",
    "uamsim/AlohaPressButton-v0": "uamsim_envs.aloha.press_button:AlohaPressButtonEnv",
    "uamsim/AlohaPickPlace-v0": "uamsim_envs.aloha.pick_place:AlohaPickPlaceEnv",
}
"""Environment id -> where its class is."""

for _id, _entry_point in ENTRY_POINTS.items():
    if _id not in gym.registry:
        gym.register(id=_id, entry_point=_entry_point)
