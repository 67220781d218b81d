"""A message comes out of a frame as it went in, in either encoding; whatever else arrives is a ValueError."""

import contextlib
import json
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv.errors import LocalError
from openenv.protocol.frames import is_binary, pack_reply, pack_request, unpack

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.just("$array"), inner, max_size=4),
    max_leaves=15,
)
DTYPES = ["?", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8"]


def binary(text: bytes, buffers: bytes = b"") -> bytes:
    return len(text).to_bytes(4, "big") + text + buffers


@pytest.mark.parametrize("pack", [pack_request, pack_reply])
@pytest.mark.parametrize("as_binary", [False, True])
@settings(max_examples=30)
@given(message=st.dictionaries(st.text(), JSON, max_size=4))
def test_a_message_arrives_as_it_was_sent(pack: Any, as_binary: bool, message: dict[str, Any]) -> None:
    assert unpack(pack(message, binary=as_binary), arrays=True) == message


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3,), (2, 3), (0,), (2, 0), (0, 2), (1, 2, 1, 2)])
@pytest.mark.parametrize("arrays", [False, True])
def test_an_array_arrives_bit_for_bit(dtype: str, shape: tuple[int, ...], arrays: bool) -> None:
    sent = numpy.arange(numpy.prod(shape)).reshape(shape).astype(dtype)
    frame = pack_request({"a": [sent, {"b": sent}]}, binary=True)
    assert is_binary(frame)
    for got in (unpack(frame, arrays=arrays)["a"][0], unpack(frame, arrays=arrays)["a"][1]["b"]):
        if arrays:
            assert (got.dtype, got.shape, got.tobytes()) == (sent.dtype, sent.shape, sent.tobytes())
            got.fill(1)  # it is the receiver's own
        else:
            assert got == sent.tolist()


@pytest.mark.parametrize(
    "sent",
    [
        numpy.arange(6).reshape(2, 3).T,
        numpy.arange(12)[::2],
        numpy.arange(3, dtype=">i4"),
        numpy.asfortranarray(numpy.ones((2, 3))),
    ],
    ids=["transposed", "strided", "big-endian", "fortran"],
)
def test_an_array_is_sent_by_its_numbers_however_it_lies_in_memory(sent: Any) -> None:
    assert numpy.array_equal(unpack(pack_reply({"a": sent}, binary=True), arrays=True)["a"], sent)


@pytest.mark.parametrize("value", [numpy.float32(0.5), numpy.array(0.5), numpy.int64(3), numpy.bool_(True)])
@pytest.mark.parametrize("as_binary", [False, True])
def test_a_single_number_is_a_number(value: Any, as_binary: bool) -> None:
    assert unpack(pack_reply({"a": value}, binary=as_binary), arrays=True) == {"a": value.item()}


def test_in_text_arrays_are_lists() -> None:
    frame = pack_request({"a": numpy.ones((2, 2))}, binary=False)
    assert not is_binary(frame)
    assert unpack(frame, arrays=True) == {"a": [[1.0, 1.0], [1.0, 1.0]]}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_travels_in_binary_arrays_and_is_never_a_silent_null(value: float) -> None:
    array = numpy.array([value])
    assert numpy.array_equal(unpack(pack_reply({"a": array}, binary=True), arrays=True)["a"], array, equal_nan=True)
    for pack in (pack_request, pack_reply):
        with pytest.raises(LocalError, match="travel in binary frames only"):
            pack({"a": array}, binary=False)
    got = unpack(pack_request({"a": value}, binary=True), arrays=True)["a"]
    assert repr(got) == repr(value)


@pytest.mark.parametrize("message", [{"$array": 1}, {"a": {"$array": ["<f8", [1], 0]}}, {"a": "$array"}])
def test_a_message_that_has_the_key_itself_is_sent_as_text_and_stays_what_it_is(message: dict[str, Any]) -> None:
    both = message | {"array": numpy.ones(2)}
    for pack in (pack_request, pack_reply):
        frame = pack(both, binary=True)
        assert not is_binary(frame)
        assert unpack(frame, arrays=True) == message | {"array": [1.0, 1.0]}


@pytest.mark.parametrize("value", [object(), {1, 2}, numpy.array(["text"]).dtype])
def test_what_no_frame_can_carry_is_a_local_error(value: Any) -> None:
    for pack in (pack_request, pack_reply):
        for as_binary in (False, True):
            with pytest.raises(LocalError):
                pack({"a": value}, binary=as_binary)


def test_text_is_text_as_bytes_too() -> None:
    assert unpack(b' {"a":1}', arrays=True) == unpack(' {"a":1}', arrays=True) == {"a": 1}


LIES: dict[str, bytes] = {
    "no head": b"\0\0",
    "shorter than it says": b"\0\0\0\x09{}",
    "no JSON": binary(b"nonsense"),
    "outside": binary(b'{"$array":["<f8",[2],0]}', bytes(8)),
    "negative offset": binary(b'{"$array":["<f8",[1],-8]}', bytes(8)),
    "negative shape": binary(b'{"$array":["<f8",[-1],0]}', bytes(8)),
    "huge": binary(b'{"$array":["|u1",[2147483647,2147483647,2147483647],0]}', bytes(8)),
    "huge and empty": binary(b'{"$array":["|u1",[2147483647,2147483647,0],0]}', bytes(8)),
    "many dimensions": binary(b'{"$array":["|u1",[' + b",".join([b"1"] * 33) + b"],0]}", bytes(8)),
    "fractions": binary(b'{"$array":["<f8",[1.0],0]}', bytes(8)),
    "true": binary(b'{"$array":["<f8",[true],0]}', bytes(8)),
    "objects": binary(b'{"$array":["|O",[1],0]}', bytes(8)),
    "no dtype": binary(b'{"$array":[8,[1],0]}', bytes(8)),
    "no list": binary(b'{"$array":"<f8"}', bytes(8)),
    "another key": binary(b'{"$array":["<f8",[1],0],"a":1}', bytes(8)),
    "the same again": binary(b"[" + b",".join([b'{"$array":["|u1",[600],0]}'] * 99) + b"]", bytes(600)),
    "deep": binary(b'["$array",' + b"[" * 3000 + b"]" * 3000 + b"]"),
}


@pytest.mark.parametrize("frame", LIES.values(), ids=LIES)
@pytest.mark.parametrize("arrays", [False, True])
def test_a_frame_that_lies_is_a_value_error(frame: bytes, arrays: bool) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpack(frame, arrays=arrays)


@pytest.mark.parametrize("arrays", [False, True])
@given(
    kind=st.sampled_from(["<f8", "|u1", "|b1", "x", 0]),
    shape=st.lists(st.integers(-1, 5) | st.integers() | st.booleans(), max_size=4) | st.integers(),
    offset=st.integers(-1, 20) | st.integers(),
    buffers=st.binary(max_size=20),
)
def test_any_description_is_an_array_or_a_value_error(
    arrays: bool, kind: Any, shape: Any, offset: int, buffers: bytes
) -> None:
    frame = binary(json.dumps({"a": {"$array": [kind, shape, offset]}}).encode(), buffers)
    with contextlib.suppress(ValueError):
        unpack(frame, arrays=arrays)


@given(st.binary() | st.text() | st.binary().map(lambda rest: b"\0" + rest))
def test_garbage_is_a_value_error_or_json(frame: str | bytes) -> None:
    with contextlib.suppress(ValueError):
        unpack(frame, arrays=True)
