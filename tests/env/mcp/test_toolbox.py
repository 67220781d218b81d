"""Calling tools directly gives what FastMCP's own client gives."""

import asyncio
import dataclasses
import functools
from typing import Any

import pytest
from fastmcp import Client, Context, FastMCP
from fastmcp.server.middleware import Middleware
from fastmcp.tools import FunctionTool
from fastmcp.tools.base import ToolResult
from pydantic import TypeAdapter

from openenv.env.mcp import CallToolAction, CallToolObservation, ListToolsAction, ToolErrorType
from tests.support.tooled import Tooled, add, add_async, make_server

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("add", {"a": 1}),
    ("add", {"a": "4", "b": 5}),  # FastMCP is lenient about numbers in text
    ("add_async", {"a": 1, "b": 3}),
    ("greet", {"name": "Ann"}),
    ("undescribed", {}),
    ("undescribed", {"x": None}),
    ("untyped", {"x": "text"}),
    ("untyped", {"x": {"deep": [1, None]}}),
    ("nothing", {}),
    ("listed", {"n": 3}),
    ("dated", {"day": "2026-01-31"}),
    ("boxed", {"box": {"name": "a", "inner": {"name": "b"}}}),
    ("mapped", {"keys": ["one", "three"]}),
    ("picture", {}),
    ("mixed", {}),
    ("raw", {}),
    ("counted", {"n": 3}),
    ("stated", {"key": "k"}),
]
FAILURES: list[tuple[str, dict[str, Any], ToolErrorType]] = [
    ("add", {"a": "q"}, ToolErrorType.INVALID_ARGS),
    ("add", {}, ToolErrorType.INVALID_ARGS),
    ("add", {"a": 1, "zz": 2}, ToolErrorType.INVALID_ARGS),
    ("boxed", {"box": {"inner": {}}}, ToolErrorType.INVALID_ARGS),
    ("stated", {}, ToolErrorType.INVALID_ARGS),
    ("fail", {"why": "invalid argument: not found, timeout"}, ToolErrorType.EXECUTION_ERROR),
    ("fail_as_tool", {}, ToolErrorType.EXECUTION_ERROR),
    ("fail_in_model", {}, ToolErrorType.EXECUTION_ERROR),
]


class _Doubling(Middleware):
    async def on_call_tool(self, context: Any, call_next: Any) -> Any:
        result = await call_next(context)
        result.content = [*result.content, *result.content]
        return result


def _mounted() -> "FastMCP[Any]":
    outer: FastMCP[Any] = FastMCP("outer")
    outer.mount(make_server())
    return outer


def _with_middleware() -> "FastMCP[Any]":
    server = make_server()
    server.add_middleware(_Doubling())
    return server


def _jsonable(result: Any) -> dict[str, Any]:
    fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    dumped: dict[str, Any] = TypeAdapter(Any).dump_python(fields, mode="json", fallback=vars)
    # Said about the connection, of which there is none.
    dumped["meta"] = {key: value for key, value in (dumped["meta"] or {}).items() if key == "fastmcp"} or None
    return dumped


async def _by_client(server: "FastMCP[Any]", name: str, arguments: dict[str, Any]) -> Any:
    async with Client(server) as client:
        return await client.call_tool(name, arguments, raise_on_error=False)


@pytest.mark.parametrize("make", [make_server, _mounted, _with_middleware])
@pytest.mark.parametrize("is_blocking", [True, False], ids=["thread", "inline"])
def test_result_is_that_of_fastmcp(make: Any, is_blocking: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tooled, "BLOCKING", is_blocking)
    server = make()
    environment = Tooled(server)

    async def compare() -> None:
        async with Client(server) as client:
            for name, arguments in CALLS:
                expected = _jsonable(await client.call_tool(name, arguments))
                action = CallToolAction(tool_name=name, arguments=arguments)
                observation = await environment.step_async(action)
                assert observation.error is None, (name, observation.error)
                assert _jsonable(observation.result) == expected, name

    asyncio.run(compare())
    environment.close()


