"""Requests to a policy server, in the names that it knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from uamsim.contract import PolicyInput
from uamsim.errors import ConfigError
from uamsim.registry import Registry

Key = str | tuple[str, ...]
"""A key of the request; a tuple leads through nested maps. "a/b" is one key, as in openpi."""


@dataclass(frozen=True, kw_only=True)
class RequestKeys:
    """Where in a request each thing goes.

    Attributes:
        pictures: camera name -> key. Only these cameras are sent.
        agent_pos: of ``agent_pos``.
        prompt: of the instruction.
        seed: of the episode's seed, or None where the server has no use for it.
        step: of the control step, or None.
        channels_first: pictures as [3, H, W].
        actions: of the chunk in the answer.
    """

    pictures: Mapping[str, Key]
    agent_pos: Key = "agent_pos"
    prompt: Key = "prompt"
    seed: Key | None = "seed"
    step: Key | None = "step"
    channels_first: bool = False
    actions: str = "actions"

    def write(self, item: PolicyInput) -> dict[str, Any]:
        """The request for one input.

        Raises:
            ConfigError: a camera that the observation does not have, or two things in one place.
        """
        request: dict[str, Any] = {}
        pixels = item.observation["pixels"]
        for camera, key in self.pictures.items():
            if camera not in pixels:
                raise ConfigError(
                    f"the request sends camera {camera!r}, the observation has "
                    f"{', '.join(pixels) or 'none'}; name it in the environment's cameras."
                )
            picture = pixels[camera]
            _put(request, key, picture.transpose(2, 0, 1) if self.channels_first else picture)
        _put(request, self.agent_pos, np.asarray(item.observation["agent_pos"], np.float32))
        _put(request, self.prompt, item.instruction)
        if self.seed is not None:
            _put(request, self.seed, item.seed)
        if self.step is not None:
            _put(request, self.step, item.step)
        return request


def uamsim_keys(cameras: tuple[str, ...]) -> RequestKeys:
    """The contract's names, which ``uamsim serve`` knows."""
    return RequestKeys(pictures={name: ("pixels", name) for name in cameras})


def libero_keys(cameras: tuple[str, ...]) -> RequestKeys:
    """The names of openpi's LIBERO policies: one camera of the scene, then one of a wrist.

    Source: openpi, ``src/openpi/policies/libero_policy.py`` (commit 15a9616).

    Raises:
        ConfigError: more than two cameras.
    """
    keys = ("observation/image", "observation/wrist_image")
    if len(cameras) > len(keys):
        raise ConfigError(f"expected at most 2 cameras for these keys, got {', '.join(cameras)}.")
    return RequestKeys(
        pictures=dict(zip(cameras, keys, strict=False)),
        agent_pos="observation/state",
        seed=None,
        step=None,
    )


ALOHA_CAMERAS = {
    "primary": "cam_high",
    "left_wrist": "cam_left_wrist",
    "right_wrist": "cam_right_wrist",
}


def aloha_keys(cameras: tuple[str, ...]) -> RequestKeys:
    """The names of openpi's ALOHA policies, for the cameras of our ALOHA worlds.

    Source: openpi, ``src/openpi/policies/aloha_policy.py`` (commit 15a9616).
    """
    return RequestKeys(
        pictures={name: ("images", ALOHA_CAMERAS.get(name, name)) for name in cameras},
        agent_pos="state",
        seed=None,
        step=None,
        channels_first=True,
    )


KEY_STYLES: Registry[Callable[[tuple[str, ...]], RequestKeys]] = Registry("key style")
"""Style of a server's names -> the keys for some cameras."""
KEY_STYLES.add("uamsim", uamsim_keys)
KEY_STYLES.add("libero", libero_keys)
KEY_STYLES.add("aloha", aloha_keys)


def _put(request: dict[str, Any], key: Key, value: Any) -> None:
    *folders, name = (key,) if isinstance(key, str) else key
    place = request
    for folder in folders:
        place = place.setdefault(folder, {})
    if not isinstance(place, dict) or name in place:
        raise ConfigError(f"two things of a request have the key {key!r}; give each its own.")
    place[name] = value
