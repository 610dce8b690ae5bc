"""A policy behind a websocket, for openpi's clients and ours.

The protocol, read in openpi's ``src/openpi/serving/websocket_policy_server.py`` (commit 15a9616):
on connection the server sends a frame of metadata; then each binary frame is a request and is
answered by one frame with ``actions`` [T, A] and ``server_timing`` (ms), or by a text frame, which
is an error. ``GET /healthz`` on the same port says OK. Differences: after an error the connection
stays open, the error is a message and not a traceback, and clients are answered together.
"""

import asyncio
import contextlib
import hmac
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from uamsim.batching import Batcher
from uamsim.bounds import Port, Positive, Seconds, Size, check_bounds
from uamsim.contract import Policy
from uamsim.errors import PolicyServerError, ProtocolError, UamsimError
from uamsim.serving.incoming import MAX_PROMPT_BYTES, RequestReader
from uamsim.serving.protocol import decode, encode

LOGGER = logging.getLogger("uamsim.serving")


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """How a policy is served.

    Attributes:
        host: address to listen on; other machines reach it only if told so, as "0.0.0.0".
        port: 0 takes any free one.
        batch_size: inputs of every call of the policy, padded where fewer ask.
        max_wait_s: longest time that a request waits for others to share its call.
        max_message_bytes: longer requests are refused, and their connection closed.
        max_prompt_bytes: longer instructions are refused, in UTF-8; the time that one takes grows
            with its square, and others wait for it.
        grace_s: how long requests in progress may take when the server stops.
        resize: scale pictures of another size; otherwise they are refused.
        default_prompt: the instruction of requests that bring none; otherwise they are refused.
        aliases: further request keys and what they are; see ``serving.incoming``.
    """

    host: str = "127.0.0.1"
    port: Port = 8000
    batch_size: Size = 8
    max_wait_s: Seconds = 0.005
    max_message_bytes: Positive = 8 * 2**20
    max_prompt_bytes: Positive = MAX_PROMPT_BYTES
    grace_s: Seconds = 10.0
    resize: bool = False
    default_prompt: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_bounds(self)


