"""`uamsim install` makes an environment that is whole or not there, and says what to do."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from uamsim.cli import doctor
from uamsim.cli import main as run_uamsim
from uamsim.errors import MissingDependencyError
from uamsim.simulators import INSTALLED_FILE, SIMULATORS, Simulator, find_installation

HERE = (sys.version_info.major, sys.version_info.minor)


def simulator(**fields) -> Simulator:
    values = {
        "name": "toy",
        "summary": "a toy",
        "environments": "uamsim/Toy-",
        "requirements": ("toysim==1.0",),
        "versions": {"toysim": "1.0"},
        "pythons": (HERE,),
        "trial": "import toysim",
        "size": "nothing",
    }
    return Simulator(**(values | fields))


@pytest.fixture(name="root", autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of simulators, and no registry but a folder of wheels."""
    root, wheels = tmp_path / "simulators", tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("UAMSIM_SIMULATORS", str(root))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setitem(SIMULATORS._values, "toy", simulator())
    return root


def make_wheel(folder: Path, code: str = "") -> None:
    info = "toysim-1.0.dist-info"
    with zipfile.ZipFile(folder / "toysim-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toysim.py", code)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: toysim\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\n"
                       "Root-Is-Purelib: true\nTag: py3-none-any\n")  # fmt: skip
        wheel.writestr(f"{info}/RECORD", "")


def test_every_simulator_is_pinned() -> None:
    for name, entry in SIMULATORS.items():
        assert entry.name == name
        assert all("==" in requirement for requirement in entry.requirements)
        pins = dict(requirement.split("==") for requirement in entry.requirements)
        assert entry.versions.items() <= pins.items()


def test_listing_says_what_is_there_and_where(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_uamsim(["install"]) == 0
    shown = capsys.readouterr().out
    assert str(root) in shown
    assert "robosuite" in shown
    assert "not installed; nothing; uamsim install toy" in shown


def test_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_uamsim(["install", "robosute"]) == 2
    assert "Did you mean 'robosuite'?" in capsys.readouterr().err


def test_another_python_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SIMULATORS._values, "toy", simulator(pythons=((3, 2),)))
    assert run_uamsim(["install", "toy"]) == 1
    assert "needs Python 3.2" in capsys.readouterr().err
    assert run_uamsim(["install", "toy", "--python", "/no/python"]) == 1
    assert "/no/python is none" in capsys.readouterr().err


@pytest.mark.slow
def test_install_use_and_mend(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_uamsim(["install", "toy"]) == 1
    error = capsys.readouterr().err
    assert "cannot be reached" in error
    assert "PIP_FIND_LINKS" in error
    make_wheel(tmp_path / "wheels", "raise OSError('no libGL')")
    assert run_uamsim(["install", "toy", "--python", sys.executable]) == 1
    assert "does not work: OSError: no libGL" in capsys.readouterr().err
    with pytest.raises(MissingDependencyError, match="Run: uamsim install toy"):
        find_installation("toy")
    make_wheel(tmp_path / "wheels")
    assert run_uamsim(["install", "toy"]) == 0
    assert "toy works" in capsys.readouterr().out
    found = find_installation("toy")
    subprocess.run([found.python, "-I", "-c", "import toysim"], check=True)
    assert run_uamsim(["install", "toy"]) == 0
    assert "is installed" in capsys.readouterr().out


def test_an_environment_with_other_pins_is_not_used(root: Path) -> None:
    (root / "toy").mkdir(parents=True)
    facts = {"python": "3.11", "requirements": ["toysim==0.9"]}
    (root / "toy" / INSTALLED_FILE).write_text(json.dumps(facts))
    with pytest.raises(MissingDependencyError, match="another version of uamsim"):
        find_installation("toy")


def test_doctor_says_what_is_missing() -> None:
    check = doctor.check_simulators()
    assert check.status == "warning"
    assert "no robosuite" in check.found
    assert "Run: uamsim install robosuite" in check.mend
