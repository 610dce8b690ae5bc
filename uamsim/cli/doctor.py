"""`uamsim doctor`: what works on this machine, what does not, and the mend.

Everything that could crash or hang is tried in a process of its own.
"""

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Status = Literal["ok", "warning", "broken"]

MIN_PYTHON = (3, 11)
MIN_FREE_GIB = 5.0
GL_BACKENDS = ("egl", "osmesa")
GL_PACKAGES = {
    "Debian, Ubuntu": "apt-get install libegl1 libgl1 libgl1-mesa-dri libosmesa6",
    "Fedora, RHEL": "dnf install mesa-libEGL mesa-dri-drivers mesa-libOSMesa",
    "conda": "conda install -c conda-forge mesalib libegl libgl",
}
_ROOT = Path(__file__).parents[2]

_RENDER = """
import importlib, os
import numpy as np
backend = os.environ["MUJOCO_GL"]
os.environ.setdefault("LP_NUM_THREADS", "0")
context = importlib.import_module(f"mujoco.{backend}").GLContext(64, 48)
context.make_current()
import mujoco
model = mujoco.MjModel.from_xml_string('''<mujoco><visual><global offwidth="64" offheight="48"/>
</visual><worldbody><light pos="0 0 3"/><geom type="sphere" size=".4" rgba="1 0 0 1"/>
<camera name="c" pos="0 -2 0" xyaxes="1 0 0 0 0 1"/></worldbody></mujoco>''')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
mjr = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, mjr)
scene = mujoco.MjvScene(model, maxgeom=10)
camera = mujoco.MjvCamera()
camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED.value, 0
mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), mujoco.MjvPerturb(), camera,
                       mujoco.mjtCatBit.mjCAT_ALL.value, scene)
rect = mujoco.MjrRect(0, 0, 64, 48)
mujoco.mjr_render(rect, scene, mjr)
picture = np.empty((48, 64, 3), np.uint8)
mujoco.mjr_readPixels(picture, None, rect, mjr)
centre, corner = picture[24, 32].astype(int), picture[1, 1].astype(int)
if centre[0] < 60 or centre[0] < 3 * centre[2] or corner[0] > 40:
    raise SystemExit(f"a wrong picture: centre {centre}, corner {corner}")
mjr.free()
"""

_TORCH = """
import torch
loss = torch.nn.Linear(8, 8)(torch.ones(2, 8)).sum()
loss.backward()
gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(f"{torch.__version__}, {torch.get_num_threads()} CPU threads, "
      + (", ".join(gpus) if gpus else "no CUDA device"))
"""

_RAY = """
import logging, ray
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
answer = ray.get(ray.remote(lambda: 42).remote())
ray.shutdown()
raise SystemExit(0 if answer == 42 else "a wrong answer from a worker")
"""

