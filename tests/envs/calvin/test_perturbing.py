"""What perturbations change about CALVIN's worlds, and what they leave as it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

from uamsim.contract import Thing
from uamsim.errors import ConfigError, MissingDependencyError
from uamsim.perturbations.axes.objects import (
    MAX_DISTRACTORS,
    Distractors,
    NovelObject,
    NovelPair,
    NovelSize,
    NovelTexture,
)
from uamsim.perturbations.axes.physics import Friction, Mass
from uamsim.perturbations.axes.scene import (
    Background,
    CameraPose,
    FieldOfView,
    Lighting,
    TableTexture,
)
from uamsim.perturbations.values import Composition, Perturbation
from uamsim.simulators import find_installation
from uamsim_envs.calvin.env import CalvinEnv
from uamsim_envs.calvin.host.blocks import raised
from uamsim_envs.calvin.language import BLOCK
from uamsim_envs.calvin.perturbing import BLOCKS, CARRIED, SceneDraw, draw_scene
from uamsim_envs.calvin.registration import SIMULATOR
from uamsim_envs.calvin.shapes import NOVEL_BLOCKS, block_parts, distractor_things

sim = pytest.mark.sim("calvin")
LOOKS = (TableTexture, Background, Lighting, CameraPose, FieldOfView, NovelTexture)
TASK = "lift_red_block_table"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As much of calvin_env as textures need, in its layout."""
    data = tmp_path_factory.mktemp("calvin_env") / "data"
    meshes = data / "calvin_table_D" / "meshes"
    meshes.mkdir(parents=True)
    (data / "plane").mkdir()
    Image.new("RGB", (16, 16), (200, 200, 200)).save(data / "plane" / "checker_blue.png")
    Image.new("RGBA", (24, 16), (120, 80, 40, 255)).save(data / "wood.png")
    for link in ("base_link", "plank_link"):
        (meshes / f"{link}.mtl").write_text("newmtl M\nmap_Kd ../../wood.png\n", "utf-8")
    return data.parent


def drawn_with(
    checkout: Path, *perturbations: Perturbation, seed: int = 0, named: str | None = "red_block"
) -> SceneDraw:
    return draw_scene(Composition(*perturbations), seed, named=named, scene="D", checkout=checkout)


@pytest.mark.parametrize("cls", CARRIED, ids=lambda c: c.__name__)
def test_severity_0_draws_nothing(checkout: Path, cls: type[Perturbation]) -> None:
    draw = drawn_with(checkout, cls.at(0))
    assert (draw.changes, draw.drawn, draw.distractors) == ({}, {}, ())
    assert draw.blocks == BLOCKS


def test_a_novel_block_has_one_new_word_and_the_others_none(checkout: Path) -> None:
    seen = set()
    for seed in range(60):
        draw = drawn_with(checkout, NovelObject(), seed=seed, named="blue_block")
        thing = draw.blocks["blue_block"]
        assert (thing.category != BLOCK) != (thing.colour != "blue")
        assert thing.category in {BLOCK, *NOVEL_BLOCKS}
        assert {n: t for n, t in draw.blocks.items() if n != "blue_block"} == {
            n: t for n, t in BLOCKS.items() if n != "blue_block"
        }
        assert set(draw.changes["blocks"]) == {"blue_block"}
        seen.add(thing)
    assert len(seen) > 8
    distances = [
        np.mean([
            drawn_with(checkout, NovelObject(fifth=f), seed=s).drawn["NovelObject"]["distance"]
            for s in range(20)
        ])
        for f in range(1, 6)
    ]  # fmt: skip
    assert distances == sorted(distances)


def test_a_stream_belongs_to_one_perturbation(checkout: Path) -> None:
    alone = drawn_with(checkout, Distractors(count=3), seed=4)
    beside = drawn_with(checkout, Distractors(count=3), Lighting(severity=2), Mass(), seed=4)
    assert alone.drawn["Distractors"] == beside.drawn["Distractors"]
    assert alone.changes["seed"] == beside.changes["seed"]


