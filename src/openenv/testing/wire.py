"""Talking to a server as its clients do, with nothing in between that would forgive it: HTTP, and dialect 1 on `/ws`.

The clients of this package turn what servers send into types, and are lenient where they can be. Here every frame is
taken as it came, and every wait has an end.
"""

import contextlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from openenv.client.endpoint import Endpoint, login, socket_url
from openenv.client.failures import CONNECT_ERRORS, closed_error, connect_error
from openenv.errors import ConnectFailed, Refused, ReplyTimeout
from openenv.protocol import Dialect1, GetState, Reset, Step
from openenv.protocol.dialect1 import load_json
from openenv.testing.exchange import Answer, RuleBroken, Session, name_of

__all__ = ["Address", "WireSession"]

_MAX_BYTES = 64 * 1024 * 1024
_CHUNK = 65536
_CLOSE_S = 3.0
_SESSION = "X-Session-Id"
_TOKEN_HINT = "put the server's token into OPENENV_TOKEN"
_KIND = {Reset: "observation", Step: "observation", GetState: "state"}


@dataclass(frozen=True)
class Address:
    """Where a server is, and how it is talked to.

    Attributes:
        url: As it was given, a name and a password included.
        timeout_s: How long a reply may take.
        token: Bearer token, or None.
    """

    url: str = field(repr=False)
    timeout_s: float
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raises ConfigurationError when the URL is none."""
        socket_url(self.url)

    @property
    def socket(self) -> str:
        """Where its WebSocket is, without the password that may be in the URL."""
        parts = urlsplit(socket_url(self.url))
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    @property
    def shown(self) -> str:
        """Where its pages are, without a password and so fit to be shown."""
        parts = urlsplit(self.socket)
        scheme = "https" if parts.scheme == "wss" else "http"
        return urlunsplit((scheme, parts.netloc, parts.path.removesuffix("/ws"), "", ""))

    @property
    def endpoint(self) -> Endpoint:
        """The same in the client's words."""
        return Endpoint(
            url=self.socket,
            headers=self.headers,
            connect_timeout_s=self.timeout_s,
            message_timeout_s=self.timeout_s,
            max_message_bytes=_MAX_BYTES,
            ping_interval_s=None,
            ping_timeout_s=None,
        )

    @property
    def headers(self) -> dict[str, str]:
        """Sent with every request: the token, or else the name and password of the URL."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        return login(socket_url(self.url))

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Fetch a page: its status and its text.

        Raises:
            ConnectFailed: Nobody answers.
            ReplyTimeout: The answer does not come, or does not end.
        """
        status, body, _ = self._fetch(path, headers or {})
        return status, body

    def get_object(self, path: str) -> dict[str, Any]:
        """Fetch a page that holds a JSON object.

        Raises:
            RuleBroken: It does not.
            Refused: The server asks for a token.
            ConnectFailed, ReplyTimeout: As `get` does.
        """
        status, body = self.get(path)
        if status in (401, 403):
            raise RuleBroken(f"{path} was refused with HTTP {status}", hint=_TOKEN_HINT)
        if status != 200:
            raise RuleBroken(f"{path} was answered with HTTP {status}: {body[:200]!r}")
        return _object(body, path)

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, session: Mapping[str, str]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Ask for a JSON object over HTTP, in a session or outside.

        Args:
            method: Such as POST.
            path: From the server's address.
            body: Sent as JSON.
            session: The header that names the session; empty for none.

        Returns:
            The answer, and the header by which the session is named from now on.

        Raises:
            RuleBroken: The answer is none.
            ConnectFailed, ReplyTimeout: As `get` does.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {**session, **({} if data is None else {"Content-Type": "application/json"})}
        status, answer, received = self._fetch(path, headers, method=method, data=data)
        if status != 200:
            raise RuleBroken(f"{method} {path} was answered with HTTP {status}: {answer[:200]!r}")
        named = received.get(_SESSION)
        return _object(answer, f"{method} {path}"), {_SESSION: named} if named else dict(session)

    def connect(self, **options: Any) -> ClientConnection:
        """Open a WebSocket. Raises as `connect_error` says, and `OSError`s not at all."""
        try:
            opening = connect(
                self.socket,
                additional_headers=self.headers,
                open_timeout=self.timeout_s,
                close_timeout=_CLOSE_S,
                ping_interval=None,
                compression=None,
                max_size=_MAX_BYTES,
                proxy=None if self.endpoint.is_local else True,
                **options,
            )
            opened: ClientConnection = opening.__enter__()  # newer versions connect only now; closing is the caller's
            return opened
        except CONNECT_ERRORS as error:
            failure = connect_error(self.endpoint, error)
            if isinstance(failure, Refused):
                raise RuleBroken(str(failure), hint=_TOKEN_HINT) from error
            raise failure from error

    def _fetch(
        self, path: str, headers: Mapping[str, str], *, method: str = "GET", data: bytes | None = None
    ) -> tuple[int, bytes, Message]:
        url = f"{self.shown}{path}"
        request = urllib.request.Request(url, data, {**self.headers, **headers}, method=method)
        proxies = urllib.request.ProxyHandler({} if self.endpoint.is_local else None)
        deadline = time.monotonic() + self.timeout_s
        try:
            with urllib.request.build_opener(proxies).open(request, timeout=self.timeout_s) as response:
                return response.status, self._body(response, url, deadline), response.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, self._body(error, url, deadline), error.headers
        except TimeoutError as error:
            raise self._late(url) from error
        except (OSError, ValueError, http.client.HTTPException) as error:  # the last two for what is not HTTP
            if isinstance(getattr(error, "reason", None), TimeoutError):
                raise self._late(url) from error
            reason = getattr(error, "reason", error)
            raise ConnectFailed(f"{url} cannot be fetched: {reason}; is the server running?") from error

    def _body(self, response: Any, url: str, deadline: float) -> bytes:
        body = bytearray()
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > _MAX_BYTES:
                raise RuleBroken(f"{url} does not end: {len(body)} bytes so far")
            if time.monotonic() > deadline:
                raise self._late(url)
        if getattr(response, "length", None):
            raise ConnectFailed(f"the answer of {url} ended before its time")
        return bytes(body)

    def _late(self, url: str) -> ReplyTimeout:
        return ReplyTimeout(f"{url} was not answered within {self.timeout_s:g} s")


