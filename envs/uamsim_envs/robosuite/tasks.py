"""What robosuite's tasks are called in the project's words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uamsim.contract import Thing
from uamsim.lexicon import entries
from uamsim.perturbations.axes.objects import Distractors
from uamsim.perturbations.distance import as_similar
from uamsim_envs.robosuite.registration import EXPERTS, TWO_ARMED, cameras_of


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """One task.

    Attributes:
        name: in robosuite.
        task: of its goals (``sentences.txt``).
        things: body -> what it is called; an instruction names one of the first ``num_targets``.
        num_targets: how many things can be asked for.
        target: where the thing goes, the index of a thing; None where the task has none.
        time_limit: control steps.
        stages: in order; the last is success.
        has_room: whether distractors fit on its table, out of the way.
    """

    name: str
    task: str
    things: dict[str, Thing]
    num_targets: int = 1
    target: int | None = None
    time_limit: int = 500
    stages: tuple[str, ...] = ("grasped", "lifted")
    has_room: bool = True

    @property
    def num_arms(self) -> int:
        """Pandas."""
        return 1 + (self.name in TWO_ARMED)

    @property
    def has_expert(self) -> bool:
        """Whether there is a scripted one."""
        return self.name in EXPERTS

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras that it has, those of an observation first."""
        return cameras_of(self.num_arms)


def _thing(colour: str, category: str) -> Thing:
    return Thing(category=category, colour=colour)


TASKS: dict[str, TaskSpec] = {
    spec.name: spec
    for spec in (
        TaskSpec(
            name="Lift",
            task="lift_cube",
            things={"cube_main": _thing("red", "cube")},
        ),
        TaskSpec(
            name="Stack",
            task="stack_two",
            things={"cubeA_main": _thing("red", "cube"), "cubeB_main": _thing("green", "cube")},
            target=1,
            time_limit=750,
            stages=("grasped", "lifted", "stacked"),
        ),
        TaskSpec(
            name="PickPlace",
            task="sort_groceries",
            things={
                "Milk_main": _thing("white", "milk"),
                "Bread_main": _thing("orange", "bread"),
                "Cereal_main": _thing("red", "cereal"),
                "Can_main": _thing("red", "can"),
            },
            num_targets=4,
            time_limit=1000,
            stages=("grasped", "lifted", "placed"),
        ),
        TaskSpec(
            name="NutAssembly",
            task="fit_nut",
            things={
                "SquareNut_main": _thing("orange", "square_nut"),
                "RoundNut_main": _thing("white", "round_nut"),
            },
            num_targets=2,
            time_limit=1000,
            stages=("grasped", "lifted", "fitted"),
        ),
        TaskSpec(
            name="Door",
            task="open_door",
            things={"Door_latch": _thing("orange", "door_handle")},
            time_limit=750,
            stages=("reached", "turned", "opened"),
            has_room=False,
        ),
        TaskSpec(
            name="TwoArmLift",
            task="lift_together",
            things={"pot_root": _thing("red", "pot")},
            time_limit=750,
        ),
        TaskSpec(
            name="TwoArmHandover",
            task="hand_over",
            things={"hammer_root": _thing("orange", "hammer")},
            time_limit=1000,
            stages=("grasped", "lifted", "handed_over"),
        ),
    )
}

_DISTRACTORS = ("cube", "ball", "can")
"""Categories that can be made of primitives of robosuite's."""
_LOOKS_LIKE = {
    "milk": "box",
    "bread": "baozi",
    "cereal": "medicine_box",
    "square_nut": "tape_roll",
    "round_nut": "tape_roll",
    "door_handle": "marker",
    "pot": "bowl",
    "hammer": "marker",
}
"""Category -> one whose shape and place in the tree are known, to judge similarity by."""


def stand_in(thing: Thing) -> Thing:
    """The thing, or one like it whose distance to others is known."""
    return Thing(category=_LOOKS_LIKE.get(thing.category, thing.category), colour=thing.colour)


def draw_distractors(
    distractors: Distractors, named: Thing, present: Sequence[Thing], rng: np.random.Generator
) -> list[Thing]:
    """Things to add, all different, none of which is there already.

    Args:
        distractors: how many, and how similar to the named thing.
        named: what the instruction asks for.
        present: everything that can be named.
        rng: of this alone.
    """
    pool = [
        Thing(category=category, colour=colour.name)
        for category in _DISTRACTORS
        for colour in entries("colour")
    ]
    pool = [thing for thing in pool if thing not in present]
    if distractors.similarity is not None:
        pool = as_similar(pool, stand_in(named), distractors.similarity, distractors.count)
    return [pool[int(i)] for i in rng.permutation(len(pool))[: distractors.count]]
