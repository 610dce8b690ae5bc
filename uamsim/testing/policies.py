"""Policies made from a spec, which check every request against it."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from uamsim.contract import PolicyInput, PolicySpec
from uamsim.errors import ShapeError


def check_policy_input(spec: PolicySpec, item: PolicyInput) -> None:
    """Checks a request against a policy's spec.

    Raises:
        ShapeError: a missing camera, a wrong shape or dtype, an empty instruction.
    """
    for camera in spec.cameras:
        picture = item.observation["pixels"].get(camera)
        if picture is None or picture.shape != (*spec.image_size, 3) or picture.dtype != np.uint8:
            got = "nothing" if picture is None else f"{picture.dtype} {picture.shape}"
            raise ShapeError(f"camera {camera!r}: expected uint8 {(*spec.image_size, 3)}: {got}.")
    proprio = item.observation["agent_pos"]
    if proprio.shape != (spec.proprio_dim,) or proprio.dtype != np.float32:
        raise ShapeError(
            f"agent_pos: expected float32 ({spec.proprio_dim},), got {proprio.dtype} "
            f"{proprio.shape}."
        )
    if not item.instruction or item.step < 0:
        raise ShapeError(f"expected an instruction and a step, got {item!r}.")


@dataclass(kw_only=True)
class ReachPolicy:
    """Reads the picture and the instruction of ``ReachEnv`` and goes to the named block.

    Attributes:
        noise: standard deviation of an error of the place, drawn from (seed, step).
        calls: number of inputs of each call so far.
    """

    spec: PolicySpec = field(
        default_factory=lambda: PolicySpec(
            cameras=("primary",), image_size=(32, 48), control="ee", horizon=10
        )
    )
    name: str = "reach"
    noise: float = 0.0
    calls: list[int] = field(default_factory=list)

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``."""
        self.calls.append(len(inputs))
        chunks = np.zeros((len(inputs), self.spec.horizon, self.spec.action_dim), np.float32)
        for row, item in enumerate(inputs):
            check_policy_input(self.spec, item)
            rng = np.random.default_rng([item.seed, item.step])
            chunks[row, :, :2] = self._place(item) + rng.normal(scale=self.noise, size=2)
        return chunks

    def _place(self, item: PolicyInput) -> np.ndarray:
        """Centre of the named block, of any block without a name, of nothing in the dark."""
        picture = item.observation["pixels"][self.spec.cameras[0]].astype(np.float64)
        channel = {"red": 0, "blue": 2}
        named = [index for word, index in channel.items() if word in item.instruction]
        mass = picture[..., named[0] if named else 0] > 200
        if not mass.any():
            return np.zeros(2)
        rows, columns = np.nonzero(mass)
        height, width = picture.shape[:2]
        return np.array([columns.mean() / (width - 1) * 2 - 1, 1 - rows.mean() / (height - 1) * 2])


@dataclass(kw_only=True)
class BrokenPolicy(ReachPolicy):
    """A policy with a defect.

    Attributes:
        defect: "nan", "shape" or "crash".
        at_seed: only in batches with this seed, or always where None.
    """

    defect: str = "nan"
    at_seed: int | None = None

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``."""
        chunks = super().act(inputs)
        rows = [row for row, i in enumerate(inputs) if self.at_seed in (None, i.seed)]
        if not rows:
            return chunks
        if self.defect == "crash":
            raise RuntimeError("the fake policy crashed as asked")
        if self.defect == "shape":
            return chunks[:, :-1]
        chunks[rows] = np.nan
        return chunks


@dataclass(frozen=True, kw_only=True)
class Doomed:
    """A picklable factory of a policy whose process comes to an end, once at each given input.

    Attributes:
        folder: of the marks of what has happened.
        kill_at: (seed, step) of the inputs at which the process is killed.
        hang_at: (seed, step) of those at which it does not return.
        noise: as of ``ReachPolicy``.
    """

    folder: str
    kill_at: tuple[tuple[int, int], ...] = ()
    hang_at: tuple[tuple[int, int], ...] = ()
    noise: float = 0.0

    def __call__(self) -> "DoomedPolicy":
        """The policy."""
        return DoomedPolicy(plan=self, noise=self.noise)


@dataclass(kw_only=True)
class DoomedPolicy(ReachPolicy):
    """See ``Doomed``."""

    plan: Doomed

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``."""
        for item in inputs:
            moment = item.seed, item.step
            mark = Path(self.plan.folder) / f"{item.seed}-{item.step}"
            if moment in self.plan.kill_at and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if moment in self.plan.hang_at and not mark.exists():
                mark.touch()
                time.sleep(3600)
        return super().act(inputs)
