"""What uamsim asks of a simulated world beyond Gymnasium, and how its scripted expert is played."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Float32, UInt8

from uamsim.contract import CONTROL_HZ, Control, Observation
from uamsim.errors import ConfigError, InvalidActionError

Step = tuple[Observation, float, bool, bool, dict[str, Any]]
"""What Gymnasium's ``step`` returns: observation, reward, terminated, truncated, info."""


class SimulatedEnv(gym.Env[Observation, np.ndarray]):
    """Base of the environments that are rolled out, recorded and filmed.

    A world writes ``reset`` and ``step``; of the rest, which all has a default, it overrides what
    is different about it. Nothing else is asked of an environment.

    Attributes:
        control: what actions are.
        render_profile: how pictures are drawn, a part of a result's identity.
        all_cameras: what ``look`` takes.
        timed: whether an action takes a fixed time. RoboTwin gives each what its arms need.
        kept_idle: whether it may stay open while others are used; False for one of much memory.
    """

    # gymnasium.spaces.Dict cannot say which names it has.
    observation_space: gym.spaces.Space[Any]
    control: Control = "ee"
    render_profile: str = "default"
    all_cameras: tuple[str, ...] = ()
    timed: bool = True
    kept_idle: bool = True

    def step_chunk(self, actions: Float32[np.ndarray, "T A"]) -> Step:
        """Steps every action until the episode ends.

        The states and the last observation are those of calling ``step`` T times. A world that can
        draws its cameras once, at the end; by default ``step`` draws them every time.

        Returns:
            Observation, summed reward, terminated, truncated, info of the last state.

        Raises:
            InvalidActionError: there is no action.
        """
        total = 0.0
        for left in range(len(actions), 0, -1):
            observation, reward, terminated, truncated, info = self.step(actions[-left])
            total += float(reward)
            if terminated or truncated or left == 1:
                return observation, total, terminated, truncated, info
        raise InvalidActionError("expected at least one action, got none.")

    def play(
        self, actions: Iterator[Float32[np.ndarray, " A"]], max_steps: int | None = None
    ) -> tuple[Float32[np.ndarray, "T A"], Step | None]:
        """Steps actions that are drawn one at a time, so that an expert reads the live state.

        Args:
            actions: such as an expert's.
            max_steps: how many are drawn at most; None goes on until the episode or they end.

        Returns:
            The actions that were stepped, T <= ``max_steps``, and what ``step_chunk`` returns for
            them; an environment may return None in its place where T is 0.
        """
        taken: list[np.ndarray] = []
        result: Step | None = None
        for action in itertools.islice(actions, max_steps):
            taken.append(np.array(action, np.float32))
            result = self.step_chunk(taken[-1][None])
            if result[2] or result[3]:
                break
        return np.array(taken, np.float32), result

    def look(self, cameras: Sequence[str]) -> dict[str, UInt8[np.ndarray, "H W 3"]]:
        """What any of ``all_cameras`` gives now."""
        raise NotImplementedError(f"{type(self).__name__} has no cameras beside its observation's.")

    def expert(self, rng: np.random.Generator) -> Iterator[Float32[np.ndarray, " A"]]:
        """Actions of the task's scripted expert, one for each control step, from the live state.

        Args:
            rng: varies its speed and paths.
        """
        raise NotImplementedError(f"{type(self).__name__} has no scripted expert.")

    @property
    def has_expert(self) -> bool:
        """Whether there is a scripted expert: by default, where ``expert`` is written."""
        return type(self).expert is not SimulatedEnv.expert

    @property
    def control_hz(self) -> float | None:
        """Actions a second; None where each takes as long as it needs."""
        return self.metadata.get("render_fps", CONTROL_HZ) if self.timed else None

    def other_instruction(self, rng: np.random.Generator) -> str | None:
        """What another episode might be told: an instruction of another goal than the present one.

        It costs no reset and changes nothing. None where the world does not say it.

        Args:
            rng: draws the goal and its words.
        """
        del rng
        return None

    @classmethod
    def has_other_goals(cls) -> bool:
        """Whether this world writes ``other_instruction``; it is asked before one is made."""
        return cls.other_instruction is not SimulatedEnv.other_instruction

    @property
    def held_out(self) -> frozenset[str]:
        """Shapes of the present episode's things that demonstrations of these things never show.

        Names as of ``SceneThing.instance``; none in a world with one shape of each category.
        """
        return frozenset()

    def reads_back(self) -> bool | None:
        """Whether the present instruction, read back, means the present goal.

        None where the world cannot tell.
        """
        return None

    def prepare(self, seed: int) -> Iterator[None]:
        """Does what takes long before an episode can be laid out, and yields after each part."""
        del seed
        yield from ()

    @property
    def identity(self) -> Mapping[str, str]:
        """What an episode depends on beside its seed and this repository, such as assets."""
        return {}

    @classmethod
    def has_identity(cls) -> bool:
        """Whether this world writes ``identity``; it is asked before one is made."""
        return cls.identity is not SimulatedEnv.identity

    @property
    def comparable(self) -> bool:
        """Whether results may stand beside published ones."""
        return False


def simulated(env: gym.Env[Any, Any]) -> SimulatedEnv:
    """The environment inside of its wrappers.

    Raises:
        ConfigError: it is not one of ours.
    """
    world = env.unwrapped
    if not isinstance(world, SimulatedEnv):
        raise ConfigError(
            f"expected an environment that derives from uamsim.simulated.SimulatedEnv, got "
            f"{type(world).__name__}. Derive it from that in place of gymnasium.Env; all that it "
            "adds has defaults."
        )
    return world


@dataclass(frozen=True, kw_only=True, eq=False)
class Moment:
    """Where an expert's episode stands.

    Attributes:
        observation: the environment's.
        info: the same.
        actions: those stepped since the moment before, float32 [T, A]; none at the first.
    """

    observation: Observation
    info: dict[str, Any]
    actions: Sequence[Float32[np.ndarray, " A"]]


def expert_episode(env: SimulatedEnv, seed: int, every: int | None = None) -> Iterator[Moment]:
    """An episode of an environment's scripted expert.

    Args:
        env: with an expert.
        seed: of the episode; the expert's own chance is drawn from it as well.
        every: actions from one moment to the next; None plays to the end in one go.

    Yields:
        The reset, then what came after every so many actions, the last time after fewer where the
        episode or the expert ends between.
    """
    observation, info = env.reset(seed=seed)
    yield Moment(observation=observation, info=info, actions=())
    expert = env.expert(np.random.default_rng([seed, 1]))
    while True:
        actions, result = env.play(expert, every)
        if not len(actions) or result is None:
            return
        observation, _, terminated, truncated, info = result
        yield Moment(observation=observation, info=info, actions=list(actions))
        if terminated or truncated or every is None or len(actions) < every:
            return
