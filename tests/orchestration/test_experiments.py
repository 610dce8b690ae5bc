"""An experiment is found by its file."""

import json

import pytest

import uamsim_experiments
from uamsim.cli.experiment import listing, parse
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.orchestration.experiments import build_any, build_experiment, list_experiments
from uamsim.orchestration.spec import ExperimentSpec

RECIPE = '''"""Two variants, longer."""

from uamsim.orchestration.spec import ExperimentSpec
from uamsim_experiments import dorsal_sweep


def build(scale: str) -> ExperimentSpec:
    return dorsal_sweep.build(scale).replace(name="longer", variants=("no_dorsal", "uam"))
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of experiments that the package has as well."""
    spec = uamsim_experiments.__spec__
    assert spec is not None
    paths = [*uamsim_experiments.__path__, str(tmp_path)]
    monkeypatch.setattr(spec, "submodule_search_locations", paths)
    monkeypatch.setattr(uamsim_experiments, "__path__", paths)
    return tmp_path


def test_a_file_is_an_experiment(folder):
    (folder / "longer.py").write_text(RECIPE)
    assert list_experiments()["longer"] == "Two variants, longer."
    assert "longer" in listing()
    _, spec = parse("longer", ["--scale", "debug", "--seeds", "0", "1"])
    assert isinstance(spec, ExperimentSpec)
    assert (spec.name, spec.seeds, spec.variants) == ("longer", (0, 1), ("no_dorsal", "uam"))
    assert ExperimentSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_what_is_no_experiment_says_so(folder):
    (folder / "empty.py").write_text('"""Nothing."""\n')
    with pytest.raises(ConfigError, match=r"must define build\(scale\)"):
        build_any("empty", "debug")
    with pytest.raises(ConfigError, match="trains nothing"):
        build_experiment("latency", "debug")
    with pytest.raises(UnknownNameError, match="dorsal_sweep"):
        build_any("dorsal_sweeep", "debug")
    with pytest.raises(UnknownNameError, match="debug"):
        build_any("dorsal_sweep", "debugg")
