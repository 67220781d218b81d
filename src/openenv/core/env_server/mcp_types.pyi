# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.compat.frames import WSMCPMessage as WSMCPMessage
from openenv.compat.frames import WSMCPResponse as WSMCPResponse
from openenv.env.mcp import CallToolAction as CallToolAction
from openenv.env.mcp import CallToolObservation as CallToolObservation
from openenv.env.mcp import JsonRpcError as JsonRpcError
from openenv.env.mcp import JsonRpcErrorCode as JsonRpcErrorCode
from openenv.env.mcp import JsonRpcRequest as JsonRpcRequest
from openenv.env.mcp import JsonRpcResponse as JsonRpcResponse
from openenv.env.mcp import ListToolsAction as ListToolsAction
from openenv.env.mcp import ListToolsObservation as ListToolsObservation
from openenv.env.mcp import McpMethod as McpMethod
from openenv.env.mcp import RESERVED_TOOL_NAMES as RESERVED_TOOL_NAMES
from openenv.env.mcp import Tool as Tool
from openenv.env.mcp import ToolError as ToolError
from openenv.env.mcp import ToolErrorType as ToolErrorType
