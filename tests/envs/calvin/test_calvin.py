"""CALVIN's scenes are calvin_env's own to the bit, and what is particular to them."""

import copy
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import uamsim
import uamsim_envs
from uamsim.errors import (
    ConfigError,
    RenderingUnavailableError,
    SceneError,
    SimulatorError,
    UnknownNameError,
)
from uamsim.perturbations.language.wording import Pinyin
from uamsim.perturbations.values import Composition, Perturbation
from uamsim.simulators import find_installation
from uamsim_envs.calvin.env import CalvinEnv
from uamsim_envs.calvin.registration import SCENES, SIMULATOR

sim = pytest.mark.sim("calvin")
Make = Callable[..., CalvinEnv]
LOWPOLY = {"render_profile": "tiny-lowpoly"}

ORIGINAL = """
import sys
import types
from pathlib import Path
import numpy as np
for name, folder in (("uamsim", sys.argv[1]), ("uamsim_envs", sys.argv[2])):
    package = types.ModuleType(name)
    package.__path__ = [folder]
    sys.modules[name] = package
from uamsim_envs.calvin.host.original import make_original
given = np.load(sys.argv[4])
env = make_original(Path(sys.argv[3]), "D")
seen = [env.reset(given["robot_obs"], given["scene_obs"])]
for action in given["actions"]:
    seen.append(env.step(action.copy())[0])
np.savez(
    sys.argv[5],
    robot_obs=[s["robot_obs"] for s in seen],
    scene_obs=[s["scene_obs"] for s in seen],
    static=seen[-1]["rgb_obs"]["rgb_static"],
    gripper=seen[-1]["rgb_obs"]["rgb_gripper"],
)
"""
"""calvin_env stepped by its own ``reset`` and ``step``, in an environment that was just made."""


def make_env(scene: str = "D", **kwargs: Any) -> CalvinEnv:
    spec = copy.deepcopy(gym.spec(f"uamsim/Calvin-{scene}-v0"))
    spec.kwargs |= kwargs
    env = gym.make(spec, disable_env_checker=True).unwrapped
    assert isinstance(env, CalvinEnv)
    return env


@pytest.fixture(name="make", scope="module")
def _make() -> Iterator[Make]:
    """Environments that are made once: a host takes seconds to start."""
    made: dict[str, CalvinEnv] = {}

    def make(scene: str = "D", **kwargs: Any) -> CalvinEnv:
        key = f"{scene} {kwargs}"
        if key not in made:
            made[key] = make_env(scene, **kwargs)
        return made[key]

    yield make
    for env in made.values():
        env.close()


