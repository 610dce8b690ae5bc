import contextlib
import pickle
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from websockets.sync.server import Server, ServerConnection, serve

from uamsim.contract import Observation, Policy, PolicyInput, PolicySpec
from uamsim.errors import (
    ConfigError,
    InvalidActionError,
    PolicyServerError,
    ProtocolError,
    ShapeError,
    UnknownNameError,
)
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.realtime import RealTime, TimedPolicy
from uamsim.evaluation.rollout import run_unit
from uamsim.serving.client import WebsocketPolicy
from uamsim.serving.outgoing import libero_keys
from uamsim.serving.protocol import decode, encode
from uamsim.serving.refs import ServerFactory
from uamsim.serving.server import ServeConfig, serving
from uamsim.testing.envs import REACH_ID
from uamsim.testing.policies import ReachPolicy

SPEC = PolicySpec(cameras=("primary",), image_size=(32, 48), control="ee", horizon=5)
CONFIG = ServeConfig(port=0, batch_size=4)
UNIT = RolloutUnit(
    env_id=REACH_ID, split="in_domain", seeds=tuple(range(6)), env_kwargs={}, batch_envs=4
)
ACTIONS = np.arange(10 * 14, dtype=np.float64).reshape(10, 14)


def item(seed: int = 0) -> PolicyInput:
    return PolicyInput(
        observation={
            "pixels": {"primary": np.zeros((32, 48, 3), np.uint8)},
            "agent_pos": np.zeros(14, np.float32),
        },
        instruction="touch the red cube",
        seed=seed,
        step=0,
    )


class FakeServer:
    """Another maker's server; ``answers`` are given in turn, and None cuts the connection."""

    def __init__(self, metadata: dict[str, Any], answers: Sequence[Any]) -> None:
        self.metadata, self.answers, self.requests = metadata, list(answers), list[Any]()
        self.num_connections = 0
        self.headers: list[str | None] = []

    def attend(self, connection: ServerConnection) -> None:
        self.num_connections += 1
        assert connection.request is not None
        self.headers.append(connection.request.headers.get("Authorization"))
        connection.send(encode(self.metadata))
        for frame in connection:
            assert isinstance(frame, bytes)
            self.requests.append(decode(frame))
            answer = self.answers.pop(0)
            if answer is None:
                connection.socket.close()
                return
            connection.send(answer if isinstance(answer, str | bytes) else encode(answer))

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        server: Server = serve(self.attend, "127.0.0.1", 0, compression=None)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def remote(uri: str, **options: Any) -> WebsocketPolicy:
    return WebsocketPolicy(
        uri, **({"timeout_s": 60.0, "max_tries": 3, "retry_wait_s": 0.01} | options)
    )


def test_a_served_policy_gives_the_same_records_as_the_policy_itself():
    local = ReachPolicy(noise=0.3, name="noisy")
    with serving(local, CONFIG) as uri, remote(uri) as policy:
        assert isinstance(policy, Policy)
        assert isinstance(policy, TimedPolicy)
        assert (policy.name, policy.spec) == (local.name, local.spec)
        assert run_unit(policy, UNIT) == run_unit(local, UNIT)
        fixed = replace(UNIT, realtime=RealTime(latency_s=0.06))
        assert run_unit(policy, fixed) == run_unit(local, fixed)


class SlowPolicy(ReachPolicy):
    def act(self, inputs: Sequence[PolicyInput]) -> np.ndarray:
        time.sleep(0.1)
        return super().act(inputs)


