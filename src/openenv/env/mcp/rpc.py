"""JSON-RPC as an environment with tools answers it: the methods of MCP for tools, resources and prompts.

Tools are written as FastMCP dumps them, with nulls and `structured_content` and `is_error` in snake case, as clients of
OpenEnv read them; the server spells them anew for clients of MCP. Resources and prompts are written as MCP has them.
What belongs to a connection (`initialize`, `ping`, notifications) is the server's to answer.
"""

import dataclasses
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from openenv.env.mcp.running import OverTime, within
from openenv.env.mcp.types import JsonRpcErrorCode, JsonRpcRequest, JsonRpcResponse, McpMethod, ToolError, ToolErrorType

if TYPE_CHECKING:
    from fastmcp.tools import Tool as ServerTool

    from openenv.env.mcp.toolbox import Toolbox

__all__ = ["answer"]

logger = logging.getLogger(__name__)

_TOOL_FIELDS = (
    "name",
    "title",
    "description",
    "inputSchema",
    "outputSchema",
    "icons",
    "annotations",
    "meta",
    "execution",
)
_SNAKE = {"input_schema": "inputSchema", "output_schema": "outputSchema"}  # as the second MCP SDK dumps them


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    params: Mapping[str, Any]
    toolbox: "Toolbox"
    own: "Mapping[str, ServerTool]"
    timeout_s: float


class _Refused(Exception):
    """An answer that is an error of JSON-RPC: its code, its sentence and its data."""

    def __init__(self, code: JsonRpcErrorCode, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


async def answer(
    payload: Mapping[str, Any], toolbox: "Toolbox", own: "Mapping[str, ServerTool]", timeout_s: float
) -> dict[str, Any] | None:
    """Answer one request, also one that is none; None for a notification.

    Args:
        payload: The request.
        toolbox: The server that it is about.
        own: The tools that go before the server's, by name.
        timeout_s: What a tool, a resource or a prompt may take.
    """
    if str(payload.get("method", "")).startswith("notifications/"):
        return None
    try:
        request = JsonRpcRequest.model_validate(dict(payload))
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return JsonRpcResponse.error_response(JsonRpcErrorCode.INVALID_REQUEST, f"Invalid request: {said}").model_dump()
    try:
        result = await _result(request, _Asked(request.params, toolbox, own, timeout_s))
    except _Refused as refused:
        return JsonRpcResponse.error_response(refused.code, refused.message, refused.data, request.id).model_dump()
    return JsonRpcResponse.success(result, request.id).model_dump()


async def _result(request: JsonRpcRequest, asked: _Asked) -> dict[str, Any]:
    method = _METHODS.get(request.method)
    if method is None:
        raise _Refused(JsonRpcErrorCode.METHOD_NOT_FOUND, f"Method not found: {request.method}")
    if request.method == McpMethod.TOOLS_CALL:  # which keeps its limit itself
        return await method(asked)
    try:
        await asked.toolbox.lifespan.begin()
        return await within(method(asked), asked.timeout_s)
    except _Refused:
        raise
    except OverTime as error:
        sentence = f"{request.method} did not finish within {asked.timeout_s:g} s"
        raise _Refused(JsonRpcErrorCode.INTERNAL_ERROR, sentence) from error
    except Exception as error:  # a resource's or a prompt's function, or a server that is somebody else's
        if asked.toolbox.reason(error) is ToolErrorType.TOOL_NOT_FOUND:
            raise _Refused(JsonRpcErrorCode.INVALID_PARAMS, str(error)) from error
        logger.exception("%s failed", request.method)
        raise _Refused(JsonRpcErrorCode.INTERNAL_ERROR, str(error)) from error


async def _list_tools(asked: _Asked) -> dict[str, Any]:
    found = await asked.toolbox.tools(asked.own)
    return {"tools": [_described(tool.to_mcp_tool(name=name)) for name, tool in found.items()]}


def _described(tool: BaseModel) -> dict[str, Any]:
    dumped = {_SNAKE.get(name, name): value for name, value in tool.model_dump(mode="json").items()}
    described = {name: dumped.get(name) for name in _TOOL_FIELDS}
    # An empty description, not none: older clients take a list with none for an empty list.
    return {**described, "description": described["description"] or ""}


async def _call_tool(asked: _Asked) -> dict[str, Any]:
    name, arguments = _name_of(asked), asked.params.get("arguments")
    if not isinstance(arguments, dict | None):
        raise _Refused(JsonRpcErrorCode.INVALID_PARAMS, "'arguments' must be an object")
    outcome = await asked.toolbox.call(name, arguments or {}, asked.own, asked.timeout_s)
    if isinstance(outcome, ToolError):
        is_unknown = outcome.error_type is ToolErrorType.TOOL_NOT_FOUND
        code = JsonRpcErrorCode.INVALID_PARAMS if is_unknown else JsonRpcErrorCode.INTERNAL_ERROR
        raise _Refused(code, outcome.message, {"error_type": outcome.error_type.value})
    fields = dataclasses.asdict(outcome)
    return {**fields, "content": [block.model_dump(mode="json") for block in outcome.content]}


async def _list_resources(asked: _Asked) -> dict[str, Any]:
    found = await asked.toolbox.server.list_resources()
    return {"resources": [_written(each.to_mcp_resource()) for each in found]}


async def _list_templates(asked: _Asked) -> dict[str, Any]:
    found = await asked.toolbox.server.list_resource_templates()
    return {"resourceTemplates": [_written(each.to_mcp_template()) for each in found]}


async def _read_resource(asked: _Asked) -> dict[str, Any]:
    uri = asked.params.get("uri")
    if not isinstance(uri, str) or not uri:
        raise _Refused(JsonRpcErrorCode.INVALID_PARAMS, "Missing 'uri' in params")
    return _written((await asked.toolbox.server.read_resource(uri)).to_mcp_result(uri))


async def _list_prompts(asked: _Asked) -> dict[str, Any]:
    found = await asked.toolbox.server.list_prompts()
    return {"prompts": [_written(each.to_mcp_prompt()) for each in found]}


async def _get_prompt(asked: _Asked) -> dict[str, Any]:
    name, arguments = _name_of(asked), asked.params.get("arguments")
    if not isinstance(arguments, dict | None):
        raise _Refused(JsonRpcErrorCode.INVALID_PARAMS, "'arguments' must be an object")
    return _written((await asked.toolbox.server.render_prompt(name, arguments)).to_mcp_prompt_result())


def _name_of(asked: _Asked) -> str:
    name = asked.params.get("name")
    if not isinstance(name, str) or not name:
        raise _Refused(JsonRpcErrorCode.INVALID_PARAMS, "Missing 'name' in params")
    return name


def _written(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


_METHODS: Mapping[str, Callable[[_Asked], Coroutine[Any, Any, dict[str, Any]]]] = {
    "tools/list": _list_tools,
    "tools/call": _call_tool,
    "resources/list": _list_resources,
    "resources/templates/list": _list_templates,
    "resources/read": _read_resource,
    "prompts/list": _list_prompts,
    "prompts/get": _get_prompt,
}
