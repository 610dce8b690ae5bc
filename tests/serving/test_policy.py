import dataclasses
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from uamsim.contract import Policy, PolicyInput
from uamsim.data.normalization import Normalizer
from uamsim.errors import CheckpointError, ShapeError
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.controls import BlindPolicy, DeafPolicy
from uamsim.evaluation.rollout import run_unit
from uamsim.models.checkpoint import load_checkpoint, save_checkpoint
from uamsim.models.config import (
    BackboneConfig,
    ExpertConfig,
    VAEConfig,
    VisionConfig,
    VLAConfig,
    VLMConfig,
)
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.variants import VARIANTS
from uamsim.models.vla import VLA
from uamsim.models.vlm import VLM
from uamsim.serving.policy import VLAPolicy, VLMAnswerer, expand_targets
from uamsim.serving.refs import CheckpointFactory, load_policy
from uamsim.storage import sha256
from uamsim.testing.envs import REACH_ID

SIZE = (32, 48)
EXPERT = ExpertConfig(width=16, ffn=32)
CONFIG = VLAConfig(
    vlm=VLMConfig(
        backbone=BackboneConfig(depth=2, heads=2, kv_heads=1, head_dim=8),
        expert=EXPERT,
        vision=VisionConfig(image_size=SIZE, width=16, heads=2, ffn=32),
        vocab_size=300,
    ),
    vae=VAEConfig(image_size=SIZE, widths=(4, 4, 8, 8), latent_channels=4),
    dorsal=EXPERT,
    action=EXPERT,
    chunk=4,
    num_euler_steps=3,
    num_goal_steps=2,
)
EXTRA: dict[str, Any] = {
    "normalizer": Normalizer(
        mode="quantile",
        action_offset=(0.1,) * 14,
        action_scale=(0.5,) * 14,
        proprio_offset=(0.0,) * 14,
        proprio_scale=(1.0,) * 14,
    ).to_json(),
    "cameras": ["primary"],
    "image_size": list(SIZE),
    "control": "ee",
    "fps": 10,
    "identity": "tiny",
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["press the red round button"], 300)


