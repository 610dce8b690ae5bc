"""Scenes without a task: any things, cards with text and gripper positions, to be looked at."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from uamsim.contract import SceneFacts, SceneThing
from uamsim.errors import SceneError
from uamsim.lexicon import entries
from uamsim_envs import labels
from uamsim_envs.aloha import kinematics
from uamsim_envs.aloha.env import AlohaEnv
from uamsim_envs.aloha.slots import SlotGroup
from uamsim_envs.aloha.world import REST_POS
from uamsim_envs.layout import lay_out
from uamsim_envs.objects import CATEGORIES

MAX_THINGS = 8
MAX_LABELS = 2
MAX_RANDOM_THINGS = 5
KINDS: tuple[str, ...] = ("object", "button", "target")
_LABEL_CHANCE = 0.4
_HOVER_CHANCE = 0.3
_HOVER_TRIES = 20
_HAND_HALF_WIDTH = 0.045
_ARM_SHADOW = 0.16
"""m; how far behind a hand the first part of the table lies that its forearm can hide."""
_REGION = (-0.24, 0.24, -0.12, 0.14)
_GAP = 0.008


def draw_facts(rng: np.random.Generator) -> SceneFacts:
    """Random facts over the whole lexicon: 2 to 5 things, sometimes a card, sometimes a hand.

    No two things are of the same category and colour.
    """
    colours = [e.name for e in entries("colour")]
    kinds = [[e.name for e in entries(kind)] for kind in ("object", "button", "target")]
    wanted = int(rng.integers(2, MAX_RANDOM_THINGS + 1))
    things: list[tuple[str, str, str]] = []
    if rng.random() < _LABEL_CHANCE:
        text = labels.ALPHABET[int(rng.integers(len(labels.ALPHABET)))]
        things.append(("label", colours[int(rng.integers(len(colours)))], text))
    while len(things) < wanted:
        names = kinds[int(rng.integers(len(kinds)))]
        thing = (
            names[int(rng.integers(len(names)))],
            colours[int(rng.integers(len(colours)))],
            "",
        )
        if thing not in things:
            things.append(thing)
    radii = [thing_radius(category) for category, _, _ in things]
    places = lay_out(rng, [[_REGION]] * len(things), radii, gap=_GAP)
    hands: list[tuple[float, float, float] | None] = [None, None]
    if rng.random() < _HOVER_CHANCE:
        arm = int(rng.integers(2))
        hands[arm] = _hover(rng, arm, np.column_stack([places, radii]))
    return SceneFacts(
        things=tuple(
            SceneThing(category=c, colour=k, pos_world=(float(x), float(y), 0.0), text=t)
            for (c, k, t), (x, y) in zip(things, places, strict=True)
        ),
        gripper_pos_world=(hands[0], hands[1]),
    )


def _hover(
    rng: np.random.Generator, arm: int, circles: np.ndarray
) -> tuple[float, float, float] | None:
    """A gripper position from which the arm hides no thing, or None where none was found."""
    for _ in range(_HOVER_TRIES):
        x = float(rng.uniform(0.05, 0.22)) * (-1 if arm == 0 else 1)
        y, z = float(rng.uniform(-0.1, 0.1)), float(rng.uniform(0.06, 0.16))
        # Seen from the front and above, a hand hides what lies behind it, and the arm, which
        # comes from its own side, what lies further behind.
        beside = np.abs(circles[:, 0] - x) > circles[:, 2] + _HAND_HALF_WIDTH
        before = circles[:, 1] + circles[:, 2] < y
        under_arm = (circles[:, 0] < x) if arm == 0 else (circles[:, 0] > x)
        far = circles[:, 1] + circles[:, 2] > y + _ARM_SHADOW
        if ((beside | before) & ~(under_arm & far)).all():
            return x, y, z
    return None


def thing_radius(category: str) -> float:
    """Radius (m) of the circle that a thing or a card covers on the table."""
    return labels.RADIUS if category == "label" else CATEGORIES[category].radius


class AlohaSceneEnv(AlohaEnv):
    """Renders given or random scene facts; actions move the arms, things stay where they are.

    ``reset(options={"facts": SceneFacts or its JSON object})`` shows these facts.
    """

    task = "scene"
    time_limit = 100
    carried = ()
    num_labels = MAX_LABELS

    def _slot_groups(self) -> tuple[SlotGroup, ...]:
        return (SlotGroup(prefix="thing", kind="static", count=MAX_THINGS, kinds=KINDS),)

    def _begin(self, rng: np.random.Generator, options: dict[str, Any]) -> None:
        facts = options.get("facts")
        if facts is None:
            facts = draw_facts(rng)
        elif isinstance(facts, Mapping):
            facts = SceneFacts.from_json(facts)
        self._show(facts)
        self._facts = facts

    def _show(self, facts: SceneFacts) -> None:
        world = self.world
        slots, cards = world.slots["thing"], world.labels
        things = [t for t in facts.things if t.category != "label"]
        texts = [t for t in facts.things if t.category == "label"]
        if len(things) > len(slots) or len(texts) > len(cards):
            raise SceneError(
                f"a scene shows up to {len(slots)} things and {len(cards)} labels, "
                f"not {len(things)} and {len(texts)}."
            )
        for slot in (*slots, *cards):
            slot.hide()
        for slot, thing in zip(slots, things, strict=False):
            slot.show(thing.category, thing.colour)
            world.place(slot, np.array(thing.pos_world))
        for card, thing in zip(cards, texts, strict=False):
            card.show(thing.text, thing.colour)
            world.place(card, np.array(thing.pos_world))
        joints = [
            kinematics.inverse(arm, np.array(REST_POS[arm] if pos is None else pos), np.zeros(3))
            for arm, pos in enumerate(facts.gripper_pos_world)
        ]
        world.set_arms(np.stack(joints), np.array(facts.gripper_opening))
