"""Recording into a folder: going on after any end, order, damage, and what must not be lost."""

import dataclasses
import itertools
import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uamsim.data import demonstrations, recording
from uamsim.data.archives import read_archive, write_archive
from uamsim.data.config import DemonstrationConfig
from uamsim.data.demonstrations import collect_demonstrations, count_failures
from uamsim.data.files import exclusive
from uamsim.data.video import ClipWriter, read_clip
from uamsim.errors import ConfigError, DatasetError, SceneError, StorageError


@pytest.fixture
def config(task_id):
    return DemonstrationConfig(
        env_ids=(task_id,), episodes_per_env=23, image_size=(32, 48), cameras=("primary", "top")
    )


@pytest.fixture
def stop_after(monkeypatch):
    """Lets so many seeds be recorded and interrupts the next one; None lets all."""
    real = recording.record_episode

    def stop(count):
        counter = itertools.count()

        def record(*args):
            if count is not None and next(counter) == count:
                raise KeyboardInterrupt
            return real(*args)

        monkeypatch.setattr(recording, "record_episode", record)

    return stop


def contents(root):
    files = (path for path in root.rglob("*") if path.is_file() and ".cache" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def interrupt(config, root, stop_after, count):
    stop_after(count)
    with pytest.raises(KeyboardInterrupt):
        collect_demonstrations(config, root)
    stop_after(None)


@pytest.mark.parametrize("count", [0, 7, 27, 28])
def test_an_interrupted_recording_becomes_the_same(
    tmp_path, config, demonstrations, stop_after, count
):
    root = tmp_path / "data"
    interrupt(config, root, stop_after, count)
    assert (tmp_path / "data.partial").exists() == (count > 0)
    seen = []
    collect_demonstrations(config, root, progress=lambda done, of: seen.append((done, of)))
    assert seen[0][0] == {0: 0, 7: 6, 27: 21, 28: 22}[count]
    assert seen[-1] == (23, 23)
    assert contents(root) == contents(demonstrations)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".data.lock", "data"]


@pytest.mark.parametrize("step", ["_assemble", "_clean_up"])
def test_an_end_after_the_last_episode_loses_nothing(
    tmp_path, config, demonstrations, stop_after, monkeypatch, step
):
    with monkeypatch.context() as patch:
        patch.setattr(f"uamsim.data.demonstrations.{step}", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            collect_demonstrations(config, tmp_path / "data")
    stop_after(0)
    root = collect_demonstrations(config, tmp_path / "data")
    assert contents(root) == contents(demonstrations)


def test_what_is_finished_is_not_repeated(tmp_path, config, demonstrations, stop_after):
    root = shutil.copytree(demonstrations, tmp_path / "data")
    stop_after(0)
    assert collect_demonstrations(config, root) == root
    assert count_failures(config, root) == {config.env_ids[0]: 6}


@pytest.mark.parametrize("finished", [True, False])
def test_other_settings_are_refused(tmp_path, config, demonstrations, stop_after, finished):
    root = tmp_path / "data"
    if finished:
        shutil.copytree(demonstrations, root)
    else:
        interrupt(config, root, stop_after, 3)
    other = dataclasses.replace(config, episodes_per_env=24, fps=25)
    with pytest.raises(ConfigError, match=r"episodes_per_env is 23 there and 24 now; fps is 10"):
        collect_demonstrations(other, root)
    with pytest.raises(ConfigError, match=r"perturbations is \[\] there"):
        collect_demonstrations(config, root, perturbations=("Distractors(count=2)",))
    assert contents(collect_demonstrations(config, root)) == contents(demonstrations)


@pytest.mark.parametrize("name", ["data", "data.partial"])
def test_a_folder_of_something_else_is_left_alone(tmp_path, config, name):
    thesis = tmp_path / name / "thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("x")
    with pytest.raises(ConfigError, match="Choose another folder"):
        collect_demonstrations(config, tmp_path / "data")
    assert thesis.exists()


def test_two_at_once_are_refused(tmp_path, config):
    with (
        exclusive(tmp_path / "data"),
        pytest.raises(StorageError, match="another process"),
    ):
        collect_demonstrations(config, tmp_path / "data")


@pytest.mark.parametrize("name", ["episodes/00001-1000041.npz", "part-00000.npz", "video"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_leftover_is_named(tmp_path, config, demonstrations, stop_after, name, damage):
    root, partial = tmp_path / "data", tmp_path / "data.partial"
    interrupt(config, root, stop_after, 28)
    piece = partial / ("part-00000.npz" if name == "video" else name)
    video = "videos/observation.images.top/chunk-000/file-000.mp4"
    broken = partial / (video if name == "video" else name)
    content = bytearray(broken.read_bytes())
    content[len(content) // 2] ^= 1
    broken.write_bytes(content[: len(content) // 2] if damage == "cut" else content)
    with pytest.raises(DatasetError, match="is damaged") as caught:
        collect_demonstrations(config, root)
    assert str(piece) in str(caught.value)
    assert "Delete this file" in str(caught.value)
    piece.unlink()
    assert contents(collect_demonstrations(config, root)) == contents(demonstrations)


def test_a_scene_that_cannot_be_laid_out_is_a_failed_seed(tmp_path, config, monkeypatch):
    real = recording.record_episode

    def record(env, env_id, seed, fps):
        if seed % 2:
            raise SceneError("no room")
        return real(env, env_id, seed, fps)

    monkeypatch.setattr(recording, "record_episode", record)
    root = collect_demonstrations(config, tmp_path / "data")
    failed = json.loads((root / "meta/collection.json").read_text())["failed_seeds"]
    assert failed[:3] == [1_000_001, 1_000_003, 1_000_005]


@given(
    outcomes=st.lists(st.booleans(), min_size=12, max_size=12).filter(lambda o: sum(o) >= 5),
    workers=st.integers(1, 6),
    order=st.randoms(use_true_random=False),
)
def test_the_first_successes_are_kept_in_whatever_order_seeds_end(outcomes, workers, order):
    file = demonstrations._File(number=0, env_id="", count=5, seeds=range(100, 112))
    running = []
    while not file.full:
        while len(running) < workers and (seed := file.next_seed()) is not None:
            file.pending.add(seed)
            running.append(seed)
        seed = running.pop(order.randrange(len(running)))
        file.pending.remove(seed)
        if outcomes[seed - 100]:
            file.kept.add(seed)
        else:
            file.failed[seed] = ""
    assert not running
    successes = [seed for seed in file.seeds if outcomes[seed - 100]][:5]
    assert sorted(file.kept) == successes
    assert sorted(file.failed) == sorted(set(range(100, successes[-1])) - set(successes))


def test_clips_lose_nothing():
    pictures = np.random.default_rng(0).integers(0, 256, (12, 33, 47, 3), dtype=np.uint8)
    writer = ClipWriter()
    for picture in pictures:
        writer.add(picture)
    np.testing.assert_array_equal(np.stack(list(read_clip(writer.finish()))), pictures)


def test_pieces_are_whole_or_not_there(tmp_path):
    path = tmp_path / "a" / "piece.npz"
    write_archive(path, {"text": "数"}, {"x": np.arange(5)})
    head, arrays = read_archive(path, ("x",))
    assert head == {"text": "数"}
    np.testing.assert_array_equal(arrays["x"], np.arange(5))
    with pytest.raises(DatasetError, match="Delete this file"):
        read_archive(path, ("y",))
    assert [file.name for file in path.parent.iterdir()] == ["piece.npz"]
