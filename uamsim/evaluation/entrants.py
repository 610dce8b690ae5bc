"""Who is rolled out, and on what: policies, their controls, and the jobs of an evaluation."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from uamsim.contract import IN_DOMAIN, PolicySpec
from uamsim.evaluation.backends.jobs import PlayerFactory, RolloutJob
from uamsim.evaluation.config import ControlKind, EvaluationConfig, plan_units
from uamsim.evaluation.controls import ControlFactory, control_name
from uamsim.evaluation.environments import has_other_goals, identify
from uamsim.evaluation.realtime import RealTime
from uamsim.worlds import world_of


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A policy that takes part in an evaluation, and what its rows say about it.

    Attributes:
        name: what the policy calls itself.
        factory: makes it.
        spec: what it needs.
        realtime: charges its latency to the simulated clock; None stops the clock meanwhile.
        control: which control it is of another policy; None for one that counts for itself.
        beside: the policy that it is compared with on the same episodes, as records call it: of a
            control, the one that it lacks something of. None where it is compared with nobody.
        variant: of a policy that an experiment trained, like ``e_sem`` and ``seed``.
        e_sem: how its E_sem was treated.
        seed: of its training.
    """

    name: str
    factory: PlayerFactory
    spec: PolicySpec
    realtime: RealTime | None = None
    control: ControlKind | None = None
    beside: str | None = None
    variant: str | None = None
    e_sem: str | None = None
    seed: int | None = None

    @property
    def policy(self) -> str:
        """What records call it: charged for its latency, it is another policy."""
        return self.name + (self.realtime.label if self.realtime else "")

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of each of its rows that say who it is."""
        return {
            "policy": self.policy,
            "control": self.control,
            "variant": self.variant,
            "e_sem": self.e_sem,
            "seed": self.seed,
        }


def control_of(base: Entrant, kind: ControlKind) -> Entrant:
    """A control of a policy, to be compared with it."""
    if kind == "random":
        factory = ControlFactory(control=kind, spec=base.spec)
        # It is of no training, though it stands beside a policy that is.
        base = replace(base, variant=None, e_sem=None)
    else:
        factory = ControlFactory(control=kind, base=base.factory)  # pyright: ignore[reportArgumentType]
    name = control_name(kind, base.name)
    return replace(base, name=name, factory=factory, control=kind, beside=base.policy)


def not_applicable(
    env_ids: Sequence[str], controls: Collection[str | None]
) -> list[dict[str, str]]:
    """A row for each environment in which one of the controls cannot be run.

    Args:
        env_ids: where policies are rolled out.
        controls: beside them.
    """
    if "shuffled" not in controls:
        return []
    reason = "it does not say what else an episode might ask for"
    return [
        {"control": "shuffled", "env_id": env_id, "reason": reason}
        for env_id in env_ids
        if not has_other_goals(env_id)
    ]


def _factory_in(env_id: str, entrant: Entrant) -> PlayerFactory:
    """Random actions are drawn from what the environment takes, which may be several's."""
    factory, world = entrant.factory, world_of(env_id)
    sizes = world.controls.get(entrant.spec.control)
    if not isinstance(factory, ControlFactory) or factory.control != "random" or sizes is None:
        return factory
    if factory.spec is None or not world.environments:
        return factory
    spec = replace(
        factory.spec,
        action_dim=sizes.action_dim,
        proprio_dim=sizes.proprio_dim,
        control_hz=world.control_hz,
    )
    return replace(factory, sizes=sizes, spec=spec)


def plan_jobs(config: EvaluationConfig, entrants: Sequence[Entrant]) -> list[RolloutJob]:
    """Every entrant on its episodes; controls on those of ``in_domain`` alone.

    The shuffled control is left out where an environment does not say what else might be asked for.

    Args:
        config: what to run.
        entrants: policies and controls, in the order of the jobs.

    Raises:
        UnknownNameError: a split that ``SPLITS`` does not know.
        UamsimError: as ``identify``.
    """
    jobs = []
    for entrant in entrants:
        units = plan_units(config, entrant.spec)
        if entrant.control is not None:
            few = config.control_episodes
            units = plan_units(config, entrant.spec, splits=(IN_DOMAIN,), episodes=few)
            left_out = {row["env_id"] for row in not_applicable(config.env_ids, [entrant.control])}
            units = [unit for unit in units if unit.env_id not in left_out]
        jobs += [
            RolloutJob(
                policy=entrant.policy,
                policy_factory=_factory_in(unit.env_id, entrant),
                unit=replace(unit, realtime=entrant.realtime),
            )
            for unit in units
        ]
    units = identify([job.unit for job in jobs])
    return [replace(job, unit=unit) for job, unit in zip(jobs, units, strict=True)]
