"""Dialect 1 over `/ws`: one socket, one session, closed together.

While a call runs the socket is listened to, so that a client that goes away frees its session at once. Only the calls
of environments that promise not to block are spared that, as nothing can happen while they run.
"""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.websockets import WebSocket, WebSocketDisconnect

from openenv.errors import PeerError, RemoteFault
from openenv.protocol import (
    EXTENSIONS,
    EXTENSIONS_HEADER,
    Close,
    Dialect1,
    Fault,
    GetState,
    Reply,
    Reset,
    ServerCall,
    ServerSession,
    rule_of,
)
from openenv.server.access import Scope
from openenv.server.session import Session
from openenv.server.sessions import SessionTable

__all__ = ["serve_socket"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_HEADERS = [(EXTENSIONS_HEADER.encode(), ",".join(EXTENSIONS).encode())]
_FORBIDDEN = Fault("FORBIDDEN", "This token may step only; reset, state and close are the orchestrator's.")
_POLICY_VIOLATION = 1008


async def serve_socket(websocket: WebSocket, table: SessionTable, scope: Scope) -> None:
    """Serve one connection from its handshake to its end."""
    await websocket.accept(headers=_HEADERS)
    connection = _Connection(websocket, scope)
    session: Session | None = None
    reason = "its client disconnected"
    try:
        session = await connection.listening(table.open(attached=True))
        serving = connection.serve(session)
        await (serving if session.is_inline else connection.listening(serving))
    except RemoteFault as error:
        await connection.refuse(Fault.of(error))
    except PeerError as error:
        reason = str(error)
        await connection.close(_POLICY_VIOLATION, reason)
    except WebSocketDisconnect:
        pass  # its session ends below
    finally:
        if session is not None:
            table.end(session, reason)


class _Connection:
    """The frames of one socket."""

    def __init__(self, websocket: WebSocket, scope: Scope) -> None:
        self._websocket = websocket
        self._scope = scope
        self._wire = ServerSession(Dialect1())
        self._listener: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._gone: WebSocketDisconnect | PeerError | None = None

    async def serve(self, session: Session) -> None:
        """Answer requests until either side closes."""
        while True:
            call = self._wire.next_call()
            if call is None:
                await self._receive()
                continue
            if isinstance(call.request, Close) and self._scope is Scope.ORCHESTRATOR:
                await self.close()
                return
            reply = await self._answer(session, call)
            await self._send(self._wire.reply(call, reply))
            if isinstance(reply, Fault) and rule_of(reply.code).ends_session:
                await self.close()
                return

    async def listening(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` while a second task receives frames; cancel it when the client goes away.

        Raises:
            WebSocketDisconnect: It went away.
            PeerError: It sent too much meanwhile.
        """
        task = asyncio.current_task()
        assert task is not None  # this is a coroutine
        self._listener = asyncio.create_task(self._listen(task))
        try:
            return await work
        except asyncio.CancelledError:
            if self._gone is None:
                raise  # it is the server that stops
            task.uncancel()
            raise self._gone from None
        finally:
            self._listener.cancel()
            self._listener = None

    async def refuse(self, fault: Fault) -> None:
        """Say that there is no session, and close."""
        with suppress(WebSocketDisconnect):
            await self._send(self._wire.refuse(fault))
        await self.close()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket, unless its client has."""
        with suppress(WebSocketDisconnect):
            await self._websocket.close(code, reason)

    async def _answer(self, session: Session, call: ServerCall) -> Reply:
        request = call.request
        if isinstance(request, Fault):
            return request
        if isinstance(request, Reset | GetState | Close) and self._scope is not Scope.ORCHESTRATOR:
            return _FORBIDDEN
        assert not isinstance(request, Close)  # served by the caller
        return await session.perform(request)

    async def _listen(self, task: asyncio.Task[Any]) -> None:
        try:
            while True:
                self._take(await self._websocket.receive())
                self._arrived.set()
        except (WebSocketDisconnect, PeerError) as error:
            self._gone = error
            task.cancel()

    async def _receive(self) -> None:
        """Wait for a frame."""
        if self._listener is None:
            self._take(await self._websocket.receive())
        else:
            self._arrived.clear()
            await self._arrived.wait()

    def _take(self, message: Any) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        self._wire.receive(message["bytes"] if text is None else text)

    async def _send(self, frame: bytes) -> None:
        await self._websocket.send({"type": "websocket.send", "text": frame.decode()})
