"""Scenes with several goals: which of them does a predicted picture show?"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from uamsim.contract import SceneThing
from uamsim.data.changes import SceneChange, reach_goals
from uamsim.data.config import SceneChangeConfig
from uamsim.data.questions import Tongue
from uamsim.data.scenes import make_scene_env
from uamsim.errors import DatasetError

MIN_GOALS = 3
_MAX_SCENES_A_CHOICE = 100


@dataclass(frozen=True, kw_only=True)
class GoalChoice:
    """A scene and its goals: a hand over each thing that can be named.

    Attributes:
        before: the scene.
        goals: pictures of the G >= ``MIN_GOALS`` goals.
        things: what each goal is about.
        instructions: tongue -> how each goal is asked for.
    """

    before: UInt8[np.ndarray, "H W 3"]
    goals: UInt8[np.ndarray, "G H W 3"]
    things: tuple[SceneThing, ...]
    instructions: Mapping[Tongue, tuple[str, ...]]


def draw_goal_choices(
    config: SceneChangeConfig, count: int, seed: int, tongues: tuple[Tongue, ...] = ("english",)
) -> list[GoalChoice]:
    """Renders scenes until ``count`` of them have enough goals.

    Args:
        config: environment, camera and pictures; its pairs and its seed are not read.
        count: of scenes.
        seed: of the first scene; each later one has the next.
        tongues: in which the goals are asked for.

    Raises:
        DatasetError: the environment hardly draws scenes with so many goals.
    """
    choices: list[GoalChoice] = []
    kwargs = {
        "image_size": config.image_size,
        "camera": config.camera,
        "render_profile": config.render_profile,
    }
    with closing(make_scene_env(config.env_id, **kwargs)) as env:

        def picture(of: int, facts: object = None) -> np.ndarray:
            observation, _ = env.reset(seed=of, options={"facts": facts})
            return np.array(observation["pixels"][config.camera])

        for of in range(seed, seed + _MAX_SCENES_A_CHOICE * count):
            if len(choices) == count:
                return choices
            _, info = env.reset(seed=of)
            facts = info["scene"]
            goals = reach_goals(facts, np.random.default_rng(of))
            if len(goals) < MIN_GOALS:
                continue
            said: dict[Tongue, list[tuple[SceneThing, SceneChange]]] = {
                tongue: reach_goals(facts, np.random.default_rng(of), tongue) for tongue in tongues
            }
            choices.append(
                GoalChoice(
                    before=picture(of, facts),
                    goals=np.stack([picture(of, change.after) for _, change in goals]),
                    things=tuple(thing for thing, _ in goals),
                    instructions={
                        tongue: tuple(change.instruction for _, change in changes)
                        for tongue, changes in said.items()
                    },
                )
            )
    if len(choices) < count:
        raise DatasetError(
            f"{config.env_id} drew only {len(choices)} scenes with {MIN_GOALS} goals, not {count}."
        )
    return choices
