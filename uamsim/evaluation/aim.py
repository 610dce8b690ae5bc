"""How near a policy's first chunk brings the hand to where the expert's does."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float32

from uamsim.contract import Policy, PolicyInput
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import make_env
from uamsim.simulated import Moment, expert_episode, simulated

Hand = tuple[int, int, int]
"""The numbers of an action that are where a hand is to be."""


def aim_errors(
    policies: Mapping[str, Policy], unit: RolloutUnit, hands: Sequence[Hand], horizon: int
) -> tuple[str, dict[str, Float[np.ndarray, " N"]]]:
    """Distances in m between the lowest points of the policies' first chunks and the expert's.

    The lowest point is where a button is pressed, a thing grasped. It is taken of the hand that
    the expert moves most, so that the other hand's way does not count.

    Args:
        policies: by name; each is asked once, about all N first observations.
        unit: environment, split and the N episodes.
        hands: of the actions.
        horizon: actions of a chunk.

    Returns:
        The task, and for each policy the N distances; "" and none where there is no expert.
    """
    env = make_env(unit)
    try:
        world = simulated(env)
        if not world.has_expert:
            return "", {}
        starts = [
            list(itertools.islice(expert_episode(world, seed, horizon), 2)) for seed in unit.seeds
        ]
    finally:
        env.close()
    pairs = [
        (_input(moments[0], seed), np.array(moments[1].actions))
        for seed, moments in zip(unit.seeds, starts, strict=True)
        if len(moments) == 2
    ]
    inputs = [item for item, _ in pairs]
    return str(inputs[0].info["task"]), {
        name: np.array(
            [
                _distance(chunk, expert, hands)
                for chunk, (_, expert) in zip(policy.act(inputs), pairs, strict=True)
            ]
        )
        for name, policy in policies.items()
    }


def _distance(
    chunk: Float32[np.ndarray, "T A"], expert: Float32[np.ndarray, "U A"], hands: Sequence[Hand]
) -> float:
    moved = [np.ptp(expert[:, hand], axis=0) for hand in map(list, hands)]
    hand = list(hands[int(np.argmax(np.linalg.norm(moved, axis=1)))])
    lowest = [path[np.argmin(path[:, 2])] for path in (chunk[:, hand], expert[:, hand])]
    return float(np.linalg.norm(lowest[0] - lowest[1]))


def _input(moment: Moment, seed: int) -> PolicyInput:
    return PolicyInput(
        observation=moment.observation,
        instruction=str(moment.info["instruction"]),
        seed=seed,
        step=0,
        info=moment.info,
    )
