"""Axes of objects in the worlds that carry them: what is seen, what stays, what can be done."""

import copy
import json
from collections.abc import Iterator

import gymnasium as gym
import numpy as np
import pytest

from uamsim.errors import ConfigError
from uamsim.lexicon import HELD_OUT_PAIRS, LEXICON, entries
from uamsim.perturbations.axes.objects import (
    PATTERNS,
    Distractors,
    NovelInstance,
    NovelObject,
    NovelPair,
    NovelSize,
    NovelTarget,
    NovelTexture,
)
from uamsim.perturbations.axes.sensors import STEPS_A_SEVERITY, Latency
from uamsim.perturbations.distance import SHAPES_FILE, lab
from uamsim.perturbations.leaks import Episode, check_leaks
from uamsim.perturbations.values import PERTURBATIONS
from uamsim.simulated import simulated
from uamsim_envs.aloha.pick_place import AlohaPickPlaceEnv
from uamsim_envs.aloha.press_button import AlohaPressButtonEnv
from uamsim_envs.aloha.tasks.pick_place_objects import AlohaPickPlaceObjectsEnv
from uamsim_envs.aloha.variants import GRASPABLE, pattern_of, resize_slot
from uamsim_envs.library import INSTANCES
from uamsim_envs.objects import CATEGORIES
from uamsim_envs.shape_table import shape_table

AXES = tuple(cls for cls in PERTURBATIONS.values() if cls.layer == "objects")
WORLDS = (AlohaPickPlaceEnv, AlohaPressButtonEnv, AlohaPickPlaceObjectsEnv)
SLOT = {AlohaPickPlaceEnv: "object", AlohaPressButtonEnv: "button"}
CARRIED = [(world, axis) for world in WORLDS for axis in AXES if axis in world.carried]


@pytest.fixture(name="make")
def _make():
    made = []

    def make(world, *perturbations, cameras=()):
        env = world(perturbations=perturbations, cameras=cameras, image_size=(48, 64))
        made.append(env)
        return env

    yield make
    for env in made:
        env.close()


def things(info):
    return [(t.category, t.colour, t.instance) for t in info["scene"].things]


def test_shapes_are_those_of_the_geometry():
    table, computed = json.loads(SHAPES_FILE.read_text("utf-8")), shape_table()
    assert table.keys() == computed.keys()
    for name, row in computed.items():
        np.testing.assert_allclose(
            table[name], row, atol=5e-4, err_msg="run: python -m uamsim_envs.shape_table"
        )
        assert sum(row) == pytest.approx(1.0, abs=2e-3)


def test_who_carries_what():
    assert set(AXES) <= set(AlohaPickPlaceObjectsEnv.carried)
    assert set(AXES) - set(AlohaPickPlaceEnv.carried) == {NovelInstance}
    assert set(AXES) - set(AlohaPressButtonEnv.carried) == {NovelInstance, NovelTarget}
    with pytest.raises(ConfigError, match="cannot carry NovelInstance"):
        AlohaPickPlaceEnv(perturbations=(NovelInstance(),))


@pytest.mark.parametrize(("world", "axis"), CARRIED)
def test_severity_0_changes_nothing(make, world, axis):
    plain, same = make(world), make(world, axis.at(0))
    _, info = plain.reset(seed=2)
    _, info_same = same.reset(seed=2)
    assert info == info_same
    np.testing.assert_array_equal(plain.world.data.qpos, same.world.data.qpos)
    np.testing.assert_array_equal(plain.world.model.geom_size, same.world.model.geom_size)


@pytest.mark.parametrize(("world", "axis"), CARRIED)
def test_the_expert_still_does_it_and_the_episode_is_its_seed_s(make, world, axis):
    env = make(world, axis.at(5))
    runs = []
    for seed in (3, 4, 3):
        _, info = env.reset(seed=seed)
        start = copy.deepcopy(info)
        assert json.loads(json.dumps(info["perturbations"]))[axis.__name__]
        for action in env.expert(np.random.default_rng(seed)):
            *_, terminated, truncated, info = env.step(action)
            if terminated or truncated:
                break
        assert info["is_success"]
        runs.append((start, env.world.data.qpos.copy()))
    assert runs[0][0] == runs[2][0] != runs[1][0]
    np.testing.assert_array_equal(runs[0][1], runs[2][1])


@pytest.mark.parametrize("severity", [1, 5])
@pytest.mark.parametrize("world", [AlohaPickPlaceEnv, AlohaPressButtonEnv])
def test_only_the_named_slot_gets_another_size(make, world, severity):
    plain, env = make(world), make(world, NovelSize(severity=severity))
    factors = set()
    for seed in range(12):
        plain.reset(seed=seed)
        _, info = env.reset(seed=seed)
        factor = info["perturbations"]["NovelSize"]["factor"]
        factors.add(factor)
        models = env.world.model, plain.world.model
        name = info["goal"].thing.category
        boxes = [_lengths(model, f"{SLOT[world]}0/{name}/") for model in models]
        np.testing.assert_allclose(boxes[0], factor * boxes[1], rtol=1e-4, atol=1e-9)
        other = info["scene"].things[1].category
        boxes = [_lengths(model, f"{SLOT[world]}1/{other}/") for model in models]
        np.testing.assert_array_equal(boxes[0], boxes[1])
        if world is AlohaPickPlaceEnv:
            widest = max(p.size[0] + abs(p.pos[0]) for p in CATEGORIES[name].parts if p.solid)
            assert 2 * factor * widest <= GRASPABLE + 1e-9 or factor < 1
    assert min(factors) < 0.95 < 1.02 < max(factors)


