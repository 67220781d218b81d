"""JSON-RPC as an environment with tools answers it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastmcp import FastMCP

from openenv.env.mcp import environment
from tests.support.tooled import Tooled, waiting


@pytest.fixture
def tooled() -> Iterator[Tooled]:
    made = Tooled()
    yield made
    made.close()


def ask(made: Tooled, method: str, params: Any = None, **fields: Any) -> dict[str, Any]:
    request = {"jsonrpc": "2.0", "id": 7, "method": method, **({} if params is None else {"params": params}), **fields}
    answer = asyncio.run(made.handle_json_rpc(request))
    assert answer is not None
    return answer


def test_tools_are_dumped_whole(tooled: Tooled) -> None:
    answer = ask(tooled, "tools/list")
    assert answer.keys() == {"jsonrpc", "id", "result"}
    tools = {tool["name"]: tool for tool in answer["result"]["tools"]}
    assert list(tools["add"]) == [
        "name", "title", "description", "inputSchema", "outputSchema", "icons", "annotations", "meta", "execution",
    ]  # fmt: skip
    assert tools["add"]["inputSchema"]["properties"]["b"] == {"default": 2, "type": "integer"}
    assert tools["undescribed"]["description"] == "", "older clients take a list with none for an empty list"


def test_result_is_dumped_whole(tooled: Tooled) -> None:
    block = {"type": "text", "text": "3", "annotations": None, "meta": None}
    assert ask(tooled, "tools/call", {"name": "add", "arguments": {"a": 1}}) == {
        "jsonrpc": "2.0",
        "id": 7,
        "result": {
            "content": [block],
            "structured_content": {"result": 3},
            "meta": {"fastmcp": {"wrap_result": True}},
            "data": 3,
            "is_error": False,
        },
    }
    assert (
        ask(tooled, "tools/call", {"name": "nothing", "arguments": None, "session_id": "s"})["result"]["data"] is None
    )


@pytest.mark.parametrize(
    ("name", "arguments", "code", "kind", "message"),
    [
        ("nope", {}, -32602, "tool_not_found", "Unknown tool: 'nope'"),
        ("add", {"a": "q"}, -32603, "invalid_args", "1 validation error for call[add]"),
        ("fail", {"why": "because"}, -32603, "execution_error", "Error calling tool 'fail': because"),
        ("leave", {}, -32603, "execution_error", "Error calling tool 'leave': SystemExit"),
        ("hang_async", {}, -32603, "timeout", "did not finish within 0.05 s"),
        ("hang", {}, -32603, "timeout", "did not finish within 0.05 s"),
    ],
)
def test_failed_call_says_why(
    tooled: Tooled, name: str, arguments: Any, code: int, kind: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "MCP_TOOL_CALL_TIMEOUT", 0.05 if name.startswith("hang") else 5)
    waiting.clear()
    error = ask(tooled, "tools/call", {"name": name, "arguments": arguments})["error"]
    waiting.set()
    assert (error["code"], error["data"]) == (code, {"error_type": kind})
    assert message in error["message"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"method": "tools/call", "params": {}}, -32602),
        ({"method": "tools/call", "params": {"name": ""}}, -32602),
        ({"method": "tools/call", "params": {"name": ["add"]}}, -32602),
        ({"method": "tools/call", "params": {"name": "add", "arguments": [1]}}, -32602),
        ({"method": "resources/read", "params": {}}, -32602),
        ({"method": "resources/read", "params": {"uri": "data://nope"}}, -32602),
        ({"method": "resources/read", "params": {"uri": "no uri"}}, -32602),
        ({"method": "prompts/get", "params": {"name": "nope"}}, -32602),
        ({"method": "prompts/get", "params": {"name": "asking", "arguments": "x"}}, -32602),
        ({"method": "initialize"}, -32601),
        ({"method": "tools/list", "params": []}, -32600),
        ({"method": "tools/list", "jsonrpc": "1.0"}, -32600),
        ({"method": "tools/list", "extra": 1}, -32600),
        ({"method": 5}, -32600),
        ({"method": None}, -32600),
        ({"method": "tools/list", "id": {}}, -32600),
    ],
)
def test_bad_request_is_refused_by_code(tooled: Tooled, fields: dict[str, Any], code: int) -> None:
    answer = asyncio.run(tooled.handle_json_rpc({"jsonrpc": "2.0", "id": 1, **fields}))
    assert answer is not None
    assert answer["error"]["code"] == code
    assert "https://errors.pydantic.dev" not in answer["error"]["message"]


def test_request_without_an_id_is_answered_and_a_notification_is_not(tooled: Tooled) -> None:
    answer = asyncio.run(tooled.handle_json_rpc({"jsonrpc": "2.0", "method": "tools/list"}))
    assert answer is not None
    assert answer["id"] is None
    assert asyncio.run(tooled.handle_json_rpc({"jsonrpc": "2.0", "method": "notifications/initialized"})) is None


def test_resources_and_prompts_are_there_too(tooled: Tooled) -> None:
    listed = ask(tooled, "resources/list")["result"]["resources"]
    assert [(each["uri"], each["name"]) for each in listed] == [("data://greeting", "greeting")]
    templates = ask(tooled, "resources/templates/list")["result"]["resourceTemplates"]
    assert [each["uriTemplate"] for each in templates] == ["data://greeting/{name}"]
    contents = ask(tooled, "resources/read", {"uri": "data://greeting/Ann"})["result"]["contents"]
    assert [each["text"] for each in contents] == ["hello Ann"]
    assert [each["name"] for each in ask(tooled, "prompts/list")["result"]["prompts"]] == ["asking"]
    prompt = ask(tooled, "prompts/get", {"name": "asking", "arguments": {"about": "it"}})["result"]
    assert prompt["messages"] == [{"role": "user", "content": {"type": "text", "text": "What about it?"}}]
    assert ask(tooled, "prompts/get", {"name": "asking"})["result"]["messages"]


def test_resource_that_hangs_or_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    server: FastMCP[Any] = FastMCP("failing")

    @server.resource("data://hangs")
    async def hangs() -> str:
        await asyncio.Event().wait()
        return ""

    @server.resource("data://fails")
    async def fails() -> str:
        raise SystemExit("leaving")

    made = Tooled(server)
    assert "SystemExit" in ask(made, "resources/read", {"uri": "data://fails"})["error"]["message"]
    monkeypatch.setattr(environment, "MCP_TOOL_CALL_TIMEOUT", 0.05)
    error = ask(made, "resources/read", {"uri": "data://hangs"})["error"]
    assert error["message"] == "resources/read did not finish within 0.05 s"
    made.close()
