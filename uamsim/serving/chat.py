"""OpenAI's chat completions for the VLM inside a checkpoint, over HTTP.

``POST /v1/chat/completions`` and ``GET /v1/models``, as harnesses that evaluate vision-language
models ask them. What a request may hold is in ``serving.chat_requests``. Requests that come while
the model is busy are answered together.
"""

import asyncio
import contextlib
import hmac
import logging
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from uamsim.errors import PolicyServerError, ProtocolError
from uamsim.serving.chat_model import ChatModel, ChatReply
from uamsim.serving.chat_requests import ChatLimits, ChatRequest, read_request

LOGGER = logging.getLogger("uamsim.serving")
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    request: ChatRequest
    key: Hashable
    future: "asyncio.Future[ChatReply]"


class ChatServer:
    """Answers for one model.

    Args:
        model: that answers.
        limits: of a request.
        batch_size: prompts of every call of the model, padded with copies where fewer ask, so that
            an answer does not depend on who else asks.
        token: clients must send it, as ``Authorization: Bearer TOKEN``.
    """

    def __init__(
        self,
        model: ChatModel,
        limits: ChatLimits | None = None,
        *,
        batch_size: int = 8,
        token: str | None = None,
    ) -> None:
        self._model, self._limits = model, limits or ChatLimits()
        self._batch_size, self._token = batch_size, token
        self._waiting: list[_Asked] = []
        self._working: asyncio.Task[None] | None = None
        self._num_requests = 0
        # One thread asks the model, so that reading a picture never waits for an answer.
        self._thread = ThreadPoolExecutor(1, "inference")
        self.app = Starlette(
            routes=[
                Route("/healthz", lambda _: PlainTextResponse("OK\n")),
                Route("/v1/models", self._guarded(self._models)),
                Route("/v1/chat/completions", self._guarded(self._complete), methods=["POST"]),
            ],
            exception_handlers={HTTPException: _refuse, ProtocolError: _refuse},
        )

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """Lets in who has the token and is no web page that somebody here has open."""

        async def guarded(request: Request) -> Response:
            if "origin" in request.headers:
                raise HTTPException(403, "web pages are not answered.")
            given = request.headers.get("authorization", "").encode()
            if self._token and not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
                raise HTTPException(401, "expected 'Authorization: Bearer TOKEN' with its token.")
            return await endpoint(request)

        return guarded

    async def _models(self, request: Request) -> Response:
        del request
        model = {"id": self._model.name, "object": "model", "created": 0, "owned_by": "uamsim"}
        return JSONResponse({"object": "list", "data": [model]})

    async def _complete(self, request: Request) -> Response:
        if self._num_requests >= self._limits.max_requests:
            raise HTTPException(429, f"{self._num_requests} requests are waiting; ask again later.")
        self._num_requests += 1
        try:
            body = await self._body(request)
            reply = await self.ask(*await asyncio.to_thread(self._read, body))
        except ClientDisconnect:
            return Response(status_code=499)
        finally:
            self._num_requests -= 1
        return JSONResponse(_completion(self._model.name, reply))

    async def _body(self, request: Request) -> bytes:
        """The body, never more of it than is allowed."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415, f"expected a body of application/json, got {kind!r}.")
        most, body = self._limits.max_body_bytes, bytearray()
        with contextlib.suppress(ValueError):
            if int(request.headers.get("content-length", "")) > most:
                raise HTTPException(413, f"expected a body of at most {most} bytes.")
        try:
            async with asyncio.timeout(self._limits.body_s):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise HTTPException(413, f"expected a body of at most {most} bytes.")
        except TimeoutError:
            raise HTTPException(
                408, f"the body did not arrive in {self._limits.body_s:g} s."
            ) from None
        return bytes(body)

    def _read(self, body: bytes) -> tuple[ChatRequest, Hashable]:
        request = read_request(body, self._limits, self._model.image_size)
        return request, self._model.key(request)

    async def ask(self, request: ChatRequest, key: Hashable) -> ChatReply:
        """The model's reply to a request, together with others that have its key."""
        future: asyncio.Future[ChatReply] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(request=request, key=key, future=future))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        """Answers until nobody waits: the oldest request, and those that may share its call."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            self._waiting = [asked for asked in self._waiting if not asked.future.done()]
            same = [asked for asked in self._waiting if asked.key == self._waiting[0].key]
            batch = same[: self._batch_size]
            self._waiting = [asked for asked in self._waiting if asked not in batch]
            if batch:
                requests = [asked.request for asked in batch]
                await self._settle(batch, loop.run_in_executor(self._thread, self._reply, requests))

    async def _settle(
        self, batch: list[_Asked], replying: "asyncio.Future[list[ChatReply]]"
    ) -> None:
        try:
            replies = await replying
        except Exception as error:
            LOGGER.error("model %r failed", self._model.name, exc_info=error)
            for asked in batch:
                if not asked.future.done():
                    asked.future.set_exception(HTTPException(500, f"the model failed: {error}"))
            return
        for asked, reply in zip(batch, replies, strict=True):
            if not asked.future.done():  # the client is gone
                asked.future.set_result(reply)

    def _reply(self, requests: list[ChatRequest]) -> list[ChatReply]:
        padded = requests + [requests[0]] * (self._batch_size - len(requests))
        return self._model.reply(padded)[: len(requests)]


def run(server: ChatServer, *, host: str, port: int, grace_s: float) -> None:
    """Serves until Ctrl-C or SIGTERM; requests in progress are still answered.

    Args:
        server: what answers.
        host: address to listen on.
        port: 0 takes any free one.
        grace_s: how long requests in progress may take then.

    Raises:
        PolicyServerError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise PolicyServerError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another port with "
            "--port."
        ) from error
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/v1"
    print(f"Answering on {address}; Ctrl-C stops.", flush=True)
    config = uvicorn.Config(
        server.app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=max(1, round(grace_s)),
        h11_max_incomplete_event_size=16 * 1024,
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def _completion(model: str, reply: ChatReply) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": reply.text},
                "finish_reason": reply.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        },
    }


async def _refuse(request: Request, error: Exception) -> Response:
    """An error in the form of OpenAI's."""
    del request
    status = error.status_code if isinstance(error, HTTPException) else 400
    message = error.detail if isinstance(error, HTTPException) else str(error)
    kind = "server_error" if status >= 500 else "invalid_request_error"
    told = {"message": message, "type": kind, "param": None, "code": status}
    return JSONResponse({"error": told}, status_code=status)
