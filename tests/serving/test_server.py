import asyncio
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from uamsim.contract import PolicyInput
from uamsim.errors import ConfigError, PolicyServerError
from uamsim.serving.protocol import decode, encode
from uamsim.serving.server import PolicyServer, ServeConfig, serving
from uamsim.testing.policies import BrokenPolicy, ReachPolicy

PICTURE = np.zeros((32, 48, 3), np.uint8)
CONFIG = ServeConfig(port=0, batch_size=4, max_wait_s=0.2)
WAIT_S = 60.0
"""For what comes at once; machines that run tests are busy."""


def request(seed: int | None = 0, **changes: Any) -> bytes:
    message = {
        "pixels": {"primary": PICTURE},
        "agent_pos": np.zeros(14, np.float32),
        "prompt": "touch the red cube",
        "seed": seed,
        "step": 0,
    } | changes
    return encode({k: v for k, v in message.items() if v is not None})


def item(seed: int, step: int = 0) -> PolicyInput:
    return PolicyInput(
        observation={"pixels": {"primary": PICTURE}, "agent_pos": np.zeros(14, np.float32)},
        instruction="touch the red cube",
        seed=seed,
        step=step,
    )


def client(uri: str, **options: Any) -> ClientConnection:
    connection = connect(uri, compression=None, proxy=None, **options).__enter__()
    connection.metadata = decode(connection.recv(timeout=WAIT_S))  # type: ignore[attr-defined]
    return connection


def ask(connection: ClientConnection, frame: bytes | str) -> Any:
    """The decoded answer, or the text of an error."""
    connection.send(frame)
    answer = connection.recv(timeout=WAIT_S)
    return answer if isinstance(answer, str) else decode(answer)


@pytest.fixture
def noisy() -> Iterator[tuple[ReachPolicy, str]]:
    policy = ReachPolicy(noise=1.0, name="noisy")
    with serving(policy, CONFIG) as uri:
        yield policy, uri


def test_metadata_comes_first_and_actions_with_their_timing(noisy: tuple[ReachPolicy, str]):
    policy, uri = noisy
    with client(uri) as connection:
        assert connection.metadata == {  # type: ignore[attr-defined]
            "name": "noisy",
            "cameras": ["primary"],
            "image_size": [32, 48],
            "control": "ee",
            "horizon": 10,
            "action_dim": 14,
            "control_hz": 50,
            "batch_size": 4,
            "max_message_bytes": 8 * 2**20,
        }
        first, second = ask(connection, request(5)), ask(connection, request(6))
    for seed, answer in ((5, first), (6, second)):
        np.testing.assert_array_equal(answer["actions"], policy.act([item(seed)])[0])
        assert answer["actions"].dtype == np.float32
        timing = answer["server_timing"]
        assert 0 < timing["infer_ms"] < 10_000
        assert 0 <= timing["queue_ms"] < 10_000
        assert timing["batch_requests"] == 1
    assert "prev_total_ms" not in first["server_timing"]
    assert second["server_timing"]["prev_total_ms"] > first["server_timing"]["infer_ms"]


def test_without_seed_and_step_noise_is_that_of_the_connection_alone(
    noisy: tuple[ReachPolicy, str],
):
    policy, uri = noisy
    bare = request(seed=None, step=None)
    with client(uri) as one, client(uri) as other:
        ask(other, bare)
        for step in (0, 10, 20):
            np.testing.assert_array_equal(ask(one, bare)["actions"], policy.act([item(0, step)])[0])


def test_health_needs_no_websocket(noisy: tuple[ReachPolicy, str]):
    _, uri = noisy
    base = uri.replace("ws://", "http://")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{base}/healthz", timeout=10) as answer:
        assert (answer.status, answer.read()) == (200, b"OK\n")
    with pytest.raises(urllib.error.HTTPError, match="426"):
        opener.open(base, timeout=10)


def test_clients_are_answered_together_and_calls_are_full(noisy: tuple[ReachPolicy, str]):
    policy, uri = noisy
    expected = {seed: policy.act([item(seed)])[0] for seed in range(40)}
    policy.calls.clear()
    shared: list[int] = []

    def play(first: int) -> None:
        with client(uri) as connection:
            barrier.wait()
            for seed in range(first, first + 8):
                answer = ask(connection, request(seed))
                np.testing.assert_array_equal(answer["actions"], expected[seed])
                shared.append(answer["server_timing"]["batch_requests"])

    barrier = threading.Barrier(5)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(play, range(0, 40, 8)))
    assert set(policy.calls) == {4}
    assert len(policy.calls) < 30
    assert max(shared) == 4


