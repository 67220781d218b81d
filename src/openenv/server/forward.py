"""Sessions of HTTP callers stay with one worker: requests that reach another are handed over to it.

Each worker also listens on a socket file of its own. A session id, or the name of a link, starts with its worker's
number, and an anonymous session belongs to the worker that its client address hashes to, so any worker can tell whose
request it has got.
"""

import asyncio
import zlib
from collections.abc import Sequence
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openenv.server.mcp_messages import session_asked_for
from openenv.server.relay import relay, resumed_link
from openenv.server.ws import joined_session

__all__ = ["Forwarder", "owner_of", "session_prefix"]

_BOUND = frozenset(
    {
        ("POST", "/reset"),
        ("POST", "/step"),
        ("GET", "/state"),
        ("DELETE", "/session"),
        ("POST", "/mcp"),
        ("DELETE", "/mcp"),
        ("POST", "/web/reset"),
        ("POST", "/web/step"),
        ("GET", "/web/state"),
    }
)
_CLIENT = "x-openenv-client"
_SERVER = "x-openenv-server"
_HOP = frozenset({b"connection", b"date", b"server"})
_FRAMING = frozenset({b"connection", b"content-length", b"expect", b"keep-alive", b"transfer-encoding", b"upgrade"})
_MAX_HEAD = 65536
_DIED = (
    410,
    [(b"content-type", b"application/json")],
    b'{"detail":"The worker that held this session has died. Reset to begin another.","code":"SESSION_ENDED"}',
)


def session_prefix(index: int) -> str:
    """How the session ids of a worker begin."""
    return f"{index}-"


def owner_of(session_id: str | None, client: str, workers: int) -> int | None:
    """Tell which worker a request belongs to; None for any."""
    if session_id is None:
        return zlib.crc32(client.encode()) % workers
    return next((index for index in range(workers) if session_id.startswith(session_prefix(index))), None)


class Forwarder:
    """ASGI middleware around a worker's app.

    Args:
        app: The app.
        index: Which worker this is.
        peers: The socket files of all workers, by number.
        max_body_bytes: Largest body handed over whole; the owner sees that a larger one is, and refuses it.
    """

    def __init__(self, app: ASGIApp, *, index: int, peers: Sequence[Path], max_body_bytes: int) -> None:
        self.app = app  # by this name, what is below a middleware can be found
        self._index = index
        self._peers = peers
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request here, or hand it to its owner."""
        if scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)
            return
        if scope["type"] != "http" or (scope["method"], scope["path"]) not in _BOUND:
            await self.app(scope, receive, send)
            return
        if scope["server"][0] == str(self._peers[self._index]):
            await self.app(_restored(scope), receive, send)
            return
        headers, client = Headers(scope=scope), scope["client"][0] if scope["client"] else ""
        named = headers.get("x-session-id")
        if scope["path"] == "/mcp":
            named = headers.get("mcp-session-id")
            if named is None:
                body = await _body(receive, self._max_body_bytes + 1)
                named, receive = session_asked_for(body, headers.get("x-session-id")), _replayed(body, receive)
        owner = owner_of(named, client, len(self._peers))
        if owner is None or owner == self._index:
            await self.app(scope, receive, send)
        else:
            await self._hand_over(owner, scope, receive, send)

    async def _serve_socket(self, given: Scope, receive: Receive, send: Send) -> None:
        scope = {**given}
        given["query_string"] = b""  # uvicorn will log it, and the id of a session may stand in it
        if scope["server"][0] == str(self._peers[self._index]):
            await self.app(_restored(scope), receive, send)
            return
        link = resumed_link(scope) or joined_session(HTTPConnection(scope))
        owner = None if link is None else owner_of(link, "", len(self._peers))
        if owner is not None and owner != self._index:
            told = {_CLIENT: scope["client"][0] if scope["client"] else "", _SERVER: scope["server"][0]}
            if await relay(self._peers[owner], scope, receive, send, told=told):
                return
        await self.app(scope, receive, send)  # which does not know the link, if it was another's

    async def _hand_over(self, owner: int, scope: Scope, receive: Receive, send: Send) -> None:
        # One byte past the limit tells the owner enough, and leaves none unread on its socket when it refuses.
        body = await _body(receive, self._max_body_bytes + 1)
        try:
            answer = await _exchange(self._peers[owner], _request(scope, body))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            answer = _DIED
        status, headers, content = answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def _restored(scope: Scope) -> Scope:
    """Undo the hand-over: the app sees the caller's own address, and the access rules hold for it."""
    headers = MutableHeaders(scope=scope)
    client, server = headers.get(_CLIENT, ""), headers.get(_SERVER, "")
    del headers[_CLIENT], headers[_SERVER]
    return {**scope, "headers": headers.raw, "client": (client, 0), "server": (server, None)}


async def _body(receive: Receive, at_most: int) -> bytes:
    body = bytearray()
    while True:
        message: Message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False) or len(body) >= at_most:
            return bytes(body[:at_most])


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already once more, and then whatever else comes."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return unread.pop() if unread else await receive()

    return replay


def _request(scope: Scope, body: bytes) -> bytes:
    """Write the request anew. Nothing of the caller's may pass for ours, nor for the framing."""
    dropped = _FRAMING | {_CLIENT.encode(), _SERVER.encode()}
    lines = [b"%s %s HTTP/1.1" % (scope["method"].encode(), scope["raw_path"] or scope["path"].encode())]
    lines += [b"%s: %s" % (name, value) for name, value in scope["headers"] if name not in dropped]
    lines.append(b"%s: %s" % (_CLIENT.encode(), scope["client"][0].encode() if scope["client"] else b""))
    lines.append(b"%s: %s" % (_SERVER.encode(), scope["server"][0].encode()))
    lines += [b"content-length: %d" % len(body), b"connection: close", b"", body]
    return b"\r\n".join(lines)


async def _exchange(path: Path, request: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Ask another worker. Its answers are our own routes', which always say their length."""
    reader, writer = await asyncio.open_unix_connection(str(path), limit=_MAX_HEAD)
    try:
        writer.write(request)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        status = int(head[0].partition(b" ")[2][:3])
        split = (line.partition(b":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in split}
        content = await reader.readexactly(int(headers.get(b"content-length", b"0")))
        return status, [pair for pair in headers.items() if pair[0] not in _HOP], content
    finally:
        writer.close()
