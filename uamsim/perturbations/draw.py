"""What every world's draw of an episode's things shares."""

from collections.abc import Sequence

from uamsim.contract import Goal, Thing
from uamsim.lexicon import LEXICON
from uamsim.perturbations.axes.objects import NovelObject
from uamsim.perturbations.distance import (
    ShapedThing,
    T,
    distance,
    distance_to_training,
    fifth_of,
    within,
)
from uamsim.perturbations.values import Composition, Parameters, stream


def drawn_objects(
    composition: Composition,
    seed: int,
    goal: Goal,
    named: Thing,
    distractors: Sequence[Thing],
    shown: Sequence[Thing],
) -> dict[str, Parameters]:
    """What an episode drew for each active perturbation of the objects, as JSON values.

    Args:
        composition: the episode's perturbations.
        seed: of the streams of those that draw parameters of their own.
        goal: what is asked for.
        named: the goal's thing, with its instance where the world has instances.
        distractors: the things that were added.
        shown: what demonstrations may show.
    """
    active = composition.active("objects")
    drawn = {type(p).__name__: p.draw(stream(seed, p)) for p in active}
    thing, target = goal.thing, goal.target
    if "NovelObject" in drawn:
        drawn["NovelObject"] = {
            "category": thing.category,
            "colour": thing.colour,
            "distance": distance_to_training(named, shown),
        }
    if "NovelInstance" in drawn and isinstance(named, ShapedThing):
        drawn["NovelInstance"] = {"instance": named.instance}
    if "NovelTarget" in drawn and target is not None:
        drawn["NovelTarget"] = {"category": target.category, "colour": target.colour}
    if "NovelPair" in drawn:
        first = thing.colour if target is None else thing.category
        second = thing.category if target is None else target.category
        drawn["NovelPair"] = {"pair": [first, second]}
    if "Distractors" in drawn:
        drawn["Distractors"] = {
            "things": [
                {
                    "category": t.category,
                    "colour": t.colour,
                    "distance": distance(t, named).mean,
                }
                for t in distractors
            ]
        }
    return drawn


def narrowed(things: Sequence[T], novel: NovelObject, shown: Sequence[Thing]) -> list[T]:
    """The held-out things that a ``NovelObject`` with a kind, a distance or a fifth draws from.

    Args:
        things: all held-out ones.
        novel: which of them are meant.
        shown: what demonstrations may show.

    Raises:
        ConfigError: none is so near or so far.
    """
    if novel.kind != "any":
        category = novel.kind == "category"
        things = [t for t in things if LEXICON[t.category].in_action_data != category]
    if novel.distance is not None:
        return within(things, shown, novel.distance)
    return list(things) if novel.fifth is None else fifth_of(things, shown, novel.fifth)


def is_novel(thing: Thing) -> bool:
    """Whether just one word of it is held out, its category or its colour."""
    return LEXICON[thing.category].in_action_data != LEXICON[thing.colour].in_action_data
