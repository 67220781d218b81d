"""Who is next, with a clock that the test moves."""

import pytest

from openenv.errors import PoolClosed, PoolExhausted
from openenv.pool.desk import Desk, Ticket, Wait
from openenv.pool.placement import Placement, Placing, Server, Standing


class Stage:
    """A desk over one server, and a list of the tickets that were woken."""

    def __init__(self, size: int = 1, standing: Standing = Standing.UP) -> None:
        self.now = 0.0
        self.server: Server[str] = Server("a", standing)
        self.desk = Desk(Placing([self.server], size), outage_s=60, clock=lambda: self.now)
        self.woken: list[str] = []

    def join(self, name: str, limit_s: float | None = None) -> Ticket[str]:
        return self.desk.join("sync", limit_s, lambda: self.woken.append(name))

    def placed(self, ticket: Ticket[str]) -> Placement[str]:
        found = self.desk.look(ticket)
        assert isinstance(found, Placement)
        return found


def test_first_come_first_served() -> None:
    stage = Stage()
    first, second, third = (stage.join(name) for name in ("first", "second", "third"))
    stage.placed(first)
    assert stage.desk.look(second) == stage.desk.look(third) == Wait(None)
    stage.woken.clear()
    stage.desk.give_back(stage.server, "sync", "session")
    assert stage.woken[0] == "second"
    assert stage.desk.look(third) == Wait(None)
    assert stage.placed(second).session == "session"


def test_who_looks_first_does_not_go_first() -> None:
    stage = Stage()
    first, second = stage.join("first"), stage.join("second")
    assert stage.desk.look(second) == Wait(None)
    stage.placed(first)


def test_whoever_was_given_what_is_of_no_use_is_next_again() -> None:
    stage = Stage()
    first, second = stage.join("first"), stage.join("second")
    stage.placed(first)
    stage.desk.failed(stage.server, "no")
    stage.desk.again(first)
    assert stage.desk.look(second) == Wait(0.5)
    stage.now = 0.5
    assert isinstance(stage.desk.look(second), Wait)
    stage.placed(first)


def test_a_place_granted_to_one_who_leaves_goes_to_the_next() -> None:
    stage = Stage()
    first, second = stage.join("first"), stage.join("second")
    stage.desk.look(second)  # grants the first its place
    assert stage.desk.leave(first) == []
    stage.placed(second)


def test_a_wait_ends_at_its_limit() -> None:
    stage = Stage()
    holder, waiting = stage.join("holder"), stage.join("waiting", 5)
    stage.placed(holder)
    assert stage.desk.look(waiting) == Wait(5)
    assert stage.desk.left_s(waiting) == 5
    stage.now = 5
    with pytest.raises(PoolExhausted, match="came free within 5 s: 1 of 1 are out, 0 other checkouts wait"):
        stage.desk.look(waiting)


def test_a_wait_without_a_limit_ends_with_an_outage_and_never_while_sessions_are_out() -> None:
    stage = Stage(size=2)
    holder, waiting = stage.join("holder"), stage.join("waiting")
    assert stage.desk.left_s(waiting) is None
    stage.placed(holder)
    stage.placed(waiting)
    stage.desk.failed(stage.server, "no")
    stage.desk.again(waiting)
    stage.server.retry_at = 1e9
    stage.now = 1e6
    assert isinstance(stage.desk.look(waiting), Wait)
    stage.desk.drop(stage.server, "gone")
    with pytest.raises(PoolExhausted, match="last error: gone"):
        stage.desk.look(waiting)


def test_with_the_last_server_gone_nobody_waits() -> None:
    stage = Stage(standing=Standing.STARTING)
    waiting = stage.join("waiting")
    assert stage.desk.look(waiting) == Wait(None)
    stage.desk.gone(stage.server, "given up")
    assert stage.woken
    with pytest.raises(PoolExhausted, match=r"will ever come[\s\S]*given up"):
        stage.desk.look(waiting)


def test_closing_wakes_all_and_refuses_them() -> None:
    stage = Stage()
    holder, one, two = (stage.join(name) for name in ("holder", "one", "two"))
    stage.placed(holder)
    stage.woken.clear()
    stage.desk.close()
    assert stage.woken == ["one", "two"]
    for ticket in (one, two, stage.join("late")):
        with pytest.raises(PoolClosed):
            stage.desk.look(ticket)
        assert stage.desk.leave(ticket) == []
    assert not stage.desk.give_back(stage.server, "sync", "session")


def test_an_idle_session_granted_at_the_moment_of_closing_is_handed_out_to_be_closed() -> None:
    stage = Stage()
    stage.server.idle.append(("sync", "session"))
    first, second = stage.join("first"), stage.join("second")
    stage.desk.look(second)
    stage.desk.close()
    assert stage.desk.withdraw() == []
    assert stage.desk.leave(first) == ["session"]


def test_a_server_that_has_started_serves_those_who_wait() -> None:
    stage = Stage(standing=Standing.STARTING)
    waiting = stage.join("waiting")
    assert stage.desk.start(stage.server) == []
    stage.desk.up(stage.server, "http://a")
    assert stage.woken[-1] == "waiting"
    assert stage.placed(waiting).server.name == "http://a"
    assert not stage.desk.refused(stage.server, "full") or stage.server.bears == 0
    assert stage.desk.stats().servers[0].last_error == "full"
