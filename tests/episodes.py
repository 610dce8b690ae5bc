"""What tests of every world have in common: where its arms rest, its whole state, some actions."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def rest_of(env: Any) -> np.ndarray:
    """The action that leaves the arms where they were when the episode began."""
    return env.rest_action() if hasattr(env, "rest_action") else env.world.rest_action(env.control)


def state_of(env: Any) -> Sequence[np.ndarray]:
    """Positions and velocities of all joints."""
    if callable(getattr(env, "state", None)):
        found = env.state()
        return [np.asarray(found[name]) for name in sorted(found)]
    return [env.world.data.qpos.copy(), env.world.data.qvel.copy()]


def moves(env: Any, start: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Actions that wander off from where the arms are, and open and close the grippers.

    Args:
        env: whose action space they are of.
        start: ``agent_pos``, which they begin at where actions are targets.
        count: how many.
        seed: of the way they take.
    """
    space = env.action_space
    at = start if start.shape == space.shape else np.zeros(space.shape)
    steps = np.random.default_rng(seed).normal(0.0, 0.03, (count, *space.shape))
    return np.clip(at + np.cumsum(steps, axis=0), space.low, space.high).astype(np.float32)
