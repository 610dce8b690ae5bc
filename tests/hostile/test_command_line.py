"""What a user's shell can do to a command ends it with a sentence and a status."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from uamsim import cli
from uamsim.errors import ConfigError
from uamsim.evaluation.backends import ray as ray_backend
from uamsim.evaluation.backends.inference import Inference
from uamsim.serving.client import MOST_CONNECTIONS, WebsocketPolicy, _read_spec
from uamsim.serving.policy import find_device
from uamsim.serving.server import ServeConfig, serving
from uamsim.testing.envs import REACH_ID
from uamsim.testing.policies import ReachPolicy


@pytest.mark.parametrize("kind", ["file", "below a file", "loop", "too long"])
def test_an_out_that_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    out = {
        "file": tmp_path / "file",
        "below a file": tmp_path / "file" / "out",
        "loop": tmp_path / "loop" / "out",
        "too long": tmp_path / ("x" * 300),
    }[kind]
    words = ["--policy", "random", "--env", REACH_ID, "--episodes", "1", "--workers", "0"]
    assert cli.main(["evaluate", *words, "--out", str(out)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def end_with(monkeypatch: pytest.MonkeyPatch, number: int, verb: str = "doctor") -> int:
    """Runs a verb as the process's own command; it is sent a signal, then says so."""

    def work(_: object) -> int:
        try:
            os.kill(os.getpid(), number)
            threading.Event().wait(20)
        except KeyboardInterrupt:
            print("Interrupted; go on with the same command.", file=sys.stderr)
            return 130
        return 0

    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    # A process of the background is told to ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr("uamsim.runtime.ensure_process_environment", lambda: None)
    monkeypatch.setattr(f"uamsim.cli.{verb}.main", work)
    monkeypatch.setattr(sys, "argv", ["uamsim", verb])
    try:
        return cli.main()
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_sigterm_ends_like_ctrl_c(monkeypatch, capsys, number: int, status: int):
    import uamsim.cli.doctor  # noqa: F401

    assert end_with(monkeypatch, number) == status
    assert "go on with the same command" in capsys.readouterr().err


def test_an_interrupt_while_a_verb_is_imported(monkeypatch, capsys):
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("importlib.import_module", interrupted)
    assert cli.main(["doctor"]) == 130
    assert capsys.readouterr().err == "\nInterrupted.\n"


def test_a_pipe_that_nobody_reads():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from uamsim.cli import main; import sys; sys.exit(main())"]
    done = subprocess.run(
        [*command, "--help"], stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_server_cannot_ask_for_any_number_of_connections(monkeypatch: pytest.MonkeyPatch):
    config = ServeConfig(port=0, batch_size=100_000)
    with serving(ReachPolicy(), config) as uri, WebsocketPolicy(uri) as policy:
        assert policy._count == MOST_CONNECTIONS


@pytest.mark.parametrize(
    "change",
    [
        {"horizon": 10**9},
        {"horizon": -1},
        {"action_dim": 0},
        {"image_size": [0, 10**8]},
        {"control_hz": float("nan")},
        {"control_hz": 0},
        {"horizon": float("inf")},
    ],
)
def test_metadata_that_makes_no_policy_is_refused(change: dict[str, object]):
    metadata = {
        "cameras": ["primary"],
        "image_size": [32, 48],
        "control": "ee",
        "horizon": 8,
        "action_dim": 14,
        "control_hz": 50,
    }
    assert _read_spec("ws://x", metadata).horizon == 8
    with pytest.raises(ConfigError, match="does not say what its policy needs"):
        _read_spec("ws://x", metadata | change)


@pytest.mark.parametrize("name", ["cuda:97", "nonsense", "", "meta:x"])
def test_a_device_that_does_not_exist(name: str):
    with pytest.raises(ConfigError, match="device must be one that PyTorch sees here"):
        find_device(name)
    assert find_device("cpu").type == "cpu"


def test_gpus_that_are_not_there_are_named_at_once(monkeypatch: pytest.MonkeyPatch):
    ended: list[bool] = []
    monkeypatch.setattr(ray_backend, "_connect", lambda *_: None)
    monkeypatch.setattr(ray_backend.ray, "cluster_resources", lambda: {"CPU": 2.0})
    monkeypatch.setattr(ray_backend.ray, "shutdown", lambda: ended.append(True))
    with pytest.raises(ConfigError, match=r"--gpus-per-inference.*Ray has 0"):
        ray_backend.RayBackend(1, inference=Inference(gpus_each=1))
    assert ended == [True]
