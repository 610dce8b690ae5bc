import errno
import json
import multiprocessing
from pathlib import Path

import pytest

from uamsim.errors import DatasetError, StorageError
from uamsim.orchestration.artifacts.store import ArtifactStore, Recipe, damage, default_root

RECIPE = Recipe(kind="vlm", version=1, config={"steps": 3}, upstream={"vqa": "vqa-1"})


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "cache", shipped=tmp_path / "shipped")


def _fill(folder: Path, text: str = "x") -> None:
    (folder / "model.bin").write_text(text)


def _never(folder: Path) -> None:
    raise AssertionError("made again")


def test_made_once_and_named_by_recipe(store):
    path = store.get_or_make(RECIPE, _fill)
    assert store.get_or_make(RECIPE, _never) == path
    assert path.name == RECIPE.key
    record = json.loads((path / "recipe.json").read_text())
    assert record["recipe"]["config"] == {"steps": 3}
    for other in (
        Recipe(kind="vlm", version=2, config={"steps": 3}, upstream={"vqa": "vqa-1"}),
        Recipe(kind="vlm", version=1, config={"steps": 4}, upstream={"vqa": "vqa-1"}),
        Recipe(kind="vlm", version=1, config={"steps": 3}, upstream={"vqa": "vqa-2"}),
    ):
        assert other.key != RECIPE.key


def test_killed_maker_goes_on_with_its_own_files(store):
    def killed(folder):
        (folder / "half").write_text("1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.get_or_make(RECIPE, killed)
    assert store.find(RECIPE) is None

    def resumed(folder):
        assert (folder / "half").read_text() == "1"
        _fill(folder)

    assert (store.get_or_make(RECIPE, resumed) / "model.bin").exists()


@pytest.mark.parametrize("harm", ["truncate", "flip", "remove", "recipe"])
def test_damaged_artifact_is_made_anew(store, harm):
    path = store.get_or_make(RECIPE, lambda folder: _fill(folder, "abc"))
    file = path / "model.bin"
    if harm == "truncate":
        file.write_text("ab")
    elif harm == "flip":
        file.write_text("abd")
    elif harm == "remove":
        file.unlink()
    else:
        (path / "recipe.json").write_text('{"recipe":')
    assert damage(path)
    store.get_or_make(RECIPE, lambda folder: _fill(folder, "abc"))
    assert file.read_text() == "abc"
    assert not damage(path)


def test_caches_of_readers_do_not_matter(store):
    path = store.get_or_make(RECIPE, _fill)
    (path / "frames.npy").write_text("cache")
    assert store.get_or_make(RECIPE, _never) == path


def test_full_disk_says_what_to_do_and_keeps_what_is_there(store):
    def full(folder):
        _fill(folder)
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "model.bin"))

    with pytest.raises(StorageError, match=r"disk is full.*--resume"):
        store.get_or_make(RECIPE, full)
    assert store.find(RECIPE) is None
    store.get_or_make(RECIPE, lambda folder: None)
    assert store.find(RECIPE)


def test_root_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((StorageError, NotADirectoryError)):
        ArtifactStore(tmp_path / "file" / "cache").get_or_make(RECIPE, _fill)


def test_empty_artifact_is_an_error(store):
    with pytest.raises(DatasetError, match="empty"):
        store.get_or_make(RECIPE, lambda folder: None)


def test_shipped_artifact_is_used_unless_remade(tmp_path, store):
    made = store.get_or_make(RECIPE, _fill)
    made.rename(tmp_path / "moved")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "moved").rename(tmp_path / "shipped" / RECIPE.key)
    assert store.get_or_make(RECIPE, _never).parent == tmp_path / "shipped"

    def anew(run):
        return ArtifactStore(tmp_path / "cache", shipped=tmp_path / "shipped", remake=run)

    first = anew("run1").get_or_make(RECIPE, _fill, remakable=True)
    assert first.parent == tmp_path / "cache"
    assert anew("run1").get_or_make(RECIPE, _never, remakable=True) == first
    assert anew("run1").get_or_make(RECIPE, _never).parent == tmp_path / "shipped"
    anew("run2").get_or_make(RECIPE, lambda folder: _fill(folder, "new"), remakable=True)
    assert (first / "model.bin").read_text() == "new"


def test_environment_variable_moves_the_root(monkeypatch, tmp_path):
    monkeypatch.setenv("UAMSIM_CACHE", str(tmp_path / "c"))
    assert default_root() == tmp_path / "c"


def _make_slowly(root: str) -> None:
    import time

    def fill(folder):
        with (Path(root) / "calls").open("a") as handle:
            handle.write("x")
        time.sleep(0.3)
        _fill(folder)

    ArtifactStore(Path(root) / "cache").get_or_make(RECIPE, fill)


def test_two_processes_make_it_once(tmp_path):
    # fork: a spawned child would have to import this file by name.
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_make_slowly, args=(str(tmp_path),)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert (tmp_path / "calls").read_text() == "x"
