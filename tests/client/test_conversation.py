from typing import Any

import pytest

from openenv.client.conversation import Conversation, Fate, payload_of, state_of
from openenv.client.endpoint import Endpoint
from openenv.client.lanes import LANE
from openenv.client.plain import PlainLink
from openenv.errors import (
    AtCapacity,
    BadAction,
    PeerError,
    SessionBroken,
    SessionClosed,
    SessionLost,
    StepTimedOut,
    UnsupportedByServer,
)
from openenv.protocol import (
    ClientLink,
    Close,
    Fault,
    GetState,
    JsonRpcReply,
    Observed,
    Opened,
    Request,
    Reset,
    StateIs,
    Step,
    cancelled,
)
from openenv.testing import LinkPair

ENDPOINT = Endpoint(
    url="ws://host/ws",
    headers={},
    connect_timeout_s=3.0,
    message_timeout_s=60.0,
    max_message_bytes=None,
    ping_interval_s=None,
    ping_timeout_s=None,
)
PATIENT = Endpoint(**{**vars(ENDPOINT), "connect_timeout_s": None})


# --- Requests


def talk(*extensions: str) -> Conversation:
    return Conversation(ENDPOINT, PlainLink(), frozenset(extensions))


def linked() -> tuple[Conversation, ClientLink]:
    pair = LinkPair()
    pair.connect()
    pair.deliver_reply()
    return Conversation(ENDPOINT, pair.client, frozenset()), pair.client


@pytest.mark.parametrize(
    ("request_", "extensions", "sent", "limit_s"),
    [
        (Reset({"seed": 1}), (), Reset({"seed": 1}), 60.0),
        (Reset({"seed": 1}, 2.0), (), Reset({"seed": 1}), 2.0),
        (Reset({"seed": 1}, 2.0), ("timeout_s",), Reset({"seed": 1}, 2.0), 7.0),
        (Step({}, 2.0), (), Step({}), 2.0),
        (Step({}, 2.0), ("timeout_s",), Step({}, 2.0), 7.0),
        (Step({}, None, {"a": 1}), ("options",), Step({}, None, {"a": 1}), 60.0),
        (GetState(), (), GetState(), 60.0),
        (Close(), (), Close(), 60.0),
    ],
)
def test_request_is_fitted_to_the_server(
    request_: Request, extensions: tuple[str, ...], sent: Request, limit_s: float
) -> None:
    assert talk(*extensions).prepare(request_) == (sent, limit_s)


def test_option_the_server_has_no_place_for_is_refused_and_named() -> None:
    conversation = talk("timeout_s")
    with pytest.raises(UnsupportedByServer, match=r"step\(a, b=...\): this server takes an action and nothing else"):
        conversation.prepare(Step({}, None, {"b": 1, "a": 2}))
    assert conversation.is_usable


def test_session_that_is_lost_takes_no_request() -> None:
    half = PlainLink()
    conversation = Conversation(ENDPOINT, half, frozenset())
    conversation.prepare(Reset())
    half.lose(ConnectionError("gone"))
    with pytest.raises(SessionLost, match="ConnectionError: gone"):
        conversation.prepare(Reset())


def test_answer_to_nothing_breaks_the_session() -> None:
    half = PlainLink()
    conversation = Conversation(ENDPOINT, half, frozenset())
    with pytest.raises(PeerError):
        half.receive(b'{"type": "observation", "data": {"observation": {}}}')
    assert not conversation.is_usable
    with pytest.raises(SessionBroken, match="nothing was asked"):
        conversation.prepare(Reset())


def test_fault_said_unasked_harms_nothing_unless_it_ends_the_session() -> None:
    half = PlainLink()
    conversation = Conversation(ENDPOINT, half, frozenset())
    half.receive(b'{"type": "error", "data": {"message": "hm", "code": "EXECUTION_ERROR"}}')
    assert conversation.is_usable
    half.receive(b'{"type": "error", "data": {"message": "full", "code": "CAPACITY_REACHED"}}')
    with pytest.raises(AtCapacity, match="full"):
        conversation.prepare(Reset())


