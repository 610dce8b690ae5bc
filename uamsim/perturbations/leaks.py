"""Looks for held-out content in episodes, by what they show and say and not by how they were made.

It works on goal, scene facts and instruction, and so for every environment.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from uamsim.contract import Goal, SceneFacts
from uamsim.lexicon import HELD_OUT_PAIRS, LEXICON, romanise

Finding = tuple[str, str]
"""What kind of thing is held out ("cell", "instance", "category", "colour", "word"), and which."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """What is seen of an episode before it starts.

    Attributes:
        goal: what is asked for, None where there is no task.
        scene: what is on the table.
        instruction: the goal in words.
        held_out: names of its things' shapes that the world holds out.
    """

    goal: Goal | None
    scene: SceneFacts
    instruction: str
    held_out: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class LeakReport:
    """What is held out and was found all the same, in how many episodes.

    Attributes:
        num_training: training episodes that were looked at.
        num_split: episodes of the split.
        leaked: found in training; must be empty.
        novel: found in the split.
    """

    num_training: int
    num_split: int
    leaked: Mapping[Finding, int]
    novel: Mapping[Finding, int]

    @property
    def ok(self) -> bool:
        """Whether training shows nothing that is held out."""
        return not self.leaked


def held_out_in(episode: Episode) -> frozenset[Finding]:
    """Everything in an episode that demonstrations must never show."""
    found: set[Finding] = {("instance", name) for name in episode.held_out}
    for thing in episode.scene.things:
        found |= _of_names(thing.category, thing.colour)
    goal = episode.goal
    if goal is not None:
        target = () if goal.target is None else (goal.target.category,)
        for thing in (goal.thing, *goal.then):
            found |= _of_names(thing.category, thing.colour, *target)
        if goal.target is not None:
            found |= _of_names(goal.target.category, goal.target.colour)
    words = (pattern.search(episode.instruction) for pattern in _held_out_words())
    return frozenset(found | {("word", match.group().lower()) for match in words if match})


def check_leaks(training: Iterable[Episode], split: Iterable[Episode]) -> LeakReport:
    """Looks for everything that is held out in training episodes and in those of a split."""
    counts: list[Counter[Finding]] = []
    nums: list[int] = []
    for episodes in (training, split):
        found = [held_out_in(episode) for episode in episodes]
        counts.append(Counter(finding for findings in found for finding in findings))
        nums.append(len(found))
    leaked, novel = (dict(sorted(count.items())) for count in counts)
    return LeakReport(num_training=nums[0], num_split=nums[1], leaked=leaked, novel=novel)


def _of_names(*names: str) -> set[Finding]:
    """Held-out words, and held-out cells of two of them; names outside the lexicon are labels."""
    found: set[Finding] = {("cell", f"{a} x {b}") for a, b in HELD_OUT_PAIRS & _pairs(names)}
    for name in names:
        if name in LEXICON and not LEXICON[name].in_action_data:
            kind = "colour" if LEXICON[name].kind == "colour" else "category"
            found.add((kind, name))
    return found


def _pairs(names: Sequence[str]) -> set[tuple[str, str]]:
    return {(a, b) for a in names for b in names}


@lru_cache(maxsize=1)
def _held_out_words() -> tuple[re.Pattern[str], ...]:
    """The names of what is held out: English and pinyin as whole words, Chinese anywhere."""
    patterns: list[re.Pattern[str]] = []
    for entry in LEXICON.values():
        if not entry.in_action_data:
            latin = {entry.english, romanise(entry.chinese)}
            patterns += [re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE) for name in latin]
            patterns.append(re.compile(re.escape(entry.chinese)))
    return tuple(patterns)
