"""How a process of this project must be started, memory allocator and threads, and its cache.

glibc reads these variables once, when a process starts. Without them, training a small model on
CPU spends most of its time in page faults of malloc: a forward pass took 3.1 s instead of 0.95 s.
One thread a process, because two single-thread jobs beat one job on two threads.
``uamsim.cli.main`` sees to the environment of every verb, ``limit_threads`` to PyTorch's own count.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

MALLOC_ENV: Mapping[str, str] = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "OMP_NUM_THREADS": "1",
}
"""Environment of every process that trains or rolls out on CPU."""


def process_environment() -> dict[str, str]:
    """``MALLOC_ENV``, with what the user has set for the same names kept."""
    return {name: os.environ.get(name, value) for name, value in MALLOC_ENV.items()}


def ensure_process_environment(argv: Sequence[str] | None = None) -> None:
    """Starts the current command again, in place, where its environment lacks ``MALLOC_ENV``.

    Returns if nothing is missing (so it can never loop) or if this is not Linux, and does not
    return otherwise.

    Args:
        argv: the whole command with the interpreter first; by default the one that is running.
    """
    missing = {name: value for name, value in MALLOC_ENV.items() if name not in os.environ}
    if not missing or not sys.platform.startswith("linux"):
        return
    command = list(sys.orig_argv if argv is None else argv)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *command[1:]], {**os.environ, **missing})


def limit_threads(count: int = 1) -> None:
    """Sets PyTorch's CPU threads in this process; every verb that computes with it calls this.

    PyTorch would take one a core, which is many times slower where other processes have the cores
    as well, and the last bits of a sum depend on how many there are. So trials and episodes have
    one, whatever the machine is and whatever ``OMP_NUM_THREADS`` says.

    Args:
        count: where somebody asked for more: ``uamsim serve --threads``, a measurement of latency.
    """
    import torch

    torch.set_num_threads(count)


def default_root() -> Path:
    """The cache: ``$UAMSIM_CACHE``, else "uamsim" in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("UAMSIM_CACHE") or Path(caches) / "uamsim").absolute()