@pytest.fixture(scope="module")
def folder(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkpoints")
    for name in VARIANTS:
        config = VARIANTS[name].apply(CONFIG)
        model = VLA(config, tokenizer, seed=1)
        save_checkpoint(root / name, model, kind="vla", config=config, extra=EXTRA)
    vlm = VLM(CONFIG.vlm, tokenizer, seed=5)
    save_checkpoint(root / "vlm", vlm, kind="vlm", config=CONFIG.vlm)
    return root


def requests(count: int, instruction: str = "press the red button") -> list[PolicyInput]:
    rng = np.random.default_rng(0)
    return [
        PolicyInput(
            observation={
                "pixels": {"primary": rng.integers(0, 256, (*SIZE, 3), np.uint8)},
                "agent_pos": rng.normal(size=14).astype(np.float32),
            },
            instruction=instruction,
            seed=seed,
            step=20,
        )
        for seed in range(count)
    ]


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_is_a_policy(folder: Path, variant: str):
    policy = VLAPolicy(folder / variant, fps=10)
    assert isinstance(policy, Policy)
    assert policy.name == "tiny"
    assert policy.spec.horizon == 4 * 5
    actions = policy.act(requests(3))
    assert actions.shape == (3, 20, 14)
    assert actions.dtype == np.float32
    assert np.isfinite(actions).all()
    np.testing.assert_array_equal(actions, VLAPolicy(folder / variant).act(requests(3)))


def test_a_chunk_that_is_not_said_is_counted_and_the_robot_stays(folder: Path, caplog):
    policy, asked = VLAPolicy(folder / "pi0_fast"), requests(3)
    actions = policy.act(asked)
    # Random weights say FAST tokens of no chunk.
    assert policy.unsaid == 3
    assert "tiny said no actions for 3 chunks" in caplog.text
    pose = np.stack([item.observation["agent_pos"] for item in asked])
    np.testing.assert_allclose(actions, np.repeat(pose[:, None], 20, axis=1), atol=1e-6)
    policy.act(asked[:1])
    assert policy.unsaid == 4
    said = VLAPolicy(folder / "openvla")
    said.act(asked)
    assert said.unsaid == 0


def test_movements_of_another_size_than_agent_pos(folder: Path, tokenizer: Tokenizer):
    config = dataclasses.replace(VARIANTS["uam"].apply(CONFIG), action_dim=7, proprio_dim=15)
    normalizer = Normalizer(
        mode="quantile",
        action_offset=(0.0,) * 7,
        action_scale=(1.0,) * 7,
        proprio_offset=(0.0,) * 15,
        proprio_scale=(1.0,) * 15,
    )
    extra = EXTRA | {"normalizer": normalizer.to_json(), "control": "relative", "fps": 30}
    path = folder / "movements"
    save_checkpoint(path, VLA(config, tokenizer, seed=1), kind="vla", config=config, extra=extra)
    spec = VLAPolicy(path).spec
    assert (spec.action_dim, spec.proprio_dim, spec.control_hz) == (7, 15, 30)
    assert VLAPolicy(folder / "uam").spec.control_hz == 50


def test_an_action_depends_on_its_own_input_alone(folder: Path):
    policy, inputs = VLAPolicy(folder / "uam"), requests(4)
    together = policy.act(inputs)
    np.testing.assert_array_equal(policy.act(inputs[::-1])[::-1], together)
    others = [inputs[1], *requests(4, "put the cube on the blue plate")[1:]]
    np.testing.assert_allclose(policy.act(others)[0], together[1], atol=1e-5)
    moved = policy.act([dataclasses.replace(i, step=i.step + 20) for i in inputs])
    assert (np.abs(moved - together).max(axis=(1, 2)) > 1e-3).all()


@pytest.mark.parametrize("variant", ["uam", "no_dorsal"])
def test_inputs_with_equal_keys_share_a_call_without_a_trace(folder: Path, variant: str):
    policy, size = VLAPolicy(folder / variant), 4
    inputs = [
        *requests(3, "press the red button"),
        *requests(3, "press the red round button, and then put everything back in its place"),
        *requests(3, "press the red buttom"),
    ]
    alone = [policy.act([item] * size)[0] for item in inputs]
    groups: dict[int, list[int]] = {}
    for index, item in enumerate(inputs):
        groups.setdefault(policy.batch_key(item), []).append(index)
    assert len(groups) > 1
    for group in groups.values():
        for order in (group[:size], group[::-1][:size]):
            padded = [inputs[i] for i in order] + [inputs[order[0]]] * (size - len(order))
            for row, index in zip(policy.act(padded), order, strict=False):
                np.testing.assert_array_equal(row, alone[index])


def test_targets_are_reached_at_the_end_of_their_interval():
    agent_pos = np.zeros((1, 2), np.float32)
    targets = np.array([[[1, 10], [3, 10]]], np.float32)
    steps = expand_targets(agent_pos, targets, 5)
    assert steps.shape == (1, 10, 2)
    np.testing.assert_allclose(steps[0, :5, 0], [0.2, 0.4, 0.6, 0.8, 1.0], rtol=1e-6)
    np.testing.assert_allclose(steps[0, [4, 9]], targets[0])
    np.testing.assert_allclose(steps[0, 5:, 1], 10)
    np.testing.assert_array_equal(expand_targets(agent_pos, targets, 1), targets)
    with pytest.raises(ShapeError, match="agent_pos"):
        expand_targets(np.zeros((2, 2), np.float32), targets, 5)


def test_restoring_puts_back_all_of_the_vlm_and_nothing_else(folder: Path):
    tuned = VLAPolicy(folder / "uam")
    restored = VLAPolicy(folder / "uam", e_sem_from=folder / "vlm")
    vlm_state = load_checkpoint(folder / "vlm").state
    changed = dict(restored.model.vlm.sem_parameters())
    assert changed.keys() == vlm_state.keys()
    assert all(torch.equal(changed[name], tensor) for name, tensor in vlm_state.items())
    kept = {f"vlm.{name}" for name in vlm_state}
    for name, tensor in tuned.model.state_dict().items():
        if name not in kept:
            assert torch.equal(restored.model.state_dict()[name], tensor)
    assert restored.name == "tiny+restored"
    images = np.random.default_rng(0).integers(0, 256, (5, *SIZE, 3), np.uint8)
    questions = ["what colour is the cube?", "红色?", "a", "b", "where is it?"]
    answers = restored.answer(images, questions)
    assert answers == VLMAnswerer(folder / "vlm").answer(images, questions)
    assert answers != tuned.answer(images, questions)
    assert (restored.act(requests(2)) != tuned.act(requests(2))).any()


def test_pictures_of_attention_and_goals(folder: Path):
    uam, two = VLAPolicy(folder / "uam"), VLAPolicy(folder / "no_dorsal")
    maps = uam.attention_maps(requests(2))
    assert maps["sem"] is not None
    assert maps["dor"] is not None
    assert maps["sem"].shape == maps["dor"].shape == (2, 2, 3)
    assert two.attention_maps(requests(2))["dor"] is None
    goals = uam.predict_goals(requests(2))
    assert goals is not None
    assert (goals.shape, goals.dtype) == ((2, *SIZE, 3), np.uint8)
    assert two.predict_goals(requests(2)) is None


def test_policies_are_loaded_once_until_written_anew(folder: Path, tmp_path: Path):
    path = tmp_path / "copy"
    path.write_bytes((folder / "uam").read_bytes())
    first = load_policy(path)
    assert load_policy(Path(str(path))) is first
    restored = load_policy(path, e_sem_from=folder / "vlm")
    assert restored.name == "tiny+restored"
    stamp = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(stamp, stamp))
    assert load_policy(path) is not first
    factory = CheckpointFactory(name="p", checkpoint=path, checkpoint_hash=sha256(path)[:16])
    assert factory().name == "p"
    path.write_bytes((folder / "no_dorsal").read_bytes())
    with pytest.raises(CheckpointError, match="written to meanwhile"):
        factory()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer": None}, "no 'normalizer'"),
        ({"normalizer": {"mode": "odd"}}, "not a normaliser|mode"),
        (
            {"normalizer": Normalizer.fit(np.eye(3), np.eye(3)).to_json()},
            "normaliser of .*'action': 3",
        ),
        ({"fps": 20}, "asked for 10"),
        ({"cameras": ["primary", "left_wrist"]}, "2 cameras"),
    ],
)
def test_a_checkpoint_that_is_no_policy_says_why(
    tmp_path: Path, tokenizer: Tokenizer, changes: dict[str, Any], message: str
):
    extra = {k: v for k, v in {**EXTRA, **changes}.items() if v is not None}
    config = VARIANTS["no_dorsal"].apply(CONFIG)
    save_checkpoint(tmp_path / "c", VLA(config, tokenizer), kind="vla", config=config, extra=extra)
    with pytest.raises(CheckpointError, match=message):
        VLAPolicy(tmp_path / "c", fps=10)


