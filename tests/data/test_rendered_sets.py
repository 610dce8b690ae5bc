"""Rendered sets: the same for any number of workers, resumable, and clear about damage."""

import dataclasses
import json
from functools import partial

import numpy as np
import pytest

import uamsim.data.scenes as scenes_module
from uamsim.contract import SKILLS
from uamsim.data.config import SCENE_ENV_ID, SceneChangeConfig, VQAConfig
from uamsim.data.scene_change import SceneChangeDataset, generate_scene_changes
from uamsim.data.vqa import VQADataset, generate_vqa
from uamsim.errors import ConfigError, DatasetError, StorageError


def small_config(env_id, **changes):
    config = VQAConfig(
        env_id=env_id,
        num_train_scenes=12,
        num_test_scenes=30,
        questions_per_skill_test=6,
        image_size=(16, 24),
    )
    return dataclasses.replace(config, **changes)


def same_files(a, b):
    names = sorted(p.relative_to(a) for p in a.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(b) for p in b.rglob("*") if p.is_file())
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in names)


def test_vqa_round_trip(tmp_path, scene_id):
    seen = []
    root = generate_vqa(
        small_config(scene_id), tmp_path / "vqa", progress=lambda *args: seen.append(args)
    )
    assert seen[-1] == (42, 42)
    train, test = VQADataset(root, "train"), VQADataset(root, "test")
    assert (len(train), train.images.shape) == (12, (12, 16, 24, 3))
    assert train.config == small_config(scene_id)
    rng = np.random.default_rng(0)
    assert all(len(train.questions(i, rng, 5)) == 5 for i in range(12))
    questions = test.test_questions()
    assert [q.skill for _, q in questions] == [s for s in SKILLS for _ in range(6)]
    assert same_files(root, generate_vqa(small_config(scene_id), tmp_path / "again"))


def test_multilingual_share_of_training_questions(tmp_path, scene_id):
    root = generate_vqa(small_config(scene_id), tmp_path / "vqa")
    train, rng = VQADataset(root, "train"), np.random.default_rng(0)
    skills = [q.skill for i in range(12) for q in train.questions(i, rng, 60)]
    assert 0.3 < skills.count("multilingual") / len(skills) < 0.5


def test_full_disk_keeps_what_was_finished(tmp_path, scene_id, fill_disk_at, monkeypatch):
    monkeypatch.setattr(scenes_module, "CHUNK", 5)
    config = small_config(scene_id)
    fill_disk_at(config.seed0 + 7)
    with pytest.raises(StorageError, match="Free some space"):
        generate_vqa(config, tmp_path / "vqa")
    assert not (tmp_path / "vqa").exists()
    kept = list((tmp_path / "vqa.partial").rglob("facts-*.jsonl"))
    assert len(kept) == 1
    fill_disk_at(config.seed0 + 2)  # a finished scene is not rendered again
    generate_vqa(config, tmp_path / "vqa")
    fill_disk_at(-1)
    assert same_files(tmp_path / "vqa", generate_vqa(config, tmp_path / "whole"))


def test_leftovers_of_another_config_are_not_used(tmp_path, scene_id, fill_disk_at, monkeypatch):
    monkeypatch.setattr(scenes_module, "CHUNK", 5)
    config = small_config(scene_id)
    fill_disk_at(config.seed0 + 7)
    with pytest.raises(StorageError, match="Free some space"):
        generate_vqa(dataclasses.replace(config, image_size=(8, 8)), tmp_path / "vqa")
    fill_disk_at(-1)
    generate_vqa(config, tmp_path / "vqa")
    assert same_files(tmp_path / "vqa", generate_vqa(config, tmp_path / "whole"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test/images.npy", None),
        ("test/images.npy", b"\x93NUMPY"),
        ("test/facts.jsonl", None),
        ("test/facts.jsonl", b"{}\n"),
        ("test/questions.json", b"[{}]"),
        ("test/questions.json", b"[{"),
        ("config.json", b"{}"),
    ],
)
def test_damage_names_the_file(tmp_path, scene_id, name, content):
    root = generate_vqa(small_config(scene_id), tmp_path / "vqa")
    if content is None:
        (root / name).unlink()
    else:
        (root / name).write_bytes(content)
    with pytest.raises(
        DatasetError, match=r"(?s)/(test/)?\w+\.\w+.*generate the question set again"
    ):
        VQADataset(root, "test").test_questions()


def test_bad_configs():
    with pytest.raises(ConfigError, match="num_test_scenes"):
        VQAConfig(num_test_scenes=0)
    with pytest.raises(ConfigError, match="skill_weights"):
        VQAConfig(skill_weights={"ocr": 1.0})
    with pytest.raises(ConfigError, match="num_pairs"):
        SceneChangeConfig(num_pairs=0)


def test_scene_changes_round_trip(tmp_path, scene_id):
    config = SceneChangeConfig(env_id=scene_id, num_pairs=9, image_size=(16, 24))
    root = generate_scene_changes(config, tmp_path / "pairs")
    pairs = SceneChangeDataset(root)
    assert len(pairs) == 9
    assert pairs.before.shape == pairs.after.shape == (9, 16, 24, 3)
    assert same_files(root, generate_scene_changes(config, tmp_path / "again"))
    (root / "pairs.json").write_text(json.dumps([{"instruction": "x"}]))
    with pytest.raises(DatasetError, match="1 pairs"):
        SceneChangeDataset(root)
    (root / "after.npy").unlink()
    with pytest.raises(DatasetError, match="is missing"):
        SceneChangeDataset(root)


@pytest.mark.slow
def test_real_scenes_do_not_depend_on_the_workers(tmp_path):
    config = small_config(SCENE_ENV_ID, num_train_scenes=101)
    make = partial(generate_vqa, config)
    assert same_files(make(tmp_path / "one", 1), make(tmp_path / "two", 2))
    assert VQADataset(tmp_path / "one", "train").images.std() > 5
