"""Action tuning: from pretrained experts to a policy, on action data, with questions if asked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from uamsim.contract import content_hash, rate_facts
from uamsim.data.action_data import ActionDataset
from uamsim.data.vqa import VQADataset
from uamsim.errors import ConfigError
from uamsim.models.batch import FlowNoise
from uamsim.models.checkpoint import build_model, load_checkpoint, save_checkpoint
from uamsim.models.config import VLAConfig
from uamsim.models.initial import init_from
from uamsim.models.sizes import TEXT_TOKENS, flops_per_sample
from uamsim.models.vla import VLA
from uamsim.training.average import Average
from uamsim.training.config import Questions, RuntimeConfig, TuningConfig
from uamsim.training.latents import cached_latents
from uamsim.training.layers import prepare_layers
from uamsim.training.loop import Draw, Hooks, Progress, fit, make_optimizer
from uamsim.training.meter import Meter, by_expert, matmul_flops
from uamsim.training.pretraining import question_loss
from uamsim.training.profiling import Profile
from uamsim.training.ranks import Ranks, Trainee, gathered, sharded, training_device
from uamsim.training.state import STATE_NAME

LATENTS_FOLDER = "latents"
TRACE_NAME = "trace.json.gz"


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
    runtime: RuntimeConfig | None = None,
    watch: Callable[[int, VLA], None] | None = None,
) -> Path:
    """Tunes one variant; goes on from ``out`` where an earlier call was killed.

    Every process that was started to train together (``Ranks.current``) calls this alike.

    Args:
        config: budget and rates; the same for every variant.
        model_config: sizes and wiring of the variant.
        e_sem_trainable: False freezes E_sem.
        dataset_root: demonstrations in the LeRobot layout.
        cameras: the views that the model sees, in order.
        vlm_path: checkpoint that E_sem starts from.
        vae_path: checkpoint of the VAE.
        generator_path: checkpoint that E_dor starts from in ``gen_init`` and ``uam``.
        out: folder for the state, the snapshots ``step-000300.safetensors``, with an average of
            weights ``step-000300.average.safetensors``, and a profiler's trace.
        seed: decides the new weights, the order of the data and the noise.
        report: progress; called on the first rank.
        on_snapshot: called on the first rank with (step, checkpoint) after each snapshot was saved;
            if it raises, the next call repeats it.
        questions: needed where ``config.vqa_share`` is above 0.
        runtime: how to run; ``ranks`` is not read here.
        watch: called on all ranks with (step, model) every ``runtime.watch_every`` steps.

    Returns:
        The last snapshot, of the weights that ``config.measured`` names.

    Raises:
        CheckpointError: a checkpoint is missing, corrupt or of other sizes.
        DatasetError: the demonstrations are missing or corrupt.
        ConfigError: co-training without questions, or of a frozen E_sem; more passes than samples.
        UamsimError: the loss is not finite.
    """
    runtime, ranks = runtime or RuntimeConfig(), Ranks.current()
    if config.vqa_share and (questions is None or not e_sem_trainable):
        raise ConfigError(
            f"vqa_share is {config.vqa_share}, which needs questions and an E_sem that is trained; "
            f"got questions {questions} and e_sem_trainable {e_sem_trainable}."
        )
    if ranks.size * runtime.accumulation > config.batch_size:
        raise ConfigError(
            f"batch_size is {config.batch_size}, which {ranks.size} ranks with accumulation "
            f"{runtime.accumulation} cannot share; lower them, or raise batch_size."
        )
    mode = "quantile" if model_config.action_head == "mlp" else "mean_std"
    data = ActionDataset(dataset_root, chunk=model_config.chunk, cameras=cameras, mode=mode)
    asked = VQADataset(questions.root, "train") if questions and config.vqa_share else None
    device = training_device()
    trainee = initial(model_config, vlm_path, vae_path, generator_path, seed, ranks)
    model = trainee.model
    model.set_e_sem_trainable(e_sem_trainable)
    model.packed = runtime.packed
    trainee.to(device)
    latents = None
    if model_config.dorsal_input == "vae":
        latents = cached_latents(model.vae, data.frames[0], dataset_root / LATENTS_FOLDER)
    prepare_layers(model, config.precision, runtime)

    sem = {id(p) for _, p in model.e_sem_parameters()}
    rate_of = {
        name: config.e_sem_learning_rate if id(p) in sem else config.learning_rate
        for name, p in model.named_parameters()
    }
    average = None
    if config.average_decay:
        average = Average(config.average_decay, model.named_parameters())
    # The folders of an artifact store are named by their content.
    sources = [path.parent.name for path in (vlm_path, vae_path, generator_path)]
    if asked is not None and questions is not None:
        sources.append(questions.root.name)
    snapshots = _Snapshots(
        out=out,
        model=model,
        average=average,
        config=config,
        extra={
            "normalizer": data.normalizer.to_json(),
            "cameras": list(cameras),
            "image_size": list(data.frames[0].shape[1:3]),
            "control": data.dataset.control,
            "fps": data.dataset.fps,
            **rate_facts(data.dataset.control, data.dataset.fps, data.dataset.control_hz),
        },
        identity=content_hash(
            [config, model_config, e_sem_trainable, dataset_root.name, sources, seed]
        ),
    )

    def save_and_measure(step: int) -> Callable[[], None]:
        def call() -> None:
            path = snapshots.save(step, ranks)
            if ranks.is_first:
                on_snapshot(step, path)
            ranks.barrier()

        return call

    losses = _Losses(config, data, latents, asked, questions)
    fit(
        model,
        make_optimizer(config, model.named_parameters(), rate_of.__getitem__),
        lambda draw: trainee(lambda model: losses(model, draw)),
        config,
        seed=seed,
        state_path=out / STATE_NAME,
        report=report,
        average=average,
        hooks=Hooks(
            save_at={step: save_and_measure(step) for step in config.snapshot_steps},
            watch=watch and (lambda step: trainee(lambda model: watch(step, model))),
            watch_every=runtime.watch_every,
            save_every=300,
            accumulation=runtime.accumulation,
            meter=_meter(model, config, runtime, ranks, device),
            profile=Profile(path=out / TRACE_NAME, steps=runtime.profile if ranks.is_first else 0),
        ),
    )
    return snapshots.path(config.steps)


def initial(
    config: VLAConfig, vlm_path: Path, vae_path: Path, generator_path: Path, seed: int, ranks: Ranks
) -> Trainee[VLA]:
    """What tuning starts from; each rank reads its own rows of the weights alone.

    Args:
        config: of the variant.
        vlm_path: checkpoint that E_sem starts from.
        vae_path: checkpoint of the VAE, which stays whole: latents are cached with it.
        generator_path: checkpoint that E_dor starts from where the variant says so.
        seed: of the weights that no checkpoint has.
        ranks: that share the weights.
    """
    source = load_checkpoint(vlm_path)

    def build() -> VLA:
        model = build_model(config, source.tokenizer, seed=seed)
        assert isinstance(model, VLA)
        return model

    def vae(model: VLA) -> Iterable[nn.Parameter]:
        return model.vae.parameters() if config.dorsal_input == "vae" else ()

    trainee = sharded(build, ranks, whole=vae)
    needs_generator = config.dorsal_init == "generator"
    generator_state = load_checkpoint(generator_path).state if needs_generator else None
    init_from(trainee.model, source.state, load_checkpoint(vae_path).state, generator_state)
    return trainee


def _meter(
    model: VLA, config: TuningConfig, runtime: RuntimeConfig, ranks: Ranks, device: torch.device
) -> Meter:
    """Tokens and FLOPs are of action samples; questions come on top."""
    peak = runtime.peak_flops
    if not peak and device.type == "cpu":
        peak = matmul_flops(getattr(torch, config.precision))
    goals = ("G_t", "G_1") if model.config.dynamics else ()
    return Meter(
        experts=by_expert(model.named_parameters()),
        samples=config.batch_size,
        tokens=model.layout(TEXT_TOKENS, goals=goals).length,
        flops=flops_per_sample(model.config)["training"],
        peak_flops=peak * ranks.size,
        device=device,
    )


@dataclass(frozen=True)
class _Losses:
    """The losses of one pass."""

    config: TuningConfig
    data: ActionDataset
    latents: np.ndarray | None
    asked: VQADataset | None
    questions: Questions | None

    def __call__(self, model: VLA, draw: Draw) -> dict[str, Tensor]:
        config, data, part = self.config, self.data, draw.part
        frames = data.draw(draw.rng, config.batch_size, query_share=config.query_share)
        noise = FlowNoise.draw(model.config, config.batch_size, draw.noise)
        here = part.rows(config.batch_size)
        batch = data.batch(frames[here])
        now = goal = None
        if self.latents is not None:
            device = model.vlm.device
            now, goal = (torch.from_numpy(self.latents[i]).to(device) for i in batch["frame_ids"].T)
        losses = model.losses(model.to_batch(batch, now, goal), noise.rows(here))
        if part.count > 1:
            losses = _share(
                losses,
                model.config.wm_weight,
                actions=data.num_actions(frames[here]) / data.num_actions(frames),
                samples=(here.stop - here.start) / config.batch_size,
            )
        if self.asked is None or self.questions is None:
            return losses
        vqa = question_loss(
            model.vlm,
            self.asked,
            draw.rng,
            config.vqa_batch_size,
            self.questions.pretraining,
            part,
        )
        return losses | {"vqa": vqa, "total": losses["total"] + config.vqa_weight * vqa}


def _share(
    means: Mapping[str, Tensor], wm_weight: float, *, actions: float, samples: float
) -> dict[str, Tensor]:
    """What a pass's means over its own actions and samples add to those of the whole step."""
    action = means["action"] * actions
    if "dynamics" not in means:
        return {"action": action, "total": action}
    dynamics = means["dynamics"] * samples
    return {"action": action, "dynamics": dynamics, "total": action + wm_weight * dynamics}


