"""`uamsim install` makes an environment that is whole or not there, and says what to do."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from uamsim.cli import doctor
from uamsim.cli import main as run_uamsim
from uamsim.cli.checkouts import clone_checkout, copy_checkout, find_checkouts
from uamsim.cli.downloads import DOWNLOADS
from uamsim.cli.install import install
from uamsim.errors import ConfigError, MissingDependencyError
from uamsim.simulators import (
    INSTALLED_FILE,
    Checkout,
    Simulator,
    find_installation,
    installed_versions,
)
from uamsim.storage import lock
from uamsim.worlds import WORLDS, WorldSpec, find_simulator, list_simulators

HERE = (sys.version_info.major, sys.version_info.minor)


def simulator(**fields) -> Simulator:
    values = {
        "name": "toy",
        "summary": "a toy",
        "requirements": ("toysim==1.0",),
        "versions": {"toysim": "1.0"},
        "pythons": (HERE,),
        "trial": "import toysim",
        "size": "nothing",
    }
    return Simulator(**(values | fields))


def bring_world(monkeypatch: pytest.MonkeyPatch, simulator: Simulator) -> None:
    """A world that needs the simulator, beside those that there are."""
    list_simulators()
    toy = WorldSpec(name="toy", package="toy_envs", simulator=simulator)
    monkeypatch.setitem(WORLDS._values, "toy", toy)


@pytest.fixture(name="root", autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of simulators, and no registry but a folder of wheels."""
    root, wheels = tmp_path / "simulators", tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("UAMSIM_SIMULATORS", str(root))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    bring_world(monkeypatch, simulator())
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
    for name, entry in list_simulators().items():
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
    bring_world(monkeypatch, simulator(pythons=((3, 2),)))
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
        find_installation(find_simulator("toy"))
    make_wheel(tmp_path / "wheels")
    assert run_uamsim(["install", "toy"]) == 0
    assert "toy works" in capsys.readouterr().out
    found = find_installation(find_simulator("toy"))
    subprocess.run([found.python, "-I", "-c", "import toysim"], check=True)
    assert run_uamsim(["install", "toy"]) == 0
    assert "is installed" in capsys.readouterr().out


def test_two_installations_at_once_are_refused(root: Path) -> None:
    with lock(root / "toy" / ".lock"), pytest.raises(ConfigError, match="another process"):
        install(simulator())


def test_an_environment_with_other_pins_is_not_used(root: Path) -> None:
    (root / "toy").mkdir(parents=True)
    facts = {"python": "3.11", "requirements": ["toysim==0.9"]}
    (root / "toy" / INSTALLED_FILE).write_text(json.dumps(facts))
    with pytest.raises(MissingDependencyError, match="another version of uamsim"):
        find_installation(find_simulator("toy"))


def test_doctor_says_what_is_missing() -> None:
    check = doctor.check_simulators()
    assert check.status == "warning"
    assert "no robosuite" in check.found
    assert "Run: uamsim install robosuite" in check.mend


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def make_repository(folder: Path) -> str:
    """With one commit and one file, "proof"."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    (folder / "proof").write_text("a")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    return git(folder, "rev-parse", "HEAD")


def with_checkouts(folder: Path) -> tuple[Simulator, dict[str, str]]:
    """A simulator that needs the repositories "one" and "two", side by side in a folder."""
    commits = {name: make_repository(folder / name) for name in ("one", "two")}
    return simulator(
        checkouts=tuple(
            Checkout(name=name, url=f"file://{folder / name}", commit=commit, proof="proof")
            for name, commit in commits.items()
        )
    ), commits


def test_git_brings_the_commit_or_says_what_to_do(tmp_path: Path) -> None:
    toy, commits = with_checkouts(tmp_path / "source")
    (tmp_path / "source" / "one" / "proof").write_text("b")
    git(tmp_path / "source" / "one", "commit", "--quiet", "-am", "newer")
    one = toy.checkouts[0]
    assert clone_checkout(toy, one, tmp_path / "got") == commits["one"]
    assert [path.name for path in (tmp_path / "got").iterdir()] == ["proof"]
    assert (tmp_path / "got" / "proof").read_text() == "a"
    gone = Checkout(name="one", url="file:///nowhere", commit=one.commit, proof="proof")
    with pytest.raises(MissingDependencyError, match=r"git cannot bring .*--from PATH"):
        clone_checkout(toy, gone, tmp_path / "nothing")
    other = Checkout(name="one", url=one.url, commit=one.commit, proof="missing")
    with pytest.raises(MissingDependencyError, match="has no missing"):
        clone_checkout(toy, other, tmp_path / "other")


def test_checkouts_are_found_side_by_side_and_as_submodules(tmp_path: Path) -> None:
    toy, _ = with_checkouts(tmp_path)
    assert find_checkouts(toy, tmp_path) == {"one": tmp_path / "one", "two": tmp_path / "two"}
    inside = tmp_path / "inside"
    make_repository(inside / "one")
    make_repository(inside / "one" / "two")
    expected = {"one": inside / "one", "two": inside / "one" / "two"}
    assert find_checkouts(toy, inside) == find_checkouts(toy, inside / "one") == expected
    with pytest.raises(ConfigError, match=r"has no one: no proof in .*side by side"):
        find_checkouts(toy, tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="Leave --from out"):
        find_checkouts(simulator(), tmp_path)


def test_a_copy_knows_its_commit(tmp_path: Path) -> None:
    commit = make_repository(tmp_path / "one")
    assert copy_checkout(tmp_path / "one", tmp_path / "copy") == commit
    assert not (tmp_path / "copy" / ".git").exists()
    (tmp_path / "one" / "proof").write_text("b")
    assert copy_checkout(tmp_path / "one", tmp_path / "changed") == f"{commit}-changed"
    (tmp_path / "one" / "part").mkdir()
    assert copy_checkout(tmp_path / "one" / "part", tmp_path / "part") == "unknown"


@pytest.mark.slow
def test_install_with_checkouts(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / "source"
    toy, commits = with_checkouts(source)
    bring_world(monkeypatch, toy)
    make_wheel(tmp_path / "wheels")
    assert run_uamsim(["install", "toy", "--from", str(tmp_path / "none")]) == 1
    assert "side by side" in capsys.readouterr().err
    assert run_uamsim(["install", "toy"]) == 0
    assert "Note" not in capsys.readouterr().out
    found = find_installation(find_simulator("toy"))
    assert found.commits == commits == installed_versions([toy])
    (source / "two" / "proof").write_text("b")
    kept = found.folder / DOWNLOADS / "part"
    kept.parent.mkdir()
    kept.write_text("gigabytes")
    assert run_uamsim(["install", "toy", "--again", "--from", str(source)]) == 0
    assert kept.is_file()
    note = f"two at {commits['two']}-changed instead of {commits['two']}"
    assert note in capsys.readouterr().out
    check = doctor.check_simulators()
    assert f"{note}; for that: uamsim install toy --again" in check.mend
    assert f"two {commits['two'][:12]}" in listing_of(capsys)
    (found.checkout("two") / "proof").unlink()
    with pytest.raises(MissingDependencyError, match="a part of it is gone"):
        find_installation(find_simulator("toy"))


def listing_of(capsys: pytest.CaptureFixture[str]) -> str:
    assert run_uamsim(["install"]) == 0
    return capsys.readouterr().out
