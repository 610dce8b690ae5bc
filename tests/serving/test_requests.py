from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uamsim.contract import PolicyInput, PolicySpec
from uamsim.errors import ConfigError, ProtocolError, ShapeError
from uamsim.serving.incoming import RequestReader
from uamsim.serving.outgoing import RequestKeys, aloha_keys, libero_keys, uamsim_keys
from uamsim.serving.protocol import decode, encode

SPEC = PolicySpec(cameras=("primary", "left_wrist"), image_size=(32, 48), control="ee", horizon=10)
RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.integers(0, 256, (2, 32, 48, 3), np.uint8)
POS = RNG.normal(size=14).astype(np.float32)
ITEM = PolicyInput(
    observation={"pixels": {"primary": FIRST, "left_wrist": SECOND}, "agent_pos": POS},
    instruction="touch the red cube",
    seed=3,
    step=20,
)
NATIVE: dict[str, Any] = {
    "pixels": {"primary": FIRST, "left_wrist": SECOND},
    "agent_pos": POS,
    "prompt": "touch the red cube",
}
LIBERO: dict[str, Any] = {
    "observation/image": FIRST,
    "observation/wrist_image": SECOND,
    "observation/state": POS.astype(np.float64),
    "prompt": b"touch the red cube",
}
ALOHA: dict[str, Any] = {
    "images": {"cam_high": FIRST.transpose(2, 0, 1), "left_wrist": SECOND.transpose(2, 0, 1)},
    "state": POS.tolist(),
    "prompt": np.array("touch the red cube"),
}


def check(item: PolicyInput, *, seed: int = 0, step: int = 70) -> None:
    np.testing.assert_array_equal(item.observation["pixels"]["primary"], FIRST)
    np.testing.assert_array_equal(item.observation["pixels"]["left_wrist"], SECOND)
    np.testing.assert_array_equal(item.observation["agent_pos"], POS)
    assert item.observation["agent_pos"].dtype == np.float32
    assert (item.instruction, item.seed, item.step) == ("touch the red cube", seed, step)


@pytest.mark.parametrize(
    "message",
    [
        NATIVE,
        LIBERO,
        ALOHA,
        {"observation": {k.removeprefix("observation/"): v for k, v in LIBERO.items()}}
        | {"prompt": "touch the red cube"},
        NATIVE | {"unknown": [1, 2], "pixels": NATIVE["pixels"] | {"other": 5}},
    ],
)
def test_every_style_is_the_same_request(message: dict[str, Any]):
    reader = RequestReader(SPEC, aliases={"images/cam_high": "pixels/primary"})
    check(reader.read(decode(encode(message)), default_step=70))


def test_seed_and_step_are_taken_where_they_are_sent():
    reader = RequestReader(SPEC)
    check(reader.read(NATIVE | {"seed": np.int64(7)}, default_step=70), seed=7)
    check(reader.read(NATIVE | {"seed": 7, "step": np.array(5)}, default_step=70), seed=7, step=5)


