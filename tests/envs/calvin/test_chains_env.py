"""An episode that is a chain of CALVIN's tasks: with a host that is made up, and with CALVIN."""

import copy
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from uamsim.contract import in_a_row
from uamsim.errors import ConfigError, SceneError, UnknownNameError
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import EnvPool
from uamsim.evaluation.experts import ExpertPlayer
from uamsim.simulators import Installation
from uamsim_envs.calvin import env as calvin
from uamsim_envs.calvin.chains import BLOCKS, TASKS, official_chain
from uamsim_envs.calvin.chains_env import CalvinChainsEnv
from uamsim_envs.calvin.initial import ROBOT_OBS, SURFACES, official_scene
from uamsim_envs.calvin.registration import CHAINS, SCENES
from uamsim_envs.host import env as hosted

sim = pytest.mark.sim("calvin")
STEPS = 20


class MadeUpLanguage:
    """The validation sentences, without the check that every word can be translated."""

    def __init__(self, training: dict[str, list[str]], validation: dict[str, str]) -> None:
        self._sentences = validation

    def draw_sentence(self, half: str, task: str, rng: np.random.Generator) -> str:
        assert half == "validation"
        return self._sentences[task]

    def say(self, task: str, sentence: str, **_: Any) -> str:
        return sentence


class MadeUpHost:
    """Says that a task is done after a number of steps: of each task of the chain in turn."""

    def __init__(self, needed: Sequence[int]) -> None:
        self.owner_pid = os.getpid()
        self.cannot: int | None = None
        self.needed, self.calls = list(needed), list[tuple[str, dict[str, Any]]]()

    def call(self, method: str, **arguments: Any) -> Any:
        self.calls.append((method, arguments))
        return getattr(self, method)(**arguments)

    def open(self, **_: Any) -> dict[str, Any]:
        return {"training": {}, "validation": {task: f"do {task}" for task in TASKS}}

    def pack(self, *, named: dict[str, Any]) -> np.ndarray:
        return np.arange(24.0)

    def reset(self, **_: Any) -> dict[str, Any]:
        self.index = self.steps = 0
        return {
            "robot_obs": np.array(ROBOT_OBS),
            "scene_obs": np.zeros(24),
            "blocks": {block: [0.0, 0.0, 0.0] for block in BLOCKS},
            "distractors": [],
        }

    def begin_task(self, *, task: str) -> None:
        self.index, self.steps = self.index + 1, 0

    def advance(self, *, actions: np.ndarray) -> dict[str, Any]:
        success, taken = False, 0
        while taken < len(actions) and not success:
            taken, self.steps = taken + 1, self.steps + 1
            success = self.steps >= self.needed[self.index]
        return {
            **{"steps": taken, "success": success, "failed": False},
            **{"stages": {"done": success}, "scene_obs": np.zeros(24)},
        }

    def observe(self, *, cameras: Sequence[str], **_: Any) -> dict[str, Any]:
        pixels = {name: np.zeros((8, 8, 3), np.uint8) for name in cameras}
        return {"pixels": pixels, "agent_pos": np.zeros(15, np.float32)}

    def begin_expert(self, *, seed: int) -> None:
        self.left = 4
        if self.index == self.cannot:
            raise SceneError("nothing is in the gripper")

    def next_action(self) -> np.ndarray | None:
        self.left -= 1
        return None if self.left < 0 else np.zeros(7, np.float32)

    def close(self) -> None:
        pass


@pytest.fixture(name="make")
def _make(monkeypatch: pytest.MonkeyPatch):
    """An environment whose tasks take so many steps each."""
    found = Installation(python=Path("python"), folder=Path("nowhere"))
    monkeypatch.setattr(hosted, "find_installation", lambda name: found)
    monkeypatch.setattr(calvin, "CalvinLanguage", MadeUpLanguage)

    def make(*needed: int, **settings: Any) -> tuple[CalvinChainsEnv, MadeUpHost]:
        host = MadeUpHost(needed)

        def start(*_: Any, **__: Any) -> MadeUpHost:
            return host

        monkeypatch.setattr(hosted, "Host", start)
        env = CalvinChainsEnv(scene="D", max_episode_steps=5 * STEPS, **settings)
        return env, host

    return make