def test_an_mlp_head_needs_actions_within_one(tmp_path: Path, tokenizer: Tokenizer):
    config = VARIANTS["mlp_head"].apply(CONFIG)
    extra = {**EXTRA, "normalizer": {**EXTRA["normalizer"], "mode": "mean_std"}}
    save_checkpoint(tmp_path / "c", VLA(config, tokenizer), kind="vla", config=config, extra=extra)
    with pytest.raises(CheckpointError, match="must be 'quantile'"):
        VLAPolicy(tmp_path / "c", fps=10)


def test_the_wrong_checkpoint_is_named(folder: Path, tmp_path: Path):
    with pytest.raises(CheckpointError, match="expected a VLA"):
        VLAPolicy(folder / "vlm")
    with pytest.raises(CheckpointError, match="'vla'"):
        VLAPolicy(folder / "uam", e_sem_from=folder / "uam")
    other = Tokenizer.train(["quite other words"], 300)
    vlm = VLM(CONFIG.vlm, other)
    save_checkpoint(tmp_path / "other", vlm, kind="vlm", config=CONFIG.vlm)
    with pytest.raises(CheckpointError, match="another tokenizer"):
        VLAPolicy(folder / "uam", e_sem_from=tmp_path / "other")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_policy(tmp_path / "none")


def test_bad_requests_are_named(folder: Path):
    policy, (good,) = VLAPolicy(folder / "uam"), requests(1)
    small = {**good.observation, "pixels": {"primary": np.zeros((8, 8, 3), np.uint8)}}
    with pytest.raises(ShapeError, match=r"'primary'.*\(32, 48, 3\).*\(8, 8, 3\)"):
        policy.act([dataclasses.replace(good, observation=small)])  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="at least one"):
        policy.act([])
    with pytest.raises(ShapeError, match="as many questions"):
        policy.answer(np.zeros((2, *SIZE, 3), np.uint8), ["one?"])


def test_it_rolls_out_with_controls(folder: Path):
    unit = RolloutUnit(
        env_id=REACH_ID,
        split="in_domain",
        seeds=(1, 2, 3),
        env_kwargs={"image_size": list(SIZE), "max_episode_steps": 60},
        batch_envs=2,
    )
    make = partial(VLAPolicy, folder / "uam")
    records = run_unit(make(), unit)
    assert records == run_unit(make(), unit)
    assert [r.policy for r in records] == ["tiny"] * 3
    for control in (BlindPolicy, DeafPolicy):
        assert len(run_unit(control(make()), unit)) == 3
