# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.client.mcp import GenericMCPObservation as GenericMCPObservation
from openenv.client.mcp import MCPClientBase as MCPClientBase
from openenv.client.mcp import MCPToolClient as MCPToolClient
