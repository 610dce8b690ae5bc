"""Axes of what becomes of a policy's actions, and the channel that applies them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float32

from uamsim.perturbations.values import Graded, Layer, Perturbation, register, stream

STEPS_A_SEVERITY = 2
"""Control steps of delay for each severity: 40 ms at 50 Hz."""
HOLD_STEPS = 10
"""Control steps for which a draw of the noise stays; shorter ones the servos would average out."""


@dataclass(frozen=True, kw_only=True)
class ActionPerturbation(Graded):
    """Base of the axes of the actions."""

    layer: ClassVar[Layer] = "actions"
    keeps: ClassVar[str] = "the scene, the physics and what is seen"

    def __init_subclass__(cls) -> None:
        """Every environment carries what alters actions by itself."""
        super().__init_subclass__()
        cls.applies_itself = cls.alter is not ActionPerturbation.alter

    def alter(
        self, action: Float32[np.ndarray, " A"], rng: np.random.Generator
    ) -> Float32[np.ndarray, " A"]:
        """What one of a user's own makes of an action; those here are done by ``ActionChannel``.

        Args:
            action: as it arrives.
            rng: the episode's for this type.
        """
        del rng
        return action


@register
@dataclass(frozen=True, kw_only=True)
class ActionDelay(ActionPerturbation):
    """Every action is carried out late, 40 ms a severity."""

    axis: ClassVar[str] = "action_delay"


@register
@dataclass(frozen=True, kw_only=True)
class ActionNoise(ActionPerturbation):
    """Actions have Gaussian noise, drawn anew five times a second."""

    axis: ClassVar[str] = "action_noise"


ACTIONS: tuple[type[ActionPerturbation], ...] = (ActionDelay, ActionNoise)
"""All of them, for what an environment carries."""


class ActionChannel:
    """Delays and disturbs the actions of one episode, one control step at a time."""

    def __init__(
        self,
        perturbations: Sequence[Perturbation],
        seed: int,
        *,
        rest: Float32[np.ndarray, " A"],
        noise: Float32[np.ndarray, " A"],
    ) -> None:
        """Begins an episode.

        Args:
            perturbations: those of other layers are ignored.
            seed: of the episode.
            rest: what is carried out until the first delayed action arrives.
            noise: standard deviation of ``ActionNoise`` for each severity, in the actions' units.
        """
        active = {type(p): p for p in perturbations if isinstance(p, ActionPerturbation)}
        severity = {cls: p.severity for cls, p in active.items()}
        self._waiting = deque([rest] * (STEPS_A_SEVERITY * severity.get(ActionDelay, 0)))
        self._scale = noise * severity.get(ActionNoise, 0)
        self._rng = stream(seed, ActionNoise())
        self._noise = np.zeros_like(noise)
        self._step = 0
        self._own = [(p, stream(seed, p)) for p in active.values() if p.applies_itself]

    def step(self, action: Float32[np.ndarray, " A"]) -> Float32[np.ndarray, " A"]:
        """What is carried out in the control step in which an action was given."""
        self._waiting.append(action)
        action = self._waiting.popleft()
        if self._scale.any():
            if self._step % HOLD_STEPS == 0:
                draw = self._rng.standard_normal(len(self._scale)).astype(np.float32)
                self._noise = draw * self._scale
            self._step += 1
            action = action + self._noise
        for perturbation, rng in self._own:
            action = perturbation.alter(action.copy(), rng)
        return action
