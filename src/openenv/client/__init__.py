"""Driving an environment on a server."""

from openenv.client.aio import AsyncEnvClient
from openenv.client.generic import GenericAction, GenericEnvClient
from openenv.client.mcp import GenericMCPObservation, MCPClientBase, MCPToolClient
from openenv.client.mcp_results import ToolFailed
from openenv.client.sync import EnvClient
from openenv.client.sync_face import SyncEnvClient
from openenv.client.vector import EnvVector
from openenv.client.vector_aio import AsyncEnvVector
from openenv.client.vector_results import StepResults

__all__ = [
    "AsyncEnvClient",
    "AsyncEnvVector",
    "EnvClient",
    "EnvVector",
    "GenericAction",
    "GenericEnvClient",
    "GenericMCPObservation",
    "MCPClientBase",
    "MCPToolClient",
    "StepResults",
    "SyncEnvClient",
    "ToolFailed",
]
