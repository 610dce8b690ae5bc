"""One measurement of rollout_aloha.py, in a process of its own on one core.

Runs under gym-aloha's interpreter too, so it imports the standard library, numpy and gymnasium,
and names everything of the environments as a path of attributes. The job is the argument, as
JSON; the result is the last line of the output, as JSON.
"""

import importlib
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

NUM_CHUNKS = 100
"""Chunks of random actions, drawn before the clock starts and played in a circle."""


class Clock:
    """CPU time spent in named parts, each without the parts it calls.

    Attributes:
        seconds: part -> CPU time since the last ``clear``.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]

    def wrap(self, owner: Any, name: str, part: str) -> None:
        """Counts the CPU time in ``owner.name`` under ``part``."""
        function: Callable[..., Any] = getattr(owner, name)
        self.seconds.setdefault(part, 0.0)

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            start = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.process_time() - start
                self.seconds[part] += took - self._inner.pop()
                self._inner[-1] += took

        setattr(owner, name, timed)

    def clear(self) -> None:
        """Forgets what was counted."""
        self.seconds = dict.fromkeys(self.seconds, 0.0)


def rss_mb() -> float:
    """Memory of this process that lies in RAM (MB)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def make(job: dict[str, Any]) -> gym.Env[Any, Any]:
    """The job's environment, as ``gym.make`` gives it."""
    return gym.make(job["env_id"], **job["kwargs"])


def draw_only(env: gym.Env[Any, Any], camera: str) -> None:
    """Leaves gym-aloha one picture a step; of itself it draws three and returns one."""
    physics = env.unwrapped._env.physics  # type: ignore[attr-defined]
    draw, blank = physics.render, np.zeros((480, 640, 3), np.uint8)

    def render(*, camera_id: str, **size: int) -> np.ndarray:
        return draw(camera_id=camera_id, **size) if camera_id == camera else blank

    physics.render = render


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Control steps a second under random actions, and the parts of the CPU time."""
    env = make(job)
    play = Player(env, chunk=job["chunk"])
    if job["only_camera"]:
        draw_only(env, job["only_camera"])
    play.reset(seed=0)
    play.run(min(2.0, job["seconds"]))
    busy = time.process_time()
    steps, resets, seconds = play.run(job["seconds"])
    busy = time.process_time() - busy
    result = {"rate": steps / seconds, "cpu_rate": steps / busy, "steps": steps, "resets": resets}
    if job["parts"]:
        roots = {"env": env.unwrapped, "mujoco": importlib.import_module("mujoco")}
        clock = Clock()
        for path, part in job["parts"].items():
            root, *owners, name = path.split(".")
            owner: Any = roots[root]
            for step in owners:
                owner = getattr(owner, step)
            clock.wrap(owner, name, part)
        play.run(0.5)
        clock.clear()
        busy = time.process_time()
        steps = play.run(job["seconds"])[0]
        busy = time.process_time() - busy
        rest = busy - sum(clock.seconds.values())
        result |= {
            "parts": {
                part: {"share": took / busy, "ms_a_step": 1e3 * took / steps}
                for part, took in (clock.seconds | {"other Python": rest}).items()
            }
        }
    env.close()
    return result


class Player:
    """Plays random actions, one step or one chunk at a time, with resets as they occur."""

    def __init__(self, env: gym.Env[Any, Any], *, chunk: int) -> None:
        space: Any = env.action_space
        rng = np.random.default_rng(0)
        shape = (NUM_CHUNKS, chunk, *space.shape)
        self._chunks = rng.uniform(space.low, space.high, shape).astype(space.dtype)
        self._chunk, self._next = chunk, 0
        self._env: Any = env if chunk == 1 else env.unwrapped
        self._num_steps = 0

    def reset(self, *, seed: int | None = None) -> None:
        """Starts an episode."""
        self._env.reset(seed=seed)
        self._num_steps = 0

    def run(self, seconds: float) -> tuple[int, int, float]:
        """(control steps, resets, seconds); goes on with the episode under way."""
        steps = resets = 0
        start = time.perf_counter()
        while (took := time.perf_counter() - start) < seconds:
            chunk = self._chunks[self._next]
            self._next = (self._next + 1) % NUM_CHUNKS
            if self._chunk == 1:
                _, _, terminated, truncated, _ = self._env.step(chunk[0])
                steps += 1
            else:
                _, _, terminated, truncated, info = self._env.step_chunk(chunk)
                steps += info["num_steps"] - self._num_steps
                self._num_steps = info["num_steps"]
            if terminated or truncated:
                self.reset()
                resets += 1
        return steps, resets, took


def measure_memory(job: dict[str, Any]) -> dict[str, Any]:
    """MB of the first environment and of each further one, all of them in use at once."""
    bare = rss_mb()
    envs, sizes = [], []
    for index in range(job["count"]):
        env = make(job)
        env.reset(seed=index)
        for _ in range(3):
            env.step(env.action_space.sample())
        envs.append(env)
        sizes.append(rss_mb())
    for env in envs:
        env.reset()
        env.step(env.action_space.sample())
    total = rss_mb()
    for env in envs:
        env.close()
    return {
        "process": sizes[0],
        "first": sizes[0] - bare,
        "further": (total - sizes[0]) / (job["count"] - 1),
        "count": job["count"],
    }


def measure_resets(job: dict[str, Any]) -> dict[str, Any]:
    """MB after a tenth of the resets and after all of them."""
    env = make(job)
    early, start = 0.0, time.perf_counter()
    for index in range(job["count"]):
        if index == job["count"] // 10:
            early = rss_mb()
        env.reset(seed=index)
    seconds = time.perf_counter() - start
    late = rss_mb()
    env.close()
    return {"early": early, "late": late, "count": job["count"], "seconds": seconds}


def main() -> None:
    """Runs the job on its core."""
    job = json.loads(sys.argv[1])
    os.sched_setaffinity(0, {job["core"]})
    kinds = {"speed": measure, "memory": measure_memory, "resets": measure_resets}
    result = kinds[job["kind"]](job)
    result["mujoco"] = importlib.metadata.version("mujoco")
    print(json.dumps(result), flush=True)
    # dm_control's GL objects raise when the interpreter is taken down.
    os._exit(0)


if __name__ == "__main__":
    main()
