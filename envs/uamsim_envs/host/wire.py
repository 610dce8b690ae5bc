"""Messages between a simulator host and its client: JSON, arrays as raw bytes, pictures shared.

A frame is a magic number, the lengths of its two parts, the JSON text and the bytes of its arrays.
Large arrays go by a memory file that both processes map. Nothing that is received is executed.
"""

import json
import mmap
import os
import socket
import struct
import tempfile
import time
from typing import Any

import numpy as np

from uamsim.errors import ProtocolError

PROTOCOL = 1
"""Raised with every change that a host and a client must agree on."""
MAX_TEXT_BYTES = 64 * 2**20
MAX_ARRAY_BYTES = 256 * 2**20
SHARED_FROM_BYTES = 1 << 14
"""Arrays of this size and more go by the shared memory."""

_HEAD = struct.Struct("<4sII")
_MAGIC = b"uam\x01"
_ARRAY = "$array"
_DTYPES = frozenset(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)) | {"f4", "f8", "b1"}
_SHAPES: dict[str, tuple[frozenset[str], ...]] = {
    "request": (frozenset({"call", "arguments"}),),
    "reply": (frozenset({"value"}), frozenset({"error", "message", "trace"})),
    "greeting": (frozenset({"protocol", "versions"}),),
}
"""Kind of message -> the sets of keys that it may have."""


class SharedMemory:
    """A nameless file in memory that both sides map; it is gone with the last of them.

    One side writes and one reads, in turns: what is written holds until the next message.

    Attributes:
        fd: its descriptor, to be handed to the other process.
    """

    def __init__(self, fd: int | None = None) -> None:
        """Makes one, or opens the one of a descriptor."""
        if fd is None:
            fd = _memory_file()
        self.fd = fd
        self._map: mmap.mmap | None = None
        self._used = 0

    def rewind(self) -> None:
        """Begins a new message."""
        self._used = 0

    def put(self, data: memoryview) -> int:
        """Copies bytes behind what the message holds and returns their place."""
        start, self._used = self._used, self._used + len(data)
        if self._map is None or self._used > len(self._map):
            size = max(1 << 20, 2 * self._used)
            os.ftruncate(self.fd, size)
            self._map = mmap.mmap(self.fd, size)
        self._map[start : self._used] = data
        return start

    def get(self, start: int, size: int) -> np.ndarray:
        """A copy of bytes that the other side put.

        Raises:
            ProtocolError: it does not have so many.
        """
        if self._map is None or start + size > len(self._map):
            real = os.fstat(self.fd).st_size
            if start < 0 or start + size > real:
                raise ProtocolError(
                    f"an array at byte {start} of {size} bytes is not in a shared memory of "
                    f"{real}. Make the environment anew."
                )
            self._map = mmap.mmap(self.fd, real)
        return np.frombuffer(self._map, np.uint8, size, start).copy()

    def close(self) -> None:
        """Closes this side."""
        if self._map is not None:
            self._map.close()
        os.close(self.fd)


def _memory_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("uamsim")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def send(sock: socket.socket, message: dict[str, Any], shared: SharedMemory | None) -> None:
    """Writes a message.

    Args:
        sock: to the other side.
        message: of JSON values and arrays.
        shared: where large arrays go, None to send them by the socket.

    Raises:
        ProtocolError: a value that no message can hold.
        OSError: the other side is gone.
    """
    if shared is not None:
        shared.rewind()
    parts: list[bytes] = []
    text = json.dumps(_packed(message, parts, shared), separators=(",", ":")).encode()
    body = b"".join(parts)
    sock.sendall(_HEAD.pack(_MAGIC, len(text), len(body)) + text + body)


