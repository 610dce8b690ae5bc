"""What an experiment will cost, before it is run: parameters, FLOPs, memory, time."""

import math
from dataclasses import dataclass

from uamsim.contract import CONTROL_HZ
from uamsim.models.sizes import TEXT_TOKENS, count_parameters, flops_per_sample, memory_bytes
from uamsim.orchestration.runs.progress import duration
from uamsim.orchestration.spec import ESem, ExperimentSpec
from uamsim.orchestration.trials.trial import expand
from uamsim.worlds import world_of


@dataclass(frozen=True, kw_only=True)
class Device:
    """An assumption about the machine that a scale is meant for.

    Attributes:
        name: for people.
        flops_per_s: that training reaches, of one device (for CPU, one core).
        devices: how many work side by side.
        chunks_per_s: policy calls for one episode a second, physics and rendering included.
    """

    name: str
    flops_per_s: float
    devices: int
    chunks_per_s: float


_CORE = Device(name="CPU core", flops_per_s=4.7e10, devices=2, chunks_per_s=45)
DEVICES: dict[str, Device] = {
    "debug": _CORE,
    "tiny": _CORE,
    "small": Device(name="GPU at 80 TFLOP/s", flops_per_s=8e13, devices=1, chunks_per_s=60),
    "paper": Device(name="GPU at 300 TFLOP/s", flops_per_s=3e14, devices=8, chunks_per_s=40),
}
"""CPU cores as measured in the tiny sweep; GPUs are assumed at about a third of their peak."""
_DEMONSTRATIONS_PER_S = 5.8
"""Episodes that one CPU core records a second, at tiny's picture size."""


def describe(spec: ExperimentSpec, workers: int) -> str:
    """A table of the variants and a sum, as text."""
    device = DEVICES[spec.scale]
    parallel = min(workers, device.devices) if "CPU" in device.name else device.devices
    width = max(map(len, ("variant", *spec.variants))) + 2
    lines = [
        f"{spec.name} at {spec.scale} · {len(expand(spec))} trials, seeds {list(spec.seeds)}",
        f"assumed: {device.flops_per_s:.1e} FLOP/s for each {device.name}, {parallel} of them, "
        f"{device.chunks_per_s} policy calls a second each in roll-outs",
        "",
        f"{'variant':<{width}}{'parameters':>12}{'trainable':>12}{'FLOPs/sample':>14}{'memory':>10}"
        f"{'a trial':>10}",
    ]
    for variant in spec.variants:
        model = spec.variant_model(variant)
        counts = count_parameters(model)
        trainable = counts["total"] - counts.get("vae", 0)
        seconds = _trial_seconds(spec, variant, "unfrozen", device)
        lines.append(
            f"{variant:<{width}}{_short(counts['total']):>12}{_short(trainable):>12}"
            f"{_short(flops_per_sample(model)['training']):>14}"
            f"{_bytes(memory_bytes(model)):>10}{duration(seconds):>10}"
        )
    stages = {
        "demonstrations (if there are none yet)": _demonstration_seconds(spec) / workers,
        "pretraining (if the models do not ship)": _pretraining_seconds(spec, device) / parallel,
        "trials": sum(
            _trial_seconds(spec, trial.variant, trial.e_sem, device) for trial in expand(spec)
        )
        / parallel,
        "roll-outs": _rollout_seconds(spec, device) / parallel,
    }
    lines += ["", *(f"{name:<42}{duration(value):>10}" for name, value in stages.items())]
    lines.append(f"{'together':<42}{duration(sum(stages.values())):>10}")
    lines.append(
        "memory: weights, gradients and two moments in float32, a device, before sharding; no "
        "activations."
    )
    if any(world_of(env_id).simulator is not None for env_id in spec.evaluation.env_ids):
        lines.append(
            "demonstrations and roll-outs are taken to be as quick as those of this repository's "
            "own world; foreign simulators are slower, some of them many times."
        )
    return "\n".join(lines)


def _trial_seconds(spec: ExperimentSpec, variant: str, e_sem: ESem, device: Device) -> float:
    config = spec.tuning_of(e_sem)
    sample = flops_per_sample(spec.variant_model(variant), e_sem_trainable=e_sem != "frozen")
    flops = config.batch_size * sample["training"]
    shown = spec.pretraining
    pairs = shown.qa_per_image + shown.captions_per_image + shown.pointings_per_image
    picture = flops_per_sample(spec.model.vlm, num_text=pairs * TEXT_TOKENS)
    flops += config.vqa_batch_size * picture["training"]
    tuning = config.steps * flops / device.flops_per_s
    evaluation = spec.evaluation
    episodes = evaluation.snapshot_episodes * len(evaluation.env_ids) * len(spec.tuning.snapshots)
    return tuning + episodes * _chunks(spec) / device.chunks_per_s


def _demonstration_seconds(spec: ExperimentSpec) -> float:
    demonstrations = spec.demonstrations
    episodes = demonstrations.episodes_per_env * len(demonstrations.env_ids)
    return episodes / _DEMONSTRATIONS_PER_S


def _pretraining_seconds(spec: ExperimentSpec, device: Device) -> float:
    pretraining, model = spec.pretraining, spec.model
    flops = sum(
        optim.steps * optim.batch_size * flops_per_sample(config)["training"]
        for optim, config in (
            (pretraining.vision, model.vlm),
            (pretraining.vlm, model.vlm),
            (pretraining.vae, model.vae),
            (pretraining.generator, model.generator),
        )
    )
    return flops / device.flops_per_s


def _rollout_seconds(spec: ExperimentSpec, device: Device) -> float:
    evaluation = spec.evaluation
    episodes = sum(
        evaluation.in_domain_episodes if split == "in_domain" else evaluation.episodes
        for split in evaluation.splits
    )
    trials = expand(spec)
    restored = sum(trial.e_sem == "unfrozen" for trial in trials) if spec.restored else 0
    policies = len(trials) + restored
    return policies * episodes * len(evaluation.env_ids) * _chunks(spec) / device.chunks_per_s


def _chunks(spec: ExperimentSpec) -> int:
    """Policy calls an episode, if it runs to its end: 8 s where the config does not say."""
    rate = spec.policy_spec.control_hz or CONTROL_HZ
    steps = spec.evaluation.max_episode_steps or 8 * rate
    return math.ceil(steps / spec.policy_spec.horizon)


def _short(value: float) -> str:
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.2f}{unit}"
    return f"{value:.0f}"


def _bytes(value: float) -> str:
    return f"{value / 2**30:.1f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"
