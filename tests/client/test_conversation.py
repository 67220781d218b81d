import ssl
from typing import Any

import pytest
from websockets import exceptions
from websockets.datastructures import Headers
from websockets.frames import Close as CloseFrame
from websockets.http11 import Response

from openenv.client.conversation import (
    CONNECT_ERRORS,
    Conversation,
    Fate,
    closed_error,
    connect_error,
    payload_of,
    state_of,
)
from openenv.client.endpoint import Endpoint
from openenv.errors import (
    AtCapacity,
    BadAction,
    ConnectFailed,
    OpenEnvError,
    Refused,
    SessionBroken,
    SessionClosed,
    SessionLost,
    UnsupportedByServer,
)
from openenv.protocol import Close, Fault, GetState, JsonRpcReply, Observed, Request, Reset, StateIs, Step

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


def status(code: int, body: bytes = b"", **headers: str) -> exceptions.InvalidStatus:
    return exceptions.InvalidStatus(Response(code, "", Headers(headers), body))


# --- Connecting


@pytest.mark.parametrize("name", exceptions.__all__)
def test_every_exception_of_websockets_is_translated(name: str) -> None:
    kind = getattr(exceptions, name)
    assert issubclass(kind, CONNECT_ERRORS)
    if kind is exceptions.InvalidStatus:
        return  # tested by its statuses below
    made = type("Made", (kind,), {"__init__": lambda self: None, "__str__": lambda self: "said"})()
    translated = connect_error(ENDPOINT, made)
    assert type(translated) is ConnectFailed
    assert "ws://host/ws did not complete a WebSocket handshake: said" in str(translated)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (status(401, b'{"code": "UNAUTHORIZED", "detail": "wrong token"}'), Refused, r"wrong token \(code: UNAUTHORI"),
        (status(403), Refused, r"ws://host/ws answered HTTP 403 \(code: FORBIDDEN\)"),
        (status(403, b"<html>"), Refused, "answered HTTP 403"),
        (status(404), ConnectFailed, r"answered HTTP 404 .*; is an OpenEnv server running there\?"),
        (status(503, b'{"detail": "starting"}'), ConnectFailed, "answered HTTP 503 in place of a WebSocket; starting"),
        (status(301, Location="https://host/ws"), ConnectFailed, "HTTP 301 .* is to be found at https://host/ws"),
        (TimeoutError(), ConnectFailed, r"no connection to ws://host/ws within 3 s"),
        (ConnectionRefusedError("refused"), ConnectFailed, r"cannot connect to .*: refused; is the server running\?"),
        (ssl.SSLError("bad certificate"), ConnectFailed, "bad certificate"),
        (UnicodeError("label too long"), ConnectFailed, "label too long"),
        (ImportError("needs python-socks"), ConnectFailed, "needs python-socks"),
    ],
)
def test_failures_to_connect(error: Exception, kind: type[OpenEnvError], said: str) -> None:
    assert isinstance(error, CONNECT_ERRORS)
    with pytest.raises(kind, match=said):
        raise connect_error(ENDPOINT, error)


def test_timeout_of_the_operating_system_when_we_have_none() -> None:
    assert "cannot connect to ws://host/ws: timed out" in str(connect_error(PATIENT, TimeoutError("timed out")))


# --- The end of a connection


@pytest.mark.parametrize(
    ("received", "sent", "said"),
    [
        (None, None, "the server closed the connection (1006: without a word, as a crash does)"),
        (CloseFrame(1000, ""), CloseFrame(1000, ""), "the server closed the connection (1000)"),
        (CloseFrame(1001, "bye"), None, "the server closed the connection (1001: it is going away; bye)"),
        (CloseFrame(4242, "own"), None, "the server closed the connection (4242: own)"),
        (CloseFrame(1009, ""), CloseFrame(1009, ""), "(1009: our message was larger than it takes)"),
        (None, CloseFrame(1009, "big"), "given up (1009: the server sent more than max_message_size_mb allows; big)"),
        (None, CloseFrame(1011, ""), "the connection was given up (1011: the server did not answer our pings)"),
        (None, CloseFrame(1000, ""), "1006"),
    ],
)
def test_end_of_a_connection_says_who_and_why(received: CloseFrame, sent: CloseFrame, said: str) -> None:
    assert said in str(closed_error(received, sent))


# --- Requests


def talk(*extensions: str) -> Conversation:
    return Conversation(ENDPOINT, frozenset(extensions))


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
    conversation = talk()
    conversation.session.ask(Reset())
    conversation.session.lose(ConnectionError("gone"))
    with pytest.raises(SessionLost, match="ConnectionError: gone"):
        conversation.prepare(Reset())


def test_answer_to_nothing_breaks_the_session() -> None:
    conversation = talk()
    conversation.take_stray(b'{"type": "observation", "data": {"observation": {}}}')
    assert not conversation.is_usable
    with pytest.raises(SessionBroken, match="nothing was asked"):
        conversation.prepare(Reset())


def test_fault_said_unasked_harms_nothing_unless_it_ends_the_session() -> None:
    conversation = talk()
    conversation.take_stray(b'{"type": "error", "data": {"message": "hm", "code": "EXECUTION_ERROR"}}')
    assert conversation.is_usable
    conversation.take_stray(b'{"type": "error", "data": {"message": "full", "code": "CAPACITY_REACHED"}}')
    with pytest.raises(AtCapacity, match="full"):
        conversation.prepare(Reset())


def test_refusal_after_the_first_request_is_a_loss() -> None:
    conversation = talk()
    conversation.session.ask(Reset())
    conversation.session.receive('{"type": "error", "data": {"message": "full", "code": "CAPACITY_REACHED"}}')
    with pytest.raises(SessionLost, match="AtCapacity: full"):
        conversation.prepare(Reset())


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
