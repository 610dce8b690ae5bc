"""What holds for every environment that is registered, whatever its world.

An environment whose simulator is not installed is skipped, but for what needs none. Where another
process of a simulator would have to start, one environment of each class stands for the others; of
RoboTwin's 150 environments one task of each protocol is played.
"""

import copy
import itertools
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.utils.env_checker import check_env

import uamsim_envs  # noqa: F401 - registers them
from episodes import moves, rest_of, state_of
from uamsim.contract import Control, Observation, PolicyInput, PolicySpec
from uamsim.errors import ConfigError, InvalidActionError, MissingDependencyError, UamsimError
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.controls import RandomPolicy
from uamsim.evaluation.environments import make_env
from uamsim.perturbations.axes import AXES
from uamsim.perturbations.axes.actions import ActionDelay
from uamsim.perturbations.axes.sensors import Latency
from uamsim.perturbations.values import Composition
from uamsim.simulated import SimulatedEnv
from uamsim.worlds import PACKAGE, ActionSizes, WorldSpec, world_of, worlds_of

WORLDS: dict[str, WorldSpec] = {
    entry.id: world_of(f"{PACKAGE}:{entry.id}")
    for world in worlds_of(PACKAGE)
    for entry in world.environments
}
"""Environment id -> its world."""
SIMULATORS = {i: world.simulator.name for i, world in WORLDS.items() if world.simulator is not None}
CLASSES: dict[str, Any] = {i: load_env_creator(str(gym.spec(i).entry_point)) for i in WORLDS}
CHEAP = {"calvin": "tiny-lowpoly", "robotwin": "raster-shadowless"}
"""World -> the way of drawing that takes the least time, where it is not the usual one."""
ROBOTWIN_TASK = "click_alarmclock"
EXPERT_SEEDS = {"robosuite": (2, 1)}
"""World -> seeds at which experts succeed, where it is not 1 alone; the last is played again."""
NO_EXPERT = "has no scripted expert(; Lift, Stack, PickPlace have one)?[.]"
SINGLY = 30
"""So many of an expert's actions are then stepped one by one, the rest in chunks."""


def skipped_without(env_id: str, *others: Any) -> Any:
    """An id as a parameter, marked with the simulator that it needs."""
    needed = [pytest.mark.sim(SIMULATORS[env_id])] if env_id in SIMULATORS else []
    return pytest.param(env_id, marks=[*needed, *others])


SCENE = "uamsim/AlohaScene-v0"
"""Has no task, so that nothing can be perturbed."""
_IDS = [i for i in WORLDS if "RoboTwin" not in i or f"-{ROBOTWIN_TASK}-" in i]
_FIRST = list({CLASSES[i]: i for i in reversed(_IDS) if i != SCENE}.values())[::-1]
# Those of one list come first in the other, so that their tests follow each other.
PLAYED = [
    skipped_without(i, *([pytest.mark.slow] if "RoboTwin" in i else []))
    for i in [*_FIRST, SCENE, *(i for i in _IDS if i not in _FIRST and i != SCENE)]
]
ONE_OF_EACH_CLASS = pytest.mark.parametrize("env", PLAYED[: len(_FIRST) + 1], indirect=True)
ONE_OF_EACH_WITH_A_TASK = pytest.mark.parametrize("env", PLAYED[: len(_FIRST)], indirect=True)


def settings_of(env_id: str, **others: Any) -> dict[str, Any]:
    """What an environment is made with: pictures that take little time."""
    world = WORLDS[env_id]
    small = {"cameras": world.cameras[:1], "image_size": (32, 48)}
    small["render_profile"] = CHEAP.get(world.name, world.render_profile)
    return gym.spec(env_id).kwargs | small | others


def make(env_id: str, **settings: Any) -> Any:
    spec = copy.deepcopy(gym.spec(env_id))
    # gymnasium.make would keep max_episode_steps to itself.
    spec.kwargs = settings_of(env_id, **settings)
    return gym.make(spec, disable_env_checker=True).unwrapped


