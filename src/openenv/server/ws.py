"""The `/ws` route, and the transport of its conversations through ASGI.

A server of ours that carries frames past ASGI says so by `HAND_OVER` in the connection's state (see `fast`). The
handshake comes through ASGI all the same, so that every rule of the app and every middleware of its author holds.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from openenv.protocol import EXTENSIONS, EXTENSIONS_HEADER, RESUME_HEADER, SUBPROTOCOL, is_binary
from openenv.server.access import Scope, handshake_subprotocol
from openenv.server.conversation import (
    CLOSE_S,
    CONVERSATIONS,
    MAX_UNSENT_BYTES,
    NOT_READING,
    POLICY_VIOLATION,
    Conversation,
    Opening,
    Peer,
)
from openenv.server.links import Links
from openenv.server.sessions import SessionTable

__all__ = ["HAND_OVER", "HEADERS", "HandOver", "joined_session", "serve_socket"]

HEADERS = [(EXTENSIONS_HEADER.encode(), ",".join(EXTENSIONS).encode())]
"""What a handshake is answered with."""
HAND_OVER = "openenv.hand_over"
"""Key of a `HandOver` in the state of a connection whose frames may go past ASGI."""

HandOver = Callable[[WebSocket, Opening, str | None], None]
"""Accepts the handshake, with this subprotocol, and carries the conversation from there on."""


async def serve_socket(websocket: WebSocket, table: SessionTable, links: Links, scope: Scope) -> None:
    """Serve one connection. One that is handed over goes on when this has returned."""
    offered, joined = websocket.scope.get("subprotocols", ()), joined_session(websocket)
    # Only in dialect 1 is a socket one session.
    subprotocol = handshake_subprotocol([name for name in offered if joined is None or name != SUBPROTOCOL])

    def opening(peer: Peer) -> Conversation:
        if subprotocol == SUBPROTOCOL:
            return links.conversation(peer, scope, websocket.headers.get(RESUME_HEADER))
        return CONVERSATIONS[subprotocol](peer, table, scope, joined)

    hand_over: HandOver | None = websocket.scope.get("state", {}).get(HAND_OVER)
    if hand_over is not None:
        hand_over(websocket, opening, subprotocol)
        return
    websocket.scope["query_string"] = b""  # uvicorn is about to log it, and the id of a session may stand in it
    with suppress(WebSocketDisconnect):
        await websocket.accept(subprotocol, HEADERS)
        await AsgiPeer(websocket).serve(opening)


def joined_session(connection: HTTPConnection) -> str | None:
    """Name the session that a handshake joins; None when it is to have one of its own."""
    return connection.headers.get("x-session-id") or connection.query_params.get("session_id") or None


class AsgiPeer:
    """The other end of a socket that ASGI carries."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._farewell: tuple[int, str] | None = None
        self._patience = asyncio.timeout(None)
        self._turn = asyncio.Lock()
        self._sender: asyncio.Task[None] | None = None
        self._sends_soon = False
        self._code: int | None = None

    @property
    def is_reading(self) -> bool:
        """Whether all that was sent has left."""
        return not self._unsent

    def send(self, frame: bytes) -> None:
        """Send a frame."""
        if self._farewell is not None:
            return
        if self._unsent and self._unsent_bytes + len(frame) > MAX_UNSENT_BYTES:
            self.close(POLICY_VIOLATION, NOT_READING)
            return
        self._unsent.append(frame)
        self._unsent_bytes += len(frame)
        self._wake_sender()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket, once what was sent has left or `CLOSE_S` is over."""
        if self._farewell is None:
            self._farewell = (code, reason)
            self._patience.reschedule(asyncio.get_running_loop().time() + CLOSE_S)
            self._wake_sender()

    async def serve(self, opening: Opening) -> None:
        """Carry a conversation until its socket is gone."""
        self._conversation = conversation = opening(self)
        try:
            with suppress(TimeoutError):
                async with self._patience:
                    conversation.begin()
                    await self._receive(conversation)
        finally:
            conversation.lost(self._code)
            if self._sender is not None:
                self._sender.cancel()

    async def _receive(self, conversation: Conversation) -> None:
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            self._sends_soon = True
            conversation.received(message["bytes"] if text is None else text)
            self._sends_soon = False
            if self._unsent or self._farewell is not None:
                await self._send()  # who does not read is not read
        self._code = message.get("code")

    def _wake_sender(self) -> None:
        if not self._sends_soon and not self._turn.locked():
            self._sender = asyncio.get_running_loop().create_task(self._send_alone())

    async def _send_alone(self) -> None:
        with suppress(WebSocketDisconnect):  # the receiver hears of it as well
            await self._send()

    async def _send(self) -> None:
        """Send what waits, and what is added meanwhile."""
        async with self._turn:
            while self._unsent:
                await self._websocket.send(_message(self._unsent[0]))
                self._unsent_bytes -= len(self._unsent.popleft())
                if not self._unsent:
                    self._conversation.resumed()
            if self._farewell is not None:
                await self._close(*self._farewell)

    async def _close(self, code: int, reason: str) -> None:
        if self._websocket.application_state is not WebSocketState.DISCONNECTED:
            await self._websocket.close(code, reason)


def _message(frame: bytes) -> dict[str, Any]:
    if is_binary(frame):
        return {"type": "websocket.send", "bytes": frame}
    return {"type": "websocket.send", "text": frame.decode()}
