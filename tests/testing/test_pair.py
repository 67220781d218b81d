"""The pair carries frames and nothing else: each side sees what the other said, and a test may stand between."""

import pytest

from openenv.errors import LocalError, PeerError, SessionBroken
from openenv.protocol import Close, Dialect1, Fault, GetState, Observed, Reset, StateIs, Step
from openenv.testing import Pair
from tests.protocol.numbered import Numbered


def test_each_side_sees_what_the_other_said() -> None:
    pair = Pair()
    assert pair.exchange(Reset({"seed": 1}), Observed({"ready": True})) == (
        Reset({"seed": 1}),
        Observed({"ready": True}),
    )
    fault = Fault("EXECUTION_ERROR", "asked to")
    assert pair.exchange(Step({"move": 1}), fault) == (Step({"move": 1}), fault)


def test_frames_on_their_way_are_those_of_the_dialect() -> None:
    pair = Pair()
    pair.ask(GetState())
    assert list(pair.requests) == ['{"type":"state"}']
    served = pair.take()
    assert served.request == GetState()
    pair.answer(served, StateIs({}))
    assert list(pair.replies) == [b'{"type":"state","data":{}}']


@pytest.mark.parametrize(("is_text", "kind"), [(True, str), (False, bytes)])
def test_requests_travel_as_text_or_as_they_are(is_text: bool, kind: type) -> None:
    pair = Pair(Numbered(), is_text=is_text)
    pair.ask(GetState())
    assert isinstance(pair.requests[0], kind)
    served = pair.take()
    assert served.request == GetState()


def test_a_test_may_drop_and_damage_frames() -> None:
    pair = Pair()
    pair.ask(GetState())
    pair.requests.clear()
    with pytest.raises(LocalError, match="no request waits"):
        pair.take()
    pair.replies.extend([b"garbage", b"behind it"])
    with pytest.raises(PeerError):
        pair.collect()
    assert list(pair.replies) == [b"behind it"]
    with pytest.raises(SessionBroken):
        pair.ask(GetState())


def test_a_reply_that_is_nobodys_is_left_out() -> None:
    pair = Pair()
    pair.client.abandon(pair.ask(GetState()), TimeoutError())
    pair.answer(pair.take(), StateIs({}))
    assert pair.collect() == []


def test_an_exchange_refuses_to_overtake() -> None:
    pair = Pair(Numbered())
    pair.ask(GetState())
    with pytest.raises(LocalError, match=r"take\(\) and collect\(\)"):
        pair.exchange(GetState(), StateIs({}))
    pair.take()
    with pytest.raises(LocalError, match="not answered yet"):
        pair.exchange(GetState(), StateIs({}))


def test_the_server_decides_what_to_do_with_a_close() -> None:
    pair = Pair(Dialect1())
    pair.ask(Close())
    served = pair.take()
    assert served.request == Close()
    with pytest.raises(LocalError, match="does not answer Close"):
        pair.answer(served, StateIs({}))
