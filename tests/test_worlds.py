"""What worlds say of themselves is what their environments are."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from uamsim import worlds
from uamsim.errors import ConfigError, UnknownNameError
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
    # An id need not have a namespace.
    assert resolve_environment("CartPole-v1") == "CartPole-v1"
    with pytest.raises(UnknownNameError, match="Did you mean 'CartPole-v"):
        resolve_environment("CartPoole-v1")


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


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (ActionSizes(action_dim=3), "targets have 3 numbers with control 'ee' and agent_pos 14"),
        (ActionSizes(action_names=("x",)), "action_names of x with control 'ee' must be 14, not 1"),
        (ActionSizes(places=(None, None)), "places of x with control 'ee' must be 14, not 2"),
    ],
)
def test_numbers_that_do_not_go_together_are_an_error(sizes: ActionSizes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        WorldSpec(name="x", package="x_envs", controls={"ee": sizes})


def test_what_differs_in_one_environment_is_said_of_it_alone() -> None:
    entry = EnvironmentEntry(id="x/Y-v0", entry_point="", differs={"control_hz": 20})
    world = WorldSpec(name="x", package="x_envs", environments=(entry,))
    other = dataclasses.replace(entry, id="x/Z-v0", differs={})
    world = dataclasses.replace(world, environments=(entry, other))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "worlds_of", lambda package: (world,))
        assert world_of("x_envs:x/Y-v0").control_hz == 20
        assert world_of("x_envs:x/Z-v0").control_hz == 50
