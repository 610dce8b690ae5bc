"""One resumable optimisation loop for every kind of training.

A step's batch and noise come from (seed, step) alone, so a run that was killed and resumed gives
the numbers of one that was not.
"""

import errno
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from uamsim.errors import CheckpointError, StorageError, UamsimError
from uamsim.models.state import assign
from uamsim.training.config import OptimConfig

Progress = Callable[[int, int, dict[str, float]], None]
"""Called with (step, total steps, metrics)."""

STATE_NAME = "training_state.safetensors"

StepLoss = Callable[[np.random.Generator, torch.Generator], Mapping[str, torch.Tensor]]
"""Draws a batch and returns its losses; "total" is the one that is minimised."""


def learning_rate_scale(config: OptimConfig, step: int) -> float:
    """Share of the peak rate at a step counted from 0: linear warm-up, then cosine."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    floor = config.min_learning_rate_ratio
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


def training_device() -> torch.device:
    """The GPU that this process may use, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(
    model: torch.nn.Module,
    optimizer: torch.optim.AdamW,
    step_loss: StepLoss,
    config: OptimConfig,
    *,
    seed: int,
    state_path: Path,
    report: Progress,
    save_at: Mapping[int, Callable[[], None]] | None = None,
    save_every: int = 500,
) -> dict[str, float]:
    """Runs ``config.steps`` steps, from the saved state where there is one.

    Args:
        model: its trainable parameters and buffers are saved in the state.
        optimizer: from ``make_optimizer``.
        step_loss: gives the losses of one step.
        config: number of steps, schedule, clipping.
        seed: with the step number, decides each step's batch and noise.
        state_path: where the resumable state lives; removed by nobody here.
        report: called every ``config.log_every`` steps and at the last.
        save_at: step -> call after that many steps are done; the state is saved right after.
        save_every: steps between saved states.

    Returns:
        The last reported metrics.

    Raises:
        UamsimError: the loss is not finite; names step and values.
        CheckpointError: the saved state belongs to another model.
        StorageError: the state cannot be written.
    """
    start = load_state(state_path, model, optimizer) if state_path.exists() else 0
    metrics: dict[str, float] = {}
    for step in range(start, config.steps):
        batch_rng = np.random.default_rng([seed, step])
        noise = torch.Generator().manual_seed(int(batch_rng.integers(2**62)))
        scale = learning_rate_scale(config, step)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * scale
        losses = step_loss(batch_rng, noise)
        optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        norm = torch.nn.utils.clip_grad_norm_(
            [p for group in optimizer.param_groups for p in group["params"]], config.grad_clip
        )
        optimizer.step()
        done = step + 1
        if done % config.log_every == 0 or done == config.steps:
            metrics = {name: float(value.detach()) for name, value in losses.items()}
            metrics |= {"grad_norm": float(norm), "learning_rate_scale": scale}
            if not all(map(math.isfinite, metrics.values())):
                raise UamsimError(
                    f"training diverged at step {done}: {metrics}. Lower the learning rate."
                )
            report(done, config.steps, metrics)
        due = save_at.get(done) if save_at else None
        if due is not None:
            due()
        if due is not None or done % save_every == 0 or done == config.steps:
            save_state(state_path, model, optimizer, done)
    return metrics


def save_state(path: Path, model: torch.nn.Module, optimizer: torch.optim.AdamW, step: int) -> None:
    """Writes model, moments and step as safetensors, atomically.

    Raises:
        StorageError: the disk is full or the path cannot be written.
    """
    weights = _unshared(model.state_dict())
    tensors = {f"model.{name}": value.contiguous() for name, value in weights.items()}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            tensors[f"optimizer.{index}.{key}"] = value
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, metadata={"step": str(step)})
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        full = getattr(error, "errno", None) == errno.ENOSPC
        cause = "the disk is full" if full else str(error)
        raise StorageError(
            f"cannot save the training state to {path}: {cause}. Free some space and run the "
            "same command with --resume; everything saved before is kept."
        ) from error


def load_state(path: Path, model: torch.nn.Module, optimizer: torch.optim.AdamW) -> int:
    """Restores what ``save_state`` wrote and returns the number of steps done.

    Raises:
        CheckpointError: the file is corrupt or belongs to another model or optimiser.
    """
    from safetensors import safe_open

    advice = f"Remove {path} to start this training again."
    try:
        tensors = load_file(path)
        with safe_open(path, framework="pt") as handle:
            step = int((handle.metadata() or {})["step"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(f"{path} is not a training state ({error}). {advice}") from error
    weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    try:
        assign(_unshared(model.state_dict()), weights, f"the model that {path} is resumed for")
    except CheckpointError as error:
        raise CheckpointError(f"{error} {advice}") from error
    moments: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            moments.setdefault(int(index), {})[key] = value
    state = optimizer.state_dict()
    num_parameters = sum(len(group["params"]) for group in state["param_groups"])
    # A parameter that no loss reaches has none, such as the last layer of a prefix.
    if not set(moments) <= set(range(num_parameters)):
        raise CheckpointError(f"{path} holds moments of another optimiser. {advice}")
    state["state"] = moments
    optimizer.load_state_dict(state)
    return step


def _unshared(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state with each storage once, since safetensors refuses tied tensors."""
    seen: set[int] = set()
    kept = {}
    for name, tensor in state.items():
        if tensor.numel() and tensor.data_ptr() in seen:
            continue
        seen.add(tensor.data_ptr())
        kept[name] = tensor
    return kept
