"""CALVIN behind a host beside calvin_env's own loop: speed, states, resets, memory.

    python benchmarks/rollout_calvin.py

Needs `uamsim install calvin`. Both have both cameras with CALVIN's own settings, one process each.
Rounds of the two alternate, so that both meet the same load; a ratio is the median of the rounds'.
Prints the tables of docs/results/rollout_calvin.md.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from uamsim.simulators import find_installation
from uamsim_envs.calvin.env import CalvinEnv
from uamsim_envs.calvin.registration import SCENES, SIMULATOR
from uamsim_envs.host.client import Host

CHUNK = 10
STEPS = 120
NEVER_DONE = "turn_off_led"
"""A task that none of these episodes does, so that none of them ends."""
MIB = 2**20


def make(scene: str, **kwargs: Any) -> CalvinEnv:
    env = gym.make(f"uamsim/Calvin-{scene}-v0", disable_env_checker=True, **kwargs).unwrapped
    assert isinstance(env, CalvinEnv)
    return env


def make_original(scene: str) -> Host:
    installation = find_installation(SIMULATOR)
    host = Host(
        "calvin_env",
        "calvin_original:Loop",
        python=installation.python,
        path=[Path(__file__).parent.absolute()],
    )
    host.call("open", checkout=str(installation.checkout("calvin_env")), scene=scene)
    return host


def a_demonstration(env: CalvinEnv) -> tuple[dict[str, Any], np.ndarray]:
    """A start, as options of ``reset``, and what the expert of a task did from there."""
    observation, info = env.reset(seed=0, options={"task": "lift_blue_block_slider"})
    robot_obs = observation["agent_pos"].astype(np.float64)
    start = {"robot_obs": robot_obs, "scene_obs": info["scene_obs"]}
    actions, _ = env.play(env.expert(np.random.default_rng(0)), STEPS)
    # Once more for as long as it takes: the gripper opens and closes on the way back.
    back = actions[::-1] * np.float32(-1.0)
    return start, np.resize(np.concatenate([actions, back]), (STEPS, 7))


def run(env: CalvinEnv, start: dict[str, Any], actions: np.ndarray, chunk: int) -> float:
    """Seconds of the steps of one episode."""
    env.reset(seed=0, options={"task": NEVER_DONE, **start})
    begun = time.perf_counter()
    for first in range(0, len(actions), chunk):
        env.step_chunk(actions[first : first + chunk])
    return time.perf_counter() - begun


def speed(rounds: int) -> None:
    """Steps a second of the original and of each way of ours."""
    ways: dict[str, tuple[dict[str, Any], int]] = {
        "step by step": ({}, 1),
        f"chunks of {CHUNK}": ({}, CHUNK),
        f"chunks of {CHUNK}, tiny-lowpoly": ({"render_profile": "tiny-lowpoly"}, CHUNK),
        f"chunks of {CHUNK}, egl": ({"render_profile": "egl"}, CHUNK),
        f"chunks of {CHUNK}, no camera": ({"cameras": ()}, CHUNK),
    }
    original, envs = make_original("D"), {way: make("D", **k) for way, (k, _) in ways.items()}
    start, actions = a_demonstration(next(iter(envs.values())))
    seconds: dict[str, list[float]] = {"calvin_env": [], **{way: [] for way in ways}}
    for number in range(rounds + 1):
        took = original.call("run", **start, actions=actions)["seconds"]
        times = {"calvin_env": took}
        times |= {way: run(envs[way], start, actions, chunk) for way, (_, chunk) in ways.items()}
        if number:  # the first warms all of them
            for way, value in times.items():
                seconds[way].append(value)
    print("| scene D, both cameras | steps/s | times calvin_env |\n|---|---|---|")
    base = np.array(seconds["calvin_env"])
    for way, values in seconds.items():
        ratio = float(np.median(base / np.array(values)))
        print(f"| {way} | {STEPS / np.median(values):.1f} | {ratio:.1f} |")
    original.close()
    for env in envs.values():
        env.close()


def states() -> None:
    """Whether the physics is calvin_env's own."""
    print("\n| scene | states that equal calvin_env's to the bit |\n|---|---|")
    for scene in SCENES:
        original, env = make_original(scene), make(scene, render_profile="tiny-lowpoly")
        start, actions = a_demonstration(env)
        theirs = original.call("run", **start, actions=actions)
        env.reset(seed=0, options={"task": NEVER_DONE, **start})
        same = taken = 0
        for first in range(0, len(actions), CHUNK):
            *_, info = env.step_chunk(actions[first : first + CHUNK])
            taken, last = taken + 1, first + CHUNK - 1
            same += bool(
                (env.state()["robot_obs"] == theirs["robot_obs"][last]).all()
                and (info["scene_obs"] == theirs["scene_obs"][last]).all()
            )
        print(f"| {scene} | {same} of {taken}, each after {CHUNK} steps |")
        original.close()
        env.close()


def cpu_seconds(env: CalvinEnv) -> float:
    """What this process and the host have computed for."""
    fields = Path(f"/proc/{env.host.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resets(episodes: int) -> None:
    """How long a reset takes with its first pictures, and what many of them leave behind."""
    env, sizes = make("D"), []
    start, actions = a_demonstration(env)
    given, drawn = [], []

    def reset(times: list[tuple[float, float]], seed: int, options: dict[str, Any]) -> None:
        begun = time.perf_counter(), cpu_seconds(env)
        env.reset(seed=seed, options=options)
        times.append((time.perf_counter() - begun[0], cpu_seconds(env) - begun[1]))

    for seed in range(episodes):
        reset(drawn, seed, {})
        env.step_chunk(actions[:CHUNK])
        if seed % 10 == 0:
            reset(given, seed, {"task": NEVER_DONE, **start})
        sizes.append(env.host.call("memory_bytes"))
    print("\n| reset, with both pictures | median | of it computing | 90% compute below |")
    print("|---|---|---|---|")
    for name, times in (("from a given state", given), ("from a start drawn for a task", drawn)):
        wall, cpu = np.array(times).T
        figures = (np.median(wall), np.median(cpu), np.quantile(cpu, 0.9))
        print(f"| {name} | " + " | ".join(f"{figure:.2f} s" for figure in figures) + " |")
    grown = (sizes[-1] - sizes[9]) / MIB
    print(f"\n{episodes} episodes: {sizes[-1] / MIB:.0f} MiB, {grown:+.1f} MiB since the tenth.")
    env.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--episodes", type=int, default=200)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    speed(options.rounds)
    states()
    resets(options.episodes)
    print(f"\nLoad average {load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
