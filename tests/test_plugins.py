"""What a user's own files and installed packages bring is found by its name."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from uamsim.cli import main
from uamsim.cli.experiment import parse
from uamsim.cli.serve import Command, load
from uamsim.errors import ConfigError, MissingDependencyError, PolicyError, UnknownNameError
from uamsim.evaluation.backends.ledger import read_ledger
from uamsim.models.variants import VARIANTS
from uamsim.orchestration.evaluate.policies import find_policy
from uamsim.orchestration.evaluate.request import EvaluationRequest
from uamsim.orchestration.experiments import build_any, list_experiments, own_claims
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.perturbations.axes.sensors import Sensors
from uamsim.perturbations.splits import find_split
from uamsim.perturbations.values import PERTURBATIONS
from uamsim.plugins import load_file
from uamsim.testing.envs import REACH_ID

DOCS = Path(__file__).parents[1] / "docs" / "how-to" / "bring-your-own.md"
BROUGHT = '''"""Policies, a variant and an experiment."""

import dataclasses

import numpy as np

from uamsim.contract import PolicySpec
from uamsim.models.variants import VARIANTS
from uamsim_experiments import dorsal_sweep


class Still:
    name = "still"
    spec = PolicySpec(cameras=("primary",), image_size=(32, 48), control="ee", horizon=8)

    def act(self, inputs):
        return np.zeros((len(inputs), 8, 14))


own_uam = dataclasses.replace(VARIANTS["uam"], title="Ours")


def build(scale):
    return dorsal_sweep.build(scale).replace(name="own_study", variants=("own_uam",))


class Raises(Still):
    def act(self, inputs):
        if any(item.seed == 1_000_001 for item in inputs):
            raise RuntimeError("no weights")
        return np.zeros((len(inputs), 8, 14))


class Small(Still):
    def act(self, inputs):
        return np.zeros((len(inputs), 8, 7))


class Elsewhere(Still):
    spec = dataclasses.replace(Still.spec, action_dim=7)


class NoSpec:
    def act(self, inputs):
        return np.zeros((len(inputs), 24, 14))


class NoAct:
    spec = Still.spec


def broken():
    raise OSError("no such weights")
'''
DARK = """
from uamsim.perturbations.axes.sensors import SensorPerturbation
from uamsim.perturbations.values import register


@register
@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnDark(SensorPerturbation):
    axis = "own_dark"

    def alter(self, picture, rng):
        return picture // 2
