"""Pretraining and tuning on the real worlds, with micro models and a handful of steps."""

import numpy as np
import pytest
import torch

from tiny_tuning import SIZE, TUNING, silent, tune_micro
from uamsim.contract import Observation, PolicyInput
from uamsim.data.action_data import ActionDataset
from uamsim.data.conversion import ConversionConfig, convert_calvin
from uamsim.data.vqa import VQADataset
from uamsim.errors import ConfigError
from uamsim.models.checkpoint import load_checkpoint
from uamsim.models.variants import VARIANTS
from uamsim.models.vlm import VLM
from uamsim.serving.policy import VLAPolicy
from uamsim.testing.calvin import make_official_dataset
from uamsim.testing.models import micro_config
from uamsim.training.config import TuningConfig
from uamsim.training.pretraining import MODEL_NAME
from uamsim.training.vision import PhraseModel, phrase_targets


def run(
    start,
    out,
    variant,
    *,
    trainable=True,
    stop_at=None,
    share=0.0,
    clip=1.0,
    report=silent,
    dataset=None,
    cameras=("primary",),
    **model,
):
    steps = []

    def on_snapshot(step, checkpoint):
        assert checkpoint.is_file()
        if step == stop_at:
            raise KeyboardInterrupt
        steps.append(step)

    last = tune_micro(
        start,
        out,
        variant,
        trainable=trainable,
        share=share,
        tuning={"grad_clip": clip},
        model=model,
        dataset=dataset,
        cameras=cameras,
        report=report,
        on_snapshot=on_snapshot,
    )
    return last, steps


@pytest.fixture(params=list(VARIANTS))
def variant(request):
    return request.param


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


@pytest.mark.parametrize("name", ["uam", "mlp_head"])
def test_movements_of_calvin_are_learnt_and_given_back(start, tmp_path, name):
    official = make_official_dataset(tmp_path / "official")
    conversion = ConversionConfig(source=str(official), image_size=SIZE)
    cameras = ("static", "gripper")
    checkpoint, _ = run(
        start,
        tmp_path / "out",
        name,
        dataset=convert_calvin(conversion, tmp_path / "data"),
        cameras=cameras,
        num_views=2,
        action_dim=7,
        proprio_dim=15,
        gripper_dims=(6,),
    )
    policy = VLAPolicy(checkpoint)
    assert (policy.spec.control, policy.spec.cameras) == ("relative", cameras)
    assert policy.spec.horizon == policy.model.config.chunk
    observation = Observation(
        pixels={camera: np.zeros((*SIZE, 3), np.uint8) for camera in cameras},
        agent_pos=np.zeros(15, np.float32),
    )
    request = PolicyInput(observation=observation, instruction="pull it open", seed=3, step=0)
    chunk = policy.act([request])[0]
    assert chunk.shape == (policy.spec.horizon, 7)
    assert np.isfinite(chunk).all()


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


def test_cotraining_and_insulation_change_e_sem_as_they_say(start, tmp_path, variant):
    before = dict(load_checkpoint(start / "vlm" / MODEL_NAME).build_vlm().named_parameters())
    rows = []
    run(start, tmp_path / "alone", variant, insulated=True)
    for name, value in sem_state(tmp_path / "alone" / "step-000004.safetensors").items():
        assert torch.equal(value, before[name]), name
    states = {}
    for name, more in (("mixed", {}), ("again", {}), ("shielded", {"insulated": True})):
        last, _ = run(
            start,
            tmp_path / name,
            variant,
            share=0.5,
            report=lambda step, total, metrics: rows.append(metrics),
            **more,
        )
        states[name] = load_checkpoint(last).state
    assert all(row["vqa"] > 0 for row in rows)
    assert rows[0]["total"] == pytest.approx(
        sum(rows[0].get(name, 0) for name in ("action", "tokens", "dynamics", "vqa"))
    )
    assert all(torch.equal(states["mixed"][n], states["again"][n]) for n in states["mixed"])
    sem = sem_state(tmp_path / "shielded" / "step-000004.safetensors")
    assert any(not torch.equal(v, before[n]) for n, v in sem.items())


def test_insulated_e_sem_does_not_depend_on_what_acts(start, tmp_path):
    states = []
    for variant in ("no_dorsal", "uam", "mlp_head"):
        # Clipping by the norm of all gradients would couple them.
        last, _ = run(start, tmp_path / variant, variant, share=0.5, clip=1e9, insulated=True)
        states.append(sem_state(last))
    for other in states[1:]:
        assert all(torch.equal(v, other[n]) for n, v in states[0].items())


@pytest.mark.parametrize(
    ("share", "pictures"), [(0.0, 0), (0.01, 1), (0.25, 11), (0.5, 32), (0.75, 96)]
)
def test_share_of_questions_is_honoured(share, pictures):
    config = TuningConfig(vqa_share=share)
    assert config.vqa_batch_size == pictures
    if share > 0.1:
        assert pictures / (pictures + config.batch_size) == pytest.approx(share, abs=0.01)


def test_cotraining_uses_that_many_pictures_and_leaves_the_action_batches(
    start, tmp_path, monkeypatch
):
    asked, batches = [], []
    answer_loss, batch_of = VLM.answer_loss, ActionDataset.batch

    def counting(self, images, questions, answers):
        asked.append((len(images), questions))
        return answer_loss(self, images, questions, answers)

    def recording(self, frames):
        batch = batch_of(self, frames)
        batches.append(batch["frame_ids"])
        return batch

    monkeypatch.setattr(VLM, "answer_loss", counting)
    monkeypatch.setattr(ActionDataset, "batch", recording)
    run(start, tmp_path / "plain", "no_dorsal")
    assert asked == []
    run(start, tmp_path / "mixed", "no_dorsal", share=0.6)
    assert [count for count, _ in asked] == [6] * TUNING.steps
    assert asked[0][1] != asked[1][1]
    assert len(batches) == 2 * TUNING.steps
    for plain, mixed in zip(batches[: TUNING.steps], batches[TUNING.steps :], strict=True):
        assert np.array_equal(plain, mixed)


def test_cotraining_needs_a_trained_e_sem(start, tmp_path):
    with pytest.raises(ConfigError, match="needs questions and an E_sem that is trained"):
        run(start, tmp_path, "uam", trainable=False, share=0.5)


def test_an_mlp_head_is_trained_on_quantiles(start, tmp_path):
    last, _ = run(start, tmp_path, "mlp_head")
    assert load_checkpoint(last).extra["normalizer"]["mode"] == "quantile"


def test_killed_tuning_repeats_the_snapshot_and_ends_the_same(start, tmp_path):
    whole, _ = run(start, tmp_path / "whole", "uam")
    with pytest.raises(KeyboardInterrupt):
        run(start, tmp_path / "cut", "uam", stop_at=4)
    resumed, steps = run(start, tmp_path / "cut", "uam")
    assert steps == [4]
    assert resumed.read_bytes() == whole.read_bytes()
    resumed.write_bytes(whole.read_bytes()[:-1000])
    again, _ = run(start, tmp_path / "cut", "uam")
    assert again.read_bytes() == whole.read_bytes()


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
