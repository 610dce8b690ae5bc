"""A host answers, or its client says what happened; and it never outlives its client."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uamsim.errors import ProtocolError, SceneError, SimulatorError
from uamsim_envs.host.client import Host

FOLDER = Path(__file__).parent
Start = Callable[..., Host]


def start_host(**options) -> Host:
    options = {"path": [FOLDER], "call_timeout_s": 120.0} | options
    return Host("fake", options.pop("factory", "fake_simulator:Fake"), **options)


@pytest.fixture(name="host", scope="module")
def _host() -> Iterator[Host]:
    host = start_host()
    yield host
    host.close()


@pytest.fixture(name="start")
def _start() -> Iterator[Start]:
    hosts: list[Host] = []

    def start(**options) -> Host:
        hosts.append(start_host(**options))
        return hosts[-1]

    yield start
    for host in hosts:
        host.close()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
).filter(lambda v: "$array" not in repr(v))


@given(value=json_values)
@settings(max_examples=80)
def test_json_values_come_back(host: Host, value: object) -> None:
    assert repr(host.call("echo", value=value)) == repr(value)


@given(
    dtype=st.sampled_from(["u1", "i2", "i8", "f4", "f8", "?", ">f4", ">i4"]),
    shape=st.lists(st.integers(0, 90), max_size=3).filter(lambda s: np.prod(s) < 100_000),
    seed=st.integers(0, 9),
)
def test_arrays_come_back(host: Host, dtype: str, shape: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 2, size=shape).astype(dtype)
    back = host.call("echo", value={"a": [values, values.T]})["a"]
    for got, sent in zip(back, (values, values.T), strict=True):
        assert got.dtype == sent.dtype.newbyteorder("=")
        np.testing.assert_array_equal(got, sent)


def test_pictures_are_the_callers_own(host: Host) -> None:
    first = host.call("picture", height=720, width=1280, level=7)
    second = host.call("picture", height=2000, width=2000, level=9)
    assert first["pixels"]["one"].shape == (720, 1280, 3)
    assert first["pixels"]["two"].shape == (360, 1280, 3)
    assert second["pixels"]["one"].shape == (2000, 2000, 3)
    assert first["pixels"]["one"][0, 0].tolist() == [1, 2, 3]
    assert (first["pixels"]["one"][1:] == 7).all()
    assert (second["pixels"]["two"][1:] == 9).all()
    first["pixels"]["one"][:] = 0  # may be written


def test_a_host_imports_nothing_of_the_users_environment(host: Host) -> None:
    loaded = host.call("modules")
    assert "uamsim_envs.host.wire" in loaded
    assert not {"gymnasium", "mujoco", "torch", "jaxtyping"} & set(loaded)


@pytest.mark.parametrize("value", [object(), {1: 2}, {1, 2}, np.array(["a"]), {"$array": 1}, b"x"])
def test_what_cannot_be_sent_says_so_and_harms_nothing(host: Host, value: object) -> None:
    with pytest.raises(ProtocolError, match="a message holds"):
        host.call("echo", value=value)
    assert host.call("echo", value=1) == 1


def test_errors_of_the_simulator_leave_it_running(host: Host) -> None:
    with pytest.raises(SceneError, match="there is no room"):
        host.call("no_room")
    with pytest.raises(SimulatorError, match=r"(?s)fake failed in fail: ValueError: no such thing"
                                             r".*fake_simulator\.py"):  # fmt: skip
        host.call("fail")
    with pytest.raises(SimulatorError, match=r"ProtocolError: a message holds .* not set"):
        host.call("unsendable")
    for name in ("_secret", "nothing"):
        with pytest.raises(SimulatorError, match="has no method"):
            host.call(name)
    with pytest.raises(SimulatorError, match="TypeError"):
        host.call("echo", other=1)
    assert host.call("echo", value=2) == 2


def test_much_output_is_no_matter(host: Host) -> None:
    for _ in range(4):
        host.call("chatter", num_bytes=1_500_000)
    assert os.fstat(host._log.fileno()).st_size < 4_000_000


def test_overhead_of_a_call(host: Host) -> None:
    action = np.zeros((1, 14), np.float32)
    times = []
    for _ in range(300):
        begun = time.perf_counter()
        host.call("echo", value=action)
        times.append(time.perf_counter() - begun)
    # Of the fastest, since machines that run tests are busy.
    assert min(times) < 1e-3


def test_a_hung_host_is_killed(start: Start) -> None:
    for method in ("hang", "hang_with_the_lock"):
        host = start()
        host.call("echo", value=1)
        host._call_timeout_s = 0.5
        begun = time.monotonic()
        with pytest.raises(SimulatorError, match=f"no answer to {method} for 0.5 s and was killed"):
            host.call(method)
        assert time.monotonic() - begun < 30
        assert not alive(host.pid)
        with pytest.raises(SimulatorError, match="was closed, or died"):
            host.call("echo", value=1)


def test_a_dead_host_says_how_it_ended(start: Start) -> None:
    with pytest.raises(SimulatorError, match=r"(?s)ended \(3\) during die.*about to die"):
        start().call("die", status=3)
    with pytest.raises(SimulatorError, match="was killed by SIGSEGV during crash"):
        start().call("crash")
    host = start()
    os.kill(host.pid, signal.SIGKILL)
    with pytest.raises(SimulatorError, match="was killed by SIGKILL during echo"):
        host.call("echo", value=1)


def test_bad_messages_end_the_host(start: Start) -> None:
    host = start()
    with pytest.raises(ProtocolError, match="expected a message of protocol 1, got b'GET"):
        host.call("garble")
    assert not alive(host.pid)
    host = start()
    host._channel.sendall(b"nonsense, of more than a head")
    with pytest.raises(SimulatorError, match=r"(?s)ended \(1\).*ProtocolError"):
        host.call("echo", value=1)


def test_a_host_that_cannot_start_says_why(start: Start, tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match=r"OSError: no scene file"):
        start(factory="fake_simulator:not_a_simulator").call("echo", value=1)
    with pytest.raises(SimulatorError, match="No module named 'missing_module'"):
        start(factory="missing_module:Fake").call("echo", value=1)
    with pytest.raises(SimulatorError, match=r"cannot start fake.*install it"):
        start(python=tmp_path / "python", mend="Now install it.")
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho no such interpreter >&2; exit 4\n")
    script.chmod(0o755)
    with pytest.raises(SimulatorError, match=r"(?s)ended \(4\) during its start.*no such interp"):
        start(python=script)
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(SimulatorError, match=r"no answer to its start for 0.3 s"):
        start(python=script, start_timeout_s=0.3)


def test_versions_are_compared(start: Start) -> None:
    assert start(expected={"numpy": np.__version__}).versions["numpy"] == np.__version__
    with pytest.raises(SimulatorError, match=r"has numpy .* instead of 0\.1, robo missing instead "
                                             r"of 1\. Run this\."):  # fmt: skip
        start(expected={"numpy": "0.1", "robo": "1"}, mend="Run this.")


def test_closing_lets_the_simulator_close(start: Start, tmp_path: Path) -> None:
    host = start()
    host.call("close_into", path=str(tmp_path / "closed"))
    host.close()
    host.close()
    assert (tmp_path / "closed").read_text() == "closed"
    assert not alive(host.pid)


def test_a_forgotten_host_ends(start: Start) -> None:
    host = start_host()
    pid = host.pid
    del host
    assert ends_within(pid, 60)


PARENT = """
import sys, threading, time
sys.path[:0] = {path!r}
from pathlib import Path
from uamsim_envs.host.client import Host
host = Host("fake", "fake_simulator:Fake", path=[Path({folder!r})])
host.call("echo", value=1)
print(host.pid, flush=True)
{then}
"""


@pytest.mark.parametrize("then", ["time.sleep(60)", "host.call('hang')",
                                  "host.call('hang_with_the_lock')"])  # fmt: skip
def test_a_host_dies_with_a_killed_parent(then: str) -> None:
    code = PARENT.format(path=sys.path, folder=str(FOLDER), then=then)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.2)
        assert alive(pid)
        parent.kill()
    assert ends_within(pid, 60)


def test_a_host_outlives_the_thread_that_made_it(start: Start) -> None:
    import threading

    hosts: list[Host] = []
    thread = threading.Thread(target=lambda: hosts.append(start()))
    thread.start()
    thread.join()
    time.sleep(0.7)
    assert hosts[0].call("echo", value=3) == 3


def test_a_fork_is_told_to_make_its_own(host: Host) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            host.call("echo", value=1)
        except SimulatorError as error:
            os._exit(0 if "belongs to process" in str(error) else 1)
        os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    assert host.call("echo", value=1) == 1
