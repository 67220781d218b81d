"""A reply reaches its own call or nobody, whatever happens between the two sides."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openenv.errors import (
    AtCapacity,
    LocalError,
    PeerError,
    SessionBroken,
    SessionClosed,
    SessionLost,
)
from openenv.protocol import (
    Call,
    ClientSession,
    ClientState,
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
from openenv.protocol.client import fits
from openenv.testing import Pair
from tests.protocol.numbered import Numbered

FULL = Fault("CAPACITY_REACHED", "full")
FAILED = Fault("EXECUTION_ERROR", "asked to")
CODECS: list[Codec] = [Dialect1(), Numbered()]
both = pytest.mark.parametrize("codec", CODECS, ids=["without ids", "with ids"])


def answered(pair: Pair, request: Request, reply: Reply) -> Reply:
    return pair.exchange(request, reply)[1]


def broken_by(cause: BaseException) -> Pair:
    """A dialect 1 session whose first request was abandoned, its reply on the way."""
    pair = Pair()
    call = pair.ask(GetState())
    pair.answer(pair.take(), StateIs({}))
    pair.client.abandon(call, cause)
    return pair


# One rule each.


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (Reset(), Observed({})),
        (Step({}), Observed({})),
        (GetState(), StateIs({})),
        (GetView(), ViewIs({})),
        (JsonRpc({}), JsonRpcReply({})),
    ],
)
def test_every_request_has_its_kind_of_reply_or_a_fault(request_: Request, reply: Reply) -> None:
    every: list[Reply] = [Observed({}), StateIs({}), ViewIs({}), JsonRpcReply({}), FAILED]
    assert [other for other in every if fits(request_, other)] == [reply, FAILED]
    assert answered(Pair(), request_, reply) == reply
    assert answered(Pair(), request_, FAILED) == FAILED


def test_a_close_is_answered_by_nothing_but_a_refusal_and_nobody_waits_for_it() -> None:
    assert not fits(Close(), StateIs({}))
    pair = Pair()
    pair.ask(Close())
    pair.ask(GetState())


@both
@pytest.mark.parametrize("wrong", [StateIs({}), JsonRpcReply({})])
def test_a_reply_of_another_kind_breaks_the_session(codec: Codec, wrong: Reply) -> None:
    client = ClientSession(codec)
    call = client.ask(Step({}))
    with pytest.raises(PeerError, match=f"answered Step with {type(wrong).__name__}"):
        client.receive(codec.encode_reply(wrong, call.id))
    with pytest.raises(SessionBroken, match="PeerError"):
        client.ask(Step({}))


@both
def test_a_frame_that_makes_no_sense_breaks_the_session(codec: Codec) -> None:
    client = ClientSession(codec)
    client.ask(Step({}))
    with pytest.raises(PeerError) as raised:
        client.receive(b"\xff garbage")
    with pytest.raises(SessionBroken) as broken:
        client.check()
    assert broken.value.cause is raised.value


def test_a_second_request_has_to_wait_where_replies_have_no_ids() -> None:
    client = ClientSession(Dialect1())
    first = client.ask(Step({}))
    with pytest.raises(LocalError, match="one at a time"):
        client.ask(Step({}))
    answer = client.receive(Dialect1().encode_reply(Observed({}), None))
    assert answer == (first, Observed({}))
    client.ask(Step({}))


def test_a_reply_to_nothing_breaks_the_session() -> None:
    client = ClientSession(Dialect1())
    with pytest.raises(PeerError, match="StateIs although nothing was asked"):
        client.receive('{"type":"state","data":{}}')
    assert client.state is ClientState.BROKEN


def test_an_abandoned_request_breaks_a_session_without_ids_and_says_why() -> None:
    cause = TimeoutError("no reply within 5 s")
    pair = broken_by(cause)
    for request in (Step({}), Reset(), GetState(), Close()):
        with pytest.raises(SessionBroken, match=r"TimeoutError: no reply within 5 s.*reset\(\)") as broken:
            pair.ask(request)
        assert broken.value.cause is broken.value.__cause__ is cause


def test_a_late_reply_is_nobodys_and_does_not_hide_why_the_session_broke() -> None:
    cause = KeyboardInterrupt()
    pair = broken_by(cause)
    assert pair.collect() == []
    with pytest.raises(SessionBroken, match=r"\(KeyboardInterrupt\)") as broken:
        pair.ask(Step({}))
    assert broken.value.cause is cause


def test_a_late_reply_is_dropped_and_the_session_lives_where_replies_have_ids() -> None:
    pair = Pair(Numbered())
    late, other = pair.ask(GetState()), pair.ask(GetState())
    pair.client.abandon(late, TimeoutError())
    for n in range(2):
        pair.answer(pair.take(), StateIs({"n": n}))
    assert pair.collect() == [(other, StateIs({"n": 1}))]
    assert answered(pair, GetState(), StateIs({"n": 2})) == StateIs({"n": 2})


def test_replies_with_ids_may_overtake_each_other() -> None:
    pair = Pair(Numbered())
    calls = [pair.ask(Step({"n": n})) for n in range(3)]
    for n in range(3):
        pair.answer(pair.take(), Observed({"n": n}))
    pair.replies.reverse()
    assert pair.collect() == [(calls[n], Observed({"n": n})) for n in (2, 1, 0)]


def test_a_fault_without_an_id_is_nobodys_where_replies_have_ids() -> None:
    pair = Pair(Numbered())
    call = pair.ask(GetState())
    pair.replies.append(pair.server.refuse(FAILED))
    assert pair.collect() == []
    pair.answer(pair.take(), StateIs({}))
    assert pair.collect() == [(call, StateIs({}))]


def test_giving_up_on_a_call_that_was_answered_changes_nothing() -> None:
    pair = Pair()
    call = pair.ask(GetState())
    pair.answer(pair.take(), StateIs({}))
    pair.collect()
    pair.client.abandon(call, TimeoutError())
    assert pair.client.state is ClientState.READY


@both
def test_a_fault_leaves_the_session_usable_unless_its_code_ends_it(codec: Codec) -> None:
    pair = Pair(codec)
    assert answered(pair, Step({}), FAILED) == FAILED
    assert answered(pair, Step({}), FULL) == FULL
    with pytest.raises(SessionLost, match=r"AtCapacity: full.*reset\(\)") as lost:
        pair.ask(Step({}))
    assert not isinstance(lost.value, SessionBroken)
    assert isinstance(lost.value.__cause__, AtCapacity)


@both
def test_a_refusal_that_nobody_asked_for_ends_the_session(codec: Codec) -> None:
    pair = Pair(codec)
    pair.replies.append(pair.server.refuse(FULL))
    assert pair.collect() == []
    with pytest.raises(SessionLost, match="full"):
        pair.ask(Reset())


def test_a_request_that_cannot_be_sent_leaves_the_session_as_it_was() -> None:
    pair = Pair()
    with pytest.raises(LocalError, match="cannot be sent"):
        pair.ask(Step(object()))
    assert not pair.client.used
    assert answered(pair, GetState(), StateIs({})) == StateIs({})
    assert pair.client.used


def test_the_first_reason_for_an_end_stays() -> None:
    client = ClientSession(Dialect1())
    call = client.ask(Step({}))
    client.lose(ConnectionResetError("by peer"))
    client.abandon(call, TimeoutError())
    client.lose(TimeoutError())
    with pytest.raises(SessionLost, match="ConnectionResetError: by peer"):
        client.check()
    client.close()
    client.close()
    client.lose(TimeoutError())
    with pytest.raises(SessionClosed, match=r"connect\(\)"):
        client.check()


# All rules together, in any order.


class Traffic(RuleBasedStateMachine):
    """A client, a network, and a server that puts its count of requests into each reply."""

    codec: Codec = Dialect1()

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair(self.codec)
        self.asked: list[Call] = []
        self.served = 0
        self.got: dict[Call, int] = {}
        self.given_up: set[Call] = set()
        self.ended: type[Exception] | None = None
        self.cause: BaseException | None = None

    @property
    def waiting(self) -> list[Call]:
        return [call for call in self.asked if call not in self.got and call not in self.given_up]

    def end(self, error: type[Exception], cause: BaseException | None) -> None:
        self.given_up.update(self.waiting)
        if self.ended is None or error is SessionClosed:
            self.ended, self.cause = error, cause

    @rule(kind=st.sampled_from([Step, GetState, Reset]))
    def ask(self, kind: Any) -> None:
        request = GetState() if kind is GetState else kind({"n": len(self.asked)})
        if self.ended is not None:
            with pytest.raises(self.ended) as refused:
                self.pair.ask(request)
            assert refused.value.__cause__ is self.cause
        elif self.waiting and not self.codec.has_ids:
            with pytest.raises(LocalError, match="one at a time"):
                self.pair.ask(request)
        else:
            self.asked.append(self.pair.ask(request))

    @precondition(lambda self: self.served < len(self.asked))
    @rule()
    def serve(self) -> None:
        served = self.pair.take()
        assert served.request == self.asked[self.served].request
        numbered = {"n": self.served}
        self.pair.answer(served, StateIs(numbered) if served.request == GetState() else Observed(numbered))
        self.served += 1

    @precondition(lambda self: self.pair.replies)
    @rule()
    def deliver(self) -> None:
        frame = self.pair.replies.popleft()
        if frame == b"garbage":
            with pytest.raises(PeerError) as raised:
                self.pair.client.receive(frame)
            self.end(SessionBroken, raised.value)
        elif (received := self.pair.client.receive(frame)) is not None:
            call, reply = received
            assert call in self.waiting
            assert isinstance(reply, StateIs | Observed)
            self.got[call] = (reply.state if isinstance(reply, StateIs) else reply.observation)["n"]

    @precondition(lambda self: self.codec.has_ids and len(self.pair.replies) > 1)
    @rule()
    def overtake(self) -> None:
        self.pair.replies.rotate()

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.asked))
        cause = TimeoutError()
        self.pair.client.abandon(call, cause)
        if call in self.waiting:
            self.given_up.add(call)
            if not self.codec.has_ids:
                self.end(SessionBroken, cause)

    @precondition(lambda self: self.served > 2)
    @rule()
    def damage(self) -> None:
        self.pair.replies.append(b"garbage")

    @precondition(lambda self: self.served > 2)
    @rule()
    def lose(self) -> None:
        cause = ConnectionResetError()
        self.pair.client.lose(cause)
        self.end(SessionLost, cause)

    @precondition(lambda self: self.served > 2)
    @rule()
    def close(self) -> None:
        self.pair.client.close()
        self.end(SessionClosed, None)

    @invariant()
    def every_reply_reached_its_own_call_or_nobody(self) -> None:
        assert all(self.asked[number] is call for call, number in self.got.items())
        assert not self.given_up & self.got.keys()


class TrafficWithIds(Traffic):
    codec = Numbered()


Traffic.TestCase.settings = TrafficWithIds.TestCase.settings = settings(max_examples=100, stateful_step_count=25)
TestTraffic = Traffic.TestCase
TestTrafficWithIds = TrafficWithIds.TestCase
