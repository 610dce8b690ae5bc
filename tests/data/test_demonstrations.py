"""Recording, the LeRobot layout, damage, and what training draws from it."""

import dataclasses
import json
import shutil

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from huggingface_hub.utils import DEFAULT_IGNORE_PATTERNS, filter_repo_objects
from hypothesis import given, settings
from hypothesis import strategies as st

from uamsim.data import recording as module
from uamsim.data.action_data import ActionDataset
from uamsim.data.config import DemonstrationConfig
from uamsim.data.demonstrations import collect_demonstrations
from uamsim.data.lerobot import LeRobotDataset
from uamsim.data.normalization import SCALE_FLOOR, Normalizer
from uamsim.errors import ConfigError, DatasetError, ShapeError, StorageError, UnknownNameError


def test_layout_is_lerobot_v3(demonstrations):
    info = json.loads((demonstrations / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    assert info["total_episodes"] == 23
    assert info["splits"] == {"train": "0:23"}
    for name in ("meta/stats.json", "meta/tasks.parquet"):
        assert (demonstrations / name).exists()
    episodes = pq.read_table(demonstrations / "meta/episodes/chunk-000/file-000.parquet")
    rows = episodes.to_pylist()
    second = [row for row in rows if row["data/file_index"] == 1]
    assert len(second) == 3
    assert second[0]["videos/observation.images.top/from_timestamp"] == 0.0
    data = pq.read_table(demonstrations / "data/chunk-000/file-001.parquet")
    assert data["index"][0].as_py() == second[0]["dataset_from_index"]
    assert set(data.column_names) == {
        name for name in info["features"] if not name.startswith("observation.images")
    }
    done = np.asarray(data["next.done"])
    assert done.sum() == 3
    assert done[-1]
    tasks = pq.read_table(demonstrations / "meta/tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["__index_level_0__"]
    assert not list(demonstrations.glob("part-*"))


def test_only_successes_are_kept_and_failures_counted(demonstrations):
    rows = pq.read_table(
        demonstrations / "meta/episodes/chunk-000/file-000.parquet", columns=["seed"]
    )
    kept = rows["seed"].to_pylist()
    failed = json.loads((demonstrations / "meta/collection.json").read_text())["failed_seeds"]
    assert all(seed % 4 != 3 for seed in kept)
    assert failed
    assert all(seed % 4 == 3 for seed in failed)
    assert len(set(kept)) == 23


def test_actions_are_the_target_at_the_end_of_each_interval(demonstrations):
    data = LeRobotDataset(demonstrations)
    for episode in range(3):
        span = slice(data.episode_start[episode], data.episode_stop[episode])
        action, state = data.action[span], data.state[span]
        length = int(data.instructions[episode].split(" ")[2])
        expected = [min(5 * (i + 1), length) / 100 for i in range(len(action))]
        np.testing.assert_allclose(action[:, 0], expected, atol=1e-6)
        np.testing.assert_allclose(state[1:, 0], action[:-1, 0], atol=1e-6)


def test_pictures_survive_the_video(demonstrations):
    data = LeRobotDataset(demonstrations)
    frames = data.frames("top")
    assert frames.shape == (len(data), 32, 48, 3)
    shade = 30 + 3 * (np.round(data.state[:, 0] * 100).astype(int) // 5)
    assert np.abs(frames.astype(int) - shade[:, None, None, None]).max() <= 3
    with pytest.raises(UnknownNameError, match="primary"):
        data.frames("primry")


def test_recording_is_resumable_and_independent_of_order(
    tmp_path, demonstrations, task_id, monkeypatch
):
    config = DemonstrationConfig(
        env_ids=(task_id,), episodes_per_env=23, image_size=(32, 48), cameras=("primary", "top")
    )
    real = module.record_episode

    def full_disk(env, env_id, seed, fps):
        if seed > config.seed0 + 41:
            raise OSError(28, "No space left on device")
        return real(env, env_id, seed, fps)

    monkeypatch.setattr(module, "record_episode", full_disk)
    with pytest.raises(StorageError, match="Free some space"):
        collect_demonstrations(config, tmp_path / "data")
    assert (tmp_path / "data.partial/part-00000.npz").exists()
    recorded = []

    def counting(env, env_id, seed, fps):
        recorded.append(seed)
        return real(env, env_id, seed, fps)

    monkeypatch.setattr(module, "record_episode", counting)
    root = collect_demonstrations(config, tmp_path / "data")
    assert min(recorded) >= config.seed0 + 40
    a, b = LeRobotDataset(root), LeRobotDataset(demonstrations)
    np.testing.assert_array_equal(a.action, b.action)
    np.testing.assert_array_equal(a.frames("top"), b.frames("top"))


def test_a_broken_expert_is_reported(tmp_path, task_id):
    config = DemonstrationConfig(env_ids=(task_id,), episodes_per_env=20, max_failures=0.0)
    with pytest.raises(DatasetError, match="Mend the expert"):
        collect_demonstrations(config, tmp_path / "data")


@pytest.mark.parametrize(
    "name",
    [
        "meta/info.json",
        "meta/episodes/chunk-000/file-000.parquet",
        "data/chunk-000/file-001.parquet",
        "videos/observation.images.primary/chunk-000/file-000.mp4",
    ],
)
@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_damage_names_the_file(tmp_path, demonstrations, name, damage):
    root = tmp_path / "data"
    shutil.copytree(demonstrations, root, ignore=shutil.ignore_patterns(".cache"))
    path = root / name
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.write_bytes(b"not what was expected")
    with pytest.raises(DatasetError) as caught:
        LeRobotDataset(root).frames("primary")
    assert path.name in str(caught.value)
    assert "collect it again" in str(caught.value)


def test_tables_that_do_not_fit_are_refused(tmp_path, demonstrations):
    root = tmp_path / "data"
    shutil.copytree(demonstrations, root)
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps(info | {"total_frames": 7}))
    with pytest.raises(DatasetError, match="frames in 23 episodes"):
        LeRobotDataset(root)
    (root / "meta/info.json").write_text(json.dumps(info | {"codebase_version": "v2.1"}))
    with pytest.raises(DatasetError, match=r"v3\.0"):
        LeRobotDataset(root)


def test_batches(demonstrations):
    data = ActionDataset(demonstrations, chunk=3, cameras=("primary", "top"))
    source = data.dataset
    every = data.batch(np.arange(len(data)))
    assert every["images"].shape == (len(data), 2, 32, 48, 3)
    raw = data.normalizer.unnormalize(every["actions"], "action")
    for start, goal in every["frame_ids"][:40]:
        episode = source.episode_index[start]
        last = source.episode_stop[episode] - 1
        assert goal == min(start + 3, last)
        assert every["goal_clamped"][start] == (start + 3 > last)
        valid = min(3, last - start + 1)
        assert every["action_mask"][start].tolist() == [i < valid for i in range(3)]
        np.testing.assert_allclose(
            raw[start, :valid], source.action[start : start + valid], rtol=1e-4, atol=1e-4
        )
        np.testing.assert_array_equal(every["goal_images"][start], source.frames("primary")[goal])
    a, b = (data.sample(np.random.default_rng(1), 16) for _ in range(2))
    np.testing.assert_array_equal(a["frame_ids"], b["frame_ids"])
    assert a["instructions"] == b["instructions"]
    with pytest.raises(ConfigError, match="positive chunk"):
        ActionDataset(demonstrations, chunk=0)


def test_bad_configs():
    with pytest.raises(ConfigError, match="divide 50"):
        DemonstrationConfig(fps=12)
    with pytest.raises(ConfigError, match="env_ids"):
        DemonstrationConfig(env_ids=())
    assert dataclasses.replace(DemonstrationConfig(), fps=25).fps == 25


@given(
    seed=st.integers(0, 1000),
    mode=st.sampled_from(["mean_std", "quantile"]),
    scale=st.floats(0.0, 10.0),
)
@settings(deadline=None)
def test_normalizer_round_trips(seed, mode, scale):
    rng = np.random.default_rng(seed)
    action = (rng.normal(size=(50, 4)) * scale + 3).astype(np.float32)
    action[:, 0] = 0.25
    normalizer = Normalizer.fit(action, action[:, :2], mode)
    assert Normalizer.from_json(json.loads(json.dumps(normalizer.to_json()))) == normalizer
    there = normalizer.normalize(action, "action")
    assert there.dtype == np.float32
    np.testing.assert_allclose(normalizer.unnormalize(there, "action"), action, atol=1e-3)
    np.testing.assert_allclose(there[:, 0], 0, atol=1e-4)
    assert normalizer.action_scale[0] == SCALE_FLOOR


def test_normalizer_refuses_data_of_another_kind():
    rng = np.random.default_rng(0)
    action = rng.normal(size=(200, 4)) * [1.0, 0.1, 0.0, 2.0] + [0.0, 1.0, 0.3, -1.0]
    for mode in ("mean_std", "quantile"):
        normalizer = Normalizer.fit(action, action, mode)
        normalizer.check_fits(action[:100], action[100:] + 0.01)
        with pytest.raises(ConfigError, match=r"action\[0\] .*action\[1\]"):
            normalizer.check_fits(np.rad2deg(action), action)
        with pytest.raises(ConfigError, match=r"proprio\[1\] .*; proprio\[2\]"):
            normalizer.check_fits(action, action[:, ::-1])
        with pytest.raises(ConfigError, match="3 dimensions, not 4"):
            normalizer.check_fits(action[:, :3], action)


def test_normalizer_is_strict():
    data = np.zeros((3, 2), np.float32)
    normalizer = Normalizer.fit(data, data)
    with pytest.raises(ShapeError, match="end in 2"):
        normalizer.normalize(np.zeros((4, 3)), "action")
    with pytest.raises(ShapeError, match="finite"):
        Normalizer.fit(data * np.nan, data)
    with pytest.raises(ConfigError, match="not a normaliser"):
        Normalizer.from_json({"mode": "mean_std"})
    with pytest.raises(ConfigError, match="positive"):
        dataclasses.replace(normalizer, action_scale=(0.0, 1.0))
    with pytest.raises(ConfigError, match="mode"):
        dataclasses.replace(normalizer, mode="max")


def test_decoded_pictures_are_not_pushed_and_a_read_only_dataset_stays_as_it_is(
    tmp_path, demonstrations, monkeypatch
):
    root = tmp_path / "data"
    shutil.copytree(demonstrations, root, ignore=shutil.ignore_patterns(".cache"))

    def files():
        return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}

    before = files()
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda path, mode: False)
        kept = LeRobotDataset(root).frames("primary")
        assert files() == before
    assert np.array_equal(LeRobotDataset(root).frames("primary"), kept)
    assert len(files()) == len(before) + 1
    pushed = filter_repo_objects(files(), ignore_patterns=DEFAULT_IGNORE_PATTERNS)
    assert set(pushed) == before


def test_a_dataset_that_lost_its_control_says_so(tmp_path, demonstrations):
    root = tmp_path / "data"
    shutil.copytree(demonstrations, root)
    info = json.loads((root / "meta/info.json").read_text())
    del info["control"]
    (root / "meta/info.json").write_text(json.dumps(info))
    with pytest.raises(DatasetError, match=r"does not say what actions are.*ee, joint, relative"):
        LeRobotDataset(root)
    data = LeRobotDataset(root, control="ee")
    assert (data.control, data.control_hz) == ("ee", 50)


def test_what_others_ask_of_a_dataset_is_an_option(tmp_path, task_id):
    config = DemonstrationConfig(
        env_ids=(task_id,),
        episodes_per_env=2,
        image_size=(32, 48),
        pixel_format="yuv420p",
        quantiles=True,
    )
    root = collect_demonstrations(config, tmp_path / "data")
    data = LeRobotDataset(root)
    stats = json.loads((root / "meta/stats.json").read_text())
    for name, values in (("action", data.action), ("observation.state", data.state)):
        expected = np.quantile(values.astype(np.float64), 0.99, axis=0)
        np.testing.assert_allclose(stats[name]["q99"], expected)
    with av.open(str(next(root.rglob("*.mp4")))) as video:
        assert video.streams.video[0].pix_fmt == "yuv420p"
    feature = data.info["features"]["observation.images.primary"]
    assert feature["info"]["video.pix_fmt"] == "yuv420p"
    assert data.frames("primary").shape == (len(data), 32, 48, 3)
    with pytest.raises(ConfigError, match="must be even with pixel_format yuv420p"):
        dataclasses.replace(config, image_size=(31, 48))
