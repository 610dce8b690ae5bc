"""What the objects of all hosts have in common, in the simulators' own interpreters."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from uamsim.errors import ConfigError

Rectangle = tuple[float, float, float, float]
"""x low, x high, y low, y high (m)."""
_RESTARTS = 20


class Simulator:
    """One environment of a foreign simulator, whose methods ``HostedEnv`` calls.

    A subclass has ``open``, ``reset``, ``observe``, ``begin_expert`` and ``state`` besides, and
    steps one action in ``_step``.

    Attributes:
        original: the simulator's own object; None before ``open``.
    """

    def __init__(self) -> None:
        self.original: Any = None
        self._expert: Iterator[np.ndarray] | None = None

    def _check_first(self, what: str) -> None:
        if self.original is not None:
            raise ConfigError(f"a process holds one {what}; this one has one already.")

    def _step(self, action: np.ndarray) -> tuple[bool, bool]:
        """Carries one action out; whether the state is a success, and a failure for good."""
        raise NotImplementedError

    def advance(self, *, actions: np.ndarray) -> dict[str, Any]:
        """Steps actions until the episode ends.

        Args:
            actions: [T, A], as the environment takes them.

        Returns:
            steps: how many were stepped. success, failed: of the last state. A subclass adds
            stages and what else it has to say.
        """
        steps, success, failed = 0, False, False
        for action in actions:
            success, failed = self._step(action)
            steps += 1
            if success or failed:
                break
        return {"steps": steps, "success": success, "failed": failed}

    def next_action(self) -> np.ndarray | None:
        """The expert's next action, None where it has done."""
        return None if self._expert is None else next(self._expert, None)

    def memory_bytes(self) -> int:
        """Resident memory of this process."""
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def close(self) -> None:
        """Frees what outlives the process."""


def grown(rectangle: Rectangle, by: float) -> Rectangle:
    """A rectangle with so much more (m) on each side."""
    x0, x1, y0, y1 = rectangle
    return x0 - by, x1 + by, y0 - by, y1 + by


def place_circles(
    circles: Sequence[tuple[float, Rectangle]],
    taken: Sequence[Rectangle],
    rng: np.random.Generator,
    *,
    gap: float,
    tries: int,
    allowed: Callable[[float, float], bool] = lambda x, y: True,
) -> list[tuple[float, float]] | None:
    """Centres at which things stand clear of what is there and of each other.

    Args:
        circles: radius of each (m), and where it may stand.
        taken: what is there.
        rng: of the places.
        gap: between two of them (m).
        tries: for each, before all are placed anew.
        allowed: whether one may stand at x, y.

    Returns:
        x and y of each (m), or None where no room was found.
    """
    for _ in range(_RESTARTS):
        places = _place_once(circles, list(taken), rng, gap, tries, allowed)
        if places is not None:
            return places
    return None


def _place_once(
    circles: Sequence[tuple[float, Rectangle]],
    taken: list[Rectangle],
    rng: np.random.Generator,
    gap: float,
    tries: int,
    allowed: Callable[[float, float], bool],
) -> list[tuple[float, float]] | None:
    places = []
    for radius, (left, right, front, back) in circles:
        for _ in range(tries):
            x = float(rng.uniform(left + radius, right - radius))
            y = float(rng.uniform(front + radius, back - radius))
            if allowed(x, y) and not any(
                x0 < x + radius and x - radius < x1 and y0 < y + radius and y - radius < y1
                for x0, x1, y0, y1 in taken
            ):
                break
        else:
            return None
        places.append((x, y))
        taken.append(grown((x, x, y, y), radius + gap))
    return places
