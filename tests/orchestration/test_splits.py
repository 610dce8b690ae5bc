"""Splits by name and from a file; previews and checks as a user asks for them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uamsim.cli import main
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.orchestration.worlds import split_checks
from uamsim.orchestration.worlds.split_checks import check_split
from uamsim.orchestration.worlds.split_requests import CheckRequest
from uamsim.perturbations.axes.scene import CameraPose, Lighting
from uamsim.perturbations.language.language import Language
from uamsim.perturbations.language.wording import Chinese
from uamsim.perturbations.splits import GRIDS, SPLITS, find_split

OWN = """
from uamsim.perturbations.axes.scene import CameraPose, Lighting
from uamsim.perturbations.splits import Split

dusk = Split(
    name="dusk", summary="dark", perturbations=CameraPose(severity=2) | Lighting(severity=4)
)
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    return f"{path}:dusk"


def test_names_of_splits(own: str) -> None:
    assert find_split("chinese") is SPLITS["chinese"]
    lit = find_split("lighting@4")
    assert tuple(lit.perturbations) == (Lighting(severity=4),)
    both = find_split("chinese+lighting@4")
    assert tuple(both.perturbations) == (Lighting(severity=4), Chinese())
    assert tuple(find_split(own).perturbations) == (Lighting(severity=4), CameraPose(severity=2))
    for row in GRIDS["language_x_visual"]:
        for name in row:
            find_split(name)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("chinees", UnknownNameError, "Did you mean 'chinese'"),
        ("lightning@2", UnknownNameError, "Did you mean 'lighting'"),
        ("lighting@bright", ConfigError, "such as lighting@3"),
        ("lighting@9", ConfigError, "from 0 to 5"),
        ("chinese+pinyin", ConfigError, "do not go together"),
        ("no_file.py:dusk", ConfigError, "no_file.py"),
    ],
)
def test_wrong_names_say_what_to_do(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        find_split(name)


def test_wrong_name_in_a_file(own: str) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'dusk'"):
        find_split(own.replace("dusk", "dsuk"))


def test_preview_of_an_own_split(own: str, tmp_path: Path) -> None:
    words = ["splits", "preview", own, "--out", str(tmp_path / "out"), "--episodes", "2"]
    assert main([*words, "--image-size", "48", "64", "--env", "press_button"]) == 0
    sheet = np.asarray(Image.open(tmp_path / "out" / "dusk.png"))
    assert sheet.shape[1] > 2 * 64
    facts = json.loads((tmp_path / "out" / "dusk.json").read_text())
    assert [p["type"] for p in facts["perturbations"]] == ["Lighting", "CameraPose"]
    first, second = facts["episodes"]
    assert set(first["drawn"]) == {"Lighting", "CameraPose"}
    assert first["drawn"] != second["drawn"]
    assert "button" in first["instruction"]


def test_check_of_a_sound_split(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["splits", "check", "pinyin+lighting@5", "--env", "press_button", "--episodes", "4"]
    assert main([*words, "--training-episodes", "20"]) == 0
    table = capsys.readouterr().out
    assert "| AlohaPressButton-v0 | 4/4" in table
    assert "| yes | none | 4/4 | none |" in table


def test_check_finds_what_is_novel_and_no_leak() -> None:
    request = CheckRequest(env=("press_button",), episodes=6, training_episodes=30)
    (check,) = check_split("novel_object", request)
    assert check.ok
    assert check.novel


def test_check_finds_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that shows held-out things, words that lie or name the split, a failing expert."""
    real = split_checks.play_expert

    def leaky(env_id: str, seeds: range, **options: object) -> list:
        return real(env_id, seeds, split="novel_object", only_reset=True)

    def broken(jobs: list[tuple[str, str]], seeds: range, **options: object) -> list:
        (plain, _), (env_id, split) = jobs
        played = [real(plain, seeds, only_reset=True)]
        for episode in played[0]:
            object.__setattr__(episode.record, "success", True)
        with monkeypatch.context() as lying:
            text = "press_button the red round button on novel_object"
            lying.setattr(Language, "say", lambda *_, **given: text)
            return [*played, real(env_id, seeds, split=split, only_reset=True)]

    monkeypatch.setattr(split_checks, "play_expert", leaky)
    monkeypatch.setattr(split_checks, "play_experts", broken)
    request = CheckRequest(env=("press_button",), episodes=3, training_episodes=20)
    (check,) = check_split("chinese", request)
    assert not check.ok
    assert not check.solvable
    assert check.leaks
    assert len(check.misread) == 3
    assert set(check.named) >= {"press_button", "novel_object"}