def actions(count: int) -> np.ndarray:
    return np.zeros((count, 7), np.float32)


def test_a_chain_goes_on_from_task_to_task(make):
    env, host = make(3, 3, 3, 3, 3)
    _, info = env.reset(seed=4)
    chain = official_chain(4)
    assert info["chain"] == list(chain.tasks)
    heard = []
    for done in range(5):
        heard.append((info["subtask"], info["instruction"]))
        _, reward, terminated, truncated, info = env.step_chunk(actions(10))
        assert info["num_steps"] == 3 * (done + 1)
        assert info["stages"] == {in_a_row(i + 1): i <= done for i in range(5)}
        last = done == 4
        assert (reward, terminated, truncated, info["is_success"]) == (last, last, False, last)
    assert heard == [(task, f"do {task}") for task in chain.tasks]
    assert info["task"] == "official_chains_d"
    begun = [given["task"] for method, given in host.calls if method == "begin_task"]
    assert begun == list(chain.tasks[1:])
    (start,) = (given for method, given in host.calls if method == "reset")
    assert start["task"] == chain.tasks[0]
    np.testing.assert_array_equal(start["robot_obs"], ROBOT_OBS)


@pytest.mark.parametrize("chunk", [1, 7, STEPS])
def test_a_chain_stops_at_the_first_task_that_is_not_done_in_time(make, chunk):
    env, _ = make(STEPS, STEPS + 1, 1, 1, 1)
    _, info = env.reset(seed=0)
    ended, reward = False, 1.0
    while not ended:
        _, reward, terminated, truncated, info = env.step_chunk(actions(chunk))
        ended = terminated or truncated
    assert info["num_steps"] == 2 * STEPS
    assert list(info["stages"].values()) == [True, False, False, False, False]
    assert (reward, info["is_success"]) == (0.0, False)
    assert info["subtask"] == official_chain(0).tasks[1]


def test_the_expert_begins_anew_with_each_task_and_where_it_has_not_succeeded(make):
    env, host = make(3, 7, 3, 3, 3)
    env.reset(seed=0)
    taken, (*_, info) = env.play(env.expert(np.random.default_rng(0)), 100)
    assert (len(taken), info["is_success"]) == (19, True)
    assert [method for method, _ in host.calls].count("begin_expert") == 6


def test_an_expert_that_cannot_do_a_task_gives_up(make):
    env, host = make(3, 3, 3, 3, 3)
    host.cannot = 1
    env.reset(seed=0)
    taken, (*_, info) = env.play(env.expert(np.random.default_rng(0)), 100)
    assert (len(taken), info["is_success"], info["stages"][in_a_row(1)]) == (3, False, True)


def test_seeds_are_numbers_of_chains(make):
    env, host = make(1, 1, 1, 1, 1)
    for seed in (7, 1007, 1_000_007):
        assert env.reset(seed=seed)[1]["chain"] == list(official_chain(7).tasks)
    assert env.reset()[1]["chain"] is not None
    packed = [given["named"] for method, given in host.calls if method == "pack"]
    np.testing.assert_equal(packed[0], packed[1])
    np.testing.assert_equal(packed[0], official_scene(official_chain(7).state))


def test_resampled_scenes_differ_with_every_seed(make):
    env, host = make(1, 1, 1, 1, 1, protocol="resampled")
    for seed in (7, 1007, 7):
        env.reset(seed=seed)
    first, other, again = (given["named"] for method, given in host.calls if method == "pack")
    np.testing.assert_equal(first, again)
    with pytest.raises(AssertionError):
        np.testing.assert_equal(first, other)
    assert env.reset(seed=7)[1]["task"] == "resampled_chains_d"


