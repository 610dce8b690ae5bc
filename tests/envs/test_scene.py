"""Scenes from facts, the slots behind them, and layouts."""

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import uamsim_envs  # noqa: F401 - registers the ids
from uamsim.contract import SceneFacts, SceneThing
from uamsim.errors import SceneError, UnknownNameError
from uamsim.lexicon import LEXICON, entries
from uamsim_envs import labels
from uamsim_envs.aloha.scene import AlohaSceneEnv, draw_facts, thing_radius
from uamsim_envs.layout import lay_out
from uamsim_envs.objects import CATEGORIES


@pytest.fixture(scope="module")
def env() -> AlohaSceneEnv:
    made = gym.make("uamsim/AlohaScene-v0", image_size=(64, 96), cameras=("primary",)).unwrapped
    assert isinstance(made, AlohaSceneEnv)
    return made


def _picture(env: AlohaSceneEnv, *things: SceneThing) -> np.ndarray:
    observation, _ = env.reset(options={"facts": SceneFacts(things=things)})
    return observation["pixels"]["primary"].astype(int)


def test_every_category_of_the_lexicon_can_be_shown() -> None:
    kinds = ("object", "button", "target")
    assert set(CATEGORIES) == {e.name for kind in kinds for e in entries(kind)}


def test_facts_round_trip_and_render_again(env: AlohaSceneEnv) -> None:
    for seed in range(12):
        observation, info = env.reset(seed=seed)
        facts = info["scene"]
        again, info_again = env.reset(options={"facts": facts.to_json()})
        assert info_again["scene"] == facts
        np.testing.assert_array_equal(observation["pixels"]["primary"], again["pixels"]["primary"])


@pytest.mark.parametrize("category", list(CATEGORIES))
def test_things_are_seen_where_the_facts_say_in_their_colour(
    env: AlohaSceneEnv, category: str
) -> None:
    empty = _picture(env)
    for colour in entries("colour"):
        thing = SceneThing(category=category, colour=colour.name, pos_world=(-0.15, 0.0, 0.0))
        picture = _picture(env, thing)
        rows, columns = np.nonzero(np.abs(picture - empty).sum(axis=-1) > 30)
        assert len(rows) > 20
        assert columns.min() > 8
        assert columns.max() < 44
        pixels = picture[rows, columns].astype(float)
        brightest = pixels[pixels.sum(axis=1) >= np.quantile(pixels.sum(axis=1), 0.5)]
        assert colour.rgb is not None
        wanted = np.array(colour.rgb) / np.linalg.norm(colour.rgb)
        cosine = brightest @ wanted / np.linalg.norm(brightest, axis=1)
        assert (cosine > 0.97).mean() > 0.3


def test_categories_differ_to_the_eye(env: AlohaSceneEnv) -> None:
    pictures = {
        name: _picture(env, SceneThing(category=name, colour="red", pos_world=(0.0, 0.0, 0.0)))
        for name in CATEGORIES
    }
    for a in pictures:
        for b in pictures:
            if a < b:
                differing = np.abs(pictures[a] - pictures[b]).sum(axis=-1) > 60
                assert differing.sum() >= 8, (a, b)


def test_glyphs_differ_to_the_eye(env: AlohaSceneEnv) -> None:
    pictures = {
        glyph: _picture(
            env,
            SceneThing(category="label", colour="white", pos_world=(0.0, 0.0, 0.0), text=glyph),
        )
        for glyph in labels.ALPHABET
    }
    for a in pictures:
        for b in pictures:
            if a < b:
                differing = np.abs(pictures[a] - pictures[b]).sum(axis=-1) > 200
                assert differing.sum() >= 5, (a, b)


def test_hands_are_where_the_facts_say(env: AlohaSceneEnv) -> None:
    facts = SceneFacts(things=(), gripper_pos_world=((-0.1, 0.05, 0.1), None))
    env.reset(options={"facts": facts})
    np.testing.assert_allclose(env.world.tcp(0), (-0.1, 0.05, 0.1), atol=1e-6)


def test_errors_of_facts(env: AlohaSceneEnv) -> None:
    def thing(category: str, colour: str = "red", text: str = "") -> SceneThing:
        return SceneThing(category=category, colour=colour, pos_world=(0, 0, 0), text=text)

    with pytest.raises(SceneError, match="cannot show a 'teapot'"):
        _picture(env, thing("teapot"))
    with pytest.raises(UnknownNameError, match="blueish"):
        _picture(env, thing("cube", "blueish"))
    with pytest.raises(SceneError, match="label shows 1 to 2"):
        _picture(env, thing("label", text="ABC"))
    with pytest.raises(SceneError, match="up to 8 things"):
        _picture(env, *[thing("cube")] * 9)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_random_facts_keep_apart(seed: int) -> None:
    facts = draw_facts(np.random.default_rng(seed))
    assert 1 <= len(facts.things) <= 5
    assert len({(t.category, t.colour, t.text) for t in facts.things}) == len(facts.things)
    for i, a in enumerate(facts.things):
        assert a.category == "label" or a.category in LEXICON
        for b in facts.things[:i]:
            distance = np.hypot(*(np.array(a.pos_world) - b.pos_world)[:2])
            assert distance > thing_radius(a.category) + thing_radius(b.category)


def test_a_full_table_is_an_error_not_a_loop() -> None:
    region = (-0.1, 0.1, -0.1, 0.1)
    with pytest.raises(SceneError, match="no room for 50 things"):
        lay_out(np.random.default_rng(0), [[region]] * 50, [0.05] * 50, gap=0.01)


def test_hovering_hands_hide_nothing(env: AlohaSceneEnv) -> None:
    hovering = 0
    for seed in range(60):
        facts = draw_facts(np.random.default_rng(seed))
        hovering += facts.gripper_pos_world != (None, None)
        for thing in facts.things:
            others = tuple(t for t in facts.things if t is not thing)
            hands = facts.gripper_pos_world
            pictures = [
                env.reset(options={"facts": SceneFacts(things=t, gripper_pos_world=hands)})[0]
                for t in (facts.things, others)
            ]
            a, b = (p["pixels"]["primary"].astype(int) for p in pictures)
            assert (np.abs(a - b).sum(axis=-1) > 30).sum() > 15, (seed, thing)
    assert hovering > 5
