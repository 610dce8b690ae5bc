"""Assets that a simulator's repositories do not hold: real ones by a link, or stand-ins."""

from pathlib import Path

import pytest

from uamsim.cli import foreign
from uamsim.cli.assets import check_assets, hash_assets
from uamsim.errors import ConfigError
from uamsim.simulators import Installation
from uamsim.worlds import find_simulator

ROBOTWIN = find_simulator("robotwin")


def make_assets(root: Path) -> Path:
    for name in ("objects/objaverse", "background_texture", "embodiments/aloha-agilex"):
        (root / name).mkdir(parents=True)
    (root / "objects/objaverse/list.json").write_text("{}")
    (root / "embodiments/aloha-agilex/config.yml").write_text("urdf_path: a.urdf\n")
    return root


@pytest.mark.parametrize(
    ("name", "assets", "stand_in", "message"),
    [
        ("robotwin", True, True, "takes --assets PATH .*, or --stand-in, .* and not both"),
        ("calvin", False, True, "calvin needs no assets"),
        ("calvin", True, False, "calvin needs no assets"),
    ],
)
def test_assets_are_given_or_generated_and_not_both(
    name: str, assets: bool, stand_in: bool, message: str, tmp_path: Path
) -> None:
    source = make_assets(tmp_path) if assets else None
    with pytest.raises(ConfigError, match=message):
        check_assets(find_simulator(name), source, stand_in)


def test_a_folder_without_the_robot_is_named(tmp_path: Path) -> None:
    root = make_assets(tmp_path)
    check_assets(ROBOTWIN, root, False)
    (root / "embodiments/aloha-agilex/config.yml").unlink()
    with pytest.raises(ConfigError, match=r"has no embodiments/aloha-agilex/config\.yml"):
        check_assets(ROBOTWIN, root, False)


def hashed(root: Path) -> str:
    return hash_assets(root, ("objects", "embodiments"))


def test_the_hash_is_of_names_and_contents(tmp_path: Path) -> None:
    one, two = make_assets(tmp_path / "one"), make_assets(tmp_path / "two")
    assert hashed(one) == hashed(two)
    (two / "objects" / "a.json").write_text("{}")
    (one / "objects" / "b.json").write_text("{}")
    assert hashed(one) != hashed(two)
    (one / "objects" / "b.json").rename(one / "objects" / "a.json")
    assert hashed(one) == hashed(two)
    (one / "objects" / "a.json").write_text("[]")
    assert hashed(one) != hashed(two)


def test_without_vulkan_the_doctor_names_a_driver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pinned = ROBOTWIN.checkouts[0]
    commits = {pinned.name: pinned.commit, "assets": "ab"}
    there = Installation(python=tmp_path, folder=tmp_path, facts={"commits": commits})
    monkeypatch.setattr(foreign, "list_simulators", lambda: {"robotwin": ROBOTWIN})
    monkeypatch.setattr(foreign, "find_installation", lambda name: there)
    found, mends = foreign.examine_simulators(
        lambda code, *, python: (code != ROBOTWIN.drawing, "failed to find a rendering device")
    )
    assert found == ["robotwin draws nothing: failed to find a rendering device"]
    assert mends == [ROBOTWIN.drawing_mend]
    assert "lavapipe >= 25" in mends[0]
    assert foreign.examine_simulators(lambda code, *, python: (True, "")) == (
        ["robotwin works"],
        [],
    )
