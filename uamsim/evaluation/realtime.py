"""Charging a policy's thinking time to the simulated clock.

A robot does not stand still in time while its policy thinks. Here the episode goes on for
``latency * control_hz`` control steps: first with what is left of the chunk before, then holding
its last action. The new chunk begins where the old one was left: as many of its actions are
skipped as were played of the old one meanwhile, since those moments are over.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64

from uamsim.bounds import Seconds, Size, check_bounds
from uamsim.contract import CONTROL_HZ, Policy, PolicyInput
from uamsim.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RealTime:
    """How thinking time is charged.

    Attributes:
        latency_s: of every call, or None to measure it, which makes episodes depend on the
            machine. A call's time is charged to every episode of its batch: measure with
            ``batch_envs=1``.
        replan_steps: actions played of each chunk before the next is asked for; the others are
            played while the policy thinks. None plays all of them first.
    """

    latency_s: Seconds | None = None
    replan_steps: Size | None = None

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def label(self) -> str:
        """Goes after the policy's name in records; empty where nothing is changed."""
        if self.latency_s == 0 and self.replan_steps is None:
            return ""
        latency = "measured" if self.latency_s is None else f"{self.latency_s:g}s"
        replan = "" if self.replan_steps is None else f",replan={self.replan_steps}"
        return f"+realtime({latency}{replan})"


@runtime_checkable
class TimedPolicy(Protocol):
    """A policy that knows better than its caller how long each answer took."""

    def act_timed(
        self, inputs: Sequence[PolicyInput]
    ) -> tuple[Float32[np.ndarray, "B T A"], Float64[np.ndarray, " B"]]:
        """Action chunks, and the latency of each (s)."""
        ...


def act_timed(
    policy: Policy, inputs: Sequence[PolicyInput]
) -> tuple[Float32[np.ndarray, "B T A"], Float64[np.ndarray, " B"]]:
    """The policy's chunks with their latencies (s): its own, or the time of the whole call."""
    if isinstance(policy, TimedPolicy):
        return policy.act_timed(inputs)
    started = time.perf_counter()
    chunks = policy.act(inputs)
    return chunks, np.full(len(inputs), time.perf_counter() - started)


def thinking_steps(latency_s: float, control_hz: float = CONTROL_HZ) -> int:
    """Control steps that pass in a latency; a step that has begun counts."""
    return math.ceil(round(latency_s * control_hz, 6))


class Playback:
    """What one episode plays, chunk after chunk.

    Args:
        realtime: how thinking time is charged.
        agent_pos: where the robot is at first, which it holds until the first chunk arrives.
        control_hz: actions a second.
    """

    def __init__(
        self,
        realtime: RealTime,
        agent_pos: Float32[np.ndarray, " A"],
        control_hz: float = CONTROL_HZ,
    ) -> None:
        self._realtime, self._control_hz = realtime, control_hz
        self._left: Float32[np.ndarray, "L A"] = np.empty((0, len(agent_pos)), np.float32)
        self._last = np.asarray(agent_pos, np.float32)

    def play(
        self, chunk: Float32[np.ndarray, "T A"], latency_s: float, max_steps: int
    ) -> Float32[np.ndarray, "L A"]:
        """The actions from asking for ``chunk`` to asking for the next.

        Args:
            chunk: the policy's answer.
            latency_s: how long it took.
            max_steps: control steps left in the episode; longer thinking changes nothing.

        Raises:
            ConfigError: ``replan_steps`` is more than the chunk has.
        """
        replan = len(chunk) if self._realtime.replan_steps is None else self._realtime.replan_steps
        if replan > len(chunk):
            raise ConfigError(
                f"replan_steps must be at most the policy's horizon {len(chunk)}, got {replan}."
            )
        num_thinking = min(thinking_steps(latency_s, self._control_hz), max_steps)
        old = self._left[:num_thinking]
        held = (old[-1] if len(old) else self._last)[None].repeat(num_thinking - len(old), axis=0)
        new = chunk[len(old) :]
        played = np.concatenate([old, held, new[:replan]])
        self._left, self._last = new[replan:], new[:replan][-1]
        return played
