"""The official CALVIN layout is read as it is and converted without loss of what is trained on."""

import functools
import json
import os
import pickle

import numpy as np
import pytest

from uamsim import cli
from uamsim.data import conversion
from uamsim.data.action_data import ActionDataset
from uamsim.data.calvin import CalvinDataset, read_frame, read_pictures, read_values
from uamsim.data.conversion import ConversionConfig, convert_calvin
from uamsim.data.lerobot import LeRobotDataset
from uamsim.errors import ConfigError, DatasetError, UnknownNameError
from uamsim.testing.calvin import SEGMENTS, SPANS, make_official_dataset


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    return make_official_dataset(tmp_path_factory.mktemp("official") / "task_AB_B")


@pytest.fixture
def config(official):
    return ConversionConfig(source=str(official))


@pytest.fixture(scope="module")
def converted(official, tmp_path_factory):
    config = ConversionConfig(source=str(official))
    return convert_calvin(config, tmp_path_factory.mktemp("converted") / "data")


def contents(root):
    files = (path for path in root.rglob("*") if path.is_file() and ".cache" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_the_official_layout_is_read(official):
    dataset = CalvinDataset(official)
    assert dataset.spans.tolist() == [list(span) for span in SPANS]
    assert [(s.start, s.stop, s.task, s.instruction, s.scene) for s in dataset.segments] == [
        *SEGMENTS
    ]
    segment = dataset.segments[0]
    pictures = list(read_pictures(dataset.folder, segment, "gripper"))
    assert [p[0, 0, 0] for p in pictures] == [103, 104, 105, 106, 107, 108]
    assert read_values(dataset.folder, segment, "scene_obs").shape == (6, 24)
    frame = read_frame(dataset.folder, 5, ("depth_static", "actions"))
    assert {name: v.shape for name, v in frame.items()} == {
        "depth_static": (200, 200),
        "actions": (7,),
    }
    with pytest.raises(UnknownNameError, match="validation"):
        CalvinDataset(official, "validating")


def test_each_segment_becomes_an_episode_in_its_words(official, converted):
    data, dataset = LeRobotDataset(converted), CalvinDataset(official)
    assert data.instructions == [text for *_, text, _ in SEGMENTS]
    assert data.env_ids == [f"uamsim_envs:uamsim/Calvin-{scene}-v0" for *_, scene in SEGMENTS]
    assert (data.fps, data.control, data.cameras) == (30, "relative", ("static", "gripper"))
    for i, segment in enumerate(dataset.segments):
        span = slice(data.episode_start[i], data.episode_stop[i])
        state, action = (
            read_values(dataset.folder, segment, field) for field in ("robot_obs", "rel_actions")
        )
        assert np.array_equal(data.state[span], state)
        assert np.array_equal(data.action[span], action)
        assert set(np.unique(data.action[span][:, 6])) <= {-1.0, 1.0}
        for camera in data.cameras:
            seen = data.frames(camera)[span].mean(axis=(1, 2, 3))
            true = [p.mean() for p in read_pictures(dataset.folder, segment, camera)]
            np.testing.assert_allclose(seen, true, atol=2)
    info = json.loads((converted / "meta/info.json").read_text())
    features = info["features"]
    assert features["observation.images.gripper"]["shape"] == [84, 84, 3]
    assert features["observation.state"]["shape"] == [15]
    assert features["action"]["shape"] == [7]
    assert all(
        len(features[name]["names"]["motors"]) == features[name]["shape"][0]
        for name in ("observation.state", "action")
    )
    assert not [name for name in contents(converted) if "part-" in name or "/." in name]


def test_one_size_can_be_trained_on_and_two_cannot(official, converted, tmp_path):
    with pytest.raises(ConfigError, match="--image-size"):
        ActionDataset(converted, chunk=4, cameras=("static", "gripper"))
    sized = ConversionConfig(source=str(official), image_size=(32, 48), scenes=("B",))
    root = convert_calvin(sized, tmp_path / "sized")
    data = ActionDataset(root, chunk=4, cameras=("static", "gripper"))
    assert data.dataset.instructions == [SEGMENTS[2][3]]
    batch = data.sample(np.random.default_rng(0), 5)
    assert batch["images"].shape == (5, 2, 32, 48, 3)
    assert batch["proprio"].shape == (5, 15)
    assert batch["actions"].shape == (5, 4, 7)


def test_an_interrupted_conversion_goes_on(config, tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "EPISODES_PER_FILE", 1)
    whole = convert_calvin(config, tmp_path / "whole")
    real, written = conversion.write_data_file, []

    def write(folder, number, *args, stop=None, **kwargs):
        if number == stop:
            (folder / "videos" / ".file-002.mp4.partial").write_bytes(b"half")
            raise KeyboardInterrupt
        written.append(number)
        real(folder, number, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "write_data_file", functools.partial(write, stop=2))
        with pytest.raises(KeyboardInterrupt):
            convert_calvin(config, tmp_path / "data")
    assert written == [0, 1]
    assert not (tmp_path / "data").exists()
    written.clear()
    monkeypatch.setattr(conversion, "write_data_file", write)
    assert convert_calvin(config, tmp_path / "data") == tmp_path / "data"
    assert written == [2]
    assert contents(tmp_path / "data") == contents(whole)
    written.clear()
    convert_calvin(config, tmp_path / "data")
    assert written == []
    with pytest.raises(ConfigError, match="image_size is None there"):
        convert_calvin(ConversionConfig(source=config.source, image_size=(8, 8)), tmp_path / "data")


def test_damage_is_named(tmp_path):
    root = make_official_dataset(tmp_path / "official")
    config = ConversionConfig(source=str(root))
    frame = root / "training" / "episode_0000008.npz"
    whole = frame.read_bytes()
    for damage, says in (
        (lambda: frame.unlink(), "episode_0000008.npz is missing"),
        (lambda: frame.write_bytes(whole[: len(whole) // 2]), "cannot be read"),
        (lambda: np.savez(frame, robot_obs=np.zeros(14)), r"robot_obs .* expected \[15\]"),
        (lambda: np.savez(frame, robot_obs=np.full(15, np.nan)), "all finite"),
    ):
        damage()
        with pytest.raises(DatasetError, match=says):
            convert_calvin(config, tmp_path / "data")
        assert not (tmp_path / "data").exists()
        frame.write_bytes(whole)
    (root / "training" / "ep_start_end_ids.npy").unlink()
    with pytest.raises(DatasetError, match=r"ep_start_end_ids\.npy is missing"):
        convert_calvin(config, tmp_path / "data")
    with pytest.raises(DatasetError, match=r"no segment of the scenes D; it has 3"):
        convert_calvin(
            ConversionConfig(source=str(make_official_dataset(tmp_path / "b")), scenes=("D",)),
            tmp_path / "d",
        )


class Trap:
    def __reduce__(self):
        return os.mkdir, ("trapped",)


def test_annotations_run_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = make_official_dataset(tmp_path / "official")
    path = root / "training/lang_annotations/auto_lang_ann.npy"
    np.save(path, np.array({"language": Trap()}), allow_pickle=True)
    with pytest.raises(DatasetError, match=r"names posix.mkdir"):
        CalvinDataset(root)
    assert not (tmp_path / "trapped").exists()
    for value, says in (({"info": {}}, "indx"), ([1], "holds a list"), (7, "int")):
        np.save(path, np.array(None), allow_pickle=True)
        with path.open("wb") as handle:
            np.lib.format.write_array(handle, _boxed(value), allow_pickle=True)
        with pytest.raises(DatasetError, match=says):
            CalvinDataset(root)
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(DatasetError, match="cannot be read"):
        CalvinDataset(root)


def _boxed(value):
    box = np.empty((), dtype=object)
    box[()] = value
    return box


def test_the_command_converts(official, tmp_path, capsys):
    out = tmp_path / "data"
    words = ["convert", "calvin", str(official), "--out", str(out), "--workers", "1"]
    assert cli.main([*words, "--image-size", "16", "24", "--cameras", "gripper"]) == 0
    assert "3 episodes, 20 frames at 30 a second, cameras gripper" in capsys.readouterr().out
    assert LeRobotDataset(out).frames("gripper").shape == (20, 16, 24, 3)
    assert cli.main(["convert", "bridge", "x"]) == 2
    assert cli.main([*words[:3], "--out", str(tmp_path / "x"), "--split", "validation"]) == 1
    assert "validation" in capsys.readouterr().err
