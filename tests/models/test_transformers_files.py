"""PaliGemma and Qwen2.5-VL against `transformers`' own classes, on tiny random checkpoints."""

import dataclasses
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from transformers_files import MARKS, QUESTIONS, write_tokenizer, write_transformers
from uamsim.errors import CheckpointError
from uamsim.models.config import VLAConfig
from uamsim.models.pretrained import paligemma, qwen
from uamsim.models.sequence import run_layout
from uamsim.models.tokenizer import PretrainedTokenizer, Tokenizer
from uamsim.models.variants import VARIANTS
from uamsim.models.vla import VLA
from uamsim.models.vlm import VLM
from uamsim.models.wiring import SEM
from uamsim.testing.models import make_batch, micro_config


@dataclass
class Family:
    """A tiny checkpoint, the model that wrote it, and how it reads pictures."""

    name: str
    folder: Path
    reference: Any
    image_id: int
    tokenizer: PretrainedTokenizer
    config: VLAConfig
    load: Callable[..., None]

    def build(self) -> VLM:
        vlm = VLM(self.config.vlm, self.tokenizer, seed=3)
        self.load(vlm, self.folder)
        return vlm.eval()


@functools.cache
def image_size(name: str) -> tuple[int, int]:
    # 8 by 10 patches of Qwen's: windows of 4 by 4 patches, the last ones cut.
    return (28, 28) if name == "paligemma" else (112, 140)


def make_family(name: str, folder: Path) -> Family:
    reference, image_id = write_transformers(name, folder)
    base = micro_config("no_dorsal")
    vision = dataclasses.replace(
        base.vlm.vision, image_size=image_size(name), patch=14, merge=1, stem="linear"
    )
    if name == "qwen":
        vision = dataclasses.replace(vision, merge=2)
    base = dataclasses.replace(base, vlm=dataclasses.replace(base.vlm, vision=vision))
    if name == "paligemma":
        room: Any = paligemma
        read, size, load = (
            room.read_paligemma_tokenizer,
            room.paligemma_config,
            room.load_paligemma,
        )
    else:
        room = qwen
        read, size, load = room.read_qwen_tokenizer, room.qwen_config, room.load_qwen
    return Family(name, folder, reference, image_id, read(folder), size(folder, base), load)


@pytest.fixture(scope="module", params=["paligemma", "qwen"])
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Family:
    return make_family(request.param, tmp_path_factory.mktemp(request.param))


