"""The route `/mcp`: MCP over Streamable HTTP, and beside it the bare JSON-RPC that OpenEnv's clients send.

A client of MCP says `initialize` and gets a session, which its header `Mcp-Session-Id` names from then on. A bare call
names its session in `params.session_id` or the header `X-Session-Id`, or has that of its caller's address. All of these
are sessions like any other: the same table, the same limit, one call at a time.

Nothing is ever sent to a client unasked, so there is no stream to `GET`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from openenv.env import EnvironmentSpec
from openenv.env.mcp.types import JsonRpcErrorCode
from openenv.errors import BadRequest, RemoteFault, UnknownSession
from openenv.protocol import Json
from openenv.protocol.dialect1 import dump_json, load_json, shown
from openenv.server.access import Scope, scope_of
from openenv.server.http import CLOSE_S, SESSION_HEADER, address_of, open_for, read_bytes
from openenv.server.mcp_desk import McpDesk, refusal_of
from openenv.server.mcp_messages import (
    BATCHED_IN,
    CLOSE,
    CREATE,
    VERSIONS,
    Call,
    Refusal,
    read_call,
    unsupported_version,
)
from openenv.server.mcp_socket import serve_mcp_socket
from openenv.server.session import Session
from openenv.server.sessions import SessionTable

__all__ = ["mcp_routes"]

_MCP_SESSION, _MCP_VERSION = "Mcp-Session-Id", "MCP-Protocol-Version"
_NEW = "new"
_MAX_BATCH = 256
_JSON = frozenset({"application/json", "application/*", "*/*"})
_STREAM = "text/event-stream"


def mcp_routes(
    table: SessionTable, spec: Callable[[], EnvironmentSpec | None], *, env_name: str | None
) -> list[BaseRoute]:
    """Build the routes of `/mcp`; the arguments are those of `McpDesk`."""
    desk = McpDesk(table, spec, env_name)
    http = _Http(desk)

    async def socket(websocket: WebSocket) -> None:
        await serve_mcp_socket(websocket, desk, scope_of(websocket.scope))

    return [Route("/mcp", http.serve, methods=["POST", "DELETE"]), WebSocketRoute("/mcp", socket)]


@dataclass(slots=True)
class _Visit:
    """One request.

    Attributes:
        request: It.
        scope: What its caller may do.
        is_mcp: Whether it comes from a client of MCP.
        session: Which session it concerns, as far as that is known.
        status: What its answer will have, where that says more than the answer itself.
    """

    request: Request
    scope: Scope
    is_mcp: bool
    session: Session | None = None
    status: int = 200


class _Http:
    def __init__(self, desk: McpDesk) -> None:
        self._desk = desk
        self._table = desk.table
        self._opened: WeakKeyDictionary[Session, Scope] = WeakKeyDictionary()  # here, and by whom

    async def serve(self, request: Request) -> Response:
        """Answer a request."""
        named, version = request.headers.get(_MCP_SESSION), request.headers.get(_MCP_VERSION)
        visit = _Visit(request, scope_of(request.scope), is_mcp=named is not None or version is not None)
        try:
            if named is not None:
                visit.session = self._table.find(named)
            body = await (self._post(visit, version) if request.method == "POST" else self._delete(visit))
        except UnknownSession as error:  # by which a client of MCP learns that it has to initialize again
            visit.status, visit.session = 404, None
            body = Refusal(JsonRpcErrorCode.INVALID_REQUEST, error.message)
        return _response(visit, dump_json(body.reply()) if isinstance(body, Refusal) else body)

    async def _post(self, visit: _Visit, version: str | None) -> bytes | Refusal | None:
        if version is not None and version not in VERSIONS:
            visit.status = 400
            return unsupported_version(version)
        try:
            message = load_json(await read_bytes(visit.request, self._table.config.max_body_bytes))
        except BadRequest as error:
            visit.status = 413
            return Refusal(JsonRpcErrorCode.INVALID_REQUEST, error.message)
        except ValueError:
            return Refusal(JsonRpcErrorCode.PARSE_ERROR, "Parse error")
        if isinstance(message, list):
            return await self._batch(visit, message, version)
        return await self._answer(visit, message)

    async def _batch(self, visit: _Visit, messages: list[Json], version: str | None) -> bytes | Refusal | None:
        if visit.session is None:
            return Refusal(JsonRpcErrorCode.PARSE_ERROR, "Parse error")
        if version not in (None, BATCHED_IN) or not 0 < len(messages) <= _MAX_BATCH:
            sentence = f"A batch has 1 to {_MAX_BATCH} messages, and only version {BATCHED_IN} of MCP has batches."
            return Refusal(JsonRpcErrorCode.INVALID_REQUEST, sentence)
        said = [await self._answer(visit, message) for message in messages]
        written = [dump_json(each.reply()) if isinstance(each, Refusal) else each for each in said]
        return b"[%s]" % b",".join(filter(None, written)) if any(written) else None

    async def _answer(self, visit: _Visit, message: Json) -> bytes | Refusal | None:
        """Answer one message; None where there is nothing to say."""
        if visit.is_mcp and isinstance(message, dict) and "method" not in message and message.keys() & _ANSWERS:
            return None  # to a question that nobody asked
        call = read_call(message)
        if isinstance(call, Refusal) or call.method.startswith("notifications/"):
            return call if isinstance(call, Refusal) else None
        if call.method == "initialize":
            return await self._initialize(visit, call)
        if visit.session is None and visit.is_mcp:
            visit.status = 400
            sentence = f"There is no {_MCP_SESSION} header: initialize first."
            return call.refuse(JsonRpcErrorCode.INVALID_REQUEST, sentence)
        if call.method in (CREATE, CLOSE):
            return await (self._create(visit, call) if call.method == CREATE else self._close(visit, call))
        if call.method == "ping" and visit.session is None and "session_id" not in call.params:
            return dump_json(call.succeed({}))
        if visit.session is not None and call.params.get("session_id", visit.session.id) != visit.session.id:
            sentence = f"'session_id' and the header {_MCP_SESSION} name two sessions"
            return call.refuse(JsonRpcErrorCode.INVALID_PARAMS, sentence)
        try:
            session = visit.session or await self._session(visit, call)
            visit.session = session
            return await self._desk.ask(session, call, visit.scope, is_mcp=visit.is_mcp)
        except RemoteFault as error:
            if visit.is_mcp and isinstance(error, UnknownSession):
                raise
            return refusal_of(error, call)

    async def _initialize(self, visit: _Visit, call: Call) -> bytes | Refusal:
        """Open a session for a client of MCP, or let it into the one that it names."""
        given = visit.request.headers.get(SESSION_HEADER, _NEW)
        visit.is_mcp = True
        if visit.session is None and given != _NEW:
            visit.session = self._table.find(given)
        try:
            visit.session = visit.session or await self._open(visit)
        except RemoteFault as error:
            return refusal_of(error, call)
        return self._desk.initialize(call)

    async def _open(self, visit: _Visit) -> Session:
        session = await open_for(visit.request, self._table)
        self._opened[session] = visit.scope
        return session

    async def _session(self, visit: _Visit, call: Call) -> Session:
        """Find or open the session of a bare call."""
        given = call.params.get("session_id", visit.request.headers.get(SESSION_HEADER))
        if given is None:
            return await self._anonymous(address_of(visit.request), call)
        if given == _NEW:
            return await self._open(visit)
        return self._find(given)

    def _find(self, given: Json) -> Session:
        """Find a session. Raises `UnknownSession` in the words that OpenEnv's clients know."""
        try:
            return self._table.find(str(shown(given)))
        except UnknownSession as error:
            why = f" ({error.message})" if error.code == "SESSION_ENDED" else ""
            raise UnknownSession(error.code, f"Unknown session_id: {shown(given)}{why}") from error

    async def _anonymous(self, address: str, call: Call) -> Session:
        """Give the session of an address. That it has ended is said once, to whoever would go on with it."""
        if call.method != "tools/call":
            self._table.forget(address)
        try:
            return await self._table.anonymous(address)
        except UnknownSession:
            self._table.forget(address)
            raise

    async def _create(self, visit: _Visit, call: Call) -> bytes | Refusal:
        try:
            session = await self._open(visit)
        except RemoteFault as error:
            return refusal_of(error, call)
        return dump_json(call.succeed({"session_id": session.id}))

    async def _close(self, visit: _Visit, call: Call) -> bytes | Refusal:
        given = call.params.get("session_id")
        if not isinstance(given, str) or not given:
            return call.refuse(JsonRpcErrorCode.INVALID_PARAMS, "Invalid params - 'session_id' is required")
        try:
            session = self._find(given)
        except UnknownSession as error:
            return refusal_of(error, call)
        if session.is_attached:
            sentence = "Cannot close active WebSocket-managed session via MCP method"
            return call.refuse(JsonRpcErrorCode.INVALID_REQUEST, sentence)
        if visit.scope is not Scope.ORCHESTRATOR and self._opened.get(session) is not visit.scope:
            sentence = "This token may end no session but those that it has opened."
            return call.refuse(JsonRpcErrorCode.INVALID_REQUEST, sentence)
        return dump_json(call.succeed({"session_id": session.id, "closed": await self._end(session)}))

    async def _delete(self, visit: _Visit) -> bytes | Refusal | None:
        """End a session that was opened for its client; one that it was let into goes on without it."""
        if visit.session is None:
            visit.status = 400
            return Refusal(JsonRpcErrorCode.INVALID_REQUEST, f"There is no {_MCP_SESSION} header.")
        if visit.session in self._opened and visit.scope in (Scope.ORCHESTRATOR, self._opened[visit.session]):
            await self._end(visit.session)
        visit.status, visit.session = 204, None
        return None

    async def _end(self, session: Session) -> bool:
        """End a session, and tell whether its environment has closed in time."""
        done, _ = await asyncio.wait({self._table.end(session, "its client ended it")}, timeout=CLOSE_S)
        return bool(done)


_ANSWERS = frozenset({"result", "error"})


def _response(visit: _Visit, body: bytes | None) -> Response:
    """Answer in the form that the caller takes: JSON, or one event where it takes nothing else."""
    name = _MCP_SESSION if visit.is_mcp else SESSION_HEADER
    headers = {} if visit.session is None else {name: visit.session.id}
    if body is None:
        return Response(status_code=visit.status if visit.status != 200 else 202, headers=headers)
    taken = {each.partition(";")[0].strip() for each in visit.request.headers.get("accept", "*/*").lower().split(",")}
    if _STREAM in taken and not taken & _JSON:
        return Response(b"event: message\ndata: %s\n\n" % body, visit.status, headers, media_type=_STREAM)
    return Response(body, visit.status, headers, media_type="application/json")
