"""A server's frame says one thing, or is the peer's error."""

import contextlib
import json
from types import SimpleNamespace
from typing import Any

import numpy
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv.errors import PeerError
from openenv.protocol import (
    BatchReply,
    Closed,
    Fault,
    Forked,
    JsonRpcReply,
    Observed,
    Opened,
    Restored,
    SnapshotIs,
    StateIs,
    ViewIs,
)
from openenv.protocol.link_replies import decode_reply, encode_reply

FAULT = Fault("EXECUTION_ERROR", "asked to", {"exception": "ValueError"})
REPLIES: list[tuple[Any, int | None]] = [
    (Observed({"metadata": {"n": 1}}, 0.5, True, {"n": 1}, True), 3),
    (StateIs({"step_count": 3}), 3),
    (ViewIs({"html": None}), 3),
    (JsonRpcReply({"id": 1}), 3),
    (FAULT, 3),
    (Fault("CAPACITY_REACHED", "full", {"retry_after_s": 1}), None),
    (Opened((0, 1), {1: FAULT}), None),
    (Closed((0, 1)), None),
    (SnapshotIs(b"\0\xffstate"), 3),
    (Restored(), 3),
    (Forked((4, 5), {5: FAULT}), 3),
    (BatchReply("step", (0, 2), [{"a": 1}, None], [1.5, None], [True, False], errors={2: FAULT}, more=True), None),
    (BatchReply("reset", (0,), [{}], [0], [False], [True], [{"n": 1}]), None),
    (BatchReply("state", (0, 1), state=[{}, None], errors={1: FAULT}), None),
]


@pytest.mark.parametrize(("reply", "lane"), REPLIES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("call_id", [7, None])
def test_replies_arrive_as_they_were_sent(reply: Any, lane: int | None, binary: bool, call_id: int | None) -> None:
    assert decode_reply(encode_reply(reply, call_id, lane, binary=binary), arrays=False) == (call_id, lane, reply)


def test_a_fault_says_whether_to_try_again() -> None:
    for code, retryable in (("CAPACITY_REACHED", True), ("EXECUTION_ERROR", False)):
        frame = json.loads(encode_reply(Fault(code, "no"), 1, None, binary=False))
        assert frame["data"] == {"code": code, "message": "no", "retryable": retryable}
    foreign = b'{"id":1,"type":"error","data":{"code":"EXECUTION_ERROR","message":"no","retryable":true}}'
    assert decode_reply(foreign, arrays=False)[2] == Fault("EXECUTION_ERROR", "no", {"retryable": True})


def test_a_column_of_json_text_is_joined_and_others_are_mixed() -> None:
    texts = BatchReply("step", (0, 1), [b'{"a":1}', None], [1, 2], [False, False])
    assert b'"observation":[{"a":1},null]' in encode_reply(texts, 1, None, binary=False)
    mixed = BatchReply("step", (0, 1, 2), [b'{"a":1}', orjson.Fragment(b"2"), {"b": 3}], [1, 2, 3], [False] * 3)
    assert b'"observation":[{"a":1},2,{"b":3}]' in encode_reply(mixed, 1, None, binary=False)


def test_a_column_may_be_one_array() -> None:
    column: Any = numpy.arange(6, dtype="<f4").reshape(3, 2)
    frame = encode_reply(BatchReply("step", (0, 1, 2), column, [0] * 3, [False] * 3), 1, None, binary=True)
    _, _, reply = decode_reply(frame, arrays=True)
    assert isinstance(reply, BatchReply)
    assert numpy.array_equal(numpy.asarray(reply.observation), column)
    assert reply.observation[1].tolist() == [2.0, 3.0]


def test_a_fault_is_sent_whatever_its_details_hold() -> None:
    fault = Fault("EXECUTION_ERROR", "no\ud800", {"what": SimpleNamespace()})
    assert decode_reply(encode_reply(fault, 1, None, binary=True), arrays=False)[2] == Fault(
        "EXECUTION_ERROR", "no\ud800", {"what": "namespace()"}
    )


COLUMNS = '"data":{"observation":[{}],"reward":[1],"done":[false]}'


@pytest.mark.parametrize(
    "frame",
    [
        "nonsense",
        "[]",
        '{"id":1}',
        '{"id":"1","type":"state","data":{}}',
        '{"id":1,"lane":-1,"type":"state","data":{}}',
        '{"id":1,"type":["batch"],"lanes":[0]}',
        '{"id":1,"type":"opened"}',
        '{"id":1,"type":"opened","lanes":[0,0]}',
        '{"id":1,"type":"opened","lanes":[0],"errors":{"1":{"code":"A","message":"b"}}}',
        '{"id":1,"type":"opened","lanes":[0],"errors":{"x":{}}}',
        '{"id":1,"type":"opened","lanes":[0],"errors":{"0":[]}}',
        '{"id":1,"type":"opened","lanes":[0],"errors":[]}',
        '{"id":1,"type":"closed","lanes":[]}',
        '{"id":1,"lane":0,"type":"forked"}',
        '{"id":1,"lane":0,"type":"forked","lanes":[1],"errors":{"0":{"code":"A","message":"b"}}}',
        '{"id":1,"lane":0,"type":"snapshot"}',
        '{"id":1,"lane":0,"type":"snapshot","data":{"snapshot":"?"}}',
        '{"id":1,"lane":0,"type":"snapshot","data":{"snapshot":null}}',
        '{"id":1,"type":"batch","lanes":[0],' + COLUMNS + "}",
        '{"id":1,"type":"batch","op":"fly","lanes":[0],' + COLUMNS + "}",
        '{"id":1,"type":"batch","op":{},"lanes":[0],' + COLUMNS + "}",
        '{"id":1,"type":"batch","op":"step","lanes":[0,1],' + COLUMNS + "}",
        '{"id":1,"type":"batch","op":"step","lanes":[0],"data":{"observation":[{}],"done":[true]}}',
        '{"id":1,"type":"batch","op":"step","lanes":[0],"data":{"observation":{"0":1},"reward":[1],"done":[true]}}',
        '{"id":1,"type":"batch","op":"step","lanes":[0],"data":[]}',
        '{"id":1,"type":"batch","op":"state","lanes":[0],"data":{}}',
    ],
)
def test_a_reply_that_makes_no_sense_is_the_peers_error(frame: str) -> None:
    with pytest.raises(PeerError):
        decode_reply(frame, arrays=False)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["step", "$array", "<f8", "0"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["0", "observation"]), inner, max_size=2)
    ),
    max_leaves=6,
)
KINDS = [
    "opened",
    "closed",
    "forked",
    "snapshot",
    "restored",
    "batch",
    "observation",
    "state",
    "mcp",
    "view",
    "error",
    "welcome",
]
FIELDS = ["id", "lane", "lanes", "op", "data", "errors", "more"]


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), VALUES) | st.just({"id": 1, "lanes": [0]}))
def test_nothing_a_server_sends_raises_anything_else(kind: str, fields: dict[str, Any]) -> None:
    with contextlib.suppress(PeerError):
        decode_reply(json.dumps({"type": kind, **fields}), arrays=True)


@given(st.text() | st.binary())
def test_garbage_is_the_peers_error(frame: str | bytes) -> None:
    with pytest.raises(PeerError):
        decode_reply(frame, arrays=True)