def pictures(family: Family, count: int = 2, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    size = family.config.vlm.vision.image_size
    return torch.from_numpy(rng.integers(0, 256, (count, *size, 3), dtype=np.uint8))


def reference_pixels(family: Family, images: Tensor) -> dict[str, Tensor]:
    """What the family's processor makes of pictures that already have its size."""
    x = images.double().permute(0, 3, 1, 2) / 255
    if family.name == "paligemma":
        return {"pixel_values": ((x - 0.5) / 0.5).float()}
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    x = ((x - mean) / std).float()
    rows, columns = x.shape[2] // 14, x.shape[3] // 14
    # (picture, row of tokens, row in it, height, column of tokens, column in it, width)
    cut = x.reshape(len(x), 3, rows // 2, 2, 14, columns // 2, 2, 14)
    cut = cut.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6).expand(*(-1,) * 6, 2, -1, -1)
    grid = torch.tensor([[1, rows, columns]] * len(x))
    return {"pixel_values": cut.reshape(len(x) * rows * columns, -1), "image_grid_thw": grid}


def reference_logits(
    family: Family, images: Tensor, prompt: tuple[int, ...], suffix: tuple[int, ...] = ()
) -> Tensor:
    """Logits [T, vocab] of prompt and suffix behind pictures [V, H, W, 3], if any."""
    marks = family.tokenizer
    num_tokens = family.config.vlm.vision.num_tokens
    view = (*marks.around_view[0], *(family.image_id,) * num_tokens, *marks.around_view[1])
    ids = torch.tensor([[*marks.before_views, *view * len(images), *prompt, *suffix]])
    given = reference_pixels(family, images) if len(images) else {}
    if family.name == "paligemma":
        kinds = torch.zeros_like(ids)
        kinds[:, ids.shape[1] - len(suffix) :] = 1
        given["token_type_ids"] = kinds
    elif len(images):
        given["mm_token_type_ids"] = (ids == family.image_id).int()
    with torch.no_grad():
        out = family.reference(input_ids=ids, attention_mask=torch.ones_like(ids), **given)
    return out.logits[0, -len(prompt) - len(suffix) :]


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_vision_equals_the_reference(family: Family) -> None:
    vlm, images = family.build(), pictures(family)
    with torch.no_grad():
        ours = vlm.connector(vlm.vision(images))
        features = family.reference.model.get_image_features(**reference_pixels(family, images))
    theirs = features.pooler_output
    close(ours, torch.stack(list(theirs)))


@pytest.mark.parametrize("num_views", [0, 1, 2])
def test_logits_equal_the_reference(family: Family, num_views: int) -> None:
    vlm, images = family.build(), pictures(family, 2 * num_views).unflatten(0, (2, num_views))
    prompts = vlm.prompts(QUESTIONS, asking=True)
    with torch.no_grad():
        logits = vlm.logits(vlm(prompts, images if num_views else None).hidden[SEM])
    for i, question in enumerate(QUESTIONS):
        ids = family.tokenizer.encode_prompt(question)
        close(logits[i, : len(ids)], reference_logits(family, images[i], ids))


def test_answer_loss_equals_the_reference(family: Family) -> None:
    vlm, images = family.build(), pictures(family)
    questions, answers = [QUESTIONS, QUESTIONS[:1]], [["the cube", "red"], ["button"]]
    rows: list[Tensor] = []
    targets: list[int] = []
    for image, asked, answered in zip(images, questions, answers, strict=True):
        for question, answer in zip(asked, answered, strict=True):
            prompt = family.tokenizer.encode_prompt(question)
            wanted = family.tokenizer.encode_answer(answer)
            logits = reference_logits(family, image[None], prompt, wanted[:-1])
            rows.append(logits[len(prompt) - 1 :])
            targets.extend(wanted)
    expected = nn.functional.cross_entropy(torch.cat(rows), torch.tensor(targets))
    with torch.no_grad():
        close(vlm.answer_loss(images, questions, answers), expected)


def test_answers_are_the_references_most_likely_tokens(family: Family) -> None:
    vlm, images = family.build(), pictures(family)
    answers = vlm.answer(images, QUESTIONS)
    for image, question, answer in zip(images, QUESTIONS, answers, strict=True):
        prompt, suffix = family.tokenizer.encode_prompt(question), ()
        for _ in range(family.config.vlm.max_answer_tokens):
            logits = reference_logits(family, image[None], prompt, suffix)
            suffix = (*suffix, int(logits[-1].argmax()))
        assert answer == family.tokenizer.decode(suffix)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_e_sem_is_the_same_beside_more_experts(family: Family, variant: str) -> None:
    config = VARIANTS[variant].apply(
        dataclasses.replace(
            family.config,
            dorsal=family.config.vlm.expert,
            vae=micro_config("uam").vae,
            action=dataclasses.replace(family.config.vlm.expert, width=24, ffn=32),
        )
    )
    vla = VLA(config, family.tokenizer, seed=5)
    family.load(vla, family.folder)
    sem = dict(vla.vlm.sem_parameters())
    if config.dorsal_init == "vlm":
        for name, parameter in vla.vlm.named_parameters():
            if ".dor." in name:
                assert torch.equal(parameter, sem[name.replace(".dor.", ".sem.")])
    batch = make_batch(vla)
    with torch.no_grad():
        whole = vla.inputs(batch, vla.draw(len(batch.actions), torch.Generator().manual_seed(0)))
        states = run_layout(vla.vlm.mot, whole.layout, whole.x, whole.prompts).hidden[SEM]
    start = vla.vlm.layout(1, config.num_views).start("L")
    for i, text in enumerate(batch.instructions):
        ids = family.tokenizer.encode_instruction(text)
        logits = vla.vlm.logits(states[i, start : start + len(ids)])
        close(logits, reference_logits(family, batch.images[i], ids))
    losses = vla.losses(batch, torch.Generator().manual_seed(0))
    losses["total"].backward()
    assert torch.isfinite(losses["total"])


def test_weights_that_do_not_fit_are_named(family: Family, tmp_path: Path) -> None:
    state = load_file(family.folder / "model.safetensors")
    norm = next(key for key in state if key.endswith("layers.0.input_layernorm.weight"))
    del state[norm]
    state["surplus.weight"] = torch.zeros(1)
    save_file(state, tmp_path / "model.safetensors")
    vlm = VLM(family.config.vlm, family.tokenizer)
    with pytest.raises(CheckpointError, match=rf"missing: {norm}; extra: surplus.weight"):
        family.load(vlm, tmp_path)


def test_newer_and_older_key_prefixes_load_alike(family: Family, tmp_path: Path) -> None:
    state = load_file(family.folder / "model.safetensors")
    pairs = {
        "language_model.model.": "model.language_model.",
        "vision_tower.": "model.vision_tower.vision_model.",
        "multi_modal_projector.": "model.multi_modal_projector.",
        "visual.": "model.visual.",
        "model.": "model.language_model.",
    }

    def renamed(key: str) -> str:
        old = next((prefix for prefix in pairs if key.startswith(prefix)), "")
        return pairs.get(old, "") + key.removeprefix(old)

    save_file({renamed(key): value for key, value in state.items()}, tmp_path / "model.safetensors")
    vlm = VLM(family.config.vlm, family.tokenizer)
    family.load(vlm, tmp_path)
    expected = family.build().state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in vlm.state_dict().items())


def test_flat_config_of_older_files(tmp_path: Path) -> None:
    family = make_family("qwen", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    text = config.pop("text_config")
    rope = text.pop("rope_parameters")
    text |= {"rope_theta": rope["rope_theta"], "rope_scaling": {"mrope_section": [1, 1, 2]}}
    (tmp_path / "config.json").write_text(json.dumps({**text, **config}))
    assert qwen.qwen_config(tmp_path, family.config) == family.config
    # Any experiment's pictures will do: here 64 by 96.
    assert qwen.qwen_config(tmp_path, VLAConfig()).vlm.vision.image_size == (56, 84)


def test_tokenizer_keeps_its_template(family: Family) -> None:
    tokenizer = family.tokenizer
    again = Tokenizer.from_json(tokenizer.to_json())
    assert isinstance(again, PretrainedTokenizer)
    assert again.encode_prompt("red cube") == tokenizer.encode_prompt("red cube")
    assert again.around_view == tokenizer.around_view
    spelled = tokenizer.encode_prompt("<|im_end|><eos>")
    specials = {tokenizer.eos_id}
    assert len([i for i in spelled if i in specials]) == len(
        [i for i in tokenizer.encode_prompt("x") if i in specials]
    )
    assert (
        tokenizer.decode(tokenizer.encode_answer("红色 <|im_end|> cube")) == "红色 <|im_end|> cube"
    )


def test_tokenizer_without_the_marks_is_refused(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, MARKS["paligemma"])
    with pytest.raises(CheckpointError, match=r"lacks <\|im_start\|>"):
        qwen.read_qwen_tokenizer(tmp_path)
