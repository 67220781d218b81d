"""Reading what servers answer about tools, also servers that are confused."""

from typing import Any

import pytest

from openenv.client.mcp_results import GenericMCPObservation, ToolFailed, observed, result_of, step_payload, tools_of
from openenv.env.mcp import CallToolAction, CallToolObservation, ListToolsObservation, Tool
from openenv.errors import EnvironmentFailed, LocalError, NotSupported, PeerError
from openenv.protocol import Fault, JsonRpcReply


def reply(**fields: Any) -> JsonRpcReply:
    return JsonRpcReply({"jsonrpc": "2.0", "id": 1, **fields})


def refused(code: Any, message: str = "no", data: Any = None) -> JsonRpcReply:
    return reply(error={"code": code, "message": message, "data": data})


@pytest.mark.parametrize("key", ["inputSchema", "input_schema"])
def test_tool_is_read_in_either_spelling(key: str) -> None:
    listed = {"name": "t", "title": "T", "description": None, key: {"type": "object"}, "meta": None}
    assert tools_of(reply(result={"tools": [listed]})) == [
        Tool(name="t", description=None, input_schema={"type": "object"})
    ]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused(-32601), NotSupported),
        (refused(-32603, "Environment does not support MCP"), EnvironmentFailed),
        (refused("odd"), EnvironmentFailed),
        (reply(error="no object"), PeerError),
        (reply(result={"tools": {}}), PeerError),
        (reply(result=None), PeerError),
        (reply(result={"tools": [{"description": "no name"}]}), PeerError),
        (reply(result={"tools": ["add"]}), PeerError),
        (JsonRpcReply([]), PeerError),
        (JsonRpcReply({}), PeerError),
        (Fault("EXECUTION_ERROR", "no"), EnvironmentFailed),
    ],
)
def test_no_list_of_tools_is_never_an_empty_one(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        tools_of(answer)


@pytest.mark.parametrize(
    ("result", "value"),
    [
        ({"content": [], "structured_content": {"result": 3}, "data": 3, "is_error": False}, 3),
        ({"content": [], "structured_content": {"result": None}, "data": None}, None),
        ({"content": [], "structuredContent": {"a": 1}, "isError": False}, {"a": 1}),
        ({"content": [{"type": "text", "text": "hi"}], "structured_content": None, "data": None}, "hi"),
        ({"content": [{"type": "image", "data": "x"}]}, [{"type": "image", "data": "x"}]),
        ({"content": [{"type": "text", "text": "a"}, "b"]}, [{"type": "text", "text": "a"}, "b"]),
        ({"content": []}, None),
        ({"data": 1}, {"data": 1}),
        ("plain", "plain"),
        (None, None),
    ],
)
def test_value_is_taken_out_of_the_result(result: Any, value: Any) -> None:
    assert result_of("t", reply(result=result)) == value


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(-32603, data={"error_type": "timeout"}), "timeout"),
        (refused(-32603), "execution_error"),
        (refused(-32602), "tool_not_found"),
        (refused(-32603, data={"error_type": 5}), "execution_error"),
        (reply(result={"content": [{"type": "text", "text": "no"}], "is_error": True}), "execution_error"),
        (reply(result={"content": [{"type": "text", "text": "no"}], "isError": True}), "execution_error"),
    ],
)
def test_failure_is_typed(answer: Any, kind: str) -> None:
    with pytest.raises(ToolFailed, match="Tool 't' failed: no") as raised:
        result_of("t", answer)
    assert raised.value.error_type == kind


def test_fault_of_the_server_stays_what_it_is() -> None:
    with pytest.raises(EnvironmentFailed):
        result_of("t", Fault("EXECUTION_ERROR", "no"))


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"tools": [{"name": "t", "inputSchema": {}}]}, ListToolsObservation),
        ({"tool_name": "t", "result": 1, "error": None}, CallToolObservation),
        ({"tool_name": "t", "result": 1, "board": "of its own"}, GenericMCPObservation),
        ({"tools": [], "score": 1}, GenericMCPObservation),
        ({}, GenericMCPObservation),
        (None, GenericMCPObservation),
    ],
)
def test_observation_is_of_the_class_that_its_fields_say(fields: Any, kind: type) -> None:
    observation = observed({"observation": fields, "reward": 0.5, "done": True, "metadata": {"a": 1}})
    assert type(observation) is kind
    assert (observation.reward, observation.done, observation.metadata) == (0.5, True, {"a": 1})


@pytest.mark.parametrize("fields", [{"tools": "x"}, {"tools": [1]}, {"tool_name": 5}, {"metadata": 5}])
def test_observation_that_does_not_fit_is_the_servers_fault(fields: Any) -> None:
    with pytest.raises(PeerError):
        observed({"observation": fields})


def test_payload_is_what_openenv_sends() -> None:
    action = CallToolAction(tool_name="t", arguments={"a": 1})
    assert step_payload(action) == {"type": "call_tool", "tool_name": "t", "arguments": {"a": 1}}
    assert step_payload({"x": 1}) == {"x": 1}
    with pytest.raises(LocalError, match="not int"):
        step_payload(5)
