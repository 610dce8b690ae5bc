"""Action tuning: from pretrained experts to a policy, on action data, with questions if asked."""

import functools
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
from uamsim.models.checkpoint import build_model, load_checkpoint, save_checkpoint
from uamsim.models.config import VLAConfig
from uamsim.models.initial import init_from
from uamsim.models.sizes import TEXT_TOKENS, flops_per_sample
from uamsim.models.vla import VLA
from uamsim.training.average import Average
from uamsim.training.config import Questions, RuntimeConfig, Sources, TuningConfig
from uamsim.training.latents import cached_latents
from uamsim.training.layers import prepare_layers
from uamsim.training.loop import Draw, Hooks, Progress, fit, make_optimizer
from uamsim.training.meter import Meter, by_group, matmul_flops
from uamsim.training.prefixes import Prefixes
from uamsim.training.pretraining import question_loss
from uamsim.training.profiling import Profile
from uamsim.training.ranks import Ranks, Trainee, gathered, sharded, training_device
from uamsim.training.state import STATE_NAME

LATENTS_FOLDER, PREFIXES_FOLDER = "latents", "prefixes"
TRACE_NAME = "trace.json.gz"
OF_ACTIONS = frozenset({"action", "tokens", "clipped"})
"""Losses and counts that are means over actions, not over samples."""


def tune(
    config: TuningConfig,
    model_config: VLAConfig,
    sources: Sources,
    *,
    e_sem_trainable: bool,
    out: Path,
    seed: int,
    report: Progress,
    on_snapshot: Callable[[int, Path], None],
    runtime: RuntimeConfig | None = None,
    watch: Callable[[int, VLA], None] | None = None,
) -> Path:
    """Tunes one variant; goes on from ``out`` where an earlier call was killed.

    Every process that was started to train together (``Ranks.current``) calls this alike.

    Args:
        config: budget and rates; the same for every variant.
        model_config: sizes and wiring of the variant.
        sources: demonstrations, and the weights to start from.
        e_sem_trainable: False freezes E_sem.
        out: folder for the state, the snapshots ``step-000300.safetensors``, with an average of
            weights ``step-000300.average.safetensors``, and a profiler's trace.
        seed: decides the new weights, the order of the data and the noise.
        report: progress; called on the first rank.
        on_snapshot: called on the first rank with (step, checkpoint) after each snapshot was saved;
            if it raises, the next call repeats it.
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
    _check(config, sources, runtime, ranks, e_sem_trainable)
    data = ActionDataset(
        sources.demonstrations,
        chunk=model_config.chunk,
        cameras=sources.cameras,
        mode=model_config.normalization,
    )
    trainee = initial(model_config, sources, seed, ranks)
    model = trainee.model
    model.set_e_sem_trainable(e_sem_trainable)
    model.packed = runtime.packed
    for head in filter(None, (model.actor, model.taught)):
        head.fit(model, data.chunks())
    trainee.to(training_device())
    prefixes = None
    if not (e_sem_trainable or runtime.packed or ranks.size > 1 or config.precision != "float32"):
        folder = sources.demonstrations / PREFIXES_FOLDER
        prefixes = Prefixes.of(model, data, folder, runtime.prefix_gib * 2**30)
    losses = _Losses.of(config, sources, data, model, prefixes)
    prepare_layers(model, config.precision, runtime)
    average = None
    if config.average_decay:
        average = Average(config.average_decay, model.named_parameters())
    recipe = [config, model_config, e_sem_trainable, sources.demonstrations.name]
    snapshots = _Snapshots(
        out=out,
        model=model,
        average=average,
        config=config,
        extra=_extra(data, sources.cameras),
        identity=content_hash([*recipe, sources.names(config), seed]),
        ranks=ranks,
        on_snapshot=on_snapshot,
    )
    fit(
        model,
        make_optimizer(config, model.named_parameters(), _rates(config, model).__getitem__),
        lambda draw: trainee(lambda model: losses(model, draw)),
        config,
        seed=seed,
        state_path=out / STATE_NAME,
        report=report,
        average=average,
        hooks=Hooks(
            save_at={s: functools.partial(snapshots.take, s) for s in config.snapshot_steps},
            watch=watch and (lambda step: trainee(lambda model: watch(step, model))),
            watch_every=runtime.watch_every,
            save_every=300,
            accumulation=runtime.accumulation,
            meter=_meter(model, config, runtime, ranks),
            profile=Profile(path=out / TRACE_NAME, steps=runtime.profile if ranks.is_first else 0),
        ),
    )
    return snapshots.path(config.steps)


def _check(
    config: TuningConfig,
    sources: Sources,
    runtime: RuntimeConfig,
    ranks: Ranks,
    e_sem_trainable: bool,
) -> None:
    questions = sources.questions
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


def _rates(config: TuningConfig, model: VLA) -> dict[str, float]:
    """Peak learning rate of each parameter."""
    sem = {id(p) for _, p in model.e_sem_parameters()}
    return {
        name: config.e_sem_learning_rate if id(p) in sem else config.learning_rate
        for name, p in model.named_parameters()
    }


def _extra(data: ActionDataset, cameras: tuple[str, ...]) -> dict[str, Any]:
    """What a policy needs to know beside the weights."""
    return {
        "normalizer": data.normalizer.to_json(),
        "cameras": list(cameras),
        "image_size": list(data.frames[0].shape[1:3]),
        "control": data.dataset.control,
        "fps": data.dataset.fps,
        **rate_facts(data.dataset.control, data.dataset.fps, data.dataset.control_hz),
    }


def initial(config: VLAConfig, sources: Sources, seed: int, ranks: Ranks) -> Trainee[VLA]:
    """What tuning starts from; each rank reads its own rows of the weights alone.

    Args:
        config: of the variant.
        sources: the weights to start from. The VAE stays whole: latents are cached with it.
        seed: of the weights that no checkpoint has.
        ranks: that share the weights.
    """
    source = load_checkpoint(sources.vlm)

    def build() -> VLA:
        model = build_model(config, source.tokenizer, seed=seed)
        assert isinstance(model, VLA)
        return model

    def vae(model: VLA) -> Iterable[nn.Parameter]:
        return model.vae.parameters() if config.reads_latents else ()

    trainee = sharded(build, ranks, whole=vae)
    needs_generator = config.dorsal_init == "generator"
    generator_state = load_checkpoint(sources.generator).state if needs_generator else None
    init_from(trainee.model, source.state, load_checkpoint(sources.vae).state, generator_state)
    return trainee


def _meter(model: VLA, config: TuningConfig, runtime: RuntimeConfig, ranks: Ranks) -> Meter:
    """Tokens and FLOPs are of action samples; questions come on top."""
    peak, device = runtime.peak_flops, model.vlm.device
    if not peak and device.type == "cpu":
        peak = matmul_flops(getattr(torch, config.precision))
    return Meter(
        experts=by_group(model),
        samples=config.batch_size,
        tokens=model.layout(TEXT_TOKENS).length,
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
    prefixes: Prefixes | None

    @classmethod
    def of(
        cls,
        config: TuningConfig,
        sources: Sources,
        data: ActionDataset,
        model: VLA,
        prefixes: Prefixes | None,
    ) -> "_Losses":
        latents, questions = None, sources.questions
        if model.config.reads_latents:
            folder = sources.demonstrations / LATENTS_FOLDER
            latents = cached_latents(model.vae, data.frames[0], folder)
        asked = VQADataset(questions.root, "train") if questions and config.vqa_share else None
        return cls(config, data, latents, asked, questions, prefixes)

    def __call__(self, model: VLA, draw: Draw) -> dict[str, Tensor]:
        config, data, part = self.config, self.data, draw.part
        frames = data.draw(draw.rng, config.batch_size, query_share=config.query_share)
        noise = model.draw(config.batch_size, draw.noise)
        here = part.rows(config.batch_size)
        batch = data.batch(frames[here])
        now = goal = None
        if self.latents is not None:
            device = model.vlm.device
            now, goal = (torch.from_numpy(self.latents[i]).to(device) for i in batch["frame_ids"].T)
        inputs = model.to_batch(batch, now, goal)
        if self.prefixes is not None:
            inputs = self.prefixes.put_into(model, inputs, frames[here])
        losses = model.losses(inputs, {name: rows[here] for name, rows in noise.items()})
        if part.count > 1:
            losses = _share(
                model,
                losses,
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
    model: VLA, means: Mapping[str, Tensor], *, actions: float, samples: float
) -> dict[str, Tensor]:
    """What a pass's means over its own actions and samples add to those of the whole step."""
    shares = {
        name: mean * (actions if name in OF_ACTIONS else samples)
        for name, mean in means.items()
        if name != "total"
    }
    return shares | {"total": model.total(shares)}