def test_one_client_waits_for_nobody():
    config = replace(CONFIG, max_wait_s=2 * WAIT_S)
    with serving(ReachPolicy(), config) as uri, client(uri) as only:
        assert "actions" in ask(only, request())


def test_a_silent_client_is_waited_for_only_so_long():
    with serving(ReachPolicy(), CONFIG) as uri, client(uri) as one, client(uri):
        answer = ask(one, request())
        assert answer["server_timing"]["queue_ms"] > 150


class KeyedReach(ReachPolicy):
    """Must not see two instructions in one call."""

    def batch_key(self, item: PolicyInput) -> str:
        return item.instruction

    def act(self, inputs: Sequence[PolicyInput]) -> np.ndarray:
        assert len({i.instruction for i in inputs}) == 1
        return super().act(inputs)


def test_a_policy_says_what_may_share_a_call():
    policy = KeyedReach()
    with serving(policy, CONFIG) as uri, ThreadPoolExecutor(4) as pool:
        connections = [client(uri) for _ in range(4)]
        words = ["touch the red cube", "touch the blue cube"] * 2
        answers = list(pool.map(lambda c, w: ask(c, request(prompt=w)), connections, words))
        for connection in connections:
            connection.close()
    assert [answer["server_timing"]["batch_requests"] for answer in answers] == [2] * 4
    assert policy.calls == [4, 4]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("text", "expected a binary frame"),
        (b"\xc1garbage", "expected one msgpack map"),
        (request(prompt=None), "expected 'prompt'"),
        (request(pixels={"primary": PICTURE[:9]}), r"expected a uint8 picture of shape"),
        (request(agent_pos=np.zeros(7)), "14 finite numbers"),
    ],
)
def test_a_bad_frame_is_answered_and_disturbs_nobody(
    noisy: tuple[ReachPolicy, str], frame: bytes | str, message: str
):
    _, uri = noisy
    with client(uri) as bad, client(uri) as good:
        before = ask(good, request(1))
        assert message in ask(bad, frame)
        np.testing.assert_array_equal(ask(good, request(1))["actions"], before["actions"])
        np.testing.assert_array_equal(ask(bad, request(1))["actions"], before["actions"])


def test_a_frame_too_large_ends_its_own_connection_only():
    config = replace(CONFIG, max_message_bytes=10_000)
    with serving(ReachPolicy(), config) as uri, client(uri) as bad, client(uri) as good:
        bad.send(request(extra=b"x" * 20_000))
        with pytest.raises(ConnectionClosed) as closed:
            bad.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert "actions" in ask(good, request())


@pytest.mark.parametrize(
    ("defect", "message"),
    [("crash", "RuntimeError: the fake policy crashed"), ("nan", "not finite")],
)
def test_a_request_that_breaks_the_policy_does_not_break_its_neighbours(
    defect: str, message: str, caplog: pytest.LogCaptureFixture
):
    policy = BrokenPolicy(defect=defect, at_seed=13)
    with serving(policy, CONFIG) as uri, ThreadPoolExecutor(3) as pool:
        connections = [client(uri) for _ in range(3)]
        answers: list[Any] = []
        for _ in range(3):
            answers = list(pool.map(lambda c, s: ask(c, request(s)), connections, (1, 13, 2)))
            assert message in answers[1]
            assert "actions" in answers[0]
            assert "actions" in answers[2]
        for connection in connections:
            connection.close()
    assert "Traceback" not in "".join(a for a in answers if isinstance(a, str))


def test_a_policy_that_breaks_its_spec_is_named():
    with serving(BrokenPolicy(defect="shape"), CONFIG) as uri, client(uri) as connection:
        assert "expected actions of shape (4, 10, 14)" in ask(connection, request())


def test_a_client_that_leaves_is_forgotten(noisy: tuple[ReachPolicy, str]):
    _, uri = noisy
    with client(uri) as stays:
        for _ in range(5):
            leaves = client(uri)
            leaves.send(request())
            leaves.socket.close()
        for _ in range(3):
            assert "actions" in ask(stays, request())


@pytest.mark.parametrize("scheme", ["Api-Key", "Bearer"])
def test_a_token_lets_in_and_its_absence_does_not(scheme: str):
    with serving(ReachPolicy(), CONFIG, token="sesame") as uri:
        for headers in ({}, {"Authorization": f"{scheme} wrong"}, {"Authorization": scheme}):
            with pytest.raises(InvalidStatus, match="401"):
                client(uri, additional_headers=headers)
        with client(uri, additional_headers={"Authorization": f"{scheme} sesame"}) as inside:
            assert "actions" in ask(inside, request())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        url = uri.replace("ws://", "http://") + "/healthz"
        assert opener.open(url, timeout=10).status == 200