_VIDEO = """
import io
import av
import numpy as np
buffer = io.BytesIO()
with av.open(buffer, "w", format="mp4") as file:
    stream = file.add_stream("libx264", rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for level in (0, 120, 240):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8))
        file.mux(stream.encode(frame))
    file.mux(stream.encode())
buffer.seek(0)
with av.open(buffer) as file:
    means = [f.to_ndarray(format="rgb24").mean() for f in file.decode(video=0)]
if len(means) != 3 or abs(means[1] - 120) > 12:
    raise SystemExit(f"decoded {means}, wrote 0, 120, 240")
print(f"h264 through PyAV {av.__version__}")
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What one look found.

    Attributes:
        name: what was looked at.
        status: "broken" where something needed does not work; "warning" where it can do without.
        found: what is there.
        mend: what to do, or "".
    """

    name: str
    status: Status
    found: str
    mend: str = ""


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim doctor``; ``--gl`` looks at rendering alone and prints the
            backend that works.

    Returns:
        0 where everything that is needed works, else 1.
    """
    parser = argparse.ArgumentParser(
        prog="uamsim doctor", description="Says what works on this machine, and the mend."
    )
    parser.add_argument(
        "--gl", action="store_true", help="look at headless rendering only; print its backend"
    )
    if parser.parse_args(list(argv)).gl:
        return _gl_only()
    broken = 0
    for look in CHECKS:
        check = look()
        broken += check.status == "broken"
        print(_line(check), flush=True)
    print(f"\n{broken} broken." if broken else "\nEverything that is needed works.")
    return 1 if broken else 0


def _gl_only() -> int:
    backend, failures = find_gl()
    if backend is not None:
        print(backend)
        return 0
    print(f"MuJoCo cannot render without a display ({failures}).", file=sys.stderr)
    print(_gl_mend(), file=sys.stderr)
    return 1


def _line(check: Check) -> str:
    mark = {"ok": "ok     ", "warning": "warning", "broken": "BROKEN "}[check.status]
    text = f"{mark}  {check.name:<18} {check.found}"
    if check.mend:
        text += "".join(f"\n{'':>9}{line}" for line in check.mend.splitlines())
    return text


def run_probe(
    code: str,
    *,
    env: dict[str, str] | None = None,
    timeout_s: float = 120,
    python: Sequence[str] = (sys.executable,),
) -> tuple[bool, str]:
    """Runs Python code in a process of its own.

    Args:
        code: what to run.
        env: added to this process's environment.
        timeout_s: after which it is given up.
        python: interpreter, with its flags.

    Returns:
        Whether it exited with 0, and its last line of output.
    """
    try:
        done = subprocess.run(
            [*python, "-c", code],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env={**os.environ, **(env or {})},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer after {timeout_s:.0f} s"
    ok = done.returncode == 0
    lines = (done.stdout if ok else done.stderr or done.stdout).strip().splitlines()
    if done.returncode < 0:
        return False, f"killed by signal {-done.returncode}"
    return ok, lines[-1] if lines else ""


def find_gl() -> tuple[str | None, str]:
    """The first backend that renders a right picture, or None, and why the others do not.

    ``MUJOCO_GL`` narrows the search to one, as it does for the environments.
    """
    wanted = os.environ.get("MUJOCO_GL", "").lower()
    failures = []
    for backend in (wanted,) if wanted in GL_BACKENDS else GL_BACKENDS:
        ok, message = run_probe(_RENDER, env={"MUJOCO_GL": backend})
        if ok:
            return backend, "; ".join(failures)
        failures.append(f"{backend}: {message}")
    return None, "; ".join(failures)


def _gl_mend() -> str:
    return "Install Mesa:\n" + "\n".join(
        f"  {system}: {command}" for system, command in GL_PACKAGES.items()
    )


def check_python() -> Check:
    """The interpreter is new enough."""
    found = f"{sys.version.split()[0]} at {sys.executable}"
    if sys.version_info >= MIN_PYTHON:
        return Check(name="python", status="ok", found=found)
    mend = "Install Python >= 3.11 and make the environment again: make clean venv PYTHON=..."
    return Check(name="python", status="broken", found=found, mend=mend)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_constraints(text: str) -> dict[str, str]:
    """Package (normalised name) -> pinned version."""
    pins = (line.partition("#")[0].strip().partition("==") for line in text.splitlines())
    return {_normal(name): version for name, _, version in pins if version}


def check_packages(constraints: Path = _ROOT / "constraints.txt") -> Check:
    """Every package uamsim asks for is there, in the versions it was tested with."""
    required = [
        name.group()
        for line in importlib.metadata.requires("uamsim") or ()
        if "extra ==" not in line and (name := re.match(r"[\w.-]+", line))
    ]
    missing = [name for name in required if _installed(name) is None]
    reinstall = 'pip install -c constraints.txt -e ".[dev]"'
    if missing:
        return Check(
            name="packages", status="broken", found=f"missing: {', '.join(missing)}",
            mend=f"Run: {reinstall}",
        )  # fmt: skip
    if not constraints.is_file():
        return Check(name="packages", status="ok", found=f"all {len(required)} installed")
    differ = [
        f"{name} {have} instead of {pinned}"
        for name, pinned in read_constraints(constraints.read_text("utf-8")).items()
        # A local version such as 2.13.0+cpu is another build of the same release.
        if (have := _installed(name)) is not None and have.partition("+")[0] != pinned
    ]
    if not differ:
        return Check(name="packages", status="ok", found="as in constraints.txt")
    shown = ", ".join(differ[:4]) + (f" and {len(differ) - 4} more" if len(differ) > 4 else "")
    return Check(
        name="packages", status="warning", found=shown, mend=f"For what was tested: {reinstall}"
    )


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_gl() -> Check:
    """MuJoCo renders without a display, with a right picture."""
    backend, failures = find_gl()
    if backend is None:
        return Check(name="headless GL", status="broken", found=failures, mend=_gl_mend())
    found = f"{backend} renders" + (f" ({failures})" if failures else "")
    return Check(name="headless GL", status="ok", found=found)


def check_torch() -> Check:
    """Torch imports and differentiates."""
    ok, message = run_probe(_TORCH)
    mend = "" if ok else "Run: pip install -c constraints.txt --force-reinstall --no-deps torch"
    return Check(name="torch", status="ok" if ok else "broken", found=message, mend=mend)


def check_ray() -> Check:
    """Ray starts a worker; without it the inline runner still works."""
    ok, message = run_probe(_RAY, env={"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"})
    if ok:
        return Check(name="ray", status="ok", found=f"{_installed('ray')}, a worker answers")
    return Check(
        name="ray", status="warning", found=message,
        mend="Experiments run without it: --runner inline. Ray needs a few GiB in /dev/shm and "
        "/tmp.",
    )  # fmt: skip


def check_cache() -> Check:
    """The cache can be written and has room."""
    from uamsim.orchestration.artifacts.store import default_root

    folder = default_root()
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    mend = "Point UAMSIM_CACHE to a folder with room."
    if not os.access(nearest, os.W_OK):
        return Check(name="cache", status="broken", found=f"{folder} cannot be written", mend=mend)
    free = shutil.disk_usage(nearest).free / 2**30
    found = f"{folder}, {free:.0f} GiB free"
    if free < MIN_FREE_GIB:
        return Check(name="cache", status="broken", found=found, mend=mend)
    return Check(name="cache", status="ok", found=found)


def check_process() -> Check:
    """The allocator's tuning reaches processes that uamsim starts."""
    from uamsim.runtime import MALLOC_ENV, process_environment

    if not sys.platform.startswith("linux"):
        return Check(name="malloc", status="ok", found="not glibc; nothing to tune")
    own = {name: value for name, value in process_environment().items() if name in MALLOC_ENV}
    changed = [name for name, value in own.items() if value != MALLOC_ENV[name]]
    if changed:
        return Check(
            name="malloc", status="warning",
            found=", ".join(f"{name}={own[name]}" for name in changed),
            mend=f"Set by you; for what was measured: unset {' '.join(changed)}",
        )  # fmt: skip
    return Check(name="malloc", status="ok", found="tuned when an experiment starts")


