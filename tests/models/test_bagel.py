"""BAGEL's weights give BAGEL's outputs: against transformers, and against its rules written out."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file, save_file
from torch import Tensor

from bagel_files import CHANNELS, LATENT_PATCH, write_bagel
from bagel_reference import GRID, Packed, token_id, vit_tokens
from uamsim.errors import CheckpointError
from uamsim.models.checkpoint import build_model
from uamsim.models.config import (
    ExpertConfig,
    GeneratorConfig,
    VAEConfig,
    VisionConfig,
    VLAConfig,
    VLMConfig,
)
from uamsim.models.flow import interpolate
from uamsim.models.generator import Generator
from uamsim.models.presets import PRESETS
from uamsim.models.pretrained.bagel import bagel_config, load_bagel, read_bagel_tokenizer
from uamsim.models.pretrained.stream import initialise_rest
from uamsim.models.sampling import Sampler
from uamsim.models.sequence import plan, run_layout
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.variants import VARIANTS
from uamsim.models.vla import VLA
from uamsim.models.vlm import VLM
from uamsim.models.wiring import SEM

QUESTION = "Where is the café? <|im_end|>"
BASE = VLAConfig(
    vlm=VLMConfig(vision=VisionConfig(image_size=(12, 20), patch=4, merge=1, stem="linear")),
    vae=VAEConfig(image_size=(16, 24), kind="flux", widths=(32, 64), patch=2),
    action=ExpertConfig(width=24, ffn=32, qk_norm=True),
    goal_start="noise",
    num_views=1,
    chunk=3,
    action_dim=4,
    proprio_dim=4,
    mlp_width=16,
    gripper_dims=(3,),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bagel")
    write_bagel(path)
    return path


@pytest.fixture(scope="module")
def theirs(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "ema.safetensors")


def loaded(folder: Path, config: VLMConfig | GeneratorConfig | VLAConfig) -> VLM | Generator | VLA:
    """A model of the folder's weights, from the meta device."""
    with torch.device("meta"):
        model = build_model(config, read_bagel_tokenizer(folder))
    assert isinstance(model, VLM | Generator | VLA)
    load_bagel(model, folder)
    initialise_rest(model, seed=0)
    assert not any(t.is_meta for t in (*model.parameters(), *model.buffers()))
    return model.eval()


def images(seed: int, *size: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=draw)


def to_their_order(tokens: Tensor) -> Tensor:
    """Our latent tokens [..., (c p q)] as BAGEL has them, [..., (p q c)]."""
    square = tokens.unflatten(-1, (CHANNELS, LATENT_PATCH, LATENT_PATCH))
    return square.movedim(-3, -1).flatten(-3)


def close(ours: Tensor, reference: Tensor) -> None:
    assert reference.std() > 0.1
    torch.testing.assert_close(ours, reference, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_views_and_text_equal_transformers_layers(folder: Path, theirs: dict[str, Tensor]) -> None:
    config = bagel_config(folder, BASE)
    vlm = loaded(folder, config.vlm)
    assert isinstance(vlm, VLM)
    picture = images(0, 12, 20)
    prompts = vlm.prompts([QUESTION], asking=True)
    layout = vlm.layout(prompts.ids.shape[1])
    rotary, mask = plan(layout, vlm.mot, prompts)
    x = vlm.embed_prefix(vlm.view_features(picture[None, None]), prompts.ids)
    ours = vlm.mot({SEM: x}, rotary, mask).hidden[SEM][0]

    reference = Packed(theirs)
    reference.picture(vit_tokens(theirs, picture))
    start, end = token_id("<|im_start|>"), token_id("<|im_end|>")
    reference.text([start, *QUESTION_BYTES, end, start])
    hidden = reference.run(mixed=False)
    close(ours, hidden)
    close(vlm.logits(ours), hidden @ theirs["language_model.lm_head.weight"].T)


def _byte_ids(text: str) -> list[int]:
    """Ids of a byte-level vocabulary without merges: the alphabet's letters, sorted."""
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)
    return [alphabet.index(letter) for piece, _ in pieces for letter in piece]


