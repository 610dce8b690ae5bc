"""Robosuite's tasks keep the project's contract, and say what to do where robosuite is not."""

import copy
import os
import signal
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from uamsim.errors import (
    ConfigError,
    InvalidActionError,
    MissingDependencyError,
    SimulatorError,
    UnknownNameError,
)
from uamsim.perturbations.axes.actions import ActionDelay
from uamsim.perturbations.axes.objects import Distractors, NovelObject
from uamsim.perturbations.axes.sensors import DroppedFrames, ImageBlur, ImageNoise, Latency
from uamsim.perturbations.language.wording import (
    CodeMix,
    NoiseWords,
    Paraphrase,
    Pinyin,
    Reference,
    Reordered,
    Synonyms,
)
from uamsim.simulated import SimulatedEnv
from uamsim_envs.robosuite.env import RobosuiteEnv
from uamsim_envs.robosuite.language import LANGUAGE
from uamsim_envs.robosuite.registration import TASKS as ROBOSUITE_TASKS
from uamsim_envs.robosuite.tasks import TASKS

NAMES = tuple(ROBOSUITE_TASKS)
EXPERTS = ("Lift", "Stack", "PickPlace")
sim = pytest.mark.sim("robosuite")
Make = Callable[..., RobosuiteEnv]


def make_env(name: str, **kwargs: Any) -> RobosuiteEnv:
    spec = copy.deepcopy(gym.spec(f"uamsim/Robosuite-{name}-v0"))
    spec.kwargs |= {"image_size": (32, 48)} | kwargs
    env = gym.make(spec, disable_env_checker=True).unwrapped
    assert isinstance(env, RobosuiteEnv)
    return env


@pytest.fixture(name="make", scope="module")
def _make() -> Iterator[Make]:
    """Environments that are made once: a host takes seconds to start."""
    made: dict[str, RobosuiteEnv] = {}

    def make(name: str, **kwargs: Any) -> RobosuiteEnv:
        key = f"{name} {kwargs}"
        if key not in made:
            made[key] = make_env(name, **kwargs)
        return made[key]

    yield make
    for env in made.values():
        env.close()


def near_rest(env: RobosuiteEnv, count: int, seed: int = 0) -> np.ndarray:
    """Actions that move the arms and close the grippers."""
    moves = np.random.default_rng(seed).normal(0.0, 0.03, (count, len(env.rest_action())))
    return (env.rest_action() + np.cumsum(moves, axis=0)).astype(np.float32)


def test_every_task_is_registered() -> None:
    assert set(NAMES) == set(TASKS)
    assert all(f"uamsim/Robosuite-{name}-v0" in gym.registry for name in NAMES)


def test_without_robosuite_an_id_says_what_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UAMSIM_SIMULATORS", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="Run: uamsim install robosuite"):
        gym.make("uamsim_envs:uamsim/Robosuite-Lift-v0")


@sim
@pytest.mark.filterwarnings("ignore:.*symmetric and normalized.*")
@pytest.mark.parametrize("name", NAMES)
def test_check_env(name: str, make: Make) -> None:
    check_env(make(name), skip_render_check=True)


@sim
@pytest.mark.parametrize("name", NAMES)
def test_observation_and_info_are_the_contract(name: str, make: Make) -> None:
    env = make(name)
    assert isinstance(env, SimulatedEnv)
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert all(picture.std() > 1.0 for picture in observation["pixels"].values())
    assert env.action_space.contains(env.rest_action())
    assert len(env.rest_action()) == 7 * TASKS[name].num_arms
    assert set(info) >= {"is_success", "instruction", "task_description", "_max_episode_steps"}
    assert tuple(info["stages"]) == TASKS[name].stages
    _, _, _, _, after = env.step(env.rest_action())
    assert tuple(after["stages"]) == TASKS[name].stages
    assert not after["is_success"]
    assert env.reads_back()
    other = env.other_instruction(np.random.default_rng(0))
    assert other is not None
    assert LANGUAGE.read(other, task=env.task) != info["goal"]
    assert set(env.look(env.all_cameras)) == set(env.all_cameras)


@sim
@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_episode_also_after_others(name: str, make: Make) -> None:
    env = make(name)

    def play(seed: int) -> tuple[Any, ...]:
        first = env.reset(seed=seed)
        after = env.step_chunk(near_rest(env, 12))
        return *first, *after, env.state()

    before, starts = play(5), set()
    for seed in range(3):
        starts.add(play(seed)[0]["agent_pos"].tobytes())
        env.step_chunk(near_rest(env, 5 + seed, seed))
    np.testing.assert_equal(play(5), before)
    assert len(starts) == 3