def test_web_pages_are_kept_out(noisy: tuple[ReachPolicy, str]):
    _, uri = noisy
    with pytest.raises(InvalidStatus, match="403"):
        client(uri, origin="http://evil.example")


class SlowPolicy(ReachPolicy):
    """Each call says that it has begun, and ends when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = threading.Event(), threading.Event()

    def act(self, inputs: Sequence[PolicyInput]) -> np.ndarray:
        self.begun.set()
        self.may_end.wait(WAIT_S)
        return super().act(inputs)


def test_stopping_answers_what_is_in_progress():
    policy = SlowPolicy()
    with ThreadPoolExecutor(1) as pool:
        with serving(policy, CONFIG) as uri:
            busy, idle = client(uri), client(uri)
            answer = pool.submit(ask, busy, request())
            assert policy.begun.wait(WAIT_S)
            threading.Timer(0.3, policy.may_end.set).start()  # by when it has been told to stop
        assert "actions" in answer.result(timeout=WAIT_S)
        for connection in (busy, idle):
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(timeout=WAIT_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
            connection.close()


def test_a_policy_that_hangs_does_not_keep_the_server_from_stopping():
    policy = SlowPolicy()
    with serving(policy, replace(CONFIG, grace_s=0.2)) as uri:
        connection = client(uri)
        connection.send(request())
        assert policy.begun.wait(WAIT_S)
    assert not policy.calls, "it was waited for"
    policy.may_end.set()
    with pytest.raises(ConnectionClosed):
        connection.recv(timeout=WAIT_S)
    connection.close()


def test_a_port_in_use_is_named(noisy: tuple[ReachPolicy, str]):
    _, uri = noisy
    port = int(uri.rpartition(":")[2])
    with (
        pytest.raises(PolicyServerError, match=rf"127.0.0.1:{port}.*--port"),
        serving(ReachPolicy(), replace(CONFIG, port=port)),
    ):
        pass


class SlowKey(ReachPolicy):
    """Counts tokens until it is told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = threading.Event()

    def batch_key(self, item: PolicyInput) -> int:
        assert self.counted.wait(20)
        return len(item.instruction)


def test_the_loop_stays_free_while_tokens_are_counted():
    policy = SlowKey()
    with serving(policy, CONFIG) as uri, client(uri) as busy:
        busy.send(request())
        with client(uri) as other:
            assert other.metadata["name"] == "reach"  # type: ignore[attr-defined]
        policy.counted.set()
        answer = busy.recv(timeout=20)
        assert isinstance(answer, bytes)
        assert set(decode(answer)) == {"actions", "server_timing"}


def test_a_long_prompt_is_refused_before_it_is_read():
    policy = SlowKey()
    policy.counted.set()
    with serving(policy, CONFIG) as uri, client(uri) as connection:
        answer = ask(connection, request(prompt="按" * 200))
        assert answer.startswith("prompt: expected at most 256 bytes, got 600")
        assert "actions" in ask(connection, request(prompt="touch red " * 25))
    with serving(policy, replace(CONFIG, max_prompt_bytes=600)) as uri, client(uri) as connection:
        assert "actions" in ask(connection, request(prompt="按" * 200))


@pytest.mark.parametrize(
    "changes",
    [{"batch_size": 0}, {"max_wait_s": -1.0}, {"port": 70_000}, {"max_message_bytes": 0}],
)
def test_values_that_make_no_sense_are_refused(changes: dict[str, Any]):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        ServeConfig(**changes)


def test_an_alias_of_nothing_is_refused_before_listening():
    with pytest.raises(ConfigError, match="pixels/top"):
        PolicyServer(ReachPolicy(), replace(CONFIG, aliases={"x": "pixels/top"}))


def test_the_loop_stays_free_during_inference():
    """Metadata comes although the policy is busy."""
    policy = SlowPolicy()
    with serving(policy, CONFIG) as uri, client(uri) as busy:
        busy.send(request())
        assert policy.begun.wait(WAIT_S)
        client(uri).close()
        assert not policy.calls, "it was waited for"
        policy.may_end.set()
        assert isinstance(busy.recv(timeout=WAIT_S), bytes)


def test_it_runs_in_a_loop_of_ones_own():
    async def scenario() -> list[str]:
        stop, seen = asyncio.Event(), list[str]()

        def on_ready(address: str) -> None:
            seen.append(address)
            stop.set()

        await PolicyServer(ReachPolicy(), CONFIG).run(stop, on_ready)
        return seen

    assert asyncio.run(scenario())[0].startswith("ws://127.0.0.1:")
