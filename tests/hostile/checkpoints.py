"""Checkpoints with one thing in their header changed, or with flipped bits."""

import json
import random
import struct
from collections.abc import Iterator
from typing import Any

from uamsim.models.checkpoint import HEADER_KEY

ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    3,
    2**40,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x\0",
    "../../etc/passwd",
    [],
    {},
    [[[]]],
    {"a": 1},
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else ()
    for key, inner in enumerate(value) if isinstance(value, list) else items:
        yield from _places(inner, (*path, key))


def altered(content: bytes, rng: random.Random) -> bytes:
    """The file with one value of its header replaced, or, once in four times, a bit flipped."""
    if rng.random() < 0.25:
        flipped = bytearray(content)
        place = rng.randrange(min(len(content), 40_000) * 8)
        flipped[place // 8] ^= 1 << place % 8
        return bytes(flipped)
    (size,) = struct.unpack("<Q", content[:8])
    tensors = json.loads(content[8 : 8 + size])
    header = json.loads(tensors["__metadata__"][HEADER_KEY])
    path = rng.choice(list(_places({k: header[k] for k in header if k != "tokenizer"})))
    inner = header
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = rng.choice(ODD)
    tensors["__metadata__"][HEADER_KEY] = json.dumps(header)
    written = json.dumps(tensors).encode()
    written += b" " * (-len(written) % 8)
    return struct.pack("<Q", len(written)) + written + content[8 + size :]
