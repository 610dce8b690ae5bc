"""A simulator's own script brings its assets, goes on where it broke off, and is told apart."""

import dataclasses
import json
import sys
import zipfile
from pathlib import Path

import pytest

from uamsim.cli import downloads
from uamsim.cli.assets import place_assets
from uamsim.errors import MissingDependencyError
from uamsim.simulators import CHECKOUTS, STAND_IN, Assets, Installation, Simulator
from uamsim.worlds import find_simulator

SCRIPT = """cd assets
python _download.py
python -m zipfile -e embodiments.zip .
rm embodiments.zip
python -m zipfile -e objects.zip .
cd ..
test "$UNZIP" = -oq
python - <<'END'
import pathlib
here, robots = pathlib.Path.cwd(), pathlib.Path("assets/embodiments")
config = (robots / "arm_tmp.yml").read_text()
(robots / "arm.yml").write_text(config.replace("$HERE", str(here)))
END
"""
DOWNLOADER = """
import pathlib, shutil, sys
hub = pathlib.Path({hub!r})
part = pathlib.Path("objects.part")
with open("tries.txt", "a") as tries:
    print("resumed" if part.exists() else "began", file=tries)
if not hub.is_dir():
    part.touch()
    sys.exit("ConnectionError: the hub has no address")
for name in ("embodiments.zip", "objects.zip"):
    shutil.copy(hub / name, name)
part.unlink(missing_ok=True)
"""
"""Stands in for the hub's client: it leaves a part where it fails, and goes on from that."""


@pytest.fixture(name="toy")
def _toy(monkeypatch: pytest.MonkeyPatch) -> Simulator:
    monkeypatch.setattr(downloads, "install_packages", lambda *given: None)
    assets = Assets(
        checkout="Toy",
        folder="assets",
        names=("embodiments", "objects"),
        proofs=("objects/list.json",),
        generator="nothing",
        script="script/_download_assets.sh",
        tools=("hub==1.0",),
        programs=("bash",),
        size="nothing",
    )
    return dataclasses.replace(find_simulator("robotwin"), assets=assets)


def make_folder(root: Path, hub: Path) -> Path:
    """An environment with a repository whose script downloads from a folder."""
    checkout = root / CHECKOUTS / "Toy"
    (checkout / "assets").mkdir(parents=True)
    (checkout / "script").mkdir()
    (checkout / "script" / "_download_assets.sh").write_text(SCRIPT)
    (checkout / "assets" / "_download.py").write_text(DOWNLOADER.format(hub=str(hub)))
    (root / "bin").mkdir()
    (root / "bin" / "python").symlink_to(sys.executable)
    return root


def fill_hub(hub: Path, names: tuple[str, ...] = ("list.json", "cup.json")) -> None:
    hub.mkdir()
    with zipfile.ZipFile(hub / "embodiments.zip", "w") as archive:
        archive.writestr("embodiments/arm_tmp.yml", "path: $HERE/arm\n")
    with zipfile.ZipFile(hub / "objects.zip", "w") as archive:
        for name in names:
            archive.writestr(f"objects/{name}", "{}")


def test_the_script_goes_on_where_it_broke_off(
    toy: Simulator, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub, folder = tmp_path / "hub", make_folder(tmp_path / "toy", tmp_path / "hub")
    with pytest.raises(MissingDependencyError) as raised:
        place_assets(toy, folder, None, stand_in=False)
    message = str(raised.value)
    for said in (
        "_download_assets.sh of Toy failed: ConnectionError: the hub has no address",
        "to go on from there: uamsim install robotwin",
        "--assets PATH",
        "--stand-in",
    ):
        assert said in message
    assert "the hub has no address" in capfd.readouterr().err
    fill_hub(hub)
    digest = place_assets(toy, folder, None, stand_in=False)
    tries = folder / downloads.DOWNLOADS / "assets" / "tries.txt"
    assert tries.read_text().split() == ["began", "resumed"]
    placed = folder / CHECKOUTS / "Toy" / "assets"
    assert json.loads((placed / "objects" / "cup.json").read_text()) == {}
    # A new environment takes what is there, without the script.
    for name in ("embodiments", "objects"):
        (placed / name).unlink()
    assert place_assets(toy, folder, None, stand_in=False) == digest
    assert len(tries.read_text().split()) == 2
    assert not digest.endswith(STAND_IN)


def test_assets_are_the_same_in_another_folder(toy: Simulator, tmp_path: Path) -> None:
    fill_hub(tmp_path / "hub")
    roots = [make_folder(tmp_path / name, tmp_path / "hub") for name in ("one", "two")]
    digests = {place_assets(toy, root, None, stand_in=False) for root in roots}
    texts = {(r / downloads.DOWNLOADS / "assets/embodiments/arm.yml").read_text() for r in roots}
    assert len(digests) == 1
    assert len(texts) == 2


def test_what_is_missing_afterwards_is_named(toy: Simulator, tmp_path: Path) -> None:
    fill_hub(tmp_path / "hub", ("cup.json",))
    folder = make_folder(tmp_path / "toy", tmp_path / "hub")
    with pytest.raises(MissingDependencyError, match=r"brought no objects/list\.json"):
        place_assets(toy, folder, None, stand_in=False)


def test_a_missing_program_is_named(toy: Simulator, tmp_path: Path) -> None:
    assert toy.assets is not None
    lacking = dataclasses.replace(toy.assets, programs=("bash", "no-such-unzip"))
    folder = make_folder(tmp_path / "toy", tmp_path / "hub")
    with pytest.raises(MissingDependencyError, match="apt-get install no-such-unzip"):
        place_assets(dataclasses.replace(toy, assets=lacking), folder, None, stand_in=False)


@pytest.mark.parametrize(
    ("commits", "own"),
    [({}, False), ({"assets": "ab"}, True), ({"assets": f"ab {STAND_IN}"}, False)],
)
def test_stand_ins_are_told_apart(commits: dict[str, str], own: bool, tmp_path: Path) -> None:
    there = Installation(python=tmp_path, folder=tmp_path, facts={"commits": commits})
    assert there.has_own_assets is own
