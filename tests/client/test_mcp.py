"""Clients of environments with tools, against a live server: both dialects, both flavours."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from openenv import create_app
from openenv.client import GenericMCPObservation, MCPClientBase, MCPToolClient, ToolFailed
from openenv.env.mcp import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
    MCPEnvironment,
    environment,
)
from openenv.errors import ConfigurationError, EnvironmentFailed, SessionClosed
from openenv.server import ServerConfig
from openenv.types import Observation, State
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.older import dialect1_only
from tests.support.serving import serving
from tests.support.tooled import Tooled, make_server, waiting

Call = Callable[..., Any]
Flavour = Callable[..., AbstractContextManager[Call]]


@contextmanager
def sync_flavour(url: str) -> Iterator[Call]:
    with MCPToolClient(base_url=url) as client:
        yield lambda method, /, *args, **options: getattr(client, method)(*args, **options)


@contextmanager
def sync_face(url: str) -> Iterator[Call]:
    with MCPToolClient(base_url=url).sync() as client:
        yield lambda method, /, *args, **options: getattr(client, method)(*args, **options)


@contextmanager
def async_flavour(url: str) -> Iterator[Call]:
    with asyncio.Runner() as runner:
        client = runner.run(_connected(url))

        async def call(method: str, /, *args: Any, **options: Any) -> Any:
            return await getattr(client, method)(*args, **options)

        yield lambda method, /, *args, **options: runner.run(call(method, *args, **options))
        runner.run(client.close())


async def _connected(url: str) -> Any:
    return await MCPToolClient(base_url=url)


every_flavour = pytest.mark.parametrize("flavour", [sync_flavour, sync_face, async_flavour])


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[int, str]]:
    app = create_app(_shared, CallToolAction, CallToolObservation, max_concurrent_envs=100)
    with serving(app) as url, serving(dialect1_only(app)) as older_url:
        yield {1: older_url, 2: url}


@pytest.fixture(params=[1, 2], ids=["dialect 1", "dialect 2"])
def url(request: pytest.FixtureRequest, urls: dict[int, str]) -> str:
    return urls[request.param]


_server = make_server()


def _shared() -> MCPEnvironment:
    return Tooled(_server)


@every_flavour
def test_tools_are_listed_and_called_in_the_session_of_reset_and_step(flavour: Flavour, url: str) -> None:
    with flavour(url) as call:
        tools = call("list_tools")
        assert {"add", "undescribed"} <= {tool.name for tool in tools}
        assert call("list_tools") is tools
        assert call("list_tools", use_cache=False) == tools
        assert call("get_tool", "add").input_schema["required"] == ["a"]
        assert call("get_tool", "nope") is None
        assert (call("has_tool", "add"), call("has_tool", "nope")) == (True, False)

        assert call("reset").observation.metadata == {"ready": True}
        stepped = call("step", CallToolAction(tool_name="add", arguments={"a": 1}))
        assert isinstance(stepped.observation, CallToolObservation)
        assert (stepped.observation.result["data"], stepped.done) == (3, False)
        listed = call("step", ListToolsAction()).observation
        assert isinstance(listed, ListToolsObservation)
        assert listed.tools == tools
        assert call("call_tool", "add", a=1, b=3) == 4
        state = call("state")
        assert isinstance(state, State)
        assert state.step_count == 2


@every_flavour
def test_call_gives_what_the_tool_returns(flavour: Flavour, url: str) -> None:
    with flavour(url) as call:
        assert call("call_tool", "greet", name="Ann") == "Hello, Ann!", "an argument may be called name"
        assert call("call_tool", "nothing") is None
        assert call("call_tool", "listed", n=3) == [0, 1, 2]
        assert call("call_tool", "untyped", x="text") == "text", "no schema says that it is a string"
        assert call("call_tool", "boxed", box={"name": "a"})["inner"] == {"name": "a", "inner": None}
        assert call("call_tool", "picture")[0]["type"] == "image"


@every_flavour
@pytest.mark.parametrize(
    ("name", "arguments", "kind", "message"),
    [
        ("nope", {}, "tool_not_found", "Unknown tool: 'nope'"),
        ("add", {"a": "q"}, "invalid_args", "Input should be a valid integer"),
        ("fail", {"why": "not found: timeout"}, "execution_error", "not found: timeout"),
        ("leave", {}, "execution_error", "SystemExit"),
    ],
)
def test_failed_call_is_a_typed_error(
    flavour: Flavour, url: str, name: str, arguments: dict[str, Any], kind: str, message: str
) -> None:
    with flavour(url) as call:
        with pytest.raises(ToolFailed, match=message) as raised:
            call("call_tool", name, **arguments)
        assert (raised.value.error_type, raised.value.tool_name) == (kind, name)
        assert isinstance(raised.value, RuntimeError), "which is what older code catches"
        error = call("step", CallToolAction(tool_name=name, arguments=arguments)).observation.error
        assert (error.error_type, error.message) == (kind, raised.value.message)
        assert call("call_tool", "add", a=1) == 3


@every_flavour
@pytest.mark.parametrize("name", ["hang", "hang_async"])
def test_tool_that_hangs_costs_its_limit_and_the_session_goes_on(
    flavour: Flavour, url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting.clear()
    with flavour(url) as call:
        call("reset")
        stepped = call("step", CallToolAction(tool_name=name), timeout_s=1)
        assert stepped.observation.error.error_type == "timeout"
        monkeypatch.setattr(environment, "MCP_TOOL_CALL_TIMEOUT", 0.1)
        with pytest.raises(ToolFailed, match=r"did not finish within 0\.1 s"):
            call("call_tool", name)
        waiting.set()
        monkeypatch.undo()
        assert call("call_tool", "add", a=1) == 3
        assert call("state").step_count == 1


def test_64_sessions_call_tools_together(urls: dict[int, str]) -> None:
    async def session(number: int) -> list[Any]:
        async with MCPToolClient(base_url=urls[2]) as env:
            await env.reset()
            calls = [env.call_tool("add" if each % 2 else "add_async", a=number, b=each) for each in range(4)]
            return list(await asyncio.gather(*calls))

    async def main() -> list[list[Any]]:
        return await asyncio.gather(*(session(number) for number in range(64)))

    assert asyncio.run(main()) == [[number + each for each in range(4)] for number in range(64)]


class Inline(Tooled):
    BLOCKING = False


class _Uncounted(Tooled):
    step_async = MCPEnvironment.step_async


class StepAlone(_Uncounted):
    """Overrides the sync method, so that the server steps it on a thread."""

    def step(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        self.count += 1
        return super().step(action, timeout_s=timeout_s, **kwargs)


class AllAsync(Tooled):
    async def reset(self) -> Observation:  # type: ignore[override]  # which an environment may be
        return super().reset()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("kind", "isolation"),
    [(Inline, "thread"), (StepAlone, "thread"), (AllAsync, "thread"), (StepAlone, "process")],
)
def test_every_kind_of_environment_calls_every_kind_of_tool(kind: type[Tooled], isolation: str) -> None:
    config = ServerConfig(isolation=isolation)
    app = create_app(kind, CallToolAction, CallToolObservation, config=config)
    with serving(app) as url, MCPToolClient(base_url=url) as env:
        env.reset()
        for name in ("add", "add_async"):
            stepped: Any = env.step(CallToolAction(tool_name=name, arguments={"a": 1})).observation
            assert stepped.result["data"] == 3
            assert env.call_tool(name, a=2) == 4
        stepped = env.step(CallToolAction(tool_name="hang_async"), timeout_s=1).observation
        assert stepped.error.error_type == "timeout"
        assert env.call_tool("stated", key="k") == "k tooled"
        assert env.state().step_count == 3


def test_tools_of_a_mode_are_those_of_the_servers_mode() -> None:
    class Moded(Tooled):
        def __init__(self) -> None:
            @self.tool(mode="production")
            def only_live() -> str:
                return "live"

            super().__init__()

    for mode, there in (("simulation", False), ("production", True)):
        app = create_app(Moded, CallToolAction, CallToolObservation, mode=mode)
        with serving(app) as url, MCPToolClient(base_url=url) as env:
            assert env.has_tool("only_live") is there


def test_environment_without_tools_says_so() -> None:
    app = create_app(EchoEnvironment, EchoAction, EchoObservation)
    with serving(dialect1_only(app)) as url, MCPToolClient(base_url=url, mode="production") as env:
        assert isinstance(env.reset().observation, GenericMCPObservation)
        listed: Any = None
        try:
            listed = env.list_tools()
        except EnvironmentFailed as error:
            assert "does not support MCP" in str(error)  # noqa: PT017  # a server may offer the environment as tools
        assert listed is None or {tool.name for tool in listed} <= {"reset", "step", "state"}
        echoed: Any = env.step({"message": "hi"}).observation
        assert echoed.echoed_message == "hi"
        echoed = env.step(EchoAction(message="ho")).observation
        assert echoed.echoed_message == "ho"


def test_closed_client_refuses(urls: dict[int, str]) -> None:
    env = MCPToolClient(base_url=urls[2])
    assert env.call_tool("add", a=1) == 3
    env.close()
    with pytest.raises(SessionClosed):
        env.call_tool("add", a=1)


def test_arguments_are_those_of_openenv() -> None:
    env = MCPToolClient("http://localhost:1", 1.0, 2.0, None, None, None, "production", 5.0, {"a": "b"})
    assert (env.mode, env._endpoint.max_message_bytes, env._endpoint.headers) == (
        "production",
        5 * 1024 * 1024,
        {"a": "b"},
    )
    assert MCPToolClient("http://localhost:1").mode == "production"
    with pytest.raises(ConfigurationError, match="mode='nope'"):
        MCPToolClient("http://localhost:1", mode="nope")


def test_made_by_new_it_has_its_attributes() -> None:
    env = MCPToolClient.__new__(MCPToolClient)
    assert env._tools_cache is None
    assert env._step_payload(ListToolsAction()) == {"type": "list_tools"}
    assert env._parse_state({"episode_id": "e", "step_count": 2}).step_count == 2
    result = env._parse_result({"observation": {"tools": []}, "reward": 1.0, "done": True})
    assert (result.observation, result.reward, result.done) == (
        ListToolsObservation(tools=[], reward=1.0, done=True),
        1.0,
        True,
    )
    assert issubclass(MCPToolClient, MCPClientBase)
