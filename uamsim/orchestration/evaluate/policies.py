"""The policies that `uamsim evaluate` rolls out, from what a user calls them."""

import contextlib
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from uamsim.contract import PolicySpec
from uamsim.errors import CheckpointError, ConfigError
from uamsim.evaluation.backends.jobs import PlayerFactory
from uamsim.evaluation.controls import CONTROLS, Control, ControlFactory, control_name
from uamsim.evaluation.experts import ExpertPlayer
from uamsim.orchestration.evaluate.request import IN_DOMAIN, EvaluationRequest
from uamsim.orchestration.policies import CheckpointFactory, ServerFactory, file_hash


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A policy that takes part.

    Attributes:
        name: in records, but for what real time adds.
        factory: makes it.
        spec: what it needs.
        control: which control it is of the policy that is evaluated, None for that itself.
    """

    name: str
    factory: PlayerFactory
    spec: PolicySpec
    control: Control | None = None


def find_policy(name: str, request: EvaluationRequest) -> Entrant:
    """A policy by what the user calls it.

    Args:
        name: as ``EvaluationRequest.policy``.
        request: says what the policy does not say itself.

    Raises:
        CheckpointError: no checkpoint there, or not a policy's.
        PolicyServerError: no server there.
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
    if not path.is_file():
        raise CheckpointError(
            f"expected a checkpoint, ws://host:port, random or expert as policy, got {name!r}; no "
            "such file is there."
        )
    name = f"{path.stem}:{file_hash(path)}"
    described = CheckpointFactory(name=name, checkpoint=path.absolute())()
    if request.device == "cpu":
        factory = CheckpointFactory(name=name, checkpoint=path.absolute())
    else:
        # Another device rounds in another way, and so plays other episodes.
        name = f"{name}@{request.device.partition(':')[0]}"
        factory = CheckpointFactory(name=name, checkpoint=path.absolute(), device=request.device)
    return Entrant(name=name, factory=factory, spec=described.spec)


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


def _control(base: Entrant, control: Control) -> Entrant:
    if base.name in (ExpertPlayer.name, control_name("random")):
        raise ConfigError(f"{control}: needs a trained policy, {base.name} looks at nothing.")
    if control == "random":
        factory = ControlFactory(control=control, spec=base.spec)
    else:
        factory = ControlFactory(control=control, base=base.factory)  # pyright: ignore[reportArgumentType]
    return Entrant(
        name=control_name(control, base.name), factory=factory, spec=base.spec, control=control
    )


def find_entrants(request: EvaluationRequest) -> list[Entrant]:
    """The policy, and its controls where they apply; or the two that are compared.

    Raises:
        ConfigError: both are the same.
        UamsimError: as ``find_policy``.
    """
    if request.compare is not None:
        both = [replace(find_policy(name, request), control=None) for name in request.compare]
        if both[0].name == both[1].name:
            raise ConfigError(f"--compare expects two policies, got {both[0].name!r} twice.")
        return both
    assert request.policy is not None
    policy = find_policy(request.policy, request)
    # A control of a control, an expert or chance would say nothing.
    is_trained = policy.control is None and policy.name not in (ExpertPlayer.name, "random")
    entrants = [replace(policy, control=None)]
    if request.controls and is_trained and IN_DOMAIN in request.split:
        entrants += [_control(policy, control) for control in CONTROLS]
    return entrants
