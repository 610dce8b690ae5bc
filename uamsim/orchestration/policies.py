"""Policies by reference: small values that name a policy and load it where it is needed."""

import hashlib
import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from uamsim.contract import PolicyInput, PolicySpec, batch_key

if TYPE_CHECKING:
    from uamsim.serving.client import WebsocketPolicy
    from uamsim.serving.policy import VLAPolicy


@dataclass(frozen=True, kw_only=True)
class CheckpointFactory:
    """Loads a policy from a checkpoint; pickles, and each process loads a checkpoint once.

    Attributes:
        name: what the policy will be called in records.
        checkpoint: from action tuning.
        e_sem_from: checkpoint of the VLM whose E_sem weights are put back, or None.
        device: where it runs.
    """

    name: str
    checkpoint: Path
    e_sem_from: Path | None = None
    device: str = "cpu"

    def __call__(self) -> "NamedPolicy":
        """The policy.

        Raises:
            CheckpointError: a checkpoint is missing, corrupt or of another kind.
        """
        from uamsim.serving.policy import load_policy
        from uamsim.serving.refs import PolicyRef

        restore = None if self.e_sem_from is None else str(self.e_sem_from)
        reference = PolicyRef(
            checkpoint=str(self.checkpoint), restore_e_sem_from=restore, device=self.device
        )
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

    def batch_key(self, item: PolicyInput) -> Hashable:
        """See ``KeyedPolicy.batch_key``."""
        return batch_key(self.policy, item)


@dataclass(frozen=True, kw_only=True)
class ServerFactory:
    """Connects to a policy server; pickles, and each process connects once.

    Attributes:
        name: what the policy will be called in records.
        uri: "ws://host:port".
        spec: what the policy needs, where the server does not say; else None.
        keys: whose names for the parts of a request: "uamsim", "aloha" or "libero".
    """

    name: str
    uri: str
    spec: PolicySpec | None = None
    keys: str = "uamsim"

    def __call__(self) -> "WebsocketPolicy":
        """This process's policy.

        Raises:
            PolicyServerError, ConfigError: as ``connect``.
        """
        return _connected(self)

    def connect(self) -> "WebsocketPolicy":
        """A policy of its own. ``UAMSIM_TOKEN`` of this process is the token that it sends.

        Raises:
            PolicyServerError: no server there, or it refuses.
            ConfigError: the server does not say what its policy needs, and nobody else does.
        """
        from uamsim.serving import outgoing
        from uamsim.serving.client import WebsocketPolicy

        return WebsocketPolicy(
            self.uri,
            spec=self.spec,
            name=self.name,
            keys=getattr(outgoing, f"{self.keys}_keys"),
            token=os.environ.get("UAMSIM_TOKEN") or None,
        )


@lru_cache(maxsize=8)
def _connected(server: ServerFactory) -> "WebsocketPolicy":
    return server.connect()


def file_hash(path: Path) -> str:
    """16 hex digits of the file's SHA-256."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:16]
