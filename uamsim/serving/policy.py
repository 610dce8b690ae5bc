"""Checkpoints as policies and answerers: numpy in, numpy out.

A checkpoint of a VLA carries in its ``extra`` what is needed to use it: ``normalizer``,
``cameras``, ``image_size``, ``control``, ``fps`` and ``identity`` (hash of what made it).
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from uamsim.contract import PolicyInput, PolicySpec, steps_per_frame, stored_rate
from uamsim.data.normalization import Normalizer
from uamsim.errors import CheckpointError, ConfigError, ShapeError
from uamsim.models.checkpoint import Checkpoint, load_checkpoint
from uamsim.models.config import VLAConfig
from uamsim.models.interventions import INTERVENTIONS
from uamsim.models.sampling import Sampler
from uamsim.models.state import assign
from uamsim.models.vla import VLA
from uamsim.models.vlm import VLM

LOGGER = logging.getLogger("uamsim.serving")
ACTION_STREAM, GOAL_STREAM = 0, 1
PROMPT_MULTIPLE = 16
"""Prompts are padded to a multiple of so many tokens, so that most of a batch share a call."""


def find_device(name: str) -> torch.device:
    """A device of this machine by its name.

    Raises:
        ConfigError: PyTorch knows no such device, or sees none here.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"device must be one that PyTorch sees here, such as cpu or cuda, got {name!r}: "
            f"{reason}"
        ) from error
    return device


class VLMAnswerer:
    """A VLM checkpoint that answers questions.

    Args:
        checkpoint: of kind "vlm".
        device: where it runs; never chosen for you.

    Raises:
        CheckpointError: the file is missing, corrupt or of another kind.
    """

    def __init__(self, checkpoint: Path, *, device: str = "cpu") -> None:
        self._vlm = load_checkpoint(checkpoint).build_vlm().to(device)

    def answer(self, images: UInt8[np.ndarray, "B H W 3"], questions: Sequence[str]) -> list[str]:
        """Greedy answers, one for each question about its own picture."""
        return _answer(self._vlm, images, questions)


