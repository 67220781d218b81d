"""The shapes in which tools are listed, called and answered: as actions and observations, and as JSON-RPC."""

import enum
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from openenv.types import Action, Observation

__all__ = [
    "RESERVED_TOOL_NAMES",
    "CallToolAction",
    "CallToolObservation",
    "JsonRpcError",
    "JsonRpcErrorCode",
    "JsonRpcRequest",
    "JsonRpcResponse",
    "ListToolsAction",
    "ListToolsObservation",
    "McpMethod",
    "Tool",
    "ToolError",
    "ToolErrorType",
    "action_class_for",
]

RESERVED_TOOL_NAMES = frozenset({"reset", "step", "state", "close"})
"""What an environment does by itself, so that no tool may be called so."""


class Tool(BaseModel):
    """A tool as an agent is told of it."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="What it is called by.")
    description: str | None = Field(default=None, description="What it does, for the agent to read.")
    input_schema: dict[str, Any] = Field(description="JSON schema of its arguments.")


class ToolErrorType(enum.StrEnum):
    """Why a call of a tool has no result."""

    EXECUTION_ERROR = "execution_error"
    INVALID_ARGS = "invalid_args"
    TRANSPORT_ERROR = "transport_error"
    TOOL_NOT_FOUND = "tool_not_found"
    TIMEOUT = "timeout"


class ToolError(BaseModel):
    """What went wrong in a call of a tool."""

    model_config = ConfigDict(extra="forbid")

    error_type: ToolErrorType = Field(description="Whose fault it is.")
    message: str = Field(description="What happened, for the agent to read.")


class ListToolsAction(Action):
    """Asks an environment for its tools."""

    type: Literal["list_tools"] = Field(default="list_tools", description="Tells the action from others.")


class CallToolAction(Action):
    """Calls one tool of an environment."""

    type: Literal["call_tool"] = Field(default="call_tool", description="Tells the action from others.")
    tool_name: str = Field(description="Which tool.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Its arguments, by name.")


class ListToolsObservation(Observation):
    """The tools of an environment."""

    tools: list[Tool] = Field(description="In the order in which they were registered.")


class CallToolObservation(Observation):
    """What came of calling a tool: a result, or an error."""

    tool_name: str = Field(description="Which tool was called.")
    result: Any = Field(default=None, description="What the tool returned, in the shape of MCP's CallToolResult.")
    error: ToolError | None = Field(default=None, description="Why there is no result.")


_ACTIONS: Mapping[object, type[BaseModel]] = {"list_tools": ListToolsAction, "call_tool": CallToolAction}


def action_class_for(payload: Any, action_class: type[BaseModel]) -> type[BaseModel]:
    """Say of which class an action is: one of the two above if its `type` says so, and `action_class` does not object.

    It objects unless it is `Action` itself or one of the two: an environment's own class judges its own types.
    """
    kind = payload.get("type") if isinstance(payload, Mapping) else None
    if isinstance(kind, str) and (action_class is Action or action_class in _ACTIONS.values()):
        return _ACTIONS.get(kind, action_class)
    return action_class


class McpMethod(enum.StrEnum):
    """The methods of MCP that every environment with tools answers."""

    TOOLS_LIST = "tools/list"
    TOOLS_CALL = "tools/call"


class JsonRpcErrorCode(int, enum.Enum):
    """The error codes of JSON-RPC 2.0, and that of the server's own refusals."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    SERVER_ERROR = -32000


_SENTENCES = {
    JsonRpcErrorCode.PARSE_ERROR: "Parse error",
    JsonRpcErrorCode.INVALID_REQUEST: "Invalid Request",
    JsonRpcErrorCode.METHOD_NOT_FOUND: "Method not found",
    JsonRpcErrorCode.INVALID_PARAMS: "Invalid params",
    JsonRpcErrorCode.INTERNAL_ERROR: "Internal error",
    JsonRpcErrorCode.SERVER_ERROR: "Server error",
}
"""What JSON-RPC calls them."""


class JsonRpcError(BaseModel):
    """Why a request has no result. `data` is always written, also as null."""

    model_config = ConfigDict(extra="forbid")

    code: int
    message: str
    data: Any = None

    @classmethod
    def from_code(cls, code: int, message: str | None = None, data: Any = None) -> Self:
        """Make one of a known code, with that code's sentence if `message` says nothing."""
        return cls(code=int(code), message=message or _SENTENCES[JsonRpcErrorCode(code)], data=data)


class JsonRpcRequest(BaseModel):
    """A request; one without an `id` is a notification."""

    model_config = ConfigDict(extra="forbid")

    jsonrpc: Literal["2.0"]
    method: str
    params: dict[str, Any] = Field(default_factory=dict)
    id: str | int | None = None


class JsonRpcResponse(BaseModel):
    """An answer. It is written with `error` if it has one, and with `result` otherwise, never with both."""

    model_config = ConfigDict(extra="forbid")

    jsonrpc: Literal["2.0"] = "2.0"
    id: str | int | None = None
    result: Any = None
    error: JsonRpcError | None = None

    @classmethod
    def success(cls, result: Any, request_id: str | int | None = None) -> Self:
        """Answer the request of that id."""
        return cls(id=request_id, result=result)

    @classmethod
    def error_response(
        cls, code: int, message: str | None = None, data: Any = None, request_id: str | int | None = None
    ) -> Self:
        """Refuse the request of that id; see `JsonRpcError.from_code`."""
        return cls(id=request_id, error=JsonRpcError.from_code(code, message, data))

    @model_serializer(mode="wrap")
    def _one_of_both(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        written.pop("result" if self.error is not None else "error", None)
        return written
