import math

import mujoco
import numpy as np
import pytest

from uamsim.errors import SceneError, UnknownNameError
from uamsim.lexicon import HELD_OUT_PAIRS, LEXICON, entries
from uamsim_envs.aloha.robot import FINGER_RANGE
from uamsim_envs.contacts import FINGER_BIT, FINGER_TIP, TABLE_BIT, THING_BIT
from uamsim_envs.library import (
    INSTANCES,
    MAX_GRASP_WIDTH,
    Grasp,
    Instance,
    add_instance,
    instances_of,
)
from uamsim_envs.library.instance import add
from uamsim_envs.library.shapes import solid, sphere
from uamsim_envs.library.solids import MAX_FACES
from uamsim_envs.rendering import HIDDEN_GROUP, VISIBLE_GROUP

NAMES = list(INSTANCES)
CATEGORIES = sorted({instance.category for instance in INSTANCES.values()})
PICKED = [name for name in NAMES if INSTANCES[name].grasps]
HOLLOW = [name for name in NAMES if INSTANCES[name].opening]
LIFT = 0.10


def table() -> mujoco.MjSpec:
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = 0.002
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.iterations, spec.option.ls_iterations = 20, 10
    spec.worldbody.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=(0.75, 0.5, 0.05),
        contype=TABLE_BIT,
        conaffinity=0,
    )
    return spec


def place(
    spec: mujoco.MjSpec, instance: Instance, *, scale: float = 1.0, z: float = 0.001
) -> mujoco.MjsBody:
    body = spec.worldbody.add_body(name="thing", pos=(0, 0, z))
    body.add_freejoint(name="thing")
    add_instance(spec, body, instance, name="thing", colour=instance.colours[0], scale=scale)
    return body


def run(model: mujoco.MjModel, data: mujoco.MjData, seconds: float) -> None:
    mujoco.mj_step(model, data, nstep=round(seconds / model.opt.timestep))


def extents(model: mujoco.MjModel, data: mujoco.MjData, *, drawn: bool) -> np.ndarray:
    """Corners of the shapes' bounding boxes, a mesh's or cylinder's own edge, [N, 3]."""
    cloud = []
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    angles = np.linspace(0, 2 * math.pi, 16)
    circle = np.column_stack([np.cos(angles), np.sin(angles), 0 * angles])
    for i in range(model.ngeom):
        if model.geom_bodyid[i] == 0 or (model.geom_group[i] == VISIBLE_GROUP) != drawn:
            continue
        if model.geom_type[i] == mujoco.mjtGeom.mjGEOM_MESH:
            first = model.mesh_vertadr[model.geom_dataid[i]]
            local = model.mesh_vert[first : first + model.mesh_vertnum[model.geom_dataid[i]]]
        elif model.geom_type[i] == mujoco.mjtGeom.mjGEOM_CYLINDER:
            radius, half = model.geom_size[i, :2]
            local = np.concatenate([circle * radius + (0, 0, z) for z in (-half, half)])
        else:
            local = model.geom_aabb[i, :3] + signs * model.geom_aabb[i, 3:]
        cloud.append(local @ data.geom_xmat[i].reshape(3, 3).T + data.geom_xpos[i])
    return np.concatenate(cloud)


@pytest.mark.parametrize("name", NAMES)
def test_instance_compiles_covers_what_it_says_and_rests(name):
    instance = INSTANCES[name]
    spec = table()
    place(spec, instance)
    model = spec.compile()
    data = mujoco.MjData(model)
    body = model.body("thing")
    assert body.mass[0] == pytest.approx(instance.mass)
    assert np.all(np.isfinite(body.inertia))
    assert np.all(body.inertia > 1e-8)
    assert 0.015 <= instance.mass <= 0.15
    assert model.mesh_facenum.max(initial=0) <= MAX_FACES
    hidden = model.geom_group == HIDDEN_GROUP
    assert np.all(model.geom_contype[hidden] == THING_BIT)
    mujoco.mj_forward(model, data)
    drawn = extents(model, data, drawn=True) - (0, 0, 0.001)
    assert drawn[:, 2].min() > -0.0015
    assert drawn[:, 2].max() == pytest.approx(instance.height, abs=0.004)
    assert np.abs(drawn[:, :2]).max() <= instance.radius + 0.003
    assert np.linalg.norm(drawn[:, :2], axis=1).max() >= instance.radius - 0.002
    run(model, data, 0.5)
    moved = data.body("thing").xpos - (0, 0, 0.001)
    upright = data.body("thing").xmat[8]
    assert np.linalg.norm(moved) < 0.005
    assert upright > math.cos(math.radians(10))