def _lengths(model, prefix):
    """Bounding boxes of a slot's shapes: centres, then half sizes."""
    ids = [i for i in range(model.ngeom) if model.geom(i).name.startswith(prefix)]
    assert ids
    return np.concatenate([model.geom_aabb[ids], model.geom_pos[ids]], axis=1)


def test_sizes_in_the_library_leave_the_demonstrated_range(make):
    env, larger = make(AlohaPickPlaceObjectsEnv, NovelSize(severity=2)), set()
    for seed in range(12):
        _, info = env.reset(seed=seed)
        thing = env.items["thing"]
        low, high = thing.instance.scale
        assert not low <= thing.scale <= high
        drawn = {"larger": thing.scale > high, "factor": thing.scale}
        assert info["perturbations"] == {"NovelSize": drawn}
        assert min(g.width for g in thing.grasps) <= GRASPABLE
        assert thing.height >= 0.015
        for item in env.items.values():
            low, high = item.instance.scale
            assert item is thing or low <= item.scale <= high
        larger.add(thing.scale > high)
    assert larger == {True, False}


@pytest.mark.parametrize("world", WORLDS)
def test_texture_is_seen_and_nothing_moves(make, world):
    plain = make(world, cameras=("primary",))
    before, info = plain.reset(seed=1)
    last = 0.0
    for severity in (1, 3, 5):
        env = make(world, NovelTexture(severity=severity), cameras=("primary",))
        after, info_after = env.reset(seed=1)
        assert things(info_after) == things(info)
        np.testing.assert_array_equal(env.world.data.qpos, plain.world.data.qpos)
        pictures = [o["pixels"]["primary"].astype(float) for o in (before, after)]
        change = float(np.abs(pictures[0] - pictures[1]).mean())
        assert change > last
        last = change


def test_colours_keep_their_names_under_every_pattern():
    table = {e.name: e.rgb for e in entries("colour") if e.rgb is not None}
    for kind in PATTERNS:
        drawn = NovelTexture(severity=5).draw(np.random.default_rng(0)) | {"pattern": kind}
        texels = pattern_of(drawn) / 255
        assert texels.min() == pytest.approx(0.35, abs=0.01)
        assert texels.max() == 1.0
        mean = texels.mean()
        assert 0.6 < mean < 0.75
        for name, rgb in table.items():
            seen = lab([mean * c for c in rgb])
            nearest = min(table, key=lambda other: np.linalg.norm(lab(table[other]) - seen))
            assert nearest == name


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_distractors_of_the_library_leave_the_rest_and_keep_apart(make, severity):
    plain, env = (
        make(AlohaPickPlaceObjectsEnv),
        make(AlohaPickPlaceObjectsEnv, Distractors.at(severity)),
    )
    same = 0
    for seed in range(8):
        _, info = plain.reset(seed=seed)
        _, more = env.reset(seed=seed)
        assert len(more["scene"].things) >= 5 + severity
        same += things(more)[: len(things(info))] == things(info)
        placed = list(env.items.values())
        for i, a in enumerate(placed):
            for b in placed[:i]:
                gap = np.hypot(a.pos[0] - b.pos[0], a.pos[1] - b.pos[1]) - a.radius - b.radius
                assert gap > 0.01
        named = env.items["thing"]
        like = [
            i
            for i in placed
            if (i.instance.category, i.colour) == (named.instance.category, named.colour)
        ]
        assert like == [named]
        for action in [env.world.rest_action(env.control)] * 15:
            *_, terminated, _, _ = env.step(action)
            assert not terminated
        assert max(env.speed(n) for n, i in env.items.items() if not i.static) < 0.1
    assert same >= 8 - 2 * severity // 2


@pytest.mark.parametrize("axis", [NovelInstance, NovelObject, NovelTarget, NovelPair])
def test_what_is_new_in_the_library_is_what_is_asked_for(make, axis):
    env = make(AlohaPickPlaceObjectsEnv, axis())
    for seed in range(12):
        env.reset(seed=seed)
        named, target = env.items["thing"], env.items["target"]
        for item in env.items.values():
            new = not (item.instance.in_action_data and LEXICON[item.colour].in_action_data)
            expected = {NovelInstance: named, NovelObject: named, NovelTarget: target}.get(axis)
            assert new == (item is expected)
        assert named.instance.held_out == (axis is NovelInstance)
        assert env.held_out == ({named.instance.name} if axis is NovelInstance else set())
        pair = named.instance.category, target.instance.category
        assert (pair in HELD_OUT_PAIRS) == (axis is NovelPair)


