"""`uamsim stats`: plans the number of episodes, and compares two policies on the same ones."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from uamsim.bounds import Positive, Share, Within, check_bounds
from uamsim.contract import EpisodeRecord
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.evaluation.episode_tables import read_episodes
from uamsim.reporting.terminal import comparison_lines
from uamsim.statistics import (
    Design,
    compare,
    episodes_for,
    power_of,
    resolvable_difference,
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Says how many episodes a difference needs, or what difference a number of episodes resolves.

    With both a difference and a number, says the power.

    Attributes:
        baseline: expected success of the first policy, from 0 to 1.
        difference: success of the second policy minus the first's.
        episodes: episodes of each policy, of one task or of all that are pooled.
        power: probability that the difference is found.
        alpha: error rate of the two-sided test.
        paired: both policies run the same episodes.
        discordance: share of them in which exactly one policy succeeds; not given, that of
            outcomes that have nothing to do with each other.
    """

    baseline: Share
    difference: Annotated[float, Within(-1.0, 1.0)] | None = None
    episodes: Positive | None = None
    power: Share = 0.8
    alpha: Share = 0.05
    paired: bool = False
    discordance: Share | None = None

    def __post_init__(self) -> None:
        check_bounds(self, "--")


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Compares two policies on the episodes (environment, split, seed) that both ran.

    Attributes:
        first: a run's folder, or a .sqlite, .parquet, .jsonl or .json file of episodes.
        second: another, or the same.
        policy_a: the first's policy, or a part of its name, where the folder holds several.
        policy_b: the second's.
        alpha: error rate of each test in each split; intervals have the confidence 1 - alpha.
        margin: the sequential test calls policies equivalent that surely differ by less.
        json: prints JSON instead of a table.
    """

    first: Annotated[Path, tyro.conf.Positional]
    second: Annotated[Path, tyro.conf.Positional]
    policy_a: str | None = None
    policy_b: str | None = None
    alpha: Share = 0.05
    margin: Share | None = None
    json: bool = False

    def __post_init__(self) -> None:
        check_bounds(self, "--")


Verb = (
    Annotated[Plan, tyro.conf.subcommand("plan")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
)


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim stats``.

    Returns:
        The exit status.

    Raises:
        UamsimError: with a message for the user.
    """
    verb = tyro.cli(
        Verb,  # type: ignore[arg-type]
        prog="uamsim stats",
        description="Plans the number of episodes, and compares policies on the same ones.",
        args=list(argv),
    )
    print(plan(verb) if isinstance(verb, Plan) else comparison(verb))
    return 0


def plan(request: Plan) -> str:
    """The answer to a planning question in a sentence or two.

    Raises:
        ConfigError: neither a difference nor a number of episodes, or impossible numbers.
    """
    fields = {f.name: getattr(request, f.name) for f in dataclasses.fields(Design)}
    design = Design(**fields)
    difference, episodes = request.difference, request.episodes
    base = f"{100 * request.baseline:.0f}%"
    test = "different episodes for each policy, Newcombe's interval"
    if request.paired:
        share = "as unrelated outcomes have" if request.discordance is None else "as given"
        test = f"the same episodes, McNemar's exact test, a discordance {share}"
    under = f"with {100 * request.power:.0f}% power, two-sided alpha {request.alpha:g} ({test})."
    if difference is None and episodes is None:
        raise ConfigError("expected --difference (how many episodes?) or --episodes (what gap?).")
    if difference is None:
        assert episodes is not None
        gap = resolvable_difference(design, episodes)
        if gap is None:
            return f"{episodes} episodes resolve no gain over {base} {under}"
        return f"{episodes} episodes resolve a gain of {100 * gap:.1f} points over {base} {under}"
    if episodes is None:
        needed = episodes_for(design, difference)
        return f"A difference of {100 * difference:+.0f} points from {base} takes {needed} " + (
            f"episodes {under}"
        )
    power = power_of(design, difference, episodes)
    return (
        f"{episodes} episodes find a difference of {100 * difference:+.0f} points from {base} with "
        f"{100 * power:.0f}% power, two-sided alpha {request.alpha:g} ({test})."
    )


def comparison(request: Compare) -> str:
    """The comparison of two runs as text.

    Raises:
        ResultsError: a path holds no episodes.
        UnknownNameError: a policy is not there.
        ConfigError: no policy was named of several, or no episode is shared.
    """
    first = _choose(request.first, request.policy_a, "--policy-a")
    second = _choose(request.second, request.policy_b, "--policy-b")
    found = compare(first, second, alpha=request.alpha, margin=request.margin)
    matched = sum(c.episodes for c in found)
    names = {"first": first[0].policy, "second": second[0].policy}
    rows = [c.to_row() for c in found]
    if request.json:
        counts = {"matched": matched, "of_first": len(first), "of_second": len(second)}
        return json.dumps({**names, **counts, "alpha": request.alpha, "splits": rows}, indent=1)
    lines = [f"{place}: {name}" for place, name in names.items()]
    lines.append(
        f"{matched} episodes match by environment, split and seed, of {len(first)} and "
        f"{len(second)}."
    )
    profiles = [{record.render_profile for record in records} for records in (first, second)]
    if profiles[0] != profiles[1]:
        shown = " and ".join("/".join(sorted(names)) for names in profiles)
        lines.append(f"They were rendered differently ({shown}), which changes scores by itself.")
    lines += ["", *comparison_lines(rows, request.alpha)]
    return "\n".join(lines)


def _choose(path: Path, wanted: str | None, flag: str) -> list[EpisodeRecord]:
    policies: Mapping[str, list[EpisodeRecord]] = read_episodes(path)
    names = [name for name in policies if wanted is None or wanted in name]
    if wanted in policies:
        names = [wanted]
    if wanted is not None and not names:
        raise UnknownNameError("policy", wanted, policies)
    if len(names) > 1:
        raise ConfigError(
            f"{path} holds {len(names)} policies{'' if wanted is None else f' with {wanted!r}'}; "
            f"choose one with {flag}: {', '.join(names)}."
        )
    return policies[names[0]]