def check_video() -> Check:
    """A video can be written and read."""
    ok, message = run_probe(_VIDEO)
    mend = "" if ok else "Run: pip install -c constraints.txt --force-reinstall --no-deps av"
    return Check(name="video", status="ok" if ok else "broken", found=message, mend=mend)


def check_font() -> Check:
    """A font for Chinese captions of videos."""
    from uamsim.evaluation.videos import chinese_font_path

    path = chinese_font_path()
    if path is not None:
        return Check(name="Chinese font", status="ok", found=str(path))
    return Check(
        name="Chinese font", status="warning", found="none; video captions use pinyin",
        mend="For Chinese captions: apt-get install fonts-noto-cjk, "
        "dnf install google-noto-sans-cjk-fonts",
    )  # fmt: skip


def check_models() -> Check:
    """Pretrained tiny models came with the package."""
    from uamsim.orchestration.artifacts.store import SHIPPED_ROOT

    shipped = sorted({path.parent.name for path in SHIPPED_ROOT.glob("*/*.safetensors")})
    if shipped:
        return Check(name="shipped models", status="ok", found=", ".join(shipped))
    return Check(
        name="shipped models", status="warning", found="none",
        mend="The first experiment pretrains them, which takes longer.",
    )  # fmt: skip


def check_simulators() -> Check:
    """Foreign simulators; each is needed for its own environments alone."""
    from uamsim.cli.foreign import examine_simulators

    found, mends = examine_simulators(run_probe)
    status = "warning" if mends else "ok"
    return Check(name="simulators", status=status, found=", ".join(found), mend="\n".join(mends))


CHECKS: tuple[Callable[[], Check], ...] = (
    check_python,
    check_packages,
    check_gl,
    check_torch,
    check_ray,
    check_cache,
    check_process,
    check_video,
    check_font,
    check_models,
    check_simulators,
)
"""In the order in which they are shown."""
