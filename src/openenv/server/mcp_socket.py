"""JSON-RPC over a WebSocket at `/mcp`: a session of its own for each connection, which ends with it."""

import asyncio
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from openenv.env.mcp.types import JsonRpcErrorCode
from openenv.errors import RemoteFault, UnknownSession
from openenv.protocol.dialect1 import dump_json, load_json
from openenv.protocol.server import MAX_BACKLOG
from openenv.server.access import Scope
from openenv.server.conversation import POLICY_VIOLATION
from openenv.server.mcp_desk import McpDesk, refusal_of
from openenv.server.mcp_messages import Refusal, read_call
from openenv.server.session import Session, SessionState

__all__ = ["serve_mcp_socket"]

_SUBPROTOCOL = "mcp"

Frames = asyncio.Queue[str | bytes]


async def serve_mcp_socket(websocket: WebSocket, desk: McpDesk, scope: Scope) -> None:
    """Serve one connection. One that is gone frees its session at once, also during a call."""
    offered = websocket.scope.get("subprotocols", ())
    frames = Frames(MAX_BACKLOG)
    with suppress(WebSocketDisconnect):
        await websocket.accept(_SUBPROTOCOL if _SUBPROTOCOL in offered else None)
        work = asyncio.ensure_future(_Talk(websocket, desk, scope).hold(frames))
        try:
            while (message := await websocket.receive())["type"] == "websocket.receive":
                if frames.full():
                    await websocket.close(POLICY_VIOLATION, f"more than {MAX_BACKLOG} requests wait")
                    break
                text = message.get("text")
                frames.put_nowait(message["bytes"] if text is None else text)
        finally:
            work.cancel()
            await asyncio.wait({work})
            if not work.cancelled():
                work.result()


class _Talk:
    """What is said over one socket."""

    def __init__(self, websocket: WebSocket, desk: McpDesk, scope: Scope) -> None:
        self._websocket = websocket
        self._desk = desk
        self._scope = scope
        self._is_mcp = False

    async def hold(self, frames: Frames) -> None:
        """Answer what comes, in order, until the session has ended."""
        with suppress(WebSocketDisconnect):
            try:
                session = await self._desk.table.open(attached=True)
            except RemoteFault as error:
                await self._send(refusal_of(error))
                await self._websocket.close()
                return
            try:
                while await self._answer(session, await frames.get()):
                    pass
                await self._websocket.close()
            finally:
                self._desk.table.end(session, "its client disconnected")

    async def _answer(self, session: Session, frame: str | bytes) -> bool:
        """Answer one frame, and tell whether the session goes on."""
        try:
            message = load_json(frame)
        except ValueError as error:
            await self._send(Refusal(JsonRpcErrorCode.PARSE_ERROR, f"Parse error: {error}"))
            return True
        call = read_call(message)
        if isinstance(call, Refusal):
            await self._send(call)
        elif call.method == "initialize":
            self._is_mcp = True
            await self._send(self._desk.initialize(call))
        elif not call.method.startswith("notifications/"):
            try:
                await self._send(await self._desk.ask(session, call, self._scope, is_mcp=self._is_mcp))
            except UnknownSession as error:
                await self._send(refusal_of(error, call))
        return session.state is SessionState.OPEN

    async def _send(self, answer: bytes | Refusal | None) -> None:
        if answer is not None:
            frame = dump_json(answer.reply()) if isinstance(answer, Refusal) else answer
            await self._websocket.send_text(frame.decode())
