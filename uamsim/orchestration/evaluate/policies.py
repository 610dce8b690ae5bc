"""The policies that `uamsim evaluate` rolls out, from what a user calls them."""

import contextlib
import hashlib
from dataclasses import replace
from pathlib import Path

from uamsim import plugins
from uamsim.contract import IN_DOMAIN
from uamsim.errors import CheckpointError, ConfigError
from uamsim.evaluation.config import CONTROLS, ControlKind
from uamsim.evaluation.controls import ControlFactory, control_name
from uamsim.evaluation.entrants import Entrant, control_of
from uamsim.evaluation.environments import adopt_foreign
from uamsim.evaluation.experts import ExpertPlayer
from uamsim.orchestration.evaluate.request import EvaluationRequest
from uamsim.serving.refs import CheckpointFactory, PythonFactory, ServerFactory
from uamsim.storage import sha256
from uamsim.worlds import resolve_environments


def find_policy(name: str, request: EvaluationRequest) -> Entrant:
    """A policy by what the user calls it.

    Args:
        name: as ``EvaluationRequest.policy``.
        request: says what the policy does not say itself.

    Raises:
        CheckpointError: no checkpoint there, or not a policy's.
        PolicyServerError: no server there.
        PolicyError: a policy in Python cannot be made, or is none.
        ConfigError: the policy does not say what it needs.
    """
    for control in CONTROLS:
        if control != "random" and name.startswith(f"{control}:"):
            return _control(find_policy(name.partition(":")[2], request), control)
    if name == "random":
        factory = ControlFactory(control="random", spec=request.spec)
        return Entrant(name=control_name("random"), factory=factory, spec=request.spec)
    if name == "expert":
        return Entrant(name=ExpertPlayer.name, factory=ExpertPlayer, spec=request.spec)
    if name.startswith(("ws://", "wss://")):
        return _server(name, request)
    path = Path(name)
    if path.suffix == ".py":
        raise ConfigError(
            f"expected {name}:NAME as policy, where NAME is the class or function in that file "
            f"that makes it; got {name!r}."
        )
    if not path.is_file():
        return _python(name, request)
    checkpoint_hash = sha256(path)[:16]
    factory = CheckpointFactory(
        name=f"{path.stem}:{checkpoint_hash}",
        checkpoint=path.absolute(),
        checkpoint_hash=checkpoint_hash,
    )
    described = factory()
    if request.device != "cpu":
        # Another device rounds in another way, and so plays other episodes.
        name = f"{factory.name}@{request.device.partition(':')[0]}"
        factory = replace(factory, name=name, device=request.device)
    return Entrant(name=factory.name, factory=factory, spec=described.spec)


def _python(name: str, request: EvaluationRequest) -> Entrant:
    brought = plugins.brought(plugins.POLICIES)
    place, _, attribute = name.rpartition(":")
    if name not in brought and not (place and attribute):
        others = f", or one of {', '.join(brought)}" if brought else ""
        raise CheckpointError(
            "expected a checkpoint, ws://host:port, file.py:NAME or module:NAME of a class in "
            f"Python, random or expert as policy{others}; got {name!r}, and no such file is there."
        )
    if place.endswith(".py"):
        name = f"{Path(place).expanduser().absolute()}:{attribute}"
    spec = None if request.cameras is None else request.spec
    factory = PythonFactory(where=name, spec=spec)
    made = factory()
    named = replace(factory, name=f"{made.name}:{factory.identity}")
    return Entrant(name=f"{made.name}:{factory.identity}", factory=named, spec=made.spec)


def _server(uri: str, request: EvaluationRequest) -> Entrant:
    spec = None if request.cameras is None else request.spec
    first = ServerFactory(name=uri, uri=uri, spec=spec, keys=request.server_keys)
    with contextlib.closing(first.connect()) as policy:
        from uamsim.serving.protocol import encode

        metadata = policy.metadata or {}
        identity = hashlib.sha256(encode(metadata)).hexdigest()[:8]
        name = f"{metadata.get('name', uri)}:{identity}"
        found = policy.spec
    factory = ServerFactory(name=name, uri=uri, spec=spec, keys=request.server_keys)
    return Entrant(name=name, factory=factory, spec=found)


def _control(base: Entrant, kind: ControlKind) -> Entrant:
    if _is_untrained(base):
        raise ConfigError(f"{kind}: needs a trained policy, {base.name} looks at nothing.")
    return control_of(base, kind)


def _is_untrained(entrant: Entrant) -> bool:
    return entrant.name in (ExpertPlayer.name, control_name("random"))


def find_entrants(request: EvaluationRequest) -> list[Entrant]:
    """The policy, and its controls where they apply; or the two that are compared.

    Raises:
        ConfigError: both are the same, or real time cannot be charged to one.
        UamsimError: as ``find_policy``.
    """
    adopt_foreign(tuple(resolve_environments(request.env)), request.adapter)
    if request.compare is not None:
        first, second = (_leading(find_policy(name, request), request) for name in request.compare)
        if first.policy == second.policy:
            raise ConfigError(f"--compare expects two policies, got {first.name!r} twice.")
        return [first, replace(second, beside=first.policy)]
    assert request.policy is not None
    found = find_policy(request.policy, request)
    policy = _leading(found, request)
    # A control of a control, an expert or chance would say nothing.
    is_trained = found.control is None and not _is_untrained(found)
    if not (request.controls and is_trained and IN_DOMAIN in request.split):
        return [policy]
    return [policy, *(control_of(policy, kind) for kind in CONTROLS)]


def _leading(entrant: Entrant, request: EvaluationRequest) -> Entrant:
    """A policy that counts for itself, whatever it lacks."""
    entrant = replace(entrant, control=None, beside=None)
    if request.charged is None:
        return entrant
    if entrant.spec.control == "relative":
        raise ConfigError(
            "--realtime needs actions that are targets, since the robot holds the last one "
            "while the policy thinks; those of a policy with control 'relative' are movements. "
            "Leave --realtime out."
        )
    return (
        entrant if entrant.factory is ExpertPlayer else replace(entrant, realtime=request.charged)
    )
