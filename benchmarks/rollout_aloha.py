"""How many control steps a core rolls out: these environments beside gym-aloha.

    python benchmarks/rollout_aloha.py            # some minutes; installs gym-aloha once
    python benchmarks/rollout_aloha.py --resets 1000 --seconds 3

Both are measured on the same core in one go, in turns, each time in a new process. Prints
Markdown, and exits with 1 where a target is missed. Linux only: it pins processes to a core.

- *As used*: gym-aloha's ``env.step`` with pixels and its defaults, against ``step_chunk`` of 24
  actions with three pictures, at 480x640 as gym-aloha's or as ``--image-size`` says.
- *Equal*: one picture of one camera a step on both sides, equally large. gym-aloha draws three
  pictures a step and returns one; for this it is kept from drawing the other two.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from uamsim.orchestration.artifacts.store import default_root

GYM_ALOHA = "gym-aloha==0.1.5"
GYM_ALOHA_ID = "gym_aloha:gym_aloha/AlohaTransferCube-v0"
WORKER = Path(__file__).with_name("rollout_worker.py")
CHUNK = 24
CAMERAS = ("primary", "left_wrist", "right_wrist")
THEIR_IMAGE_SIZE = (480, 640)
TARGET_AS_USED, TARGET_EQUAL = 100.0, 5.0
TARGET_MB = 300.0
TARGET_GROWTH_MB = 5.0
"""Over nine tenths of the resets; a leak of one picture a reset would be thousands."""
RATES = ("rate", "cpu_rate")
"""By the clock, and by the time on the CPU, which other processes do not disturb."""
OUR_PARTS = {
    "env.world.step": "physics",
    "env.world.render": "pictures: positions, copying",
    "mujoco.mjv_updateScene": "pictures: scene",
    "mujoco.mjr_render": "pictures: draw",
    "mujoco.mjr_readPixels": "pictures: rasterise and read",
    "env.world.command": "servo targets, inverse kinematics",
    "env._judge": "judging success",
    "env.reset": "laying out episodes",
}
THEIR_PARTS = {
    "env._env.physics.step": "physics",
    "env._env.physics.render": "pictures",
    "env.reset": "laying out episodes",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is measured.

    Attributes:
        env: ids of the environments that are set beside gym-aloha.
        gym_aloha_python: an interpreter that has gym-aloha; one is made where none is given.
        seconds: of each measurement.
        rounds: measurements of each kind.
        resets: for the growth of memory.
        environments: alive at once, for memory.
        image_size: height and width of our pictures as used; gym-aloha's are 480x640.
        gl: MuJoCo's backend, the same on both sides.
    """

    env: tuple[str, ...] = ("uamsim/AlohaPickPlace-v0", "uamsim/AlohaPressButton-v0")
    gym_aloha_python: Path | None = None
    seconds: float = 8.0
    rounds: int = 3
    resets: int = 10_000
    environments: int = 9
    image_size: tuple[int, int] = THEIR_IMAGE_SIZE
    gl: Literal["egl", "osmesa"] = "egl"


def install_gym_aloha() -> Path:
    """An interpreter with gym-aloha, which needs an older MuJoCo, from an environment of its own.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    folder = default_root() / "benchmarks" / GYM_ALOHA.replace("==", "-")
    python, marker = folder / "bin" / "python", folder / ".installed"
    if not marker.exists():
        print(f"Installing {GYM_ALOHA} into {folder}.", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", GYM_ALOHA]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        marker.touch()
    return python


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Runs jobs in worker processes on one core."""

    theirs: Path
    core: int
    gl: str

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """The worker's result.

        Raises:
            RuntimeError: the worker failed.
        """
        python = str(self.theirs) if job["env_id"] == GYM_ALOHA_ID else sys.executable
        done = subprocess.run(
            [python, str(WORKER), json.dumps(job | {"core": self.core})],
            env=os.environ | {"MUJOCO_GL": self.gl},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{job['env_id']} failed:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])


def speed_job(options: Options, env_id: str, *, equal: bool, parts: bool) -> dict[str, Any]:
    """What the worker is asked for one speed."""
    theirs = env_id == GYM_ALOHA_ID
    ours: dict[str, Any] = {
        "image_size": THEIR_IMAGE_SIZE if equal else options.image_size,
        "cameras": CAMERAS[:1] if equal else CAMERAS,
    }
    return {
        "kind": "speed",
        "env_id": env_id if theirs else f"uamsim_envs:{env_id}",
        "kwargs": {"obs_type": "pixels"} if theirs else ours,
        "chunk": 1 if theirs or equal else CHUNK,
        "only_camera": "top" if theirs and equal else "",
        "parts": (THEIR_PARTS if theirs else OUR_PARTS) if parts else {},
        "seconds": options.seconds,
    }