@pytest.fixture(name="env", scope="module", params=PLAYED)
def _env(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One environment for all tests of an id: a host takes seconds to start."""
    env = make(request.param)
    yield env
    env.close()


def play(env: Any, seed: int, count: int = 20) -> tuple[Any, ...]:
    """An episode of some actions: all that was shown and told, and the state at its end."""
    first = env.reset(seed=seed)
    return (*first, *env.step_chunk(moves(env, first[0]["agent_pos"], count)), state_of(env))


def random_action(control: Control, sizes: ActionSizes) -> np.ndarray:
    """What the random control does in the end, from a state of halves."""
    spec = PolicySpec(
        cameras=(),
        image_size=(8, 8),
        control=control,
        horizon=4,
        action_dim=sizes.action_dim,
        proprio_dim=sizes.proprio_dim,
    )
    observation = Observation(pixels={}, agent_pos=np.full(sizes.proprio_dim, 0.5, np.float32))
    item = PolicyInput(observation=observation, instruction="", seed=1, step=0)
    return RandomPolicy(spec, sizes).act([item])[0, -1]


def at_severity_0(env_id: str) -> list[Composition]:
    """All axes that an environment can apply, at severity 0; those that exclude others apart."""
    found: list[Composition] = []
    for axis in AXES.values():
        try:
            make(env_id, perturbations=(axis.at(0),)).close()
        except UamsimError:
            continue
        for index, held in enumerate(found):
            try:
                found[index] = held | axis.at(0)
                break
            except ConfigError:
                continue
        else:
            found.append(Composition(axis.at(0)))
    return found


def test_registering_makes_every_world_s_ids_known_and_imports_no_simulator() -> None:
    own = {i for i, s in gym.registry.items() if str(s.entry_point).startswith(f"{PACKAGE}.")}
    assert own == set(WORLDS)
    code = "import sys, uamsim_envs; sys.exit(bool({'mujoco', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("env_id", WORLDS)
def test_an_id_and_its_work_can_be_sent_to_other_processes(env_id: str) -> None:
    spec = gym.spec(env_id)
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert EnvSpec.from_json(spec.to_json()) == spec
    unit = RolloutUnit(env_id=f"{PACKAGE}:{env_id}", split="in_domain", seeds=(1, 2))
    assert pickle.loads(pickle.dumps(unit)).unit_hash == unit.unit_hash
    assert issubclass(pickle.loads(pickle.dumps(CLASSES[env_id])), SimulatedEnv)


@pytest.mark.parametrize("env_id", SIMULATORS)
def test_without_its_simulator_an_id_says_what_to_run(
    env_id: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UAMSIM_SIMULATORS", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=f"Run: uamsim install {SIMULATORS[env_id]}"):
        gym.make(f"{PACKAGE}:{env_id}")


@pytest.mark.parametrize("env_id", [skipped_without(i) for i in WORLDS])
def test_an_environment_is_what_its_world_says(env_id: str) -> None:
    """Nothing is started for it."""
    world = WORLDS[env_id]
    usual = gym.make(f"{PACKAGE}:{env_id}", disable_env_checker=True).unwrapped
    assert isinstance(usual, SimulatedEnv)
    assert (usual.control, usual.render_profile) == (world.control, world.render_profile)
    assert usual.all_cameras == world.cameras
    assert (usual.has_expert, usual.control_hz) == (world.has_expert, world.control_hz)
    usual.close()
    for control, sizes in world.controls.items():
        env = make(env_id, control=control)
        assert env.control == control
        assert env.action_space.shape == (sizes.action_dim,)
        assert env.observation_space["agent_pos"].shape == (sizes.proprio_dim,)
        assert env.action_space.contains(random_action(control, sizes))
        assert {*env.action_space.high[list(sizes.gripper_dims)]} == {1.0}
        assert env.observation_space["pixels"][world.cameras[0]].shape == (32, 48, 3)
        env.close()
    for profile in world.render_profiles:
        assert make(env_id, render_profile=profile).render_profile == profile


@pytest.mark.parametrize("env_id", [skipped_without(i) for i in WORLDS])
def test_bad_arguments_say_what_is_expected(env_id: str) -> None:
    """Nothing is started before they are checked."""
    env = make(env_id)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros(env.action_space.shape, np.float32))
    camera, profile = env.cameras[0], WORLDS[env_id].render_profile
    env.close()
    for name, value, message in (
        ("cameras", (camera[:-1],), f"Did you mean '{camera}'"),
        ("render_profile", profile[:-1], rf"(?=.*'{profile[:-1]}').*{profile}"),
        ("control", "torque", "control must be '.*not 'torque'"),
        ("image_size", (0, 10), "image_size"),
        ("max_episode_steps", 0, "max_episode_steps must be"),
        ("render_mode", "human", "render_mode must be"),
        ("perturbations", ("dusk",), "expected perturbations"),
    ):
        with pytest.raises(UamsimError, match=message):
            CLASSES[env_id](**settings_of(env_id, **{name: value}))


@pytest.mark.filterwarnings("ignore:.*symmetric and normalized.*")
def test_check_env(env: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is also closed twice there, and with a renderer where that starts no other process."""
    if env.spec.kwargs.get("seeds") == "checked":
        # Before the 123rd seed that an expert solves, it would have to try all that come first.
        reset = env.reset

        def reset_near(*, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
            return reset(seed=None if seed is None else seed % 2, options=options)

        monkeypatch.setattr(env, "reset", reset_near)
    check_env(env, skip_render_check=env.spec.id in SIMULATORS)


def test_observation_and_info_are_the_contract(env: Any) -> None:
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    seen = env.look(env.all_cameras)
    assert list(seen) == list(env.all_cameras)
    assert all(picture.std() > 1.0 and picture.dtype == np.uint8 for picture in seen.values())
    assert list(observation["pixels"]) == list(env.cameras)
    for name, picture in observation["pixels"].items():
        np.testing.assert_array_equal(seen[name], picture)
    assert set(info) >= {
        *("is_success", "instruction", "task_description", "_max_episode_steps"),
        *("task", "stages", "goal", "scene", "num_steps", "perturbations"),
    }
    assert info["_max_episode_steps"] == env.max_episode_steps
    assert info["task_description"] == info["instruction"]
    assert (info["is_success"], info["num_steps"]) == (False, 0)
    assert not any(info["stages"].values())
    assert env.action_space.contains(rest_of(env))
    observation, reward, terminated, truncated, after = env.step(rest_of(env))
    assert env.observation_space.contains(observation)
    assert (reward, terminated, truncated, after["is_success"]) == (0.0, False, False, False)
    assert (after["num_steps"], list(after["stages"])) == (1, list(info["stages"]))


def test_an_instruction_means_the_goal_and_another_does_not(
    env: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        _, info = env.reset(seed=seed)
        other = env.other_instruction(np.random.default_rng(seed))
        if info["goal"] is None:
            assert (info["instruction"], other) == ("", None)
            continue
        assert env.reads_back(), info["instruction"]
        # Asking changes nothing.
        assert env.step(rest_of(env))[4]["instruction"] == info["instruction"]
        with monkeypatch.context() as patch:
            patch.setattr(env, "_instruction", other)
            assert not env.reads_back(), other


def test_same_seed_same_episode_also_after_others(env: Any) -> None:
    before = play(env, 5)
    others = [play(env, seed) for seed in range(3)]
    np.testing.assert_equal(play(env, 5), before)
    for one, other in itertools.combinations(others, 2):
        with pytest.raises(AssertionError):
            np.testing.assert_equal(one[:2], other[:2])


def test_the_expert_succeeds_and_steps_and_chunks_are_what_it_played(env: Any) -> None:
    actions, played, seed = np.array([]), None, 0
    for seed in EXPERT_SEEDS.get(WORLDS[env.spec.id].name, (1,)):
        observation, _ = env.reset(seed=seed)
        expert = env.expert(np.random.default_rng([seed, 1])) if env.has_expert else None
        if expert is None:
            with pytest.raises((ConfigError, NotImplementedError), match=NO_EXPERT):
                next(env.expert(np.random.default_rng(0)))
            actions, played = env.play(iter(moves(env, observation["agent_pos"], 40)))
            continue
        actions, played = env.play(expert)
        assert played[1:4] == (1.0, True, False)
        assert played[4]["is_success"]
        assert all(played[4]["stages"].values())
        assert len(actions) == played[4]["num_steps"] < env.max_episode_steps
        assert all(env.action_space.contains(action) for action in actions)
    states = state_of(env)
    env.reset(seed=seed)
    result, at = None, 0
    while at < len(actions):
        result = env.step(actions[at]) if at < SINGLY else env.step_chunk(actions[at : at + 24])
        at = result[4]["num_steps"]  # a chain drops a chunk's rest where a task is done
    np.testing.assert_equal(state_of(env), states)
    np.testing.assert_equal(result, played)


@ONE_OF_EACH_WITH_A_TASK
def test_severity_0_in_another_environment_is_the_identity(env: Any) -> None:
    plain = play(env, 4)
    compositions = at_severity_0(env.spec.id)
    for composition in compositions[: 1 if env.spec.id in SIMULATORS else None]:
        assert composition
        nothing = make(env.spec.id, perturbations=composition)
        np.testing.assert_equal(play(nothing, 4), plain)
        nothing.close()


@ONE_OF_EACH_WITH_A_TASK
def test_late_actions_and_pictures_are_those_of_then(env: Any) -> None:
    """Two and four steps late."""
    observation, _ = env.reset(seed=6)
    actions = moves(env, observation["agent_pos"], 8)
    held = np.concatenate([np.tile(rest_of(env), (2, 1)), actions[:-2]])
    seen = [observation, *(env.step(action)[0] for action in held)]
    late = make(env.spec.id, perturbations=(Latency(severity=2), ActionDelay(severity=1)))
    late.reset(seed=6)
    for step, action in enumerate(actions, start=1):
        np.testing.assert_equal(late.step(action)[0], seen[max(0, step - 4)])
    np.testing.assert_equal(state_of(late), state_of(env))
    late.close()


def test_bad_actions_say_what_is_expected(env: Any) -> None:
    env.reset(seed=0)
    before, dim = state_of(env), env.action_space.shape[0]
    bad = np.zeros((3, dim))
    bad[1, 4] = np.nan
    for actions, message in (
        (np.zeros((2, dim - 1)), rf"shape \[T, {dim}\].*got shape \[2, {dim - 1}\]"),
        (np.zeros(dim), rf"got shape \[{dim}\]"),
        (np.zeros((0, dim)), "got no action"),
        (bad, "got nan at step 1, index 4"),
        (np.array([["a"] * dim]), "shape"),
    ):
        with pytest.raises(InvalidActionError, match=message):
            env.step_chunk(actions)
    np.testing.assert_equal(state_of(env), before)


def test_random_actions_do_not_succeed(env: Any) -> None:
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(12):
        chunk = np.repeat(env.action_space.sample()[None], 10, axis=0)
        *_, terminated, truncated, info = env.step_chunk(chunk)
        assert not info["is_success"]
        if terminated or truncated:
            break


@ONE_OF_EACH_CLASS
def test_truncates_at_its_own_limit(env: Any) -> None:
    # Of a chain's steps each of its five tasks has a share, and one that is not done ends it.
    chain = "Chains" in env.spec.id
    limit = 2 if chain else 10
    other = make(env.spec.id, max_episode_steps=10)
    for begin in (lambda rest: other.step_chunk(np.tile(rest, (20, 1))),
                  lambda rest: other.play(itertools.repeat(rest), 50)[1]):  # fmt: skip
        other.reset(seed=0)
        *_, terminated, truncated, info = begin(rest_of(other))
        assert (terminated, truncated, info["num_steps"]) == (chain, not chain, limit)
        assert not info["is_success"]
    other.close()


def test_it_closes_twice_and_a_unit_that_was_sent_makes_another(env: Any) -> None:
    unit = RolloutUnit(env_id=f"{PACKAGE}:{env.spec.id}", split="in_domain", seeds=(1,))
    other = make_env(pickle.loads(pickle.dumps(unit))).unwrapped
    assert type(other) is type(env)
    for closed in (env, env, other, other):
        closed.close()


def test_other_processes_show_the_same() -> None:
    env_id = "uamsim/AlohaPickPlaceObjects-v0"
    env, seeds = make(env_id), (8, 9)
    action = rest_of(env)
    settings = settings_of(env_id)
    vector = gym.vector.AsyncVectorEnv(
        [lambda: gym.make(f"{PACKAGE}:{env_id}", **settings)] * len(seeds), context="spawn"
    )
    there, told = vector.reset(seed=list(seeds))
    after = vector.step(np.stack([action] * len(seeds)))[0]
    vector.close()
    assert len(set(told["instruction"])) == len(seeds)
    for index, seed in enumerate(seeds):
        here, info = env.reset(seed=seed)
        assert told["instruction"][index] == info["instruction"]
        for mine, theirs in ((here, there), (env.step(action)[0], after)):
            np.testing.assert_array_equal(mine["agent_pos"], theirs["agent_pos"][index])
            picture = theirs["pixels"]["primary"][index]
            np.testing.assert_array_equal(mine["pixels"]["primary"], picture)
    env.close()