@pytest.mark.parametrize("similarity", [None, 0.0, 1.0])
def test_no_distractor_can_be_called_what_a_block_is_called(
    checkout: Path, similarity: float | None
) -> None:
    for seed in range(20):
        more = Distractors(count=MAX_DISTRACTORS, similarity=similarity)
        draw = drawn_with(checkout, more, NovelObject(kind="category"), seed=seed)
        assert len(set(draw.distractors)) > 1
        assert not {*draw.distractors} & {*draw.blocks.values()}
        assert all(thing.category != BLOCK for thing in draw.distractors)


def test_a_block_of_a_novel_shape_is_as_high_as_a_block_and_fits_between_the_fingers() -> None:
    for category in NOVEL_BLOCKS:
        parts = block_parts(Thing(category=category, colour="pink"))
        cloud = np.concatenate([p["vertices"] for p in parts if p["visible"]])
        assert cloud[:, 2].min() == pytest.approx(-0.02, abs=1e-3)
        assert np.abs(cloud).max() < 0.03
        (solid,) = [p for p in parts if p["solid"]]
        assert solid["size"][-1] == 0.02
        # The colour is the block's, lighter or darker.
        assert all(p["rgb"][1] == 0.0 and p["rgb"][0] == p["rgb"][2] > 0.0 for p in parts)
    assert len(distractor_things()) > 100


def test_a_texture_is_the_surfaces_own_under_the_pattern(checkout: Path) -> None:
    own = np.array([120, 80, 40])
    far = []
    for severity in (1, 3, 5):
        textures = drawn_with(checkout, TableTexture(severity=severity)).changes["textures"]
        assert set(textures) == {"base_link", "plank_link"}
        far.append(np.abs(textures["base_link"] - own).mean())
    assert far == sorted(far)
    assert set(drawn_with(checkout, Background()).changes["textures"]) == {"floor"}
    with pytest.raises(MissingDependencyError, match="uamsim install calvin"):
        drawn_with(checkout / "nowhere", Background())


def test_what_stands_on_a_larger_block_is_raised_with_it() -> None:
    pose = np.array([0.1, -0.1, 0.46, 0.0, 0.0, 0.5])
    on_top, beside = pose.copy(), pose.copy()
    on_top[2], beside[0] = 0.5, 0.3
    scene = {
        "slider": 0.1,
        "red_block": pose,
        "blue_block": on_top,
        "pink_block": beside,
    }
    lifted = raised(scene, {"red_block": {"scale": 1.5}})
    assert [lifted[f"{c}_block"][2] for c in ("red", "blue", "pink")] == pytest.approx(
        [0.47, 0.52, 0.46]
    )
    assert lifted["slider"] == 0.1
    assert pose[2] == 0.46


@pytest.fixture(scope="module")
def env() -> Iterator[CalvinEnv]:
    world = make_env()
    world.reset(seed=0)
    yield world
    world.close()


def make_env(*perturbations: Perturbation, **settings: Any) -> CalvinEnv:
    settings = {"render_profile": "tiny-lowpoly", "tasks": [TASK]} | settings
    made = gym.make(
        "uamsim/Calvin-D-v0", perturbations=perturbations, disable_env_checker=True, **settings
    ).unwrapped
    assert isinstance(made, CalvinEnv)
    return made


def calvin_env() -> Path:
    return find_installation(SIMULATOR).checkout("calvin_env")


def lay_out(
    env: CalvinEnv, *perturbations: Perturbation, seed: int = 1, start: Any = None
) -> dict[str, Any]:
    """An episode in the host, its pictures, its state, and where things are.

    Args:
        env: its host is used.
        perturbations: of the episode.
        seed: of what they draw, and of the start.
        start: an earlier episode, whose start is to be taken.
    """
    draw = drawn_with(calvin_env(), *perturbations, seed=seed)
    given = {} if start is None else {k: start["said"][k] for k in ("robot_obs", "scene_obs")}
    said = env.host.call("reset", seed=seed, task=TASK, changes=draw.changes, **given)
    pixels = env.host.call("observe", cameras=env.all_cameras, picture_step=0, proprio_step=0)
    return {"said": said, "pixels": pixels["pixels"], "state": env.host.call("state")}


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return all(np.array_equal(first[key], second[key]) for key in first)


