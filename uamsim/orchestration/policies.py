"""Policies by reference: small values that name a policy and load it where it is needed."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from uamsim.contract import Policy, PolicyInput


@dataclass(frozen=True, kw_only=True)
class CheckpointFactory:
    """Loads a policy from a checkpoint; pickles, and each process loads a checkpoint once.

    Attributes:
        name: what the policy will be called in records.
        checkpoint: from action tuning.
        fps: predicted targets a second.
        e_sem_from: checkpoint of the VLM whose E_sem weights are put back, or None.
    """

    name: str
    checkpoint: Path
    fps: int
    e_sem_from: Path | None = None

    def __call__(self) -> Policy:
        """The policy.

        Raises:
            CheckpointError: a checkpoint is missing, corrupt or of another kind.
        """
        return _load(self)


class NamedPolicy:
    """A policy under the name that records know it by."""

    def __init__(self, policy: Policy, name: str) -> None:
        self.policy, self.name, self.spec = policy, name, policy.spec

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``."""
        return self.policy.act(inputs)


@functools.lru_cache(maxsize=2)
def _load(factory: CheckpointFactory) -> Policy:
    from uamsim.serving.policy import VLAPolicy

    policy = VLAPolicy(factory.checkpoint, e_sem_from=factory.e_sem_from, fps=factory.fps)
    return NamedPolicy(policy, factory.name)


def file_hash(path: Path) -> str:
    """16 hex digits of the file's SHA-256."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:16]
