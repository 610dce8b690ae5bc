"""What the rooms exchange: observations, scene facts, goals, action chunks, policies, records.

Axis legend, used in docstrings and in letter suffixes of tensors:
B batch, T time or tokens, H image height, W image width, A action, P proprio, V camera views,
K steps of a predicted action chunk, D model width.

Nothing here imports torch, mujoco or ray.
"""

import dataclasses
import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypedDict, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from uamsim.bounds import Hertz, Pixels, Size, check_bounds
from uamsim.errors import ConfigError

ACTION_DIM = 14
"""[left 6, left gripper, right 6, right gripper]; the 6 are joint angles in rad, or with
``control="ee"`` the gripper's position (3, m, world) and rotation vector (3, rad) away from
pointing straight down. Grippers are 0 (closed) to 1 (open)."""
CONTROL_HZ = 50
"""Actions a second that an environment takes, unless they are movements (``Control``), or it is
untimed: RoboTwin gives each target the time that the arms need to get there."""

Control = Literal["ee", "joint", "relative"]
"""What actions are: targets that are gripper poses or joint angles, in the representation of
``agent_pos``; or movements, one for each control step of their world, which need not be like it."""


def steps_per_frame(control: Control, fps: int, control_hz: float | None = CONTROL_HZ) -> int:
    """Actions that a policy gives from one frame of its demonstrations to the next.

    Between targets it goes evenly; a movement is of one control step, and to a target of an
    untimed world the simulator finds the way.

    Args:
        control: what actions are.
        fps: frames a second; of movements it is the world's own number of control steps.
        control_hz: actions a second that the world takes; None where each takes what it needs.

    Raises:
        ConfigError: frames that do not fall on control steps.
    """
    if (control == "relative" or control_hz is None) and fps > 0:
        return 1
    if fps < 1 or control_hz is None or control_hz % fps:
        raise ConfigError(f"fps must divide {control_hz or CONTROL_HZ:g}, not {fps}.")
    return round(control_hz / fps)


def stored_rate(facts: Mapping[str, Any]) -> float | None:
    """Actions a second, of what a dataset or a checkpoint says of itself.

    Args:
        facts: "control" and "fps"; "control_hz" where it is neither of movements, of which there
            are ``fps``, nor ``CONTROL_HZ``; "timed", false where there is none.

    Returns:
        None where each action takes as long as it needs.
    """
    if not facts.get("timed", True):
        return None
    return facts.get("control_hz", facts["fps"] if facts["control"] == "relative" else CONTROL_HZ)


def rate_facts(control: Control, fps: int, control_hz: float | None) -> dict[str, Any]:
    """What ``stored_rate`` reads the rate from, beside "control" and "fps"."""
    if control_hz is None:
        return {"timed": False}
    known = stored_rate({"control": control, "fps": fps})
    return {} if control_hz == known else {"control_hz": control_hz}


class Observation(TypedDict):
    """What a policy sees: gym-aloha's and LeRobot's own names.

    Attributes:
        pixels: camera name -> uint8 [H, W, 3].
        agent_pos: float32 [P], in the same representation as the action.
    """

    pixels: dict[str, UInt8[np.ndarray, "H W 3"]]
    agent_pos: Float32[np.ndarray, " P"]


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A noun phrase's content: a category of the lexicon with a colour."""

    category: str
    colour: str


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What an instruction asks for, before it is put into words.

    Attributes:
        task: the task's name, such as "pick_place".
        thing: the thing to act on.
        target: where to put it, or None where the task has no target.
        then: further things, in the order in which they are to be acted on.
    """

    task: str
    thing: Thing
    target: Thing | None = None
    then: tuple[Thing, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SceneThing:
    """One visible thing, as facts that questions can be asked about.

    Attributes:
        category: name in the lexicon, or "label" for a card with text.
        colour: name in the lexicon.
        pos_world: position of its base centre in metres, world frame: x to the right, y away
            from the viewer, z up.
        text: what is written on a label, else "".
        instance: which shape of its category it is, where the world has several, else "".
    """

    category: str
    colour: str
    pos_world: tuple[float, float, float]
    text: str = ""
    instance: str = ""


@dataclass(frozen=True, kw_only=True)
class SceneFacts:
    """A scene that can be rendered again: its things, and where the two grippers are.

    Attributes:
        things: all visible things.
        gripper_pos_world: left and right gripper position (m), None for an arm at rest.
        gripper_opening: of the left and the right gripper, 0 closed to 1 open.
    """

    things: tuple[SceneThing, ...]
    gripper_pos_world: tuple[
        tuple[float, float, float] | None, tuple[float, float, float] | None
    ] = (None, None)
    gripper_opening: tuple[float, float] = field(default=(0.0, 0.0), metadata={"added": True})

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        value = dataclasses.asdict(self)
        return {name: value[name] for name in json_fields(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "SceneFacts":
        """Inverse of ``to_json``."""
        things = tuple(
            SceneThing(
                category=t["category"],
                colour=t["colour"],
                pos_world=(t["pos_world"][0], t["pos_world"][1], t["pos_world"][2]),
                text=t["text"],
                instance=t.get("instance", ""),
            )
            for t in value["things"]
        )
        left, right = (None if p is None else tuple(p) for p in value["gripper_pos_world"])
        opening = value.get("gripper_opening", (0.0, 0.0))
        return cls(
            things=things,
            gripper_pos_world=(left, right),
            gripper_opening=(opening[0], opening[1]),
        )


Told = Literal["own", "other_goal"]


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """What a policy needs and gives.

    Attributes:
        cameras: names of the cameras it looks at, in order.
        image_size: (H, W) of each picture.
        control: representation of its actions and of ``agent_pos``.
        horizon: control steps T in each returned chunk.
        action_dim: numbers A of an action.
        proprio_dim: numbers P of ``agent_pos``.
        control_hz: actions a second; None where each takes as long as it needs.
        told: the episode's instruction, or one for another goal
            (``SimulatedEnv.other_instruction``).
    """

    cameras: tuple[str, ...]
    image_size: tuple[Pixels, Pixels]
    control: Control
    horizon: Size
    action_dim: Size = ACTION_DIM
    proprio_dim: Size = ACTION_DIM
    control_hz: Hertz | None = CONTROL_HZ
    told: Told = "own"

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, kw_only=True)
class PolicyInput:
    """One request: an observation with its instruction.

    Attributes:
        seed: the episode's seed. A stochastic policy draws its noise from (seed, step) alone,
            so that an episode does not depend on what shares its batch.
        step: control steps since the episode began.
        info: the environment's info; only privileged policies (an expert) may read it.
    """

    observation: Observation
    instruction: str
    seed: int
    step: int
    info: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Policy(Protocol):
    """A batch of requests in, a batch of action chunks out, no state between calls."""

    @property
    def name(self) -> str:
        """Names the policy in records."""
        ...

    @property
    def spec(self) -> PolicySpec:
        """What it needs and gives."""
        ...

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """Action chunks at ``spec.control_hz`` for each input, [B, T=spec.horizon, A]."""
        ...


@runtime_checkable
class KeyedPolicy(Protocol):
    """A policy whose numbers depend, by rounding, on some property of a batch."""

    def batch_key(self, item: PolicyInput) -> Hashable:
        """Inputs with equal keys may share a call without changing each other's actions."""
        ...