def receive(
    sock: socket.socket, kind: str, shared: SharedMemory | None, deadline: float | None = None
) -> dict[str, Any] | None:
    """Reads a message; None where the other side has closed.

    Args:
        sock: to the other side.
        kind: "request", "reply" or "greeting".
        shared: where large arrays come from.
        deadline: on the clock of ``time.monotonic``; None waits for ever.

    Raises:
        TimeoutError: the deadline has passed.
        ProtocolError: not a message of this kind.
        OSError: the other side is gone.
    """
    head = _read(sock, _HEAD.size, deadline)
    if head is None:
        return None
    magic, text_size, body_size = _HEAD.unpack(head)
    if magic != _MAGIC or text_size > MAX_TEXT_BYTES or body_size > MAX_ARRAY_BYTES:
        raise ProtocolError(f"expected a message of protocol {PROTOCOL}, got {head!r}.")
    content = _read(sock, text_size + body_size, deadline)
    if content is None:
        return None
    try:
        message = json.loads(content[:text_size])
    except ValueError as error:
        raise ProtocolError(f"expected a {kind} in JSON, got {content[:80]!r}.") from error
    if not isinstance(message, dict) or frozenset(message) not in _SHAPES[kind]:
        expected = " or ".join(str(sorted(keys)) for keys in _SHAPES[kind])
        raise ProtocolError(f"expected a {kind} with {expected}, got {str(message)[:80]}.")
    return _unpacked(message, content[text_size:], shared)


def _read(sock: socket.socket, size: int, deadline: float | None) -> bytes | None:
    data = bytearray(size)
    view, have = memoryview(data), 0
    while have < size:
        if deadline is not None:
            # A timeout of 0 would mean "do not block", which raises another error.
            sock.settimeout(max(1e-3, deadline - time.monotonic()))
        got = sock.recv_into(view[have:])
        if not got:
            return None
        have += got
    return bytes(data)


def _packed(value: Any, parts: list[bytes], shared: SharedMemory | None) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return _packed_array(value, parts, shared)
    if isinstance(value, (list, tuple)):
        return [_packed(item, parts, shared) for item in value]
    if isinstance(value, dict) and all(isinstance(k, str) and k != _ARRAY for k in value):
        return {key: _packed(item, parts, shared) for key, item in value.items()}
    raise ProtocolError(
        f"a message holds JSON values with str keys and arrays of numbers, not "
        f"{type(value).__name__}: {str(value)[:80]}."
    )


def _packed_array(
    value: np.ndarray, parts: list[bytes], shared: SharedMemory | None
) -> dict[str, Any]:
    dtype = value.dtype.str[1:]
    if dtype not in _DTYPES:
        raise ProtocolError(f"a message holds arrays of numbers, not of {value.dtype}.")
    value = np.asarray(value, value.dtype.newbyteorder("<"), order="C")
    if shared is not None and value.nbytes >= SHARED_FROM_BYTES:
        place = ["shared", shared.put(value.reshape(-1).view(np.uint8).data)]
    else:
        place = ["inline", sum(map(len, parts))]
        parts.append(value.tobytes())
    return {_ARRAY: [dtype, list(value.shape), *place]}


def _unpacked(value: Any, body: bytes, shared: SharedMemory | None) -> Any:
    if isinstance(value, list):
        return [_unpacked(item, body, shared) for item in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY not in value:
        return {key: _unpacked(item, body, shared) for key, item in value.items()}
    try:
        dtype, shape, where, start = value[_ARRAY]
        if dtype not in _DTYPES or where not in ("inline", "shared") or start < 0:
            raise ValueError(f"no such dtype or place: {dtype!r}, {where!r}, {start!r}")
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        if size < 0 or (where == "shared" and shared is None):
            raise ValueError("no such size, or no shared memory")
        if shared is not None and where == "shared":
            data = shared.get(start, size)
        else:
            data = np.frombuffer(body[start : start + size], np.uint8).copy()
        return data.view(np.dtype(dtype).newbyteorder("<")).reshape(shape)
    except (TypeError, ValueError) as error:
        if isinstance(error, ProtocolError):
            raise
        raise ProtocolError(f"not an array: {str(value)[:80]}: {error}.") from error
