import dataclasses

import pytest

from uamsim.errors import DatasetError
from uamsim.jsonable import from_json, to_json
from uamsim.orchestration.artifacts import stages
from uamsim.orchestration.artifacts.shipping import ship
from uamsim.orchestration.artifacts.store import ArtifactStore
from uamsim.orchestration.experiments import build_experiment
from uamsim.orchestration.runs.progress import FileReport
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.training.config import JointConfig


def test_shipped_models_spare_their_training_data(spec, work, tmp_path):
    made = ArtifactStore(tmp_path / "cache")
    shipped = tmp_path / "package"
    with pytest.raises(DatasetError, match="--pretrain"):
        ship(spec, made, shipped)
    for kind in stages.SHIPPED:
        stages.make(stages.plan(spec, made), kind, 1, FileReport(tmp_path / "p.json"))
    (shipped / "vlm-0000").mkdir(parents=True)
    paths = ship(spec, made, shipped)
    assert ship(spec, made, shipped) == paths
    assert sorted(p.name for p in shipped.iterdir()) == sorted(p.name for p in paths)
    fresh = ArtifactStore(tmp_path / "fresh", shipped=shipped)
    assert stages.plan(spec, fresh).needed == ["demonstrations", "vqa_test"]
    changed = spec.replace(scene_changes=type(spec.scene_changes)(num_pairs=7, image_size=(32, 48)))
    assert stages.plan(changed, fresh).needed == [
        "demonstrations",
        "vqa_test",
        "vqa",
        "scene_changes",
        "vlm_start",
        "vae",
        "generator",
        "vlm",
        "gate",
    ]


def test_the_vlm_of_a_joint_stage_is_its_generators(spec, work, tmp_path):
    alone, together = (
        spec.replace(pretraining=dataclasses.replace(spec.pretraining, joint=joint))
        for joint in (None, JointConfig())
    )
    recipes = stages.recipes(together)
    assert recipes["vlm_start"] == stages.recipes(alone)["vlm"]
    assert stages.recipes(alone)["generator"].upstream.keys() == {"vlm", "vae", "scene_changes"}
    assert recipes["vlm"].upstream.keys() == {"generator"}
    store = ArtifactStore(tmp_path / "cache")
    assert stages.plan(together, store).needed == [
        "demonstrations",
        "vqa_test",
        "vqa",
        "scene_changes",
        "tokenizer",
        "vlm_start",
        "vae",
        "generator",
        "vlm",
        "gate",
    ]
    for kind in stages.SHIPPED:
        stages.make(stages.plan(together, store), kind, 1, FileReport(tmp_path / "p.json"))
    shipped = tmp_path / "package"
    ship(together, store, shipped)
    fresh = ArtifactStore(tmp_path / "fresh", shipped=shipped)
    assert stages.plan(together, fresh).needed == ["demonstrations", "vqa_test"]
    assert to_json(from_json(type(together), to_json(together))) == to_json(together)


def test_an_autoencoder_may_have_seen_other_pairs(spec):
    seen = dataclasses.replace(spec.pretraining, vae_pairs="scene_changes-0")
    before, after = stages.recipes(spec), stages.recipes(spec.replace(pretraining=seen))
    assert before["vae"].upstream["scene_changes"] == before["scene_changes"].key
    assert after["vae"].upstream["scene_changes"] == "scene_changes-0"
    assert after["generator"].upstream["scene_changes"] == before["scene_changes"].key


@pytest.mark.parametrize("name", ["dorsal_sweep", "embodiment_tax", "calvin_abcd", "robotwin16"])
def test_every_tiny_experiment_finds_all_that_ships(name, tmp_path):
    tiny = build_experiment(name, "tiny")
    assert isinstance(tiny, ExperimentSpec)
    assert {*stages.SHIPPED} <= stages.plan(tiny, ArtifactStore(tmp_path)).paths.keys()
