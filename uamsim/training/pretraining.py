"""Making the "public models" that a study starts from: tokenizer, VLM, VAE, generation expert."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from uamsim.data.captions import draw_caption, draw_pointing
from uamsim.data.scene_change import SceneChangeDataset
from uamsim.data.vqa import VQADataset
from uamsim.errors import ConfigError
from uamsim.models.checkpoint import load_checkpoint, save_checkpoint
from uamsim.models.config import GeneratorConfig, VAEConfig, VLMConfig
from uamsim.models.generator import Generator, copy_sem_to_dorsal, is_dorsal
from uamsim.models.state import assign
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.vae import VAE
from uamsim.models.vlm import VLM
from uamsim.training.config import JointConfig, PretrainingConfig
from uamsim.training.latents import encode_frames
from uamsim.training.loop import DECAY_SHARE, Draw, Hooks, Progress, fit, make_optimizer
from uamsim.training.ranks import Part, training_device
from uamsim.training.state import STATE_NAME
from uamsim.training.vision import pretrain_vision

MODEL_NAME = "model.safetensors"


def train_tokenizer(texts: Iterable[str], vocab_size: int, out: Path) -> Path:
    """Trains the byte-level BPE and writes ``out/tokenizer.json``."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "tokenizer.json"
    Tokenizer.train(texts, vocab_size).save(path)
    return path


def _pairs(
    dataset: VQADataset, row: int, rng: np.random.Generator, config: PretrainingConfig
) -> list[tuple[str, str]]:
    questions, facts = dataset.questions(row, rng, config.qa_per_image), dataset.facts(row)
    cell_m, share = config.pointing_cell_m, config.pointing_instruction_share
    captions = [draw_caption(facts, rng, cell_m=cell_m) for _ in range(config.captions_per_image)]
    drawn = [
        draw_pointing(facts, rng, cell_m=cell_m, instruction_share=share)
        for _ in range(config.pointings_per_image)
    ]
    pointings = [item for item in drawn if item is not None]
    return [(item.question, item.answer) for item in questions] + captions + pointings


def question_loss(
    model: VLM,
    dataset: VQADataset,
    rng: np.random.Generator,
    num_images: int,
    config: PretrainingConfig,
    part: Part | None = None,
) -> torch.Tensor:
    """Next-token loss of questions, captions and pointings about some pictures of ``dataset``.

    Args:
        model: that is asked.
        dataset: its training part.
        rng: draws pictures and questions of the whole step.
        num_images: of the whole step.
        config: how many questions of each kind a picture has.
        part: of the pictures; what is returned is its share of the mean over all answer tokens.
    """
    part = part or Part()
    rows = rng.integers(len(dataset), size=num_images)
    pairs = [_pairs(dataset, int(row), rng, config) for row in rows]
    here = part.rows(num_images)
    # All ranks must pass the same layers: one without a picture takes the first, for nothing.
    asked = here if here.start < here.stop else slice(0, 1)
    loss = model.answer_loss(
        torch.from_numpy(dataset.images[rows[asked]]).to(model.device),
        [[question for question, _ in row] for row in pairs[asked]],
        [[answer for _, answer in row] for row in pairs[asked]],
    )
    if part.count == 1:
        return loss
    encode = model.tokenizer.encode_answer
    tokens = [sum(len(encode(answer)) for _, answer in row) for row in pairs]
    return loss * (sum(tokens[here]) / sum(tokens))


def pretrain_vlm(
    config: PretrainingConfig,
    model_config: VLMConfig,
    *,
    vqa_root: Path,
    tokenizer_path: Path,
    out: Path,
    report: Progress,
) -> None:
    """Image-text pretraining of the ViT, then questions and captions by next-token prediction.

    Args:
        config: budget, pairs an image, seed.
        model_config: sizes.
        vqa_root: a question set (``data.vqa``); its training part is used.
        tokenizer_path: from ``train_tokenizer``.
        out: folder for the resumable state and ``model.safetensors``.
        report: progress.
    """
    dataset = VQADataset(vqa_root, "train")
    device = training_device()
    model = VLM(model_config, Tokenizer.load(tokenizer_path), seed=config.seed).to(device)
    total = config.vision.steps + config.vlm.steps
    vision = pretrain_vision(
        config.vision,
        model_config.vision,
        dataset,
        seed=config.seed,
        state_path=out / f"vision-{STATE_NAME}",
        report=lambda step, _, metrics: report(step, total, metrics),
    )
    model.vision.load_state_dict(vision.state_dict())

    def step_loss(draw: Draw) -> dict[str, torch.Tensor]:
        return {"total": question_loss(model, dataset, draw.rng, config.vlm.batch_size, config)}

    fit(
        model,
        make_optimizer(config.vlm, model.named_parameters()),
        step_loss,
        config.vlm,
        seed=config.seed,
        state_path=out / STATE_NAME,
        report=lambda step, _, metrics: report(config.vision.steps + step, total, metrics),
    )
    save_checkpoint(out / MODEL_NAME, model, kind="vlm", config=model_config)


