"""The table of what goes wrong between a client and its server: which exception it is, and whether it is final.

Pure but for `lost`, which may wait a moment for the reason.
"""

import time
from collections.abc import Callable, Mapping

import orjson
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import Close as CloseFrame

from openenv.client.endpoint import Endpoint
from openenv.errors import ConnectFailed, ConnectionLost, OpenEnvError, Refused, ReplyTimeout, SessionLost
from openenv.protocol import LinkRequest

__all__ = ["CONNECT_ERRORS", "closed_error", "connect_error", "expired", "is_final", "lost"]

CONNECT_ERRORS = (WebSocketException, OSError, UnicodeError, ImportError)
"""What connecting may raise: the WebSocket library, the network, a host name's encoding, a proxy's missing extra."""

_END_S = 2.0
"""How long to ask for the end of a server that is ours."""
_LOOK_S = 0.05

_OUR_CLOSE_CODES: Mapping[int, str] = {
    1002: "the server broke the rules of WebSocket",
    1007: "the server sent text that is not UTF-8",
    1009: "the server sent more than max_message_size_mb allows",
    1011: "the server did not answer our pings",
}
_CLOSE_CODES: Mapping[int, str] = {
    1001: "it is going away",
    1006: "without a word, as a crash does",
    1008: "it refused our behaviour",
    1009: "our message was larger than it takes",
    1011: "it failed, or saw no answer to its pings",
    1012: "it is restarting",
    4001: "another connection has taken its place",
}
# After these the next connection would end in the same way, or the link has ended with this one.
_FINAL_CODES = frozenset({1002, 1003, 1007, 1008, 1009, 1010, 1012, 4001})


def lost(endpoint: Endpoint, cause: ConnectionLost) -> SessionLost:
    """Make the exception for a connection that ended under a session; may wait a moment for the reason."""
    how = _end_of(endpoint.died) if endpoint.died is not None else None
    because = f"its server is gone: {how}" if how else str(cause)
    return SessionLost(f"the episode at {endpoint.shown} is lost: {because}; call reset() to start another")


def expired(endpoint: Endpoint, request: LinkRequest, limit_s: float | None, *, goes_on: bool) -> ReplyTimeout:
    """Make the exception for a reply that did not come in time; `goes_on` tells whether its session does."""
    fate = (
        "and its late reply reaches nobody; the session goes on"
        if goes_on
        else "so the session cannot be used any more: call reset() to start another"
    )
    return ReplyTimeout(
        f"no reply to {type(request).__name__.lower()} within {limit_s:g} s from {endpoint.shown}; it may have been "
        f"carried out, {fate}. Or allow more time by timeout_s or message_timeout_s"
    )


def is_final(error: ConnectionLost) -> bool:
    """Tell whether the end of a connection leaves nothing that another one could go on with."""
    return error.code in _FINAL_CODES


def connect_error(endpoint: Endpoint, error: Exception) -> OpenEnvError:
    """Translate one of `CONNECT_ERRORS`."""
    url = endpoint.shown
    match error:
        case InvalidStatus():
            return _status_error(url, error)
        case TimeoutError() if endpoint.connect_timeout_s is not None:
            return ConnectFailed(f"no connection to {url} within {endpoint.connect_timeout_s:g} s")
        case WebSocketException():
            return ConnectFailed(f"{url} did not complete a WebSocket handshake: {error}")
        case _:
            return ConnectFailed(f"cannot connect to {url}: {error}; is the server running?")


def closed_error(received: CloseFrame | None, sent: CloseFrame | None) -> ConnectionLost:
    """Make the exception for a connection that has ended, from the close frames of both sides."""
    if received is None and sent is not None and sent.code in _OUR_CLOSE_CODES:
        words = "; ".join(part for part in (_OUR_CLOSE_CODES[sent.code], sent.reason) if part)
        return ConnectionLost(f"the connection was given up ({sent.code}: {words})", code=sent.code)
    code, reason = (received.code, received.reason) if received is not None else (1006, "")
    words = "; ".join(part for part in (_CLOSE_CODES.get(code), reason) if part)
    return ConnectionLost(f"the server closed the connection ({code}{': ' if words else ''}{words})", code=code)


def _end_of(died: Callable[[], str | None]) -> str | None:
    """Ask how a server ended. Its connection ends a moment before whatever runs it knows."""
    deadline = time.monotonic() + _END_S
    while (how := died()) is None and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return how


def _status_error(url: str, error: InvalidStatus) -> OpenEnvError:
    response = error.response
    said = _reason(bytes(response.body or b""))
    if response.status_code in (401, 403):
        return Refused(said.get("code", "FORBIDDEN"), said.get("detail", f"{url} answered HTTP {response.status_code}"))
    hint = said.get("detail", "is an OpenEnv server running there?")
    if location := response.headers.get("Location"):
        hint = f"it is to be found at {location}"
    return ConnectFailed(f"{url} answered HTTP {response.status_code} in place of a WebSocket; {hint}")


def _reason(body: bytes) -> dict[str, str]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return {k: v for k, v in said.items() if isinstance(v, str)} if isinstance(said, dict) else {}
