"""Every rule of a link together, in any order: lanes, batches, parts, cancelled calls, cut sockets and resumes.

The environments are counters, one a lane. Each request carries a token of its own, so that what ran where, when, how
often, and whose reply came back can be told.
"""

import itertools
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openenv.protocol import (
    Batch,
    BatchReply,
    ClientLink,
    Closed,
    CloseLanes,
    Fault,
    Fork,
    Forked,
    GetState,
    LinkCall,
    LinkReply,
    LinkRequest,
    Observed,
    Open,
    Opened,
    Reset,
    ServerLink,
    SnapshotIs,
    StateIs,
    Step,
    Work,
    cancelled,
)
from openenv.testing import LinkPair

LANES = st.sets(st.integers(0, 4), min_size=1).map(lambda lanes: tuple(sorted(lanes)))


class Traffic(RuleBasedStateMachine):
    """A client, a network that is cut, and a server whose environments count."""

    binary = False

    def __init__(self) -> None:
        super().__init__()
        self.pair = LinkPair(ClientLink(binary=self.binary), ServerLink("token"))
        self.pair.connect()
        self.pair.collect()
        self.tokens = itertools.count()
        self.asked: dict[int, list[int]] = {}  # lane -> tokens in the order they were asked
        self.calls: dict[LinkCall, dict[int, int]] = {}  # call -> lane -> token
        self.answered: dict[LinkCall, dict[int, Any]] = {}  # call -> lane -> what came back
        self.complete: set[LinkCall] = set()
        self.given_up: set[LinkCall] = set()
        self.running: list[Work] = []
        self.ran: dict[int, list[int]] = {}  # lane -> tokens in the order they ran
        self.results: dict[int, int] = {}  # token -> count of its lane after it
        self.sessions: set[int] = set()
        self.stopped: set[int] = set()  # tokens of work that was stopped while it ran

    # The client.

    def ask(self, request: LinkRequest, lane: int | None, tokens: dict[int, int]) -> None:
        call = self.pair.client.ask(request, lane)
        self.calls[call] = tokens
        self.answered[call] = {}
        for number, token in tokens.items():
            self.asked.setdefault(number, []).append(token)

    @rule(lanes=LANES, close=st.booleans())
    def open_or_close(self, lanes: tuple[int, ...], close: bool) -> None:
        self.ask(CloseLanes(lanes) if close else Open(lanes), None, {lane: next(self.tokens) for lane in lanes})

    @rule(lane=st.integers(0, 4), kind=st.sampled_from([Step, Step, Reset, GetState]))
    def ask_one(self, lane: int, kind: Any) -> None:
        token = next(self.tokens)
        self.ask(GetState() if kind is GetState else kind({"token": token}), lane, {lane: token})

    @rule(lanes=LANES, op=st.sampled_from(["step", "step", "reset", "state"]), parts=st.booleans())
    def ask_many(self, lanes: tuple[int, ...], op: str, parts: bool) -> None:
        tokens = {lane: next(self.tokens) for lane in lanes}
        data = None if op == "state" else [{"token": token} for token in tokens.values()]
        self.ask(Batch(op, lanes, data, parts=parts), None, tokens)

    @rule(lane=st.integers(0, 4), lanes=LANES)
    def fork(self, lane: int, lanes: tuple[int, ...]) -> None:
        new = tuple(each for each in lanes if each != lane)
        if new:
            self.ask(Fork(new), lane, {each: next(self.tokens) for each in (lane, *new)})

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), cancel=st.booleans())
    def abandon(self, data: st.DataObject, cancel: bool) -> None:
        call = data.draw(st.sampled_from(list(self.calls)))
        self.pair.client.abandon(call, cancel=cancel)
        if call not in self.complete:
            self.given_up.add(call)

    # The network.

    @rule()
    def send(self) -> None:
        self.pair.send()

    @precondition(lambda self: self.pair.requests)
    @rule(count=st.integers(1, 3))
    def deliver_requests(self, count: int) -> None:
        for _ in range(min(count, len(self.pair.requests))):
            self.pair.deliver_request()
        while (work := self.pair.server.take()) is not None:
            self.running.append(work)

    @precondition(lambda self: self.pair.replies)
    @rule(count=st.integers(1, 3))
    def deliver_replies(self, count: int) -> None:
        for _ in range(min(count, len(self.pair.replies))):
            if (received := self.pair.deliver_reply()) is not None:
                self.check(*received)

    @rule(server_notices=st.booleans())
    def cut(self, server_notices: bool) -> None:
        self.pair.cut(server_notices=server_notices)

    @rule()
    def connect(self) -> None:
        self.pair.connect()

    # The server.

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        work = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.pair.server.answer(work, self.carry_out(work))
        while (work_ := self.pair.server.take()) is not None:
            self.running.append(work_)

    @rule()
    def stop_cancelled(self) -> None:
        while (work := self.pair.server.take_cancelled()) is not None:
            self.running.remove(work)
            self.stopped.add(self.token_of(work))
            self.pair.server.answer(work, cancelled(session_lost=True))
            while (next_ := self.pair.server.take()) is not None:
                self.running.append(next_)

    def token_of(self, work: Work) -> int:
        call, index = work
        (mine,) = [mine for mine in self.calls if mine.id == call.id]
        return self.calls[mine][call.lanes[index]]

    def carry_out(self, work: Work) -> Any:
        call, index = work
        lane, request = call.lanes[index], call.request
        token = self.token_of(work)
        self.ran.setdefault(lane, []).append(token)
        self.results[token] = len(self.ran[lane])
        if isinstance(request, Fork) and not index:
            assert lane in self.sessions
            return SnapshotIs(b"%d" % token)
        if isinstance(request, Fork):
            (mine,) = [mine for mine in self.calls if mine.id == call.id]
            assert call.snapshot == b"%d" % self.calls[mine][call.lanes[0]], (
                "it began with another's state, or too soon"
            )
        if isinstance(request, Open | Fork):
            assert lane not in self.sessions
            self.sessions.add(lane)
            return None
        if isinstance(request, CloseLanes):
            self.sessions.discard(lane)
            return None
        assert lane in self.sessions
        wanted = request.at(index) if isinstance(request, Batch) else request
        if isinstance(wanted, GetState):
            return StateIs({"token": token, "count": self.results[token]})
        said = wanted.action if isinstance(wanted, Step) else wanted.options  # type: ignore[union-attr]
        assert said == {"token": token}, "it reached another lane, or another environment"
        return Observed({"token": token, "count": self.results[token]}, float(token), token % 5 == 0)

    # The rules.

    @invariant()
    def a_lane_does_one_thing_at_a_time(self) -> None:
        lanes = [call.lanes[index] for call, index in self.running]
        assert len(set(lanes)) == len(lanes)

    def check(self, call: LinkCall, reply: LinkReply) -> None:
        assert call in self.calls
        assert call not in self.given_up, "what was given up came back"
        assert call not in self.complete, "a second reply"
        answers: dict[int, Any]
        match reply:
            case BatchReply(op="state"):
                answers = dict(zip(reply.lanes, reply.state, strict=True)) | dict(reply.errors)
            case BatchReply():
                answers = dict(zip(reply.lanes, reply.observation, strict=True)) | dict(reply.errors)
                for lane, reward, done in zip(reply.lanes, reply.reward, reply.done, strict=True):
                    token = self.calls[call][lane]
                    assert (reward, done) == ((None, False) if lane in reply.errors else (token, token % 5 == 0))
            case Forked():
                answers = dict.fromkeys(self.calls[call]) | dict(reply.errors)
            case Opened():
                answers = dict.fromkeys(reply.lanes) | dict(reply.errors)
            case Closed():
                answers = dict.fromkeys(reply.lanes)
            case Observed():
                answers = dict.fromkeys(self.calls[call], reply.observation)
            case StateIs():
                answers = dict.fromkeys(self.calls[call], reply.state)
            case _:
                answers = dict.fromkeys(self.calls[call], reply)
        assert not answers.keys() & self.answered[call].keys(), "a lane answered twice"
        self.answered[call] |= answers
        if not (isinstance(reply, BatchReply) and reply.more):
            assert self.answered[call].keys() == self.calls[call].keys()
            self.complete.add(call)
        for lane, answer in answers.items():
            token = self.calls[call][lane]
            if isinstance(answer, Fault):
                assert token not in self.results, "it ran, and its result is lost"
                assert answer.code in {"SESSION_NOT_FOUND", "VALIDATION_ERROR"}
            else:
                assert token in self.results
                if answer is not None:
                    assert answer == {"token": token, "count": self.results[token]}

    def teardown(self) -> None:
        """Let everything come to an end, and look what is left."""
        self.pair.connect()
        while True:
            for received in self.pair.collect():
                self.check(*received)
            while (work := self.pair.server.take()) is not None:
                self.running.append(work)
            if not self.running:
                break
            self.finish_all()
        assert self.complete | self.given_up == self.calls.keys()
        assert self.pair.client.in_flight == self.pair.server.in_flight == 0
        for lane, ran in self.ran.items():
            assert len(set(ran)) == len(ran), "something ran twice"
            order = {token: place for place, token in enumerate(self.asked[lane])}
            assert [order[token] for token in ran] == sorted(order[token] for token in ran)
        for call in self.complete:
            assert not {*self.calls[call].values()} & self.stopped
        assert self.pair.server.open_lanes == self.sessions
        for _ in range(2):  # the second one acknowledges all that came before
            before = self.pair.client.received
            self.ask_one(0, GetState)
            self.pair.collect()
            while (work := self.pair.server.take()) is not None:
                self.pair.server.answer(work, self.carry_out(work))
            self.pair.collect()
        assert [count for count in range(before + 2) if self.pair.server.can_resume(count)] == [before, before + 1]

    def finish_all(self) -> None:
        running, self.running = self.running, []
        for work in running:
            self.pair.server.answer(work, self.carry_out(work))


class BinaryTraffic(Traffic):
    binary = True


Traffic.TestCase.settings = BinaryTraffic.TestCase.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None
)
TestTraffic = Traffic.TestCase
TestBinaryTraffic = BinaryTraffic.TestCase
