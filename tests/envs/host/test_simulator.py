"""What the hosts' objects share, without a simulator."""

import itertools

import numpy as np
import pytest

from uamsim.errors import ConfigError
from uamsim_envs.host.simulator import Simulator, place_circles

TABLE = (-0.4, 0.4, 0.0, 0.3)
FIXTURE = (-0.1, 0.1, 0.0, 0.3)


class Counter(Simulator):
    """Succeeds at the third action, fails at a negative one."""

    count = 0

    def _step(self, action: np.ndarray) -> tuple[bool, bool]:
        self.count += 1
        return self.count == 3, bool(action[0] < 0)


def test_a_chunk_ends_with_the_episode() -> None:
    counter = Counter()
    assert counter.advance(actions=np.ones((2, 1))) == {
        "steps": 2,
        "success": False,
        "failed": False,
    }
    assert counter.advance(actions=np.ones((5, 1)))["steps"] == 1
    assert Counter().advance(actions=np.array([[1.0], [-1.0], [1.0]])) == {
        "steps": 2,
        "success": False,
        "failed": True,
    }
    assert counter.next_action() is None
    assert counter.memory_bytes() > 1 << 20
    counter.original = object()
    with pytest.raises(ConfigError, match="a process holds one counter; this one has one already"):
        counter._check_first("counter")


def test_circles_stand_clear_of_what_is_there_and_of_each_other() -> None:
    radii = (0.05, 0.03, 0.04)
    circles = [(radius, TABLE) for radius in radii]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        places = place_circles(circles, [FIXTURE], rng, gap=0.01, tries=60)
        assert places is not None
        for (x, y), radius in zip(places, radii, strict=True):
            assert x - radius >= -0.4
            assert x + radius <= 0.4
            assert y - radius >= 0.0
            assert y + radius <= 0.3
            assert abs(x) - radius >= 0.1
        for (one, a), (other, b) in itertools.combinations(zip(places, radii, strict=True), 2):
            assert max(abs(one[0] - other[0]), abs(one[1] - other[1])) >= a + b + 0.01


def test_no_room_is_none() -> None:
    rng = np.random.default_rng(0)
    assert place_circles([(0.05, TABLE)], [TABLE], rng, gap=0.01, tries=5) is None
    left = place_circles(
        [(0.05, TABLE)] * 2, [], rng, gap=0.01, tries=60, allowed=lambda x, y: x < 0
    )
    assert left is not None
    assert all(x < 0 for x, _ in left)
