"""Scene, physics, sensor and action perturbations in the ALOHA worlds."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from uamsim.errors import ConfigError
from uamsim.perturbations.axes import AXES
from uamsim.perturbations.axes.actions import STEPS_A_SEVERITY, ActionDelay, ActionNoise
from uamsim.perturbations.axes.objects import NovelPair
from uamsim.perturbations.axes.physics import ActuatorGain, Friction, Mass
from uamsim.perturbations.axes.scene import CameraPose, RobotStart, TableHeight, TableTexture
from uamsim.perturbations.axes.sensors import (
    BLUR,
    DroppedFrames,
    ImageBlur,
    ImageNoise,
    Latency,
    Sensors,
)
from uamsim.perturbations.values import Graded, Perturbation
from uamsim_envs.aloha.perturbing import CARRIED
from uamsim_envs.aloha.world import REST_POS

GRADED = [cls for cls in CARRIED if issubclass(cls, Graded)]
SIZE: dict[str, Any] = {"image_size": (24, 32), "cameras": ("primary", "left_wrist")}


def make(env: str, *perturbations: Perturbation, **options: Any) -> Any:
    return gym.make(
        f"uamsim_envs:uamsim/Aloha{env}-v0",
        disable_env_checker=True,
        perturbations=perturbations,
        **(SIZE | options),
    ).unwrapped


def play(env: Any, seed: int, steps: int, chunk: int = 10) -> dict[str, Any]:
    """The expert's actions, and what was seen after each chunk."""
    observation, info = env.reset(seed=seed)
    seen = [observation]
    actions = env.expert(np.random.default_rng(seed))
    taken = []
    for _ in range(steps // chunk):
        acts, (observation, *_, info) = env.play(actions, chunk)
        seen.append(observation)
        taken.append(acts)
    return {
        "pixels": np.stack([o["pixels"]["primary"] for o in seen]),
        "agent_pos": np.stack([o["agent_pos"] for o in seen]),
        "actions": np.concatenate(taken),
        "qpos": env.world.data.qpos.copy(),
        "instruction": info["instruction"],
    }


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return all(np.array_equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("cls", GRADED)
@pytest.mark.parametrize("env_name", ["PickPlace", "StackCubes"])
def test_every_axis_changes_something_and_not_the_layout(
    cls: type[Perturbation], env_name: str
) -> None:
    plain, moved = make(env_name), make(env_name, cls.at(5))
    before, after = play(plain, 3, 60), play(moved, 3, 60)
    assert after["instruction"] == before["instruction"]
    assert plain._facts == moved._facts
    assert not same(before, after)
    drawn = moved.drawn.get(cls.__name__)
    assert (drawn is not None) == (cls.layer in ("scene", "physics"))


@pytest.mark.parametrize("cls", GRADED)
def test_an_episode_does_not_depend_on_earlier_ones(cls: type[Perturbation]) -> None:
    env = make("PickPlace", cls.at(4))
    play(env, 1, 20)
    assert same(play(env, 2, 40), play(make("PickPlace", cls.at(4)), 2, 40))


def test_layers_keep_to_themselves() -> None:
    """What is seen does not change the physics, and the physics not what is seen at the start."""
    plain = play(make("PickPlace"), 4, 60)
    seen = make("PickPlace", CameraPose(severity=5), TableTexture(), Latency(), ImageNoise())
    looks_different = play(seen, 4, 60)
    assert np.array_equal(looks_different["qpos"], plain["qpos"])
    assert not np.array_equal(looks_different["pixels"], plain["pixels"])
    feels_different = play(make("PickPlace", Mass(), Friction(), ActuatorGain()), 4, 60)
    assert np.array_equal(feels_different["pixels"][0], plain["pixels"][0])
    assert not np.array_equal(feels_different["qpos"], plain["qpos"])


@pytest.mark.parametrize("extra", [(), (Latency(severity=4), DroppedFrames(severity=4))])
def test_chunks_and_single_steps_show_the_same(extra: tuple[Perturbation, ...]) -> None:
    perturbations = (ImageNoise(), ActionNoise(), ActionDelay(), *extra)
    lazy, eager = make("PickPlace", *perturbations), make("PickPlace", *perturbations)
    lazy.reset(seed=7)
    eager.reset(seed=7)
    actions = lazy.action_space.sample()[None].repeat(25, axis=0)
    for _ in range(3):
        one, *_ = lazy.step_chunk(actions)
        many = [eager.step(action)[0] for action in actions][-1]
        assert np.array_equal(one["agent_pos"], many["agent_pos"])
        for camera, picture in one["pixels"].items():
            assert np.array_equal(picture, many["pixels"][camera])
    assert np.array_equal(lazy.world.data.qpos, eager.world.data.qpos)


def test_latency_shows_the_past() -> None:
    late, plain = make("PickPlace", Latency(severity=3)), make("PickPlace")
    delay = 6
    past, now = play(late, 5, 36, chunk=3), play(plain, 5, 36, chunk=3)
    assert np.array_equal(past["agent_pos"][delay // 3 :], now["agent_pos"][: -delay // 3])
    assert np.array_equal(past["pixels"][delay // 3 :], now["pixels"][: -delay // 3])


def test_delayed_actions_are_carried_out_later() -> None:
    late, plain = make("PickPlace", ActionDelay(severity=2)), make("PickPlace")
    delay = 2 * STEPS_A_SEVERITY
    late.reset(seed=0)
    plain.reset(seed=0)
    actions = np.array(list(_first(plain.expert(np.random.default_rng(0)), 40)))
    held = np.repeat(plain.world.rest_action("ee")[None], delay, axis=0)
    plain.step_chunk(np.concatenate([held, actions[:-delay]]))
    late.step_chunk(actions)
    assert np.array_equal(plain.world.data.qpos, late.world.data.qpos)


def _first(actions: Any, count: int) -> Any:
    for _, action in zip(range(count), actions, strict=False):
        yield action


@pytest.mark.parametrize("severity", [1, 5])
def test_frames_are_frozen_for_the_stated_share_and_length(severity: int) -> None:
    sensors = Sensors((DroppedFrames(severity=severity),), seed=1)
    shown = np.array([sensors.picture_step(step) for step in range(40_000)])
    frozen = shown != np.arange(len(shown))
    share, starts = frozen.mean(), (np.diff(frozen.astype(int)) == 1).sum()
    assert share == pytest.approx(0.15 * severity, rel=0.15)
    assert frozen.sum() / starts == pytest.approx(20, rel=0.15)
    assert (np.diff(shown) >= 0).all()


@pytest.mark.parametrize("height", [64, 224, 480])
@pytest.mark.parametrize("rendered_small", [True, False])
def test_a_blurred_edge_is_as_wide_as_its_severity_says(height: int, rendered_small: bool) -> None:
    for severity in range(1, 6):
        sensors = Sensors((ImageBlur(severity=severity),))
        shrink = sensors.shrink(height) if rendered_small else 1
        picture = np.zeros(
            (math.ceil(height / shrink), math.ceil(2 * height / shrink), 3), np.uint8
        )
        picture[:, picture.shape[1] // 2 :] = 255
        seen = sensors.see(picture, "primary", 0, (height, 2 * height))
        slope = np.diff(seen[height // 2, :, 0].astype(float)) / 255
        x = np.arange(len(slope))
        width = np.sqrt(slope @ (x - slope @ x) ** 2)
        assert slope.sum() == pytest.approx(1.0)
        # Rendering small and enlarging blurs by itself.
        assert 0.97 <= width / (BLUR[severity] * height) <= 1.2


def test_a_raised_table_is_higher_above_the_robot_and_its_cameras() -> None:
    env = make("PickPlace", TableHeight(severity=5))
    env.reset(seed=0)
    height = env.drawn["TableHeight"]["height_m"]
    assert 0.04 <= height <= 0.05
    model = env.world.model
    assert model.body("left/base_link").pos[2] == -height
    assert model.camera("primary").pos[2] == pytest.approx(
        make("PickPlace").world.model.camera("primary").pos[2] - height
    )
    assert env.world.agent_pos("ee")[:3] == pytest.approx(REST_POS[0], abs=1e-6)
    assert env.world.tcp(0) == pytest.approx(REST_POS[0] - (0, 0, height), abs=1e-6)


def test_robot_start_moves_the_grippers_by_what_it_says() -> None:
    env = make("PickPlace", RobotStart(severity=3))
    observation, _ = env.reset(seed=2)
    offset = observation["agent_pos"][:3] - REST_POS[0]
    assert offset == pytest.approx(env.drawn["RobotStart"]["left_m"], abs=1e-5)
    assert 0.048 <= np.linalg.norm(offset) <= 0.06


@pytest.mark.parametrize("control", ["ee", "joint"])
def test_the_expert_copes_with_a_raised_table_and_another_start(control: str) -> None:
    env = make("PickPlace", TableHeight(severity=5), RobotStart(severity=5), control=control)
    env.reset(seed=3)
    _, (*_, info) = env.play(env.expert(np.random.default_rng(3)), env.max_episode_steps)
    assert info["is_success"]


def test_an_environment_says_what_it_cannot_carry() -> None:
    with pytest.raises(ConfigError, match=r"AlohaStackCubesEnv cannot carry NovelPair; it carries"):
        make("StackCubes", NovelPair())


def test_axes_have_names_of_their_own() -> None:
    assert len(AXES) == len({cls.axis for cls in AXES.values()})
