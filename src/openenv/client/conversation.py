"""What the sync and the async client share about talking to a server: pure, without I/O.

Requests are made here, replies are read here, and whatever goes wrong on the way gets its exception here, so that the
two flavours differ by their awaits and nothing else.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import Close as CloseFrame

from openenv.client.endpoint import Endpoint
from openenv.errors import (
    ConnectFailed,
    ConnectionLost,
    OpenEnvError,
    PeerError,
    Refused,
    RemoteFault,
    ReplyTimeout,
    SessionClosed,
    SessionLost,
    UnsupportedByServer,
)
from openenv.protocol import (
    ClientSession,
    ClientState,
    Dialect1,
    Fault,
    Observed,
    Reply,
    Request,
    Reset,
    StateIs,
    Step,
    exception_for,
)

__all__ = [
    "CONNECT_ERRORS",
    "Conversation",
    "Fate",
    "closed_error",
    "connect_error",
    "lost",
    "payload_of",
    "state_of",
]

CONNECT_ERRORS = (WebSocketException, OSError, UnicodeError, ImportError)
"""What connecting may raise: the WebSocket library, the network, a host name's encoding, a proxy's missing extra."""

_GRACE_S = 5.0
"""How much longer than the server a client waits when the server keeps the time limit, so that its word comes first."""

_END_S = 2.0
"""How long to ask for the end of a server that is ours."""
_LOOK_S = 0.05


class Conversation:
    """One session on one connection, and what the server at the other end can do.

    Args:
        endpoint: The limits.
        extensions: What the server's handshake said it understands beyond the plain dialect.
    """

    def __init__(self, endpoint: Endpoint, extensions: frozenset[str]) -> None:
        self.session = ClientSession(Dialect1())
        self._endpoint = endpoint
        self._extensions = extensions

    @property
    def is_usable(self) -> bool:
        """Whether another request may be asked."""
        return self.session.state is ClientState.READY

    def prepare(self, request: Request) -> tuple[Request, float | None]:
        """Fit a request to the server: what to send, and how many seconds to wait for the reply.

        Raises:
            SessionLost, SessionClosed: The session is at its end.
            RemoteFault: It never began, because the server refused it.
            UnsupportedByServer: The request carries options that this server has no place for.
        """
        self._check()
        if not isinstance(request, Reset | Step):
            return request, self._endpoint.message_timeout_s
        limit = request.timeout_s
        if isinstance(request, Step) and request.options and "options" not in self._extensions:
            names = ", ".join(sorted(request.options))
            raise UnsupportedByServer(
                f"step({names}=...): this server takes an action and nothing else; put the values into the action"
            )
        if limit is None:
            return request, self._endpoint.message_timeout_s
        if "timeout_s" in self._extensions:
            return request, limit + _GRACE_S
        plain = Step(request.action) if isinstance(request, Step) else Reset(request.options)
        return plain, limit

    def take_stray(self, frame: bytes) -> None:
        """Take a frame that came while nothing was asked; an answer to nothing breaks the session."""
        with contextlib.suppress(PeerError):  # the next request will be told
            self.session.receive(frame)

    def expired(self, request: Request, limit_s: float | None) -> ReplyTimeout:
        """Make the exception for a reply that did not come in time."""
        name = type(request).__name__.lower()
        return ReplyTimeout(
            f"no reply to {name} within {limit_s:g} s from {self._endpoint.url}; it may have been carried out, "
            "so the session cannot be used any more: call reset() to start another, or allow more time by "
            "timeout_s or message_timeout_s"
        )

    def _check(self) -> None:
        try:
            self.session.check()
        except SessionLost as error:
            if isinstance(error.__cause__, RemoteFault) and not self.session.used:
                raise error.__cause__ from None  # there was no episode to lose
            raise


class Fate:
    """Whether a client may be used, across the connections it has had, synchronous or not."""

    def __init__(self) -> None:
        self._ended: OpenEnvError | None = None

    def check(self, request: Request) -> None:
        """Let a reset through after a loss, and nothing else.

        Raises:
            SessionClosed: The client was closed.
            SessionLost: It was disconnected, and only a reset may come now.
        """
        if self._ended is not None and not (isinstance(self._ended, SessionLost) and isinstance(request, Reset)):
            raise type(self._ended)(str(self._ended))

    def reopen(self) -> None:
        """Forget the end: there is a new connection."""
        self._ended = None

    def close(self) -> None:
        """Refuse every request until it is reopened."""
        self._ended = SessionClosed("this client was closed; connect() opens a new session")

    def disconnect(self, reason: str = "disconnect() ended it") -> None:
        """Refuse every request but a reset."""
        self._ended = SessionLost(f"the episode is lost: {reason}; call reset() to start another")


def lost(endpoint: Endpoint, cause: ConnectionLost) -> SessionLost:
    """Make the exception for a connection that ended under a session; may wait a moment for the reason."""
    how = _end_of(endpoint.died) if endpoint.died is not None else None
    because = f"its server is gone: {how}" if how else str(cause)
    return SessionLost(f"the episode at {endpoint.url} is lost: {because}; call reset() to start another")


def _end_of(died: Callable[[], str | None]) -> str | None:
    """Ask how a server ended. Its connection ends a moment before whatever runs it knows."""
    deadline = time.monotonic() + _END_S
    while (how := died()) is None and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return how


def payload_of(reply: Reply) -> dict[str, Any]:
    """Give an observation reply the shape that `_parse_result` takes.

    Raises:
        RemoteFault: The server said no.
    """
    if isinstance(reply, Fault):
        raise exception_for(reply)
    assert isinstance(reply, Observed)  # the session lets no other kind through
    payload = {"observation": reply.observation, "reward": reply.reward, "done": reply.done, **reply.extra}
    if reply.metadata is not None:
        payload["metadata"] = reply.metadata
    if reply.truncated:
        payload["truncated"] = True
    return payload


def state_of(reply: Reply) -> Any:
    """Give a state reply the shape that `_parse_state` takes. Raises RemoteFault when the server said no."""
    if isinstance(reply, Fault):
        raise exception_for(reply)
    assert isinstance(reply, StateIs)  # as above
    return reply.state


def connect_error(endpoint: Endpoint, error: Exception) -> OpenEnvError:
    """Translate one of `CONNECT_ERRORS`."""
    url = endpoint.url
    match error:
        case InvalidStatus():
            return _status_error(url, error)
        case TimeoutError() if endpoint.connect_timeout_s is not None:
            return ConnectFailed(f"no connection to {url} within {endpoint.connect_timeout_s:g} s")
        case WebSocketException():
            return ConnectFailed(f"{url} did not complete a WebSocket handshake: {error}")
        case _:
            return ConnectFailed(f"cannot connect to {url}: {error}; is the server running?")


def _status_error(url: str, error: InvalidStatus) -> OpenEnvError:
    response = error.response
    said = _reason(bytes(response.body or b""))
    if response.status_code in (401, 403):
        return Refused(said.get("code", "FORBIDDEN"), said.get("detail", f"{url} answered HTTP {response.status_code}"))
    hint = said.get("detail", "is an OpenEnv server running there?")
    if location := response.headers.get("Location"):
        hint = f"it is to be found at {location}"
    return ConnectFailed(f"{url} answered HTTP {response.status_code} in place of a WebSocket; {hint}")


def closed_error(received: CloseFrame | None, sent: CloseFrame | None) -> ConnectionLost:
    """Make the exception for a connection that has ended, from the close frames of both sides."""
    if received is None and sent is not None and sent.code in _OUR_CLOSE_CODES:
        words = "; ".join(part for part in (_OUR_CLOSE_CODES[sent.code], sent.reason) if part)
        return ConnectionLost(f"the connection was given up ({sent.code}: {words})")
    code, reason = (received.code, received.reason) if received is not None else (1006, "")
    words = "; ".join(part for part in (_CLOSE_CODES.get(code), reason) if part)
    return ConnectionLost(f"the server closed the connection ({code}{': ' if words else ''}{words})")


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
}


def _reason(body: bytes) -> dict[str, str]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return {k: v for k, v in said.items() if isinstance(v, str)} if isinstance(said, dict) else {}
