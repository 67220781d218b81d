"""What the clients of environments with tools send and read: pure, without I/O."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from openenv.env.mcp.types import (
    CallToolAction,
    CallToolObservation,
    JsonRpcErrorCode,
    ListToolsAction,
    ListToolsObservation,
    McpMethod,
    Tool,
)
from openenv.errors import EnvironmentFailed, LocalError, NotSupported, PeerError, RemoteFault
from openenv.protocol import Fault, JsonRpc, JsonRpcReply, exception_for
from openenv.types import Observation

__all__ = ["GenericMCPObservation", "ToolFailed", "observed", "request_for", "result_of", "step_payload", "tools_of"]

_UNKNOWN = "tool_not_found"


class GenericMCPObservation(Observation):
    """An observation of an environment's own, whatever its fields."""

    model_config = ConfigDict(extra="allow", validate_assignment=True, arbitrary_types_allowed=True)


class ToolFailed(RemoteFault):
    """A call of an environment's tool has no result; the session is unharmed."""

    @property
    def tool_name(self) -> str:
        """Which tool was called."""
        return str(self.details.get("tool_name", ""))

    @property
    def error_type(self) -> str:
        """Why, in the words of `ToolErrorType`: `tool_not_found`, `invalid_args`, `execution_error` or `timeout`."""
        return self.code

    def _sentence(self) -> str:
        return f"Tool {self.tool_name!r} failed: {self.message}"


def request_for(method: McpMethod, params: Mapping[str, Any], number: int) -> JsonRpc:
    """Ask for a method of MCP."""
    return JsonRpc({"jsonrpc": "2.0", "id": number, "method": method.value, "params": dict(params)})


def tools_of(reply: object) -> list[Tool]:
    """Read the answer to `tools/list`.

    Raises:
        RemoteFault: The server said no; NotSupported if it does not know the method.
        PeerError: It is no list of tools.
    """
    payload = _answer(reply)
    if "error" in payload:
        code, message, _ = _error(payload)
        if code == JsonRpcErrorCode.METHOD_NOT_FOUND:
            raise NotSupported("NOT_SUPPORTED", message)
        raise EnvironmentFailed("EXECUTION_ERROR", message, {"rpc_code": code})
    result = payload.get("result")
    listed = result.get("tools") if isinstance(result, Mapping) else None
    if not isinstance(listed, list):
        raise PeerError(f"the server answered tools/list without a list of tools: {str(payload)[:200]}")
    return [_tool(each) for each in listed]


def result_of(name: str, reply: object) -> Any:
    """Read the answer to `tools/call`: the value that the tool returned.

    That is `data` of the result, or without it what there is for an agent to read: text, or a list of blocks.

    Raises:
        ToolFailed: There is no result.
        RemoteFault: The server said no.
    """
    payload = _answer(reply)
    if "error" in payload:
        code, message, data = _error(payload)
        kind = data.get("error_type") if isinstance(data, Mapping) else None
        raise ToolFailed(kind if isinstance(kind, str) else _kind_of(code), message, {"tool_name": name})
    result = payload.get("result")
    if not isinstance(result, Mapping) or "content" not in result:
        return result
    content = result["content"]
    is_text = isinstance(content, list) and len(content) == 1 and _text_of(content[0]) is not None
    read = _text_of(content[0]) if is_text else content or None
    if result.get("is_error") or result.get("isError"):
        raise ToolFailed("execution_error", str(read), {"tool_name": name})
    told = result.get("structured_content", result.get("structuredContent"))
    return read if result.get("data") is None and told is None else result.get("data", told)


def step_payload(action: Any) -> Any:
    """Give an action its JSON form: a model's fields, or those of a mapping."""
    match action:
        case ListToolsAction():
            return {"type": action.type}
        case CallToolAction():
            return {"type": action.type, "tool_name": action.tool_name, "arguments": action.arguments}
        case BaseModel():
            return action.model_dump(mode="json")
        case Mapping():
            return dict(action)
    raise LocalError(f"an action must be a model or a mapping, not {type(action).__name__}")


def observed(payload: Mapping[str, Any]) -> Observation:
    """Read an observation: one of the two about tools if its fields are theirs, else a `GenericMCPObservation`."""
    inside = payload.get("observation")
    beside = {name: payload[name] for name in ("reward", "done", "metadata") if payload.get(name) is not None}
    fields = {**(inside if isinstance(inside, Mapping) else {}), **beside}
    kind = next(
        (kind for name, kind in _KINDS.items() if name in fields and fields.keys() <= kind.model_fields.keys()), None
    )
    if kind is ListToolsObservation and isinstance(fields["tools"], list):
        fields["tools"] = [_tool(each) for each in fields["tools"]]
    try:
        return (kind or GenericMCPObservation).model_validate(fields)
    except ValidationError as error:
        raise PeerError(f"the server's observation does not fit: {error}") from error


_KINDS: Mapping[str, type[Observation]] = {"tool_name": CallToolObservation, "tools": ListToolsObservation}


def _answer(reply: object) -> Mapping[str, Any]:
    if isinstance(reply, Fault):
        raise exception_for(reply)
    assert isinstance(reply, JsonRpcReply)  # the session lets no other kind through
    if not isinstance(reply.payload, Mapping):
        raise PeerError(f"the server answered JSON-RPC with {type(reply.payload).__name__}")
    return reply.payload


def _error(payload: Mapping[str, Any]) -> tuple[int, str, Any]:
    error = payload["error"]
    if not isinstance(error, Mapping):
        raise PeerError(f"the server answered JSON-RPC with the error {str(error)[:200]!r}")
    code = error.get("code")
    return (code if isinstance(code, int) else 0), str(error.get("message", "")), error.get("data")


def _kind_of(code: int) -> str:
    """Say what an error is whose server says no more than its code."""
    return _UNKNOWN if code == JsonRpcErrorCode.INVALID_PARAMS else "execution_error"


def _tool(payload: Any) -> Tool:
    """Read a tool in whichever spelling, and without what else is said of it."""
    fields = payload if isinstance(payload, Mapping) else {}
    schema = fields.get("input_schema", fields.get("inputSchema"))
    try:
        return Tool(name=fields.get("name"), description=fields.get("description"), input_schema=schema or {})  # type: ignore[arg-type]  # which is what is checked
    except ValidationError as error:
        raise PeerError(f"the server listed a tool that is none: {error}") from error


def _text_of(block: Any) -> str | None:
    text = block.get("text") if isinstance(block, Mapping) and block.get("type") == "text" else None
    return text if isinstance(text, str) else None
