"""`uamsim collect` as a user meets it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from uamsim.cli import main
from uamsim.cli.collect import parse
from uamsim.data.lerobot import LeRobotDataset
from uamsim.worlds import WORLDS, resolve_tasks

ARGS = ["collect", "aloha", "--tasks", "press_button", "--episodes", "7", "--image-size", "48"]
ARGS = [*ARGS, "64", "--cameras", "primary", "left_wrist", "--out"]


@pytest.mark.parametrize("words", [[], ["--list"], ["--help"]])
def test_listing(capsys, words):
    assert main(["collect", *words]) == 0
    text = capsys.readouterr().out
    assert "press_button" in text
    assert "scene" not in text.split()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["aloah"], "Did you mean 'aloha'"),
        (["aloha", "--tasks", "press_button", "pick_plac"], "Did you mean 'pick_place'"),
        (["aloha", "--control", "joints"], "Did you mean 'joint'"),
        (["aloha", "--render-profile", "fats"], "Did you mean 'fast'"),
        (["aloha", "--split", "chinse"], "Did you mean 'chinese'"),
        (["aloha", "--cameras", "primry", "--workers", "1"], "Did you mean 'primary'"),
        (["aloha", "--fps", "12"], "1, 2, 5, 10, 25, 50"),
        (["aloha", "--episodes", "0"], "--episodes must be at least 1"),
        (["aloha", "--seed", "-3"], "--seed must be at least 0"),
        (["aloha", "--image-size", "8", "96"], "--image-size must be at least 16"),
        (["aloha", "--max-failures", "1.5"], "--max-failures"),
        (["aloha", "--workers", "-1"], "--workers must be at least 0"),
        (["--tasks", "pick_place"], "name comes first"),
    ],
)
def test_bad_words_say_what_is_meant(tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(["collect", *words]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("out", ["/", "/proc/x", "file", "file/x"])
def test_folders_that_cannot_be(tmp_path, capsys, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    assert main(["collect", "aloha", "--out", out]) == 1
    assert "Choose " in capsys.readouterr().err


def test_unknown_flag_names_the_nearest(capsys):
    with pytest.raises(SystemExit):
        main(["collect", "aloha", "--episode", "3"])
    assert "--episodes" in capsys.readouterr().err


def test_options_by_either_name():
    request, options = parse(
        "aloha", ["--first-seed", "5", "--resume", "--out", "x", "--workers", "3"]
    )
    assert request.seed == 5
    assert (options.out, options.workers) == (Path("x"), 3)
    assert parse("aloha", ["--first-seed=6"])[0].seed == 6
    assert parse("aloha", [])[1].workers >= 1


def test_tasks_come_from_the_world():
    tasks = WORLDS["aloha"].tasks
    assert tasks["press_button"] == "uamsim_envs:uamsim/AlohaPressButton-v0"
    assert "scene" not in tasks
    assert resolve_tasks("aloha", ()) == tasks
    assert list(resolve_tasks("aloha", ("pick_place", "press_button", "pick_place"))) == [
        "pick_place",
        "press_button",
    ]


def test_killed_and_with_more_workers_it_becomes_the_same(tmp_path, capfd):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    run = "from uamsim.cli import main; raise SystemExit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", run, *ARGS, str(killed), "--workers", "2"], stderr=subprocess.PIPE
    ) as process:
        episodes = tmp_path / "killed.partial" / "episodes"
        deadline = time.monotonic() + 240
        while len(list(episodes.glob("[!.]*.npz"))) < 2:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    capfd.readouterr()
    assert main([*ARGS, str(killed), "--workers", "2"]) == 0
    output = capfd.readouterr()
    assert "going on after" in output.err
    assert "7/7 episodes" in output.err
    assert main([*ARGS, str(whole), "--workers", "1"]) == 0
    output = capfd.readouterr()
    assert "7 episodes (recorded 7 in" in output.out
    assert str(whole) in output.out
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(killed) for p in killed.rglob("*") if p.is_file())
    assert all((killed / name).read_bytes() == (whole / name).read_bytes() for name in files)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".killed.lock", ".whole.lock", "killed", "whole"]
    dataset = LeRobotDataset(killed)
    assert len(set(map(tuple, dataset.frames("primary").reshape(len(dataset), -1)[:, ::97]))) > 9
    assert np.isfinite(dataset.action).all()
