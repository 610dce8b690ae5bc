"""A world of three lines that has what recording needs, and one that breaks on demand."""

import errno

import gymnasium as gym
import numpy as np
import pytest

from uamsim.contract import ACTION_DIM, Observation, SceneFacts, SceneThing
from uamsim.data.config import DemonstrationConfig
from uamsim.data.demonstrations import collect_demonstrations
from uamsim.simulated import SimulatedEnv

TASK_ID = "uamsim/FakeTask-v0"
SCENE_ID = "uamsim/FakeScene-v0"


class FakeTask(SimulatedEnv):
    """Counts to a length that the seed decides; every fourth seed fails."""

    def __init__(self, *, control, cameras, image_size, render_profile):
        assert control in ("ee", "joint")
        assert render_profile in ("fast", "quality")
        self.cameras, self.image_size = cameras, image_size
        self.observation_space = gym.spaces.Dict()
        self.action_space = gym.spaces.Box(-1, 1, (ACTION_DIM,))

    def _observe(self) -> Observation:
        pos = np.zeros(ACTION_DIM, np.float32)
        pos[0] = self.seen / 100
        shade = 30 + 3 * (self.seen // 5)
        picture = np.full((*self.image_size, 3), shade, np.uint8)
        return {"pixels": dict.fromkeys(self.cameras, picture), "agent_pos": pos}

    def _info(self, success):
        return {"is_success": success, "instruction": f"count to {self.length} 数"}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        assert seed is not None
        self.number, self.length, self.seen = seed, 12 + seed % 7, 0
        return self._observe(), self._info(False)

    def step_chunk(self, actions):
        assert actions.shape[1:] == (ACTION_DIM,)
        self.seen += len(actions)
        success = self.seen >= self.length and self.number % 4 != 3
        return self._observe(), 0.0, success, False, self._info(success)

    def expert(self, rng):
        for step in range(self.length):
            action = np.zeros(ACTION_DIM, np.float32)
            action[0], action[1] = (step + 1) / 100, self.number
            yield action


class FakeScene(gym.Env):
    """Facts without a renderer: the picture's shade is the number of things."""

    fail_at = -1

    def __init__(self, *, cameras, image_size, render_profile):
        del render_profile
        self.cameras, self.image_size = cameras, image_size
        self.observation_space = gym.spaces.Dict()
        self.action_space = gym.spaces.Box(-1, 1, (ACTION_DIM,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed == FakeScene.fail_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        facts = (options or {}).get("facts") or random_facts(self.np_random)
        shade = 20 * len(facts.things) + 5 * sum(p is not None for p in facts.gripper_pos_world)
        picture = np.full((*self.image_size, 3), shade, np.uint8)
        return {"pixels": dict.fromkeys(self.cameras, picture)}, {"scene": facts}

    def close(self):
        pass


def random_facts(rng):
    names = ("cube", "ball", "star", "round_button", "cross_button", "plate", "bowl")
    colours = ("red", "green", "purple", "white")
    things = []
    for _ in range(int(rng.integers(1, 6))):
        things.append(
            SceneThing(
                category=names[int(rng.integers(len(names)))],
                colour=colours[int(rng.integers(len(colours)))],
                pos_world=(float(rng.uniform(-0.24, 0.24)), float(rng.uniform(-0.12, 0.12)), 0.0),
            )
        )
    if rng.random() < 0.5:
        text = "ACEH"[int(rng.integers(4))]
        things.append(
            SceneThing(category="label", colour="white", pos_world=(0.2, 0.1, 0.0), text=text)
        )
    return SceneFacts(things=tuple(things))


def register():
    for name, cls in ((TASK_ID, FakeTask), (SCENE_ID, FakeScene)):
        if name not in gym.registry:
            gym.register(id=name, entry_point=lambda cls=cls, **kwargs: cls(**kwargs))


@pytest.fixture(autouse=True)
def _fake_worlds():
    register()
    yield
    FakeScene.fail_at = -1


@pytest.fixture(scope="session")
def demonstrations(tmp_path_factory):
    """A small recorded dataset; tests that break it copy it first."""
    register()
    config = DemonstrationConfig(
        env_ids=(TASK_ID,), episodes_per_env=23, image_size=(32, 48), cameras=("primary", "top")
    )
    return collect_demonstrations(config, tmp_path_factory.mktemp("demos") / "data")


@pytest.fixture
def scene_id():
    return SCENE_ID


@pytest.fixture
def task_id():
    return TASK_ID


@pytest.fixture
def fill_disk_at():
    """Makes the scene world report a full disk at a seed; -1 mends it."""

    def set_seed(seed):
        FakeScene.fail_at = seed

    return set_seed


@pytest.fixture(scope="session")
def make_facts():
    """Random facts by seed, duplicates included."""
    return lambda seed: random_facts(np.random.default_rng(seed))