QUESTION_BYTES = _byte_ids(QUESTION)


@pytest.mark.parametrize("variant", ["generator", "uam"])
@torch.no_grad()
def test_the_generators_velocity_equals_bagels(
    folder: Path, theirs: dict[str, Tensor], variant: str
) -> None:
    config = bagel_config(folder, BASE)
    model = loaded(folder, config.generator if variant == "generator" else config)
    assert isinstance(model, Generator | VLA)
    picture = images(0, 12, 20)
    draw = torch.Generator().manual_seed(3)
    clean, goal, noise = torch.randn(
        3, 1, config.vae.num_tokens, config.vae.token_dim, generator=draw
    )
    t = 0.37
    noised = interpolate(goal, noise, torch.tensor([t]))
    reference = Packed(theirs)
    reference.picture(vit_tokens(theirs, picture))
    reference.text([token_id("<|im_start|>"), *QUESTION_BYTES, token_id("<|im_end|>")])
    for tokens, time, is_noise in ((clean, 0.0, False), (noised, t, True)):
        latents = reference.latents(to_their_order(tokens)[0], time)
        reference.picture(latents, generated=True, noise=is_noise)
    hidden = reference.run(mixed=True)[-1 - len(noised[0]) : -1]
    velocity = F.linear(hidden, theirs["llm2vae.weight"], theirs["llm2vae.bias"])

    prompts = model.vlm.prompts([QUESTION])
    sem = model.vlm.embed_prefix(model.vlm.view_features(picture[None, None]), prompts.ids)
    times = torch.tensor([t])
    dorsal = [model.latent.embed(clean, None), model.latent.embed(noised, times)]
    num_text = prompts.ids.shape[1]
    if isinstance(model, VLA):
        layout = model.layout(num_text, goals=["G_t"])
        layout = dataclasses.replace(layout, segments=layout.segments[:-2])
    else:
        layout = model.layout(num_text)
    out = run_layout(
        model.vlm.mot,
        layout,
        {SEM: model.with_marks(sem, 2), "dor": torch.cat(dorsal, dim=1)},
        prompts,
        freeze_sem=variant == "generator",
    )
    ours = model.latent.velocity(out.hidden["dor"][:, clean.shape[1] :])
    close(to_their_order(ours)[0], velocity)


def test_the_cached_goal_and_the_full_pass_agree(folder: Path) -> None:
    config = bagel_config(folder, BASE).generator
    model = loaded(folder, config)
    assert isinstance(model, Generator)
    picture = images(0, 12, 20)[None]
    noise = torch.randn(1, config.vae.num_tokens, config.vae.token_dim)
    one_step = dataclasses.replace(config, num_goal_steps=1)
    model.config = one_step
    pictures = model.sample(picture, [QUESTION], noise)
    current = model.vae.encode(picture)
    # At t = 1 the noised goal is the noise, whatever the goal; one Euler step takes its velocity.
    prompts = model.vlm.prompts([QUESTION])
    with torch.no_grad():
        sem = model.vlm.embed_prefix(model.vlm.view_features(picture[:, None]), prompts.ids)
        dorsal = [model.latent.embed(current, None), model.latent.embed(noise, torch.ones(1))]
        out = run_layout(
            model.vlm.mot,
            model.layout(prompts.ids.shape[1]),
            {SEM: model.with_marks(sem, 2), "dor": torch.cat(dorsal, dim=1)},
            prompts,
        )
        velocity = model.latent.velocity(out.hidden["dor"][:, current.shape[1] :])
        want = model.vae.decode(noise - velocity)
    assert (pictures.float() - want.float()).abs().max() <= 1


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_starts_from_the_weights_that_it_names(
    folder: Path, theirs: dict[str, Tensor], variant: str
) -> None:
    config = VARIANTS[variant].apply(bagel_config(folder, BASE))
    model = loaded(folder, config)
    assert isinstance(model, VLA)
    assert torch.equal(model.vlm.head.weight.detach(), theirs["language_model.lm_head.weight"])
    if config.has_dorsal:
        down = model.vlm.mot.layer(1).expert("dor").down.weight.detach()
        root = "language_model.model.layers.1.mlp"
        equal = {
            "vlm": torch.equal(down, theirs[f"{root}.down_proj.weight"]),
            "generator": torch.equal(down, theirs[f"{root}_moe_gen.down_proj.weight"]),
        }
        assert [origin for origin, same in equal.items() if same] == (
            [config.dorsal_init] if config.dorsal_init in equal else []
        )
    if config.dorsal_input == "vit" and config.dorsal_init == "vlm":
        weight = model.dorsal_connector.fc1.weight.detach()
        assert torch.equal(weight, theirs["connector.fc1.weight"])
    noise = torch.randn(1, config.chunk, config.action_dim)
    actions = Sampler(model).sample_actions(
        images(0, 12, 20)[None, None], ["press"], torch.zeros(1, config.proprio_dim), noise
    )
    # Random ids say no chunk of FAST tokens.
    assert config.action_head == "fast" or torch.isfinite(actions).all()
    maps = (
        None
        if config.action_head == "mlp"
        else Sampler(model).attention_maps(
            images(0, 12, 20)[None, None], ["press"], torch.zeros(1, config.proprio_dim), noise
        )
    )
    if maps is not None:
        assert maps["sem"] is not None
        assert maps["sem"].shape == (1, *GRID)


