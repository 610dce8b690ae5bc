import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from uamsim.errors import InvalidActionError, SceneError, ShapeError
from uamsim.testing.data import check_action_batch, fake_action_batch
from uamsim.testing.envs import REACH_ID, ReachEnv


@pytest.mark.filterwarnings("ignore:.*Box (action|observation) space:UserWarning")
def test_the_fake_env_is_a_gymnasium_env():
    env = gym.make(REACH_ID, disable_env_checker=True).unwrapped
    check_env(env, skip_render_check=True)


def test_chunks_and_steps_agree():
    actions = np.random.default_rng(0).normal(size=(40, 14)).astype(np.float32)
    whole, single = ReachEnv(max_episode_steps=30), ReachEnv(max_episode_steps=30)
    whole.reset(seed=3)
    single.reset(seed=3)
    end = whole.step_chunk(actions)
    last = None
    for action in actions:
        last = single.step(action)
        if last[2] or last[3]:
            break
    assert last is not None
    assert end[1:] == last[1:]
    np.testing.assert_array_equal(end[0]["agent_pos"], last[0]["agent_pos"])
    with pytest.raises(SceneError, match="reset"):
        whole.step_chunk(actions)


@pytest.mark.parametrize(
    "actions", [np.zeros((3, 7), "f4"), np.zeros((0, 14), "f4"), np.full((1, 14), np.nan, "f4")]
)
def test_the_fake_env_refuses_bad_actions(actions: np.ndarray):
    env = ReachEnv()
    env.reset(seed=0)
    with pytest.raises(InvalidActionError):
        env.step_chunk(actions)


def test_fake_batches_pass_their_check():
    batch = fake_action_batch(np.random.default_rng(0), batch_size=3, num_views=2, chunk=6)
    check_action_batch(batch)
    assert batch["goal_clamped"].any()
    batch["proprio"] = batch["proprio"].astype(np.float64)
    with pytest.raises(ShapeError, match="proprio: expected float32"):
        check_action_batch(batch)
