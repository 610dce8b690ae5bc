"""What needs CUDA is built where there are a GPU and a compiler, and its absence is said."""

import stat
from pathlib import Path

import pytest

from uamsim.cli import foreign
from uamsim.cli.cuda import build_cuda_part
from uamsim.simulators import CHECKOUTS, STAND_IN, Installation
from uamsim.worlds import find_simulator

ROBOTWIN = find_simulator("robotwin")
PYTHON = """#!/bin/sh
echo "$SETUPTOOLS_SCM_PRETEND_VERSION|$*" >> "{log}"
case "$*" in *"{fails}"*) echo "no such kernel" >&2; exit 1;; esac
"""


def make_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def make_machine(root: Path, monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    """A path with these programs alone."""
    for name in programs:
        make_program(root / "programs" / name, "#!/bin/sh\necho 'GPU 0: NVIDIA'\n")
    monkeypatch.setenv("PATH", f"{root / 'programs'}")
    for name in ("CUDA_HOME", "CUDA_PATH"):
        monkeypatch.delenv(name, raising=False)


def make_source(root: Path) -> Path:
    assert ROBOTWIN.cuda is not None
    proof = root / "source" / "curobo" / ROBOTWIN.cuda.checkout.proof
    proof.parent.mkdir(parents=True)
    proof.write_text("")
    return root / "source"


def make_python(root: Path, fails: str = "nothing at all") -> Path:
    log = root / "calls.txt"
    python = root / "toy" / "bin" / "python"
    make_program(python, PYTHON.replace("{log}", str(log)).replace("{fails}", fails))
    return log


@pytest.mark.parametrize(
    ("programs", "lacking"),
    [
        ((), "nvidia-smi lists no GPU"),
        (("nvidia-smi",), "there is no nvcc"),
        (("nvidia-smi", "nvcc"), "there is no g++"),
    ],
)
def test_what_the_machine_lacks_is_said(
    programs: tuple[str, ...], lacking: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_machine(tmp_path, monkeypatch, *programs)
    commits, note = build_cuda_part(ROBOTWIN, tmp_path / "toy", None)
    assert commits == {}
    assert "curobo is left out, without which results are not comparable" in note
    assert note.endswith("then run uamsim install robotwin --again")
    assert lacking in note


def test_it_is_built_with_the_pins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_machine(tmp_path, monkeypatch, "nvidia-smi", "nvcc", "g++")
    source, log = make_source(tmp_path), make_python(tmp_path)
    commits, note = build_cuda_part(ROBOTWIN, tmp_path / "toy", source)
    assert (commits, note) == ({"curobo": "unknown"}, "")
    packages, build, trial = log.read_text().splitlines()
    assert "torch==2.4.1" in packages
    assert "--constraint" in packages
    assert "numpy==1.26.4" in (tmp_path / "toy" / "constraints.txt").read_text()
    assert build.startswith("0.7.8|")
    assert f"--editable {tmp_path / 'toy' / CHECKOUTS / 'curobo'}" in build
    assert "--no-build-isolation" in build
    assert "import curobo" in trial


@pytest.mark.parametrize("fails", ["--editable", "import curobo"])
def test_a_build_that_fails_leaves_the_rest(
    fails: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_machine(tmp_path, monkeypatch, "nvidia-smi", "nvcc", "g++")
    source = make_source(tmp_path)
    make_python(tmp_path, fails)
    commits, note = build_cuda_part(ROBOTWIN, tmp_path / "toy", source)
    assert commits == {}
    assert "no such kernel" in note
    assert not (tmp_path / "toy" / CHECKOUTS / "curobo").exists()


def test_the_doctor_names_what_results_lack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert ROBOTWIN.cuda is not None
    pinned, cuda = ROBOTWIN.checkouts[0], ROBOTWIN.cuda
    commits = {pinned.name: pinned.commit, "assets": f"ab {STAND_IN}"}
    there = Installation(python=tmp_path, folder=tmp_path, facts={"commits": commits})
    monkeypatch.setattr(foreign, "list_simulators", lambda: {"robotwin": ROBOTWIN})
    monkeypatch.setattr(foreign, "find_installation", lambda name: there)
    found, mends = foreign.examine_simulators(
        lambda code, *, python: (code != cuda.trial, "torch finds no CUDA GPU")
    )
    assert found == ["robotwin works (stand-in assets; no curobo: torch finds no CUDA GPU)"]
    assert mends == [
        "Results of robotwin stand beside published ones with RoboTwin's own assets, cuRobo and "
        "render_profile='ray-traced' only. Where this machine can have them: "
        "uamsim install robotwin --again"
    ]
    commits["assets"] = "ab"
    assert foreign.examine_simulators(lambda code, *, python: (True, "")) == (
        ["robotwin works"],
        [],
    )
