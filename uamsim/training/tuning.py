"""Action tuning: from pretrained experts to a policy, on action data, with questions if asked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from uamsim.contract import content_hash
from uamsim.data.action_data import ActionDataset
from uamsim.data.vqa import VQADataset
from uamsim.errors import ConfigError
from uamsim.models.checkpoint import load_checkpoint, save_checkpoint
from uamsim.models.config import VLAConfig
from uamsim.models.initial import init_from
from uamsim.models.vla import VLA
from uamsim.training.config import Questions, TuningConfig
from uamsim.training.latents import cached_latents
from uamsim.training.loop import STATE_NAME, Progress, fit, make_optimizer, training_device
from uamsim.training.pretraining import question_loss

LATENTS_FOLDER = "latents"


def tune(
    config: TuningConfig,
    model_config: VLAConfig,
    *,
    e_sem_trainable: bool,
    dataset_root: Path,
    cameras: tuple[str, ...],
    vlm_path: Path,
    vae_path: Path,
    generator_path: Path,
    out: Path,
    seed: int,
    report: Progress,
    on_snapshot: Callable[[int, Path], None],
    questions: Questions | None = None,
) -> Path:
    """Tunes one variant; goes on from ``out`` where an earlier call was killed.

    Args:
        config: budget and rates; the same for every variant.
        model_config: sizes and wiring of the variant.
        e_sem_trainable: False freezes E_sem.
        dataset_root: demonstrations in the LeRobot layout.
        cameras: the views that the model sees, in order.
        vlm_path: checkpoint that E_sem starts from.
        vae_path: checkpoint of the VAE.
        generator_path: checkpoint that E_dor starts from in ``gen_init`` and ``uam``.
        out: folder for the state and the snapshots ``step-000300.safetensors``.
        seed: decides the new weights, the order of the data and the noise.
        report: progress.
        on_snapshot: called with (step, checkpoint) after each snapshot was saved; if it raises,
            the next call repeats it.
        questions: needed where ``config.vqa_share`` is above 0.

    Returns:
        The last snapshot.

    Raises:
        CheckpointError: a checkpoint is missing, corrupt or of other sizes.
        DatasetError: the demonstrations are missing or corrupt.
        ConfigError: co-training without questions, or of a frozen E_sem.
        UamsimError: the loss is not finite.
    """
    if config.vqa_share and (questions is None or not e_sem_trainable):
        raise ConfigError(
            f"vqa_share is {config.vqa_share}, which needs questions and an E_sem that is trained; "
            f"got questions {questions} and e_sem_trainable {e_sem_trainable}."
        )
    mode = "quantile" if model_config.action_head == "mlp" else "mean_std"
    data = ActionDataset(dataset_root, chunk=model_config.chunk, cameras=cameras, mode=mode)
    asked = VQADataset(questions.root, "train") if questions and config.vqa_share else None
    source = load_checkpoint(vlm_path)
    model = VLA(model_config, source.build_vlm().tokenizer, seed=seed)
    vae_state = load_checkpoint(vae_path).state
    needs_generator = model_config.dorsal_init == "generator"
    generator_state = load_checkpoint(generator_path).state if needs_generator else None
    init_from(model, source.state, vae_state, generator_state)
    model.set_e_sem_trainable(e_sem_trainable)
    device = training_device()
    model.to(device)
    latents = None
    if model_config.dorsal_input == "vae":
        latents = cached_latents(model.vae, data.frames[0], dataset_root / LATENTS_FOLDER)

    def step_loss(rng: np.random.Generator, noise: torch.Generator) -> dict[str, torch.Tensor]:
        batch = data.sample(rng, config.batch_size, query_share=config.query_share)
        now = goal = None
        if latents is not None:
            now, goal = (torch.from_numpy(latents[i]).to(device) for i in batch["frame_ids"].T)
        losses = model.losses(model.to_batch(batch, now, goal), noise)
        if asked is None or questions is None:
            return losses
        vqa = question_loss(model.vlm, asked, rng, config.vqa_batch_size, questions.pretraining)
        return losses | {"vqa": vqa, "total": losses["total"] + config.vqa_weight * vqa}

    sem = {id(p) for _, p in model.e_sem_parameters()}
    rate_of = {
        name: config.e_sem_learning_rate if id(p) in sem else config.learning_rate
        for name, p in model.named_parameters()
    }
    extra = {
        "normalizer": data.normalizer.to_json(),
        "cameras": list(cameras),
        "image_size": list(data.frames[0].shape[1:3]),
        "control": data.dataset.control,
        "fps": data.dataset.fps,
    }
    # The folders of an artifact store are named by their content.
    sources = [path.parent.name for path in (vlm_path, vae_path, generator_path)]
    if asked is not None and questions is not None:
        sources.append(questions.root.name)
    identity = content_hash(
        [config, model_config, e_sem_trainable, dataset_root.name, sources, seed]
    )

    def step_extra(step: int) -> dict[str, object]:
        return {"step": step, "identity": f"{identity}-{step}"}

    def snapshot(step: int) -> Path:
        path = out / f"step-{step:06d}.safetensors"
        save_checkpoint(
            path, model, kind="vla", config=model_config, extra=extra | step_extra(step)
        )
        return path

    def save_and_measure(step: int) -> Callable[[], None]:
        return lambda: on_snapshot(step, snapshot(step))

    fit(
        model,
        make_optimizer(config, model.named_parameters(), rate_of.__getitem__),
        step_loss,
        config,
        seed=seed,
        state_path=out / STATE_NAME,
        report=report,
        save_at={step: save_and_measure(step) for step in config.snapshot_steps},
        save_every=300,
    )
    return out / f"step-{config.steps:06d}.safetensors"