def test_missing_and_foreign_keys_are_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    state = load_file(tmp_path / "ema.safetensors")
    del state["language_model.model.layers.1.mlp_moe_gen.up_proj.weight"]
    # The tower's unused last layer is dropped in silence, another is not.
    state["vit_model.vision_model.encoder.layers.2.mlp.fc1.bias"] = torch.zeros(1)
    state["vit_model.vision_model.encoder.layers.3.mlp.fc1.bias"] = torch.zeros(1)
    save_file(state, tmp_path / "ema.safetensors")
    with pytest.raises(CheckpointError) as caught:
        loaded(tmp_path, bagel_config(tmp_path, BASE))
    message = str(caught.value)
    assert "missing: language_model.model.layers.1.mlp_moe_gen.up_proj.weight;" in message
    assert "extra: vit_model.vision_model.encoder.layers.3.mlp.fc1.bias." in message


def test_both_forms_of_the_tokenizer_agree(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "tokenizer.json").unlink()
    one, other = read_bagel_tokenizer(folder), read_bagel_tokenizer(tmp_path)
    for tokenizer in (one, other, Tokenizer.from_json(one.to_json())):
        start, end = token_id("<|im_start|>"), token_id("<|im_end|>")
        assert tokenizer.encode_instruction(QUESTION) == (start, *QUESTION_BYTES, end)
        assert tokenizer.encode_prompt(QUESTION) == (start, *QUESTION_BYTES, end, start)
        answer = tokenizer.encode_answer("red")
        assert answer == (*_byte_ids("red"), end)
        assert tokenizer.decode((start, *answer)) == "red"
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(CheckpointError, match=r"expected tokenizer\.json, or vocab\.json"):
        read_bagel_tokenizer(tmp_path)


def test_the_published_config_files_give_the_preset(tmp_path: Path) -> None:
    published = {
        "llm_config.json": {
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "vocab_size": 152064,
            "rope_theta": 1000000.0,
            "rms_norm_eps": 1e-06,
        },
        "vit_config.json": {
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "patch_size": 14,
            "image_size": 980,
        },
    }
    for name, value in published.items():
        (tmp_path / name).write_text(json.dumps(value))
    shapes = {
        f"encoder.down.{i}.block.0.conv1.weight": (width, 1, 1, 1)
        for i, width in enumerate((128, 256, 512, 512))
    }
    shapes["decoder.conv_in.weight"] = (512, 16, 3, 3)
    save_file({k: torch.zeros(s) for k, s in shapes.items()}, tmp_path / "ae.safetensors")
    preset = PRESETS["bagel-7b"]
    small = dataclasses.replace(preset, vlm=VLMConfig(vision=preset.vlm.vision))
    assert bagel_config(tmp_path, small) == preset
