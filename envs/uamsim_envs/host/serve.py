"""The simulator's side: ``python -I serve.py ...`` in its own interpreter, started by ``client``.

It calls the public methods of one object, one at a time, until its client closes or dies.
"""

import argparse
import fcntl
import importlib
import importlib.metadata
import os
import platform
import signal
import socket
import sys
import threading
import time
import traceback
import types
from pathlib import Path
from typing import Any

_F_SETSIG = 10
"""Linux's ``fcntl`` command, which Python does not name."""


def main() -> None:
    """Greets, then answers."""
    parser = argparse.ArgumentParser()
    for name in ("channel", "shared", "lifeline", "parent"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--uamsim", type=Path, required=True)
    parser.add_argument("--path", action="append", default=[])
    parser.add_argument("--package", action="append", default=[])
    parser.add_argument("--factory", required=True)
    options = parser.parse_args()
    die_with_parent(options.lifeline, options.parent)
    open_packages(uamsim=options.uamsim, uamsim_envs=Path(__file__).parents[1])
    sys.path.extend(options.path)
    from uamsim_envs.host import wire

    channel = socket.socket(fileno=options.channel)
    shared = wire.SharedMemory(options.shared)
    versions = {"python": platform.python_version()}
    versions |= {name: _version(name) for name in options.package}
    wire.send(channel, {"protocol": wire.PROTOCOL, "versions": versions}, None)
    module, _, name = options.factory.partition(":")
    simulator: Any = None
    while (request := wire.receive(channel, "request", None)) is not None:
        try:
            if simulator is None:
                simulator = getattr(importlib.import_module(module), name)()
            reply = {"value": _call(simulator, request)}
            wire.send(channel, reply, shared)
        except Exception as error:
            answer = {
                "error": type(error).__name__,
                "message": str(error),
                "trace": traceback.format_exc(),
            }
            wire.send(channel, answer, None)
    if simulator is not None and hasattr(simulator, "close"):
        simulator.close()
    sys.stderr.flush()
    os._exit(0)  # tearing an interpreter down that has compiled and rendered takes a second


def die_with_parent(lifeline: int, parent: int) -> None:
    """Ends this process when the other end of a pipe is closed, by whatever end its owner has.

    Args:
        lifeline: the end to read, on which nothing is ever written.
        parent: process id of the pipe's owner.
    """
    if sys.platform.startswith("linux"):
        # The kernel does it, also while a library hangs with Python's lock in its hands.
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)

    def watch() -> None:
        # Covers what closed before the signal was asked for, and a parent whose forks live on.
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def open_packages(**folders: Path) -> None:
    """Makes packages importable without what their ``__init__`` and their neighbours import.

    Args:
        folders: name -> where its modules are.
    """
    for name, folder in folders.items():
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _call(simulator: Any, request: dict[str, Any]) -> Any:
    name, arguments = request["call"], request["arguments"]
    method = None if name.startswith("_") else getattr(simulator, name, None)
    if not callable(method):
        raise AttributeError(f"{type(simulator).__name__} has no method {name!r}")
    return method(**arguments)


if __name__ == "__main__":
    main()
