"""Requests of many clients, answered together by one thread.

Every call of the policy has the same number of inputs, and a policy that says which of them may
share a call is obeyed, so that an answer does not depend on who else asked.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32

from uamsim.contract import Policy, PolicyInput, batch_key
from uamsim.errors import InvalidActionError, PolicyServerError, UamsimError

LOGGER = logging.getLogger("uamsim.serving")


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """Actions for one request, and where the time went.

    Attributes:
        actions: float32 [T, A].
        queue_s: from asking to the call of the policy.
        infer_s: the call, which the whole batch shares.
        num_shared: requests in the batch.
    """

    actions: Float32[np.ndarray, "T A"]
    queue_s: float
    infer_s: float
    num_shared: int


@dataclass(frozen=True, kw_only=True, eq=False)
class _Request:
    item: PolicyInput
    future: "asyncio.Future[Answer]"
    key: Hashable = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    asked: float = field(default_factory=time.perf_counter)

    def settle(self, outcome: "Answer | Exception") -> None:
        """Hands over the outcome, from any thread."""

        def hand_over() -> None:
            if self.future.done():  # the client is gone
                return
            if isinstance(outcome, Exception):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)

        with contextlib.suppress(RuntimeError):  # the server has ended, and its loop with it
            self.loop.call_soon_threadsafe(hand_over)


class Batcher:
    """Calls a policy in a thread of its own.

    Args:
        policy: any policy of the contract; only that thread calls it.
        batch_size: inputs of each call; a smaller batch is padded with copies of its first.
        max_wait_s: longest time that a request waits for others to join it.
        num_clients: how many may ask at the moment; when all of them have, nobody is waited for.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        batch_size: int,
        max_wait_s: float,
        num_clients: Callable[[], int],
    ) -> None:
        self._policy, self._batch_size, self._max_wait_s = policy, batch_size, max_wait_s
        self._num_clients = num_clients
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._waiting: list[_Request] = []
        self._closed = False
        # A daemon: a policy that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self._thread.start()

    async def ask(self, item: PolicyInput) -> Answer:
        """The policy's answer to one request.

        Raises:
            UamsimError: what the policy raised on purpose.
            PolicyServerError: the policy failed, or the batcher was closed.
        """
        request = _Request(
            item=item,
            future=asyncio.get_running_loop().create_future(),
        )
        self._queue.put(request)
        return await request.future

    def close(self) -> None:
        """Ends the thread after its present batch; what still waits gets an error."""
        self._closed = True
        self._queue.put(None)

    def _work(self) -> None:
        while not self._closed:
            batch = self._collect()
            if batch:
                self._run(batch)
        for request in self._waiting:
            request.settle(PolicyServerError("the server is shutting down; ask again later."))

    def _collect(self) -> list[_Request]:
        """The next batch: the oldest request and those that may share its call."""
        if not self._waiting:
            self._take(None)
        while self._waiting and not self._closed:
            while self._take(0):
                pass
            self._waiting = [r for r in self._waiting if not r.future.cancelled()]
            if not self._waiting:
                break
            oldest = self._waiting[0]
            batch = [r for r in self._waiting if r.key == oldest.key][: self._batch_size]
            left = oldest.asked + self._max_wait_s - time.perf_counter()
            everybody = len(self._waiting) >= self._num_clients()
            if len(batch) == self._batch_size or everybody or left <= 0:
                self._waiting = [r for r in self._waiting if r not in batch]
                return batch
            self._take(left)
        return []

    def _take(self, timeout: float | None) -> bool:
        """Moves one request from the queue, waiting ``timeout`` seconds for it (None: for ever)."""
        try:
            request = self._queue.get(timeout is None or timeout > 0, timeout)
        except queue.Empty:
            return False
        if request is None:
            return False
        try:
            # Here and not where it is asked: a policy may count tokens for its key.
            self._waiting.append(replace(request, key=batch_key(self._policy, request.item)))
        except Exception as error:
            request.settle(self._explain(error))
        return True

    def _run(self, batch: list[_Request]) -> None:
        started = time.perf_counter()
        try:
            actions = self._act(batch)
        except Exception as error:
            if len(batch) > 1:  # one bad request must not take the others with it
                for request in batch:
                    self._run([request])
                return
            batch[0].settle(self._explain(error))
            return
        infer_s = time.perf_counter() - started
        for request, chunk in zip(batch, actions, strict=False):
            if np.isfinite(chunk).all():
                outcome = Answer(
                    actions=chunk,
                    queue_s=started - request.asked,
                    infer_s=infer_s,
                    num_shared=len(batch),
                )
            else:
                outcome = InvalidActionError(
                    f"policy {self._policy.name!r} gave actions that are not finite; the model "
                    "has diverged or its normalisation is broken."
                )
            request.settle(outcome)

    def _act(self, batch: list[_Request]) -> Float32[np.ndarray, "B T A"]:
        inputs = [request.item for request in batch]
        inputs += [inputs[0]] * (self._batch_size - len(inputs))
        spec = self._policy.spec
        actions = np.asarray(self._policy.act(inputs), np.float32)
        expected = (self._batch_size, spec.horizon, spec.action_dim)
        if actions.shape != expected:
            raise InvalidActionError(
                f"policy {self._policy.name!r}: expected actions of shape {expected} [B, T, A], "
                f"got {actions.shape}; its spec and its output disagree."
            )
        return actions

    def _explain(self, error: Exception) -> Exception:
        if isinstance(error, UamsimError):
            return error
        LOGGER.error("policy %r failed", self._policy.name, exc_info=error)
        return PolicyServerError(
            f"policy {self._policy.name!r} failed: {type(error).__name__}: {error}. The server's "
            "log has more."
        )
