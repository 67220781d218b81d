"""What a client's link owes its caller, one rule at a time."""

import json
from typing import Any

import pytest

from openenv.errors import LocalError, PeerError, SessionClosed, SessionLost
from openenv.protocol import (
    Batch,
    BatchReply,
    ClientLink,
    ClientLinkState,
    Close,
    Closed,
    CloseLanes,
    Fault,
    Fork,
    Forked,
    GetSnapshot,
    GetState,
    LinkLimits,
    LinkReply,
    LinkRequest,
    Observed,
    Open,
    Opened,
    Restore,
    Restored,
    SnapshotIs,
    StateIs,
    Step,
    Welcome,
    is_binary,
)
from openenv.protocol.link_messages import Acknowledge, Cancel
from openenv.protocol.link_replies import encode_reply
from openenv.protocol.welcome import encode_welcome

FAULT = Fault("EXECUTION_ERROR", "asked to")


def welcome(
    received: int = 0, *, resumed: bool = False, name: str = "token", limits: LinkLimits | None = None
) -> bytes:
    return encode_welcome(Welcome(name, resumed, received, 60.0, limits or LinkLimits()))


def link(*, binary: bool = False, **limits: int) -> ClientLink:
    made = ClientLink(binary=binary)
    made.attach(welcome(limits=LinkLimits(**limits)))
    return made


def sent(by: ClientLink) -> list[Any]:
    return [json.loads(frame) for frame in by.outgoing()]


def reply(call_id: int, said: LinkReply, lane: int | None = None) -> bytes:
    return encode_reply(said, call_id, lane, binary=False)


def test_a_new_link_has_none_to_resume() -> None:
    assert ClientLink().resume is None


def test_a_request_carries_its_number_its_lane_and_what_has_arrived() -> None:
    client = link()
    client.ask(Open((3,)))
    assert sent(client) == [{"id": 0, "ack": 0, "type": "open", "lanes": [3]}]
    client.receive(reply(0, Opened((3,))))
    client.ask(Step({"a": 1}), 3)
    assert sent(client) == [{"id": 1, "ack": 1, "lane": 3, "type": "step", "data": {"a": 1}}]
    assert sent(client) == []


@pytest.mark.parametrize("binary", [False, True])
def test_frames_have_the_encoding_that_was_asked_for(binary: bool) -> None:
    client = link(binary=binary)
    client.abandon(client.ask(GetState(), 0))
    assert [is_binary(frame) for frame in client.outgoing()] == [binary, binary]


def test_replies_reach_their_own_calls_in_any_order() -> None:
    client = link()
    calls = [client.ask(GetState(), lane) for lane in (0, 1, 2)]
    client.outgoing()
    for call in reversed(calls):
        state = StateIs({"id": call.id})
        assert client.receive(reply(call.id, state, call.lane)) == (call, state)
    assert client.in_flight == 0


def test_a_late_reply_is_nobodys_and_the_link_goes_on() -> None:
    client = link()
    given_up, other = client.ask(Step({}), 0), client.ask(Step({}), 1)
    client.abandon(given_up)
    client.abandon(given_up)
    assert sent(client)[2:] == [{"id": 2, "ack": 0, "type": "cancel", "of": 0}]
    assert client.in_flight == 2
    assert client.receive(reply(0, Observed({}), 0)) is None
    assert client.receive(reply(1, Observed({}), 1)) == (other, Observed({}))
    client.abandon(other)
    assert (sent(client), client.in_flight) == ([], 0)


def test_a_call_may_be_abandoned_without_cancelling_it() -> None:
    client = link()
    client.abandon(client.ask(Step({}), 0), cancel=False)
    assert len(client.outgoing()) == 1


def test_parts_arrive_as_they_come() -> None:
    client = link()
    call = client.ask(Batch("state", (0, 1, 2), parts=True))
    client.outgoing()
    first = BatchReply("state", (2, 0), state=[{}, {}], more=True)
    last = BatchReply("state", (1,), state=[{}])
    assert client.receive(reply(0, first)) == (call, first)
    assert client.in_flight == 1
    assert client.receive(reply(0, last)) == (call, last)
    assert client.in_flight == 0


