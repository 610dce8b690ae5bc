"""``--init``: a public model's weights take the place of pretraining."""

import dataclasses
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from bagel_files import WIDTH, write_bagel
from transformers_files import write_transformers
from uamsim.cli.experiment import parse
from uamsim.errors import CheckpointError
from uamsim.models.checkpoint import load_checkpoint
from uamsim.orchestration.artifacts import stages
from uamsim.orchestration.artifacts.public_weights import fingerprint
from uamsim.orchestration.artifacts.store import ArtifactStore
from uamsim.orchestration.experiments import build_experiment
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.storage import read_json


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    write_bagel(folder)
    return folder


def fitted(weights):
    spec = parse("dorsal_sweep", ["--scale", "debug", "--init", str(weights)])[1]
    assert isinstance(spec, ExperimentSpec)
    return spec


def silent(step, total, metrics):
    del step, total, metrics


def test_the_command_takes_the_weights_sizes(weights):
    plain = build_experiment("dorsal_sweep", "debug")
    assert isinstance(plain, ExperimentSpec)
    spec = fitted(weights)
    assert spec.model.vlm.expert.width == spec.model.dorsal.width == WIDTH
    assert spec.model.action == plain.model.action
    assert spec.pretraining.vocab_size == spec.model.vlm.vocab_size
    assert ExperimentSpec.from_json(spec.to_json()) == spec
    assert "init" not in plain.to_json()


def test_models_are_loaded_and_no_data_for_them_made(weights, tmp_path):
    plan = stages.plan(fitted(weights), ArtifactStore(tmp_path, shipped=tmp_path / "shipped"))
    assert plan.needed == ["demonstrations", "vqa_test", *stages.PRETRAINED]
    theirs = load_file(weights / "ema.safetensors")
    down = "language_model.model.layers.1.mlp{}.down_proj.weight"
    for kind, name, key in (
        ("vlm", "mot.layers.1.experts.sem.down.weight", down.format("")),
        ("generator", "vlm.mot.layers.1.experts.dor.down.weight", down.format("_moe_gen")),
    ):
        path = stages.make(plan, kind, 1, silent) / stages.MODEL_FILE
        assert torch.equal(load_checkpoint(path).state[name], theirs[key])
    vae = stages.make(plan, "vae", 1, silent) / stages.MODEL_FILE
    own = load_checkpoint(vae).build_vae().get_parameter("encoder.conv_in.weight")
    conv = load_file(weights / "ae.safetensors")["encoder.conv_in.weight"]
    assert torch.equal(own.detach(), conv)
    tokenizer = stages.make(plan, "tokenizer", 1, silent) / "tokenizer.json"
    assert "<|im_start|>" in tokenizer.read_text(encoding="utf-8")


def test_other_weights_are_another_artifact(weights, tmp_path):
    spec = fitted(weights)
    plain = dataclasses.replace(spec, init="")
    recipes, others = stages.recipes(spec), stages.recipes(plain)
    assert recipes["vlm"].key != others["vlm"].key
    assert recipes["vqa"].key == others["vqa"].key
    write_bagel(tmp_path)
    before = fingerprint(str(tmp_path))
    assert before == fingerprint(str(weights))
    state = load_file(tmp_path / "ema.safetensors")
    save_file({name: tensor * 1.01 for name, tensor in state.items()}, tmp_path / "ema.safetensors")
    fingerprint.cache_clear()
    assert fingerprint(str(tmp_path)) != before


def test_a_folder_without_known_weights(tmp_path):
    with pytest.raises(CheckpointError, match="holds none of BAGEL"):
        fitted(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bagel", "qwen", "paligemma"])
def test_from_public_weights_to_the_report(family, tmp_path):
    """Loaded, tuned, asked, rolled out and reported, in as few questions and steps as there can be.

    Answers of random weights have no end but the longest that there may be.
    """
    weights = tmp_path / "weights"
    weights.mkdir()
    if family == "bagel":
        write_bagel(weights)
    else:
        write_transformers(family, weights)
    variants = ("no_dorsal", "vlm_init_vision", "random_init", "uam")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "uamsim.experiment", "dorsal_sweep"),
            *("--scale", "debug", "--runner", "inline", "--workers", "1"),
            *("--variants", *variants, "--e-sem", "unfrozen", "--control-variants", "uam"),
            *("--evaluation.splits", "in_domain", "--evaluation.in-domain-episodes", "1"),
            *("--evaluation.control-episodes", "1", "--evaluation.max-episode-steps", "20"),
            *("--vqa.questions-per-skill-test", "1", "--snapshot-questions", "1"),
            *("--demonstrations.episodes-per-env", "2"),
            *("--init", str(weights), "--out", str(tmp_path / "out")),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "UAMSIM_CACHE": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stderr
    said = done.stderr + done.stdout
    # BAGEL alone has an autoencoder and a generator.
    whole = family == "bagel"
    assert ("loading vlm and vae" if whole else "loading vlm, pretraining vae") in said
    assert ("pretraining" in said) != whole
    rows = read_json(tmp_path / "out" / "results.json")["rows"]
    assert {row["variant"] for row in rows if row["control"] is None} == set(variants)
