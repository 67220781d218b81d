"""`openenv.server.mcp_desk`: who says what there is, and why there is no session."""

import json
from typing import Any

import pytest

from openenv.env import EnvironmentSource
from openenv.errors import AtCapacity, FactoryFailed, RemoteFault, UnknownSession
from openenv.protocol import Fault
from openenv.server import ServerConfig
from openenv.server.access import Scope
from openenv.server.mcp_desk import McpDesk, refusal_of
from openenv.server.mcp_messages import Call, Refusal
from openenv.server.session import SessionState
from openenv.server.sessions import SessionTable
from tests.server.smithy import INITIALIZE, rpc, tool
from tests.support.echo import EchoAction, EchoEnvironment


class Librarian(EchoEnvironment):
    """Keeps books."""

    MCP_CAPABILITIES = ("tools", "resources")


def introduced(env: Any, name: str | None = None) -> Any:
    source = EnvironmentSource(env)
    desk = McpDesk(SessionTable(source, EchoAction, ServerConfig()), lambda: source.spec, name)
    return json.loads(desk.initialize(Call(rpc("initialize", **INITIALIZE))))["result"]


def test_class_says_what_there_is() -> None:
    assert introduced(Librarian, "library") == {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {"listChanged": False}, "resources": {"listChanged": False}},
        "serverInfo": {"name": "library", "version": "1.0.0"},
        "instructions": "Keeps books.",
    }


def test_bare_factory_is_taken_to_have_tools() -> None:
    told = introduced(lambda: EchoEnvironment())
    assert (told["capabilities"], "instructions" in told) == ({"tools": {"listChanged": False}}, False)


class Failing:
    """A session in which the server itself fails."""

    state = SessionState.OPEN

    async def perform(self, request: Any) -> Fault:
        return Fault("INTERNAL_ERROR", "The server failed.")


@pytest.mark.anyio
async def test_failure_of_the_server_is_an_error_and_ends_nothing() -> None:
    source = EnvironmentSource(EchoEnvironment)
    desk = McpDesk(SessionTable(source, EchoAction, ServerConfig()), lambda: source.spec, None)
    failing: Any = Failing()
    told = await desk.ask(failing, Call(tool("step")), Scope.ORCHESTRATOR, is_mcp=False)
    assert json.loads(told or b"")["error"] == {"code": -32603, "message": "The server failed.", "data": None}


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (AtCapacity("CAPACITY_REACHED", "full", {"active_sessions": 1, "max_sessions": 1, "retry_after_s": 5.0}),
         Refusal(-32000, "full", {"active_sessions": 1, "max_sessions": 1}, 7)),
        (FactoryFailed("FACTORY_ERROR", "broken", {"factory_name": "f", "cause": "secret"}),
         Refusal(-32000, "broken", {"factory_name": "f"}, 7)),
        (FactoryFailed("FACTORY_ERROR", "hidden"), Refusal(-32000, "hidden", None, 7)),
        (UnknownSession("SESSION_NOT_FOUND", "none"), Refusal(-32602, "none", None, 7)),
        (RemoteFault("INTERNAL_ERROR", "ours"), Refusal(-32000, "ours", None, 7)),
    ],
)  # fmt: skip
def test_reason_for_no_session_becomes_an_error_of_json_rpc(error: RemoteFault, refusal: Refusal) -> None:
    assert refusal_of(error, Call(rpc("tools/list", 7))) == refusal
    assert refusal_of(error).id is None
