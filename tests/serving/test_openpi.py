"""openpi's own client and server, unmodified, against ours.

They force numpy < 2 and so live in an environment of their own:

    python -m venv /tmp/openpi && /tmp/openpi/bin/pip install openpi-client typing_extensions
    export UAMSIM_OPENPI_PYTHON=/tmp/openpi/bin/python
    export UAMSIM_OPENPI_SERVER=/tmp/websocket_policy_server.py  # from openpi's src/openpi/serving
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from uamsim.contract import PolicyInput, PolicySpec
from uamsim.errors import PolicyServerError
from uamsim.serving.client import WebsocketPolicy
from uamsim.serving.outgoing import libero_keys
from uamsim.serving.server import ServeConfig, serving
from uamsim.testing.policies import ReachPolicy

PYTHON = os.environ.get("UAMSIM_OPENPI_PYTHON", "")
SERVER = os.environ.get("UAMSIM_OPENPI_SERVER", "")
needs_client = pytest.mark.skipif(
    not PYTHON, reason="UAMSIM_OPENPI_PYTHON names no python with openpi-client"
)
needs_server = pytest.mark.skipif(
    not (PYTHON and SERVER), reason="UAMSIM_OPENPI_SERVER names no websocket_policy_server.py"
)

THEIR_CLIENT = """
import json, sys
import numpy as np
from openpi_client.action_chunk_broker import ActionChunkBroker
from openpi_client.websocket_client_policy import WebsocketClientPolicy

assert np.__version__ < "2"
policy = WebsocketClientPolicy("127.0.0.1", int(sys.argv[1]), api_key=sys.argv[2])
picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
state = np.linspace(-1, 1, 14)
requests = [
    {"observation/image": picture, "observation/state": state, "prompt": "touch the red cube"},
    {"pixels": {"primary": picture}, "agent_pos": state.astype(np.float32),
     "prompt": "touch the red cube", "seed": np.int64(3), "step": 10},
    {"images": {"primary": picture.transpose(2, 0, 1)}, "state": state, "seed": 3, "step": 10,
     "prompt": "touch the red cube"},
]
answers = [policy.infer(request) for request in requests]
assert all(answer["actions"].dtype == np.float32 for answer in answers)
assert answers[1]["server_timing"]["prev_total_ms"] > 0
try:
    policy.infer({"prompt": "nothing else"})
except RuntimeError as error:
    message = str(error)
steps = ActionChunkBroker(policy, action_horizon=10)
stepped = [steps.infer(requests[1])["actions"].tolist() for _ in range(10)]
print(json.dumps({
    "metadata": policy.get_server_metadata(),
    "actions": [answer["actions"].tolist() for answer in answers],
    "message": message,
    "stepped": stepped,
}))
"""

THEIR_SERVER = """
import asyncio, importlib.util, sys
import numpy as np
from openpi_client.base_policy import BasePolicy

spec = importlib.util.spec_from_file_location("websocket_policy_server", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

class Policy(BasePolicy):
    def infer(self, obs):
        if obs["prompt"] == "fail":
            raise ValueError("asked to fail")
        assert obs["observation/image"].dtype == np.uint8
        mean = obs["observation/image"].mean() + obs["observation/state"].sum()
        return {"actions": np.full((16, 14), mean), "state": obs["observation/state"]}

import socket
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
print(port, flush=True)
server = module.WebsocketPolicyServer(Policy(), "127.0.0.1", port, metadata={"robot": "aloha"})
server.serve_forever()
"""


@needs_client
def test_their_client_talks_to_our_server():
    policy = ReachPolicy(noise=1.0, name="noisy")
    with serving(policy, ServeConfig(port=0, batch_size=4), token="secret") as uri:
        done = subprocess.run(
            [PYTHON, "-c", THEIR_CLIENT, uri.rpartition(":")[2], "secret"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    expected = [
        policy.act([make_item(picture, np.linspace(-1, 1, 14), seed=seed, step=step)])[0]
        for seed, step in ((0, 0), (3, 10), (3, 10))
    ]
    np.testing.assert_array_equal(np.array(said["actions"], np.float32), expected)
    np.testing.assert_array_equal(np.array(said["stepped"], np.float32), expected[1])
    assert said["metadata"]["name"] == "noisy"
    assert "expected 'pixels/primary' in the request" in said["message"]


@contextmanager
def their_server() -> Iterator[str]:
    command = [PYTHON, "-c", THEIR_SERVER, SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@needs_server
def test_our_client_talks_to_their_server():
    spec = PolicySpec(cameras=("primary",), image_size=(32, 48), control="joint", horizon=10)
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    items = [make_item(picture, np.full(14, place), seed=0, step=0) for place in range(3)]
    with (
        their_server() as uri,
        WebsocketPolicy(uri, spec=spec, keys=libero_keys, retry_wait_s=0.2, max_tries=8) as policy,
    ):
        assert policy.metadata == {"robot": "aloha"}
        actions, latency_s = policy.act_timed(items)
        expected = np.array([picture.mean() + 14 * place for place in range(3)], np.float32)
        assert actions.shape == (3, 10, 14)
        np.testing.assert_allclose(actions[:, 0, 0], expected, rtol=1e-6)
        assert (latency_s > 0).all()
        bad = make_item(picture, np.zeros(14), seed=0, step=0, prompt="fail")
        with pytest.raises(PolicyServerError, match="asked to fail"):
            policy.act([bad])
        # Their server closes the connection after an error.
        assert policy.act(items[:1]).shape == (1, 10, 14)


def make_item(
    picture: np.ndarray,
    state: np.ndarray,
    *,
    seed: int,
    step: int,
    prompt: str = "touch the red cube",
) -> PolicyInput:
    return PolicyInput(
        observation={"pixels": {"primary": picture}, "agent_pos": state.astype(np.float32)},
        instruction=prompt,
        seed=seed,
        step=step,
    )
