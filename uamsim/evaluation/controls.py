"""Policies that lack something, to tell what a success rate is worth.

A policy that scores as well without pictures or without language has not used them.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from jaxtyping import Float32

from uamsim.contract import Observation, Policy, PolicyInput, PolicySpec, batch_key
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.evaluation.backends.jobs import PolicyFactory
from uamsim.evaluation.config import CONTROLS, ControlKind
from uamsim.evaluation.retention import GREY
from uamsim.worlds import ActionSizes

GENERIC_INSTRUCTION = "do the task"

WORKSPACE = ((-0.28, 0.28), (-0.14, 0.14), (0.0, 0.2))
JOINT_REACH_RAD = 0.6


class RandomPolicy:
    """Smooth motion from where the arms are to random places, drawn anew for each chunk.

    Places are those of ``sizes``. Where it names none, they are with ``control="ee"`` uniform in
    ``WORKSPACE`` with the gripper pointing down, with ``"joint"`` up to ``JOINT_REACH_RAD`` away in
    each joint. With ``"relative"`` a chunk is one movement over and over, uniform in [-1, 1] unless
    ``sizes`` names places, the gripper open (1) or closed (-1).

    Args:
        spec: what it claims to need; it looks at nothing but ``agent_pos``.
        sizes: of the actions; None takes arms of 7 numbers, the gripper last.
    """

    name = "random"

    def __init__(self, spec: PolicySpec, sizes: ActionSizes | None = None) -> None:
        self.spec = spec
        num_arms, left = divmod(spec.action_dim, 7)
        if sizes is None and left:
            raise ConfigError(
                f"random actions of {spec.action_dim} numbers need the sizes of a world; only arms "
                "of 7 are known without one."
            )
        grippers = tuple(range(6, spec.action_dim, 7)) if sizes is None else sizes.gripper_dims
        self._is_gripper = np.isin(np.arange(spec.action_dim), grippers)
        places = sizes.places if sizes is not None else ()
        self._placed = bool(places)
        # Joints are drawn as a way from where they are.
        self._moves = np.zeros(spec.action_dim, bool)
        if not places and spec.control == "joint":
            places = [
                (0.0, 1.0) if gripper else (-JOINT_REACH_RAD, JOINT_REACH_RAD)
                for gripper in self._is_gripper
            ]
            self._moves = ~self._is_gripper
        elif not places:
            places = (*WORKSPACE, *[(0.0, 0.0)] * 3, (0.0, 1.0)) * num_arms
        self._stays = np.array([place is None for place in places])
        self._low, self._high = np.array([place or (0.0, 0.0) for place in places], np.float64).T

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``."""
        progress = np.arange(1, self.spec.horizon + 1) / self.spec.horizon
        ease = (progress**2 * (3 - 2 * progress))[:, None]
        chunks = []
        for item in inputs:
            start = item.observation["agent_pos"].astype(np.float64)
            rng = np.random.default_rng([item.seed, item.step])
            if self.spec.control == "relative":
                low, high = (self._low, self._high) if self._placed else (-1, 1)
                movement = rng.uniform(low, high, size=self.spec.action_dim)
                movement[self._is_gripper] = np.sign(movement[self._is_gripper])
                chunks.append(np.tile(movement, (self.spec.horizon, 1)))
                continue
            chunks.append(start + ease * (self._goal(start, rng) - start))
        return np.stack(chunks).astype(np.float32)

    def _goal(self, start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        goal, drawn = self._low.copy(), self._low < self._high
        goal[drawn] = rng.uniform(self._low[drawn], self._high[drawn])
        goal[self._moves] += start[self._moves]
        goal[self._stays] = start[self._stays]
        return goal


class BlindPolicy:
    """A policy that is shown mid-grey in place of every picture."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.name = f"{policy.name}+blind"
        self.spec = policy.spec

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``."""
        return self._policy.act([replace(i, observation=_grey(i.observation)) for i in inputs])

    def batch_key(self, item: PolicyInput) -> Hashable:
        """See ``KeyedPolicy.batch_key``."""
        return batch_key(self._policy, item)


class DeafPolicy:
    """A policy that is told ``GENERIC_INSTRUCTION`` in place of every instruction."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.name = f"{policy.name}+deaf"
        self.spec = policy.spec

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``."""
        return self._policy.act([replace(i, instruction=GENERIC_INSTRUCTION) for i in inputs])

    def batch_key(self, item: PolicyInput) -> Hashable:
        """See ``KeyedPolicy.batch_key``."""
        return batch_key(self._policy, replace(item, instruction=GENERIC_INSTRUCTION))


class ShuffledPolicy:
    """A policy that is told an instruction for another goal, which the environment says.

    The rollout sees to it, for ``spec.told`` asks for it.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.name = f"{policy.name}+shuffled"
        self.spec = replace(policy.spec, told="other_goal")
        self.act = policy.act

    def batch_key(self, item: PolicyInput) -> Hashable:
        """See ``KeyedPolicy.batch_key``."""
        return batch_key(self._policy, item)


def _grey(observation: Observation) -> Observation:
    pixels = {name: np.full_like(p, GREY) for name, p in observation["pixels"].items()}
    return cast(Observation, {**observation, "pixels": pixels})


@dataclass(frozen=True, kw_only=True)
class ControlFactory:
    """A picklable ``PolicyFactory`` of a control.

    Attributes:
        control: "random", "blind", "deaf" or "shuffled".
        spec: of the random policy.
        sizes: of its actions, as ``RandomPolicy`` takes them.
        base: makes the policy that any other control wraps.
    """

    control: ControlKind
    spec: PolicySpec | None = None
    base: PolicyFactory | None = None
    sizes: ActionSizes | None = None

    def __post_init__(self) -> None:
        if self.control not in CONTROLS:
            raise UnknownNameError("control", self.control, CONTROLS)
        if (self.spec if self.control == "random" else self.base) is None:
            needed = "a spec" if self.control == "random" else "a base policy"
            raise ConfigError(f"the {self.control} control needs {needed}.")

    def __call__(self) -> Policy:
        """Makes the policy."""
        if self.control == "random" and self.spec is not None:
            return RandomPolicy(self.spec, self.sizes)
        if self.base is None:
            raise ConfigError(f"the {self.control} control needs a base policy.")
        wrap: dict[str, Callable[[Policy], Policy]] = {
            "blind": BlindPolicy,
            "deaf": DeafPolicy,
            "shuffled": ShuffledPolicy,
        }
        return wrap[self.control](self.base())


def control_name(control: ControlKind, base: str | None = None) -> str:
    """The ``name`` of a control's policy, without making it."""
    return control if control == "random" else f"{base}+{control}"