"""
REACH = ["--env", REACH_ID, "--workers", "0", "--videos", "0", "--max-episode-steps", "16"]


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    """A file of a user's own."""
    path = tmp_path / "mine.py"
    path.write_text(BROUGHT)
    return path


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same as an installed package with entry points."""
    (tmp_path / "brought_parts.py").write_text(BROUGHT + DARK)
    info = tmp_path / "brought_parts-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brought-parts\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[uamsim.policies]\nstill_one = brought_parts:Still\nlost = brought_parts:Lost\n"
        "[uamsim.variants]\nown_uam = brought_parts:own_uam\n"
        "[uamsim.perturbations]\nOwnDark = brought_parts:OwnDark\n"
        "[uamsim.experiments]\nown_study = brought_parts\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    # What it registers is forgotten again.
    for registry in (PERTURBATIONS, VARIANTS):
        monkeypatch.setattr(registry, "_values", dict(registry._values))
    yield
    sys.modules.pop("brought_parts", None)


@pytest.mark.usefixtures("installed")
def test_an_installed_package_brings_each_kind():
    found = find_policy("still_one", EvaluationRequest(policy="still_one", env=(REACH_ID,)))
    assert found.name.startswith("still:")
    with pytest.raises(ConfigError, match=r"brought-parts brings 'lost' of uamsim\.policies"):
        find_policy("lost", EvaluationRequest(policy="lost", env=(REACH_ID,)))
    assert list(VARIANTS)[-1] == "own_uam"
    assert VARIANTS["own_uam"].title == "Ours"
    (dark,) = find_split("own_dark@3").perturbations
    picture = np.full((4, 6, 3), 200, np.uint8)
    assert Sensors((dark,), 1).see(picture, "primary", 0, (4, 6)).max() == 100
    assert picture.max() == 200
    assert "own_study" in list_experiments()
    spec = build_any("own_study", "debug")
    assert isinstance(spec, ExperimentSpec)
    assert spec.variant_model("own_uam").dynamics
    # It begins with the sweep, whose 23 claims of the paper are not its own.
    assert own_claims(spec) == ()
    assert own_claims(spec.replace(name="dorsal_sweep")) == ("dorsal_sweep",)


def test_an_experiment_is_a_file_anywhere(tmp_path: Path):
    recipe = tmp_path / "longer.py"
    recipe.write_text(
        '"""Longer."""\nfrom uamsim_experiments import dorsal_sweep\n\n\ndef build(scale):\n'
        '    return dorsal_sweep.build(scale).replace(name="longer")\n'
    )
    options, spec = parse(str(recipe), ["--scale", "debug"])
    assert (spec.name, options.out.name) == ("longer", "longer-debug")
    with pytest.raises(ConfigError, match=r"Python file at no_such\.py: No such file"):
        parse("no_such.py", [])


def test_the_example_of_the_docs_is_a_policy(tmp_path: Path, monkeypatch):
    (text,) = [part for part in DOCS.read_text().split("```") if part.startswith("python\n# my_po")]
    (tmp_path / "my_policy.py").write_text(text.removeprefix("python\n"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    words = [*REACH[:-1], "60", "--episodes", "4", "--no-controls", "--out", str(tmp_path / "out")]
    assert main(["evaluate", "--policy", "my_policy.py:Touch", *words]) == 0
    request = EvaluationRequest(policy="x", env=(REACH_ID,))
    names = {find_policy(f"{place}:Touch", request).name for place in ("my_policy", "my_policy.py")}
    records = read_ledger(tmp_path / "out" / "ledger.sqlite")
    # As a file, and as a module that is found in the working folder.
    assert {record.policy for record in records} == names
    assert [record.success for record in records] == [True] * 4


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("", ConfigError, r"mine\.py:NAME as policy"),
        (":Stil", UnknownNameError, "Did you mean 'Still'"),
        (":NoAct", PolicyError, r"a NoAct without a method act\(inputs\)"),
        (":NoSpec", ConfigError, "has no attribute `spec`.*--cameras"),
        (":broken", PolicyError, "raised OSError while it made the policy: no such weights"),
    ],
)
def test_what_is_no_policy_says_why(file: Path, name: str, error: type[Exception], message: str):
    request = EvaluationRequest(policy="x", env=(REACH_ID,))
    with pytest.raises(error, match=message):
        find_policy(f"{file}{name}", request)
    with pytest.raises(MissingDependencyError, match="cannot import 'no_module'"):
        find_policy("no_module:Policy", request)


def test_a_policy_in_python_is_served(file: Path):
    served = load(Command(policy=f"{file}:Still"))
    assert (served.name, served.spec.horizon) == ("still", 8)
    with pytest.raises(UnknownNameError, match="Did you mean 'Still'"):
        load(Command(policy=f"{file}:Stil"))


def test_a_policy_that_does_not_say_what_it_needs_is_told(file: Path):
    asked = EvaluationRequest(policy="x", env=(REACH_ID,), cameras=("primary",), horizon=24)
    found = find_policy(f"{file}:NoSpec", asked)
    assert found.spec == asked.spec
    other = EvaluationRequest(policy="x", env=(REACH_ID,), cameras=("primary",), horizon=12)
    assert find_policy(f"{file}:NoSpec", other).name != found.name


@pytest.mark.parametrize(
    ("name", "message", "kept"),
    [
        ("Raises", "raised RuntimeError in act.*seeds 1000001 at step 0: no weights", 3),
        ("Small", r"expected actions of shape \(1, 8, 14\).*got \(1, 8, 7\)", 0),
        ("Elsewhere", r"actions have 7 numbers.*takes \(14,\)", 0),
    ],
)
def test_a_policy_that_fails_is_named_and_finished_episodes_are_kept(
    file: Path, tmp_path: Path, capsys, name: str, message: str, kept: int
):
    words = ["--policy", f"{file}:{name}", *REACH, "--episodes", "4", "--batch", "1"]
    assert main(["evaluate", *words, "--no-controls", "--out", str(tmp_path / "out")]) == 1
    assert re.search(message, capsys.readouterr().err)
    assert len(read_ledger(tmp_path / "out" / "ledger.sqlite")) == kept
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["episodes"] == {"asked": 4, "finished": kept}


def test_a_changed_file_is_another_module(file: Path):
    first = load_file(file)
    assert load_file(file) is first
    file.write_text("x = 2\n")
    assert load_file(file).x == 2
    file.write_text("1 / 0\n")
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        load_file(file)