def test_latency_is_measured_and_padding_is_sent_once():
    policy = SlowPolicy()
    with serving(policy, CONFIG) as uri, remote(uri) as client:
        first, second = item(0), item(1)
        actions, latency_s = client.act_timed([first, second, first, first])
        assert actions.shape == (4, 10, 14)
        assert actions.dtype == np.float32
        assert latency_s.shape == (4,)
        assert (latency_s >= 0.1).all()
        assert latency_s[0] == latency_s[2] == latency_s[3]
        assert len(policy.calls) <= 2
        with pytest.raises(ShapeError, match="at least one"):
            client.act([])
        (waiting,) = run_unit(client, replace(UNIT, seeds=(1,), realtime=RealTime()))
        (standing,) = run_unit(ReachPolicy(), replace(UNIT, seeds=(1,)))
        assert waiting.num_steps >= standing.num_steps + 5


def test_a_policy_whose_actions_are_not_like_agent_pos_is_served():
    """As of CALVIN: movements of 7 numbers, 30 a second, from a robot that measures 15."""
    spec = replace(SPEC, control="relative", action_dim=7, proprio_dim=15, control_hz=30)
    observation = Observation(pixels=item().observation["pixels"], agent_pos=np.zeros(15, "f4"))
    asked = replace(item(), observation=observation)
    local = ReachPolicy(spec=spec, noise=0.3)
    with serving(local, CONFIG) as uri, remote(uri) as policy:
        assert policy.spec == spec
        np.testing.assert_array_equal(policy.act([asked]), local.act([asked]))
        with pytest.raises(PolicyServerError, match="expected 15 finite numbers"):
            policy.act([item()])


def test_a_server_that_does_not_name_proprio_measures_what_it_moves():
    told = {"image_size": [32, 48], "control": "relative", "control_hz": 30, "cameras": ["primary"]}
    with FakeServer(told | {"horizon": 10, "action_dim": 7}, []).running() as uri:
        assert remote(uri).spec.proprio_dim == 7


def test_any_server_will_do_with_a_spec_and_keys():
    fake = FakeServer({}, [{"actions": ACTIONS}])
    with fake.running() as uri, remote(uri, spec=SPEC, keys=libero_keys, token="secret") as policy:
        assert policy.name == uri
        # A longer chunk is cut to the spec's horizon.
        np.testing.assert_array_equal(policy.act([item()]), ACTIONS[None, :5].astype(np.float32))
    assert fake.requests[0].keys() == {"observation/image", "observation/state", "prompt"}
    assert fake.headers == ["Api-Key secret"]


def test_a_broken_connection_is_made_anew_and_the_request_sent_again():
    fake = FakeServer({}, [None, None, {"actions": ACTIONS}, {"actions": ACTIONS}])
    with fake.running() as uri, remote(uri, spec=SPEC) as policy:
        assert policy.act([item(3)]).shape == (1, 5, 14)
        assert policy.act([item(4)]).shape == (1, 5, 14)
    assert [request["seed"] for request in fake.requests] == [3, 3, 3, 4]
    assert fake.num_connections == 3


def test_tries_are_bounded():
    fake = FakeServer({}, [None] * 9)
    with fake.running() as uri, remote(uri, spec=SPEC) as policy:
        with pytest.raises(PolicyServerError, match=r"after 3 tries.*uamsim serve"):
            policy.act([item()])
        assert len(fake.requests) == 3
    with pytest.raises(PolicyServerError, match="after 2 tries"):
        remote(uri, spec=SPEC, max_tries=2)