def gripper(spec: mujoco.MjSpec, grasp: Grasp, scale: float) -> None:
    x, y = grasp.offset
    half = grasp.yaw / 2
    hand = spec.worldbody.add_body(
        name="hand",
        pos=(scale * x, scale * y, scale * grasp.height),
        quat=(math.cos(half), 0, 0, math.sin(half)),
    )
    hand.gravcomp = 1.0
    hand.explicitinertial = True
    hand.mass, hand.inertia = 1.0, (1e-3, 1e-3, 1e-3)
    hand.add_joint(name="hand", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=(0, 0, 1), armature=1.0)
    lift = spec.add_actuator(name="hand", target="hand", trntype=mujoco.mjtTrn.mjTRN_JOINT)
    lift.set_to_position(kp=4000.0, kv=180.0)
    for sign, name in ((1, "left"), (-1, "right")):
        finger = hand.add_body(name=name)
        finger.gravcomp = 1.0
        finger.explicitinertial = True
        finger.mass, finger.inertia = 0.0863, (5.9e-5, 4.5e-5, 1.8e-5)
        finger.add_joint(
            name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=(sign, 0, 0), armature=0.15
        )
        finger.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=(0.006, 0.011, 0.042),
            pos=(0.006 * sign, 0, 0.042 - FINGER_TIP),
            contype=FINGER_BIT,
            conaffinity=TABLE_BIT | THING_BIT,
            condim=4,
            friction=(1.5, 0.02, 0.0001),
            priority=1,
            solref=(0.01, 1.0),
            group=HIDDEN_GROUP,
        )
        servo = spec.add_actuator(
            name=name,
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            forcelimited=True,
            forcerange=(-12.0, 12.0),
        )
        servo.set_to_position(kp=800.0, kv=2 * math.sqrt(800 * 0.24))


def lift_height(instance: Instance, grasp: Grasp, scale: float) -> float:
    """How far a thing rises (m) when the fingers close and go up by ``LIFT``."""
    spec = table()
    place(spec, instance, scale=scale, z=0.0003)
    gripper(spec, grasp, scale)
    model = spec.compile()
    data = mujoco.MjData(model)
    for name in ("left", "right"):
        data.qpos[model.joint(name).qposadr[0]] = FINGER_RANGE[1]
    data.ctrl[1:] = FINGER_RANGE[1]
    for share in np.linspace(0, 1, 20):
        data.ctrl[1:] = FINGER_RANGE[1] * (1 - share)
        run(model, data, 0.02)
    run(model, data, 0.2)
    for share in np.linspace(0, 1, 25):
        data.ctrl[0] = LIFT * share
        run(model, data, 0.02)
    run(model, data, 0.2)
    return float(data.body("thing").xipos[2] - model.body("thing").ipos[2])


@pytest.mark.parametrize("name", PICKED)
def test_gripper_lifts(name):
    instance = INSTANCES[name]
    small, large = instance.scale
    for index, grasp in enumerate(instance.grasps):
        assert grasp.width * large <= MAX_GRASP_WIDTH
        assert grasp.height * small - FINGER_TIP > 0.0005
        assert grasp.height <= 0.07
        for scale in (small, large) if index == 0 else (large,):
            assert lift_height(instance, grasp, scale) > 0.8 * LIFT, (grasp, scale)