def test_after_a_cut_it_sends_again_what_the_server_lacks() -> None:
    client = link()
    calls = [client.ask(Step({"n": n}), 0) for n in range(4)]
    frames = client.outgoing()
    client.receive(reply(0, Observed({}), 0))
    client.detach()
    client.detach()
    assert client.receive(reply(1, Observed({}), 0)) is None, "a frame of a socket that has ended is nobody's"
    late = client.ask(GetState(), 0)
    assert client.outgoing() == []
    assert client.resume == "token;1"
    client.attach(welcome(2, resumed=True))
    again = client.outgoing()
    assert again[:2] == frames[2:]
    assert json.loads(again[2])["id"] == late.id
    assert client.receive(reply(1, Observed({}), 0)) == (calls[1], Observed({}))


def test_a_link_that_the_server_forgot_is_lost_and_its_frame_begins_another() -> None:
    client = link()
    client.ask(Step({}), 0)
    client.detach()
    frame = welcome(name="another")
    with pytest.raises(SessionLost, match="does not know the link"):
        client.attach(frame)
    assert client.state is ClientLinkState.LOST
    with pytest.raises(SessionLost, match=r"call reset\(\)"):
        client.ask(Step({}), 0)
    assert client.in_flight == 0
    other = ClientLink()
    other.attach(frame)
    assert other.resume == "another;0"


@pytest.mark.parametrize(
    "frame",
    [welcome(3, resumed=True), welcome(0, resumed=True), welcome(1, resumed=True, name="another"), b"nonsense"],
    ids=["more than was sent", "less than was answered", "another name", "nonsense"],
)
def test_a_resume_that_cannot_be_loses_the_link(frame: bytes) -> None:
    client = link()
    client.ask(Step({}), 0)
    client.ask(Step({}), 0)
    client.outgoing()
    client.receive(reply(0, Observed({}), 0))
    client.detach()
    with pytest.raises(PeerError):
        client.attach(frame)
    assert client.state is ClientLinkState.LOST


STEP, BATCH, PARTS = Step({}), Batch("state", (0, 1)), Batch("state", (0, 1), parts=True)
BREACHES: dict[str, tuple[LinkRequest, int | None, list[bytes]]] = {
    "no reply": (STEP, 0, [b"nonsense"]),
    "another call": (STEP, 0, [reply(1, Observed({}), 0)]),
    "twice": (STEP, 0, [reply(0, Observed({}), 0)] * 2),
    "another kind": (STEP, 0, [reply(0, StateIs({}), 0)]),
    "another lane": (STEP, 0, [reply(0, Observed({}), 1)]),
    "no lane": (STEP, 0, [reply(0, Observed({}))]),
    "a batch for one": (STEP, 0, [reply(0, BatchReply("state", (0,), state=[{}]), 0)]),
    "one for a batch": (BATCH, None, [reply(0, StateIs({}))]),
    "other lanes": (BATCH, None, [reply(0, BatchReply("state", (1, 0), state=[{}, {}]))]),
    "another op": (BATCH, None, [reply(0, BatchReply("step", (0, 1), [{}, {}], [0, 0], [False, False]))]),
    "more unasked": (BATCH, None, [reply(0, BatchReply("state", (0,), state=[{}], more=True))]),
    "a part for others": (PARTS, None, [reply(0, BatchReply("state", (2,), state=[{}], more=True))]),
    "a part twice": (PARTS, None, [reply(0, BatchReply("state", (0,), state=[{}], more=True))] * 2),
    "too few parts": (PARTS, None, [reply(0, BatchReply("state", (0,), state=[{}]))]),
    "too many parts": (PARTS, None, [reply(0, BatchReply("state", (0, 1), state=[{}, {}], more=True))]),
    "others opened": (Open((0,)), None, [reply(0, Opened((1,)))]),
    "others closed": (CloseLanes((0,)), None, [reply(0, Closed((1,)))]),
    "others forked": (Fork((1, 2)), 0, [reply(0, Forked((2, 1)), 0)]),
    "forked elsewhere": (Fork((1,)), 0, [reply(0, Forked((1,)), 3)]),
    "opened for forked": (Fork((1,)), 0, [reply(0, Opened((1,)), 0)]),
    "restored for saved": (GetSnapshot(), 0, [reply(0, Restored(), 0)]),
    "saved for restored": (Restore(b""), 0, [reply(0, SnapshotIs(b""), 0)]),
    "unreadable": (STEP, 0, [encode_reply(Fault("INVALID_JSON", "what?"), None, None, binary=False)]),
}


