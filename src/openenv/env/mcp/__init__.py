"""Environments whose actions are tools of MCP. What needs FastMCP is loaded when it is used."""

from openenv.env.mcp.environment import MCP_TOOL_CALL_TIMEOUT, MCPEnvironment, get_server_tools
from openenv.env.mcp.types import (
    RESERVED_TOOL_NAMES,
    CallToolAction,
    CallToolObservation,
    JsonRpcError,
    JsonRpcErrorCode,
    JsonRpcRequest,
    JsonRpcResponse,
    ListToolsAction,
    ListToolsObservation,
    McpMethod,
    Tool,
    ToolError,
    ToolErrorType,
)

__all__ = [
    "MCP_TOOL_CALL_TIMEOUT",
    "RESERVED_TOOL_NAMES",
    "CallToolAction",
    "CallToolObservation",
    "JsonRpcError",
    "JsonRpcErrorCode",
    "JsonRpcRequest",
    "JsonRpcResponse",
    "ListToolsAction",
    "ListToolsObservation",
    "MCPEnvironment",
    "McpMethod",
    "Tool",
    "ToolError",
    "ToolErrorType",
    "get_server_tools",
]
