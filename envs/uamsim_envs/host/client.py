"""The user's side: starts a simulator's process, calls its methods, and never waits for ever."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import uamsim
from uamsim.errors import (
    ConfigError,
    InvalidActionError,
    ProtocolError,
    RenderingUnavailableError,
    SceneError,
    SimulatorError,
)
from uamsim_envs.host import wire

SERVE = Path(__file__).with_name("serve.py")
START_TIMEOUT_S = 120.0
CALL_TIMEOUT_S = 120.0
"""A host that takes longer is taken to hang; the first call of a new install compiles for 20 s."""
CLOSE_TIMEOUT_S = 5.0
_SHOWN_LINES = 15
_KEPT = {
    cls.__name__: cls
    for cls in (ConfigError, InvalidActionError, RenderingUnavailableError, SceneError)
}
"""Errors that a host may raise as they are; all others become a ``SimulatorError``."""
_MAX_LOG_BYTES = 1 << 20


class Host:
    """One simulator in a process of its own.

    Attributes:
        pid: of the process.
        owner_pid: of the process that may talk to it; a fork must start its own.
        versions: package -> version, as the host found them.
    """

    def __init__(
        self,
        name: str,
        factory: str,
        *,
        python: Path | None = None,
        expected: Mapping[str, str] | None = None,
        path: Sequence[Path] = (),
        mend: str = "",
        start_timeout_s: float = START_TIMEOUT_S,
        call_timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Starts the process and compares versions.

        Args:
            name: of the simulator, for messages.
            factory: "module:callable" that makes the object whose methods are called.
            python: its interpreter; None takes this process's own.
            expected: package -> the version that it must have.
            path: further folders to import from.
            mend: what to do about wrong versions.
            start_timeout_s: until it must have greeted.
            call_timeout_s: until it must have answered a call.

        Raises:
            SimulatorError: it does not start, or has other versions.
        """
        self.name, self._mend, self._call_timeout_s = name, mend, call_timeout_s
        self.owner_pid = os.getpid()
        self._shared = wire.SharedMemory()
        self._channel, theirs = socket.socketpair()
        read_end, self._lifeline = os.pipe()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the host
        given = (theirs.fileno(), self._shared.fd, read_end)
        command = [str(python or sys.executable), "-I", str(SERVE), "--factory", factory]
        command += ["--parent", str(self.owner_pid)]
        for flag, fd in zip(("--channel", "--shared", "--lifeline"), given, strict=True):
            command += [flag, str(fd)]
        command += ["--uamsim", str(Path(uamsim.__path__[0]))]
        command += [word for folder in path for word in ("--path", str(folder))]
        command += [word for package in expected or () for word in ("--package", package)]
        process: subprocess.Popen[bytes] | None = None
        try:
            process = subprocess.Popen(
                command,
                pass_fds=given,
                stdin=subprocess.DEVNULL,
                # What a simulator prints must reach neither the channel nor the user's output.
                stdout=self._log,
                stderr=self._log,
                env={"OMP_NUM_THREADS": "1", **os.environ},
                # Ctrl-C in a terminal is for the user's process, which then closes this one.
                start_new_session=True,
            )
        except OSError as error:
            text = f"cannot start {name} with {command[0]}: {error}. {mend}"
            raise SimulatorError(text) from None
        finally:
            theirs.close()
            os.close(read_end)
            self._end = weakref.finalize(
                self, _end, self.owner_pid, process, self._channel, self._shared,
                self._lifeline, self._log,
            )  # fmt: skip
            if process is None:
                self._end()
        assert process is not None
        self._process, self.pid = process, process.pid
        self.versions: dict[str, str] = {}
        self._greet(start_timeout_s, dict(expected or {}))

    def _greet(self, timeout_s: float, expected: dict[str, str]) -> None:
        greeting = self._receive("greeting", "its start", timeout_s)
        self.versions = greeting["versions"]
        wrong = [
            f"{package} {self.versions.get(package) or 'missing'} instead of {version}"
            for package, version in expected.items()
            if self.versions.get(package) != version
        ]
        if greeting["protocol"] != wire.PROTOCOL:
            wrong.append(f"protocol {greeting['protocol']} instead of {wire.PROTOCOL}")
        if wrong:
            self._kill()
            raise SimulatorError(f"{self.name} has {', '.join(wrong)}. {self._mend}")

    def call(self, method: str, **arguments: Any) -> Any:
        """Calls a method of the simulator's object.

        Args:
            method: its name.
            arguments: JSON values and arrays.

        Returns:
            JSON values and arrays, which are the caller's own.

        Raises:
            SimulatorError: the simulator raised, hangs or has died. After the last two every call
                raises it.
            ConfigError, InvalidActionError, RenderingUnavailableError, SceneError: it raised one.
            ProtocolError: an argument that no message can hold.
        """
        if not self._end.alive:
            raise SimulatorError(f"{self.name} was closed, or died. Make the environment anew.")
        if os.getpid() != self.owner_pid:
            raise SimulatorError(
                f"{self.name} belongs to process {self.owner_pid}, not to its fork {os.getpid()}. "
                "Make the environment in the process that uses it."
            )
        self._channel.settimeout(self._call_timeout_s)
        try:
            wire.send(self._channel, {"call": method, "arguments": arguments}, None)
        except ProtocolError:
            raise  # nothing was sent
        except TimeoutError:
            raise self._hangs(method, self._call_timeout_s) from None
        except OSError:
            raise self._died(method) from None
        except BaseException:
            self._kill()  # half a message may have been sent
            raise
        reply = self._receive("reply", method, self._call_timeout_s)
        if "value" in reply:
            return reply["value"]
        if reply["error"] in _KEPT:
            raise _KEPT[reply["error"]](reply["message"])
        raise SimulatorError(
            f"{self.name} failed in {method}: {reply['error']}: {reply['message']}\n"
            f"{reply['trace']}"
        )

    def _receive(self, kind: str, during: str, timeout_s: float) -> dict[str, Any]:
        try:
            message = wire.receive(self._channel, kind, self._shared, time.monotonic() + timeout_s)
        except TimeoutError:
            raise self._hangs(during, timeout_s) from None
        except OSError:
            raise self._died(during) from None
        except BaseException:
            self._kill()  # half a message may be left in the channel
            raise
        if message is None:
            raise self._died(during)
        self._trim_log()
        return message

    def _hangs(self, during: str, timeout_s: float) -> SimulatorError:
        lines = self._last_lines()
        self._kill()
        return SimulatorError(
            f"{self.name} (process {self.pid}) gave no answer to {during} for {timeout_s:g} s and "
            f"was killed. Make the environment anew. {lines}"
        )

    def _died(self, during: str) -> SimulatorError:
        try:
            status = self._process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL  # it closed the channel and goes on
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended ({status})"
        lines = self._last_lines()
        self._kill()
        return SimulatorError(
            f"{self.name} (process {self.pid}) {how} during {during}. Make the environment anew. "
            f"{lines}"
        )

    def _last_lines(self) -> str:
        self._log.seek(max(0, os.fstat(self._log.fileno()).st_size - 8192))
        lines = self._log.read().decode(errors="replace").strip().splitlines()[-_SHOWN_LINES:]
        return "Its last lines:\n" + "\n".join(lines) if lines else "It printed nothing."

    def _trim_log(self) -> None:
        if os.fstat(self._log.fileno()).st_size > _MAX_LOG_BYTES:
            self._log.truncate(0)

    def _kill(self) -> None:
        self._process.kill()
        self._end()

    def close(self) -> None:
        """Ends the process; may be called twice."""
        self._end()


def _end(
    owner_pid: int,
    process: "subprocess.Popen[bytes] | None",
    channel: socket.socket,
    shared: wire.SharedMemory,
    lifeline: int,
    log: IO[bytes],
) -> None:
    channel.close()  # which an idle host takes as the end
    if process is not None and os.getpid() == owner_pid:
        try:
            process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    os.close(lifeline)
    shared.close()
    log.close()
