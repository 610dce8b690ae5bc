"""What clients send, as the contract's values.

Maps inside a request are flattened with "/", so that ``{"observation": {"image": x}}`` and
``{"observation/image": x}`` are the same. Then each key is looked up:

=============================================  ====================================
key                                            what it is
=============================================  ====================================
``pixels/NAME``, ``images/NAME``,              the picture of camera NAME
``observation/NAME``
``observation/image``                          of the policy's first camera
``observation/wrist_image``                    of its second camera
``agent_pos``, ``state``,                      ``agent_pos``
``observation/state``
``prompt``                                     the instruction
``seed``, ``step``                             see ``PolicyInput``; both may be left out
=============================================  ====================================

Keys that mean nothing here are ignored, as openpi ignores them.
"""

import operator
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageOps

from uamsim.contract import Observation, PolicyInput, PolicySpec
from uamsim.errors import ConfigError, ProtocolError, ShapeError

MAX_DEPTH = 8
MAX_PROMPT_BYTES = 256
DEFAULT_SEED = 0


class RequestReader:
    """Reads requests for one policy.

    Args:
        spec: what the policy needs.
        aliases: further keys (flattened) and what they are: ``pixels/NAME``, ``agent_pos`` or
            ``prompt``.
        resize: scale pictures of another size, keeping their shape, with black borders;
            otherwise they are refused.
        default_prompt: the instruction of requests without one; otherwise they are refused.
        max_prompt_bytes: longer instructions are refused, in UTF-8. A token is at least one byte,
            so this bounds what an instruction costs without counting its tokens.

    Raises:
        ConfigError: an alias of something that the policy does not take.
    """

    def __init__(
        self,
        spec: PolicySpec,
        *,
        aliases: Mapping[str, str] | None = None,
        resize: bool = False,
        default_prompt: str | None = None,
        max_prompt_bytes: int = MAX_PROMPT_BYTES,
    ) -> None:
        self.spec, self._max_prompt_bytes = spec, max_prompt_bytes
        self._resize, self._default_prompt = resize, default_prompt
        self._names = _known_keys(spec)
        targets = set(self._names.values())
        for key, name in (aliases or {}).items():
            if name not in targets:
                raise ConfigError(
                    f"alias {key}={name}: expected one of {', '.join(sorted(targets))}."
                )
            self._names[key] = name

    def read(self, message: Mapping[str, Any], *, default_step: int) -> PolicyInput:
        """The request, checked against the policy's spec.

        Args:
            message: as decoded from the frame.
            default_step: where the message has no ``step``; without a ``seed`` it is
                ``DEFAULT_SEED``.

        Raises:
            ProtocolError: something is missing, there twice, or of the wrong type.
            ShapeError: a picture or ``agent_pos`` of the wrong shape or dtype.
        """
        found: dict[str, tuple[str, Any]] = {}
        flat = dict(_flatten(message))
        for key, value in flat.items():
            name = self._names.get(key)
            if name is None:
                continue
            if name in found:
                raise ProtocolError(f"{found[name][0]!r} and {key!r} are both {name}; send one.")
            found[name] = (key, value)

        def get(name: str) -> Any:
            if name not in found:
                sent = ", ".join(list(flat)[:20]) or "nothing"
                raise ProtocolError(f"expected {name!r} in the request, got {sent}.")
            return found[name][1]

        observation: Observation = {
            "pixels": {
                name: self._picture(name, get(f"pixels/{name}")) for name in self.spec.cameras
            },
            "agent_pos": self._agent_pos(get("agent_pos")),
        }
        if self._default_prompt is not None:
            found.setdefault("prompt", ("prompt", self._default_prompt))
        return PolicyInput(
            observation=observation,
            instruction=self._prompt(get("prompt")),
            seed=_count("seed", found["seed"][1]) if "seed" in found else DEFAULT_SEED,
            step=_count("step", found["step"][1]) if "step" in found else default_step,
        )

    def _prompt(self, value: Any) -> str:
        text = _text(value)
        size = len(text.encode())
        if size > self._max_prompt_bytes:
            raise ProtocolError(
                f"prompt: expected at most {self._max_prompt_bytes} bytes, got {size}. Send a "
                "shorter instruction, or start the server with a larger --max-prompt-bytes."
            )
        return text

    def _picture(self, name: str, value: Any) -> UInt8[np.ndarray, "H W 3"]:
        height, width = self.spec.image_size
        expected = (height, width, 3)
        if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3:
            if value.shape[2] != 3 and value.shape[0] == 3:  # channels first, as openpi's ALOHA
                value = np.ascontiguousarray(value.transpose(1, 2, 0))
            if value.shape == expected:
                return value
            if self._resize and value.shape[2] == 3 and min(value.shape) > 0:
                scaled = ImageOps.pad(
                    Image.fromarray(value), (width, height), Image.Resampling.BILINEAR
                )
                return np.asarray(scaled)
        hint = "" if self._resize else ", or start the server with --resize"
        raise ShapeError(
            f"camera {name!r}: expected a uint8 picture of shape {expected}, got "
            f"{_describe(value)}. Resize it before you send it{hint}."
        )

    def _agent_pos(self, value: Any) -> Float32[np.ndarray, " P"]:
        expected = (self.spec.proprio_dim,)
        try:
            with np.errstate(over="ignore"):  # becomes infinite, which is refused below
                agent_pos = np.asarray(value, np.float32)
        except (TypeError, ValueError):
            agent_pos = np.empty(0, np.float32)
        if agent_pos.shape != expected or not np.isfinite(agent_pos).all():
            raise ShapeError(
                f"agent_pos: expected {expected[0]} finite numbers (control="
                f"{self.spec.control!r}), got {_describe(value)}."
            )
        return agent_pos


def _known_keys(spec: PolicySpec) -> dict[str, str]:
    names = dict.fromkeys(("agent_pos", "state", "observation/state"), "agent_pos")
    names |= {key: key for key in ("prompt", "seed", "step")}
    for key, camera in zip(
        ("observation/image", "observation/wrist_image"), spec.cameras, strict=False
    ):
        names[key] = f"pixels/{camera}"
    for camera in spec.cameras:
        for folder in ("pixels", "images", "observation"):
            names[f"{folder}/{camera}"] = f"pixels/{camera}"
    return names


def _flatten(message: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> Iterator[Any]:
    if depth > MAX_DEPTH:
        raise ProtocolError(f"a request nests more than {MAX_DEPTH} maps.")
    for key, value in message.items():
        if not isinstance(key, str):
            raise ProtocolError(f"expected strings as keys, got {key!r:.50}.")
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}/", depth + 1)
        else:
            yield prefix + key, value


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProtocolError(f"prompt: expected UTF-8 text: {error}.") from error
    if not isinstance(value, str) or not value.strip():
        raise ProtocolError(f"prompt: expected some text, got {value!r:.50}.")
    return value


def _count(name: str, value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        raise ProtocolError(f"{name}: expected a whole number from 0, got {value!r:.50}.")
    return number


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return f"{type(value).__name__}"
