"""What holds for the ALOHA environments, and what the first two tasks judge."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from uamsim.data.recording import record_episode
from uamsim.errors import ConfigError, RenderingUnavailableError
from uamsim.perturbations.axes.objects import Distractors, NovelObject, NovelPair
from uamsim.perturbations.language.wording import Chinese, Reference
from uamsim.perturbations.values import Perturbation
from uamsim_envs import rendering
from uamsim_envs.aloha.env import AlohaEnv
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
        spec = copy.deepcopy(gym.spec(env_id))
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


@pytest.mark.parametrize("env_id", TASK_IDS)
def test_expert_succeeds_with_joint_targets(env_id: str, make: Make) -> None:
    env = make(env_id, control="joint")
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


def test_recorded_actions_replay_one_by_one_at_their_own_rate(make: Make) -> None:
    env_id = TASK_IDS[0]
    recorded = record_episode(make(env_id), env_id, 3, 10)
    assert recorded is not None
    env = make(env_id, fps=10)
    assert (env.held_for, env.control_hz, env.metadata["render_fps"]) == (5, 10, 10)
    _, info = env.reset(seed=3)
    assert info["_max_episode_steps"] * 5 == env.max_episode_steps
    for count, action in enumerate(recorded[0].action, 1):
        _, _, terminated, truncated, info = env.step(action)
        assert info["num_steps"] == count
        if terminated or truncated:
            break
    assert info["is_success"]
    with pytest.raises(ConfigError, match="fps in aloha must divide 50"):
        make(env_id, fps=15)


def test_a_vector_says_what_lerobot_asks_for() -> None:
    spec = copy.deepcopy(gym.spec(TASK_IDS[0]))
    spec.kwargs = SMALL
    envs: Any = gym.make_vec(spec, num_envs=1, fps=10)
    try:
        _, info = envs.reset(seed=3)
        assert envs.call("task_description") == (info["instruction"][0],)
        assert envs.call("_max_episode_steps") == (info["_max_episode_steps"][0],)
    finally:
        envs.close()
