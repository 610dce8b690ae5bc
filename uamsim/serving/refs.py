"""Small values that name a policy, and make it where it is needed; nothing here imports torch."""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from uamsim import plugins
from uamsim.contract import ADDED, PLACE, PolicyInput, PolicySpec, batch_key, canonical_json
from uamsim.errors import CheckpointError, ConfigError, PolicyError, UamsimError
from uamsim.runtime import limit_threads
from uamsim.storage import sha256

if TYPE_CHECKING:
    from uamsim.serving.client import WebsocketPolicy
    from uamsim.serving.policy import VLAPolicy

MAX_LOADED = 4


@dataclass(frozen=True, kw_only=True)
class CheckpointFactory:
    """Loads a policy from a checkpoint; pickles, and each process loads a checkpoint once.

    Attributes:
        name: what the policy will be called in records: with the hash of the checkpoint, whether
            E_sem is put back, and the kind of device where it is no CPU.
        checkpoint: from action tuning.
        checkpoint_hash: first digits of the file's SHA-256, checked as it is loaded; empty where
            nobody knows it.
        e_sem_from: checkpoint of the VLM whose E_sem weights are put back, or None.
        device: where it runs.
        intervention: as for ``VLAPolicy``.
    """

    name: str
    checkpoint_hash: str = ""
    checkpoint: Path = field(metadata=PLACE)
    e_sem_from: Path | None = field(default=None, metadata=PLACE)
    device: str = field(default="cpu", metadata=PLACE)
    intervention: str | None = field(default=None, metadata=ADDED)

    def __call__(self) -> "NamedPolicy":
        """The policy.

        Raises:
            CheckpointError: a checkpoint is missing, corrupt, of another kind or another content.
        """
        policy = load_policy(
            self.checkpoint,
            e_sem_from=self.e_sem_from,
            device=self.device,
            checkpoint_hash=self.checkpoint_hash,
            intervention=self.intervention,
        )
        return NamedPolicy(policy, self.name)


_LOADED: OrderedDict[tuple[Any, ...], "VLAPolicy"] = OrderedDict()


def load_policy(
    checkpoint: Path,
    *,
    e_sem_from: Path | None = None,
    device: str = "cpu",
    checkpoint_hash: str = "",
    intervention: str | None = None,
) -> "VLAPolicy":
    """A checkpoint's policy, loaded once in a process, which has one thread from then on.

    A checkpoint that was written anew is loaded anew; the ``MAX_LOADED`` last used are kept.

    Args:
        checkpoint: as for ``VLAPolicy``.
        e_sem_from: likewise.
        device: likewise.
        checkpoint_hash: first digits of the SHA-256 that the file must have.
        intervention: likewise.

    Raises:
        CheckpointError: as ``VLAPolicy``, or the file was changed since its hash was taken.
    """
    from uamsim.serving.policy import VLAPolicy

    written = checkpoint.stat().st_mtime_ns if checkpoint.is_file() else 0
    key = (checkpoint, e_sem_from, device, intervention, written, checkpoint_hash)
    policy = _LOADED.pop(key, None)
    if policy is None:
        wanted = checkpoint_hash if checkpoint.is_file() else ""
        if wanted and not sha256(checkpoint).startswith(wanted):
            raise CheckpointError(
                f"{checkpoint} is not the file that records would name: expected a SHA-256 that "
                f"begins with {checkpoint_hash}. It was written to meanwhile; run the same command "
                "again."
            )
        limit_threads()
        policy = VLAPolicy(
            checkpoint, e_sem_from=e_sem_from, device=device, intervention=intervention
        )
    _LOADED[key] = policy
    while len(_LOADED) > MAX_LOADED:
        _LOADED.popitem(last=False)
    return policy


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
class PythonFactory:
    """Makes a policy of a user's own; pickles, and each process makes it once.

    Attributes:
        name: what the policy will be called in records, with ``identity``; None leaves that to the
            policy.
        where: "module:name" or "/path/to/file.py:name" of a class or function that makes it, of the
            policy itself, or the name of one that an installed package brings.
        spec: what it needs, where it does not say so itself; else None.
    """

    where: str = field(metadata=PLACE)
    name: str | None = None
    spec: PolicySpec | None = None

    def __call__(self) -> "GivenPolicy":
        """This process's policy, which all its jobs share.

        Raises:
            PolicyError: it cannot be made, or what was made is no policy.
            ConfigError: it does not say what it needs, and nobody else does.
            UamsimError: as ``plugins.find_object``.
        """
        return _given(self)

    @property
    def identity(self) -> str:
        """16 hex digits of its source file, and of a spec that it does not say itself.

        What else decides its actions, such as weights, is not in them.
        """
        where = plugins.brought(plugins.POLICIES).get(self.where)
        source = plugins.source_of(self.where if where is None else where.value)
        return hashlib.sha256(source + canonical_json(self.spec).encode()).hexdigest()[:16]