@sim
def test_other_hosts_show_the_same(make: Make) -> None:
    env, other = make("Lift"), make_env("Lift")
    env.reset(seed=1)
    env.step_chunk(near_rest(env, 7))
    np.testing.assert_equal(other.reset(seed=3), env.reset(seed=3))
    actions = near_rest(env, 20)
    np.testing.assert_equal(other.step_chunk(actions), env.step_chunk(actions))
    other.close()


@sim
@pytest.mark.parametrize("name", NAMES)
def test_eager_and_chunked_are_the_same(name: str, make: Make) -> None:
    env = make(name)
    env.reset(seed=2)
    actions = near_rest(env, 15)
    eager = [env.step(action) for action in actions][-1]
    states = env.state()
    env.reset(seed=2)
    chunked = env.step_chunk(actions)
    np.testing.assert_equal(env.state(), states)
    np.testing.assert_equal(chunked, eager)


@sim
@pytest.mark.parametrize("name", EXPERTS)
def test_expert_succeeds(name: str, make: Make) -> None:
    env = make(name, cameras=())
    for seed in (1, 2):
        env.reset(seed=seed)
        expert = env.expert(np.random.default_rng(seed))
        _, (_, reward, terminated, truncated, info) = env.play(expert, 9999)
        assert (reward, terminated, truncated) == (1.0, True, False)
        assert info["is_success"]
        assert all(info["stages"].values())


@sim
@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERTS)
def test_expert_among_distractors(name: str) -> None:
    distractors = Distractors(count=4, similarity=1.0)
    env, successes = make_env(name, cameras=(), perturbations=(distractors,)), 0
    for seed in range(5000, 5004):
        env.reset(seed=seed)
        _, (*_, info) = env.play(env.expert(np.random.default_rng(seed)), 9999)
        successes += info["is_success"]
    env.close()
    assert successes >= 3


@sim
def test_played_actions_replay(make: Make) -> None:
    env = make("Lift", cameras=())
    env.reset(seed=4)
    taken, last = env.play(env.expert(np.random.default_rng(4)), 9999)
    states = env.state()
    env.reset(seed=4)
    np.testing.assert_equal(env.step_chunk(taken), last)
    np.testing.assert_equal(env.state(), states)


@sim
def test_tasks_without_an_expert_say_so(make: Make) -> None:
    env = make("Door")
    env.reset(seed=0)
    assert not env.has_expert
    with pytest.raises(ConfigError, match="Door has no scripted expert; Lift, Stack, PickPlace"):
        next(env.expert(np.random.default_rng(0)))


@sim
@pytest.mark.parametrize("name", ["Stack", "PickPlace", "TwoArmHandover"])
def test_distractors_stand_about(name: str, make: Make) -> None:
    env = make_env(name, perturbations=(Distractors(count=3, similarity=0.5),), image_size=(96, 96))
    things = {}
    for seed in (0, 1):
        observation, info = env.reset(seed=seed)
        named = list(TASKS[name].things.values())
        added = info["scene"].things[len(named) :]
        assert len(added) == len(info["perturbations"]["Distractors"]["things"]) == 3
        pairs = {(t.category, t.colour) for t in info["scene"].things}
        assert len(pairs) == len(info["scene"].things)
        things[seed] = added
        plain = make(name, image_size=(96, 96))
        without, plain_info = plain.reset(seed=seed)
        assert plain_info["goal"] == info["goal"]
        assert plain_info["scene"].things == info["scene"].things[: len(named)]
        changed = observation["pixels"]["primary"] != without["pixels"]["primary"]
        assert 0.001 < changed.any(axis=-1).mean() < 0.2
        env.step_chunk(np.tile(env.rest_action(), (25, 1)))
    again = env.reset(seed=0)[1]["scene"].things[-3:]
    assert again == things[0] != things[1]
    env.close()


@sim
def test_sensors_change_what_is_seen_alone(make: Make) -> None:
    plain = make("Lift")
    first, _ = plain.reset(seed=6)
    actions = near_rest(plain, 12)
    seen = [first, *(plain.step(action)[0] for action in actions)]
    states = plain.state()
    late = make_env("Lift", perturbations=(Latency(severity=2),))
    late.reset(seed=6)
    for step, action in enumerate(actions, start=1):
        observation = late.step(action)[0]
        np.testing.assert_equal(observation, seen[max(0, step - 4)])
    np.testing.assert_equal(late.state(), states)
    late.close()
    noisy = make_env("Lift", perturbations=(ImageBlur(), ImageNoise(), DroppedFrames(severity=5)))
    noisy.reset(seed=6)
    observation = noisy.step_chunk(actions)[0]
    assert (observation["pixels"]["primary"] != seen[-1]["pixels"]["primary"]).mean() > 0.5
    np.testing.assert_array_equal(observation["agent_pos"], seen[-1]["agent_pos"])
    np.testing.assert_equal(noisy.state(), states)
    noisy.close()


