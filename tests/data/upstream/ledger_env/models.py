"""Actions and observations are those of every environment with tools."""

from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation

__all__ = ["CallToolAction", "CallToolObservation"]
