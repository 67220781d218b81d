"""What any codec owes a session. Both dialects the tests know go through it; a third one joins the list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv.errors import LocalError, PeerError
from openenv.protocol import (
    Close,
    Codec,
    Dialect1,
    Fault,
    GetState,
    GetView,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Reply,
    Request,
    Reset,
    StateIs,
    Step,
    ViewIs,
)
from tests.protocol.numbered import Numbered

CODECS: list[Codec] = [Dialect1(), Numbered()]
every_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)

REQUESTS: list[Request] = [
    Reset({"seed": 1}, 2.0),
    Step({"text": "\u00e9"}, None, {"a": [1]}),
    GetState(),
    GetView(),
    Close(),
    JsonRpc({"id": 1}),
]
REPLIES: list[Reply] = [
    Observed({"metadata": {"n": 1}}, 0.5, True, {"n": 1}, True),
    StateIs({"step_count": 3}),
    ViewIs({"html": None, "actions": []}),
    JsonRpcReply({"id": 1}),
    Fault("EXECUTION_ERROR", "asked to", {"exception": "ValueError"}),
]


@every_codec
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_requests_arrive_as_they_were_sent(codec: Codec, request_: Request) -> None:
    frame = codec.encode_request(request_, 5)
    incoming = codec.decode_request(frame.decode())
    assert incoming.request == request_
    assert incoming.id == (5 if codec.has_ids else None)


@every_codec
@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: type(reply).__name__)
@pytest.mark.parametrize("call_id", [5, None])
def test_replies_arrive_as_they_were_sent(codec: Codec, reply: Reply, call_id: int | None) -> None:
    frame = codec.encode_reply(reply, call_id)
    assert codec.decode_reply(frame) == (call_id if codec.has_ids else None, reply)


@every_codec
def test_what_cannot_be_sent_is_a_local_error(codec: Codec) -> None:
    with pytest.raises(LocalError):
        codec.encode_request(Step(object()), 0)


@every_codec
@given(frame=st.text() | st.binary())
def test_garbage_is_a_fault_to_a_server_and_a_peer_error_to_a_client(codec: Codec, frame: str | bytes) -> None:
    assert isinstance(codec.decode_request(frame).request, Fault)
    with pytest.raises(PeerError):
        codec.decode_reply(frame)
