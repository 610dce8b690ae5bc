"""One resumable optimisation loop for every kind of training.

A step's batch and noise come from (seed, step) alone, so a run that was killed and resumed gives
the numbers of one that was not, on any number of ranks.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from uamsim.errors import UamsimError
from uamsim.training.average import Average
from uamsim.training.config import OptimConfig
from uamsim.training.meter import Meter
from uamsim.training.profiling import Profile
from uamsim.training.ranks import Part, Ranks, gathered
from uamsim.training.state import Training, has_state, load_state, save_state

Progress = Callable[[int, int, dict[str, float]], None]
"""Called with (step, total steps, metrics)."""


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What decides the samples and the noise of one pass; the same for all passes of a step.

    Attributes:
        rng: draws the samples of the whole step.
        noise: draws the noise of the whole step.
        part: which of the step's samples this pass computes.
        step: counted from 0.
    """

    rng: np.random.Generator
    noise: torch.Generator
    part: Part
    step: int

    @classmethod
    def of(cls, seed: int, step: int, part: Part) -> "Draw":
        """For a step counted from 0."""
        rng = np.random.default_rng([seed, step])
        noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
        return cls(rng=rng, noise=noise, part=part, step=step)


DECAY_SHARE = 0.25
"""Of a trapezoid's steps, those in which the rate falls."""

StepLoss = Callable[[Draw], Mapping[str, torch.Tensor]]
"""Draws a batch and returns its part's share of the losses; "total" is the one that is minimised.
One that knows no parts may only be run on one rank without accumulation."""


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What happens beside the training of the weights.

    Attributes:
        save_at: step -> call after that many steps are done; the state is saved right after. The
            last is called once more where training had already come to its end.
        watch: called every ``watch_every`` steps with the steps done.
        watch_every: 0 for never.
        save_every: steps between saved states.
        accumulation: passes that each rank takes for its samples of a step.
        meter: of speed and gradients.
        profile: records some steps.
    """

    save_at: Mapping[int, Callable[[], None]] | None = None
    watch: Callable[[int], None] | None = None
    watch_every: int = 0
    save_every: int = 500
    accumulation: int = 1
    meter: Meter | None = None
    profile: Profile | None = None


def learning_rate_scale(config: OptimConfig, step: int) -> float:
    """Share of the peak rate at a step counted from 0: linear warm-up, then the schedule."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return 1.0
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    floor = config.min_learning_rate_ratio
    if config.schedule == "trapezoid":
        return floor + (1 - floor) * min(1.0, (1 - step / config.steps) / DECAY_SHARE)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def make_optimizer(
    config: OptimConfig,
    named_parameters: Iterable[tuple[str, torch.nn.Parameter]],
    learning_rate_of: Callable[[str], float] | None = None,
) -> torch.optim.AdamW:
    """AdamW over the trainable parameters, grouped by rate and decay.

    Args:
        config: rates and moments.
        named_parameters: candidates; those without ``requires_grad`` are left out.
        learning_rate_of: peak rate by parameter name; the config's rate when None.
    """
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in named_parameters:
        if not parameter.requires_grad:
            continue
        rate = learning_rate_of(name) if learning_rate_of else config.learning_rate
        decay = config.weight_decay if parameter.ndim >= 2 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "initial_lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        betas=config.betas,
        fused=True,
    )


def fit(
    model: torch.nn.Module,
    optimizer: torch.optim.AdamW,
    step_loss: StepLoss,
    config: OptimConfig,
    *,
    seed: int,
    state_path: Path,
    report: Progress,
    average: Average | None = None,
    hooks: Hooks | None = None,
) -> dict[str, float]:
    """Runs ``config.steps`` steps, from the saved state where there is one.

    Args:
        model: its trainable parameters and buffers are saved in the state.
        optimizer: from ``make_optimizer``.
        step_loss: gives the losses of one pass.
        config: number of steps, schedule, clipping, precision.
        seed: with the step number, decides each step's batch and noise.
        state_path: where the resumable state lives; removed by nobody here.
        report: called every ``config.log_every`` steps and at the last, on the first rank.
        average: of the weights, kept up with them.
        hooks: what else is to be done.

    Returns:
        The last reported metrics.

    Raises:
        UamsimError: the loss is not finite; names step and values.
        CheckpointError: the saved state belongs to another model.
        StorageError: the state cannot be written.
    """
    ranks, hooks = Ranks.current(), hooks or Hooks()
    meter, profile = hooks.meter or Meter(), hooks.profile or Profile()
    shadow = {} if average is None else average.shadow
    training = Training(model=model, optimizer=optimizer, average=shadow)
    start = load_state(state_path, training) if has_state(state_path) else 0
    if start == config.steps and hooks.save_at and start in hooks.save_at:
        hooks.save_at[start]()  # what it wrote may have been lost or damaged since
    metrics: dict[str, float] = {}
    for step in range(start, config.steps):
        done = step + 1
        reported = done % config.log_every == 0 or done == config.steps
        scale = learning_rate_scale(config, step)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * scale
        with meter.step(), profile.step(done):
            draws = [Draw.of(seed, step, part) for part in ranks.parts(hooks.accumulation)]
            losses = _backward(step_loss, draws, optimizer, config, ranks)
            if reported:
                metrics = _metrics(losses, ranks) | meter.gradient_norms()
            norm = torch.nn.utils.clip_grad_norm_(training.parameters, config.grad_clip)
            optimizer.step()
            if average is not None:
                average.update()
        if reported:
            metrics |= {
                "grad_norm": float(gathered(norm)),
                "learning_rate_scale": scale,
                "learning_rate": config.learning_rate * scale,
            }
            if not all(map(math.isfinite, metrics.values())):
                raise UamsimError(
                    f"training diverged at step {done}: {metrics}. Lower the learning rate."
                )
            metrics |= meter.speed()
            if ranks.is_first:
                report(done, config.steps, metrics)
        if hooks.watch is not None and hooks.watch_every and done % hooks.watch_every == 0:
            hooks.watch(done)
        due = hooks.save_at.get(done) if hooks.save_at else None
        if due is not None:
            due()
        if due is not None or done % hooks.save_every == 0 or done == config.steps:
            save_state(state_path, training, done, ranks)
    return metrics


def _backward(
    step_loss: StepLoss,
    draws: Iterable[Draw],
    optimizer: torch.optim.AdamW,
    config: OptimConfig,
    ranks: Ranks,
) -> dict[str, torch.Tensor]:
    """Gradients of a step; this rank's share of its losses."""
    optimizer.zero_grad(set_to_none=True)
    shares: dict[str, torch.Tensor] = {}
    device = optimizer.param_groups[0]["params"][0].device.type
    for draw in draws:
        with torch.autocast(device, torch.bfloat16, enabled=config.precision == "bfloat16"):
            losses = step_loss(draw)
        # FSDP takes the mean over ranks, and shares must be added up.
        (losses["total"] * ranks.size).backward()
        for name, value in losses.items():
            value = value.detach()
            shares[name] = shares[name] + value if name in shares else value
    return shares


def _metrics(shares: Mapping[str, torch.Tensor], ranks: Ranks) -> dict[str, float]:
    """The whole step's losses."""
    values = ranks.sum(torch.stack([value.float() for value in shares.values()]))
    return dict(zip(shares, values.tolist(), strict=True))