def batch_key(policy: Policy, item: PolicyInput) -> Hashable:
    """The policy's key of an input; None, which all inputs share, where it has none."""
    return policy.batch_key(item) if isinstance(policy, KeyedPolicy) else None


class ActionBatch(TypedDict):
    """A training batch of action data, as numpy arrays; no tensor library is implied.

    Attributes:
        images: uint8 [B, V, H, W, 3], the policy's cameras at the current step.
        instructions: B strings.
        proprio: float32 [B, P], normalised.
        actions: float32 [B, K, A], normalised.
        action_mask: bool [B, K], False past the end of the episode (those carry no loss).
        goal_images: uint8 [B, H, W, 3], the first camera at the end of the chunk, or at the end
            of the episode where that is sooner.
        goal_clamped: bool [B], whether it was.
        frame_ids: int64 [B, 2], dataset index of the current and of the goal frame.
    """

    images: UInt8[np.ndarray, "B V H W 3"]
    instructions: list[str]
    proprio: Float32[np.ndarray, "B P"]
    actions: Float32[np.ndarray, "B K A"]
    action_mask: np.ndarray
    goal_images: UInt8[np.ndarray, "B H W 3"]
    goal_clamped: np.ndarray
    frame_ids: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about a picture with its one right answer.

    Attributes:
        skill: "recognition", "attribute", "counting", "spatial", "ocr" or "multilingual".
        question: free text in any language.
        answer: a short answer, scored by exact match.
    """

    skill: str
    question: str
    answer: str


SKILLS: tuple[str, ...] = (
    "recognition",
    "attribute",
    "counting",
    "spatial",
    "ocr",
    "multilingual",
)


@dataclass(frozen=True, kw_only=True)
class EpisodeRecord:
    """What is left of one episode.

    Attributes:
        policy: identity of the policy (for a checkpoint, its content hash).
        stages: named partial progress, in order, each reached or not.
        num_steps: control steps taken.
        render_profile: part of a result's identity, since the renderer changes scores.
        wall_s: wall time, the one field that is not reproducible.
    """

    policy: str
    env_id: str
    task: str
    split: str
    seed: int
    instruction: str
    success: bool
    stages: dict[str, bool]
    num_steps: int
    render_profile: str
    wall_s: float = field(default=0.0, compare=False)

    @property
    def episode_hash(self) -> str:
        """Names the episode by what its record says of it; a ledger's key names more."""
        return content_hash([self.policy, self.env_id, self.split, self.seed, self.render_profile])


IN_DOMAIN = "in_domain"
"""The split of what demonstrations show, at new seeds."""


def in_a_row(count: int) -> str:
    """The stage of an episode of several tasks that says that its first ``count`` were done.

    An environment of chains names all its stages so, from 1 on; see ``statistics.chain_result``.
    """
    return f"{count}_in_a_row"


ADDED: Mapping[str, bool] = MappingProxyType({"added": True})
"""``field(default=..., metadata=ADDED)``: a field of a config that came later. At its default it
is left out of JSON, so that what was made before keeps its hash."""

PLACE: Mapping[str, bool] = MappingProxyType({"place": True})
"""``field(metadata=PLACE)``: a field of what makes a policy that says where it is found or run,
and not what it is; a name beside it has the hash of what is there."""


def json_fields(value: Any) -> dict[str, Any]:
    """A dataclass's fields that go into JSON: all but those of ``ADDED`` at their default."""
    return {
        f.name: getattr(value, f.name)
        for f in dataclasses.fields(value)
        if not f.metadata.get("added") or getattr(value, f.name) != f.default
    }


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; dataclasses become objects, tuples become arrays."""

    def default(item: Any) -> Any:
        if dataclasses.is_dataclass(item) and not isinstance(item, type):
            return {"type": type(item).__name__} | json_fields(item)
        raise TypeError(f"{type(item).__name__} is not a JSON value")

    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), default=default, ensure_ascii=False
    )


def content_hash(value: Any) -> str:
    """16 hex digits of the SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]