@pytest.mark.parametrize(("request_", "lane", "frames"), BREACHES.values(), ids=BREACHES)
def test_what_breaks_the_rules_loses_the_link(request_: LinkRequest, lane: int | None, frames: list[bytes]) -> None:
    client = link()
    client.ask(request_, lane)
    client.outgoing()
    for frame in frames[:-1]:
        client.receive(frame)
    with pytest.raises(PeerError, match="the server"):
        client.receive(frames[-1])
    with pytest.raises(SessionLost):
        client.check()
    assert client.receive(frames[-1]) is None


def test_an_answer_to_what_was_not_sent_yet_loses_the_link() -> None:
    client = link()
    client.ask(STEP, 0)
    with pytest.raises(PeerError, match="before it was sent"):
        client.receive(reply(0, Observed({}), 0))


@pytest.mark.parametrize(("request_", "lane"), [(STEP, 0), (BATCH, None), (Open((0,)), None), (Fork((1,)), 0)])
def test_any_request_may_be_refused_as_a_whole(request_: LinkRequest, lane: int | None) -> None:
    client = link()
    call = client.ask(request_, lane)
    client.outgoing()
    assert client.receive(reply(0, FAULT, lane)) == (call, FAULT)
    assert client.in_flight == 0


@pytest.mark.parametrize(
    ("request_", "lane"),
    [
        (STEP, None),
        (Fork((1,)), None),
        (GetSnapshot(), None),
        (BATCH, 0),
        (Open((0,)), 0),
        (Close(), 0),
        (Cancel(0), None),
        (Acknowledge(), None),
    ],
)
def test_what_cannot_be_asked_is_a_local_error(request_: LinkRequest, lane: int | None) -> None:
    with pytest.raises(LocalError):
        link().ask(request_, lane)
    with pytest.raises(LocalError):
        ClientLink().ask(request_, lane)


def test_it_keeps_to_the_limits_of_the_server() -> None:
    with pytest.raises(LocalError, match="takes 100 at once"):
        link(frame_bytes=100).ask(Step({"text": "x" * 200}), 0)
    client = link(requests=2)
    call = client.ask(Batch("state", (0, 1)))
    with pytest.raises(LocalError, match="more than 2 requests"):
        client.ask(GetState(), 0)
    client.outgoing()
    client.receive(reply(call.id, BatchReply("state", (0, 1), state=[{}, {}])))
    client.ask(GetState(), 0)
    full = link(request_bytes=100)
    full.ask(GetState(), 0)
    full.ask(GetState(), 0)
    with pytest.raises(LocalError, match="more than 100 bytes"):
        full.ask(GetState(), 0)


def test_much_that_arrives_is_acknowledged_without_a_request() -> None:
    client = link()
    call = client.ask(Batch("state", (0, 1), parts=True))
    client.outgoing()
    client.receive(reply(call.id, BatchReply("state", (0,), state=["x" * 5_000_000], more=True)))
    assert sent(client) == [{"ack": 1, "type": "ack"}]
    assert sent(client) == []


def test_the_first_reason_for_an_end_stays_and_closing_is_final() -> None:
    client = link()
    client.lose(ConnectionResetError("by peer"))
    client.lose(TimeoutError())
    with pytest.raises(SessionLost, match="by peer"):
        client.check()
    client.close()
    client.lose(TimeoutError())
    with pytest.raises(SessionClosed, match=r"connect\(\)"):
        client.ask(STEP, 0)
    with pytest.raises(LocalError, match="takes no welcome"):
        client.attach(welcome())


def test_a_fork_counts_once_for_each_lane_and_its_answers_arrive() -> None:
    client = link()
    call = client.ask(Fork((4, 5)), 0)
    client.outgoing()
    assert client.receive(reply(0, Forked((4, 5), {5: FAULT}), 0)) == (call, Forked((4, 5), {5: FAULT}))
    assert client.in_flight == 0
    most = client.welcome.limits.requests if client.welcome else 0
    with pytest.raises(LocalError, match="requests would be in flight"):
        client.ask(Fork(tuple(range(1, most + 1))), 0)
