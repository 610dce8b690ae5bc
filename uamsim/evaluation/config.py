"""What to roll out, as JSON values; ``plan_units`` expands it. No torch, mujoco or ray here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from uamsim.bounds import Count, Positive, Seed, Size, check_bounds
from uamsim.contract import ADDED, IN_DOMAIN, PolicySpec, content_hash
from uamsim.evaluation.realtime import RealTime
from uamsim.perturbations.splits import find_split
from uamsim.worlds import world_of

ENV_IDS: tuple[str, ...] = (
    "uamsim_envs:uamsim/AlohaPressButton-v0",
    "uamsim_envs:uamsim/AlohaPickPlace-v0",
)
ALL_SPLITS: tuple[str, ...] = (
    IN_DOMAIN,
    "novel_object",
    "novel_pair",
    "distractors",
    "chinese",
    "pinyin",
    "code_mix",
)

ControlKind = Literal["random", "blind", "deaf", "shuffled"]
"""A policy that lacks something: it moves at random, sees grey, is told nothing or the wrong thing.
"""
CONTROLS: tuple[ControlKind, ...] = get_args(ControlKind)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Episodes to run for each policy. Every policy gets the same seeds.

    Attributes:
        env_ids: environments, as ``"package:namespace/Name-v0"``.
        splits: names in ``SPLITS``.
        episodes: for each environment and split other than ``in_domain``.
        in_domain_episodes: for each environment on ``in_domain``.
        control_episodes: for each environment, for the random, blind and deaf controls.
        snapshot_episodes: for each environment, in domain, at each snapshot during training.
        seed0: first seed; far away from those of demonstrations.
        batch_envs: environments that share one call of the policy.
        unit_episodes: most episodes in one unit of work.
        render_profile: part of the result's identity; None for each world's usual one.
        max_episode_steps: control steps, or None for the environment's own limit.
    """

    env_ids: tuple[str, ...] = ENV_IDS
    splits: tuple[str, ...] = ALL_SPLITS
    episodes: Count = 40
    in_domain_episodes: Count = 80
    control_episodes: Count = 40
    snapshot_episodes: Count = 16
    seed0: Seed = 1_000_000
    batch_envs: Size = 16
    unit_episodes: Positive = 40
    render_profile: str | None = "fast"
    max_episode_steps: Positive | None = None

    def __post_init__(self) -> None:
        check_bounds(self)
        for split in self.splits:
            find_split(split)


@dataclass(frozen=True, kw_only=True)
class RolloutUnit:
    """One piece of rolling out: episodes of one environment and split, run by one worker.

    Attributes:
        env_id: gymnasium id.
        split: a name in ``SPLITS``.
        seeds: one episode each.
        env_kwargs: JSON arguments of ``gymnasium.make``, without ``perturbations``.
        batch_envs: episodes that run side by side. The policy always gets this many inputs,
            padded where fewer are live, so that an episode's numbers never depend on how many
            others are left.
        realtime: charges the policy's latency to the simulated clock; None stops the clock
            while the policy thinks.
        world: what the environment is made of, where it depends on more than this repository:
            "comparable", whether its results may stand beside published ones, and what names its
            simulator, planner, renderer and assets.
    """

    env_id: str
    split: str
    seeds: tuple[int, ...]
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    batch_envs: int = 16
    realtime: RealTime | None = None
    world: Mapping[str, Any] | None = field(default=None, metadata=ADDED)

    def record_name(self, policy_name: str) -> str:
        """What records call a policy: charged for its latency, it is another one."""
        return policy_name + (self.realtime.label if self.realtime else "")

    @property
    def unit_hash(self) -> str:
        """Names the unit by all its fields."""
        return content_hash(self)


def plan_units(
    config: EvaluationConfig,
    spec: PolicySpec,
    *,
    splits: tuple[str, ...] | None = None,
    episodes: int | None = None,
) -> list[RolloutUnit]:
    """The units that evaluate one policy.

    Args:
        config: what to run.
        spec: the policy's, which decides the cameras, image size and control.
        splits: instead of ``config.splits``.
        episodes: for each environment and split, instead of the config's two counts.

    Raises:
        UnknownNameError: a split that ``SPLITS`` does not know.
    """
    env_kwargs: dict[str, Any] = {
        "control": spec.control,
        "cameras": list(spec.cameras),
        "image_size": list(spec.image_size),
    }
    if config.max_episode_steps is not None:
        env_kwargs["max_episode_steps"] = config.max_episode_steps
    units = []
    for split in config.splits if splits is None else splits:
        find_split(split)
        count = config.in_domain_episodes if split == IN_DOMAIN else config.episodes
        count = count if episodes is None else episodes
        for env_id in config.env_ids:
            for start in range(0, count, config.unit_episodes):
                stop = min(start + config.unit_episodes, count)
                world = world_of(env_id)
                profile = config.render_profile or world.render_profile
                units.append(
                    RolloutUnit(
                        env_id=env_id,
                        split=split,
                        seeds=tuple(range(config.seed0 + start, config.seed0 + stop)),
                        env_kwargs={**env_kwargs, "render_profile": profile, **world.made_with},
                        batch_envs=config.batch_envs,
                    )
                )
    return units