def median_and_range(values: list[float], digits: int) -> str:
    """The median, with the range in brackets."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def report_speed(bench: Bench, options: Options) -> bool:
    """Prints the rates, the ratios and the parts of the time; whether the targets are met."""
    ids = (GYM_ALOHA_ID, *options.env)
    results: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for number in range(options.rounds):
        last = number == options.rounds - 1
        for equal in (False, True):
            for env_id in ids:
                job = speed_job(options, env_id, equal=equal, parts=last)
                results.setdefault((env_id, equal), []).append(bench.run(job))
    met = True
    print(
        "\n| | mode | control steps a second | a CPU second | ratio | in CPU time | target | |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    for (env_id, equal), runs in results.items():
        theirs = results[GYM_ALOHA_ID, equal]
        name, digits = ("gym-aloha", 1) if runs is theirs else (env_id, 0)
        cells = [name, "equal" if equal else "as used"]
        cells += [median_and_range([run[key] for run in runs], digits) for key in RATES]
        if runs is not theirs:
            ratios = {
                key: [run[key] / base[key] for run, base in zip(runs, theirs, strict=True)]
                for key in RATES
            }
            target = TARGET_EQUAL if equal else TARGET_AS_USED
            good = statistics.median(ratios["rate"]) >= target
            met &= good
            cells += [median_and_range(ratios[key], 0) for key in RATES]
            cells += [f"{target:.0f}", verdict(good)]
        print(f"| {' | '.join(cells)} |" + " |" * (8 - len(cells)))
    for (env_id, equal), runs in results.items():
        name = "gym-aloha" if env_id == GYM_ALOHA_ID else env_id
        report_parts(f"{name}, {'equal' if equal else 'as used'}", runs[-1]["parts"])
    return met


def report_parts(title: str, parts: dict[str, dict[str, float]]) -> None:
    """Prints where the CPU time of a control step goes."""
    pictures = sum(p["share"] for name, p in parts.items() if name.startswith("pictures"))
    physics = parts["physics"]["share"]
    print(
        f"\n{title}: physics {physics:.0%}, pictures {pictures:.0%}, "
        f"Python {1 - physics - pictures:.0%}.\n"
    )
    print("| part | share | CPU ms a control step |\n| --- | --- | --- |")
    for name, part in parts.items():
        print(f"| {name} | {part['share']:.1%} | {part['ms_a_step']:.3f} |")


def report_memory(bench: Bench, options: Options) -> bool:
    """Prints memory and its growth; whether the targets are met."""
    met = True
    print(
        "\n| | process with one (MB) | further environment (MB) | target | | "
        "MB after a tenth of the resets | after all | growth | target | | ms a reset |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for env_id in options.env:
        job = speed_job(options, env_id, equal=False, parts=False)
        size = bench.run(job | {"kind": "memory", "count": options.environments})
        grown = bench.run(job | {"kind": "resets", "count": options.resets})
        growth = grown["late"] - grown["early"]
        small = max(size["process"], size["further"]) < TARGET_MB
        steady = growth < TARGET_GROWTH_MB
        met &= small and steady
        print(
            f"| {env_id} | {size['process']:.0f} | {size['further']:.1f} | {TARGET_MB:.0f} "
            f"| {verdict(small)} | {grown['early']:.1f} | {grown['late']:.1f} | {growth:+.1f} "
            f"| {TARGET_GROWTH_MB:.0f} | {verdict(steady)} "
            f"| {1e3 * grown['seconds'] / grown['count']:.1f} |"
        )
    return met


def main(options: Options) -> int:
    """Runs everything; the exit status."""
    theirs = options.gym_aloha_python or install_gym_aloha()
    core = max(os.sched_getaffinity(0))
    bench = Bench(theirs=theirs, core=core, gl=options.gl)
    versions = [
        bench.run(speed_job(options, env_id, equal=True, parts=False) | {"seconds": 0.1})["mujoco"]
        for env_id in (options.env[0], GYM_ALOHA_ID)
    ]
    print(
        f"One core, {os.cpu_count()} in the machine; {platform.system()}, "
        f"Python {platform.python_version()}; MuJoCo {versions[0]} here, {versions[1]} under "
        f"{GYM_ALOHA}.\n"
        f"MUJOCO_GL={options.gl}; LP_NUM_THREADS="
        f"{os.environ.get('LP_NUM_THREADS', 'unset (uamsim sets 0 itself)')}.\n"
        f"As used: chunk {CHUNK}, cameras {', '.join(CAMERAS)}; pictures of "
        f"{options.image_size[0]}x{options.image_size[1]}; random actions, resets included; "
        f"{options.rounds} rounds of {options.seconds:.0f} s, median [range]; parts from one "
        f"further run; {options.resets} resets, {options.environments} environments for memory."
    )
    fast = report_speed(bench, options)
    lean = report_memory(bench, options)
    return 0 if fast and lean else 1


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Options)))
