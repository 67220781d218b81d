"""The shapes of tools and of JSON-RPC, and that knowing them costs no FastMCP."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from openenv.env.mcp import (
    CallToolAction,
    CallToolObservation,
    JsonRpcError,
    JsonRpcErrorCode,
    JsonRpcRequest,
    JsonRpcResponse,
    Tool,
    ToolError,
)


def test_tool_needs_no_description() -> None:
    assert Tool(name="t", input_schema={}).description is None
    assert Tool.model_validate({"name": "t", "description": None, "input_schema": {}}).name == "t"


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (Tool, {"name": "t", "input_schema": {}, "extra": 1}),
        (Tool, {"name": "t"}),
        (ToolError, {"error_type": "bored", "message": "m"}),
        (CallToolAction, {"type": "list_tools", "tool_name": "t"}),
        (CallToolAction, {}),
        (JsonRpcRequest, {"method": "m"}),
        (JsonRpcRequest, {"jsonrpc": "2.0", "method": "m", "params": []}),
        (JsonRpcRequest, {"jsonrpc": "2.0", "method": "m", "extra": 1}),
    ],
)
def test_what_does_not_fit_is_refused(model: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(fields)


def test_error_type_is_read_by_its_word() -> None:
    error = {"error_type": "timeout", "message": "m"}
    observation = CallToolObservation.model_validate({"tool_name": "t", "error": error})
    assert observation.model_dump(mode="json")["error"] == error


def test_response_has_a_result_or_an_error() -> None:
    assert JsonRpcResponse.success(None, 3).model_dump() == {"jsonrpc": "2.0", "id": 3, "result": None}
    refused = JsonRpcResponse.error_response(JsonRpcErrorCode.INVALID_PARAMS, request_id="a")
    error = {"code": -32602, "message": "Invalid params", "data": None}
    assert refused.model_dump() == {"jsonrpc": "2.0", "id": "a", "error": error}
    assert refused.model_dump_json() == (
        '{"jsonrpc":"2.0","id":"a","error":{"code":-32602,"message":"Invalid params","data":null}}'
    )


@pytest.mark.parametrize("code", JsonRpcErrorCode)
def test_every_code_has_a_sentence(code: JsonRpcErrorCode) -> None:
    assert JsonRpcError.from_code(code).message
    assert JsonRpcError.from_code(code, "mine", [1]).model_dump() == {"code": code, "message": "mine", "data": [1]}


def test_fastmcp_is_not_loaded_for_them() -> None:
    program = "import sys, openenv.env.mcp, openenv.client; print('fastmcp' in sys.modules, 'mcp' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout.split() == ["False", "False"], ran.stderr
