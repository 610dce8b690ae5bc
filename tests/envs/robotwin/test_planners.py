"""RoboTwin plans with its own cuRobo where that runs, and with IK and TOPP elsewhere."""

import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from uamsim.errors import ConfigError, MissingDependencyError
from uamsim.simulators import STAND_IN, find_installation
from uamsim_envs.host.client import Host
from uamsim_envs.robotwin.env import RoboTwinEnv
from uamsim_envs.robotwin.planners import IK, find_planner
from uamsim_envs.robotwin.registration import SIMULATOR
from uamsim_envs.robotwin.tasks import CHECKOUT, EMBODIMENT, RAY_TRACED

sim = pytest.mark.sim("robotwin")
SIDES = ("left", "right")
TORCH = """
import numpy as np
from . import cuda, multiprocessing
float32 = np.float32
class Tensor:
    def __init__(self, values, dtype=None):
        self.values = np.asarray(values, float)
    def __getitem__(self, index):
        return Tensor(self.values[index])
    def reshape(self, *shape):
        return Tensor(self.values.reshape(*shape))
    def item(self):
        return self.values.item()
    def numpy(self):
        return self.values
    def cuda(self):
        return self
    cpu = cuda
    def to(self, device):
        return self.values
tensor = Tensor
def manual_seed(seed):
    pass
def cat(tensors, dim):
    return Tensor(np.concatenate([t.values for t in tensors], dim))
"""
MOTION = """
import pathlib, types
import numpy as np
import torch
def note(*words):
    with open(pathlib.Path(__file__).parents[3] / "calls.txt", "a") as calls:
        print(*words, file=calls)
class MotionGenConfig:
    @staticmethod
    def load_from_robot_config(path, world, **options):
        return path
class MotionGenPlanConfig:
    def __init__(self, max_attempts):
        pass
class PoseCostMetric:
    pass
class MotionGen:
    def __init__(self, config):
        self.config = pathlib.Path(config).name
    def warmup(self, batch=1):
        note("warmup", self.config, batch)
    def _plan(self, kind, start, goal):
        note(kind, self.config, *np.ravel(goal[:3])[:3])
        way = np.linspace(0, 0.1, 50)[:, None] + start.reshape(-1, 6).values[:1]
        paths = way if kind == "single" else np.repeat(way[None], 10, 0)
        plan = types.SimpleNamespace(
            position=torch.Tensor(paths), velocity=torch.Tensor(np.zeros_like(paths))
        )
        count = 1 if kind == "single" else 10
        return types.SimpleNamespace(
            success=torch.Tensor(np.ones(count)), interpolated_plan=plan
        )
    def plan_single(self, start, goal, config):
        return self._plan("single", start, goal)
    def plan_batch(self, start, goal, config):
        return self._plan("batch", start, goal)
"""
FAKES = {
    "torch/__init__.py": TORCH,
    "torch/cuda.py": "def is_available():\n    return {cuda}\n",
    "torch/multiprocessing.py": "",
    "curobo/__init__.py": "__version__ = '0.7.8'\n",
    "curobo/types/__init__.py": "",
    "curobo/types/math.py": "class Pose:\n"
    "    def __new__(cls, places, turns):\n        return places[0].values\n"
    "    @staticmethod\n    def from_list(values):\n        return values\n",
    "curobo/types/robot.py": "class JointState:\n    @staticmethod\n"
    "    def from_position(position, joint_names):\n        return position\n",
    "curobo/util/__init__.py": "",
    "curobo/util/logger.py": "def setup_logger(**given):\n    pass\n",
    "curobo/wrap/__init__.py": "",
    "curobo/wrap/reacher/__init__.py": "",
    "curobo/wrap/reacher/motion_gen.py": MOTION,
}
"""A cuRobo of our own, with what RoboTwin calls of it, which notes its calls."""


def make_fakes(root: Path, *, cuda: bool = True) -> Path:
    for name, text in FAKES.items():
        path = root / "fakes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{cuda}", str(cuda)))
    (root / "fakes" / "numpy").symlink_to(Path(np.__file__).parent)
    return root / "fakes"


