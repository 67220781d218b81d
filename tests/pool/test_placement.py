"""Where sessions go, as tables and under random traffic; the time is whatever the test says."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openenv.pool.placement import Placement, Placing, Server, Standing

KINDS = ("sync", "loop")


def placing(*servers: Server[str], size: int = 4) -> Placing[str]:
    return Placing(servers, size)


def chosen(placing: Placing[str], now: float = 0.0, kind: str = "sync") -> str | None:
    found = placing.choose(kind, now)
    return None if found is None else found.server.name


def server(name: str, out: int = 0, idle: int = 0, **known: Any) -> Server[str]:
    return Server(name, out=out, idle=[("sync", f"{name}{n}") for n in range(idle)], **known)


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ([server("a"), server("b")], "a"),
        ([server("a", out=1), server("b")], "b"),
        ([server("a"), server("b", idle=1)], "b"),
        ([server("a", out=1, idle=1), server("b")], "b"),
        ([server("a", out=2, bears=8), server("b", out=1, bears=2)], "a"),
        ([server("a", out=1, bears=1), server("b", out=5)], "b"),
        ([server("a", out=1, bears=1, more_at=9.0)], None),
        ([server("a", out=1, bears=1)], "a"),  # a while has passed
        ([server("a", out=1, idle=1, bears=2, more_at=9.0)], "a"),
        ([server("a", standing=Standing.OUT, retry_at=9.0), server("b", out=5)], "b"),
        ([server("a", standing=Standing.OUT), server("b", out=5)], "b"),
        ([server("a", standing=Standing.OUT)], "a"),
        ([server("a", standing=Standing.STARTING)], None),
        ([server("a", standing=Standing.GONE)], None),
    ],
)
def test_which_server_is_next(servers: list[Server[str]], expected: str | None) -> None:
    assert chosen(placing(*servers, size=10)) == expected


def test_the_session_used_last_is_used_next() -> None:
    found = placing(server("a", idle=3)).choose("sync", 0.0)
    assert found is not None
    assert found.session == "a2"


def test_a_session_of_another_kind_gives_way_when_there_is_no_other_place() -> None:
    pool = placing(server("a", out=1, idle=1), size=2)
    found = pool.choose("loop", 0.0)
    assert found is not None
    assert (found.session, found.evicted) == (None, (found.server, "sync", "a0"))
    pool.undo(found)
    assert (pool.servers[0].out, len(pool.servers[0].idle)) == (1, 1)


def test_what_gives_way_is_on_a_server_that_is_out_if_any_is() -> None:
    dead = server("dead", idle=1, standing=Standing.OUT, retry_at=9.0)
    found = placing(dead, server("a", out=1, idle=2), server("b"), size=4).choose("sync", 0.0)
    assert found is not None
    assert (found.server.name, found.evicted and found.evicted[0].name) == ("b", "dead")


def test_a_server_that_fails_is_tried_by_one_at_a_time_and_ever_less_often() -> None:
    pool = placing(server("a"))
    now, waits = 0.0, []
    for _ in range(9):
        assert chosen(pool, now) == "a"
        pool.failed(pool.servers[0], "no", now)
        assert chosen(pool, now) is None
        at = pool.next_change(now)
        assert at is not None
        waits.append(at - now)
        now = at
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert chosen(pool, now) == "a"
    assert chosen(pool, now) is None  # until that one has come back
    pool.opened(pool.servers[0])
    assert chosen(pool, now) == "a"


def test_a_server_that_refuses_bears_what_it_has_and_is_tried_for_more_after_a_while() -> None:
    pool = placing(server("a", out=2))
    one = pool.servers[0]
    assert chosen(pool) == "a"
    pool.refused(one, "full", 0.0)
    assert (one.bears, one.out, chosen(pool), pool.next_change(0.0)) == (2, 2, None, 5.0)
    assert chosen(pool, 5.0) == "a"
    assert chosen(pool, 5.0) is None  # one tries
    pool.opened(one)
    assert one.bears == 3


def test_a_session_given_back_to_a_full_server_can_be_had_at_once() -> None:
    pool = placing(server("a", out=1, bears=1, more_at=99.0))
    pool.give_back(pool.servers[0], "sync", "a0")
    assert chosen(pool) == "a"


def test_it_is_dark_while_no_server_is_of_any_use() -> None:
    pool = placing(server("a"), server("b"), server("c", standing=Standing.GONE))
    assert pool.dark_since() is None
    for now, one in enumerate(pool.servers[:2]):
        one.out += 1
        pool.failed(one, "no", float(now))
    assert pool.dark_since() == 1.0
    pool.servers[0].out += 1  # someone may bring one back
    assert pool.dark_since() is None
    assert not pool.is_promising
    assert not pool.is_hopeless


def test_failures_of_a_server_that_is_being_started_change_nothing() -> None:
    pool = placing(server("a", out=1, idle=2))
    assert pool.start(pool.servers[0]) == ["a0", "a1"]
    pool.failed(pool.servers[0], "no", 0.0)
    assert pool.servers[0].standing is Standing.STARTING
    pool.up(pool.servers[0], "http://a")
    assert chosen(pool) == "http://a"
    pool.gone(pool.servers[0], "dead")
    assert pool.is_hopeless


class Traffic(RuleBasedStateMachine):
    """Checkouts, returns, refusals and failures in any order, on three servers."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = placing(server("a"), server("b"), server("c"), size=5)
        self.now = 0.0
        self.opening: list[Placement[str]] = []
        self.held: list[Placement[str]] = []

    @rule(kind=st.sampled_from(KINDS))
    def check_out(self, kind: str) -> None:
        before = {one.name: (one.load(5), one.has_idle(kind), one.total, one.bears) for one in self.pool.servers}
        usable = [one.name for one in self.pool.servers if one.standing is Standing.UP and one.has_idle(kind)]
        up = [one for one in self.pool.servers if one.standing is Standing.UP]
        roomy = [one for one in up if one.bears is None or one.total < one.bears]
        room = sum(one.total for one in self.pool.servers) < 5 or any(one.idle for one in self.pool.servers)
        found = self.pool.choose(kind, self.now)
        if found is None:
            assert not usable
            assert not (roomy and room)
            return
        load, has_idle, total, bears = before[found.server.name]
        assert (found.session is not None) == has_idle
        evicted_here = found.evicted is not None and found.evicted[0] is found.server
        if found.server.standing is Standing.UP and (has_idle or evicted_here or bears is None or total < bears):
            rivals = {*usable, *(one.name for one in roomy if room)}
            assert all(load <= before[name][0] for name in rivals)
        (self.held if has_idle else self.opening).append(found)

    @precondition(lambda self: self.opening)
    @rule(data=st.data(), fate=st.sampled_from(["opened", "refused", "failed", "dropped", "undone"]))
    def settle(self, data: st.DataObject, fate: str) -> None:
        placement = self.opening.pop(data.draw(st.integers(0, len(self.opening) - 1)))
        match fate:
            case "opened":
                self.pool.opened(placement.server)
                self.held.append(placement)
            case "refused":
                self.pool.refused(placement.server, "full", self.now)
            case "failed":
                self.pool.failed(placement.server, "no", self.now)
                assert placement.server.standing is Standing.OUT
            case "dropped":
                self.pool.drop(placement.server)
            case "undone" if placement.evicted is None:
                self.pool.undo(placement)
            case _:
                self.opening.append(placement)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), is_lost=st.booleans())
    def give_back(self, data: st.DataObject, is_lost: bool) -> None:
        placement = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        if is_lost:
            self.pool.drop(placement.server, "gone")
        else:
            self.pool.give_back(placement.server, placement.kind, "session")

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def no_place_is_lost_or_made(self) -> None:
        out = sum(one.out for one in self.pool.servers)
        assert out == len(self.opening) + len(self.held)
        assert all(one.out >= 0 for one in self.pool.servers)
        assert out + sum(len(one.idle) for one in self.pool.servers) <= 5
        assert self.pool.stats(0).out == out

    @invariant()
    def a_wait_always_has_an_end(self) -> None:
        """Whoever finds no place either waits for somebody's session, or for a moment that comes."""
        if all(one.out == 0 for one in self.pool.servers):
            assert any(self.pool._can_take(one, "sync", self.now) for one in self.pool.servers) or (
                self.pool.next_change(self.now) is not None
            )


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
