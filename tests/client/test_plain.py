import numpy
import pytest

from openenv.client.plain import PlainLink, give_up, half_for
from openenv.errors import LocalError, SessionBroken, SessionClosed, SessionLost
from openenv.protocol import SUBPROTOCOL, Batch, ClientLink, ClientLinkState, GetState, Open, Reset, StateIs, Step
from openenv.testing import LinkPair

STATE = b'{"type": "state", "data": {"step_count": 1}}'


@pytest.mark.parametrize(("chosen", "kind"), [(SUBPROTOCOL, ClientLink), ("openenv.v1", PlainLink), (None, PlainLink)])
def test_server_chooses_the_dialect(chosen: str | None, kind: type) -> None:
    assert type(half_for(chosen, binary=False, arrays=False)) is kind


def test_reply_finds_its_call() -> None:
    link = PlainLink()
    call = link.ask(GetState(), 0)
    assert link.outgoing() == [b'{"type":"state"}']
    assert link.outgoing() == []
    assert link.receive(STATE) == (call, StateIs({"step_count": 1}))


@pytest.mark.parametrize(
    ("request_", "lane"), [(Open((0,)), None), (Batch("state", (0,)), None), (Step({}), 1), (Step({}), None)]
)
def test_what_only_a_link_can_say_is_refused(request_: Open | Batch | Step, lane: int | None) -> None:
    with pytest.raises(LocalError, match=r"needs a server that speaks openenv\.v2"):
        PlainLink().ask(request_, lane)


def test_arrays_of_an_action_are_lists() -> None:
    link = PlainLink()
    link.ask(Step({"push": [numpy.array([[1.5], [numpy.inf]]), {"joint": numpy.int64(3)}]}), 0)
    assert link.outgoing() == [b'{"type":"step","data":{"push":[[[1.5],[Infinity]],{"joint":3}]}}']


def test_call_given_up_breaks_the_session() -> None:
    link = PlainLink()
    call = link.ask(Reset(), 0)
    give_up(link, call, TimeoutError("late"), cancel=True)
    assert link.state is ClientLinkState.LOST
    with pytest.raises(SessionBroken):
        link.check()
    assert link.receive(STATE) is None


def test_call_given_up_on_a_link_harms_nothing_unless_it_is_cancelled() -> None:
    pair = LinkPair()
    pair.connect()
    pair.deliver_reply()
    first, second = pair.client.ask(Open((0,))), pair.client.ask(Open((1,)))
    give_up(pair.client, first, TimeoutError(), cancel=False)
    assert len(pair.client.outgoing()) == 2
    give_up(pair.client, second, TimeoutError(), cancel=True)
    assert b"cancel" in pair.client.outgoing()[0]
    assert pair.client.state is ClientLinkState.ATTACHED


def test_giving_up_what_was_answered_does_nothing() -> None:
    link = PlainLink()
    call = link.ask(GetState(), 0)
    link.receive(STATE)
    give_up(link, call, TimeoutError(), cancel=False)
    assert link.state is ClientLinkState.ATTACHED
    assert link.given_up == 0


def test_it_cannot_be_resumed() -> None:
    link = PlainLink()
    assert link.resume is None
    link.lose(ConnectionError("gone"))
    with pytest.raises(SessionLost, match="gone"):
        link.ask(Reset(), 0)


def test_close_says_goodbye_unless_something_is_under_way() -> None:
    idle, busy = PlainLink(), PlainLink()
    idle.close()
    assert idle.outgoing() == [b'{"type":"close"}']
    busy.ask(Reset(), 0)
    busy.outgoing()
    busy.close()
    assert busy.outgoing() == []
    for link in (idle, busy):
        with pytest.raises(SessionClosed):
            link.check()
