"""Both published clients of MCP, FastMCP's and the official SDK's, at environments of every kind."""

import json
from collections.abc import Iterator
from typing import Any

import fastmcp
import pytest

from openenv import Observation, State
from openenv.env.mcp.environment import MCPEnvironment
from openenv.env.mcp.types import CallToolAction, CallToolObservation
from openenv.server import ServerConfig, create_app
from openenv.server.sessions import SessionTable
from tests.server.smithy import InlineSmith, smithy
from tests.server.stage import app_of
from tests.support.echo import EchoEnvironment
from tests.support.mcp_clients import Talking, by_fastmcp, by_sdk
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

library: Any = fastmcp.FastMCP("library")


@library.tool  # type: ignore[untyped-decorator]
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@library.tool  # type: ignore[untyped-decorator]
def fail() -> str:
    """Fails."""
    raise ValueError("no such shelf")


@library.resource("notes://all")  # type: ignore[untyped-decorator]
def notes() -> str:
    """Every note."""
    return "a note"


class Library(MCPEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        super().__init__(library)

    def reset(self, **options: Any) -> Observation:
        return Observation()

    @property
    def state(self) -> State:
        return State()


Plain = tuple[str, SessionTable]


@pytest.fixture(params=[by_fastmcp, by_sdk])
def talking(request: pytest.FixtureRequest) -> Talking:
    client: Talking = request.param
    return client


@pytest.fixture(scope="module")
def plain() -> Iterator[Plain]:
    """A server of an environment without tools, and its sessions."""
    config = {"token": "orchestrator", "agent_token": "agent"}
    app = app_of(EchoEnvironment, **config)
    with serving(app, log_config=None) as url:
        yield url, app.state.openenv


async def test_environment_without_tools_is_reset_and_stepped(
    plain: tuple[str, SessionTable], talking: Talking
) -> None:
    url, table = plain
    async with talking(url, {"Authorization": "Bearer orchestrator"}) as talk:
        assert await talk.tools() == ["reset", "step", "state"]
        assert (await talk.call("reset", episode_id="e1"))[1]["observation"]["echoed_message"] == "ready"
        failed, told, text = await talk.call("step", message="Hi")
        assert (failed, told["reward"], json.loads(text)) == (False, 0.2, told)
        failed, told, text = await talk.call("step", massage="Hi")
        assert (failed, told, "message: Field required" in text) == (True, None, True)
        assert (await talk.call("state"))[1] == {"episode_id": "e1", "step_count": 1}
        assert table.active == 1
    assert table.active == 0, "the client ended its session"


async def test_agent_may_step_only(plain: Plain, talking: Talking) -> None:
    async with talking(plain[0], {"Authorization": "Bearer agent"}) as talk:
        assert await talk.tools() == ["step"]
        assert (await talk.call("step", message="Hi"))[1]["reward"] == 0.2


async def test_environment_that_answers_json_rpc_itself(talking: Talking) -> None:
    with serving(smithy(smith=InlineSmith), log_config=None) as url:
        async with talking(url, {}) as one, talking(url, {}) as other:
            assert await one.tools() == ["forge", "hold"]
            assert [(await one.call("forge", of="iron"))[1]["count"] for _ in range(2)] == [1, 2]
            assert (await other.call("forge"))[1]["count"] == 1
            assert await one.call("raise") == (True, None, "KeyError: 'cold iron'")


@pytest.mark.parametrize("settings", [{}, {"mode": "production"}], ids=str)
async def test_environment_over_fastmcp(talking: Talking, settings: dict[str, Any]) -> None:
    app = create_app(Library, CallToolAction, CallToolObservation, config=ServerConfig(**settings))
    with serving(app, log_config=None) as url:
        async with talking(url, {}) as talk:
            assert await talk.tools() == ["add", "fail"]
            assert await talk.call("add", a=3, b=4) == (False, {"result": 7}, "7")
            failed, _, said = await talk.call("fail")
            assert (failed, "no such shelf" in said) == (True, True)
            assert (await talk.call("add", a="x", b=4))[0] is True
            assert await talk.read("notes://all") == "a note"