def moves(count: int, seed: int = 0) -> np.ndarray:
    """Actions that move the arm down to the table, turn it, and open and close the gripper."""
    actions = np.random.default_rng(seed).uniform(-1.0, 1.0, (count, 7)).astype(np.float32)
    actions[:, 2] -= 0.4
    actions[:, 6] = np.where(np.arange(count) // 8 % 2, 1.0, -1.0)
    return np.clip(actions, -1.0, 1.0)


@sim
@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_shows_its_blocks_and_says_where_they_are(scene: str, make: Make) -> None:
    env = make(scene, **LOWPOLY)
    observation, info = env.reset(seed=0, options={"task": "lift_red_block_table"})
    shapes = {camera: picture.shape for camera, picture in observation["pixels"].items()}
    assert shapes == {"static": (200, 200, 3), "gripper": (84, 84, 3)}
    assert all(picture.std() > 10.0 for picture in observation["pixels"].values())
    assert info["scene_obs"].shape == (24,)
    assert info["_max_episode_steps"] == 360
    assert "red block" in info["instruction"]
    assert env.instructions.read(info["instruction"]) == info["task"]
    # The blocks' places by name, whatever the scene's order.
    places = {thing.colour: thing.pos_world for thing in info["scene"].things}
    order = {"A": "pink blue red", "B": "red blue pink", "C": "blue red pink", "D": "red blue pink"}
    for index, colour in enumerate(order[scene].split()):
        expected = info["scene_obs"][6 + 6 * index : 9 + 6 * index]
        np.testing.assert_array_equal(places[colour], expected)
    assert info["stages"] == {"done": False}


@sim
def test_states_and_pictures_are_those_of_calvin_env(make: Make, tmp_path: Path) -> None:
    env, actions, found = make(), moves(40), find_installation(SIMULATOR)
    observation, info = env.reset(seed=3, options={"task": "push_red_block_left"})
    robot_obs = observation["agent_pos"].astype(np.float64)
    given = {"robot_obs": robot_obs, "scene_obs": info["scene_obs"]}
    np.savez(tmp_path / "given.npz", actions=actions, **given)
    folders = [uamsim.__path__[0], uamsim_envs.__path__[0], found.checkout("calvin_env")]
    files = [tmp_path / "given.npz", tmp_path / "seen.npz"]
    command = [found.python, "-I", "-c", ORIGINAL, *folders, *files]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    seen = np.load(tmp_path / "seen.npz")
    _, begun = env.reset(seed=9, options={"task": "push_red_block_left", **given})
    states = [begun["scene_obs"], *(env.step(action)[4]["scene_obs"] for action in actions)]
    np.testing.assert_array_equal(states, seen["scene_obs"])
    env.reset(seed=9, options={"task": "push_red_block_left", **given})
    last = env.step_chunk(actions)[0]
    np.testing.assert_array_equal(env.state()["robot_obs"], seen["robot_obs"][-1])
    for camera, picture in last["pixels"].items():
        np.testing.assert_array_equal(picture, seen[camera])


@sim
def test_one_task_after_the_other(make: Make) -> None:
    env = make(cameras=(), **LOWPOLY)
    _, info = env.reset(seed=1, options={"task": "open_drawer"})
    for task in ("open_drawer", "close_drawer"):
        taken, (_, reward, terminated, truncated, info) = env.play(
            env.expert(np.random.default_rng(0)), 360
        )
        assert (reward, terminated, truncated, info["task"]) == (1.0, True, False, task)
        assert info["is_success"]
        assert info["stages"] == {"done": True}
        assert 5 < len(taken) < 360
        env.begin_task("close_drawer", np.random.default_rng(0))
        assert not env.step(env.rest_action())[4]["is_success"]
        assert env.task == "close_drawer"


@sim
def test_an_expert_that_gives_up_leaves_the_episode_whole(make: Make) -> None:
    env = make(cameras=(), **LOWPOLY)
    env.reset(seed=1, options={"task": "open_drawer"})
    env.begin_task("place_in_drawer", np.random.default_rng(0))
    with pytest.raises(SceneError, match="starts with a block in the closed gripper"):
        next(env.expert(np.random.default_rng(0)))
    assert env.step(env.rest_action())[4]["num_steps"] == 1


@sim
def test_of_the_gripper_only_the_sign_counts(make: Make) -> None:
    env, states = make(cameras=(), **LOWPOLY), []
    for factor in (1.0, 0.3):
        env.reset(seed=0, options={"task": "open_drawer"})
        env.step_chunk(moves(20) * np.array([1.0] * 6 + [factor], np.float32))
        states.append(env.state())
    np.testing.assert_equal(*states)


@sim
def test_a_light_is_on_in_pictures_of_when_it_was(make: Make) -> None:
    env = make(**LOWPOLY)
    env.reset(seed=0, options={"task": "turn_on_led"})
    dark = env.look(("static",))["static"]
    env.play(env.expert(np.random.default_rng(0)), 360)
    bright, steps = env.look(("static",))["static"], env.state()
    past = env.host.call("observe", cameras=("static",), picture_step=0, proprio_step=0)
    np.testing.assert_array_equal(past["pixels"]["static"], dark)
    np.testing.assert_array_equal(env.look(("static",))["static"], bright)
    np.testing.assert_equal(env.state(), steps)


@sim
def test_sentences_are_those_of_the_checkout(make: Make) -> None:
    env, said = make(cameras=(), **LOWPOLY), set()
    for seed in range(8):
        _, info = env.reset(seed=seed, options={"task": "open_drawer"})
        said.add(info["instruction"])
    assert len(said) > 2
    _, info = env.reset(seed=0, options={"task": "open_drawer"})

    def say(*wording: Perturbation) -> str:
        rng = np.random.default_rng(0)
        return env.instructions.say(
            "open_drawer",
            env.instructions.draw_sentence("validation", "open_drawer", rng),
            rng=rng,
            wording=Composition(*wording),
            scene=info["scene"],
        )

    assert say() == "pull the handle to open the drawer"
    assert say(Pinyin()) not in said | {say()}
    assert env.instructions.read(say(Pinyin())) == "open_drawer"


@sim
def test_lowpoly_is_another_picture_of_the_same(make: Make) -> None:
    one, other = make(), make(**LOWPOLY)
    for env in (one, other):
        env.reset(seed=0)
        env.step_chunk(moves(10))
    np.testing.assert_equal(one.state(), other.state())
    pictures = [env.look(("static",))["static"].astype(int) for env in (one, other)]
    assert 0.5 < np.abs(pictures[0] - pictures[1]).mean() < 20


@sim
@pytest.mark.slow
def test_egl_is_another_picture_of_the_same(make: Make) -> None:
    plain, egl = make(), make_env(render_profile="egl")
    try:
        first = egl.reset(seed=0)[0]
    except (RenderingUnavailableError, SimulatorError) as error:
        pytest.skip(f"no EGL for pybullet: {error}")
    plain.reset(seed=0)
    np.testing.assert_equal(egl.state(), plain.state())
    np.testing.assert_equal(egl.look(egl.all_cameras), first["pixels"])
    pictures = [env.look(("static",))["static"].astype(int) for env in (plain, egl)]
    assert 1.0 < np.abs(pictures[0] - pictures[1]).mean() < 60
    egl.close()


@sim
def test_pictures_of_other_sizes(make: Make) -> None:
    env = make_env(image_size=(48, 64), **LOWPOLY)
    wide = env.reset(seed=0)[0]["pixels"]
    assert {picture.shape for picture in wide.values()} == {(48, 64, 3)}
    # The same vertical view: the middle columns are what a square picture shows.
    own = make(**LOWPOLY).reset(seed=0)[0]["pixels"]["static"]
    small = own[2::4, 2::4].astype(int)[1:-1, 1:-1]
    assert np.abs(wide["static"][1:-1, 9:57] - small[:46, :48]).mean() < 25
    env.close()


@sim
def test_bad_arguments_say_what_is_expected(make: Make) -> None:
    with pytest.raises(UnknownNameError, match="CALVIN scene"):
        CalvinEnv(scene="E")
    with pytest.raises(UnknownNameError, match="Did you mean 'open_drawer'"):
        make_env(tasks=("open_drawr",))
    env = make(cameras=(), **LOWPOLY)
    with pytest.raises(UnknownNameError, match="Did you mean 'scene_obs'"):
        env.reset(seed=0, options={"scene_ob": np.zeros(24)})
    with pytest.raises(ConfigError, match="scene_obs must be 24 finite numbers"):
        env.reset(seed=0, options={"scene_obs": np.zeros(23)})
    with pytest.raises(ConfigError, match="robot_obs needs scene_obs"):
        env.reset(seed=0, options={"robot_obs": np.zeros(15)})
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="a process holds one CALVIN environment"):
        env.host.call("open", calvin="", calvin_env="", scene="A", render_profile="tiny",
                      image_size=None)  # fmt: skip


@sim
def test_a_killed_host_is_an_error_and_not_a_hang() -> None:
    env = make_env(cameras=(), **LOWPOLY)
    env.reset(seed=0)
    os.kill(env.host.pid, signal.SIGKILL)
    with pytest.raises(SimulatorError, match=r"Calvin-D .* was killed by SIGKILL"):
        env.reset(seed=0)
    env.close()


@sim
@pytest.mark.slow
def test_many_episodes_do_not_grow(make: Make) -> None:
    env = make(cameras=("gripper",), **LOWPOLY)
    sizes = []
    for seed in range(40):
        env.reset(seed=seed, options={"task": "open_drawer"})
        env.step_chunk(moves(10))
        sizes.append(env.host.call("memory_bytes"))
    assert sizes[-1] - sizes[9] < 20e6
