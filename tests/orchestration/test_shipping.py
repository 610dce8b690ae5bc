import pytest

from uamsim.errors import DatasetError
from uamsim.orchestration.artifacts import stages
from uamsim.orchestration.artifacts.shipping import ship
from uamsim.orchestration.artifacts.store import ArtifactStore
from uamsim.orchestration.runs.progress import FileReport


def test_shipped_models_spare_their_training_data(spec, work, tmp_path):
    made = ArtifactStore(tmp_path / "cache")
    shipped = tmp_path / "package"
    with pytest.raises(DatasetError, match="--pretrain"):
        ship(spec, made, shipped)
    for kind in stages.PRETRAINED:
        stages.make(spec, made, kind, 1, FileReport(tmp_path / "p.json"))
    (shipped / "vlm-0000").mkdir(parents=True)
    paths = ship(spec, made, shipped)
    assert ship(spec, made, shipped) == paths
    assert sorted(p.name for p in shipped.iterdir()) == sorted(p.name for p in paths)
    fresh = ArtifactStore(tmp_path / "fresh", shipped=shipped)
    assert stages.needed(spec, fresh) == ["demonstrations", "vqa_test"]
    changed = spec.replace(scene_changes=type(spec.scene_changes)(num_pairs=7, image_size=(32, 48)))
    assert stages.needed(changed, fresh) == [
        "demonstrations",
        "vqa_test",
        "vqa",
        "scene_changes",
        "vae",
        "generator",
    ]
