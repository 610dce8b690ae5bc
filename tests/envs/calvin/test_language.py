"""Instructions of CALVIN's environments under the axes of language and of objects."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from uamsim.perturbations.axes.objects import NovelObject
from uamsim.perturbations.language.wording import Chinese, CodeMix, NoiseWords, Reference
from uamsim.perturbations.values import Perturbation
from uamsim_envs.calvin.language import GOALS

pytestmark = pytest.mark.sim("calvin")


@pytest.mark.parametrize(
    "perturbations",
    [
        (),
        (NovelObject(), Chinese(), Reference(kind="negation")),
        (CodeMix(), NoiseWords(), Reference()),
    ],
)
def test_what_is_said_means_the_task(perturbations: Sequence[Perturbation]) -> None:
    env = gym.make(
        "uamsim_envs:uamsim/Calvin-B-v0",
        perturbations=perturbations,
        cameras=(),
        disable_env_checker=True,
    )
    world: Any = env.unwrapped
    for task in ("lift_red_block_table", "open_drawer"):
        _, info = env.reset(seed=3, options={"task": task})
        assert info["goal"].task == task
        assert world.reads_back(), info["instruction"]
        renamed = task != "open_drawer" and any(isinstance(p, NovelObject) for p in perturbations)
        assert (info["goal"] != GOALS[task]) == renamed
        if not perturbations:
            assert info["instruction"] in world.instructions.own["training"][task]
    language, other = world.instructions, world.other_instruction(np.random.default_rng(0))
    called = {name.removesuffix("_block"): thing for name, thing in world._called.items()}
    assert language.read(other, world._facts, called=called) not in ("open_drawer", "")
    world._instruction = "push the drawer"
    assert not world.reads_back()
    env.close()
