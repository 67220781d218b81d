"""The server's side: the environment itself, and the application that serves it."""

from .mcp_notes_env_environment import McpNotesEnvironment

__all__ = ["McpNotesEnvironment"]
