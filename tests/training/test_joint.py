"""E_sem and E_gen trained together, and what is measured of the goals that come out."""

import dataclasses

import numpy as np
import pytest
import torch

from tiny_tuning import PRETRAINING, SIZE, silent
from uamsim.data.config import SceneChangeConfig
from uamsim.data.goal_choices import draw_goal_choices
from uamsim.errors import ConfigError
from uamsim.models.checkpoint import load_checkpoint
from uamsim.testing.models import micro_config
from uamsim.training.config import JointConfig
from uamsim.training.goals import first_step_errors, right_goals
from uamsim.training.pretraining import (
    MODEL_NAME,
    change_weights,
    extract_e_sem,
    pretrain_generator,
)


def pretrain(start, out, joint, report=silent, steps=2, **paths):
    budget = dataclasses.replace(PRETRAINING.generator, steps=steps)
    pretrain_generator(
        dataclasses.replace(PRETRAINING, joint=joint, generator=budget),
        micro_config("uam").generator,
        vlm_path=start / "vlm" / MODEL_NAME,
        vae_path=start / "vae" / MODEL_NAME,
        scene_change_root=start / "changes",
        out=out,
        report=report,
        **paths,
    )
    return load_checkpoint(out / MODEL_NAME).build_generator()


def test_e_sem_of_the_joint_stage_is_the_vlm_that_trials_start_from(start, tmp_path):
    joint = JointConfig(question_share=1.0, question_images=2)
    with pytest.raises(ConfigError, match="vqa_root"):
        pretrain(start, tmp_path / "none", joint)
    model = pretrain(start, tmp_path / "joint", joint, vqa_root=start / "vqa")
    before = load_checkpoint(start / "vlm" / MODEL_NAME).build_vlm()
    extract_e_sem(tmp_path / "joint" / MODEL_NAME, tmp_path / "vlm")
    after = load_checkpoint(tmp_path / "vlm" / MODEL_NAME).build_vlm()
    own = dict(model.vlm.sem_parameters())
    for name, value in after.named_parameters():
        assert torch.equal(value, own[name]), name
    same = {n for n, p in after.named_parameters() if torch.equal(p, before.state_dict()[n])}
    assert same == {n for n, _ in after.named_parameters() if n.startswith("vision.")}


def test_questions_are_asked_more_often_in_the_last_quarter(start, tmp_path):
    asked = []

    def report(step, total, metrics):
        asked.append("questions" in metrics)

    joint = JointConfig(question_share=0.0, last_question_share=1.0, question_images=2)
    pretrain(start, tmp_path, joint, report, steps=8, vqa_root=start / "vqa")
    assert asked == [False] * 6 + [True] * 2


def test_tokens_that_change_weigh_more():
    latents = torch.zeros(1, 4, 3)
    goal = latents.clone()
    goal[0, 1] = 1.0
    weights = change_weights(latents, goal, JointConfig(change_weight=5.0))
    assert weights.mean().item() == pytest.approx(1.0)
    assert weights[0, 1].item() == pytest.approx(5 * weights[0, 0].item())


def test_a_picture_is_right_where_its_own_goal_is_nearest(start, tmp_path, monkeypatch):
    model = pretrain(start, tmp_path, None)
    choices = draw_goal_choices(SceneChangeConfig(image_size=SIZE), 2, 7, ("english", "pinyin"))
    for tongue in ("english", "pinyin"):
        right = right_goals(model, choices, tongue)
        assert [len(row) for row in right] == [len(choice.goals) for choice in choices]
    for choice in choices:
        monkeypatch.setattr(model, "sample", lambda *_, goals=choice.goals: torch.from_numpy(goals))
        assert right_goals(model, [choice], "english")[0].all()
        turned = choice.goals[::-1].copy()
        monkeypatch.setattr(model, "sample", lambda *_, goals=turned: torch.from_numpy(goals))
        assert right_goals(model, [choice], "english")[0].sum() <= 1


def test_first_step_errors_tell_copying_from_knowing(start, tmp_path, monkeypatch):
    model = pretrain(start, tmp_path, None)
    rng = np.random.default_rng(0)
    before, after = rng.integers(0, 256, (2, 3, *SIZE, 3), dtype=np.uint8)
    texts = ["a", "b", "c"]
    errors = first_step_errors(model, before, after, texts)
    assert errors["copy"] > 0
    goals = dict(zip(texts, model.vae.encode(torch.from_numpy(after)), strict=True))

    def knowing(images, said, noise, num_steps):
        return torch.stack([goals[text] for text in said])

    monkeypatch.setattr(model, "sample_latents", knowing)
    errors = first_step_errors(model, before, after, texts)
    assert errors["right"] == 0
    assert errors["other"] > 0
