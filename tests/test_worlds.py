"""What worlds say of themselves is what their environments are."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from uamsim import worlds
from uamsim.contract import Control, Observation, PolicyInput, PolicySpec
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.evaluation.controls import RandomPolicy
from uamsim.simulated import simulated
from uamsim.worlds import (
    WORLDS,
    ActionSizes,
    EnvironmentEntry,
    WorldSpec,
    list_simulators,
    resolve_demonstrated,
    resolve_environment,
    resolve_environments,
    world_of,
    worlds_of,
)

SHOWN = [
    pytest.param(
        f"{world.package}:{entry.id}",
        marks=[pytest.mark.sim(world.simulator.name)] if world.simulator else [],
    )
    for world in WORLDS.values()
    # RoboTwin's fifty tasks differ in nothing that is said here.
    for entry in world.environments
    if "RoboTwin" not in entry.id or entry.task == "lift_pot"
]


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


@pytest.mark.parametrize("env_id", SHOWN)
def test_an_environment_is_what_its_world_says(env_id: str) -> None:
    world = world_of(env_id)
    for control, sizes in world.controls.items():
        env = gym.make(env_id, control=control, image_size=(32, 48), disable_env_checker=True)
        inner = simulated(env)
        state = inner.observation_space["agent_pos"]  # pyright: ignore[reportIndexIssue]
        assert env.action_space.shape == (sizes.action_dim,)
        assert state.shape == (sizes.proprio_dim,)
        assert set(sizes.gripper_dims) < set(range(sizes.action_dim))
        assert env.action_space.contains(random_action(control, sizes))
        assert inner.control_hz == world.control_hz
        assert inner.all_cameras == world.cameras
        assert inner.has_expert == world.has_expert
        env.close()


@pytest.mark.parametrize("name", list(WORLDS))
def test_a_world_is_consistent(name: str) -> None:
    world = WORLDS[name]
    ids = [entry.id for entry in world.environments]
    assert len(set(ids)) == len(ids)
    for entry in world.environments:
        own = world_of(f"{world.package}:{entry.id}")
        assert set(own.views) <= set(own.cameras)
        assert own.fine_profile in own.render_profiles
        own.check_pictures(own.demonstrations.cameras[:1], own.render_profile)
        own.check_fps(own.control, own.demonstrations.fps)
        if entry.task:
            assert world.find(entry.task, entry.protocol) == f"{world.package}:{entry.id}"
    for suite, members in world.suites.items():
        assert set(members) <= set(ids)
        assert len(world.suite_tasks(suite)) == len(members)
    with pytest.raises(UnknownNameError, match=f"{name} task"):
        world.find("no such task")


def test_what_has_no_expert_is_not_demonstrated() -> None:
    assert list(resolve_demonstrated("robosuite", ())) == ["lift", "stack", "pick_place"]
    with pytest.raises(ConfigError, match="door of robosuite has no scripted expert"):
        resolve_demonstrated("robosuite", ("lift", "door"))


def test_a_simulator_is_its_world_s() -> None:
    assert list(list_simulators()) == ["calvin", "robosuite", "robotwin"]


def test_names_that_do_not_exist_name_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'calvin'"):
        WORLDS["calvn"]
    with pytest.raises(UnknownNameError, match="Did you mean 'official'"):
        WORLDS["calvin"].find("d", "offical")
    with pytest.raises(UnknownNameError, match="Did you mean 'joint'"):
        WORLDS["aloha"].check_fps("jont", 10)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UnknownNameError, match="Did you mean 'pick_place'"):
        resolve_environment("pick_plac")


def test_movements_are_recorded_at_their_own_rate() -> None:
    with pytest.raises(ConfigError, match="fps in calvin must be 30"):
        WORLDS["calvin"].check_fps("relative", 10)


def test_knowing_worlds_loads_neither_gymnasium_nor_a_simulator() -> None:
    code = (
        "import json, sys; from uamsim.worlds import WORLDS; list(WORLDS); "
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"gymnasium", "mujoco", "torch", "scipy", "uamsim_envs"}
    assert not heavy & set(json.loads(done.stdout))


def test_a_registration_without_a_world_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for package, text in (("brought_nothing", ""), ("brought_another_s", ANOTHER_S)):
        folder = tmp_path / package / "toy"
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").touch()
        (folder / "registration.py").write_text(text)
        with pytest.raises(ConfigError, match=rf"{package}.toy.registration\.py must define WORLD"):
            worlds_of(package)
    assert worlds_of("no_such_package") == worlds_of("no.such.package") == ()


ANOTHER_S = """
from uamsim.worlds import WorldSpec
WORLD = WorldSpec(name="toy", package="uamsim_envs")
"""


def test_an_id_that_no_world_has_is_of_the_contract_s_kind() -> None:
    world = world_of("uamsim.testing.envs:uamsim_testing/Reach-v0")
    assert world == WorldSpec(name="uamsim_testing", package="uamsim.testing.envs")
    found = resolve_environments(["uamsim.testing.envs:uamsim_testing/Reach-v0", "lift_pot"])
    assert list(found.values()) == ["uamsim_testing", "robotwin"]


def test_what_differs_in_one_environment_is_said_of_it_alone() -> None:
    entry = EnvironmentEntry(id="x/Y-v0", entry_point="", differs={"control_hz": 20})
    world = WorldSpec(name="x", package="x_envs", environments=(entry,))
    other = dataclasses.replace(entry, id="x/Z-v0", differs={})
    world = dataclasses.replace(world, environments=(entry, other))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "worlds_of", lambda package: (world,))
        assert world_of("x_envs:x/Y-v0").control_hz == 20
        assert world_of("x_envs:x/Z-v0").control_hz == 50
