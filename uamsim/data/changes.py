"""Changes of a scene put into words: hands that reach, touch, hold and carry, and plain edits.

They stand in for what a public generative model was trained on: pictures and videos of people who
do things, with no robot's actions, and edited pictures. Every thing that can be named changes, in
every tongue. ``scene_change`` renders them.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np

from uamsim.contract import SceneFacts, SceneThing
from uamsim.data.questions import (
    INSTRUCTIONS,
    REGION_X_M,
    TONGUES,
    WORDS,
    Draft,
    Tongue,
    names_of,
    put_into_words,
    single_things,
)
from uamsim.lexicon import LEXICON, placement_word

_TABLE_M = (0.23, 0.12)
"""Half extents that a moved thing stays in."""
_CLEARANCE_M = 0.095
_BESIDE_M = 0.1
_ON_TOP_M = 0.014
_HANDS_APART_M = 0.14
_HOVER_M, _TOUCH_M, _OPEN_M = (0.05, 0.1), (0.035, 0.05), (0.09, 0.12)
"""Heights of a hand over the table that points at a thing, touches it, and is open over it."""
_CARRY_M, _LET_GO_M = (0.12, 0.16), (0.045, 0.12)
"""The same of one that holds a thing in the air, and of one that has let it go."""
_WAY = 0.5
"""Share of the way to its place that a thing has come at most when it is seen next."""
_GRASP_M = 0.03
"""Height of an object's grasp above its base; all are about as tall."""
_HOLDING, _RELEASED = 0.65, 0.9
"""Openings of a gripper that holds an object, and of one that has let it go."""
_MIDWAY_SHARE = 0.4
"""Of the changes by a hand, those that begin with it somewhere in the air."""
_ATTEMPTS = 60
_REGIONS = {"left": -0.17, "middle": 0.0, "right": 0.17}

Templates = tuple[tuple[str, ...], tuple[str, ...]]
_WORDS: Mapping[str, Templates] = {
    "reach": (("reach for the {thing}", "go to the {thing}"), ("伸向{thing}", "去{thing}那里")),
    "reach_left": (("move the left hand over the {thing}",), ("把左手移到{thing}上方",)),
    "reach_right": (("move the right hand over the {thing}",), ("把右手移到{thing}上方",)),
    "touch": (("touch the {thing}", "tap the {thing}"), ("碰一下{thing}", "触摸{thing}")),
    "open": (("get ready to grasp the {thing}",), ("准备抓{thing}",)),
    "hold": (("pick up the {thing}", "lift the {thing}"), ("拿起{thing}", "把{thing}拿起来")),
    "carry": (("carry the {thing} to the {target}",), ("把{thing}拿到{target}那里",)),
    "go_back": (("take the hands away",), ("把手收回去",)),
    "left": (("move the {thing} to the left of the {target}",), ("把{thing}移到{target}左边",)),
    "right": (("move the {thing} to the right of the {target}",), ("把{thing}移到{target}右边",)),
    "region": (("move the {thing} to the {region}",), ("把{thing}移到{region}",)),
    "lies": (("now the {thing} is {on} the {target}",), ("现在{thing}在{target}{on}",)),
    "remove": (("remove the {thing}", "the {thing} is gone"), ("去掉{thing}", "{thing}没有了")),
    **INSTRUCTIONS,
}
"""Ways to say each change, in English and in Chinese."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SceneChange:
    """A change in words, and the scenes before and after it."""

    instruction: str
    before: SceneFacts
    after: SceneFacts


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Draw:
    """What a kind of change is made of.

    Attributes:
        facts: the scene.
        thing: that is touched or changed.
        other: a second thing; it may be the same one.
        tongue: of the words.
        rng: draws heights, places and the wording.
    """

    facts: SceneFacts
    thing: SceneThing
    other: SceneThing
    tongue: Tongue
    rng: np.random.Generator

    @property
    def arm(self) -> int:
        """The arm on the thing's side: 0 left, 1 right."""
        return 0 if self.thing.pos_world[0] < 0 else 1

    def over(self, thing: SceneThing, heights: tuple[float, float]) -> tuple[float, float, float]:
        """A place above a thing's base (m)."""
        x, y, z = thing.pos_world
        return x, y, z + float(self.rng.uniform(*heights))

    def said(
        self, words: str, after: SceneFacts, *, before: SceneFacts | None = None, region: str = ""
    ) -> SceneChange | None:
        """The change in words; None where this tongue has none."""
        target = self.other.category
        english, chinese = (
            tuple(
                text.replace("{on}", placement_word(target, tongue)).replace("{region}", place)
                for text in texts
            )
            for texts, tongue, place in zip(
                _WORDS[words], ("english", "chinese"), (region, WORDS.get(region, "")), strict=True
            )
        )
        slots = {"thing": names_of(self.thing), "target": names_of(self.other)}
        slots = {slot: names for slot, names in slots.items() if f"{{{slot}}}" in english[0]}
        draft = Draft(kind=words, answer="", slots=slots, templates=(english, chinese))
        said = put_into_words(draft, self.tongue, self.rng)
        if said is None:
            return None
        return SceneChange(instruction=said[0], before=before or self.facts, after=after)


