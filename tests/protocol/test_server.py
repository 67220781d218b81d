"""Each frame a client sends gets exactly one reply, and replies keep the order of the frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv.errors import LocalError, PeerError
from openenv.protocol import (
    Close,
    Dialect1,
    Fault,
    GetState,
    JsonRpcReply,
    Observed,
    Reply,
    Reset,
    ServerCall,
    ServerSession,
    StateIs,
)
from openenv.protocol.server import MAX_BACKLOG_BYTES
from tests.protocol.numbered import Numbered

FAULT = Fault("EXECUTION_ERROR", "asked to")
FRAMES: dict[str | bytes, Reply] = {
    '{"type":"state"}': StateIs({}),
    '{"type":"reset"}': Observed({}),
    '{"type":"step","data":{}}': Observed({}),
    '{"type":"mcp","data":{}}': JsonRpcReply({}),
    "garbage": FAULT,
    b"\x00": FAULT,
    "[]": FAULT,
}


@given(st.lists(st.sampled_from(list(FRAMES)), max_size=20), st.lists(st.sampled_from(["receive", "serve", "take"])))
def test_every_frame_is_answered_once_and_in_order(frames: list[str | bytes], ways: list[str]) -> None:
    codec = Dialect1()
    server = ServerSession(codec)
    expected = [codec.encode_reply(FRAMES[frame], None) for frame in frames]
    sent: list[bytes] = []

    def serve(call: ServerCall | None) -> None:
        if call is not None:
            assert server.next_call() is None, "one at a time"
            sent.append(server.reply(call, FRAMES[frames[len(sent)]]))

    for index, frame in enumerate(frames):
        way = ways[index] if index < len(ways) else "receive"
        if way == "take":
            serve(server.take(frame))
        else:
            server.receive(frame)
        if way == "serve":
            serve(server.next_call())
    for _ in frames:
        serve(server.next_call())
    assert sent == expected
    assert server.next_call() is None


def test_who_takes_a_frame_while_a_call_is_served_gets_none() -> None:
    server = ServerSession(Dialect1(), max_backlog=1)
    call = server.take('{"type":"reset"}')
    assert call is not None
    assert server.take('{"type":"state"}') is None
    with pytest.raises(PeerError, match="more than 1 requests"):
        server.take('{"type":"state"}')
    server.reply(call, FAULT)
    waiting = server.next_call()
    assert waiting is not None
    assert waiting.request == GetState()


def test_a_call_keeps_its_id() -> None:
    server = ServerSession(Numbered())
    for number in (7, 3):
        server.receive(f'{number} {{"type":"state"}}')
    for number in (7, 3):
        call = server.next_call()
        assert call is not None
        assert call.id == number
        assert server.reply(call, StateIs({})).startswith(b"%d " % number)


@pytest.mark.parametrize(
    ("frame", "wrong"),
    [
        ('{"type":"state"}', Observed({})),
        ('{"type":"step","data":{}}', StateIs({})),
        ('{"type":"close"}', StateIs({})),
        ("garbage", StateIs({})),
    ],
)
def test_a_reply_of_the_wrong_kind_is_our_error_and_the_right_one_may_follow(frame: str, wrong: Reply) -> None:
    server = ServerSession(Dialect1())
    server.receive(frame)
    call = server.next_call()
    assert call is not None
    with pytest.raises(LocalError, match=f"{type(wrong).__name__} does not answer {type(call.request).__name__}"):
        server.reply(call, wrong)
    assert server.reply(call, FAULT)


def test_a_call_is_answered_once_and_by_its_own_session() -> None:
    server, other = ServerSession(Dialect1()), ServerSession(Dialect1())
    server.receive('{"type":"state"}')
    call = server.next_call()
    assert call is not None
    with pytest.raises(LocalError, match="not being served"):
        other.reply(call, StateIs({}))
    server.reply(call, StateIs({}))
    with pytest.raises(LocalError, match="not being served"):
        server.reply(call, StateIs({}))


def test_a_client_that_sends_too_far_ahead_is_cut_off() -> None:
    server = ServerSession(Dialect1(), max_backlog=2)
    server.receive('{"type":"reset"}')
    call = server.next_call()
    server.receive('{"type":"state"}')
    server.receive('{"type":"close"}')
    with pytest.raises(PeerError, match="more than 2 requests"):
        server.receive('{"type":"state"}')
    requests = []
    while call is not None:
        requests.append(call.request)
        server.reply(call, FAULT)
        call = server.next_call()
    assert requests == [Reset(), GetState(), Close()]


def test_a_refusal_is_said_unasked_and_has_no_id() -> None:
    assert ServerSession(Numbered()).refuse(FAULT).startswith(b"- ")
    assert ServerSession(Dialect1()).refuse(FAULT) == (
        b'{"type":"error","data":{"message":"asked to","code":"EXECUTION_ERROR"}}'
    )


def test_a_client_that_sends_too_much_ahead_is_cut_off_however_few_its_frames() -> None:
    server = ServerSession(Dialect1())
    large = b'{"type":"step","data":{"message":"' + b"x" * (MAX_BACKLOG_BYTES // 2) + b'"}}'
    server.receive(large.decode())
    with pytest.raises(PeerError, match="bytes of requests"):
        server.receive(large.decode())
    assert server.next_call() is not None
    server.receive(large.decode())  # what was taken up makes room
