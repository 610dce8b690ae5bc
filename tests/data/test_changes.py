import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uamsim.contract import SceneFacts, SceneThing
from uamsim.data.changes import draw_change, reach_goals
from uamsim.data.config import SceneChangeConfig
from uamsim.data.goal_choices import MIN_GOALS, draw_goal_choices
from uamsim.data.questions import single_things
from uamsim.errors import DatasetError
from uamsim.lexicon import LEXICON

THINGS = (
    ("ball", "red", (-0.15, -0.05)),
    ("bowl", "blue", (0.12, 0.06)),
    ("round_button", "green", (0.02, -0.08)),
    ("cube", "yellow", (-0.05, 0.1)),
)
SCENE = SceneFacts(
    things=tuple(SceneThing(category=c, colour=k, pos_world=(*p, 0.0)) for c, k, p in THINGS)
)


def changes(facts, count):
    found = (draw_change(facts, np.random.default_rng(seed)) for seed in range(count))
    return [change for change in found if change is not None]


@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=200)
def test_every_change_changes_a_scene_and_moves_one_thing_at_most(make_facts, seed):
    change = draw_change(make_facts(seed), np.random.default_rng(seed))
    if change is None:
        return
    assert change.instruction
    assert change.after != change.before
    gone = [thing for thing in change.before.things if thing not in change.after.things]
    assert len(gone) <= 1
    for facts in (change.before, change.after):
        hands = [hand for hand in facts.gripper_pos_world if hand is not None]
        assert all(0.03 < z < 0.25 and abs(x) < 0.4 for x, _, z in hands)


def test_a_hand_that_puts_goes_through_all_that_comes_next():
    words = ("put the red ball into the blue bowl", "place the red ball into the blue bowl")
    puts = [c for c in changes(SCENE, 3000) if c.instruction in words]
    assert len(puts) > 20
    held = [c for c in puts if c.before.things[0].pos_world[2] > 0.08]
    taken = [c for c in puts if c not in held]
    assert 0.2 < len(held) / len(puts) < 0.6
    assert all(c.after.things[0].pos_world[:2] == (0.12, 0.06) for c in held), "put down"
    assert all(c.after.things[0].pos_world[2] < 0.03 for c in held)
    assert {c.after.gripper_opening[0] for c in held} == {0.9}
    way = [(c.after.things[0].pos_world[0] + 0.15) / 0.27 for c in taken]
    assert all(c.after.things[0].pos_world[2] > 0.08 for c in taken), "in the air"
    assert min(way) < 0.05
    assert 0.2 < max(way) <= 0.5
    assert np.median(way) < 0.2, "hands lift first"
    before = {c.before.gripper_pos_world[0] is None for c in taken}
    assert before == {True, False}, "from rest and from anywhere"


def test_changes_are_told_in_every_tongue_and_about_every_kind_of_thing():
    said = [change.instruction for change in changes(SCENE, 2000)]
    ascii_share = np.mean([text.isascii() for text in said])
    assert 0.4 < ascii_share < 0.95
    assert any("ba hong se qiu" in text for text in said)
    assert any("把红色球" in text for text in said)
    assert any("红色" in text and "the" in text for text in said)
    for name in ("red ball", "blue bowl", "green round button", "yellow cube"):
        assert any(name in text for text in said)


@pytest.mark.parametrize("tongue", ["english", "chinese", "pinyin"])
def test_goals_bring_the_near_hand_over_each_thing(tongue):
    goals = reach_goals(SCENE, np.random.default_rng(0), tongue)
    assert [thing for thing, _ in goals] == single_things(SCENE)
    for thing, change in goals:
        arm = 0 if thing.pos_world[0] < 0 else 1
        hand = change.after.gripper_pos_world[arm]
        assert hand is not None
        assert hand[:2] == thing.pos_world[:2]
        assert change.after.gripper_pos_world[1 - arm] is None
        if tongue == "chinese":
            assert LEXICON[thing.category].chinese in change.instruction


def test_goal_choices_have_a_picture_a_goal(scene_id, monkeypatch):
    config = SceneChangeConfig(env_id=scene_id, image_size=(16, 24))
    choices = draw_goal_choices(config, 3, 5, ("english", "pinyin"))
    assert len(choices) == 3
    for choice in choices:
        count = len(choice.things)
        assert count >= MIN_GOALS
        assert choice.goals.shape == (count, 16, 24, 3)
        assert [len(choice.instructions[t]) for t in ("english", "pinyin")] == [count] * 2
        assert len(set(choice.instructions["english"])) == count
    monkeypatch.setattr("uamsim.data.goal_choices.MIN_GOALS", 99)
    with pytest.raises(DatasetError, match="0 scenes with 99 goals"):
        draw_goal_choices(config, 1, 5)