class VLAPolicy:
    """A VLA checkpoint as a policy of the contract.

    The K predicted targets, ``fps`` a second, become K * 50 / fps control steps by linear
    interpolation that starts at the measured ``agent_pos``.

    Args:
        checkpoint: of kind "vla".
        e_sem_from: a VLM checkpoint whose weights replace E_sem's: vision, connector, embedding,
            semantic expert and head (the restored probe).
        fps: predicted targets a second; by default, and never against, the checkpoint's.
        device: where it runs; never chosen for you.
        intervention: a name of ``INTERVENTIONS``: what is hidden from the actions, or None.

    Attributes:
        unsaid: chunks so far for which the model said no actions, such as FAST tokens of a wrong
            length: the robot then stays where it is. A warning says so whenever they have doubled.

    Raises:
        CheckpointError: a file is missing, corrupt, of another kind, lacks what a policy needs,
            or the two do not fit.
        UnknownNameError: no such intervention.
        ConfigError: there is no such device here.
    """

    def __init__(
        self,
        checkpoint: Path,
        *,
        e_sem_from: Path | None = None,
        fps: int | None = None,
        device: str = "cpu",
        intervention: str | None = None,
    ) -> None:
        place = find_device(device)
        loaded = load_checkpoint(checkpoint)
        model = loaded.build_vla()
        extra = _Extra(checkpoint, loaded.extra)
        own_fps, control = int(extra["fps"]), extra["control"]
        if fps not in (None, own_fps):
            raise CheckpointError(
                f"{checkpoint} predicts {own_fps} targets a second, asked for {fps}; use its own."
            )
        try:
            rate = stored_rate(loaded.extra)
            self._steps_per_target = steps_per_frame(control, own_fps, rate)
        except ConfigError as error:
            raise CheckpointError(f"{checkpoint}: {error}") from error
        self.name = str(extra["identity"])
        self.spec = PolicySpec(
            cameras=tuple(extra["cameras"]),
            image_size=(int(extra["image_size"][0]), int(extra["image_size"][1])),
            control=control,
            horizon=model.config.chunk * self._steps_per_target,
            action_dim=model.config.action_dim,
            proprio_dim=model.config.proprio_dim,
            control_hz=rate,
        )
        if len(self.spec.cameras) != model.config.num_views:
            raise CheckpointError(
                f"{checkpoint} names {len(self.spec.cameras)} cameras for a model of "
                f"{model.config.num_views} views."
            )
        try:
            self._normalizer = Normalizer.from_json(extra["normalizer"])
        except ConfigError as error:
            raise CheckpointError(f"{checkpoint}: {error}") from error
        _check_normalizer(checkpoint, self._normalizer, model.config)
        if e_sem_from is not None:
            self.name += "+restored"
            _restore_e_sem(model, loaded, load_checkpoint(e_sem_from), e_sem_from)
        if intervention is not None:
            self.name += f"+{intervention}"
            model.hidden = INTERVENTIONS[intervention].hides(model.config)
        self.model = model.to(place)
        self.model.prompt_multiple = PROMPT_MULTIPLE
        self._sampler = Sampler(self.model)
        self.unsaid = 0

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``.

        Raises:
            ShapeError: a picture or ``agent_pos`` that is not what ``spec`` says.
        """
        images, instructions, proprio = self._prepare(inputs)
        actions = self._sampler.sample_actions(
            images, instructions, proprio, self._action_noise(inputs), self._goal_noise(inputs)
        )
        targets = self._normalizer.unnormalize(actions.cpu().numpy(), "action")
        targets = self._still(inputs, targets)
        if self.spec.control == "relative":
            return targets
        agent_pos = np.stack([item.observation["agent_pos"] for item in inputs])
        return expand_targets(agent_pos, targets, self._steps_per_target)

    def _still(self, inputs: Sequence[PolicyInput], targets: np.ndarray) -> np.ndarray:
        """The robot stays where it is in place of a chunk that the model did not say, counted."""
        unsaid = np.isnan(targets).any((1, 2))
        before, self.unsaid = self.unsaid, self.unsaid + int(unsaid.sum())
        if self.unsaid.bit_length() > before.bit_length():
            text = "%s said no actions for %d chunks so far; the robot stays where it is."
            LOGGER.warning(text, self.name, self.unsaid)
        for row in np.flatnonzero(unsaid).tolist():
            pose = inputs[row].observation["agent_pos"]
            targets[row] = 0.0 if self.spec.control == "relative" else pose
        return targets

    def batch_key(self, item: PolicyInput) -> int:
        """Length of the padded prompt: a longer one changes rounding, and so actions."""
        length = len(self.model.vlm.tokenizer.encode_instruction(item.instruction))
        return -(-length // PROMPT_MULTIPLE)

    def answer(self, images: UInt8[np.ndarray, "B H W 3"], questions: Sequence[str]) -> list[str]:
        """Greedy answers of the model's own E_sem, one for each question and picture."""
        return _answer(self.model.vlm, images, questions)

    def attention_maps(
        self, inputs: Sequence[PolicyInput]
    ) -> dict[str, Float32[np.ndarray, "B h w"] | None]:
        """Where the action tokens look in the first camera; see ``Sampler.attention_maps``."""
        maps = self._sampler.attention_maps(*self._prepare(inputs), self._action_noise(inputs))
        return {name: None if m is None else m.cpu().numpy() for name, m in maps.items()}

    def predict_goals(self, inputs: Sequence[PolicyInput]) -> UInt8[np.ndarray, "B H W 3"] | None:
        """The first camera's picture that the model expects at the end of the chunk.

        Returns:
            None where the variant predicts no picture.
        """
        if self.model.prediction is None:
            return None
        images, instructions, _ = self._prepare(inputs)
        noise = self._goal_noise(inputs)
        return self._sampler.predict_goal(images, instructions, noise).cpu().numpy()

    def _prepare(self, inputs: Sequence[PolicyInput]) -> tuple[Tensor, list[str], Tensor]:
        """Pictures [B, V, H, W, 3], instructions, normalised proprio [B, P]."""
        if not inputs:
            raise ShapeError("expected at least one input, got none.")
        expected = (*self.spec.image_size, 3)
        for item in inputs:
            for camera in self.spec.cameras:
                picture = item.observation["pixels"].get(camera)
                if picture is None or picture.shape != expected or picture.dtype != np.uint8:
                    got = "nothing" if picture is None else f"{picture.dtype} {picture.shape}"
                    raise ShapeError(f"camera {camera!r}: expected uint8 {expected}, got {got}.")
        pixels = [item.observation["pixels"] for item in inputs]
        images = np.stack([[row[camera] for camera in self.spec.cameras] for row in pixels])
        agent_pos = np.stack([item.observation["agent_pos"] for item in inputs])
        proprio = self._normalizer.normalize(agent_pos, "proprio")
        device = self.model.vlm.device
        return (
            torch.from_numpy(images).to(device),
            [item.instruction for item in inputs],
            torch.from_numpy(proprio).to(device),
        )

    def _action_noise(self, inputs: Sequence[PolicyInput]) -> Tensor:
        config = self.model.config
        return self._noise(inputs, ACTION_STREAM, (config.chunk, config.action_dim))

    def _goal_noise(self, inputs: Sequence[PolicyInput]) -> Tensor | None:
        shape = self.model.goal_noise_shape
        return None if shape is None else self._noise(inputs, GOAL_STREAM, shape)

    def _noise(self, inputs: Sequence[PolicyInput], stream: int, shape: tuple[int, int]) -> Tensor:
        """Normal noise [B, *shape] that depends on each input's seed and step alone."""
        rows = [
            np.random.default_rng([i.seed, i.step, stream]).standard_normal(shape, np.float32)
            for i in inputs
        ]
        return torch.from_numpy(np.stack(rows)).to(self.model.vlm.device)


