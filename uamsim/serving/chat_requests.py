"""What clients of a chat endpoint send, as a question with its pictures.

Of OpenAI's chat completions: ``messages`` of "system" and "user", each a text or a list of parts
(``text``, and ``image_url`` whose ``url`` is a data URI), ``max_tokens`` or
``max_completion_tokens``, ``stop``, ``temperature`` and ``seed``. Pictures stand ahead of all text,
in their order, as the model was trained to see them.
"""

import base64
import binascii
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from uamsim.bounds import Count, Positive, Within, check_bounds
from uamsim.errors import ProtocolError

FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
MAX_STOPS = 4
MAX_TEMPERATURE = 2.0
_DATA_URI = re.compile(r"data:([^;,]*);base64,", re.ASCII)
_ONLY = {"n": (1,), "stream": (False,), "logprobs": (False,), "tools": ([],), "functions": ([],)}
"""Fields that change what is answered, and the values that are taken; null is always."""


@dataclass(frozen=True, kw_only=True)
class ChatLimits:
    """What one request may cost.

    Attributes:
        max_body_bytes: longer bodies are refused, pictures in base64 counted.
        max_pictures: of one prompt.
        max_pixels: of one picture, before it is scaled.
        max_prompt_bytes: longer texts are refused, in UTF-8; memory grows with the square.
        max_tokens: of an answer; who asks for more gets so many.
        max_requests: that are answered or wait at a time; more are told to come later.
        body_s: longest time that a request may take to arrive.
    """

    max_body_bytes: Positive = 16 * 2**20
    max_pictures: Count = 8
    max_pixels: Positive = 16_000_000
    max_prompt_bytes: Positive = 4096
    max_tokens: Positive = 1024
    max_requests: Positive = 128
    body_s: Annotated[float, Within(1e-3, 1e9)] = 30.0

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class ChatRequest:
    """A question.

    Attributes:
        text: of all messages, a line each.
        pictures: in the model's size.
        max_tokens: of the answer, or None for the model's own limit.
        stop: texts that end the answer and are no part of it.
        temperature: 0 takes the likeliest token each time.
        seed: of the tokens drawn at a higher one; None for another answer every time.
    """

    text: str
    pictures: Sequence[UInt8[np.ndarray, "H W 3"]] = ()
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int | None = None


