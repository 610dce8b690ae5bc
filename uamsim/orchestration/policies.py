"""Policies by reference: small values that name a policy and load it where it is needed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from uamsim.contract import PolicyInput

if TYPE_CHECKING:
    from uamsim.serving.policy import VLAPolicy


@dataclass(frozen=True, kw_only=True)
class CheckpointFactory:
    """Loads a policy from a checkpoint; pickles, and each process loads a checkpoint once.

    Attributes:
        name: what the policy will be called in records.
        checkpoint: from action tuning.
        e_sem_from: checkpoint of the VLM whose E_sem weights are put back, or None.
    """

    name: str
    checkpoint: Path
    e_sem_from: Path | None = None

    def __call__(self) -> "NamedPolicy":
        """The policy.

        Raises:
            CheckpointError: a checkpoint is missing, corrupt or of another kind.
        """
        from uamsim.serving.policy import load_policy
        from uamsim.serving.refs import PolicyRef

        restore = None if self.e_sem_from is None else str(self.e_sem_from)
        reference = PolicyRef(checkpoint=str(self.checkpoint), restore_e_sem_from=restore)
        return NamedPolicy(load_policy(reference), self.name)


class NamedPolicy:
    """A policy under the name that records know it by.

    Attributes:
        policy: the policy itself.
    """

    def __init__(self, policy: "VLAPolicy", name: str) -> None:
        self.policy, self.name, self.spec = policy, name, policy.spec

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``."""
        return self.policy.act(inputs)


def file_hash(path: Path) -> str:
    """16 hex digits of the file's SHA-256."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:16]