class _Extra:
    """A checkpoint's ``extra`` that names what it lacks."""

    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        self._path, self._values = path, values

    def __getitem__(self, key: str) -> Any:
        if key not in self._values:
            raise CheckpointError(
                f"{self._path} has no {key!r} in its extra values, which a policy needs; it has "
                f"{', '.join(sorted(self._values)) or 'none'}. Train it again with this version."
            )
        return self._values[key]


def _check_normalizer(checkpoint: Path, normalizer: Normalizer, config: VLAConfig) -> None:
    wanted = {"action": config.action_dim, "proprio": config.proprio_dim}
    got = {"action": len(normalizer.action_scale), "proprio": len(normalizer.proprio_scale)}
    if got != wanted:
        raise CheckpointError(
            f"{checkpoint} has a normaliser of {got} dimensions for a model of {wanted}."
        )
    if config.normalization == "quantile" and normalizer.mode != "quantile":
        raise CheckpointError(
            f"{checkpoint} has the action head {config.action_head!r}, whose actions lie in "
            f"[-1, 1], and a normaliser of mode {normalizer.mode!r}; it must be 'quantile'."
        )


def _restore_e_sem(model: VLA, own: Checkpoint, vlm: Checkpoint, path: Path) -> None:
    if vlm.kind != "vlm" or vlm.tokenizer is None or own.tokenizer is None:
        raise CheckpointError(f"expected a VLM checkpoint at {path}, got kind {vlm.kind!r}.")
    if vlm.tokenizer.to_json() != own.tokenizer.to_json():
        raise CheckpointError(
            f"{path} has another tokenizer than the policy, so it is not the VLM that the policy "
            "started from; give that one."
        )
    assign(dict(model.vlm.sem_parameters()), vlm.state, f"E_sem of the policy, from {path}")


def _answer(vlm: VLM, images: UInt8[np.ndarray, "B H W 3"], questions: Sequence[str]) -> list[str]:
    if images.ndim != 4 or len(images) != len(questions) or images.dtype != np.uint8:
        raise ShapeError(
            f"expected uint8 [B={len(questions)}, H, W, 3] for as many questions, got "
            f"{images.dtype} {images.shape}."
        )
    return vlm.answer(torch.from_numpy(np.array(images)).to(vlm.device), questions)


def expand_targets(
    agent_pos: Float32[np.ndarray, "B A"],
    targets: Float32[np.ndarray, "B K A"],
    steps_per_target: int,
) -> Float32[np.ndarray, "B T A"]:
    """Control steps that reach each target at the end of its interval, on straight lines.

    Args:
        agent_pos: where the first line starts.
        targets: K targets.
        steps_per_target: control steps in an interval.

    Returns:
        [B, T=K*steps_per_target, A].

    Raises:
        ShapeError: ``agent_pos`` has other dimensions than an action.
    """
    if agent_pos.shape != (targets.shape[0], targets.shape[2]):
        raise ShapeError(
            f"expected agent_pos [B, A] = {(targets.shape[0], targets.shape[2])}, got "
            f"{agent_pos.shape}."
        )
    before = np.concatenate([agent_pos[:, None], targets[:, :-1]], axis=1)[:, :, None]
    share = (np.arange(1, steps_per_target + 1) / steps_per_target).astype(np.float32)[:, None]
    steps = before * (1 - share) + targets[:, :, None] * share
    return steps.reshape(len(targets), -1, targets.shape[2]).astype(np.float32)