@pytest.mark.parametrize("name", HOLLOW)
def test_receptacle_keeps_a_ball(name):
    instance = INSTANCES[name]
    opening = instance.opening
    assert opening is not None
    spec = table()
    base = spec.worldbody.add_body(name="base")
    add_instance(spec, base, instance, name="base", colour=instance.colours[0], static=True)
    ball = spec.worldbody.add_body(
        name="ball", pos=(0.4 * opening.half[0], 0.2 * opening.half[1], opening.rim + 0.02)
    )
    ball.add_freejoint()
    ball.add_geom(
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        size=(0.010, 0, 0),
        mass=0.02,
        contype=THING_BIT,
        conaffinity=THING_BIT | TABLE_BIT,
        condim=6,
        friction=(0.9, 0.005, 0.0008),
    )
    model = spec.compile()
    data = mujoco.MjData(model)
    run(model, data, 0.8)
    x, y, z = data.body("ball").xpos
    if opening.shape == "circle":
        assert math.hypot(x, y) < opening.half[0]
    else:
        assert abs(x) < opening.half[0]
        assert abs(y) < opening.half[1]
    assert z - 0.010 == pytest.approx(opening.floor, abs=0.004)
    assert opening.floor < opening.rim <= instance.height + 1e-6


def test_words_and_hold_out():
    kinds = ("object", "target", "item", "receptacle")
    words = {entry.name for kind in kinds for entry in entries(kind)}
    assert set(CATEGORIES) == words
    assert len(CATEGORIES) >= 24
    assert len(INSTANCES) >= 80
    new = [name for name in CATEGORIES if not LEXICON[name].in_action_data]
    assert 0.2 <= len(new) / len(CATEGORIES) <= 0.3
    held_out = [i for i in INSTANCES.values() if i.held_out]
    assert all(LEXICON[i.category].in_action_data for i in held_out)
    assert 0.15 <= len(held_out) / len(INSTANCES) <= 0.27
    for category in CATEGORIES:
        both = instances_of(category)
        assert 3 <= len(both) <= 5
        seen = instances_of(category, in_action_data=True)
        if LEXICON[category].in_action_data:
            assert len(both) - len(seen) == 1
        else:
            assert not seen
        for instance in both:
            assert all(LEXICON[colour].rgb for colour in instance.colours)
            assert any(LEXICON[colour].in_action_data for colour in instance.colours)
    for pair in HELD_OUT_PAIRS:
        assert all(LEXICON[name].in_action_data for name in pair)
    items = {entry.name for entry in entries("item")}
    cells = [pair for pair in HELD_OUT_PAIRS if pair[0] in items]
    assert len(cells) >= 12
    assert all(INSTANCES[i.name].opening for _, target in cells for i in instances_of(target))


def test_names_that_are_not_there():
    with pytest.raises(UnknownNameError, match="apple"):
        instances_of("aple")
    spec = table()
    body = spec.worldbody.add_body(name="thing")
    with pytest.raises(SceneError, match="not a colour"):
        add_instance(spec, body, INSTANCES["apple_round"], name="thing", colour="apple")


def test_meshes_are_added_once_a_size():
    spec = table()
    for index, scale in enumerate((1.0, 1.0, 1.05)):
        body = spec.worldbody.add_body(name=f"t{index}", pos=(0.1 * index, 0, 0))
        body.add_freejoint()
        instance = INSTANCES["apple_round"]
        add_instance(spec, body, instance, name=f"t{index}", colour="red", scale=scale)
    model = spec.compile()
    assert model.nmesh == 2
    masses = model.body_mass[1:]
    assert masses == pytest.approx([0.075, 0.075, 0.075 * 1.05**3])


def test_a_thing_is_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(INSTANCES, "_values", dict(INSTANCES._values))
    own = add("own", "apple", solid(sphere(0.03, (0, 0, 0.03))), colours=("red",), mass=0.1)
    assert own in instances_of("apple")
    spec = table()
    place(spec, INSTANCES["apple_own"], z=0.05)
    model = spec.compile()
    data = mujoco.MjData(model)
    run(model, data, 1.0)
    assert data.body("thing").xpos[2] == pytest.approx(0.0, abs=0.005)