def read_request(body: bytes, limits: ChatLimits, image_size: tuple[int, int]) -> ChatRequest:
    """A request's body, checked.

    Args:
        body: JSON.
        limits: of what it may ask for.
        image_size: (H, W) that pictures are scaled to, with black borders; one of that size stays
            as it is.

    Raises:
        ProtocolError: names what is wrong with it.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ProtocolError(f"expected a JSON object, got {type(value).__name__}.")
    for name, taken in _ONLY.items():
        if value.get(name) is not None and value[name] not in taken:
            raise ProtocolError(f"{name}={_short(value[name])} is not supported; leave it out.")
    texts, urls = _messages(value.get("messages"))
    if len(urls) > limits.max_pictures:
        raise ProtocolError(
            f"expected at most {limits.max_pictures} pictures, got {len(urls)}; start the server "
            "with a larger --limits.max-pictures."
        )
    return ChatRequest(
        text=_text("\n".join(texts), limits),
        pictures=[_picture(url, limits, image_size) for url in urls],
        max_tokens=_max_tokens(value, limits),
        stop=_stops(value.get("stop")),
        temperature=_temperature(value),
        seed=_whole(value, "seed", least=-(2**63), most=2**63 - 1),
    )


def _messages(messages: Any) -> tuple[list[str], list[Any]]:
    """Texts and picture URLs in their order."""
    if not isinstance(messages, list) or not messages:
        raise ProtocolError("expected messages, a list of at least one.")
    texts: list[str] = []
    urls: list[Any] = []
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ("system", "user"):
            role = message.get("role") if isinstance(message, dict) else message
            raise ProtocolError(
                f"expected messages of role system or user, got {_short(role)}: this model answers "
                "single questions and has learnt no conversation."
            )
        content = message.get("content")
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(parts, list):
            raise ProtocolError(f"expected content as text or parts, got {_short(content)}.")
        for part in parts:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "text" and isinstance(part.get("text"), str):
                texts.append(part["text"])
            elif kind == "image_url":
                url = part.get("image_url")
                urls.append(url.get("url") if isinstance(url, dict) else url)
            else:
                raise ProtocolError(
                    f"expected parts of type text or image_url, got {_short(part)}."
                )
    if messages[-1]["role"] != "user" or not any(text.strip() for text in texts):
        raise ProtocolError("expected a question: text in a last message of role user.")
    return texts, urls


def _text(text: str, limits: ChatLimits) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise ProtocolError(f"the text is no valid Unicode: {error.reason}.") from error
    if size > limits.max_prompt_bytes:
        raise ProtocolError(
            f"expected at most {limits.max_prompt_bytes} bytes of text, got {size}; start the "
            "server with a larger --limits.max-prompt-bytes."
        )
    return text


def _picture(
    url: Any, limits: ChatLimits, image_size: tuple[int, int]
) -> UInt8[np.ndarray, "H W 3"]:
    found = _DATA_URI.match(url) if isinstance(url, str) else None
    if found is None:
        raise ProtocolError(
            f"expected a picture as data:image/png;base64,..., got {_short(url)}; this server "
            "fetches nothing."
        )
    if found[1] not in FORMATS:
        raise ProtocolError(f"expected a picture of {', '.join(FORMATS)}, got {_short(found[1])}.")
    try:
        data = base64.b64decode(url[found.end() :], validate=True)
        image = Image.open(io.BytesIO(data), formats=[FORMATS[found[1]]])
        if image.width * image.height > limits.max_pixels:
            raise ProtocolError(
                f"expected a picture of at most {limits.max_pixels} pixels, got {image.width} x "
                f"{image.height}; scale it before you send it."
            )
        image = ImageOps.exif_transpose(image).convert("RGB")
    except ProtocolError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ProtocolError(f"the picture is too large: {error}.") from error
    except (binascii.Error, OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        raise ProtocolError(f"the picture is no {found[1]}: {error}.") from error
    height, width = image_size
    if image.size != (width, height):
        image = ImageOps.pad(image, (width, height), Image.Resampling.BILINEAR)
    return np.array(image)


def _max_tokens(value: Mapping[str, Any], limits: ChatLimits) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        number = _whole(value, name, least=1)
        if number is not None:
            return min(number, limits.max_tokens)
    return None


def _whole(
    value: Mapping[str, Any], name: str, *, least: int, most: int | None = None
) -> int | None:
    number = value.get(name)
    if number is None:
        return None
    if (
        not isinstance(number, int)
        or isinstance(number, bool)
        or number < least
        or (most is not None and number > most)
    ):
        raise ProtocolError(f"{name}: expected a whole number from {least}, got {_short(number)}.")
    return number


def _temperature(value: Mapping[str, Any]) -> float:
    temperature, top_p = value.get("temperature"), value.get("top_p")
    temperature = 0.0 if temperature is None else temperature
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        raise ProtocolError(f"temperature: expected a number, got {_short(temperature)}.")
    if not 0 <= temperature <= MAX_TEMPERATURE:
        raise ProtocolError(
            f"temperature: expected 0 to {MAX_TEMPERATURE:g}, got {_short(temperature)}."
        )
    if temperature > 0 and top_p not in (None, 1):
        raise ProtocolError(f"top_p={_short(top_p)} is not supported; leave it out.")
    return float(temperature)


def _stops(stop: Any) -> tuple[str, ...]:
    stops = [] if stop is None else [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or len(stops) > MAX_STOPS:
        raise ProtocolError(f"stop: expected at most {MAX_STOPS} texts, got {_short(stop)}.")
    if not all(isinstance(text, str) and text for text in stops):
        raise ProtocolError(f"stop: expected texts that are not empty, got {_short(stop)}.")
    return tuple(stops)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
