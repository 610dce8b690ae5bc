"""Pretraining and tuning on the real worlds, with micro models and a handful of steps."""

import numpy as np
import pytest
import torch

from uamsim.contract import Observation, PolicyInput
from uamsim.data.config import DemonstrationConfig, SceneChangeConfig, VQAConfig
from uamsim.data.demonstrations import collect_demonstrations
from uamsim.data.scene_change import generate_scene_changes
from uamsim.data.vqa import VQADataset, corpus, generate_vqa
from uamsim.models.checkpoint import load_checkpoint
from uamsim.models.config import VARIANTS
from uamsim.serving.policy import VLAPolicy
from uamsim.testing.models import micro_config
from uamsim.training.config import OptimConfig, PretrainingConfig, TuningConfig
from uamsim.training.pretraining import (
    MODEL_NAME,
    pretrain_generator,
    pretrain_vae,
    pretrain_vlm,
    train_tokenizer,
)
from uamsim.training.tuning import tune
from uamsim.training.vision import PhraseModel, phrase_targets

SIZE = (32, 48)
BRIEF = OptimConfig(steps=2, batch_size=4, learning_rate=1e-3, warmup_steps=1, log_every=1)
PRETRAINING = PretrainingConfig(vision=BRIEF, vlm=BRIEF, vae=BRIEF, generator=BRIEF)
TUNING = TuningConfig(steps=4, batch_size=4, warmup_steps=1, log_every=1, snapshots=(0.5, 1.0))


def silent(step, total, metrics):
    assert 0 < step <= total
    assert np.isfinite(metrics["total"])


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    """Data and pretrained models, made once: name -> folder."""
    root = tmp_path_factory.mktemp("start")
    vqa = VQAConfig(
        num_train_scenes=12, num_test_scenes=24, questions_per_skill_test=4, image_size=SIZE
    )
    generate_vqa(vqa, root / "vqa")
    generate_scene_changes(SceneChangeConfig(num_pairs=6, image_size=SIZE), root / "changes")
    demonstrations = DemonstrationConfig(
        env_ids=("uamsim_envs:uamsim/AlohaPressButton-v0",),
        episodes_per_env=2,
        image_size=SIZE,
        fps=5,
    )
    collect_demonstrations(demonstrations, root / "demonstrations")
    texts = corpus(np.random.default_rng(0), 300)
    tokenizer = train_tokenizer(texts, 300, root / "tokenizer")
    model = micro_config("uam")
    for folder in ("vlm", "vae", "generator"):
        (root / folder).mkdir()
    pretrain_vlm(
        PRETRAINING,
        model.vlm,
        vqa_root=root / "vqa",
        tokenizer_path=tokenizer,
        out=root / "vlm",
        report=silent,
    )
    pretrain_vae(
        PRETRAINING,
        model.vae,
        vqa_root=root / "vqa",
        scene_change_root=root / "changes",
        out=root / "vae",
        report=silent,
    )
    pretrain_generator(
        PRETRAINING,
        model.generator,
        vlm_path=root / "vlm" / MODEL_NAME,
        vae_path=root / "vae" / MODEL_NAME,
        scene_change_root=root / "changes",
        out=root / "generator",
        report=silent,
    )
    return root


def run(start, out, variant, *, trainable=True, stop_at=None):
    steps = []

    def on_snapshot(step, checkpoint):
        assert checkpoint.is_file()
        if step == stop_at:
            raise KeyboardInterrupt
        steps.append(step)

    last = tune(
        TUNING,
        micro_config(variant),
        e_sem_trainable=trainable,
        dataset_root=start / "demonstrations",
        cameras=("primary",),
        vlm_path=start / "vlm" / MODEL_NAME,
        vae_path=start / "vae" / MODEL_NAME,
        generator_path=start / "generator" / MODEL_NAME,
        out=out,
        seed=0,
        report=silent,
        on_snapshot=on_snapshot,
    )
    return last, steps


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_is_tuned_and_acts(start, tmp_path, variant):
    checkpoint, steps = run(start, tmp_path, variant)
    assert steps == [2, 4]
    policy = VLAPolicy(checkpoint)
    observation = Observation(
        pixels={"primary": np.zeros((*SIZE, 3), np.uint8)},
        agent_pos=np.zeros(14, np.float32),
    )
    request = PolicyInput(observation=observation, instruction="press", seed=1, step=0)
    actions = policy.act([request])
    assert actions.shape == (1, micro_config(variant).chunk * 10, 14)
    assert np.isfinite(actions).all()


def sem_state(path):
    vla = load_checkpoint(path).build_vla()
    return dict(vla.vlm.sem_parameters())


def test_frozen_e_sem_stays_and_unfrozen_moves(start, tmp_path):
    before = dict(load_checkpoint(start / "vlm" / MODEL_NAME).build_vlm().named_parameters())
    frozen, _ = run(start, tmp_path / "frozen", "uam", trainable=False)
    unfrozen, _ = run(start, tmp_path / "unfrozen", "uam")
    for name, value in sem_state(frozen).items():
        assert torch.equal(value, before[name])
    assert any(not torch.equal(v, before[n]) for n, v in sem_state(unfrozen).items())


def test_killed_tuning_repeats_the_snapshot_and_ends_the_same(start, tmp_path):
    whole, _ = run(start, tmp_path / "whole", "uam")
    with pytest.raises(KeyboardInterrupt):
        run(start, tmp_path / "cut", "uam", stop_at=4)
    resumed, steps = run(start, tmp_path / "cut", "uam")
    assert steps == [4]
    a, b = load_checkpoint(whole).state, load_checkpoint(resumed).state
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_noisy_or_of_phrases(start):
    dataset = VQADataset(start / "vqa", "train")
    things, chars = phrase_targets(dataset)
    assert things.sum() == sum(
        thing.category != "label" for i in range(len(dataset)) for thing in dataset.facts(i).things
    )
    model = PhraseModel(micro_config("uam").vlm.vision, chars.shape[1], seed=0)
    images = torch.from_numpy(dataset.images[:3].copy())
    absent, _ = model.log_absent(images)
    category, colour, thing, _ = model.head(model.vision(images)).split(model.sizes, dim=-1)
    expected = 1.0
    for token in range(category.shape[1]):
        present = (
            thing[:, token].sigmoid()[:, :, None]
            * category[:, token].softmax(-1)[:, :, None]
            * colour[:, token].softmax(-1)[:, None, :]
        )
        expected = expected * (1 - present)
    torch.testing.assert_close(absent.exp(), expected)