def begun(env_id: str, perturbations, seeds) -> Iterator[Episode]:
    """The first moments of an environment's episodes."""
    env = gym.make(
        f"uamsim_envs:uamsim/{env_id}",
        perturbations=perturbations,
        cameras=(),
        image_size=(8, 8),
        disable_env_checker=True,
    )
    for seed in seeds:
        info = env.reset(seed=seed)[1]
        yield Episode(
            goal=info["goal"],
            scene=info["scene"],
            instruction=info["instruction"],
            held_out=simulated(env).held_out,
        )
    env.close()


@pytest.mark.parametrize(
    "env_id", ["AlohaPickPlace-v0", "AlohaPressButton-v0", "AlohaPickPlaceObjects-v0"]
)
def test_leaks_are_looked_for_in_any_environment(env_id):
    report = check_leaks(begun(env_id, (), range(30)), begun(env_id, (NovelObject(),), range(5)))
    assert report.ok, report.leaked
    assert report.num_training == 30
    assert sum(report.novel.values()) >= 10


def test_a_shape_that_is_held_out_is_found_as_a_leak():
    leaked = check_leaks(begun("AlohaPickPlaceObjects-v0", (NovelInstance(),), range(5)), ()).leaked
    assert sum(count for (kind, _), count in leaked.items() if kind == "instance") == 5
    assert all(INSTANCES[name].held_out for kind, name in leaked if kind == "instance")


@pytest.mark.parametrize("world", SLOT)
def test_a_size_leaves_no_trace_in_later_episodes(make, world):
    env = make(world, NovelSize(severity=5), cameras=("primary",))
    sizes = set()
    for seed in range(8):
        seen, info = env.reset(seed=seed)
        thing, factor = info["scene"].things[0], info["perturbations"]["NovelSize"]["factor"]
        sizes.add((thing.category, factor))
        slot = env.world.slots[SLOT[world]][0].name
        compiled = env.world.compile(
            lambda spec, slot=slot, thing=thing, factor=factor: resize_slot(
                spec, slot, thing.category, factor
            )
        )
        for name in ("geom_size", "geom_pos", "geom_aabb", "mesh_vert", "body_inertia", "dof_M0"):
            np.testing.assert_array_equal(getattr(env.world.model, name), getattr(compiled, name))
        assert env.world.model.stat.meaninertia == compiled.stat.meaninertia
        alone, _ = make(world, NovelSize(severity=5), cameras=("primary",)).reset(seed=seed)
        np.testing.assert_array_equal(seen["pixels"]["primary"], alone["pixels"]["primary"])
    assert len(sizes) > 2


def test_things_that_sleep_wake_when_they_are_touched(make):
    env = make(AlohaPickPlaceEnv, Distractors.at(3))
    env.reset(seed=4)
    slots, data = env.world.slots["object"], env.world.data
    joints = [env.world.model.joint(slot.name) for slot in slots]
    env.step_chunk(np.repeat(env.world.rest_action("ee")[None], 15, axis=0))
    trees = [env.world.model.dof_treeid[joint.dofadr[0]] for joint in joints]
    assert [bool(data.tree_asleep[tree] >= 0) for tree in trees] == [False] + [True] * 5
    starts = [data.qpos[joint.qposadr[0] : joint.qposadr[0] + 2].copy() for joint in joints]
    target = int(np.argmax([abs(x) for x, _ in starts[1:]])) + 1
    x, y = starts[target]
    action = env.world.rest_action("ee")
    arm = slice(0, 3) if x < 0 else slice(7, 10)
    for point in ((x, y - 0.08, 0.03), (x, y + 0.04, 0.03)):
        action[arm] = point
        env.step_chunk(np.repeat(action[None], 60, axis=0))
    adr = joints[target].qposadr[0]
    assert np.linalg.norm(data.qpos[adr : adr + 2] - starts[target]) > 0.01


def test_pressing_a_button_that_sleeps_fails(make):
    env = make(AlohaPressButtonEnv, Distractors.at(4))
    _, info = env.reset(seed=0)
    x, y, _ = info["scene"].things[5].pos_world
    action = env.world.rest_action("ee")
    arm = slice(0, 3) if x < 0 else slice(7, 10)
    over = False
    for z in (0.15, 0.08, 0.01):
        action[arm] = (x, y, z)
        _, _, over, _, info = env.step_chunk(np.repeat(action[None], 40, axis=0))
        if over:
            break
    assert over
    assert not info["is_success"]


def test_late_pictures_of_what_sleeps_are_of_then(make):
    late, now = (
        make(AlohaPickPlaceEnv, Distractors.at(3), *more, cameras=("primary",))
        for more in ([Latency(severity=2)], [])
    )
    late.reset(seed=1)
    seen = [now.reset(seed=1)[0]]
    rest = now.world.rest_action("ee")
    for _ in range(30):
        seen.append(now.step(rest)[0])
        picture = late.step(rest)[0]["pixels"]["primary"]
        then = seen[max(0, len(seen) - 1 - 2 * STEPS_A_SEVERITY)]["pixels"]["primary"]
        np.testing.assert_array_equal(picture, then)
