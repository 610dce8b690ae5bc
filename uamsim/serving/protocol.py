"""openpi's wire format: a msgpack map a frame, with numpy arrays written as maps.

Requests and answers are binary frames; a text frame from the server is an error. An array is the
map ``{b"__ndarray__": True, b"data", b"dtype", b"shape"}`` and a numpy scalar
``{b"__npgeneric__": True, b"data", b"dtype"}``, with byte strings as keys. Source: openpi,
``packages/openpi-client/src/openpi_client/msgpack_numpy.py`` (commit 15a9616).

What comes from outside is limited: plain dtypes only, no object arrays, nothing is unpickled, and
a small frame cannot grow into a large object.
"""

import math
import re
from typing import Any

import msgpack
import numpy as np

from uamsim.errors import ProtocolError

ARRAY, SCALAR = b"__ndarray__", b"__npgeneric__"
PLAIN_DTYPE = re.compile(r"[<>|=]?([biuf][1248]|[SU]\d{1,6})")
"""Booleans, integers, floats and fixed-length strings: no objects, records or subarrays."""
SCALAR_TYPES: dict[str, type | tuple[type, ...]] = {
    "b": bool,
    "i": int,
    "u": int,
    "f": (int, float),
    "S": bytes,
    "U": str,
}
"""Kind of a dtype -> what a scalar's data is."""
MAX_ITEMS = 4096
"""In one list; arrays are the way to send many numbers."""
MAX_CONTAINERS = 10_000
"""Lists and maps in one frame: an empty one costs a byte to send and 60 bytes to hold."""


def encode(message: dict[str, Any]) -> bytes:
    """A frame of a message of plain values, arrays and numpy scalars.

    Raises:
        ProtocolError: a value of another type or dtype.
    """
    try:
        packed = msgpack.packb(message, default=_pack)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"cannot send this message: {error}") from error
    return bytes(packed or b"")


def decode(frame: bytes) -> dict[str, Any]:
    """The message in a frame; its arrays are views of the frame and cannot be written.

    Raises:
        ProtocolError: not a msgpack map, or one that holds what is not allowed.
    """
    hooks = _Hooks()
    try:
        message = msgpack.unpackb(
            frame,
            object_hook=hooks.read_map,
            list_hook=hooks.read_list,
            ext_hook=_refuse_extension,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
        )
    except ProtocolError:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        reason = str(error) or type(error).__name__
        raise ProtocolError(
            f"expected one msgpack map in a binary frame of {len(frame)} bytes: {reason}."
        ) from error
    if not isinstance(message, dict):
        raise ProtocolError(f"expected a msgpack map, got {type(message).__name__}.")
    return message


def _pack(value: Any) -> dict[bytes, Any]:
    if not isinstance(value, np.ndarray | np.generic):
        raise ProtocolError(f"cannot send a {type(value).__name__}; send arrays and plain values.")
    dtype = _plain_dtype(value.dtype.str)
    if isinstance(value, np.ndarray):
        data = {b"data": value.tobytes(), b"shape": value.shape}
        return {ARRAY: True, b"dtype": dtype.str, **data}
    return {SCALAR: True, b"data": value.item(), b"dtype": dtype.str}


class _Hooks:
    """Reads the containers of one frame, and counts them."""

    def __init__(self) -> None:
        self._containers = 0

    def read_list(self, value: list[Any]) -> list[Any]:
        self._count()
        return value

    def read_map(self, value: dict[Any, Any]) -> Any:
        self._count()
        if ARRAY in value:
            return _read_array(value)
        if SCALAR in value:
            return _read_scalar(value)
        return value

    def _count(self) -> None:
        self._containers += 1
        if self._containers > MAX_CONTAINERS:
            raise ProtocolError(
                f"more than {MAX_CONTAINERS} lists and maps in one frame; send numbers as arrays."
            )


def _read_array(value: dict[Any, Any]) -> np.ndarray:
    dtype, data, shape = _plain_dtype(value.get(b"dtype")), value.get(b"data"), value.get(b"shape")
    sizes = shape if isinstance(shape, list) else None
    if sizes is None or len(sizes) > 32 or not all(type(n) is int and n >= 0 for n in sizes):
        raise ProtocolError(f"expected an array's shape as a list of sizes, got {shape!r:.100}.")
    expected = math.prod(sizes) * dtype.itemsize
    if not isinstance(data, bytes) or len(data) != expected:
        got = f"{len(data)} bytes" if isinstance(data, bytes) else type(data).__name__
        raise ProtocolError(
            f"expected {expected} bytes for an array of shape {tuple(sizes)} and dtype "
            f"{dtype.str}, got {got}."
        )
    return np.ndarray(tuple(sizes), dtype, buffer=data)


def _read_scalar(value: dict[Any, Any]) -> np.generic:
    dtype, data = _plain_dtype(value.get(b"dtype")), value.get(b"data")
    if not isinstance(data, SCALAR_TYPES[dtype.kind]):
        raise ProtocolError(f"expected one number or text of dtype {dtype.str}, got {data!r:.50}.")
    with np.errstate(over="ignore"):  # becomes infinite
        return dtype.type(data)


def _plain_dtype(name: Any) -> np.dtype:
    if not isinstance(name, str) or not PLAIN_DTYPE.fullmatch(name):
        raise ProtocolError(
            f"dtype {name!r:.50} is not allowed; send booleans, integers, floats or strings."
        )
    return np.dtype(name)


def _refuse_extension(code: int, data: bytes) -> Any:
    raise ProtocolError(f"msgpack extension type {code} ({len(data)} bytes) is not allowed.")
