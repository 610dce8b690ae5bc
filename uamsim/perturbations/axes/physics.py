"""Axes of the physics: an environment multiplies its own numbers by what they draw."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from uamsim.perturbations.axes.scene import factor, magnitude
from uamsim.perturbations.values import Graded, Layer, Parameters, register


@dataclass(frozen=True, kw_only=True)
class PhysicsPerturbation(Graded):
    """Base of the axes of the physics; the pictures stay as they are."""

    layer: ClassVar[Layer] = "physics"


@register
@dataclass(frozen=True, kw_only=True)
class Mass(PhysicsPerturbation):
    """All things that can move are heavier or lighter, up to 3 times at the highest severity."""

    axis: ClassVar[str] = "mass"
    keeps: ClassVar[str] = "the pictures, the arms, and that a gripper can lift each thing"

    def draw(self, rng: np.random.Generator) -> Parameters:
        """{"factor"}: on mass and inertia."""
        return {"factor": factor(rng, 0.4 * self.severity)}


@register
@dataclass(frozen=True, kw_only=True)
class Friction(PhysicsPerturbation):
    """All surfaces have less friction, down to 0.4 times at the highest severity."""

    axis: ClassVar[str] = "friction"
    keeps: ClassVar[str] = "the pictures, and that a gripper can hold each thing"

    def draw(self, rng: np.random.Generator) -> Parameters:
        """{"factor"}: on the friction of every contact."""
        return {"factor": 1.0 - magnitude(rng, 0.12 * self.severity)}


@register
@dataclass(frozen=True, kw_only=True)
class ActuatorGain(PhysicsPerturbation):
    """The arms' servos are weaker, down to 0.3 times at the highest severity."""

    axis: ClassVar[str] = "actuator_gain"
    keeps: ClassVar[str] = "the pictures, and that the servos hold the arms up"

    def draw(self, rng: np.random.Generator) -> Parameters:
        """{"factor"}: on the servos' stiffness and damping."""
        return {"factor": 1.0 - magnitude(rng, 0.14 * self.severity)}
