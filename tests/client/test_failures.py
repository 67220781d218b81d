import ssl

import pytest
from websockets import exceptions
from websockets.datastructures import Headers
from websockets.frames import Close as CloseFrame
from websockets.http11 import Response

from openenv.client.endpoint import Endpoint
from openenv.client.failures import CONNECT_ERRORS, closed_error, connect_error, expired, is_final
from openenv.errors import ConnectFailed, ConnectionLost, OpenEnvError, Refused
from openenv.protocol import Step

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


@pytest.mark.parametrize(("code", "final"), [(1006, False), (1001, False), (1011, False), (1012, True), (4001, True)])
def test_some_ends_leave_nothing_to_go_on_with(code: int, final: bool) -> None:
    assert is_final(closed_error(CloseFrame(code, ""), None)) is final


def test_end_without_a_websocket_is_not_final() -> None:
    assert not is_final(ConnectionLost("forked"))


def test_late_reply_says_what_becomes_of_the_session() -> None:
    assert "the session goes on" in str(expired(ENDPOINT, Step({}), 0.5, goes_on=True))
    assert "the session cannot be used any more" in str(expired(ENDPOINT, Step({}), 0.5, goes_on=False))
