import dataclasses
import json
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from uamsim.errors import (
    CheckpointError,
    ConfigError,
    ShapeError,
    StorageError,
    UnknownNameError,
)
from uamsim.models.checkpoint import build_model, load_checkpoint, save_checkpoint
from uamsim.models.config import (
    ModelConfig,
    VAEConfig,
    VLAConfig,
    config_from_json,
    config_to_json,
)
from uamsim.models.flow import sample_image_time
from uamsim.models.generator import Generator, copy_sem_to_dorsal, is_dorsal
from uamsim.models.presets import PRESETS
from uamsim.models.sizes import count_parameters, flops_per_sample
from uamsim.models.state import assign
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.vae import VAE
from uamsim.models.variants import VARIANTS
from uamsim.models.vision import to_unit
from uamsim.models.vla import VLA
from uamsim.models.vlm import VLM, pack_answers
from uamsim.testing.models import make_batch, make_tokenizer, micro_config, micro_vla

TOKENIZER = make_tokenizer()


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 32, 48, 3), generator=generator, dtype=torch.uint8)


@given(st.text())
@settings(deadline=None, max_examples=50)
def test_tokenizer_round_trips_any_text(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_what_a_tokenizer_keeps_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = Tokenizer.train(["press the button"], 300)
    monkeypatch.setattr("uamsim.models.tokenizer.MAX_CACHED_TOKENS", 3000)
    whole = tokenizer.encode("x" * 5000)
    assert (len(whole), tokenizer._cache) == (5001, {})
    for number in range(500):
        tokenizer.encode(f"a sentence that comes once, {number}")
        assert sum(map(len, tokenizer._cache.values())) <= 3000 + 256
    assert tokenizer.encode("press the button") is tokenizer.encode("press the button")


def test_tokenizer_saves_and_loads(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    TOKENIZER.save(path)
    loaded = Tokenizer.load(path)
    assert loaded.encode("<eos> 红色 cube") == TOKENIZER.encode("<eos> 红色 cube")
    path.write_text("{")
    with pytest.raises(CheckpointError):
        Tokenizer.load(path)
    with pytest.raises(ConfigError, match="every byte"):
        Tokenizer.train(["a"], 200)


def test_packed_loss_is_the_loss_of_each_pair_alone() -> None:
    vlm = VLM(micro_config("uam").vlm, TOKENIZER, seed=1)
    images = pictures(2)
    questions = [["red?", "how many cubes are there?"], ["where is it", "红色?"]]
    answers = [["yes", "three"], ["left near", "no"]]
    packed = vlm.answer_loss(images, questions, answers)
    total, count = torch.zeros(()), 0
    for image, row_q, row_a in zip(images, questions, answers, strict=True):
        for q, a in zip(row_q, row_a, strict=True):
            tokens = len(TOKENIZER.encode_answer(a))
            total = total + tokens * vlm.answer_loss(image[None], [[q]], [[a]])
            count += tokens
    torch.testing.assert_close(packed, total / count, atol=1e-5, rtol=1e-5)


def test_pack_predicts_answers_and_eos_only() -> None:
    packed = pack_answers(TOKENIZER, [["red?"], ["red? red?"]], [["yes"], ["no"]])
    expected = TOKENIZER.encode_answer("yes") + TOKENIZER.encode_answer("no")
    assert packed.targets.tolist() == list(expected)


def test_vlm_learns_answers_and_decodes_them_in_any_batch() -> None:
    vlm = VLM(micro_config("uam").vlm, TOKENIZER, seed=1)
    images = pictures(2)
    questions = [["which?", "and the other, please?"], ["which?", "and the other, please?"]]
    answers = [["red", "红色"], ["green tray", "cube"]]
    optimizer = torch.optim.AdamW(vlm.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        vlm.answer_loss(images, questions, answers).backward()
        optimizer.step()
    got = vlm.answer(images[[0, 0, 1, 1]], ["which?", "and the other, please?"] * 2)
    assert got == ["red", "红色", "green tray", "cube"]
    assert vlm.answer(images[1:], ["which?"]) == ["green tray"]


def test_vlm_refuses_wrong_pictures_and_vocabularies() -> None:
    config = micro_config("uam").vlm
    vlm = VLM(config, TOKENIZER)
    with pytest.raises(ShapeError, match="32, 48"):
        vlm.answer(torch.zeros(1, 16, 16, 3, dtype=torch.uint8), ["?"])
    with pytest.raises(ShapeError, match="uint8"):
        vlm.answer(torch.zeros(1, 32, 48, 3), ["?"])
    with pytest.raises(ConfigError, match="vocab_size"):
        VLM(dataclasses.replace(config, vocab_size=100), TOKENIZER)


def test_vae_learns_and_normalises() -> None:
    vae = VAE(micro_config("uam").vae, seed=0)
    images = pictures(16)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=3e-3)
    first = vae.loss(images, generator)
    for _ in range(20):
        optimizer.zero_grad()
        vae.loss(images, generator).backward()
        optimizer.step()
    assert vae.loss(images, generator) < first
    vae.fit_normalization(images)
    latents = vae.encode(images)
    assert latents.shape == (16, vae.config.num_tokens, vae.config.token_dim)
    assert latents.mean((0, 1)).abs().max() < 1e-4
    assert (latents.std((0, 1)) - 1).abs().max() < 1e-2
    decoded = vae.decode(latents)
    assert decoded.shape == images.shape
    assert decoded.dtype == torch.uint8
    with pytest.raises(ShapeError):
        vae.decode(latents[:, 1:])


def test_vae_latent_patches_round_trip() -> None:
    config = dataclasses.replace(
        micro_config("uam").vae, widths=(8, 8, 8), patch=2, latent_channels=4
    )
    vae = VAE(config)
    latents = vae.encode(pictures(2))
    assert latents.shape == (2, config.num_tokens, 16)
    assert vae.decode(latents).shape == (2, 32, 48, 3)
    assert vae.encode(torch.zeros(1, 64, 96, 3, dtype=torch.uint8)).shape == latents[:1].shape


def test_generator_trains_only_its_expert() -> None:
    config = micro_config("uam")
    model = Generator(config.generator, TOKENIZER, seed=0)
    vlm, vae = VLM(config.vlm, TOKENIZER, seed=3), VAE(config.vae, seed=4)
    model.init_from(vlm.state_dict(), vae.state_dict())
    batch = make_batch(micro_vla("uam"))
    assert batch.latents is not None
    assert batch.goal_latents is not None
    images, texts = batch.images[:, 0], batch.instructions
    before = {n: t.clone() for n, t in model.state_dict().items()}
    optimizer = torch.optim.AdamW([p for _, p in model.expert_parameters()], lr=3e-3)
    losses: list[float] = []
    for _ in range(12):
        optimizer.zero_grad()
        generator = torch.Generator().manual_seed(0)
        loss = model.loss(images, texts, batch.latents, batch.goal_latents, generator)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    changed = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == set(model.dorsal_state())
    sampled = model.sample(images, texts, torch.randn(batch.latents.shape))
    assert sampled.shape == images.shape
    assert sampled.dtype == torch.uint8


def test_a_shift_moves_image_times_towards_noise() -> None:
    def times(shift: float) -> torch.Tensor:
        return sample_image_time(2000, shift, torch.Generator().manual_seed(0))

    plain, shifted = times(1.0), times(4.0)
    assert torch.equal(
        plain, torch.randn(2000, generator=torch.Generator().manual_seed(0)).sigmoid()
    )
    assert torch.allclose(shifted / (1 - shifted), 4 * plain / (1 - plain), rtol=1e-3)
    assert (shifted > 0.9).float().mean() > 5 * (plain > 0.9).float().mean()


def test_image_times_of_tuning_are_shifted_too() -> None:
    config = micro_config("uam", image_time_shift=4.0)
    assert config.generator.image_time_shift == 4.0
    plain, shifted = (
        VLA(c, TOKENIZER).draw(500, torch.Generator().manual_seed(0))["goal_t"]
        for c in (micro_config("uam"), config)
    )
    assert bool((shifted > plain).all())


def test_e_sem_is_trained_with_a_generator_that_frees_it() -> None:
    config = micro_config("uam")
    model = Generator(config.generator, TOKENIZER, seed=0)
    copy_sem_to_dorsal(model.vlm)
    sem = dict(model.vlm.sem_parameters())
    for name, value in model.vlm.named_parameters():
        if is_dorsal(name):
            assert torch.equal(value, sem[name.replace(".dor.", ".sem.")])
    images, latents = pictures(2), torch.randn(2, config.vae.num_tokens, config.vae.token_dim)
    weights = torch.ones(latents.shape[:2])
    args = (images, ["a", "b"], latents, latents.flip(0))

    def loss(weights: torch.Tensor | None) -> torch.Tensor:
        return model.loss(*args, torch.Generator().manual_seed(0), weights)

    assert loss(weights).item() == pytest.approx(loss(None).item(), rel=1e-5)
    model.latent.llm2vae.weight.data.normal_()
    loss(None).backward()
    assert all(value.grad is None for value in sem.values())
    model.set_e_sem_trainable(True)
    loss(None).backward()
    assert sem["embed.weight"].grad is not None
    assert any(value.grad is not None for name, value in sem.items() if "experts" in name)
    weights[:, 0] = 0
    assert loss(weights).item() != pytest.approx(loss(None).item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["vlm", "vae", "generator", "vla"])
def test_checkpoint_round_trip(kind: str, tmp_path: Path) -> None:
    config = micro_config("uam")
    configs: dict[str, ModelConfig] = {
        "vlm": config.vlm,
        "vae": config.vae,
        "generator": config.generator,
        "vla": config,
    }
    model = build_model(configs[kind], TOKENIZER, seed=5)
    path = tmp_path / "folder" / "model.safetensors"
    save_checkpoint(path, model, kind=kind, config=configs[kind], extra={"step": 3})
    loaded = load_checkpoint(path)
    assert (loaded.kind, loaded.config, loaded.extra) == (kind, configs[kind], {"step": 3})
    rebuilt = loaded.build().state_dict()
    assert all(torch.equal(t, rebuilt[n]) for n, t in model.state_dict().items())
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]
    if kind != "vlm":
        with pytest.raises(CheckpointError, match="expected a VLM"):
            loaded.build_vlm()


def test_bad_checkpoints_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_checkpoint(tmp_path / "none.safetensors")
    corrupt = tmp_path / "corrupt.safetensors"
    corrupt.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{broken")
    with pytest.raises(CheckpointError, match="corrupt"):
        load_checkpoint(corrupt)
    config = micro_config("uam").vae
    whole = tmp_path / "vae.safetensors"
    save_checkpoint(whole, VAE(config), kind="vae", config=config)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="corrupt"):
        load_checkpoint(cut)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    with pytest.raises(CheckpointError, match="no uamsim header"):
        load_checkpoint(foreign)
    newer = tmp_path / "newer.safetensors"
    save_file({"x": torch.zeros(1)}, newer, {"uamsim": '{"format_version": 99, "kind": "vae"}'})
    with pytest.raises(CheckpointError, match="version 99"):
        load_checkpoint(newer)
    with pytest.raises(UnknownNameError, match="vlm"):
        save_checkpoint(whole, VAE(config), kind="vml", config=config)
    blocked = tmp_path / "vae.safetensors" / "below_a_file"
    with pytest.raises(StorageError):
        save_checkpoint(blocked, VAE(config), kind="vae", config=config)


def test_assign_names_every_disagreement() -> None:
    targets = {"a": torch.zeros(2), "b": torch.zeros(3), "c": torch.zeros(1)}
    state = {"b": torch.ones(4), "c": torch.ones(1), "d": torch.ones(1)}
    with pytest.raises(CheckpointError, match=r"missing: a; extra: d; misshapen: b .*\(4,\)"):
        assign(targets, state, "a test")
    assert not targets["c"].any()


@pytest.mark.parametrize("preset", list(PRESETS))
def test_configs_survive_json(preset: str) -> None:
    for variant in VARIANTS.values():
        config = variant.apply(PRESETS[preset])
        text = json.dumps(config_to_json(config))
        assert config_from_json(VLAConfig, json.loads(text)) == config
    with pytest.raises(UnknownNameError, match="chnk"):
        config_from_json(VLAConfig, {"chnk": 3})


def real_count(config: ModelConfig) -> int:
    return sum(p.numel() for p in build_model(config, TOKENIZER).parameters())


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_counted_parameters_are_the_real_ones(variant: str) -> None:
    for base in (PRESETS["tiny"], micro_config("uam")):
        config = VARIANTS[variant].apply(base)
        configs: list[ModelConfig] = [config, config.vlm, config.vae, config.generator]
        for one in configs:
            assert count_parameters(one)["total"] == real_count(one)
            cost = flops_per_sample(one)
            assert cost["training"] == 3 * cost["forward"] > 0


@pytest.mark.parametrize("preset", list(PRESETS))
def test_larger_presets_build(preset: str) -> None:
    config = PRESETS[preset]
    with torch.device("meta"):
        assert count_parameters(config)["total"] == real_count(config)


def test_the_bagel_preset_has_its_size() -> None:
    parts = count_parameters(PRESETS["bagel-7b"])
    # 6.53B of blocks and 1.09B of embedding and head, plus a 0.4B vision tower.
    assert 7.6e9 < parts["e_sem"] < 8.2e9
    assert 6.5e9 < parts["e_dor"] < 6.7e9


def test_config_and_sizes_import_no_torch() -> None:
    import subprocess

    code = (
        "import sys, uamsim.models.config, uamsim.models.sizes; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'mujoco', 'ray', 'pyarrow')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_posterior_starts_nearly_without_noise():
    """Else the decoder learns the background alone and latents stay empty."""
    config = VAEConfig()
    vae = VAE(config)
    images = torch.randint(0, 256, (2, *config.image_size, 3), dtype=torch.uint8)
    mean, log_var = vae.encoder(to_unit(images)).chunk(2, dim=1)
    assert (0.5 * log_var).exp().mean() < 0.2 * mean.std()
