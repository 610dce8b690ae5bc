"""What `uamsim evaluate` is asked for, and how it is to go about it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from uamsim.adapter import Adapter
from uamsim.bounds import (
    Amount,
    Count,
    Pixels,
    Positive,
    Seconds,
    Seed,
    Share,
    Size,
    Workers,
    check_bounds,
)
from uamsim.contract import IN_DOMAIN, Control, PolicySpec
from uamsim.errors import ConfigError
from uamsim.evaluation.config import EvaluationConfig
from uamsim.evaluation.realtime import RealTime
from uamsim.statistics.intervals import check_share
from uamsim.worlds import resolve_environments, world_of


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """What to evaluate: all that decides the episodes.

    Attributes:
        policy: a checkpoint, ws://host:port, file.py:NAME or module:NAME of a class in Python,
            what an installed package brings, random, expert; or blind:, deaf: or shuffled: before
            one of them.
        compare: two such policies on the same episodes, without controls, each split until the
            sequential test has decided or ``episodes`` is reached.
        alpha: error rate of the comparison, over all looks together, in each split.
        margin: a comparison also ends once the policies surely differ by less.
        look_every: pairs of episodes between two looks of a comparison, rounded up to seeds.
        env: tasks (pick_place), environment ids, a world (aloha: all its tasks), or a suite
            (robotwin16).
        split: names, axes at a severity (lighting@3), several at once (chinese+visual), or
            file.py:name.
        episodes: for each environment and split.
        seed: the first; each episode has its own, the same for every policy.
        controls: whether a trained policy's random, blind, deaf and shuffled controls run too, on
            in_domain if that is among the splits.
        batch: inputs in each call of the policy.
        device: where a checkpoint runs.
        render_profile: of the environments, None for each environment's own.
        max_episode_steps: control steps, or None for each environment's own limit.
        realtime: whether the policy's latency is charged to the simulated clock.
        latency_s: charged for every call; None measures it, which makes episodes depend on the
            machine.
        replan_steps: actions played of each chunk before the next is asked for; None plays all.
        server_keys: whose names a request to a server uses.
        cameras: that the policy looks at, where it does not say so itself.
        image_size: height and width of each picture, likewise.
        control: representation of its actions, likewise; None for that of the first environment.
        horizon: control steps in its chunks, likewise.
        adapter: where an environment that knows nothing of uamsim has what a policy needs.
    """

    policy: str | None = None
    compare: tuple[str, str] | None = None
    alpha: Share = 0.05
    margin: Share | None = None
    look_every: Positive = 32
    env: tuple[str, ...] = ("aloha",)
    split: tuple[str, ...] = (IN_DOMAIN,)
    episodes: Positive = 50
    seed: Seed = 1_000_000
    controls: bool = True
    batch: Size = 16
    device: str = "cpu"
    render_profile: str | None = None
    max_episode_steps: Positive | None = None
    realtime: bool = False
    latency_s: Seconds | None = None
    replan_steps: Size | None = None
    server_keys: Literal["uamsim", "aloha", "libero"] = "uamsim"
    cameras: tuple[str, ...] | None = None
    image_size: tuple[Pixels, Pixels] = (96, 96)
    control: Control | None = None
    horizon: Size = 24
    adapter: Adapter = field(default_factory=Adapter)

    def __post_init__(self) -> None:
        check_bounds(self, "--")
        if (self.policy is None) == (self.compare is None):
            raise ConfigError("expected either --policy with one or --compare with two policies.")
        if self.compare is None and self.margin is not None:
            raise ConfigError("--margin needs --compare.")
        for name in ("alpha", "margin"):
            if getattr(self, name) is not None:
                check_share(f"--{name}", getattr(self, name))
        for name in ("env", "split"):
            if not getattr(self, name):
                raise ConfigError(f"--{name} must name at least one.")
        if not self.realtime and (self.latency_s, self.replan_steps) != (None, None):
            raise ConfigError("--latency-s and --replan-steps need --realtime.")

    @property
    def charged(self) -> RealTime | None:
        """How latency is charged to the simulated clock."""
        if not self.realtime:
            return None
        return RealTime(latency_s=self.latency_s, replan_steps=self.replan_steps)

    @property
    def config(self) -> EvaluationConfig:
        """The episodes of each policy; one unit for an environment and split."""
        return EvaluationConfig(
            env_ids=tuple(resolve_environments(self.env)),
            splits=tuple(dict.fromkeys(self.split)),
            episodes=self.episodes,
            in_domain_episodes=self.episodes,
            control_episodes=self.episodes,
            seed0=self.seed,
            batch_envs=self.batch,
            unit_episodes=self.episodes,
            render_profile=self.render_profile,
            max_episode_steps=self.max_episode_steps,
        )

    @property
    def spec(self) -> PolicySpec:
        """Of a policy that does not say what it needs."""
        world = world_of(next(iter(resolve_environments(self.env))))
        control = self.control or world.control
        return PolicySpec(
            cameras=self.cameras or (),
            image_size=self.image_size,
            control=control,
            horizon=self.horizon,
            action_dim=world.sizes(control).action_dim,
            proprio_dim=world.sizes(control).proprio_dim,
            control_hz=world.control_hz,
        )


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """How to evaluate: nothing here changes an episode.

    Attributes:
        out: folder of the ledger, results and videos; the same command goes on in it.
        workers: processes with environments; 0 runs in this one, without Ray and its watchdog.
        address: of a Ray cluster ("auto", "host:6379"); None starts Ray on this machine.
        inference: processes that hold the policy, which the workers then ask; 0 runs it in each
            worker.
        gpus_per_inference: GPUs that each of them takes.
        max_wait_ms: longest time that a request waits for those of other workers.
        envs_per_worker: episodes side by side in a worker; by default the batch.
        timeout_s: a worker that finishes no chunk for so long is killed, its episodes tried again.
        videos: most that are made, failures first.
        step: of the TensorBoard scalars, such as the training step of the checkpoint.
    """

    out: Path
    workers: Workers = 1
    address: str | None = None
    inference: Workers = 0
    gpus_per_inference: Amount = 0
    max_wait_ms: Seconds = 5.0
    envs_per_worker: Size | None = None
    timeout_s: Seconds = 300.0
    videos: Count = 8
    step: Count = 0

    def __post_init__(self) -> None:
        check_bounds(self, "--")
        if not self.workers and (self.inference or self.address is not None):
            raise ConfigError("--inference and --address need --workers of at least 1.")