def test_refusal_after_the_first_request_is_a_loss() -> None:
    half = PlainLink()
    conversation = Conversation(ENDPOINT, half, frozenset())
    conversation.prepare(Reset())
    half.ask(Reset(), LANE)
    half.receive('{"type": "error", "data": {"message": "full", "code": "CAPACITY_REACHED"}}')
    with pytest.raises(SessionLost, match="AtCapacity: full"):
        conversation.prepare(Reset())


# --- On a link


def test_link_keeps_time_limits_and_takes_options() -> None:
    conversation, _ = linked()
    request = Step({}, 2.0, {"a": 1})
    assert conversation.prepare(request) == (request, 7.0)


def test_refused_lane_is_raised_itself_by_every_request() -> None:
    conversation, _ = linked()
    conversation.prepare(Reset())
    conversation.take_opened(Opened((LANE,), {LANE: Fault("CAPACITY_REACHED", "full")}))
    with pytest.raises(AtCapacity, match="full"):
        conversation.take(Fault("SESSION_NOT_FOUND", "no such lane"))
    with pytest.raises(AtCapacity, match="full"):
        conversation.prepare(GetState())
    assert not conversation.is_usable


def test_refused_link_is_raised_itself() -> None:
    conversation, _ = linked()
    conversation.take_opened(Fault("CAPACITY_REACHED", "full"))
    with pytest.raises(AtCapacity, match="full"):
        conversation.prepare(Reset())


def test_opened_lane_and_a_link_that_ends_before_are_no_refusal() -> None:
    conversation, _ = linked()
    conversation.take_opened(Opened((LANE,)))
    conversation.take_opened(ConnectionError())
    assert conversation.is_usable


@pytest.mark.parametrize("fault", [Fault("TIMED_OUT", "too long"), cancelled(session_lost=True)])
def test_fault_that_ends_the_session_is_a_loss_to_whatever_follows(fault: Fault) -> None:
    conversation, _ = linked()
    conversation.prepare(Reset())
    assert conversation.take(fault) is fault
    with pytest.raises(SessionLost, match=r"call reset\(\) to start another") as lost:
        conversation.prepare(GetState())
    assert isinstance(lost.value.__cause__, StepTimedOut) is (fault.code == "TIMED_OUT")
    assert not conversation.is_fresh


@pytest.mark.parametrize("fault", [Fault("EXECUTION_ERROR", "raised"), cancelled(session_lost=False)])
def test_other_faults_leave_the_session_alone(fault: Fault) -> None:
    conversation, _ = linked()
    conversation.take(fault)
    assert conversation.is_usable
    assert conversation.is_fresh


def test_session_with_a_call_that_was_given_up_is_usable_but_not_fresh() -> None:
    conversation, half = linked()
    call = half.ask(Step({}), LANE)
    half.abandon(call, cancel=False)
    assert conversation.is_usable
    assert not conversation.is_fresh


# --- Replies


def test_payload_of_an_observation_has_what_the_server_sent() -> None:
    assert payload_of(Observed({"a": 1}, 0.5, True)) == {"observation": {"a": 1}, "reward": 0.5, "done": True}
    full = Observed({}, None, False, {"k": 1}, True, {"own": 2})
    assert payload_of(full) == {
        "observation": {}, "reward": None, "done": False, "own": 2, "metadata": {"k": 1}, "truncated": True
    }  # fmt: skip


def test_a_fault_is_raised() -> None:
    assert state_of(StateIs({"a": 1})) == {"a": 1}
    for read in (payload_of, state_of):
        with pytest.raises(BadAction, match="no"):
            read(Fault("VALIDATION_ERROR", "no"))


def test_another_kind_of_reply_is_a_bug_of_ours() -> None:
    reply: Any = JsonRpcReply({})
    for read in (payload_of, state_of):
        with pytest.raises(AssertionError):
            read(reply)


# --- Fate


def test_fate_lets_a_reset_through_after_a_loss_and_nothing_after_the_end() -> None:
    fate = Fate()
    fate.check(Step({}))
    fate.disconnect()
    fate.check(Reset())
    with pytest.raises(SessionLost, match=r"disconnect\(\) ended it; call reset\(\)"):
        fate.check(Step({}))  # still: the reset was allowed, but not yet carried out
    fate.close()
    for request in (Reset(), Step({}), GetState()):
        with pytest.raises(SessionClosed):
            fate.check(request)
    fate.reopen()
    fate.check(Step({}))
