"""Things named through the scene: what each reference means, and which ones fit a thing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from uamsim.contract import SceneFacts, SceneThing, Thing
from uamsim.errors import ConfigError
from uamsim.lexicon import LEXICON
from uamsim.perturbations.language.vocabulary import GENERIC, ORDINALS
from uamsim.perturbations.language.wording import ReferenceKind

MARGIN = 0.02
"""m by which a thing or an anchor may be elsewhere without a change of what is meant."""

_ANCHORED = {
    "left_of": (0, -1),
    "right_of": (0, 1),
    "in_front_of": (1, -1),
    "behind": (1, 1),
}
"""Relation -> axis of the world (x to the right, y away from the viewer), and its sign."""
_EXTREME = {"leftmost": (0, 1), "rightmost": (0, -1), "frontmost": (1, 1), "rearmost": (1, -1)}
_COUNTED = {"from_left": 1, "from_right": -1}


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a reference says of a thing.

    Attributes:
        relation: key of ``vocabulary.REFERENCES``.
        noun: a category of the lexicon, or a key of ``vocabulary.GENERIC``.
        anchors: the other things that it names.
        rank: from 1, for "from_left" and "from_right".
        colour: that the thing has ("not_category") or has not ("not_colour").
        category: that the thing has not, for "not_category".
    """

    relation: str
    noun: str
    anchors: tuple[Thing, ...] = ()
    rank: int = 0
    colour: str = ""
    category: str = ""


def _name(thing: SceneThing) -> Thing:
    return Thing(category=thing.category, colour=thing.colour)


def _is_a(thing: SceneThing, noun: str) -> bool:
    if noun == "thing":
        return True
    kind = LEXICON[thing.category].kind
    if noun == "object":
        return kind in ("object", "item")
    return noun in (kind, thing.category)


def referents(description: Description, scene: SceneFacts) -> list[Thing]:
    """The things of a scene that a description fits; one, where it is unambiguous."""
    visible = [t for t in scene.things if t.category in LEXICON]
    members = [t for t in visible if _is_a(t, description.noun)]
    anchors = [[t for t in visible if _name(t) == a] for a in description.anchors]
    if any(len(found) != 1 for found in anchors):
        return []
    return [_name(t) for t in _fitting(description, members, [found[0] for found in anchors])]


def _fitting(
    description: Description, members: list[SceneThing], anchors: list[SceneThing]
) -> list[SceneThing]:
    relation = description.relation
    if relation in _EXTREME:
        axis, sign = _EXTREME[relation]
        return sorted(members, key=lambda t: sign * t.pos_world[axis])[:1]
    if relation in _COUNTED:
        ordered = sorted(members, key=lambda t: _COUNTED[relation] * t.pos_world[0])
        return ordered[description.rank - 1 : description.rank]
    if relation == "between":
        low, high = sorted(a.pos_world[0] for a in anchors)
        return [t for t in members if low < t.pos_world[0] < high]
    tests: Mapping[str, Callable[[SceneThing], bool]] = {
        "not_colour": lambda t: t.colour != description.colour,
        "not_category": lambda t: (
            t.colour == description.colour and t.category != description.category
        ),
        "not_these": lambda t: t not in anchors,
    }
    if relation in tests:
        return [t for t in members if tests[relation](t)]
    axis, sign = _ANCHORED[relation]
    line = anchors[0].pos_world[axis]
    return [t for t in members if t not in anchors and sign * (t.pos_world[axis] - line) > 0]


def describe(thing: Thing, scene: SceneFacts, kind: ReferenceKind) -> list[Description]:
    """Descriptions of a kind that fit one thing of a scene alone, in a fixed order.

    They use the narrowest noun that fits two things or more. Where there are some that would
    still hold with things ``MARGIN`` away, only those; none that lists all other things where
    there is a shorter one.

    Raises:
        ConfigError: the scene does not have just one thing of that name, or no description.
    """
    named = [t for t in scene.things if _name(t) == thing]
    if len(named) != 1:
        raise ConfigError(
            f"a Reference to the {thing.colour} {thing.category} needs a scene with just one, "
            f"this one has {len(named)}. Leave Reference out for such a task."
        )
    for noun in (thing.category, *GENERIC):
        members = [t for t in scene.things if t.category in LEXICON and _is_a(t, noun)]
        if named[0] not in members or len(members) < 2:
            continue
        candidates = _candidates(named[0], members, scene, noun, kind)
        fitting = [d for d in candidates if referents(d, scene) == [thing]]
        clear = [d for d in fitting if _is_clear(d, named[0], scene)]
        short = [d for d in clear or fitting if d.relation != "not_these"]
        if fitting:
            return short or clear or fitting
    raise ConfigError(
        f"nothing of the kind {kind!r} tells the {thing.colour} {thing.category} from the "
        f"{len(scene.things) - 1} other things of the scene; choose another kind of Reference."
    )


def _candidates(
    thing: SceneThing, members: list[SceneThing], scene: SceneFacts, noun: str, kind: ReferenceKind
) -> Iterator[Description]:
    others = tuple(_name(t) for t in members if t is not thing)
    if kind == "ordinal":
        for relation in _COUNTED:
            for rank in range(1, min(len(members), len(ORDINALS["english"])) + 1):
                yield Description(relation=relation, noun=noun, rank=rank)
        return
    if kind == "negation":
        short = [
            *(Description(relation="not_colour", noun=noun, colour=o.colour) for o in others),
            *(
                Description(
                    relation="not_category", noun=noun, colour=thing.colour, category=o.category
                )
                for o in others
                if noun in GENERIC
            ),
        ]
        yield from dict.fromkeys(short)
        yield Description(relation="not_these", noun=noun, anchors=others)
        return
    for relation in _EXTREME:
        yield Description(relation=relation, noun=noun)
    names = [_name(t) for t in scene.things]
    anchors = [
        _name(t)
        for t in scene.things
        if t is not thing and t.category in LEXICON and names.count(_name(t)) == 1
    ]
    for relation in _ANCHORED:
        for anchor in anchors:
            yield Description(relation=relation, noun=noun, anchors=(anchor,))
    for i, first in enumerate(anchors):
        for second in anchors[i + 1 :]:
            yield Description(relation="between", noun=noun, anchors=(first, second))


def _is_clear(description: Description, thing: SceneThing, scene: SceneFacts) -> bool:
    """Whether it fits the thing alone wherever the thing or one anchor lies within ``MARGIN``."""
    for moved in scene.things:
        if moved is not thing and _name(moved) not in description.anchors:
            continue
        x, y, z = moved.pos_world
        for dx, dy in ((MARGIN, 0.0), (-MARGIN, 0.0), (0.0, MARGIN), (0.0, -MARGIN)):
            shifted = replace(moved, pos_world=(x + dx, y + dy, z))
            other = SceneFacts(things=tuple(shifted if t is moved else t for t in scene.things))
            if referents(description, other) != [_name(thing)]:
                return False
    return True
