"""A policy that runs somewhere else, behind a websocket."""

import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar, get_args

import numpy as np
from jaxtyping import Float32, Float64
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect

from uamsim.contract import Control, PolicyInput, PolicySpec
from uamsim.errors import (
    ConfigError,
    InvalidActionError,
    PolicyServerError,
    ProtocolError,
    ShapeError,
)
from uamsim.serving.outgoing import RequestKeys, uamsim_keys
from uamsim.serving.protocol import decode, encode

MAX_ANSWER_BYTES = 64 * 2**20
LONGEST_WAIT_S = 10.0
MOST_CONNECTIONS = 64
Result = TypeVar("Result")


class WebsocketPolicy:
    """Any server that speaks openpi's protocol, as a policy of the contract.

    Requests have no state, so one whose connection breaks is sent again. The server must stay
    what it was: a new connection that brings other metadata is an error.

    Args:
        uri: "ws://host:port".
        spec: what the policy needs and gives; ``uamsim serve`` says it, other servers do not.
        name: of the policy in records; by default the server's, or else ``uri``.
        keys: makes the names in requests for the spec's cameras, or has them.
        token: sent as ``Authorization: Api-Key TOKEN``.
        num_connections: requests in progress at once; by default as many as the server batches,
            ``MOST_CONNECTIONS`` at most, or 1 where it does not say.
        timeout_s: for one answer.
        max_tries: for a connection or a request before it is an error.
        retry_wait_s: before the second try; doubles for each further one.

    Raises:
        PolicyServerError: no server there, or it refuses.
        ConfigError: the server's metadata is no spec, and none is given.
    """

    def __init__(
        self,
        uri: str,
        *,
        spec: PolicySpec | None = None,
        name: str | None = None,
        keys: RequestKeys | Callable[[tuple[str, ...]], RequestKeys] = uamsim_keys,
        token: str | None = None,
        num_connections: int | None = None,
        timeout_s: float = 60.0,
        max_tries: int = 5,
        retry_wait_s: float = 0.5,
    ) -> None:
        if not uri.startswith(("ws://", "wss://")):
            raise ConfigError(f"expected an address such as ws://127.0.0.1:8000, got {uri!r}.")
        for option, value in (("max_tries", max_tries), ("num_connections", num_connections)):
            if value is not None and value < 1:
                raise ConfigError(f"{option} must be at least 1, got {value}.")
        self.uri = uri
        self._token, self._timeout_s = token, timeout_s
        self._max_tries, self._retry_wait_s = max_tries, retry_wait_s
        self.metadata: dict[str, Any] | None = None
        first = self._retrying(self._connect)
        metadata = self.metadata or {}
        try:
            self.spec = _read_spec(uri, metadata) if spec is None else spec
            self.name = str(metadata.get("name", uri)) if name is None else name
            self._keys = keys if isinstance(keys, RequestKeys) else keys(self.spec.cameras)
        except ConfigError:
            first.close()
            raise
        batch_size = metadata.get("batch_size")
        stated = batch_size if isinstance(batch_size, int) else 1
        # What a server says of itself is no reason to open thousands of connections to it.
        count = num_connections or max(1, min(stated, MOST_CONNECTIONS))
        self._free: queue.LifoQueue[ClientConnection | None] = queue.LifoQueue()
        for connection in (*[None] * (count - 1), first):
            self._free.put(connection)
        self._count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="policy-client")

    def act(self, inputs: Sequence[PolicyInput]) -> Float32[np.ndarray, "B T A"]:
        """See ``Policy.act``.

        Raises:
            PolicyServerError: the server answered with an error, or not at all.
            InvalidActionError: it answered with other actions than ``spec`` says.
        """
        return self.act_timed(inputs)[0]

    def act_timed(
        self, inputs: Sequence[PolicyInput]
    ) -> tuple[Float32[np.ndarray, "B T A"], Float64[np.ndarray, " B"]]:
        """The actions, and how long each answer took (s), from sending to having it.

        The same input given twice, as for padding, is sent once.

        Raises:
            PolicyServerError: the server answered with an error, or not at all.
            InvalidActionError: it answered with other actions than ``spec`` says.
        """
        if not inputs:
            raise ShapeError("expected at least one input, got none.")
        unique = {id(item): item for item in inputs}
        answers = dict(zip(unique, self._pool.map(self._infer, unique.values()), strict=True))
        chunks, latencies_s = zip(*(answers[id(item)] for item in inputs), strict=True)
        return np.stack(chunks), np.array(latencies_s)

    def close(self) -> None:
        """Closes the connections."""
        self._pool.shutdown()
        for _ in range(self._count):
            connection = self._free.get()
            if connection is not None:
                connection.close()
            self._free.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _infer(self, item: PolicyInput) -> tuple[Float32[np.ndarray, "T A"], float]:
        frame = encode(self._keys.write(item))
        connection = self._free.get()

        def exchange() -> tuple[str | bytes, float]:
            nonlocal connection
            broken, connection = connection, None  # unless it lasts to the end of this
            fresh = broken or self._connect()
            try:
                started = time.perf_counter()
                fresh.send(frame)
                answer = fresh.recv(timeout=self._timeout_s)
                latency_s = time.perf_counter() - started
            except BaseException:
                fresh.close()
                raise
            connection = fresh
            return answer, latency_s

        try:
            answer, latency_s = self._retrying(exchange)
        finally:
            self._free.put(connection)
        if isinstance(answer, str):
            raise PolicyServerError(f"{self.uri} answered with an error: {answer.strip()}")
        return self._read_actions(decode(answer)), latency_s

    def _read_actions(self, answer: dict[str, Any]) -> Float32[np.ndarray, "T A"]:
        key, spec = self._keys.actions, self.spec
        actions = answer.get(key)
        if not isinstance(actions, np.ndarray) or actions.dtype.kind != "f":
            raise ProtocolError(
                f"{self.uri}: expected an array of floats as {key!r} in the answer, which has "
                f"{', '.join(map(str, answer))}."
            )
        # A longer chunk is cut, as openpi's ActionChunkBroker does with its action_horizon.
        if actions.ndim != 2 or len(actions) < spec.horizon or actions.shape[1] != spec.action_dim:
            raise InvalidActionError(
                f"{self.uri}: expected actions [T >= {spec.horizon}, {spec.action_dim}], got "
                f"{actions.shape}; give the spec that this server has."
            )
        return actions[: spec.horizon].astype(np.float32)

    def _connect(self) -> ClientConnection:
        headers = {"Authorization": f"Api-Key {self._token}"} if self._token else None
        # Entered by hand, since it outlives this call; websockets wants it entered (17.1).
        connection = connect(
            self.uri,
            compression=None,
            max_size=MAX_ANSWER_BYTES,
            additional_headers=headers,
            proxy=None,
            open_timeout=self._timeout_s,
        ).__enter__()
        try:
            frame = connection.recv(timeout=self._timeout_s)
            if isinstance(frame, str):
                raise PolicyServerError(f"{self.uri} answered with an error: {frame.strip()}")
            metadata = decode(frame)
            before, self.metadata = self.metadata, self.metadata or metadata
            if before is not None and encode(before) != encode(metadata):
                raise PolicyServerError(
                    f"{self.uri} now serves another policy than before: expected {before}, got "
                    f"{metadata}. Start again, so that no record mixes the two."
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _retrying(self, attempt: Callable[[], Result]) -> Result:
        """The attempt's result, tried again where the connection failed.

        Raises:
            PolicyServerError: it failed too often, or in a way that does not pass.
        """
        wait_s = self._retry_wait_s
        for num_tried in range(1, self._max_tries + 1):
            try:
                return attempt()
            except PolicyServerError:
                raise
            except (OSError, EOFError, WebSocketException) as error:
                _raise_if_final(self.uri, error)
                if num_tried == self._max_tries:
                    reason = str(error) or type(error).__name__
                    raise PolicyServerError(
                        f"no answer from a policy server at {self.uri} after {num_tried} tries: "
                        f"{reason}. Is it running? `uamsim serve CHECKPOINT` starts one."
                    ) from error
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        raise AssertionError("the last try returns or raises")


def _raise_if_final(uri: str, error: Exception) -> None:
    """Raises where trying again would end the same way."""
    if isinstance(error, InvalidURI):
        raise ConfigError(f"expected an address such as ws://127.0.0.1:8000: {error}") from error
    if isinstance(error, InvalidStatus) and 400 <= error.response.status_code < 500:
        raise PolicyServerError(
            f"{uri} refused the connection with HTTP status {error.response.status_code}; give "
            "the server's token, if it has one, and check the address."
        ) from error
    closed = error.rcvd if isinstance(error, ConnectionClosed) else None
    if closed is not None and closed.code == CloseCode.MESSAGE_TOO_BIG:
        raise PolicyServerError(
            f"{uri} refused the request as too large ({closed.reason or error}); send smaller "
            "pictures, or raise its limit (--max-message-bytes)."
        ) from error


def _read_spec(uri: str, metadata: dict[str, Any]) -> PolicySpec:
    """The spec that ``uamsim serve`` puts into its metadata.

    Raises:
        ConfigError: the metadata has none.
    """
    try:
        height, width = metadata["image_size"]
        if metadata["control"] not in get_args(Control):
            raise ValueError(f"control {metadata['control']!r}")
        control_hz = metadata["control_hz"]
        return PolicySpec(
            cameras=tuple(map(str, metadata["cameras"])),
            image_size=(int(height), int(width)),
            control=metadata["control"],
            horizon=int(metadata["horizon"]),
            action_dim=int(metadata["action_dim"]),
            proprio_dim=int(metadata.get("proprio_dim", metadata["action_dim"])),
            control_hz=None if control_hz is None else float(control_hz),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        missing = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(
            f"{uri} does not say what its policy needs ({missing} in its metadata, which has "
            f"{', '.join(map(str, metadata)) or 'nothing'}); give spec=PolicySpec(...)."
        ) from error