@dataclass(frozen=True, kw_only=True)
class _Snapshots:
    """Checkpoints of a run, of the trained weights and, where it is kept, of their average."""

    out: Path
    model: VLA
    average: Average | None
    config: TuningConfig
    extra: Mapping[str, Any]
    identity: str

    def path(self, step: int) -> Path:
        """The checkpoint that is measured."""
        return self._path(step, self.config.measured == "average")

    def _path(self, step: int, averaged: bool) -> Path:
        return self.out / f"step-{step:06d}{'.average' if averaged else ''}.safetensors"

    def save(self, step: int, ranks: Ranks) -> Path:
        """Writes what there is, and returns the one that is measured."""
        self._write(step, self.model.state_dict(), ranks, averaged=False)
        if self.average is not None:
            state = self.model.state_dict() | self.average.shadow
            self._write(step, state, ranks, averaged=True)
        return self.path(step)

    def _write(
        self, step: int, state: Mapping[str, Tensor], ranks: Ranks, *, averaged: bool
    ) -> None:
        whole: dict[str, Tensor] = {}
        for name, tensor in state.items():
            # All ranks gather, and only the first keeps it, outside the accelerator.
            tensor = gathered(tensor)
            if ranks.is_first:
                whole[name] = tensor.cpu()
        if not ranks.is_first:
            return
        identity = f"{self.identity}-{step}{'-average' if averaged else ''}"
        save_checkpoint(
            self._path(step, averaged),
            self.model,
            kind="vla",
            config=self.model.config,
            extra={**self.extra, "step": step, "identity": identity},
            state=whole,
        )
