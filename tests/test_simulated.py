"""An environment that says nothing of itself but Gymnasium's own, and its expert's episodes."""

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from uamsim.contract import Observation
from uamsim.errors import ConfigError, InvalidActionError
from uamsim.simulated import SimulatedEnv, Step, expert_episode, simulated

LENGTH = 7


class Plain(SimulatedEnv):
    """Adds up its actions; ends at ``LENGTH`` of them."""

    def __init__(self) -> None:
        self.action_space = gym.spaces.Box(-1, 1, (2,))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self.total, self.steps = np.zeros(2, np.float32), 0
        return self._observe(), {"steps": 0}

    def _observe(self) -> Observation:
        return {"pixels": {}, "agent_pos": self.total.copy()}

    def step(self, action: np.ndarray) -> Step:
        self.total = self.total + action
        self.steps += 1
        return self._observe(), 1.0, self.steps == LENGTH, False, {"steps": self.steps}


class Expert(Plain):
    """Its expert repeats one draw."""

    def __init__(self, actions: int) -> None:
        super().__init__()
        self.actions = actions

    def expert(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        drawn = rng.random(2).astype(np.float32)
        for _ in range(self.actions):
            yield drawn


def test_a_chunk_is_its_steps() -> None:
    env = Plain()
    env.reset(seed=0)
    (observation, reward, terminated, truncated, info) = env.step_chunk(np.ones((3, 2), np.float32))
    assert (reward, terminated, truncated, info) == (3.0, False, False, {"steps": 3})
    assert observation["agent_pos"].tolist() == [3.0, 3.0]
    # What is left of a chunk when the episode ends is dropped.
    _, reward, terminated, _, info = env.step_chunk(np.ones((9, 2), np.float32))
    assert (reward, terminated, info) == (4.0, True, {"steps": LENGTH})
    with pytest.raises(InvalidActionError, match="at least one action"):
        env.step_chunk(np.ones((0, 2), np.float32))


def test_what_a_world_does_not_write_has_a_default() -> None:
    env = Plain()
    assert (env.control, env.control_hz, env.timed, env.kept_idle) == (
        "ee",
        50,
        True,
        True,
    )
    assert (env.reads_back(), list(env.prepare(0)), env.comparable) == (None, [], False)
    assert (env.has_identity(), dict(env.identity)) == (False, {})
    assert not env.has_expert
    assert Expert(1).has_expert
    with pytest.raises(NotImplementedError, match="Plain has no scripted expert"):
        env.expert(np.random.default_rng(0))


def test_wrappers_are_taken_off_and_others_are_an_error() -> None:
    env = Plain()
    assert simulated(gym.wrappers.TimeLimit(env, 3)) is env
    with pytest.raises(ConfigError, match=r"derives from .*SimulatedEnv, got CartPoleEnv"):
        simulated(gym.make("CartPole-v1"))


@pytest.mark.parametrize(
    ("actions", "every", "taken"),
    [
        (99, 3, [0, 3, 3, 1]),  # the episode ends
        (5, 3, [0, 3, 2]),  # the expert ends
        (6, 3, [0, 3, 3]),  # it ends with a moment
        (99, None, [0, LENGTH]),
        (4, None, [0, 4]),
        (0, 3, [0]),
    ],
)
def test_an_experts_episode_is_cut_into_moments(
    actions: int, every: int | None, taken: list[int]
) -> None:
    moments = list(expert_episode(Expert(actions), 5, every))
    assert [len(moment.actions) for moment in moments] == taken
    assert [moment.info["steps"] for moment in moments] == np.cumsum(taken).tolist()
    drawn = np.random.default_rng([5, 1]).random(2).astype(np.float32)
    for moment in moments:
        assert all((action == drawn).all() for action in moment.actions)
    assert moments[-1].observation["agent_pos"] == pytest.approx(drawn * sum(taken), rel=1e-5)