@pytest.mark.parametrize("make", [make_server, _mounted])
def test_failure_is_typed_and_in_the_words_of_fastmcp(make: Any) -> None:
    server = make()
    environment = Tooled(server)
    for name, arguments, reason in FAILURES:
        observation = environment.step(CallToolAction(tool_name=name, arguments=arguments))
        assert isinstance(observation, CallToolObservation)
        assert observation.result is None
        assert observation.error is not None, name
        assert observation.error.error_type is reason, name
        expected = asyncio.run(_by_client(server, name, arguments))
        assert observation.error.message == expected.content[0].text, name
    environment.close()


def test_details_are_masked_where_the_server_masks_them() -> None:
    server: FastMCP[Any] = FastMCP("masked", mask_error_details=True)

    @server.tool
    def fail() -> str:
        raise ValueError("secret")

    environment = Tooled(server)
    error = environment.step(CallToolAction(tool_name="fail")).error
    assert error.message == "Error calling tool 'fail'"
    environment.close()


def test_context_keeps_state_and_speaks_to_nobody() -> None:
    server: FastMCP[Any] = FastMCP("context")

    @server.tool
    async def remember(value: int, ctx: Context) -> int:
        before = await ctx.get_state("value") or 0
        await ctx.set_state("value", value)
        await ctx.info("told")
        await ctx.report_progress(1, 2)
        return int(before)

    environments = [Tooled(server), Tooled(server)]

    def told(environment: Tooled, value: int) -> Any:
        return environment.step(CallToolAction(tool_name="remember", arguments={"value": value})).result.data

    assert [told(environments[0], 1), told(environments[0], 2)] == [0, 1]
    assert told(environments[1], 3) == 0, "environments that share a server share no state"
    for environment in environments:
        environment.close()


def test_tool_that_is_switched_off_is_not_found() -> None:
    server = make_server()
    environment = Tooled(server)
    server.disable(names={"add"})
    error = environment.step(CallToolAction(tool_name="add", arguments={"a": 1})).error
    assert error.error_type is ToolErrorType.TOOL_NOT_FOUND
    assert error.message == "Unknown tool: 'add'"
    environment.close()


def test_newest_version_of_a_tool_is_listed_and_called() -> None:
    server: FastMCP[Any] = FastMCP("versions")

    @server.tool(name="which", version="2.0")
    def second(a: int) -> str:
        return "second"

    @server.tool(name="which", version="1.0")
    def first() -> str:
        return "first"

    environment = Tooled(server)
    assert [tool.input_schema["required"] for tool in environment.step(ListToolsAction()).tools] == [["a"]]
    assert environment.step(CallToolAction(tool_name="which", arguments={"a": 1})).result.data == "second"
    environment.close()


def test_partial_of_a_function_is_a_tool() -> None:
    server: FastMCP[Any] = FastMCP("partial")
    server.add_tool(FunctionTool.from_function(functools.partial(add, b=5), name="add_five"))
    server.add_tool(FunctionTool.from_function(functools.partial(add_async, b=5), name="add_five_later"))
    environment = Tooled(server)
    for name in ("add_five", "add_five_later"):
        assert environment.step(CallToolAction(tool_name=name, arguments={"a": 1})).result.data == 6
    environment.close()


@pytest.mark.parametrize(
    ("content", "message"), [("went wrong", "went wrong"), ([], "Tool 'result' returned an error")]
)
def test_result_that_is_an_error_is_one(content: Any, message: str) -> None:
    server: FastMCP[Any] = FastMCP("errors")

    @server.tool
    def result() -> ToolResult:
        return ToolResult(content=content, is_error=True)

    environment = Tooled(server)
    error = environment.step(CallToolAction(tool_name="result")).error
    assert (error.error_type, error.message) == (ToolErrorType.EXECUTION_ERROR, message)
    environment.close()
