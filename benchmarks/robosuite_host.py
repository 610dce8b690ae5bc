"""What a simulator host costs, and how fast robosuite's tasks step behind it.

    python benchmarks/robosuite_host.py

Needs `uamsim install robosuite`. An empty call is a round trip to the host with an action's worth
of numbers; a step makes two, one to advance and one to look.
"""

import time
from collections.abc import Callable

import gymnasium as gym
import numpy as np

from uamsim_envs.robosuite.env import RobosuiteEnv
from uamsim_envs.robosuite.registration import TASKS

CALLS = 2000
STEPS = 200
CHUNK = 10


def seconds(function: Callable[[], object], count: int) -> float:
    """Median time of a call."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


def steps_per_second(env: RobosuiteEnv, chunk: int) -> float:
    env.reset(seed=0)
    actions = np.tile(env.rest_action(), (chunk, 1))
    env.step_chunk(actions)
    begun = time.perf_counter()
    for _ in range(STEPS // chunk):
        env.step_chunk(actions)
    return STEPS / (time.perf_counter() - begun)


def make(name: str, **kwargs) -> RobosuiteEnv:
    env = gym.make(f"uamsim/Robosuite-{name}-v0", disable_env_checker=True, **kwargs).unwrapped
    assert isinstance(env, RobosuiteEnv)
    return env


def main() -> None:
    env = make("Lift", cameras=("primary",), image_size=(480, 640))
    env.reset(seed=0)
    call = seconds(env.rest_action, CALLS)
    blind = {"cameras": (), "picture_step": 0, "proprio_step": 0}
    state = seconds(lambda: env.host.call("observe", **blind), 200)
    rest = env.rest_action()[None]
    step = seconds(lambda: env.host.call("advance", actions=rest), STEPS)
    print(f"an empty call             {1e6 * call:7.0f} us")
    print(f"an observation, no camera {1e6 * state:7.0f} us")
    print(f"a step without pictures   {1e6 * step:7.0f} us")
    env.close()
    print(f"\nsteps/s (2 or 3 cameras, 240x320, fast); chunks of {CHUNK}; no camera")
    for name in TASKS:
        env, blind_env = make(name), make(name, cameras=())
        rates = [steps_per_second(env, n) for n in (1, CHUNK)]
        rates.append(steps_per_second(blind_env, CHUNK))
        print(f"{name:<16}" + "".join(f"{rate:8.1f}" for rate in rates), flush=True)
        env.close()
        blind_env.close()


if __name__ == "__main__":
    main()