def draw_change(facts: SceneFacts, rng: np.random.Generator) -> SceneChange | None:
    """A change that the scene allows, half of the time in English.

    Only things that colour and category tell from all others are named. None where no attempt
    finds a change.
    """
    single = single_things(facts)
    for _ in range(_ATTEMPTS):
        kind = _KINDS[int(rng.choice(len(_KINDS), p=_SHARES))]
        things = [t for t in single if LEXICON[t.category].kind in kind.things]
        others = [t for t in single if LEXICON[t.category].kind in kind.others]
        if not things or not others:
            continue
        draw = _Draw(
            facts=facts,
            thing=things[int(rng.integers(len(things)))],
            other=others[int(rng.integers(len(others)))],
            tongue="english" if rng.random() < 0.5 else TONGUES[int(rng.integers(len(TONGUES)))],
            rng=rng,
        )
        change = kind.make(draw)
        if change is not None:
            return change
    return None


def reach_goals(
    facts: SceneFacts, rng: np.random.Generator, tongue: Tongue = "english"
) -> list[tuple[SceneThing, SceneChange]]:
    """Each thing that can be named with the change that brings a hand over it."""
    goals = []
    for thing in single_things(facts):
        draw = _Draw(facts=facts, thing=thing, other=thing, tongue=tongue, rng=rng)
        change = _reach(draw)
        if change is not None:
            goals.append((thing, change))
    return goals


def _moved(facts: SceneFacts, thing: SceneThing, place: tuple[float, float, float]) -> SceneFacts:
    new = dataclasses.replace(thing, pos_world=place)
    things = tuple(new if item is thing else item for item in facts.things)
    return dataclasses.replace(facts, things=things)


def _is_free(facts: SceneFacts, x: float, y: float, *, without: SceneThing) -> bool:
    if abs(x) > _TABLE_M[0] or abs(y) > _TABLE_M[1]:
        return False
    return all(
        math.hypot(x - t.pos_world[0], y - t.pos_world[1]) >= _CLEARANCE_M
        for t in facts.things
        if t is not without
    )


def _with_hand(
    facts: SceneFacts, arm: int, place: tuple[float, float, float], opening: float = 0.0
) -> SceneFacts | None:
    """One hand brought to a place (m); None where the other is in its way."""
    other = facts.gripper_pos_world[1 - arm]
    if other is not None and math.hypot(other[0] - place[0], other[1] - place[1]) < _HANDS_APART_M:
        return None
    hands, openings = list(facts.gripper_pos_world), list(facts.gripper_opening)
    hands[arm], openings[arm] = place, opening
    return dataclasses.replace(
        facts, gripper_pos_world=(hands[0], hands[1]), gripper_opening=(openings[0], openings[1])
    )


def _holding(draw: _Draw, way: float) -> SceneFacts | None:
    """The thing in the hand on its side, in the air, a share of the way to the other thing."""
    (x, y, z), (to_x, to_y, _) = draw.over(draw.thing, _CARRY_M), draw.other.pos_world
    x, y = x + way * (to_x - x), y + way * (to_y - y)
    facts = _moved(draw.facts, draw.thing, (x, y, z - _GRASP_M))
    return _with_hand(facts, draw.arm, (x, y, z), _HOLDING)


def _start(draw: _Draw, opening: float = 0.0) -> SceneFacts | None:
    """The scene as it is, or with the hand that will act midway, somewhere on its side."""
    if draw.rng.random() >= _MIDWAY_SHARE:
        return draw.facts
    x = float(draw.rng.uniform(0.03, 0.24)) * (-1 if draw.arm == 0 else 1)
    y, z = float(draw.rng.uniform(-0.1, 0.1)), float(draw.rng.uniform(0.06, 0.2))
    return _with_hand(draw.facts, draw.arm, (x, y, z), opening)


def _by_hand(
    draw: _Draw, words: str, heights: tuple[float, float], opening: float = 0.0
) -> SceneChange | None:
    before = _start(draw, opening)
    if before is None:
        return None
    after = _with_hand(before, draw.arm, draw.over(draw.thing, heights), opening)
    return None if after is None else draw.said(words, after, before=before)


def _reach(draw: _Draw) -> SceneChange | None:
    words = ("reach", ("reach_left", "reach_right")[draw.arm])[int(draw.rng.integers(2))]
    after = _with_hand(draw.facts, draw.arm, draw.over(draw.thing, _HOVER_M))
    return None if after is None else draw.said(words, after)


def _reach_midway(draw: _Draw) -> SceneChange | None:
    return _by_hand(draw, "reach", _HOVER_M)


def _touch(draw: _Draw) -> SceneChange | None:
    is_button = LEXICON[draw.thing.category].kind == "button"
    words = "press_button" if is_button and draw.rng.random() < 0.7 else "touch"
    return _by_hand(draw, words, _TOUCH_M)