def test_what_a_chain_does_not_take(make):
    with pytest.raises(UnknownNameError, match="protocol"):
        make(protocol="offical")
    with pytest.raises(ConfigError, match="tasks"):
        make(tasks=("open_drawer",))
    env, _ = make(1, 1, 1, 1, 1)
    with pytest.raises(ConfigError, match="options"):
        env.reset(seed=0, options={"task": "open_drawer"})
    with pytest.raises(ConfigError, match="multiple of 5"):
        CalvinChainsEnv(scene="D", max_episode_steps=361)


@pytest.fixture(name="real", scope="module")
def _real() -> Iterator[CalvinChainsEnv]:
    spec = copy.deepcopy(gym.spec("uamsim/CalvinChains-D-v0"))
    spec.kwargs |= {"image_size": (16, 16)}
    env = gym.make(spec, disable_env_checker=True).unwrapped
    assert isinstance(env, CalvinChainsEnv)
    yield env
    env.close()


def test_ids_are_registered():
    for name in CHAINS.values():
        for scene in SCENES:
            assert gym.spec(f"uamsim/{name}-{scene}-v0").kwargs["scene"] == scene


@sim
def test_a_chain_begins_where_the_original_does(real: CalvinChainsEnv):
    for seed in (0, 1, 2):
        observation, info = real.reset(seed=seed)
        named = official_scene(official_chain(seed).state)
        fixtures = [named[k] for k in ("slider", "drawer", "button", "switch", "lightbulb", "led")]
        expected = np.concatenate([fixtures, *(named[block] for block in BLOCKS)])
        np.testing.assert_allclose(info["scene_obs"], expected, atol=5e-3)
        np.testing.assert_allclose(observation["agent_pos"], ROBOT_OBS, atol=5e-3)


@sim
def test_an_experts_chain_is_the_same_again_whatever_ran_before(real: CalvinChainsEnv):
    def play(seed: int) -> tuple[np.ndarray, dict[str, Any]]:
        real.reset(seed=seed)
        taken, (*_, info) = real.play(real.expert(np.random.default_rng([seed, 1])), 1800)
        return taken, info

    first, info = play(1)
    assert info["is_success"]
    assert list(info["stages"].values()) == [True] * 5
    play(2)
    again, same = play(1)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(info["scene_obs"], same["scene_obs"])


@sim
def test_a_chunk_gives_the_states_of_single_steps_across_tasks(real: CalvinChainsEnv):
    real.reset(seed=1)
    taken, (*_, played) = real.play(real.expert(np.random.default_rng([1, 1])), 1800)
    real.reset(seed=1)
    info, at = {}, 0
    while at < len(taken):
        # The chunk's rest is dropped where a task is done, and asked for again.
        *_, info = real.step_chunk(taken[at : at + 10])
        at = info["num_steps"]
    np.testing.assert_array_equal(info["scene_obs"], played["scene_obs"])
    assert info["stages"] == played["stages"]


@sim
def test_idle_chains_fail_at_their_first_task_after_360_steps(real: CalvinChainsEnv):
    real.reset(seed=3)
    *_, terminated, truncated, info = real.step_chunk(np.tile(real.rest_action(), (400, 1)))
    assert (terminated or truncated, info["num_steps"]) == (True, 360)
    assert not any(info["stages"].values())


@sim
def test_surfaces_are_those_of_the_checkout(real: CalvinChainsEnv):
    import yaml

    for scene, surfaces in SURFACES.items():
        conf = real.installation.checkout("calvin_env") / f"conf/scene/calvin_scene_{scene}.yaml"
        found = yaml.safe_load(conf.read_text())["surfaces"]
        assert surfaces == {name: (low[0], high[0]) for name, (low, high) in found.items()}


@sim
def test_evaluation_plays_the_expert_through_chains():
    unit = RolloutUnit(
        env_id="uamsim_envs:uamsim/CalvinResampledChains-D-v0",
        split="in_domain",
        seeds=(1,),
        env_kwargs={"cameras": [], "render_profile": "tiny"},
        batch_envs=1,
    )
    pool = EnvPool()
    (record,) = (r for r in ExpertPlayer().play(unit, pool) if r is not None)
    pool.close()
    assert record.task == "resampled_chains_d"
    assert record.stages[in_a_row(1)]
