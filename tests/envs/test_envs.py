"""What holds for every environment id, and for every task."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from uamsim.errors import (
    ConfigError,
    InvalidActionError,
    RenderingUnavailableError,
    UnknownNameError,
)
from uamsim.perturbations.axes.objects import Distractors, NovelObject, NovelPair
from uamsim.perturbations.language.wording import Chinese, Reference
from uamsim.perturbations.values import Perturbation
from uamsim.simulated import SimulatedEnv
from uamsim_envs import rendering
from uamsim_envs.aloha.base import AlohaEnv
from uamsim_envs.aloha.language import LANGUAGE
from uamsim_envs.aloha.registration import WORLD

IDS = tuple(entry.id for entry in WORLD.environments)
TASK_IDS = ("uamsim/AlohaPressButton-v0", "uamsim/AlohaPickPlace-v0")
SMALL: dict[str, Any] = {"image_size": (32, 48), "cameras": ("primary",)}
Make = Callable[..., AlohaEnv]


@pytest.fixture(name="make")
def _make() -> Iterator[Make]:
    made: list[AlohaEnv] = []

    def make(env_id: str, **kwargs: Any) -> AlohaEnv:
        spec = gym.spec(env_id)
        spec.kwargs = SMALL | kwargs
        env = gym.make(spec).unwrapped
        assert isinstance(env, AlohaEnv)
        made.append(env)
        return env

    yield make
    for env in made:
        env.close()


def _expert_actions(env: AlohaEnv, seed: int) -> np.ndarray:
    """Plays the expert and returns its actions; the last info is left in ``env``."""
    env.reset(seed=seed)
    actions = []
    for action in env.expert(np.random.default_rng(seed)):
        actions.append(action)
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            break
    return np.array(actions)


def _run(env: AlohaEnv, seed: int) -> tuple[bool, dict[str, bool], int]:
    _, info = env.reset(seed=seed)
    for action in env.expert(np.random.default_rng(seed)):
        _, _, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            break
    return info["is_success"], info["stages"], info["num_steps"]


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.filterwarnings("ignore:.*symmetric and normalized.*")
def test_check_env(env_id: str) -> None:
    env = gym.make(f"uamsim_envs:{env_id}", **SMALL)
    check_env(env.unwrapped)
    env.close()


def test_registration_imports_no_mujoco() -> None:
    code = "import sys, uamsim_envs; sys.exit('mujoco' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("control", ["ee", "joint"])
def test_observation_and_info_are_the_contract(env_id: str, control: str, make: Make) -> None:
    env = make(env_id, control=control, cameras=("primary", "left_wrist", "right_wrist", "top"))
    assert isinstance(env, SimulatedEnv)
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert list(observation["pixels"]) == ["primary", "left_wrist", "right_wrist", "top"]
    for picture in observation["pixels"].values():
        assert picture.shape == (32, 48, 3)
        assert picture.std() > 1.0
    assert set(info) >= {
        *("is_success", "instruction", "task_description", "_max_episode_steps"),
        *("task", "stages", "goal", "scene"),
    }
    assert env.action_space.contains(env.world.rest_action(env.control))


@pytest.mark.parametrize("env_id", [env_id for env_id in IDS if "Scene" not in env_id])
@pytest.mark.parametrize("perturbations", [(), (Chinese(), Reference(kind="negation"))])
def test_another_instruction_has_another_goal(
    env_id: str, perturbations: tuple[Perturbation, ...], make: Make
) -> None:
    env = make(env_id, perturbations=perturbations)
    for seed in range(4):
        info = env.reset(seed=seed)[1]
        other = env.other_instruction(np.random.default_rng(seed))
        assert other is not None
        read = LANGUAGE.read(other, info["scene"], task=env.task)
        assert read.task == env.task
        assert read != info["goal"]
        # Asking changes nothing.
        assert env.step(env.action_space.sample() * 0)[4]["instruction"] == info["instruction"]


def test_a_scene_that_asks_for_nothing_has_no_other_instruction(make: Make) -> None:
    env = make("uamsim/AlohaScene-v0")
    env.reset(seed=0)
    assert env.other_instruction(np.random.default_rng(0)) is None


@pytest.mark.parametrize("env_id", IDS)
def test_same_seed_same_episode_also_after_others(env_id: str, make: Make) -> None:
    env, other = make(env_id), make(env_id)
    actions = np.stack([env.action_space.sample() for _ in range(4)])
    first, info = env.reset(seed=5)
    after = env.step_chunk(actions)
    state = env.world.data.qpos.copy()
    for seed in range(3):
        other.reset(seed=seed)
        other.step_chunk(actions[:2])
    again, info_again = other.reset(seed=5)
    after_again = other.step_chunk(actions)
    for a, b in ((first, again), (after[0], after_again[0])):
        np.testing.assert_array_equal(a["pixels"]["primary"], b["pixels"]["primary"])
        np.testing.assert_array_equal(a["agent_pos"], b["agent_pos"])
    np.testing.assert_array_equal(state, other.world.data.qpos)
    assert info == info_again
    assert after[4] == after_again[4]


@pytest.mark.parametrize("env_id", TASK_IDS)
def test_eager_and_chunked_are_the_same(env_id: str, make: Make) -> None:
    eager, chunked = make(env_id), make(env_id)
    actions = _expert_actions(eager, seed=2)
    chunked.reset(seed=2)
    reward, last = 0.0, None
    for start in range(0, len(actions), 24):
        last = chunked.step_chunk(actions[start : start + 24])
        reward += last[1]
    assert last is not None
    observation, _, terminated, truncated, info = last
    assert (terminated, truncated, reward) == (True, False, 1.0)
    assert info["is_success"]
    np.testing.assert_array_equal(eager.world.data.qpos, chunked.world.data.qpos)
    np.testing.assert_array_equal(eager.world.data.qvel, chunked.world.data.qvel)
    picture = eager.world.render()["primary"]
    np.testing.assert_array_equal(picture, observation["pixels"]["primary"])


def _with_nan() -> np.ndarray:
    actions = np.zeros((3, 14))
    actions[1, 4] = np.nan
    return actions


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((2, 13)), r"shape \[T, 14\].*got shape \[2, 13\]"),
        (np.zeros(14), r"got shape \[14\]"),
        (np.zeros((0, 14)), "got no action"),
        (_with_nan(), "got nan at step 1, index 4"),
        (np.array([["a"] * 14]), "shape"),
    ],
)
def test_bad_actions_say_what_is_expected(actions: np.ndarray, message: str, make: Make) -> None:
    env = make("uamsim/AlohaPressButton-v0")
    env.reset(seed=0)
    before = env.world.data.qpos.copy()
    with pytest.raises(InvalidActionError, match=message):
        env.step_chunk(actions)
    np.testing.assert_array_equal(before, env.world.data.qpos)


def test_bad_arguments_say_what_is_expected(make: Make) -> None:
    env_id = "uamsim/AlohaPressButton-v0"
    with pytest.raises(UnknownNameError, match="Did you mean 'primary'"):
        make(env_id, cameras=("primery",))
    with pytest.raises(ConfigError, match="control"):
        make(env_id, control="torque")
    with pytest.raises(ConfigError, match="render_profile"):
        make(env_id, render_profile="best")
    with pytest.raises(ConfigError, match="image_size"):
        make(env_id, image_size=(0, 10))
    with pytest.raises(gym.error.ResetNeeded):
        make(env_id).step(np.zeros(14, np.float32))


def test_no_gl_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_gl_context", None)
    monkeypatch.setattr(rendering, "_forget_opengl", lambda: None)

    def fail(name: str) -> None:
        raise ImportError(f"no {name}")

    monkeypatch.setattr(rendering.importlib, "import_module", fail)
    with pytest.raises(RenderingUnavailableError, match="apt-get install"):
        rendering.make_current()


@pytest.mark.parametrize("control", ["ee", "joint"])
@pytest.mark.parametrize("env_id", TASK_IDS)
def test_rest_keeps_idle_arms_and_things_where_they_are(
    env_id: str, control: str, make: Make
) -> None:
    env = make(env_id, control=control)
    observation, _ = env.reset(seed=1)
    rest = env.world.rest_action(env.control)
    after, reward, terminated, truncated, _ = env.step_chunk(np.tile(rest, (50, 1)))
    np.testing.assert_allclose(observation["agent_pos"], rest, atol=1e-4)
    np.testing.assert_allclose(after["agent_pos"], rest, atol=1e-4)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert not any(env._info(success=False)["stages"].values())


@pytest.mark.slow
def test_other_processes_show_the_same(make: Make) -> None:
    env_id = "uamsim/AlohaPickPlace-v0"
    env = make(env_id)
    here, _ = env.reset(seed=8)
    action = env.action_space.sample()
    here_after = env.step(action)[0]
    vector = gym.vector.AsyncVectorEnv(
        [lambda: gym.make(f"uamsim_envs:{env_id}", **SMALL)] * 2, context="spawn"
    )
    there, _ = vector.reset(seed=[8, 8])
    there_after = vector.step(np.stack([action] * 2))[0]
    vector.close()
    for mine, theirs in ((here, there), (here_after, there_after)):
        for index in range(2):
            np.testing.assert_array_equal(mine["agent_pos"], theirs["agent_pos"][index])
            picture = theirs["pixels"]["primary"][index]
            np.testing.assert_array_equal(mine["pixels"]["primary"], picture)


@pytest.mark.parametrize("env_id", TASK_IDS)
def test_truncates_at_its_own_limit(env_id: str, make: Make) -> None:
    env = make(env_id, max_episode_steps=7)
    env.reset(seed=0)
    rest = env.world.rest_action(env.control)
    _, _, terminated, truncated, info = env.step_chunk(np.tile(rest, (20, 1)))
    assert (terminated, truncated, info["num_steps"]) == (False, True, 7)


@pytest.mark.parametrize("env_id", TASK_IDS)
def test_random_actions_do_not_succeed(env_id: str, make: Make) -> None:
    env = make(env_id)
    env.action_space.seed(0)
    for seed in range(2):
        env.reset(seed=seed)
        terminated = truncated = False
        info: dict[str, Any] = {}
        while not (terminated or truncated):
            actions = np.stack([env.action_space.sample()] * 25)
            _, _, terminated, truncated, info = env.step_chunk(actions)
        assert not info["is_success"]


@pytest.mark.parametrize("control", ["ee", "joint"])
@pytest.mark.parametrize("env_id", TASK_IDS)
def test_expert_succeeds_within_joint_speed_limits(env_id: str, control: str, make: Make) -> None:
    env = make(env_id, control=control)
    success, stages, num_steps = _run(env, seed=1)
    assert success
    assert all(stages.values())
    assert 60 < num_steps < env.max_episode_steps


@pytest.mark.parametrize("env_id", TASK_IDS)
def test_expert_commands_stay_below_the_makers_speed(env_id: str, make: Make) -> None:
    env = make(env_id, control="joint")
    actions = _expert_actions(env, seed=4)
    joints = np.concatenate([actions[:, :6], actions[:, 7:13]], axis=1)
    speed = np.abs(np.diff(joints, axis=0)).max() * 50
    assert speed < np.pi


@pytest.mark.slow
@pytest.mark.parametrize(
    "perturbations",
    [(), (NovelObject(),), (NovelPair(),), (Distractors(count=4),)],
    ids=["in_domain", "novel_object", "novel_pair", "distractors"],
)
@pytest.mark.parametrize("env_id", TASK_IDS)
def test_expert_success_rate(
    env_id: str,
    perturbations: tuple[Perturbation, ...],
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = make(env_id, perturbations=perturbations)
    monkeypatch.setattr(env.world, "render", lambda cameras=None, *, shrink=1: {})
    seeds = range(1000, 1025)
    assert sum(_run(env, seed)[0] for seed in seeds) >= 24


def test_pressing_another_button_ends_the_episode(make: Make) -> None:
    env = make("uamsim/AlohaPressButton-v0")
    _, info = env.reset(seed=0)
    # The expert of an episode whose named button is another one of the same scene.
    other = info["scene"].things[1]
    env._target = np.array(other.pos_world)  # type: ignore[attr-defined]
    terminated = False
    for action in env.expert(np.random.default_rng(0)):
        _, reward, terminated, truncated, info = env.step(action)
        assert reward == 0.0
        if terminated or truncated:
            break
    assert terminated
    assert not info["is_success"]
    assert not info["stages"]["pressed"]


def test_a_held_object_is_not_placed(make: Make) -> None:
    env = make("uamsim/AlohaPickPlace-v0")
    actions = _expert_actions(env, seed=1)
    env.reset(seed=1)
    arm = int(np.argmax(np.abs(np.diff(actions[:, [6, 13]], axis=0)).sum(axis=0)))
    opens = int(np.argmax(np.diff(actions[:, 7 * arm + 6]) > 0.01))
    held = np.tile(actions[opens], (60, 1))
    _, _, terminated, _, info = env.step_chunk(np.concatenate([actions[:opens], held]))
    assert not terminated
    assert info["stages"] == {"reached": True, "grasped": True, "lifted": True, "placed": False}


def test_an_object_off_the_table_ends_the_episode(make: Make) -> None:
    env = make("uamsim/AlohaPickPlace-v0")
    env.reset(seed=0)
    env.world.data.joint("object1").qpos[0] = 0.45
    _, _, terminated, _, info = env.step(env.world.rest_action("ee"))
    assert terminated
    assert not info["is_success"]


def test_pictures_do_not_depend_on_other_environments_of_the_process() -> None:
    def make() -> gym.Env:
        return gym.make("uamsim/AlohaPressButton-v0", cameras=("primary",), image_size=(64, 96))

    def picture(env: gym.Env, seed: int) -> np.ndarray:
        return env.reset(seed=seed)[0]["pixels"]["primary"].copy()

    lone = make()
    expected = [picture(lone, seed) for seed in range(4)]
    lone.close()
    many = [make() for _ in range(4)]
    for seed in (0, 1, 2, 3):
        assert np.array_equal(picture(many[seed], seed), expected[seed])
    many[3].close()
    assert np.array_equal(picture(many[0], 1), expected[1])