@sim
def test_a_look_changes_pictures_alone(env: CalvinEnv) -> None:
    start = lay_out(env)
    plain = lay_out(env, start=start)
    for cls in LOOKS:
        changed = lay_out(env, cls.at(3), start=start)
        assert same(changed["state"], plain["state"]), cls
        assert not np.array_equal(changed["pixels"]["static"], plain["pixels"]["static"]), cls
    again = lay_out(env, start=start)
    assert same(again["pixels"], plain["pixels"])


@sim
def test_what_an_episode_changes_is_undone(env: CalvinEnv) -> None:
    start = lay_out(env)
    plain = lay_out(env, start=start)
    for change in (
        NovelObject(kind="colour"),
        NovelObject(kind="category"),
        NovelSize(severity=5),
        Distractors(count=2),
    ):
        changed = lay_out(env, change, start=start)
        assert not np.array_equal(changed["pixels"]["static"], plain["pixels"]["static"]), change
    lay_out(env, Mass(severity=5), Friction(severity=5), start=start)
    again = lay_out(env, start=start)
    assert same(again["state"], plain["state"])
    assert same(again["pixels"], plain["pixels"])


@sim
def test_a_heavier_and_more_slippery_world_moves_differently(env: CalvinEnv) -> None:
    start = lay_out(env)
    ends = []
    for change in ((), (Mass(severity=5),), (Friction(severity=5),)):
        lay_out(env, *change, start=start)
        env.host.call("begin_expert", seed=0)
        for _ in range(100):
            action = env.host.call("next_action")
            if action is None:
                break
            env.host.call("advance", actions=action[None])
        ends.append(env.host.call("state")["bases"])
    assert all(not np.array_equal(end, ends[0]) for end in ends[1:])


@sim
def test_distractors_stand_on_the_table_and_touch_nothing(env: CalvinEnv) -> None:
    for seed in range(5):
        laid = lay_out(env, Distractors(count=MAX_DISTRACTORS), seed=seed)
        places = np.array(laid["said"]["distractors"])
        assert places.shape == (MAX_DISTRACTORS, 3)
        away = np.linalg.norm(places[:, None, :2] - places[None, :, :2], axis=-1)
        assert away[~np.eye(len(away), dtype=bool)].min() > 0.03
        blocks = np.array(list(laid["said"]["blocks"].values()))
        on_table = blocks[blocks[:, 1] < 0]
        assert np.linalg.norm(places[:, None, :2] - on_table[None, :, :2], axis=-1).min() > 0.04
        before = laid["state"]["bases"]
        env.host.call("advance", actions=np.tile(np.eye(7, dtype=np.float32)[6], (30, 1)))
        after = env.host.call("state")["bases"]
        moved = np.linalg.norm((after - before)[-MAX_DISTRACTORS:, :3], axis=1)
        assert moved.max() < 0.02, f"seed {seed}"
        assert after[-MAX_DISTRACTORS:, 2].min() > 0.43, "one has fallen off the table"


@sim
@pytest.mark.parametrize(
    "change",
    [
        NovelObject(kind="colour"),
        NovelObject(kind="category"),
        NovelSize(severity=5),
        Distractors(count=MAX_DISTRACTORS),
    ],
    ids=lambda c: type(c).__name__ + getattr(c, "kind", ""),
)
def test_the_oracle_knows_a_changed_block_and_the_words_fit(change: Perturbation) -> None:
    changed = make_env(change)
    solved = 0
    for seed in range(2):
        info = changed.reset(seed=seed)[1]
        goal = info["goal"]
        words = "block" if goal.thing.category == BLOCK else goal.thing.category.replace("_", " ")
        assert f"{goal.thing.colour} {words}" in info["instruction"]
        solved += changed.play(changed.expert(np.random.default_rng(seed)), 360)[1][2]
    assert solved
    changed.close()


@sim
def test_what_cannot_be_carried_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot carry NovelPair"):
        make_env(NovelPair())
    with pytest.raises(ConfigError, match="tiny"):
        make_env(Lighting(), render_profile="egl")
