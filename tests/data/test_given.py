"""Datasets that others wrote are taken in as they are."""

import dataclasses
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from uamsim.cli.experiment import parse
from uamsim.data.config import DataConfig, DemonstrationConfig
from uamsim.data.given import GivenDataset
from uamsim.data.lerobot import LeRobotDataset
from uamsim.errors import ConfigError, DatasetError
from uamsim.evaluation.config import EvaluationConfig
from uamsim.orchestration.artifacts.given_data import fit_to_data
from uamsim.orchestration.artifacts.stages import recipes
from uamsim.orchestration.experiments import build_experiment
from uamsim.orchestration.spec import ExperimentSpec

MAPPED = {
    "camera_map": ("primary=observation.images.cam_high",),
    "state": "observation.joints",
    "control": "ee",
}
RENAMED = {
    "observation.state": "observation.joints",
    "observation.images.primary": "observation.images.cam_high",
}


@pytest.fixture
def foreign(tmp_path: Path, demonstrations: Path) -> Path:
    """The recorded dataset under other names, its episodes in two files, without its control.

    The first episode was deleted, so that videos and tables hold frames of nobody.
    """
    root = tmp_path / "foreign"
    shutil.copytree(demonstrations, root, ignore=shutil.ignore_patterns(".cache"))

    def renamed(name: str) -> str:
        for old, new in RENAMED.items():
            name = name.replace(old, new)
        return name

    videos = root / "videos"
    (videos / "observation.images.primary").rename(videos / "observation.images.cam_high")
    for path in root.rglob("*.parquet"):
        table = pq.read_table(path)
        table = table.rename_columns([renamed(name) for name in table.column_names])
        if "episodes" in path.parts:
            pq.write_table(table.slice(1, 9), path)
            pq.write_table(table.slice(10), path.with_name("file-001.parquet"))
        else:
            pq.write_table(table, path)
    change(root, lambda info: info.pop("control"))
    features = json.loads((root / "meta/info.json").read_text())["features"]
    change(root, lambda info: info.update(features={renamed(k): v for k, v in features.items()}))
    return root


def change(root: Path, how: Any) -> None:
    info = json.loads((root / "meta/info.json").read_text())
    how(info)
    (root / "meta/info.json").write_text(json.dumps(info))


def config(root: Path, **changes: Any) -> DataConfig:
    return DataConfig(**{"path": str(root), **MAPPED, **changes})


def test_other_names_several_files_and_a_deleted_episode(
    tmp_path: Path, foreign: Path, demonstrations: Path
):
    given = GivenDataset(config(foreign))
    given.write(tmp_path / "taken", (32, 48), 50)
    ours, theirs = LeRobotDataset(tmp_path / "taken"), LeRobotDataset(demonstrations)
    first = theirs.episode_stop[0]
    assert ours.instructions == theirs.instructions[1:]
    assert (ours.control, ours.control_hz, ours.cameras) == ("ee", 50, ("primary",))
    np.testing.assert_array_equal(ours.state, theirs.state[first:])
    np.testing.assert_array_equal(ours.action, theirs.action[first:])
    np.testing.assert_array_equal(ours.frames("primary"), theirs.frames("primary")[first:])
    given.write(tmp_path / "small", (16, 24), 50)
    assert LeRobotDataset(tmp_path / "small").frames("primary").shape == (len(ours), 16, 24, 3)


def test_pictures_in_tables(tmp_path: Path, foreign: Path):
    feature, picture = "observation.images.still", np.full((10, 12, 3), 77, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    for path in (foreign / "data").rglob("*.parquet"):
        table = pq.read_table(path)
        values = pa.array([{"bytes": buffer.getvalue(), "path": None}] * len(table))
        pq.write_table(table.append_column(feature, values), path)
    change(
        foreign,
        lambda info: info["features"].update({feature: {"dtype": "image", "shape": [10, 12, 3]}}),
    )
    given = GivenDataset(config(foreign, camera_map=(f"primary={feature}",)))
    given.write(tmp_path / "taken", (10, 12), 50)
    frames = LeRobotDataset(tmp_path / "taken").frames("primary")
    assert (frames == 77).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "nowhere"}, "info.json is missing. Name the folder"),
        ({"control": None}, r"--data\.control ee\|joint\|relative"),
        ({"state": "state"}, r"no vector 'state'; it has .*observation\.joints.*--data\.state"),
        ({"action": "act"}, r"no vector 'act'.*--data\.action"),
        ({"camera_map": ()}, r"cam_high.*--data\.camera-map primary=FEATURE"),
        ({"camera_map": ("primary=observation.images.side",)}, "no pictures .*images.side"),
    ],
)
def test_what_does_not_fit_names_the_option(foreign: Path, changes: dict[str, Any], message: str):
    with pytest.raises(DatasetError, match=message):
        GivenDataset(config(foreign, **changes), ("primary",))


def test_a_video_that_lost_frames_says_so(tmp_path: Path, foreign: Path):
    for path in (foreign / "meta/episodes").rglob("*.parquet"):
        table = pq.read_table(path)
        name = "videos/observation.images.cam_high/from_timestamp"
        column = table.column_names.index(name)
        later = pa.array(np.asarray(table[name]) + 100.0)
        pq.write_table(table.set_column(column, name, later), path)
    with pytest.raises(DatasetError, match=r"gives 0 of the \d+ frames.*different codecs"):
        GivenDataset(config(foreign)).write(tmp_path / "taken", (32, 48), 50)


def test_an_experiment_takes_its_sizes_from_the_dataset(foreign: Path, tmp_path: Path):
    words = ["--scale", "debug", "--data", str(foreign), "--data.state", "observation.joints"]
    words += ["--data.control", "ee"]
    words += ["--data.camera-map", *MAPPED["camera_map"], "left_wrist=observation.images.top"]
    _, spec = parse("dorsal_sweep", words)
    assert isinstance(spec, ExperimentSpec)
    assert spec.demonstrations.cameras == ("primary", "left_wrist")
    assert spec.model.num_views == 2
    assert ExperimentSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_dataset_is_its_content_and_not_tested_on(demonstrations: Path, tmp_path: Path):
    root = tmp_path / "copy"
    shutil.copytree(demonstrations, root)
    plain = build_experiment("dorsal_sweep", "debug")
    spec = fit_to_data(plain.replace(data=DataConfig(path=str(root))))
    there = fit_to_data(plain.replace(data=DataConfig(path=str(demonstrations))))
    keys = [recipes(s)["demonstrations"].key for s in (spec, there, plain)]
    assert keys[0] == keys[1] != keys[2]
    assert spec.policy_spec.cameras == plain.policy_spec.cameras
    (env_id,) = {row for row, _ in GivenDataset(spec.data).seeds()}
    tested = EvaluationConfig(env_ids=(env_id,), seed0=1_000_000)
    recorded = DemonstrationConfig(env_ids=(env_id,), image_size=(64, 96), seed0=5_000_000)
    clash = dataclasses.replace(plain, evaluation=tested, demonstrations=recorded, data=spec.data)
    with pytest.raises(ConfigError, match=r"are in .*--evaluation\.seed0 beyond"):
        fit_to_data(clash)
