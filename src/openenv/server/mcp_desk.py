"""What a server answers to JSON-RPC over `/mcp`, whatever carries it: one path from a call to a session."""

import time
from collections.abc import Callable
from functools import cached_property

from openenv.env import EnvironmentSpec
from openenv.env.mcp.types import JsonRpcErrorCode
from openenv.errors import AtCapacity, FactoryFailed, RemoteFault, UnknownSession
from openenv.protocol import Fault, Json, JsonRpc, JsonRpcReply, exception_for, rule_of
from openenv.protocol.dialect1 import dump_json, load_json
from openenv.server.access import Scope
from openenv.server.mcp_messages import CLOSE, Call, Refusal, agreed_version, respelled
from openenv.server.session import Session, SessionState
from openenv.server.sessions import SessionTable

__all__ = ["McpDesk", "refusal_of"]

_OFFERED = {
    Scope.ORCHESTRATOR: frozenset({"reset", "step", "state"}),
    Scope.AGENT: frozenset({"step"}),
}
"""Which tools a caller finds at an environment that has none of its own."""

_TOLD = {AtCapacity: ("active_sessions", "max_sessions"), FactoryFailed: ("factory_name",)}
"""What the data of an error says, by its class."""


class McpDesk:
    """Answers calls in sessions of `table`.

    Args:
        table: The sessions.
        spec: Gives what is known of the environment's class; a bare factory's is known only once it has built one.
        env_name: What to call the server; None for the environment's own name.
    """

    def __init__(self, table: SessionTable, spec: Callable[[], EnvironmentSpec | None], env_name: str | None) -> None:
        self.table = table
        self._spec = spec
        self._env_name = env_name

    @cached_property
    def _introduction(self) -> dict[str, Json]:
        described = self.table.metadata_of_class(self._env_name)
        told = {"instructions": described.description} if described.description else {}
        server = {"name": described.name, "version": described.version or "1.0.0"}
        spec = self._spec()
        can = ("tools",) if spec is None else getattr(spec.environment_class, "MCP_CAPABILITIES", ("tools",))
        return {"capabilities": {name: {"listChanged": False} for name in can}, "serverInfo": server, **told}

    def initialize(self, call: Call) -> bytes:
        """Agree on a version of MCP, and say who is there."""
        version = agreed_version(call.params.get("protocolVersion"))
        return dump_json(call.succeed({"protocolVersion": version, **self._introduction}))

    async def ask(self, session: Session, call: Call, scope: Scope, *, is_mcp: bool) -> bytes | None:
        """Have a session answer a call.

        Args:
            session: Which.
            call: Anything but `initialize`, notifications of MCP, and what concerns sessions.
            scope: What the caller may do.
            is_mcp: Whether the caller speaks MCP, rather than bare JSON-RPC.

        Returns:
            The answer, or None where there is none to a notification.

        Raises:
            UnknownSession: It ended before the call had its turn.
        """
        if call.method == "ping":
            session.last_used = time.monotonic()
            return dump_json(call.succeed({}))
        if session.state is not SessionState.OPEN:
            self.table.find(session.id)  # it says why, and does not wait until what was cut off has come to an end
        asked = call if call.method == CLOSE else call.without("session_id")
        offered = frozenset[str]() if self.table.config.is_production else _OFFERED[scope]
        reply = await session.perform(JsonRpc(asked.payload, offered))
        self.table.make_room()
        payload = self._payload(session, call, reply) if isinstance(reply, Fault) else _carried(reply)
        if payload == {} or (is_mcp and not call.has_id):
            return None
        written = dump_json(payload)
        return dump_json(respelled(call.method, load_json(written), call.id)) if is_mcp else written

    def _payload(self, session: Session, call: Call, fault: Fault) -> Json:
        if rule_of(fault.code).ends_session:
            self.table.end(session, fault.message)
        error = exception_for(fault)
        if isinstance(error, UnknownSession):
            raise error
        return call.refuse(JsonRpcErrorCode.INTERNAL_ERROR, error.message).reply()


def _carried(reply: object) -> Json:
    assert isinstance(reply, JsonRpcReply)  # nothing else answers JSON-RPC
    return reply.payload


def refusal_of(error: RemoteFault, call: Call | None = None) -> Refusal:
    """Say as JSON-RPC why there is no session for a call."""
    call_id = None if call is None else call.id
    if isinstance(error, UnknownSession):
        return Refusal(JsonRpcErrorCode.INVALID_PARAMS, error.message, None, call_id)
    data = {key: error.details[key] for key in _TOLD.get(type(error), ()) if key in error.details}
    return Refusal(JsonRpcErrorCode.SERVER_ERROR, error.message, data or None, call_id)