@pytest.mark.parametrize("keys", [uamsim_keys, libero_keys, aloha_keys])
def test_what_is_written_is_read_back(keys: Any):
    request = keys(SPEC.cameras).write(ITEM)
    aliases = {
        "images/cam_high": "pixels/primary",
        "images/cam_left_wrist": "pixels/left_wrist",
    }
    item = RequestReader(SPEC, aliases=aliases).read(decode(encode(request)), default_step=70)
    sends_seed = keys is uamsim_keys
    check(item, seed=3 if sends_seed else 0, step=20 if sends_seed else 70)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"prompt": None}, ProtocolError, "expected 'prompt' in the request, got pixels/primary"),
        ({"prompt": 5}, ProtocolError, "prompt: expected some text, got 5"),
        ({"prompt": "  "}, ProtocolError, "prompt: expected some text"),
        ({"prompt": b"\xff"}, ProtocolError, "UTF-8"),
        ({"agent_pos": None}, ProtocolError, "expected 'agent_pos'"),
        ({"agent_pos": POS[:7]}, ShapeError, r"14 finite numbers.*float32 \(7,\)"),
        ({"agent_pos": np.full(14, np.nan)}, ShapeError, "finite"),
        ({"agent_pos": np.full(14, 1e300)}, ShapeError, "finite"),
        ({"agent_pos": "text"}, ShapeError, "got str"),
        ({"agent_pos": [[1], [2, 3]]}, ShapeError, "got list"),
        ({"state": POS}, ProtocolError, "'agent_pos' and 'state' are both agent_pos"),
        ({"seed": -1}, ProtocolError, "seed: expected a whole number"),
        ({"seed": 1.5}, ProtocolError, "seed: expected a whole number"),
        ({"step": "3"}, ProtocolError, "step: expected a whole number"),
        ({"pixels": {"primary": FIRST}}, ProtocolError, "'pixels/left_wrist'"),
        ({"pixels": {b"primary": FIRST}}, ProtocolError, "strings as keys"),
        ({"pixels": {"primary": FIRST[:8], "left_wrist": SECOND}}, ShapeError,
         r"'primary': expected a uint8 picture of shape \(32, 48, 3\), got uint8 \(8, 48, 3\)"),
        ({"pixels": {"primary": FIRST / 255, "left_wrist": SECOND}}, ShapeError, "got float64"),
        ({"pixels": {"primary": b"jpeg", "left_wrist": SECOND}}, ShapeError, "got bytes"),
    ],
)  # fmt: skip
def test_bad_requests_are_named(changes: dict[str, Any], error: type[Exception], message: str):
    request = {k: v for k, v in (NATIVE | changes).items() if v is not None}
    with pytest.raises(error, match=message):
        RequestReader(SPEC).read(request, default_step=0)


def test_deep_requests_are_refused():
    request: dict[str, Any] = {}
    for _ in range(100):
        request = {"a": request}
    with pytest.raises(ProtocolError, match="nests"):
        RequestReader(SPEC).read(request, default_step=0)


def test_pictures_are_scaled_only_if_asked():
    grey = np.full((64, 64, 3), 90, np.uint8)
    request = NATIVE | {"pixels": {"primary": grey, "left_wrist": SECOND}}
    with pytest.raises(ShapeError, match="--resize"):
        RequestReader(SPEC).read(request, default_step=0)
    item = RequestReader(SPEC, resize=True).read(request, default_step=0)
    picture = item.observation["pixels"]["primary"]
    assert picture.shape == (32, 48, 3)
    assert (picture[:, 8:40] == 90).all()
    assert not picture[:, :8].any()
    assert not picture[:, 40:].any()
    np.testing.assert_array_equal(item.observation["pixels"]["left_wrist"], SECOND)
    same_shape = np.asarray(Image.fromarray(FIRST).resize((96, 64)))
    request["pixels"]["primary"] = same_shape
    picture = RequestReader(SPEC, resize=True).read(request, default_step=0)
    assert picture.observation["pixels"]["primary"].all(axis=-1).mean() > 0.9  # no borders


def test_a_default_prompt_is_for_requests_without_one():
    reader = RequestReader(SPEC, default_prompt="do it")
    assert reader.read(NATIVE, default_step=0).instruction == "touch the red cube"
    silent = {k: v for k, v in NATIVE.items() if k != "prompt"}
    assert reader.read(silent, default_step=0).instruction == "do it"


def test_keys_that_cannot_work_are_refused():
    with pytest.raises(ConfigError, match=r"pixels/left_wrist, pixels/primary"):
        RequestReader(SPEC, aliases={"x": "pixels/top"})
    with pytest.raises(ConfigError, match="at most 2 cameras"):
        libero_keys(("a", "b", "c"))
    with pytest.raises(ConfigError, match="camera 'top'"):
        RequestKeys(pictures={"top": "x"}).write(ITEM)
    for twice in (
        RequestKeys(pictures={"primary": "x", "left_wrist": "x"}),
        RequestKeys(pictures={"primary": "x", "left_wrist": ("x", "y")}),
    ):
        with pytest.raises(ConfigError, match="two things"):
            twice.write(ITEM)
    assert replace(RequestKeys(pictures={}), seed=None, step=None).write(ITEM).keys() == {
        "agent_pos",
        "prompt",
    }
