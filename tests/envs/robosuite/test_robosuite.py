"""What is particular to robosuite's tasks."""

import copy
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from episodes import moves
from uamsim.errors import (
    ConfigError,
    SimulatorError,
    UnknownNameError,
)
from uamsim.perturbations.axes.objects import Distractors, NovelObject
from uamsim.perturbations.axes.sensors import DroppedFrames, ImageBlur, ImageNoise
from uamsim.perturbations.language.wording import (
    CodeMix,
    NoiseWords,
    Paraphrase,
    Pinyin,
    Reference,
    Reordered,
    Synonyms,
)
from uamsim_envs.robosuite.env import RobosuiteEnv
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


def test_every_task_is_registered() -> None:
    assert set(NAMES) == set(TASKS)
    assert all(f"uamsim/Robosuite-{name}-v0" in gym.registry for name in NAMES)


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
    actions = moves(plain, first["agent_pos"], 12)
    seen, states = plain.step_chunk(actions)[0], plain.state()
    noisy = make_env("Lift", perturbations=(ImageBlur(), ImageNoise(), DroppedFrames(severity=5)))
    noisy.reset(seed=6)
    observation = noisy.step_chunk(actions)[0]
    assert (observation["pixels"]["primary"] != seen["pixels"]["primary"]).mean() > 0.5
    np.testing.assert_array_equal(observation["agent_pos"], seen["agent_pos"])
    np.testing.assert_equal(noisy.state(), states)
    noisy.close()


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
    infos = [env.reset(seed=seed)[1] for seed in range(20)]
    assert tuple(infos[0]["stages"]) == TASKS["PickPlace"].stages
    named = {info["goal"].thing.category for info in infos}
    assert named == {"milk", "bread", "cereal", "can"}


@sim
def test_what_a_task_does_not_have_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="left_wrist"):
        make_env("TwoArmLift", cameras=("wrist",))
    with pytest.raises(ConfigError, match="Robosuite-Lift cannot carry NovelObject"):
        make_env("Lift", perturbations=(NovelObject(),))
    with pytest.raises(ConfigError, match="Robosuite-Door cannot carry Distractors"):
        make_env("Door", perturbations=(Distractors(),))
    with pytest.raises(ConfigError, match="cannot carry Reference"):
        make_env("Lift", perturbations=(Reference(),))


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
