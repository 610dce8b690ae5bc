"""The arms against the maker's published figures, and the two directions of the kinematics."""

import math

import mujoco
import numpy as np
import pytest

from uamsim_envs.aloha import kinematics
from uamsim_envs.aloha.robot import SIDES
from uamsim_envs.aloha.world import World, WorldConfig


@pytest.fixture(scope="module")
def world() -> World:
    return World(WorldConfig(slots=(), image_size=(64, 96)))


def test_link_lengths_are_the_published_ones(world: World) -> None:
    # interbotix_xsarm_descriptions/urdf/vx300s.urdf.xacro, joint origins in metres
    published = {
        "waist": (0, 0, 0.079),
        "shoulder": (0, 0, 0.04805),
        "elbow": (0.05955, 0, 0.3),
        "forearm_roll": (0.2, 0, 0),
        "wrist_angle": (0.1, 0, 0),
        "wrist_rotate": (0.069744, 0, 0),
    }
    for side in SIDES:
        for joint, pos in published.items():
            np.testing.assert_allclose(world.model.body(f"{side}/{joint}").pos, pos)


def test_joint_axes_and_limits_are_the_published_ones(world: World) -> None:
    axes = ((0, 0, 1), (0, 1, 0), (0, 1, 0), (1, 0, 0), (0, 1, 0), (1, 0, 0))
    limits_deg = ((-180, 180), (-106, 72), (-101, 92), (-180, 180), (-107, 128), (-180, 180))
    for side in SIDES:
        for joint, axis, limits in zip(kinematics.JOINTS, axes, limits_deg, strict=True):
            found = world.model.joint(f"{side}/{joint}")
            np.testing.assert_array_equal(found.axis, axis)
            np.testing.assert_allclose(found.range, np.radians(limits), atol=2e-5)


def test_arms_face_each_other(world: World) -> None:
    left, right = (world.model.body(f"{side}/base_link") for side in SIDES)
    np.testing.assert_allclose(right.pos - left.pos, (0.938, 0, 0))
    np.testing.assert_allclose(np.abs(right.quat), (0, 0, 0, 1), atol=1e-12)


@pytest.mark.parametrize("arm", [0, 1])
def test_forward_is_what_mujoco_computes(world: World, arm: int) -> None:
    rng = np.random.default_rng(arm)
    for _ in range(20):
        low, high = kinematics.JOINT_RANGE.T
        joints = np.stack([rng.uniform(low, high), rng.uniform(low, high)])
        world.set_arms(joints, np.zeros(2))
        mujoco.mj_kinematics(world.model, world.data)
        site = world.data.site(f"{SIDES[arm]}/tcp")
        pos, vector = kinematics.forward(arm, joints[arm])
        np.testing.assert_allclose(pos, site.xpos, atol=1e-9)
        rotation = kinematics.rotation_from_vector(vector) @ kinematics.DOWN[arm]
        np.testing.assert_allclose(rotation.ravel(), site.xmat, atol=1e-7)


@pytest.mark.parametrize("arm", [0, 1])
def test_inverse_undoes_forward_in_the_workspace(arm: int) -> None:
    rng = np.random.default_rng(arm)
    side = (-1, 1)[arm]
    for _ in range(200):
        pos = np.array(
            [side * rng.uniform(-0.05, 0.33), rng.uniform(-0.15, 0.15), rng.uniform(0.02, 0.12)]
        )
        vector = rng.normal(0.0, 0.08, 3)
        again, vector_again = kinematics.forward(arm, kinematics.inverse(arm, pos, vector))
        np.testing.assert_allclose(again, pos, atol=1e-9)
        np.testing.assert_allclose(vector_again, vector, atol=1e-9)


def test_a_target_out_of_reach_is_approached_within_limits() -> None:
    joints = kinematics.inverse(0, np.array([5.0, 0.0, 0.2]), np.zeros(3))
    assert np.isfinite(joints).all()
    assert (joints >= kinematics.JOINT_RANGE[:, 0]).all()
    assert (joints <= kinematics.JOINT_RANGE[:, 1]).all()


@pytest.mark.parametrize("angle", [0.0, 1e-8, 0.5, 3.0, math.pi])
def test_rotation_vectors_round_trip(angle: float) -> None:
    vector = angle * np.array([2.0, -1.0, 2.0]) / 3.0
    rotation = kinematics.rotation_from_vector(vector)
    again = kinematics.rotation_from_vector(kinematics.vector_from_rotation(rotation))
    np.testing.assert_allclose(again, rotation, atol=1e-6)