class PolicyServer:
    """Serves one policy.

    Args:
        policy: any policy of the contract that needs no privileged ``info``.
        config: how.
        token: clients must send it, as ``Authorization: Api-Key TOKEN`` (openpi's client) or
            ``Authorization: Bearer TOKEN``.

    Raises:
        ConfigError: an alias of something that the policy does not take.
    """

    def __init__(self, policy: Policy, config: ServeConfig, *, token: str | None = None) -> None:
        self._policy, self._config = policy, config
        self._accepted = [f"{scheme} {token}".encode() for scheme in ("Api-Key", "Bearer")]
        self._protected = token is not None
        self._reader = RequestReader(
            policy.spec,
            aliases=config.aliases,
            resize=config.resize,
            default_prompt=config.default_prompt,
            max_prompt_bytes=config.max_prompt_bytes,
        )
        self._idle: set[ServerConnection] = set()
        self._busy: set[ServerConnection] = set()
        self._stopping = False

    @property
    def metadata(self) -> dict[str, Any]:
        """What every client is told first."""
        spec = self._policy.spec
        told = {
            "name": self._policy.name,
            "cameras": list(spec.cameras),
            "image_size": list(spec.image_size),
            "control": spec.control,
            "horizon": spec.horizon,
            "action_dim": spec.action_dim,
            "control_hz": spec.control_hz,
            "batch_size": self._config.batch_size,
            "max_message_bytes": self._config.max_message_bytes,
        }
        # Said only where it is news: records name a served policy by the hash of what it says.
        if spec.proprio_dim != spec.action_dim:
            told["proprio_dim"] = spec.proprio_dim
        return told

    async def run(self, stop: asyncio.Event, on_ready: Callable[[str], None]) -> None:
        """Serves until ``stop`` is set; then requests in progress are still answered.

        Args:
            stop: ends it.
            on_ready: called with the address, "ws://host:port", once clients may come.

        Raises:
            PolicyServerError: the address cannot be used.
        """
        config = self._config
        batcher = Batcher(
            self._policy,
            batch_size=config.batch_size,
            max_wait_s=config.max_wait_s,
            num_clients=lambda: len(self._idle) + len(self._busy),
        )
        try:
            server = await serve(
                lambda connection: self._attend(connection, batcher),
                config.host,
                config.port,
                compression=None,
                max_size=config.max_message_bytes,
                process_request=self._admit,
                origins=[None],  # no web page that somebody on this machine has open
                logger=LOGGER,
            )
        except OSError as error:
            batcher.close()
            raise PolicyServerError(
                f"cannot listen on {config.host}:{config.port}: {error.strerror or error}. Choose "
                "another port with --port."
            ) from error
        try:
            host = f"[{config.host}]" if ":" in config.host else config.host
            on_ready(f"ws://{host}:{next(iter(server.sockets)).getsockname()[1]}")
            await stop.wait()
        finally:
            await self._drain(server, batcher)

    async def _drain(self, server: Server, batcher: Batcher) -> None:
        self._stopping = True
        server.close(close_connections=False)
        closing = [asyncio.create_task(c.close(CloseCode.GOING_AWAY)) for c in self._idle]
        _, late = await asyncio.wait(
            [*closing, asyncio.create_task(server.wait_closed())], timeout=self._config.grace_s
        )
        batcher.close()
        if late:
            LOGGER.warning("%d connections did not end in time", len(self._idle | self._busy))
            for connection in self._idle | self._busy:
                connection.transport.abort()
            await asyncio.wait(late, timeout=1.0)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answers what is no websocket of an authorised client; None lets it in."""
        if request.path == "/healthz":
            return connection.respond(HTTPStatus.OK, "OK\n")
        if self._protected:
            sent = request.headers.get_all("Authorization")
            given = sent[0].encode() if len(sent) == 1 else b""
            if not any([hmac.compare_digest(given, accepted) for accepted in self._accepted]):
                return connection.respond(
                    HTTPStatus.UNAUTHORIZED,
                    "expected the server's token as 'Authorization: Api-Key TOKEN'.\n",
                )
        return None

    async def _attend(self, connection: ServerConnection, batcher: Batcher) -> None:
        """One client, from its connection to its end."""
        self._idle.add(connection)
        try:
            await connection.send(encode(self.metadata))
            num_answered, previous_s = 0, None
            async for frame in connection:
                started = time.perf_counter()
                self._idle.discard(connection)
                self._busy.add(connection)
                try:
                    answer = await self._answer(frame, num_answered, previous_s, batcher)
                    num_answered += 1
                except UamsimError as error:
                    LOGGER.info("%s: %s", connection.remote_address, error)
                    answer = str(error)
                await connection.send(answer)
                previous_s = time.perf_counter() - started
                self._busy.discard(connection)
                self._idle.add(connection)
                if self._stopping:
                    await connection.close(CloseCode.GOING_AWAY)
        except ConnectionClosed:
            pass  # a client that is cut off is no fault of the server
        finally:
            self._idle.discard(connection)
            self._busy.discard(connection)

    async def _answer(
        self, frame: str | bytes, num_answered: int, previous_s: float | None, batcher: Batcher
    ) -> bytes:
        if isinstance(frame, str):
            raise ProtocolError("expected a binary frame of msgpack, got a text frame.")
        # A client that counts no steps asks once a chunk; noise must not repeat in its episode.
        default_step = num_answered * self._policy.spec.horizon
        answer = await batcher.ask(self._reader.read(decode(frame), default_step=default_step))
        timing = {
            "infer_ms": answer.infer_s * 1000,
            "queue_ms": answer.queue_s * 1000,
            "batch_requests": answer.num_shared,
        }
        if previous_s is not None:
            timing["prev_total_ms"] = previous_s * 1000
        return encode({"actions": answer.actions, "server_timing": timing})


@contextlib.contextmanager
def serving(
    policy: Policy, config: ServeConfig | None = None, *, token: str | None = None
) -> Iterator[str]:
    """Serves from a thread for as long as the block lasts; gives the address.

    Args:
        policy: as for ``PolicyServer``.
        config: any free port of this machine where None.
        token: as for ``PolicyServer``.

    Raises:
        PolicyServerError: the address cannot be used.
    """
    server = PolicyServer(policy, config or ServeConfig(port=0), token=token)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    ready = threading.Event()
    addresses: list[str] = []
    failures: list[Exception] = []

    def on_ready(address: str) -> None:
        addresses.append(address)
        ready.set()

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(server.run(stop, on_ready))
        except Exception as error:
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="policy-server", daemon=True)
    thread.start()
    ready.wait()
    try:
        if failures:
            raise failures[0]
        yield addresses[0]
    finally:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(stop.set)
        thread.join()