class GivenPolicy:
    """A user's policy, whose faults are told from ours."""

    def __init__(self, policy: Any, factory: PythonFactory) -> None:
        """Checks it.

        Raises:
            PolicyError: it cannot act, or its ``spec`` is none.
            ConfigError: it does not say what it needs, and nobody else does.
        """
        self.policy, self._where = policy, factory.where
        act, spec = getattr(policy, "act", None), getattr(policy, "spec", None) or factory.spec
        if not callable(act):
            raise PolicyError(
                f"{self._where} gave a {type(policy).__name__} without a method act(inputs); "
                "expected a policy, see uamsim.contract.Policy."
            )
        if spec is None:
            raise ConfigError(
                f"{self._where} has no attribute `spec`, a uamsim.contract.PolicySpec. Give it "
                "one, or say --cameras (and --image-size, --control, --horizon)."
            )
        if not isinstance(spec, PolicySpec):
            raise PolicyError(f"{self._where}: expected a PolicySpec as its spec, got {spec!r}.")
        own = getattr(policy, "name", None)
        self.name = factory.name or str(own or factory.where.rpartition(":")[2])
        self.spec: PolicySpec = spec

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``.

        Raises:
            PolicyError: the policy fails, or gives no numbers.
        """
        try:
            return np.asarray(self.policy.act(inputs), np.float32)
        except UamsimError:
            raise
        except Exception as error:
            at = ", ".join(f"{item.seed} at step {item.step}" for item in inputs[:4])
            raise PolicyError(
                f"{self._where} raised {type(error).__name__} in act(), episode seeds {at}: {error}"
            ) from error

    def batch_key(self, item: PolicyInput) -> Hashable:
        """See ``KeyedPolicy.batch_key``."""
        return batch_key(self.policy, item)


@lru_cache(maxsize=MAX_LOADED)
def _given(factory: PythonFactory) -> GivenPolicy:
    entry = plugins.brought(plugins.POLICIES).get(factory.where)
    if entry is None:
        found = plugins.find_object(factory.where, "policy")
    else:
        found = plugins.load_entry(entry)
    if isinstance(found, type) or not hasattr(found, "act"):
        try:
            found = found()
        except UamsimError:
            raise
        except Exception as error:
            raise PolicyError(
                f"{factory.where} raised {type(error).__name__} while it made the policy: {error}"
            ) from error
    return GivenPolicy(found, factory)


@dataclass(frozen=True, kw_only=True)
class ServerFactory:
    """Connects to a policy server; pickles, and each process connects once.

    Attributes:
        name: what the policy will be called in records, with the hash of what the server says of
            itself; None leaves that to the server.
        uri: "ws://host:port".
        spec: what the policy needs, where the server does not say; else None.
        keys: whose names for the parts of a request: "uamsim", "aloha" or "libero".
    """

    uri: str = field(metadata=PLACE)
    name: str | None = None
    spec: PolicySpec | None = None
    keys: str = "uamsim"

    def __call__(self) -> "WebsocketPolicy":
        """This process's policy, which all its jobs share; do not close it.

        Raises:
            UamsimError: as ``connect``.
        """
        return _connected(self)

    def connect(self) -> "WebsocketPolicy":
        """A policy of its own. ``UAMSIM_TOKEN`` of this process is the token that it sends.

        Raises:
            UnknownNameError: an unknown style of keys.
            PolicyServerError: no server there, or it refuses.
            ConfigError: the server does not say what its policy needs, and nobody else does.
        """
        from uamsim.serving.client import WebsocketPolicy
        from uamsim.serving.outgoing import KEY_STYLES

        return WebsocketPolicy(
            self.uri,
            spec=self.spec,
            name=self.name,
            keys=KEY_STYLES[self.keys],
            token=os.environ.get("UAMSIM_TOKEN") or None,
        )


@lru_cache(maxsize=8)
def _connected(server: ServerFactory) -> "WebsocketPolicy":
    return server.connect()
