"""A client's frame says one thing, or is a fault that names what is wrong; nothing a client sends raises."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv.protocol import (
    Batch,
    CloseLanes,
    Fault,
    Fork,
    GetSnapshot,
    GetState,
    GetView,
    JsonRpc,
    Open,
    Reset,
    Restore,
    Step,
)
from openenv.protocol.link_messages import Acknowledge, Cancel
from openenv.protocol.link_requests import Arrived, decode_request, encode_request

REQUESTS: list[tuple[Any, int | None]] = [
    (Step({"text": "\u00e9"}, 2.0, {"a": [1]}), 3),
    (Reset({"seed": 1}, 2.0), 0),
    (GetState(), 3),
    (GetView(), 3),
    (JsonRpc({"id": 1}), 3),
    (Open((0, 1)), None),
    (CloseLanes((5,)), None),
    (Batch("step", (0, 2), [{"a": 1}, None], 0.5, True), None),
    (Batch("reset", (0, 2)), None),
    (Batch("state", (0,)), None),
    (Cancel(4), None),
    (GetSnapshot(), 3),
    (Restore(b"\0\xffstate"), 3),
    (Fork((4, 5)), 3),
]


@pytest.mark.parametrize(("request_", "lane"), REQUESTS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("binary", [False, True])
def test_requests_arrive_as_they_were_sent(request_: Any, lane: int | None, binary: bool) -> None:
    frame = encode_request(request_, 5, lane, 9, binary=binary)
    assert decode_request(frame, arrays=False) == Arrived(5, lane, request_, 9, binary)


def test_an_acknowledgement_has_no_id() -> None:
    frame = encode_request(Acknowledge(), None, None, 9, binary=False)
    assert frame == b'{"ack":9,"type":"ack"}'
    assert decode_request(frame, arrays=False) == Arrived(None, None, Acknowledge(), 9, False)


BAD: dict[str, tuple[str, str]] = {
    "snapshot without a lane": ('{"id":1,"type":"snapshot"}', "lane"),
    "fork without a lane": ('{"id":1,"type":"fork","lanes":[1]}', "lane"),
    "fork without lanes": ('{"id":1,"type":"fork","lane":0}', "lanes"),
    "fork into itself": ('{"id":1,"type":"fork","lane":0,"lanes":[1,0]}', "lanes"),
    "fork twice into one": ('{"id":1,"type":"fork","lane":0,"lanes":[1,1]}', "lanes"),
    "restore without data": ('{"id":1,"type":"restore","lane":0}', "data"),
    "restore of text": ('{"id":1,"type":"restore","lane":0,"data":"AAAA"}', "data"),
    "restore of no base64": ('{"id":1,"type":"restore","lane":0,"data":{"snapshot":"???"}}', "data.snapshot"),
    "restore of bad padding": ('{"id":1,"type":"restore","lane":0,"data":{"snapshot":"AAA"}}', "data.snapshot"),
    "restore of a letter": ('{"id":1,"type":"restore","lane":0,"data":{"snapshot":"\u00e9"}}', "data.snapshot"),
    "restore of a number": ('{"id":1,"type":"restore","lane":0,"data":{"snapshot":5}}', "data.snapshot"),
    "restore of more": ('{"id":1,"type":"restore","lane":0,"data":{"snapshot":"","more":1}}', "data"),
    "no id": ('{"type":"state","lane":0}', "id"),
    "id is text": ('{"id":"1","type":"state","lane":0}', "id"),
    "id is true": ('{"id":true,"type":"state","lane":0}', "id"),
    "id is huge": ('{"id":99999999999999999999999,"type":"state","lane":0}', "id"),
    "no lane": ('{"id":1,"type":"state"}', "lane"),
    "lane is negative": ('{"id":1,"type":"state","lane":-1}', "lane"),
    "lane is huge": ('{"id":1,"type":"state","lane":2147483648}', "lane"),
    "ack is text": ('{"id":1,"type":"state","lane":0,"ack":"1"}', "ack"),
    "ack without a count": ('{"type":"ack","ack":-1}', "ack"),
    "lane too many": ('{"id":1,"type":"open","lane":0,"lanes":[1]}', "lane"),
    "no lanes": ('{"id":1,"type":"open"}', "lanes"),
    "no lane in lanes": ('{"id":1,"type":"close","lanes":[]}', "lanes"),
    "a lane twice": ('{"id":1,"type":"open","lanes":[1,1]}', "lanes"),
    "a lane that is none": ('{"id":1,"type":"open","lanes":[1,true]}', "lanes"),
    "nested lanes": ('{"id":1,"type":"open","lanes":[[1]]}', "lanes"),
    "another field": ('{"id":1,"type":"open","lanes":[1],"more":1}', "more"),
    "another op": ('{"id":1,"type":"batch","op":"close","lanes":[1]}', "op"),
    "op is a list": ('{"id":1,"type":"batch","op":["step"],"lanes":[1]}', "op"),
    "step without data": ('{"id":1,"type":"batch","op":"step","lanes":[1]}', "data"),
    "state with data": ('{"id":1,"type":"batch","op":"state","lanes":[1],"data":[1]}', "data"),
    "data too short": ('{"id":1,"type":"batch","op":"step","lanes":[1,2],"data":[1]}', "data"),
    "data is no list": ('{"id":1,"type":"batch","op":"step","lanes":[1],"data":{"0":1}}', "data"),
    "no duration": ('{"id":1,"type":"batch","op":"reset","lanes":[1],"timeout_s":0}', "timeout_s"),
    "parts": ('{"id":1,"type":"batch","op":"reset","lanes":[1],"parts":1}', "parts"),
    "of nothing": ('{"id":1,"type":"cancel"}', "of"),
    "step data is a list": ('{"id":1,"type":"step","lane":0,"data":[]}', "data"),
}


@pytest.mark.parametrize(("frame", "field"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_a_fault_that_names_the_field(frame: str, field: str) -> None:
    arrived = decode_request(frame, arrays=False)
    assert isinstance(arrived.request, Fault)
    assert arrived.request.code == "VALIDATION_ERROR"
    assert arrived.request.details["errors"][0]["loc"] == field.split(".")
    assert arrived.id == (None if field == "id" or '"id"' not in frame else 1)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("nonsense", "INVALID_JSON"),
        (b"\0\0\0\xff", "INVALID_JSON"),
        ("[]", "VALIDATION_ERROR"),
        ('{"id":1,"type":"fly","lane":0}', "UNKNOWN_TYPE"),
        ('{"id":1,"type":{},"lane":0}', "UNKNOWN_TYPE"),
        ('{"id":1,"lane":0}', "UNKNOWN_TYPE"),
    ],
)
def test_other_nonsense_is_a_fault_as_in_dialect_1(frame: str | bytes, code: str) -> None:
    request = decode_request(frame, arrays=False).request
    assert isinstance(request, Fault)
    assert request.code == code


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["step", "$array", "<f8"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["$array", "a"]), inner, max_size=2),
    max_leaves=6,
)
KINDS = ["open", "close", "batch", "cancel", "ack", "step", "reset", "state", "mcp", "view", "fly"]
FIELDS = ["id", "lane", "ack", "lanes", "op", "data", "of", "timeout_s", "parts", "options"]
MESSAGES = st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), VALUES)).map(
    lambda drawn: {"type": drawn[0], **drawn[1]}
)


@given(MESSAGES, st.booleans(), st.binary(max_size=20))
def test_nothing_a_client_sends_raises(message: dict[str, Any], binary: bool, buffers: bytes) -> None:
    text = json.dumps(message).encode()
    frame = len(text).to_bytes(4, "big") + text + buffers if binary else text
    assert decode_request(frame, arrays=True).is_binary is binary


@given(st.text() | st.binary())
def test_garbage_is_a_fault(frame: str | bytes) -> None:
    assert isinstance(decode_request(frame, arrays=True).request, Fault)
