"""Axes of how a scene is set up and lit: an environment applies what they draw.

A severity sets how far an axis is moved, chance only where to: magnitudes are drawn from the last
fifth below the severity's own, so that two severities of an axis do not overlap.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from uamsim.perturbations.values import Graded, Layer, Parameters, register


def magnitude(rng: np.random.Generator, greatest: float) -> float:
    """A size from the last fifth below ``greatest``."""
    return float(greatest * rng.uniform(0.8, 1.0))


def signed(rng: np.random.Generator, greatest: float) -> float:
    """Such a size in either direction."""
    return magnitude(rng, greatest) * (1.0 if rng.integers(2) else -1.0)


def factor(rng: np.random.Generator, greatest: float) -> float:
    """A factor of up to ``1 + greatest``, or its inverse."""
    return float((1.0 + magnitude(rng, greatest)) ** (1 if rng.integers(2) else -1))


@dataclass(frozen=True, kw_only=True)
class ScenePerturbation(Graded):
    """Base of the axes of the scene."""

    layer: ClassVar[Layer] = "scene"


@register
@dataclass(frozen=True, kw_only=True)
class Layout(ScenePerturbation):
    """Things lie in a wider region than in demonstrations; "widen" is a share of its sides."""

    axis: ClassVar[str] = "layout"
    keeps: ClassVar[str] = "which things there are, and that an arm reaches each"

    def draw(self, rng: np.random.Generator) -> Parameters:
        """{"widen"}: by which share of its sides the region grows."""
        del rng
        return {"widen": 0.1 * self.severity}


@register
@dataclass(frozen=True, kw_only=True)
class RobotStart(ScenePerturbation):
    """The grippers start away from where they wait in demonstrations."""

    axis: ClassVar[str] = "robot_start"
    keeps: ClassVar[str] = "the scene, and where the arms stand"

    def draw(self, rng: np.random.Generator) -> Parameters:
        """{"left_m", "right_m"}: offsets [3] of the grippers (m, world), 2 cm a severity."""
        offsets = []
        for _ in range(2):
            direction = rng.normal(size=3)
            direction[2] = abs(direction[2])
            step = magnitude(rng, 0.02 * self.severity) * direction / np.linalg.norm(direction)
            offsets.append([float(v) for v in step])
        return {"left_m": offsets[0], "right_m": offsets[1]}


@register
@dataclass(frozen=True, kw_only=True)
class TableHeight(ScenePerturbation):
    """The table stands higher, with all that is on it; arms and cameras stay."""

    axis: ClassVar[str] = "table_height"
    keeps: ClassVar[str] = "the layout on the table, and that an arm reaches each thing"

    def draw(self, rng: np.random.Generator) -> Parameters:
        """{"height_m"}: by which the table is raised, up to 1 cm a severity."""
        return {"height_m": magnitude(rng, 0.01 * self.severity)}


@dataclass(frozen=True, kw_only=True)
class _Surface(ScenePerturbation):
    def draw(self, rng: np.random.Generator) -> Parameters:
        """A pattern.

        Returns:
            {"kind": "checks", "stripes", "grain" or "speckle"; "period_m"; "angle_rad"; "rgbs":
            two colours; "seed"; "strength": 0 (the plain surface) to 1 (the pattern alone)}.
        """
        kinds = ("checks", "stripes", "grain", "speckle")
        grey = rng.uniform(0.25, 0.75, size=2)
        tint = rng.uniform(-0.18, 0.18, size=(2, 3))
        rgbs = np.clip(grey[:, None] + tint, 0.05, 0.95)
        return {
            "kind": kinds[int(rng.integers(len(kinds)))],
            "period_m": float(rng.uniform(0.04, 0.12)),
            "angle_rad": float(rng.uniform(0, np.pi)),
            "rgbs": [[float(v) for v in rgb] for rgb in rgbs],
            "seed": int(rng.integers(2**31)),
            "strength": self.share,
        }


@register
@dataclass(frozen=True, kw_only=True)
class TableTexture(_Surface):
    """The table top has a pattern, the stronger the higher the severity."""

    axis: ClassVar[str] = "table_texture"
    keeps: ClassVar[str] = "the physics, and every thing's own colour"


@register
@dataclass(frozen=True, kw_only=True)
class Background(_Surface):
    """What lies beyond the edges of the table top has a pattern."""

    axis: ClassVar[str] = "background"
    keeps: ClassVar[str] = "the physics, the table top and every thing's own colour"


@register
@dataclass(frozen=True, kw_only=True)
class Lighting(ScenePerturbation):
    """Other light: its direction, strength and colour, and how many lamps there are."""

    axis: ClassVar[str] = "lighting"
    keeps: ClassVar[str] = "the physics, and that every colour can be told from the others"

    def draw(self, rng: np.random.Generator) -> Parameters:
        """The lamps.

        Returns:
            {"azimuth_rad", "tilt_rad": where the main lamp shines from; "gain", "ambient":
            factors on the main lamp and on the light from everywhere; "tint": [3] factors on red,
            green and blue; "lamps": further ones, {"azimuth_rad", "tilt_rad", "rgb"} each}.
        """
        tint = [factor(rng, 0.035 * self.severity) for _ in range(3)]
        mean = float(np.mean(tint))
        lamps = [
            {
                "azimuth_rad": float(rng.uniform(0, 2 * np.pi)),
                "tilt_rad": float(rng.uniform(0.5, 1.1)),
                "rgb": [float(v) for v in 0.22 * self.share * rng.uniform(0.4, 1.0, size=3)],
            }
            for _ in range(self.severity // 2)
        ]
        return {
            "azimuth_rad": float(rng.uniform(0, 2 * np.pi)),
            "tilt_rad": 0.4 + magnitude(rng, 0.12 * self.severity),
            "gain": factor(rng, 0.2 * self.severity),
            "ambient": float((1.0 + magnitude(rng, 0.1 * self.severity)) ** -1),
            "tint": [t / mean for t in tint],
            "lamps": lamps,
        }


@register
@dataclass(frozen=True, kw_only=True)
class CameraPose(ScenePerturbation):
    """The cameras that stand in the room are moved about what they look at, and tilted."""

    axis: ClassVar[str] = "camera_pose"
    keeps: ClassVar[str] = "the scene, the wrist cameras, and what the pictures are centred on"

    def draw(self, rng: np.random.Generator) -> Parameters:
        """{"azimuth_rad", "elevation_rad", "roll_rad", "distance"}, the last one a factor."""
        return {
            "azimuth_rad": signed(rng, 0.09 * self.severity),
            "elevation_rad": signed(rng, 0.035 * self.severity),
            "roll_rad": signed(rng, 0.02 * self.severity),
            "distance": factor(rng, 0.03 * self.severity),
        }


@register
@dataclass(frozen=True, kw_only=True)
class FieldOfView(ScenePerturbation):
    """Other lenses on all cameras."""

    axis: ClassVar[str] = "field_of_view"
    keeps: ClassVar[str] = "the scene, and where the cameras are"

    def draw(self, rng: np.random.Generator) -> Parameters:
        """{"focal"}: a factor on the focal length."""
        return {"focal": factor(rng, 0.05 * self.severity)}