def make_python(root: Path, fakes: Path | None) -> Path:
    """An interpreter with these packages and no others."""
    path = root / "python"
    path.write_text(f'#!/bin/sh\nshift\nPYTHONPATH={fakes or ""} exec {sys.executable} -S "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def make_robot(root: Path, sides: tuple[str, ...] = SIDES) -> Path:
    robot = root / "checkout" / "assets" / "embodiments" / EMBODIMENT
    robot.mkdir(parents=True, exist_ok=True)
    for side in sides:
        (robot / f"curobo_{side}.yml").write_text("planner:\n  frame_bias: [0, 0, 0]\n")
    return root / "checkout"


def test_curobo_plans_where_all_of_it_is_there(tmp_path: Path) -> None:
    fakes = make_fakes(tmp_path)
    python = make_python(tmp_path, fakes)
    assert find_planner(python, make_robot(tmp_path)) == "curobo-0.7.8"


@pytest.mark.parametrize(
    ("cuda", "fake", "sides"), [(False, True, SIDES), (True, False, SIDES), (True, True, ("left",))]
)
def test_without_a_part_of_it_ik_plans(
    cuda: bool, fake: bool, sides: tuple[str, ...], tmp_path: Path
) -> None:
    fakes = make_fakes(tmp_path, cuda=cuda)
    python = make_python(tmp_path, fakes if fake else None)
    assert find_planner(python, make_robot(tmp_path, sides)) == IK


def test_a_curobo_that_does_not_work_is_an_error(tmp_path: Path) -> None:
    fakes = make_fakes(tmp_path)
    (fakes / "curobo/wrap/reacher/motion_gen.py").write_text("raise ImportError('no kernels')\n")
    with pytest.raises(MissingDependencyError, match=r"does not work:(.|\n)*no kernels"):
        find_planner(make_python(tmp_path, fakes), make_robot(tmp_path))


@sim
@pytest.mark.parametrize(
    ("profile", "planner", "assets", "comparable"),
    [
        (RAY_TRACED, "curobo-0.7.8", "ab", True),
        ("raster", "curobo-0.7.8", "ab", False),
        (RAY_TRACED, IK, "ab", False),
        (RAY_TRACED, "curobo-0.7.8", f"ab {STAND_IN}", False),
    ],
)
def test_results_are_comparable_where_all_is_robotwin_s_own(
    profile: str, planner: str, assets: str, comparable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uamsim_envs.robotwin.env.find_planner", lambda *given: planner)
    env = RoboTwinEnv(task="click_alarmclock", render_profile=profile)
    env.installation.commits["assets"] = assets
    assert env.identity["planner"] == planner
    assert env.identity["assets"] == assets
    assert env.comparable is comparable
    env.close()


@pytest.fixture(name="checkout")
def _checkout(tmp_path: Path) -> Path:
    """RoboTwin's, with files of cuRobo beside the robot's."""
    real = find_installation(SIMULATOR).checkout(CHECKOUT)
    checkout = tmp_path / "checkout"
    robots = checkout / "assets" / "embodiments"
    robots.parent.mkdir(parents=True)
    for inside, target in ((real, checkout), (real / "assets", robots.parent)):
        for path in inside.iterdir():
            if path.name not in ("assets", "embodiments"):
                (target / path.name).symlink_to(path.resolve())
    shutil.copytree((real / "assets" / "embodiments").resolve(), robots)
    return make_robot(tmp_path)


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> Iterator[Host]:
    installation = find_installation(SIMULATOR)
    if "curobo" in installation.commits:
        pytest.skip("cuRobo is installed for RoboTwin, whose place the test's own takes here")
    fakes = make_fakes(tmp_path)
    (fakes / "numpy").unlink()
    host = Host(
        "RoboTwin",
        RoboTwinEnv.factory,
        python=installation.python,
        path=[fakes],
    )
    yield host
    host.close()


def open_with_curobo(host: Host, checkout: Path) -> None:
    host.call(
        "open",
        checkout=str(checkout),
        task="click_alarmclock",
        config="demo_clean",
        render_profile="raster-shadowless",
        planner="curobo-0.7.8",
        image_size=None,
    )


@sim
def test_robotwin_s_own_planner_is_left_in_place(
    host: Host, checkout: Path, tmp_path: Path
) -> None:
    open_with_curobo(host, checkout)
    done = host.call("check_seed", seed=0)
    assert done["physics_steps"] > 0, done["error"]
    calls = [line.split() for line in (tmp_path / "fakes" / "calls.txt").read_text().splitlines()]
    assert [tuple(call[1:]) for call in calls if call[0] == "warmup"] == [
        (f"curobo_{side}.yml", batch) for side in SIDES for batch in ("1", "10")
    ]
    planned = [call for call in calls if call[0] in ("single", "batch")]
    assert {call[0] for call in planned} == {"single", "batch"}
    # Goals are in the frame of the robot, a metre or less from its foot.
    assert all(abs(float(number)) < 1.5 for call in planned for number in call[2:])


@sim
def test_a_planner_that_cannot_be_imported_is_an_error(tmp_path: Path, checkout: Path) -> None:
    host = Host("RoboTwin", RoboTwinEnv.factory, python=find_installation(SIMULATOR).python)
    with pytest.raises(ConfigError, match=r"curobo-0\.7\.8 is to plan, and RoboTwin finds none"):
        open_with_curobo(host, checkout)
    host.close()
