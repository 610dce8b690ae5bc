import contextlib
import re
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from uamsim.errors import ProtocolError
from uamsim.serving.protocol import MAX_CONTAINERS, MAX_ITEMS, decode, encode


def packed(value: Any) -> bytes:
    return bytes(msgpack.packb(value) or b"")


ARRAYS = hnp.arrays(
    st.sampled_from(["?", "u1", "i2", "<i8", ">f4", "f2", "f8", "S3", "U2"]),
    hnp.array_shapes(min_dims=0, min_side=0),
)


def array(**changes: Any) -> bytes:
    """A frame with one array whose fields are changed; None leaves one out."""
    fields = {b"__ndarray__": True, b"data": b"\0" * 8, b"dtype": "<f4", b"shape": [2]}
    fields |= {key.encode(): value for key, value in changes.items()}
    return packed({"x": {k: v for k, v in fields.items() if v is not None}})


@given(ARRAYS)
def test_arrays_come_back_as_they_were(value: np.ndarray):
    back = decode(encode({"x": value}))["x"]
    assert back.dtype == value.dtype
    np.testing.assert_array_equal(back, value)
    assert not back.flags.writeable


def test_plain_values_and_scalars_come_back():
    message = {
        "prompt": "按红色按钮",
        "seed": 2**63,
        "flag": np.True_,
        "step": np.int32(-3),
        "nested": {"list": [1, None, 2.5, b"raw"]},
    }
    back = decode(encode(message))
    assert back == message
    assert back["step"].dtype == np.int32
    strided = np.arange(12).reshape(3, 4)[:, ::2].T
    np.testing.assert_array_equal(decode(encode({"x": strided}))["x"], strided)


def test_the_bytes_are_those_of_openpi():
    """Written out by hand after openpi's ``msgpack_numpy.py``."""
    value = np.array([[1, 2]], np.uint8)
    expected = {
        "x": {b"__ndarray__": True, b"data": b"\1\2", b"dtype": "|u1", b"shape": (1, 2)},
        "y": {b"__npgeneric__": True, b"data": 1.5, b"dtype": "<f4"},
    }
    unpacked = msgpack.unpackb(encode({"x": value, "y": np.float32(1.5)}), use_list=False)
    assert unpacked == expected
    assert decode(packed(expected))["y"] == np.float32(1.5)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"", "0 bytes"),
        (b"\xc1", "msgpack"),
        (packed([1]), "expected a msgpack map, got list"),
        (packed({"a": 1}) + b"\0", "extra data"),
        (packed({"a": 1})[:-1], "incomplete"),
        (packed({1: 1}), "int is not allowed"),
        (packed({"a": msgpack.ExtType(5, b"x")}), "extension type 5"),
        (array(dtype="|O"), r"'\|O' is not allowed"),
        (array(dtype="O"), "not allowed"),
        (array(dtype="<f4,<f4"), "not allowed"),
        (array(dtype="(2,)<f4"), "not allowed"),
        (array(dtype="|V4"), "not allowed"),
        (array(dtype="<c8"), "not allowed"),
        (array(dtype=[["a", "<f4"]]), "not allowed"),
        (array(dtype="<f3"), "not allowed"),
        (array(dtype="<i1" * 30), "not allowed"),
        (array(dtype=None), "not allowed"),
        (array(shape=[3]), "expected 12 bytes"),
        (array(shape=[2**62, 2**62]), "bytes for an array"),
        (array(shape=[-2]), "list of sizes"),
        (array(shape=[True, 2]), "list of sizes"),
        (array(shape=2), "list of sizes"),
        (array(shape=[1] * 40), "list of sizes"),
        (array(data="text"), "got str"),
        (array(data=None), "got NoneType"),
        (packed({"x": {b"__npgeneric__": True, b"data": b"", b"dtype": "O"}}), "allowed"),
        (
            packed({"x": {b"__npgeneric__": True, b"data": [], b"dtype": "<i4"}}),
            "one number",
        ),
        (packed({"x": {b"__npgeneric__": True, b"data": 300, b"dtype": "|u1"}}), "300"),
        (packed({"x": [0] * (MAX_ITEMS + 1)}), "4097"),
        (packed({"x": [[[]] * 100] * (MAX_CONTAINERS // 100)}), "lists and maps"),
        (b"\x81\xa1x" + b"\x91" * 100_000, "msgpack"),
        (b"\x81\xa1x\xdd\xff\xff\xff\xff", "msgpack"),
    ],
)
def test_what_is_not_allowed_is_refused(frame: bytes, message: str):
    with pytest.raises(ProtocolError, match=re.compile(message, re.IGNORECASE)):
        decode(frame)


@given(st.binary(max_size=200))
@example(b"\x81\xc0\xc0")
def test_no_bytes_break_the_reader(frame: bytes):
    with contextlib.suppress(ProtocolError):
        assert isinstance(decode(frame), dict)


@given(position=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.integers(0, 200))
def test_no_damage_breaks_the_reader(position: int, value: int, cut: int):
    frame = bytearray(encode({"x": np.ones((3, 4)), "y": np.float32(1), "p": "text", "l": [1]}))
    frame[position % len(frame)] = value
    for damaged in (frame, frame[: cut % len(frame)]):
        with contextlib.suppress(ProtocolError):
            decode(bytes(damaged))


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.array([1j]),
        np.zeros(1, [("a", "f4")]),
        np.datetime64("2020-01-01"),
        object(),
        {1, 2},
        2**70,
    ],
)
def test_what_cannot_be_sent_is_refused(value: Any):
    with pytest.raises(ProtocolError):
        encode({"x": value})
