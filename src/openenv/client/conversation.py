"""What the sync and the async client share about talking to a server: pure, without I/O.

Requests are made here, replies are read here, and whatever goes wrong on the way gets its exception here, so that the
two flavours differ by their awaits and nothing else.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from openenv.client.endpoint import Endpoint
from openenv.errors import (
    ConnectFailed,
    ConnectionLost,
    OpenEnvError,
    Refused,
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

__all__ = ["Conversation", "Fate", "closed_error", "connect_error", "lost", "payload_of", "state_of"]

_GRACE_S = 5.0
"""How much longer than the server a client waits when the server keeps the time limit, so that its word comes first."""


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
            UnsupportedByServer: It carries options that this server has no place for.
        """
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

    def expired(self, request: Request, limit_s: float | None) -> ReplyTimeout:
        """Make the exception for a reply that did not come in time."""
        name = type(request).__name__.lower()
        return ReplyTimeout(
            f"no reply to {name} within {limit_s:g} s from {self._endpoint.url}; it may have been carried out, "
            "so the session cannot be used any more: call reset() to start another, or allow more time by "
            "timeout_s or message_timeout_s"
        )


class Fate:
    """Whether a client may be used, across the connections it has had."""

    def __init__(self) -> None:
        self._ended: OpenEnvError | None = None

    def check(self, request: Request) -> None:
        """Let a reset begin anew after a loss, and nothing else.

        Raises:
            SessionClosed: The client was closed.
            SessionLost: It was disconnected, and only a reset may come now.
        """
        if isinstance(self._ended, SessionLost) and isinstance(request, Reset):
            self._ended = None
        if self._ended is not None:
            raise type(self._ended)(str(self._ended))

    def reopen(self) -> None:
        """Forget that the client was closed."""
        self._ended = None

    def close(self) -> None:
        """Refuse every request until it is reopened."""
        self._ended = SessionClosed("this client was closed; connect() opens a new session")

    def disconnect(self, reason: str = "disconnect() ended it") -> None:
        """Refuse every request but a reset."""
        self._ended = SessionLost(f"the episode is lost: {reason}; call reset() to start another")


def lost(endpoint: Endpoint, cause: ConnectionLost) -> SessionLost:
    """Make the exception for a connection that ended under a session."""
    return SessionLost(f"the episode at {endpoint.url} is lost: {cause}; call reset() to start another")


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


def connect_error(endpoint: Endpoint, error: Exception) -> Exception:
    """Translate what a WebSocket library raises while connecting. Complete for `websockets`: see its test."""
    url = endpoint.url
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        said = _reason(bytes(error.response.body or b""))
        if status in (401, 403):
            return Refused(said.get("code", "FORBIDDEN"), said.get("detail", f"{url} answered HTTP {status}"))
        hint = "is an OpenEnv server running there?" if status == 404 else said.get("detail", "")
        return ConnectFailed(f"{url} answered HTTP {status} in place of a WebSocket; {hint}")
    if isinstance(error, TimeoutError):
        return ConnectFailed(f"no connection to {url} within {endpoint.connect_timeout_s:g} s")
    if isinstance(error, InvalidHandshake | InvalidURI | ConnectionClosed):
        return ConnectFailed(f"{url} did not complete a WebSocket handshake: {error}")
    if isinstance(error, OSError):
        return ConnectFailed(f"cannot connect to {url}: {error}; is the server running?")
    return error


def closed_error(code: int | None, reason: str) -> ConnectionLost:
    """Make the exception for a connection the server has closed."""
    known = _CLOSE_CODES.get(code or 1006)
    words = "; ".join(part for part in (known, reason) if part)
    return ConnectionLost(f"the server closed the connection ({code or 1006}{': ' if words else ''}{words})")


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