@sim
def test_delayed_actions_come_late(make: Make) -> None:
    plain, late = make("Lift"), make_env("Lift", perturbations=(ActionDelay(severity=1),))
    late.reset(seed=6)
    actions = near_rest(late, 10)
    late.step_chunk(actions)
    plain.reset(seed=6)
    plain.step_chunk(np.concatenate([np.tile(plain.rest_action(), (2, 1)), actions[:-2]]))
    np.testing.assert_equal(late.state(), plain.state())
    late.close()


@sim
def test_every_wording_reads_back() -> None:
    for name, wording in (
        ("Stack", (Reference(), Synonyms(), Pinyin())),
        ("PickPlace", (Paraphrase(), Reordered(), NoiseWords(), CodeMix(), Reference())),
    ):
        env = make_env(name, perturbations=wording, cameras=())
        for seed in range(5):
            _, info = env.reset(seed=seed)
            assert env.reads_back(), info["instruction"]
        env.close()


@sim
def test_an_instruction_names_any_of_the_things(make: Make) -> None:
    env = make("PickPlace", cameras=())
    named = {env.reset(seed=seed)[1]["goal"].thing.category for seed in range(20)}
    assert named == {"milk", "bread", "cereal", "can"}


@sim
def test_bad_arguments_say_what_is_expected(make: Make) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'primary'"):
        make_env("Lift", cameras=("primery",))
    with pytest.raises(UnknownNameError, match="left_wrist"):
        make_env("TwoArmLift", cameras=("wrist",))
    with pytest.raises(UnknownNameError, match="Did you mean 'fast'"):
        make_env("Lift", render_profile="fats")
    with pytest.raises(ConfigError, match="control must be 'ee'"):
        make_env("Lift", control="joint")
    with pytest.raises(ConfigError, match="Robosuite-Lift cannot carry NovelObject"):
        make_env("Lift", perturbations=(NovelObject(),))
    with pytest.raises(ConfigError, match="Robosuite-Door cannot carry Distractors"):
        make_env("Door", perturbations=(Distractors(),))
    with pytest.raises(ConfigError, match="cannot carry Reference"):
        make_env("Lift", perturbations=(Reference(),))
    with pytest.raises(gym.error.ResetNeeded):
        make_env("Lift").step(np.zeros(7))
    env = make("Lift")
    env.reset(seed=0)
    before = env.state()
    for actions in (np.zeros((2, 14)), np.zeros(7), np.full((1, 7), np.nan)):
        with pytest.raises(InvalidActionError, match=r"shape \[T, 7\]"):
            env.step_chunk(actions)
    np.testing.assert_equal(env.state(), before)


@sim
def test_truncates_at_its_own_limit() -> None:
    env = make_env("Lift", max_episode_steps=7, cameras=())
    env.reset(seed=0)
    _, _, terminated, truncated, info = env.step_chunk(np.tile(env.rest_action(), (20, 1)))
    assert (terminated, truncated, info["num_steps"]) == (False, True, 7)
    env.reset(seed=0)
    taken, (_, _, _, truncated, _) = env.play(env.expert(np.random.default_rng(0)), 50)
    assert (len(taken), truncated) == (7, True)
    env.close()


@sim
def test_targets_do_not_jump(make: Make) -> None:
    env = make("Lift", cameras=())
    start = env.reset(seed=0)[0]["agent_pos"]
    far = env.rest_action() + np.array([0.3, 0, 0, 0, 0, 2.0, 0], np.float32)
    speeds = []
    for _ in range(10):
        now = env.step(far)[0]["agent_pos"]
        speeds.append(np.linalg.norm(now[:3] - start[:3]) * 50)
        start = now
    assert 0.2 < max(speeds) < 1.5  # m/s; robosuite's own actions ask for 1 at most


@sim
def test_quality_is_another_picture_of_the_same(make: Make) -> None:
    fast, quality = make("Lift"), make_env("Lift", render_profile="quality")
    one, other = (env.reset(seed=0)[0] for env in (fast, quality))
    np.testing.assert_array_equal(one["agent_pos"], other["agent_pos"])
    difference = one["pixels"]["primary"].astype(int) - other["pixels"]["primary"]
    assert 0 < np.abs(difference).mean() < 40
    quality.close()


@sim
def test_a_killed_host_is_an_error_and_not_a_hang() -> None:
    env = make_env("Lift", cameras=())
    env.reset(seed=0)
    os.kill(env.host.pid, signal.SIGKILL)
    with pytest.raises(SimulatorError, match=r"Robosuite-Lift .* was killed by SIGKILL"):
        env.step(env.rest_action())
    env.close()
    env.close()


@sim
def test_actions_of_an_expert_stay_in_the_action_space(make: Make) -> None:
    env = make("Stack", cameras=())
    env.reset(seed=0)
    for action in islice(env.expert(np.random.default_rng(0)), 30):
        assert env.action_space.contains(action)
        env.step(action)
