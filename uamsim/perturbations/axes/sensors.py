"""Axes of what the sensors give, and the sensors that an environment looks through.

Everything is drawn for a control step, never for a call, so that an environment that renders once
a chunk shows what one that renders at every step would.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float32, UInt8

from uamsim.perturbations.values import Graded, Layer, Perturbation, register, stream

STEPS_A_SEVERITY = 2
"""Control steps of latency for each severity: 40 ms at 50 Hz."""
OUTAGE_STEPS = 20
"""Mean length of an outage of the cameras: 0.4 s at 50 Hz."""
NOISE = (0.0, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Standard deviation for each severity, pixels in [0, 1]: a camera in dim light, and then twice as
much each time; the last three span ImageNet-C's Gaussian noise (Hendrycks and Dietterich, 2019)."""
BLUR = (0.0, 0.004, 0.008, 0.013, 0.018, 0.026)
"""Standard deviation for each severity, as a share of the picture's height; at 224 pixels those
of ImageNet-C's Gaussian blur, 1 to 6 pixels."""


@dataclass(frozen=True, kw_only=True)
class SensorPerturbation(Graded):
    """Base of the axes of the sensors; the world itself goes on as it would."""

    layer: ClassVar[Layer] = "sensors"
    keeps: ClassVar[str] = "the scene and the physics"

    def __init_subclass__(cls) -> None:
        """Every environment carries what alters pictures by itself."""
        super().__init_subclass__()
        cls.applies_itself = cls.alter is not SensorPerturbation.alter

    def alter(
        self, picture: UInt8[np.ndarray, "H W 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "H W 3"]:
        """What one of a user's own makes of a picture; those here are done by ``Sensors``.

        Args:
            picture: what the camera would give; it may be changed in place.
            rng: the episode's for this type, this camera and this control step.
        """
        del rng
        return picture


@register
@dataclass(frozen=True, kw_only=True)
class Latency(SensorPerturbation):
    """Pictures and proprioception are late, 40 ms a severity."""

    axis: ClassVar[str] = "latency"


@register
@dataclass(frozen=True, kw_only=True)
class DroppedFrames(SensorPerturbation):
    """All cameras freeze now and then, for 0.4 s on average; 15% of the time a severity."""

    axis: ClassVar[str] = "dropped_frames"


@register
@dataclass(frozen=True, kw_only=True)
class ImageBlur(SensorPerturbation):
    """The pictures are out of focus."""

    axis: ClassVar[str] = "image_blur"


@register
@dataclass(frozen=True, kw_only=True)
class ImageNoise(SensorPerturbation):
    """The pictures have noise, new in every frame."""

    axis: ClassVar[str] = "image_noise"


SENSORS: tuple[type[SensorPerturbation], ...] = (Latency, DroppedFrames, ImageBlur, ImageNoise)
"""All of them, for what an environment carries."""


class Sensors:
    """The cameras and joint sensors of one episode.

    Attributes:
        lag: control steps by which everything is late.
        looks_back: whether an environment must be able to show earlier states.
    """

    def __init__(self, perturbations: Sequence[Perturbation] = (), seed: int = 0) -> None:
        """Draws nothing yet.

        Args:
            perturbations: those of other layers are ignored.
            seed: of the episode.
        """
        active = {type(p): p for p in perturbations if isinstance(p, SensorPerturbation)}
        severity = {cls: p.severity for cls, p in active.items()}
        self.lag = STEPS_A_SEVERITY * severity.get(Latency, 0)
        self._blur = BLUR[severity.get(ImageBlur, 0)]
        self._noise = NOISE[severity.get(ImageNoise, 0)]
        self._noise_seed = int(stream(seed, ImageNoise()).integers(2**62))
        self._dropped = 0.15 * severity.get(DroppedFrames, 0)
        self._drop_rng = stream(seed, DroppedFrames())
        self._shown = [0]
        """Control step -> the step whose frame the cameras last delivered."""
        self._own = [
            (p, int(stream(seed, p).integers(2**62)))
            for p in active.values()
            if p.applies_itself and not p.is_identity
        ]
        self.looks_back = self.lag > 0 or self._dropped > 0

    def proprio_step(self, step: int) -> int:
        """The control step whose proprioception is seen at a control step."""
        return max(0, step - self.lag)

    def picture_step(self, step: int) -> int:
        """The control step whose pictures are seen at a control step."""
        step = self.proprio_step(step)
        if self._dropped == 0:
            return step
        while len(self._shown) <= step:
            now = len(self._shown)
            frozen = self._shown[-1] != now - 1
            # A Markov chain with this share of frozen frames and this mean length of a freeze.
            thaw = 1.0 / OUTAGE_STEPS
            freeze = min(1.0, thaw * self._dropped / (1.0 - self._dropped))
            draw = float(self._drop_rng.random())
            freezes = draw >= thaw if frozen else draw < freeze
            self._shown.append(self._shown[-1] if freezes else now)
        return self._shown[step]

    def shrink(self, height: int) -> int:
        """By which factor a picture of this height may be rendered smaller, since it is blurred."""
        return max(1, math.ceil(self._blur * height))

    def see(
        self,
        picture: UInt8[np.ndarray, "H0 W0 3"],
        camera: str,
        step: int,
        size: tuple[int, int],
    ) -> UInt8[np.ndarray, "H W 3"]:
        """What a camera makes of a picture.

        Args:
            picture: of the world, as rendered; ``shrink`` times smaller than ``size``, or as large.
            camera: its name.
            step: the control step that the picture shows.
            size: (H, W) of what the camera gives.
        """
        if self._blur or self._noise:
            picture = self._degraded(picture, camera, step, size)
        for perturbation, seed in self._own:
            rng = np.random.default_rng([seed, zlib.crc32(camera.encode()), step])
            picture = perturbation.alter(picture.copy(), rng)
        return picture

    def _degraded(
        self, picture: np.ndarray, camera: str, step: int, size: tuple[int, int]
    ) -> np.ndarray:
        """Blurred and with noise."""
        height, width = size
        cv2 = _opencv()
        if self._blur:
            shrink = self.shrink(height)
            if shrink > 1 and picture.shape[:2] == size:
                small = (math.ceil(width / shrink), math.ceil(height / shrink))
                picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
            taps = _gaussian(self._blur * height / shrink)
            picture = cv2.sepFilter2D(picture, -1, taps, taps, borderType=cv2.BORDER_REPLICATE)
            if picture.shape[:2] != size:
                picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
        if self._noise:
            rng = np.random.default_rng([self._noise_seed, zlib.crc32(camera.encode()), step])
            first = int(rng.integers(_SPARE_NOISE))
            brighter, darker = (
                bank[first : first + picture.size].reshape(picture.shape)
                for bank in _noise_bank(self._noise, picture.size)
            )
            # Sums of bytes that stop at 255 and at 0.
            picture = cv2.add(picture, brighter)
            picture = cv2.subtract(picture, darker, dst=picture)
        return picture


@lru_cache(maxsize=1)
def _opencv() -> Any:
    import cv2  # takes longer to load than all that is here, and most episodes do without it

    # A picture is too small for its threads, which doubled the CPU time; episodes run in parallel.
    cv2.setNumThreads(1)
    return cv2


def _gaussian(deviation: float) -> Float32[np.ndarray, " 5"]:
    """Taps that have the variance of a Gaussian of at most a pixel; its samples have less."""
    side = deviation**2 / 4.0
    three = np.array([side, 1.0 - 2.0 * side, side])
    return np.convolve(three, three).astype(np.float32)


_SPARE_NOISE = 1 << 16


@lru_cache(maxsize=4)
def _noise_bank(
    deviation: float, size: int
) -> tuple[UInt8[np.ndarray, " N"], UInt8[np.ndarray, " N"]]:
    """Gaussian noise to cut frames from: what is added, and what is taken away.

    Args:
        deviation: pixels in [0, 1].
        size: bytes of a frame.
    """
    noise = np.random.default_rng(0).standard_normal(size + _SPARE_NOISE, np.float32)
    noise = np.clip(np.rint(noise * (255 * deviation)), -255, 255)
    return np.maximum(noise, 0).astype(np.uint8), np.maximum(-noise, 0).astype(np.uint8)
