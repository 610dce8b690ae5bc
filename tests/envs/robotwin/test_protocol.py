"""RoboTwin's evaluation seeds and demonstrations, by the same ways as other worlds'."""

from dataclasses import replace
from pathlib import Path

import pytest

from uamsim.contract import Control
from uamsim.data.demonstrations import collect_demonstrations
from uamsim.data.lerobot import LeRobotDataset
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import EnvPool, identify
from uamsim.evaluation.experts import ExpertPlayer
from uamsim.orchestration.evaluate.request import EvaluationRequest
from uamsim.orchestration.evaluate.run import plan
from uamsim.orchestration.worlds.collect import CollectionRequest
from uamsim.worlds import WORLDS, resolve_environments
from uamsim_envs.robotwin.registration import PAPER_TASKS
from uamsim_experiments import robotwin16

sim = pytest.mark.sim("robotwin")
TASK = "click_alarmclock"
PREFIX = "uamsim_envs:uamsim/RoboTwin"


def test_the_paper_s_tasks_are_a_suite() -> None:
    found = resolve_environments(["robotwin16", "robotwin16-randomized", f"{PREFIX}-lift_pot-v0"])
    suites = list(found.values())
    assert (suites.count("robotwin16"), suites.count("robotwin16-randomized")) == (17, 17)
    assert suites[-1] == "robotwin"
    assert WORLDS["robotwin"].suite_tasks("robotwin16") == PAPER_TASKS
    # One of a suite alone is still of it.
    one = f"{PREFIX}Clean-{TASK}-v0"
    assert resolve_environments([one]) == {one: "robotwin16"}
    with pytest.raises(UnknownNameError, match="Did you mean 'robotwin16'"):
        resolve_environments(["robotwin17"])


def test_an_action_that_takes_its_own_time_has_no_real_time() -> None:
    request = EvaluationRequest(policy="expert", env=(f"{PREFIX}Clean-{TASK}-v0",), realtime=True)
    with pytest.raises(ConfigError, match="those of robotwin take as long as each needs"):
        plan(request, [])


@pytest.mark.parametrize("scale", ["debug", "paper"])
def test_the_experiment_tests_on_seeds_of_the_evaluation(scale: str) -> None:
    spec = robotwin16.build(scale)
    assert spec.evaluation.seed0 == 100_000
    assert spec.demonstrations.seed0 == 0
    # The policy's actions are the frames of its data.
    assert spec.policy_spec.horizon == spec.model.chunk == 16
    assert all("/RoboTwin-" in env_id for env_id in spec.demonstrations.env_ids)
    assert not any("/RoboTwin-" in env_id for env_id in spec.evaluation.env_ids)


@sim
def test_a_checked_episode_is_solved_by_its_expert() -> None:
    (unit,) = identify(
        [
            RolloutUnit(
                env_id=f"{PREFIX}Clean-{TASK}-v0",
                split="in_domain",
                seeds=(100_000,),
                env_kwargs={"cameras": [], "render_profile": "raster-shadowless"},
            )
        ]
    )
    assert unit.world is not None
    assert {"planner", "embodiment", "RoboTwin", "assets", "renderer"} <= unit.world.keys()
    pool = EnvPool()
    try:
        records = [record for record in ExpertPlayer().play(unit, pool) if record is not None]
    finally:
        pool.close()
    assert [record.success for record in records] == [True]


@sim
@pytest.mark.parametrize(("control", "dim"), [("joint", 14), ("ee", 16)])
def test_a_demonstration_is_recorded_and_read(tmp_path: Path, control: Control, dim: int) -> None:
    request = replace(
        CollectionRequest.of_world("robotwin"),
        episodes=1,
        cameras=("head",),
        image_size=(48, 64),
        render_profile="raster-shadowless",
        control=control,
        fps=6,
    )
    config = request.to_config([f"{PREFIX}-{TASK}-v0"])
    data = LeRobotDataset(collect_demonstrations(config, tmp_path / "data"))
    assert (data.control, data.fps, data.control_hz) == (control, 6, None)
    assert data.state.shape == data.action.shape == (len(data), dim)
    names = data.info["features"]["action"]["names"]["motors"]
    assert len(names) == len(set(names)) == dim
    frames = data.frames("head")
    assert frames.shape == (len(data), 48, 64, 3)
    assert frames.std() > 5
    assert abs(frames[-1].astype(float) - frames[0]).max() > 50, "the arm has moved"
