"""Our own checkpoints: folders, files of earlier versions, and that nothing is unpickled."""

import ast
import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import golden
import uamsim
from uamsim.errors import CheckpointError
from uamsim.models.checkpoint import build_model, from_pretrained, save_pretrained
from uamsim.models.config import ModelConfig
from uamsim.testing.models import make_tokenizer, micro_config

FOLDER = Path(__file__).parents[1] / "data" / "golden"
PACKAGE = Path(uamsim.__file__).parent


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_files_of_earlier_versions_compute_the_same(name: str) -> None:
    checkpoint = from_pretrained(FOLDER / name)
    stored = load_file(FOLDER / name / "expected.safetensors")
    expected = {k.removeprefix("out."): v for k, v in stored.items() if k.startswith("out.")}
    got = golden.outputs(checkpoint, stored)
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        # A picture's pixels are rounded.
        atol = 1.0 if key == "goal" else 1e-4
        torch.testing.assert_close(got[key].float(), value.float(), atol=atol, rtol=1e-4)


def test_golden_files_are_those_of_the_formats_so_far() -> None:
    assert {path.name for path in FOLDER.iterdir()} >= {"vla-1", "vlm-1"}
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.safetensors")) < 300_000


@pytest.mark.parametrize("kind", ["vlm", "vae", "generator", "vla"])
def test_folders_round_trip(kind: str, tmp_path: Path) -> None:
    config = micro_config("uam")
    configs: dict[str, ModelConfig] = {
        "vlm": config.vlm,
        "vae": config.vae,
        "generator": config.generator,
        "vla": config,
    }
    model = build_model(configs[kind], make_tokenizer(), seed=5)
    save_pretrained(model, tmp_path / "a" / "b", extra={"mode": "quantile"})
    loaded = from_pretrained(str(tmp_path / "a" / "b"))
    assert from_pretrained(tmp_path / "a" / "b" / "model.safetensors").config == loaded.config
    assert (loaded.kind, loaded.config, loaded.extra) == (
        kind,
        configs[kind],
        {"mode": "quantile"},
    )
    rebuilt = loaded.build().state_dict()
    assert all(torch.equal(value, rebuilt[name]) for name, value in model.state_dict().items())


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="neither"):
        from_pretrained(tmp_path / "none")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        from_pretrained(tmp_path)


class Trap:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    content = pickle.dumps(Trap(sprung))
    for name in ("model.safetensors", "pytorch_model.bin", "tokenizer.json", "config.json"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="corrupt"):
        from_pretrained(tmp_path)
    assert not sprung.exists()
    # The trap does work.
    pickle.loads(content)
    assert sprung.exists()


@pytest.mark.parametrize("room", ["models", "training", "serving", "orchestration"])
def test_no_code_that_reads_weights_can_unpickle(room: str) -> None:
    banned = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").split(".")[0]}
            elif isinstance(node, ast.Attribute) and ast.unparse(node) == "torch.load":
                names = {"pickle"}
            else:
                continue
            assert not names & banned, f"{path}:{node.lineno}"


def test_the_header_holds_what_an_evaluation_needs(tmp_path: Path) -> None:
    checkpoint = from_pretrained(FOLDER / "vla-1")
    assert checkpoint.extra["normalizer"]["mode"] == "mean_std"
    save_pretrained(checkpoint.build_vla(), tmp_path, extra=checkpoint.extra)
    again = from_pretrained(tmp_path)
    assert json.dumps(again.extra) == json.dumps(checkpoint.extra)
