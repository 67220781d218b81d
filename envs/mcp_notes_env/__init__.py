"""The Mcp Notes environment: what goes in, what comes out, and the client that drives it."""

from .client import McpNotesEnv
from .models import CallToolAction, CallToolObservation, McpNotesState, McpNotesTask, Note, NoteSummary

__all__ = [
    "CallToolAction",
    "CallToolObservation",
    "McpNotesEnv",
    "McpNotesState",
    "McpNotesTask",
    "Note",
    "NoteSummary",
]