@dataclass(frozen=True, kw_only=True)
class _Snapshots:
    """Checkpoints of a run, of the trained weights and, where it is kept, of their average."""

    out: Path
    model: VLA
    average: Average | None
    config: TuningConfig
    extra: Mapping[str, Any]
    identity: str
    ranks: Ranks
    on_snapshot: Callable[[int, Path], None]

    def path(self, step: int) -> Path:
        """The checkpoint that is measured."""
        return self._path(step, self.config.measured == "average")

    def _path(self, step: int, averaged: bool) -> Path:
        return self.out / f"step-{step:06d}{'.average' if averaged else ''}.safetensors"

    def take(self, step: int) -> None:
        """Writes what there is, then shows the one that is measured."""
        self._write(step, self.model.state_dict(), averaged=False)
        if self.average is not None:
            self._write(step, self.model.state_dict() | self.average.shadow, averaged=True)
        if self.ranks.is_first:
            self.on_snapshot(step, self.path(step))
        self.ranks.barrier()

    def _write(self, step: int, state: Mapping[str, Tensor], *, averaged: bool) -> None:
        whole: dict[str, Tensor] = {}
        for name, tensor in state.items():
            # All ranks gather, and only the first keeps it, outside the accelerator.
            tensor = gathered(tensor)
            if self.ranks.is_first:
                whole[name] = tensor.cpu()
        if not self.ranks.is_first:
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
