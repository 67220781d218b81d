"""The client of the accounts: tools by their names."""

from openenv.core.mcp_client import MCPToolClient


class LedgerEnv(MCPToolClient):
    """Everything it does is `list_tools`, `call_tool`, `reset` and `step`."""