def _open(draw: _Draw) -> SceneChange | None:
    return _by_hand(draw, "open", _OPEN_M, 1.0)


def _hold(draw: _Draw) -> SceneChange | None:
    before, after = _start(draw, 1.0), _holding(draw, 0.0)
    if before is None or after is None:
        return None
    return draw.said("hold", after, before=before)


def _carry(draw: _Draw) -> SceneChange | None:
    before = _holding(draw, 0.0) if draw.rng.random() < 0.5 else _start(draw, 1.0)
    after = _holding(draw, 1.0)
    if before is None or after is None:
        return None
    return draw.said("carry", after, before=before)


def _put(draw: _Draw) -> SceneChange | None:
    """What comes next when a hand puts a thing on a target, from anywhere on the way.

    With nothing in the hand it holds the thing next, in the air and sometimes part of the way;
    with the thing in the air it has let it go on the target.
    """
    stage = int(draw.rng.choice(4, p=(0.6, 0.05, 0.28, 0.07)))
    scenes = (
        _start(draw, 1.0),
        _with_hand(draw.facts, draw.arm, draw.over(draw.thing, _OPEN_M), 1.0),
        _holding(draw, float(draw.rng.uniform(0.0, _WAY))),
        _holding(draw, 1.0),
    )
    x, y, z = draw.other.pos_world
    lying = _moved(draw.facts, draw.thing, (x, y, z + _ON_TOP_M))
    # A hand lifts before it carries, so little of the way is likelier than much.
    taken = _holding(draw, _WAY * draw.rng.random() ** 2)
    let_go = _with_hand(lying, draw.arm, draw.over(draw.other, _LET_GO_M), _RELEASED)
    before, after = scenes[stage], taken if stage < 2 else let_go
    if before is None or after is None:
        return None
    return draw.said("pick_place", after, before=before)


def _go_back(draw: _Draw) -> SceneChange | None:
    before = _with_hand(draw.facts, draw.arm, draw.over(draw.thing, _HOVER_M))
    if before is None:
        return None
    after = dataclasses.replace(before, gripper_pos_world=(None, None), gripper_opening=(0.0, 0.0))
    return draw.said("go_back", after, before=before)


def _beside(draw: _Draw) -> SceneChange | None:
    if draw.thing is draw.other:
        return None
    side = ("left", "right")[int(draw.rng.integers(2))]
    x, y, _ = draw.other.pos_world
    x += -_BESIDE_M if side == "left" else _BESIDE_M
    if not _is_free(draw.facts, x, y, without=draw.thing):
        return None
    return draw.said(side, _moved(draw.facts, draw.thing, (x, y, draw.thing.pos_world[2])))


def _to_region(draw: _Draw) -> SceneChange | None:
    column = tuple(_REGIONS)[int(draw.rng.integers(len(_REGIONS)))]
    row = ("near", "far")[int(draw.rng.integers(2))]
    x = _REGIONS[column] + float(draw.rng.uniform(-0.03, 0.03))
    y = (-0.065 if row == "near" else 0.065) + float(draw.rng.uniform(-0.03, 0.03))
    old_x, old_y, z = draw.thing.pos_world
    stays = abs(x - old_x) < REGION_X_M and abs(y - old_y) < 0.05
    if stays or not _is_free(draw.facts, x, y, without=draw.thing):
        return None
    return draw.said("region", _moved(draw.facts, draw.thing, (x, y, z)), region=f"{column} {row}")


def _lies(draw: _Draw) -> SceneChange | None:
    x, y, z = draw.other.pos_world
    return draw.said("lies", _moved(draw.facts, draw.thing, (x, y, z + _ON_TOP_M)))


def _remove(draw: _Draw) -> SceneChange | None:
    left = tuple(item for item in draw.facts.things if item is not draw.thing)
    return draw.said("remove", dataclasses.replace(draw.facts, things=left))


_ANY = ("object", "button", "target")


@dataclasses.dataclass(frozen=True)
class _Kind:
    """A kind of change, how often it is tried, and the kinds of thing that it is about."""

    make: Callable[[_Draw], SceneChange | None]
    share: float
    things: tuple[str, ...] = _ANY
    others: tuple[str, ...] = _ANY


_KINDS = (
    _Kind(_reach, 0.10),
    _Kind(_reach_midway, 0.06),
    _Kind(_touch, 0.05),
    _Kind(_touch, 0.09, ("button",)),
    _Kind(_open, 0.04, ("object",)),
    _Kind(_hold, 0.10, ("object",)),
    _Kind(_carry, 0.12, ("object",), ("target",)),
    _Kind(_put, 0.70, ("object",), ("target",)),
    _Kind(_go_back, 0.02),
    _Kind(_beside, 0.04),
    _Kind(_to_region, 0.03),
    _Kind(_lies, 0.04, ("object",), ("target",)),
    _Kind(_remove, 0.03),
)
_SHARES = [kind.share / sum(kind.share for kind in _KINDS) for kind in _KINDS]
