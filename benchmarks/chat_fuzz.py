"""Damaged chat requests: each must be read or refused with a message, never fail otherwise.

    python benchmarks/chat_fuzz.py --requests 10000

Fields are replaced or left out, pictures and bodies have bytes changed or cut off.
"""

import argparse
import base64
import io
import json
import random
import time
from collections.abc import Iterator
from typing import Any

from PIL import Image

from uamsim.errors import ProtocolError
from uamsim.serving.chat_requests import ChatLimits, read_request

SIZE = (64, 96)
ODD: tuple[Any, ...] = (
    *(None, 1, -1, 1e308, float("nan"), True, "", [], {}, "a" * 9000, "\ud800", [[]], 2**80),
    *({"url": 3}, "data:image/png;base64,"),
)


def picture(kind: str, mode: str) -> tuple[str, bytes]:
    file = io.BytesIO()
    Image.new(mode, (9, 7)).save(file, kind)
    return f"image/{kind}", file.getvalue()


PICTURES = [
    *(picture(kind, "RGB") for kind in ("png", "jpeg", "webp")),
    *(picture("png", mode) for mode in ("I;16", "P", "LA")),
    picture("jpeg", "CMYK"),
]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Ways to everything inside a JSON value."""
    if at:
        yield at
    inside = dict(enumerate(value)) if isinstance(value, list) else value
    for key in inside if isinstance(inside, dict) else ():
        yield from places(value[key], (*at, key))


def damaged(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed[: rng.randrange(len(changed))] if rng.random() < 0.3 else changed)


def body(rng: random.Random) -> bytes:
    mime, data = rng.choice(PICTURES)
    data = damaged(data, rng) if rng.random() < 0.5 else data
    uri = f"data:{mime};base64,{base64.b64encode(data).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": uri}}, {"type": "text", "text": "hi"}]
    request: dict[str, Any] = {
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": parts}],
        **{"max_tokens": 5, "stop": ["a"], "temperature": 0.5, "seed": 1},
    }
    if rng.random() < 0.5:
        *way, last = rng.choice(list(places(request)))
        inside: Any = request
        for key in way:
            inside = inside[key]
        if rng.random() < 0.2:
            del inside[last]
        else:
            inside[last] = rng.choice(ODD)
    text = json.dumps(request).encode()
    return damaged(text, rng) if rng.random() < 0.1 else text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, refused, started = random.Random(options.seed), 0, time.perf_counter()
    for _ in range(options.requests):
        try:
            read = read_request(body(rng), ChatLimits(), SIZE)
            assert all(shown.shape == (*SIZE, 3) for shown in read.pictures)
        except ProtocolError:
            refused += 1
    seconds = time.perf_counter() - started
    print(
        f"{options.requests} requests: {options.requests - refused} read, {refused} refused, no "
        f"other error, {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
