"""A world of somebody else's goes through every command without a line outside its folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from uamsim.reporting.results import validate_results
from uamsim.storage import read_json

TOY = Path(__file__).with_name("toy")
RUN = """
import json, sys
from uamsim.cli import main
for words in json.loads(sys.argv[1]):
    status = main(words)
    if status:
        raise SystemExit(f"{words} ended with {status}")
"""
POLICIES = {None, "random", "blind", "deaf", "shuffled"}
SMALL = ["--max-episode-steps", "60", "--workers", "0"]


@pytest.fixture(name="run")
def _run(tmp_path: Path):
    """Runs commands as if the toy's package had been installed; returns what they print."""
    installed = tmp_path / "installed" / "uamsim_toy-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: uamsim-toy\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[uamsim.worlds]\ntoy = uamsim_toy\n")
    paths = [TOY, installed.parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "UAMSIM_CACHE": str(tmp_path / "c")}

    def run(*commands: str) -> str:
        words = json.dumps([command.split() for command in commands])
        done = subprocess.run(
            [sys.executable, "-c", RUN, words],
            cwd=tmp_path,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_it_is_recorded_pictured_perturbed_and_its_expert_rolled_out(run, tmp_path: Path) -> None:
    small = " ".join(SMALL)
    text = run(
        "collect --list",
        "collect slide --episodes 8 --image-size 32 48 --workers 2 --out data",
        "gallery --world slide --image-size 96 128 --out gallery",
        "splits preview image_noise@3+chinese --env slide --episodes 2 --out splits",
        "splits check image_noise@3+chinese --env slide --episodes 6 --training-episodes 9",
        f"evaluate --policy expert --env slide --split in_domain action_delay@2+code_mix "
        f"--episodes 4 --videos 1 --out expert {small}",
        f"evaluate --policy random --env uamsim_toy/Slide-v0 --episodes 4 --out random {small}",
    )
    assert "  slide: a gripper that slides onto one of two cubes and closes\n      slide\n" in text
    assert "| Slide-v0 | 6/6 " in text
    info = read_json(tmp_path / "data" / "meta" / "info.json")
    assert (info["robot_type"], info["fps"], info["control_hz"]) == ("slider", 5, 25)
    for name in ("action", "observation.state"):
        assert info["features"][name]["names"] == {"motors": ["x", "y", "gripper"]}
    assert next(iter(info["features"])) == "observation.images.overhead"
    for path in ("gallery/slide.png", "gallery/slide.mp4", "splits/image_noise@3+chinese.png"):
        assert (tmp_path / path).stat().st_size > 1000
    rows = read_json(tmp_path / "expert" / "results.json")["rows"]
    assert {(row["split"], row["rate"]) for row in rows} == {
        ("in_domain", 1.0),
        ("action_delay@2+code_mix", 1.0),
    }
    assert len(list((tmp_path / "expert" / "videos").glob("*.mp4"))) == 1


@pytest.mark.slow
def test_an_experiment_trains_evaluates_and_reports_in_it(run, tmp_path: Path) -> None:
    run(
        "experiment dorsal_sweep --world slide --scale debug --runner inline --workers 1 --out run "
        "--variants no_dorsal --e-sem unfrozen --no-restored --media.splits in_domain "
        "--evaluation.splits in_domain pinyin"
    )
    out = tmp_path / "run"
    results = read_json(out / "results.json")
    validate_results(results)
    assert {row["split"] for row in results["rows"]} == {"in_domain", "pinyin"}
    assert {row["control"] for row in results["rows"]} == POLICIES
    titles = [entry["title"] for entry in results["media"]["worlds"]]
    # The policies see no other camera.
    assert [title.partition(":")[0] for title in titles] == ["Slide-v0, overhead"]
    assert results["media"]["videos"]
    assert "Slide" in (out / "report.html").read_text("utf-8")
    spec = read_json(out / "spec.json")
    assert (spec["model"]["action_dim"], spec["demonstrations"]["fps"]) == (3, 5)
    (checkpoint,) = out.glob("trials/*/step-*.safetensors")
    run(f"evaluate --policy {checkpoint} --env slide --episodes 2 --out tuned {' '.join(SMALL)}")
    tuned = read_json(tmp_path / "tuned" / "results.json")
    assert {row["control"] for row in tuned["rows"]} == {
        None,
        "random",
        "blind",
        "deaf",
        "shuffled",
    }