class WireSession(Session):
    """A session on a WebSocket of its own."""

    def __init__(self, address: Address) -> None:
        self._timeout_s = address.timeout_s
        self._codec = Dialect1()
        self._socket = address.connect()

    def ask(self, request: Reset | Step | GetState) -> Answer:
        """Ask by the frame that every client sends.

        Raises:
            ReplyTimeout: No answer in time.
            ConnectionLost: The server closed the connection.
            RuleBroken: What came is no answer to that.
        """
        name = name_of(request)
        answer = self.exchange(self._codec.encode_request(request, 0).decode(), name)
        if answer.kind not in ("error", _KIND[type(request)]):
            raise RuleBroken(f"{name} was answered with {answer}")
        return answer

    def exchange(self, frame: str | bytes, name: str, *, timeout_s: float | None = None) -> Answer:
        """Send any frame and take the next one as its answer. Raises as `ask` does."""
        limit = self._timeout_s if timeout_s is None else timeout_s
        try:
            with contextlib.suppress(ConnectionClosed):  # what the server said before it hung up can still be read
                self._socket.send(frame)
            said = self._socket.recv(limit)
        except TimeoutError as error:
            raise ReplyTimeout(f"{name} was not answered within {limit:g} s") from error
        except ConnectionClosed as error:
            raise closed_error(error.rcvd, error.sent) from error
        message = _object(said, name)
        kind, data = message.get("type"), message.get("data")
        if not isinstance(kind, str) or not isinstance(data, dict):
            raise RuleBroken(f"{name} was answered with {said[:200]!r}, which has no type and data")
        return Answer(kind, data)

    def close(self) -> None:
        """Say goodbye and hang up."""
        with contextlib.suppress(ConnectionClosed):
            self._socket.send('{"type":"close"}')
        self._socket.close()


def _object(said: str | bytes, name: str) -> dict[str, Any]:
    try:
        found = load_json(said)
    except (ValueError, json.JSONDecodeError) as error:
        raise RuleBroken(f"{name} was answered with {said[:200]!r}, which is not JSON") from error
    if not isinstance(found, dict):
        raise RuleBroken(f"{name} was answered with {said[:200]!r}, which is no object")
    return found