def test_silence_ends_a_try():
    class Silent(FakeServer):
        def attend(self, connection: ServerConnection) -> None:
            connection.send(encode({}))
            for _ in connection:
                pass

    with Silent({}, []).running() as uri:
        options = {"spec": SPEC, "timeout_s": 0.1, "max_tries": 2}
        with remote(uri, **options) as policy, pytest.raises(PolicyServerError, match="timed out"):
            policy.act([item()])


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ("Traceback: boom", PolicyServerError, "answered with an error: Traceback: boom"),
        (b"\xc1", ProtocolError, "msgpack"),
        ({"action": ACTIONS}, ProtocolError, "'actions' in the answer, which has action"),
        ({"actions": [1.0]}, ProtocolError, "array of floats"),
        ({"actions": ACTIONS.astype(int)}, ProtocolError, "array of floats"),
        ({"actions": ACTIONS[:4]}, InvalidActionError, r"\[T >= 5, 14\], got \(4, 14\)"),
        ({"actions": ACTIONS[:, :7]}, InvalidActionError, r"got \(10, 7\)"),
        ({"actions": ACTIONS[None]}, InvalidActionError, r"got \(1, 10, 14\)"),
    ],
)
def test_a_bad_answer_is_named_and_not_asked_for_again(
    answer: Any, error: type[Exception], message: str
):
    fake = FakeServer({}, [answer, {"actions": ACTIONS}])
    with fake.running() as uri, remote(uri, spec=SPEC) as policy:
        with pytest.raises(error, match=message):
            policy.act([item()])
        assert len(fake.requests) == 1
        assert policy.act([item()]).shape == (1, 5, 14)


def test_a_server_that_changes_its_policy_is_noticed():
    fake = FakeServer({"name": "first"}, [None])
    with fake.running() as uri, remote(uri, spec=SPEC) as policy:
        fake.metadata = {"name": "second"}
        with pytest.raises(PolicyServerError, match=r"another policy.*first.*second"):
            policy.act([item()])


def test_refusals_are_not_tried_again():
    with serving(ReachPolicy(), CONFIG, token="right") as uri:
        started = time.perf_counter()
        with pytest.raises(PolicyServerError, match=r"401.*token"):
            remote(uri, token="wrong", retry_wait_s=60.0)
        assert time.perf_counter() - started < 50
        with remote(uri, token="right") as policy:
            assert policy.act([item()]).shape == (1, 10, 14)


def test_a_request_that_is_too_large_is_named():
    config = replace(CONFIG, max_message_bytes=4000)
    with (
        serving(ReachPolicy(), config) as uri,
        remote(uri, retry_wait_s=5.0) as policy,
        pytest.raises(PolicyServerError, match="too large"),
    ):
        policy.act([item()])


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, r"no 'image_size' in its metadata, which has nothing.*spec=PolicySpec"),
        ({"control_hz": "fast"}, "fast"),
        ({"control": "torque"}, "torque"),
        ({"image_size": [1]}, "image_size|unpack"),
    ],
)
def test_metadata_that_is_no_spec_is_named(metadata: dict[str, Any], message: str):
    good = {"image_size": [32, 48], "control": "ee", "control_hz": 50, "cameras": ["primary"]}
    good |= {"horizon": 10, "action_dim": 14}
    fake = FakeServer(good | metadata if metadata else {}, [])
    with fake.running() as uri, pytest.raises(ConfigError, match=message):
        remote(uri)


@pytest.mark.parametrize(
    ("uri", "options", "message"),
    [
        ("http://127.0.0.1:1", {}, "such as ws://"),
        ("ws://127.0.0.1:1", {"max_tries": 0}, "max_tries"),
        ("ws://127.0.0.1:1", {"num_connections": 0}, "num_connections"),
        ("ws://", {}, "such as ws://"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(uri: str, options: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        remote(uri, **options)


def test_jobs_of_a_process_share_a_client():
    local = ReachPolicy()
    with serving(local, CONFIG) as uri:
        factory = pickle.loads(pickle.dumps(ServerFactory(uri=uri)))
        assert run_unit(factory(), UNIT) == run_unit(local, UNIT)
        assert factory() is factory()
        factory().close()
        with pytest.raises(UnknownNameError, match="Did you mean 'libero'"):
            ServerFactory(uri=uri, keys="libro")()


def test_many_threads_may_share_a_client():
    local = ReachPolicy(noise=1.0)
    expected = [local.act([item(seed)])[0] for seed in range(40)]
    with serving(local, CONFIG) as uri, remote(uri) as policy, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda seed: policy.act([item(seed)])[0], range(40)))
    np.testing.assert_array_equal(answers, expected)
