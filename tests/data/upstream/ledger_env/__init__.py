"""Accounts kept by tools."""

from openenv.core.env_server.mcp_types import CallToolAction, ListToolsAction

from .client import LedgerEnv

__all__ = ["CallToolAction", "LedgerEnv", "ListToolsAction"]
