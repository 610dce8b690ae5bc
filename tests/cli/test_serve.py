import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from uamsim.cli import main
from uamsim.contract import PolicyInput, PolicySpec
from uamsim.errors import PolicyServerError
from uamsim.evaluation.controls import RandomPolicy
from uamsim.serving.client import WebsocketPolicy

SPEC = PolicySpec(cameras=("a", "b"), image_size=(8, 12), control="joint", horizon=6)
ITEM = PolicyInput(
    observation={
        "pixels": {name: np.zeros((8, 12, 3), np.uint8) for name in SPEC.cameras},
        "agent_pos": np.zeros(14, np.float32),
    },
    instruction="anything",
    seed=3,
    step=6,
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(number: signal.Signals):
    code = "import sys; from uamsim.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["serve", "random", "--port", "0", "--random.cameras", "a", "b"]
    words += ["--random.image-size", "8", "12", "--random.control", "joint"]
    words += ["--random.horizon", "6"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"UAMSIM_TOKEN": "secret"},
    )
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Serving 'random' on ws://127.0.0.1:")
        uri = line.split(" on ")[1].split(";")[0]
        with pytest.raises(PolicyServerError, match="401"):
            WebsocketPolicy(uri)
        with WebsocketPolicy(uri, token="secret") as policy:
            assert policy.spec == SPEC
            np.testing.assert_array_equal(policy.act([ITEM]), RandomPolicy(SPEC).act([ITEM]))
            process.send_signal(number)
            assert process.wait(timeout=120) == 0
        assert process.stdout.read().rstrip().endswith("Stopped.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["expert"], "reads the simulator's state"),
        (["missing.safetensors"], "missing.safetensors"),
        (["random", "--batch-size", "0"], "batch_size must be at least 1"),
        (["random", "--aliases", "x", "pixels/top"], "pixels/primary"),
    ],
)
def test_what_cannot_be_served_says_why(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["serve", *words]) == 1
    assert message in capsys.readouterr().err
