"""Does a split hold what it says? Leaks, words that keep their meaning, and solvability."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from uamsim.data.config import DemonstrationConfig
from uamsim.evaluation.experts import ExpertEpisode, play_expert, play_experts
from uamsim.orchestration.worlds.split_requests import CheckRequest
from uamsim.perturbations.axes import AXES
from uamsim.perturbations.leaks import Episode, check_leaks
from uamsim.perturbations.splits import SPLITS, find_split
from uamsim.perturbations.values import PERTURBATIONS
from uamsim.statistics import Rate, rate
from uamsim.worlds import resolve_environment

SOLVABLE_SHARE = 0.9
"""Share of its in-domain success that an expert must keep on a split."""


@dataclass(frozen=True, kw_only=True)
class SplitCheck:
    """What came out for one environment.

    Attributes:
        env_id: the environment.
        expert: success on the split.
        in_domain: success at the same seeds without it.
        leaks: what is held out and was found in training episodes.
        novel: what is held out and was found in the split.
        misread: instructions that were not read back as the goal they came from.
        named: names of perturbations, splits, tasks or files that were found in instructions.
    """

    env_id: str
    expert: Rate
    in_domain: Rate
    leaks: tuple[str, ...]
    novel: tuple[str, ...]
    misread: tuple[str, ...]
    named: tuple[str, ...]

    @property
    def solvable(self) -> bool:
        """Whether the expert keeps enough of its in-domain success."""
        return self.expert.rate >= SOLVABLE_SHARE * self.in_domain.rate

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.solvable and not (self.leaks or self.misread or self.named)


def check_split(name: str, request: CheckRequest) -> list[SplitCheck]:
    """Checks a split in each environment.

    Args:
        name: as ``find_split`` takes it.
        request: where, and with how many episodes.

    Raises:
        UnknownNameError: no such split or environment.
        ConfigError: an environment cannot carry the split.
    """
    find_split(name)
    env_ids = [resolve_environment(env) for env in request.env]
    seeds = range(request.seed, request.seed + request.episodes)
    jobs = [(env_id, split) for env_id in env_ids for split in ("in_domain", name)]
    played = dict(zip(jobs, play_experts(jobs, seeds, workers=request.workers), strict=True))
    return [
        _check(env_id, played[env_id, "in_domain"], played[env_id, name], request)
        for env_id in env_ids
    ]


def _check(
    env_id: str,
    in_domain: list[ExpertEpisode],
    episodes: list[ExpertEpisode],
    request: CheckRequest,
) -> SplitCheck:
    first = DemonstrationConfig().seed0
    training = play_expert(env_id, range(first, first + request.training_episodes), only_reset=True)
    report = check_leaks(map(_seen, training), map(_seen, episodes))
    return SplitCheck(
        env_id=env_id,
        expert=_rate(episodes),
        in_domain=_rate(in_domain),
        leaks=tuple(f"{kind} {what} ({n} episodes)" for (kind, what), n in report.leaked.items()),
        novel=tuple(f"{kind} {what}" for kind, what in report.novel),
        misread=tuple(e.record.instruction for e in episodes if not e.reads_back),
        named=tuple(sorted(_names_in(e.record.instruction for e in episodes))),
    )


def _seen(episode: ExpertEpisode) -> Episode:
    return Episode(
        goal=episode.goal,
        scene=episode.scene,
        instruction=episode.record.instruction,
        held_out=episode.held_out,
    )


def _rate(episodes: list[ExpertEpisode]) -> Rate:
    return rate(sum(e.record.success for e in episodes), len(episodes))


def _names_in(instructions: Iterable[str]) -> set[str]:
    """Identifiers of the project; a name of one plain word may be a word of an instruction."""
    names = {n for n in (*PERTURBATIONS, *AXES, *SPLITS) if "_" in n or n != n.lower()}
    found = set()
    for text in instructions:
        found |= {name for name in names if name in text}
        found |= set(re.findall(r"\w*_\w*|\w+\.py|@\d", text))
    return found


def table_of_checks(name: str, checks: list[SplitCheck]) -> str:
    """The outcome as text, with what is wrong spelled out."""
    lines = [f"{name}: {find_split(name).summary}", ""]
    lines += [
        "| environment | expert | in domain | solvable | leaks | read back | names | new here |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for c in checks:
        lines.append(
            f"| {c.env_id.rpartition('/')[2]} | {_shown(c.expert)} | {_shown(c.in_domain)} "
            f"| {'yes' if c.solvable else 'NO'} | {len(c.leaks) or 'none'} "
            f"| {c.expert.episodes - len(c.misread)}/{c.expert.episodes} "
            f"| {', '.join(c.named) or 'none'} | {len(c.novel) or 'nothing'} |"
        )
    for c in checks:
        for title, items in (("leaks", c.leaks), ("not read back", c.misread), ("new", c.novel)):
            if items:
                shown = "; ".join(items[:8]) + ("; ..." if len(items) > 8 else "")
                lines.append(f"\n{c.env_id.rpartition('/')[2]}, {title}: {shown}")
    return "\n".join(lines)


def _shown(value: Rate) -> str:
    return f"{value.successes}/{value.episodes} [{value.ci_low:.0%}, {value.ci_high:.0%}]"
