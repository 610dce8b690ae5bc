"""What perturbations change about RoboTwin's worlds, and what they leave as it is."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from uamsim.errors import ConfigError
from uamsim.perturbations.axes.objects import (
    MAX_DISTRACTORS,
    SMALLEST,
    Distractors,
    NovelObject,
    NovelSize,
)
from uamsim.perturbations.axes.physics import Friction, Mass
from uamsim.perturbations.axes.scene import (
    Background,
    CameraPose,
    FieldOfView,
    Lighting,
    TableHeight,
    TableTexture,
)
from uamsim.perturbations.axes.sensors import DroppedFrames, Latency
from uamsim.perturbations.language.wording import Chinese, Paraphrase
from uamsim.perturbations.values import LAYERS, Composition, Perturbation
from uamsim_envs.robotwin.env import RoboTwinEnv
from uamsim_envs.robotwin.language import GOALS
from uamsim_envs.robotwin.perturbing import (
    ANYWHERE,
    NAMED,
    SIZABLE,
    SceneDraw,
    carried,
    draw_scene,
)
from uamsim_envs.robotwin.registration import TASKS

sim = pytest.mark.sim("robotwin")
LOOKS = (TableTexture, Background, Lighting, CameraPose, FieldOfView)
TASK = "beat_block_hammer"


def drawn_with(*perturbations: Perturbation, seed: int = 0, task: str = TASK) -> SceneDraw:
    return draw_scene(Composition(*perturbations), seed, task=task)


@pytest.mark.parametrize("cls", [*ANYWHERE, *NAMED], ids=lambda c: c.__name__)
def test_severity_0_changes_nothing(cls: type[Perturbation]) -> None:
    assert drawn_with(cls.at(0)) == SceneDraw()


def test_what_is_carried_depends_on_what_is_known_of_a_task() -> None:
    for task in TASKS:
        can = set(carried(task))
        assert set(ANYWHERE) <= can
        assert ({NovelObject, Distractors, Chinese, Paraphrase} <= can) == (task in GOALS)
        assert (NovelSize in can) == (task in SIZABLE)
        lifted = task in GOALS and task not in ("dump_bin_bigbin", "scan_object")
        assert (TableHeight in can) == lifted
    assert set(GOALS) > SIZABLE
    assert {cls.layer for cls in carried(TASK)} == set(LAYERS)


def test_a_novel_thing_is_painted_in_a_colour_that_no_block_has() -> None:
    seen = set()
    for severity in range(1, 6):
        for seed in range(4):
            draw = drawn_with(NovelObject.at(severity), seed=seed, task="place_dual_shoes")
            assert draw.changes["thing"]["kept"] == ["left_shoe", "right_shoe"]
            seen.add((severity, draw.colour, draw.drawn["NovelObject"]["distance"]))
    # The farther by severity, one colour each.
    far = [distance for _, _, distance in sorted(seen)]
    assert far == sorted(far)
    assert {colour for _, colour, _ in seen} == {"yellow", "purple", "orange", "cyan"}
    with pytest.raises(ConfigError, match="kind='colour'"):
        drawn_with(NovelObject(kind="category"))


def test_sizes_leave_what_is_shown() -> None:
    factors = [drawn_with(NovelSize(severity=5), seed=s).changes["thing"] for s in range(20)]
    assert {round(thing["factor"], 3) for thing in factors} == {SMALLEST, 1.2}
    assert all(thing["kept"] == ["hammer"] for thing in factors)


@pytest.mark.parametrize("task", sorted(GOALS))
def test_distractors_are_of_no_kind_that_a_task_is_about(task: str) -> None:
    for severity in (1, MAX_DISTRACTORS):
        draw = drawn_with(Distractors.at(severity), task=task)
        assert len(draw.distractors) == len(draw.changes["distractors"]) == severity
        kinds = {thing.category for thing in draw.distractors}
        assert not kinds & {"cube", "can", "cup", "bowl", "garbage_can"}
        for built in draw.changes["distractors"]:
            solid = [p["vertices"] for p in built["parts"] if p["solid"]]
            shown = np.concatenate([p["vertices"] for p in built["parts"] if p["visible"]])
            assert solid
            assert np.linalg.norm(shown[:, :2], axis=1).max() <= 1.05 * built["radius"]
            assert -0.002 <= shown[:, 2].min() < 0.01


def test_what_one_axis_draws_does_not_depend_on_the_others() -> None:
    looks = [cls.at(3) for cls in LOOKS]
    alone = drawn_with(Distractors(count=2))
    together = drawn_with(*looks, NovelObject(), Mass(severity=2), Distractors(count=2))
    assert together.drawn["Distractors"] == alone.drawn["Distractors"]
    assert together.changes["seed"] == alone.changes["seed"]
    assert set(together.changes["surfaces"]) == {"table", "wall", "ground"}


@pytest.fixture(name="env", scope="module")
def _env() -> Iterator[RoboTwinEnv]:
    """Made once, and given other perturbations: a host takes seconds to start and to draw."""
    env = RoboTwinEnv(task=TASK, render_profile="raster-shadowless")
    yield env
    env.close()


def begun(env: RoboTwinEnv, *perturbations: Perturbation, seed: int = 1) -> tuple[Any, Any]:
    env.composition = Composition(*perturbations)
    return env.reset(seed=seed)


def pushed(env: RoboTwinEnv, count: int) -> np.ndarray:
    actions = np.tile(env.rest_action(), (count, 1))
    actions[:, [0, 7]] += np.linspace(0.05, 0.3, count, dtype=np.float32)[:, None]
    return actions


def others(env: RoboTwinEnv, known: np.ndarray) -> np.ndarray:
    """The poses of things that are not where these are."""
    poses = env.state()["things"]
    return np.array([pose for pose in poses if not (pose == known).all(axis=1).any()])


@sim
def test_looks_change_pictures_alone(env: RoboTwinEnv) -> None:
    plain = begun(env)[0]["pixels"]["head"]
    state, pictures = env.state(), [plain]
    for cls in (*LOOKS, NovelObject):
        pictures.append(begun(env, cls.at(5))[0]["pixels"]["head"])
        assert all(np.array_equal(v, env.state()[k]) for k, v in state.items()), cls
    for i, picture in enumerate(pictures):
        assert all(np.abs(picture.astype(int) - p).mean() > 0.3 for p in pictures[:i]), i
    # The episode after is as it was.
    assert np.array_equal(begun(env)[0]["pixels"]["head"], plain)


@sim
def test_late_and_dropped_pictures_are_those_of_earlier_steps(env: RoboTwinEnv) -> None:
    seen = [begun(env)[0]]
    actions = pushed(env, 5)
    seen += [env.step(action)[0] for action in actions]
    ended = env.state()
    assert not np.array_equal(seen[1]["pixels"]["left"], seen[5]["pixels"]["left"])
    begun(env, Latency(severity=2))
    late = env.step_chunk(actions)[0]
    for camera, picture in late["pixels"].items():
        assert np.array_equal(picture, seen[1]["pixels"][camera])
    assert np.array_equal(late["agent_pos"], seen[1]["agent_pos"])
    # Looking back disturbs nothing.
    begun(env, DroppedFrames(severity=3))
    for action in actions:
        frozen = env.step(action)[0]
        assert any(np.array_equal(frozen["pixels"]["left"], s["pixels"]["left"]) for s in seen)
    assert all(np.array_equal(v, env.state()[k]) for k, v in ended.items())


@sim
def test_distractors_stand_on_the_table_and_nothing_else_moves(env: RoboTwinEnv) -> None:
    begun(env)
    things = env.state()["things"]
    observation, info = begun(env, Distractors(count=5))
    added = others(env, things)
    assert len(added) == len(env.state()["things"]) - len(things)
    facts = info["scene"].things
    assert [t.category for t in facts[:2]] == ["hammer", "cube"]
    assert len(facts) == 2 + 5
    assert len(added) == 5
    env.step_chunk(pushed(env, 3))
    rested = others(env, added)
    assert all(np.abs(rested[:, :3] - a[:3]).max(axis=1).min() < 0.01 for a in added)
    places = np.array([t.pos_world[:2] for t in facts])
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(len(places))
    assert gaps.min() > 0.03
    assert observation["pixels"]["head"].std() > 5


@sim
def test_size_mass_and_table_height_are_those_drawn(env: RoboTwinEnv) -> None:
    _, info = begun(env)
    low = {t.category: t.pos_world[2] for t in info["scene"].things}
    _, info = begun(env, TableHeight(severity=5))
    raised = info["perturbations"]["TableHeight"]["height_m"]
    for thing in info["scene"].things:
        assert thing.pos_world[2] - low[thing.category] == pytest.approx(raised, abs=0.003)
    _, info = begun(env, NovelSize(severity=5), Mass(severity=5), Friction(severity=5))
    factor = info["perturbations"]["NovelSize"]["factor"]
    height = next(t.pos_world[2] for t in info["scene"].things if t.category == "hammer")
    # A hammer lies with its middle as high above the table as it is large.
    assert height - 0.741 == pytest.approx(factor * (low["hammer"] - 0.741), abs=0.003)


@sim
def test_words_are_for_what_the_episode_shows(env: RoboTwinEnv) -> None:
    _, info = begun(env, NovelObject(fifth=5))
    colour = info["perturbations"]["NovelObject"]["colour"]
    assert info["goal"].thing.colour == colour
    assert f"{colour} hammer" in info["instruction"]
    assert env.reads_back()
    _, info = begun(env, Chinese(), Paraphrase())
    assert "红色积木" in info["instruction"]
    assert env.reads_back()
    env._instruction = "hit the blue block with the hammer"
    assert not env.reads_back()