def pretrain_vae(
    config: PretrainingConfig,
    model_config: VAEConfig,
    *,
    vqa_root: Path,
    scene_change_root: Path,
    out: Path,
    report: Progress,
) -> None:
    """Reconstruction of pictures; then the latents' normalisation is fitted.

    Args:
        config: budget and seed.
        model_config: sizes.
        vqa_root: a question set; the pictures of its training part are used.
        scene_change_root: a set of ``data.scene_change``; both sides of each pair are used.
        out: folder for the resumable state and ``model.safetensors``.
        report: progress.
    """
    pairs = SceneChangeDataset(scene_change_root)
    sources = (VQADataset(vqa_root, "train").images, pairs.before, pairs.after)
    device = training_device()
    model = VAE(model_config, seed=config.seed).to(device)

    def draw(rng: np.random.Generator, size: int) -> torch.Tensor:
        which = rng.integers(len(sources), size=size)
        rows = [
            source[rng.integers(len(source), size=np.count_nonzero(which == i))]
            for i, source in enumerate(sources)
        ]
        return torch.from_numpy(np.concatenate(rows)).to(device)

    fit(
        model,
        make_optimizer(config.vae, model.named_parameters()),
        lambda drawn: {"total": model.loss(draw(drawn.rng, config.vae.batch_size), drawn.noise)},
        config.vae,
        seed=config.seed,
        state_path=out / STATE_NAME,
        report=report,
    )
    model.fit_normalization(draw(np.random.default_rng(config.seed), 512))
    save_checkpoint(out / MODEL_NAME, model, kind="vae", config=model_config)


def pretrain_generator(
    config: PretrainingConfig,
    model_config: GeneratorConfig,
    *,
    vlm_path: Path,
    vae_path: Path,
    scene_change_root: Path,
    vqa_root: Path | None = None,
    out: Path,
    report: Progress,
    hooks: Hooks | None = None,
) -> None:
    """Flow matching of worded scene changes, with E_sem frozen or trained together on questions.

    Args:
        config: budget and seed; ``joint`` says whether E_sem is trained too.
        model_config: sizes.
        vlm_path: checkpoint that gives E_sem.
        vae_path: checkpoint that gives the latents, which are encoded once; it stays as it is.
        scene_change_root: a set of ``data.scene_change``.
        vqa_root: a question set, needed where E_sem is trained.
        out: folder for the resumable state and ``model.safetensors``.
        report: progress.
        hooks: what else is to be done while the model is trained.

    Raises:
        ConfigError: E_sem is to be trained without questions.
    """
    joint = config.joint
    if joint is not None and vqa_root is None:
        raise ConfigError("E_sem is trained with the generator on questions; vqa_root is None.")
    pairs = SceneChangeDataset(scene_change_root)
    asked = None if joint is None or vqa_root is None else VQADataset(vqa_root, "train")
    vlm = load_checkpoint(vlm_path)
    device = training_device()
    vae = load_checkpoint(vae_path).build_vae().to(device)
    model = Generator(model_config, vlm.build_vlm().tokenizer, seed=config.seed)
    model.init_from(vlm.state, vae.state_dict())
    if joint is not None:
        copy_sem_to_dorsal(model.vlm)
        model.set_e_sem_trainable(True)
        model.vlm.vision.requires_grad_(False)
    model.to(device)
    before, after = encode_frames(vae, pairs.before), encode_frames(vae, pairs.after)

    def step_loss(draw: Draw) -> dict[str, torch.Tensor]:
        rows = draw.rng.integers(len(pairs), size=config.generator.batch_size)
        now, goal = (torch.from_numpy(latents[rows]).to(device) for latents in (before, after))
        flow = model.loss(
            torch.from_numpy(pairs.before[rows]).to(device),
            [pairs.instructions[row] for row in rows],
            now,
            goal,
            draw.noise,
            None if joint is None else change_weights(now, goal, joint),
        )
        if joint is None or asked is None:
            return {"total": flow}
        is_last = draw.step >= (1 - DECAY_SHARE) * config.generator.steps
        share = joint.last_question_share if is_last else joint.question_share
        if draw.rng.random() >= share:
            return {"total": flow}
        questions = question_loss(
            model.vlm, asked, draw.rng, joint.question_images, config.last_questions()
        )
        return {"total": flow + questions, "flow": flow, "questions": questions}

    def rate(name: str) -> float:
        if joint is None or is_dorsal(name):
            return config.generator.learning_rate
        return joint.e_sem_learning_rate

    fit(
        model,
        make_optimizer(config.generator, model.expert_parameters(), rate),
        step_loss,
        config.generator,
        seed=config.seed,
        state_path=out / STATE_NAME,
        report=report,
        hooks=hooks,
    )
    save_checkpoint(out / MODEL_NAME, model, kind="generator", config=model_config)


def change_weights(
    latents: torch.Tensor, goal_latents: torch.Tensor, config: JointConfig
) -> torch.Tensor:
    """Weights [B, T] of a goal's tokens, 1 on average: more where a picture changes."""
    change_BT = (goal_latents - latents).square().mean(2).sqrt()
    weight_BT = 1 + (config.change_weight - 1) * (change_BT > config.change_from)
    return weight_BT / weight_BT.mean()


def extract_e_sem(generator_path: Path, out: Path) -> None:
    """Writes the VLM that a generator was trained with.

    Args:
        generator_path: checkpoint of a generator.
        out: folder for ``model.safetensors``.
    """
    generator = load_checkpoint(generator_path).build_generator()
    config = generator.config.vlm
    model = VLM(config, generator.tokenizer)
    assign(dict(model.named_parameters()), dict(generator.vlm.sem_parameters()), "E_sem")
    save_checkpoint(out / MODEL_NAME, model, kind="vlm", config=config)
