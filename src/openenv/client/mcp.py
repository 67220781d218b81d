"""Clients of environments with tools, synchronous until awaited like every client.

Tools are listed and called by JSON-RPC on the client's own connection, so in the session that `reset` and `step` drive.
"""

from collections.abc import Mapping
from typing import Any

from openenv.client.mcp_results import GenericMCPObservation, observed, request_for, result_of, step_payload, tools_of
from openenv.client.sync import EnvClient
from openenv.env.mcp.types import McpMethod, Tool
from openenv.types import Observation, State, StepResult

__all__ = ["GenericMCPObservation", "MCPClientBase", "MCPToolClient"]


class MCPClientBase(EnvClient[Any, Observation, State]):
    """Drives an environment with tools: lists them, resets and steps it.

    Actions are `ListToolsAction`, `CallToolAction`, or the environment's own models or mappings.

    See `ClientBase` for the arguments. `mode` is `production` by default; both drive the same session.
    """

    _tools_cache: list[Tool] | None = None
    _requests: int = 0

    def __init__(
        self,
        base_url: str | None = None,
        connect_timeout_s: float | None = 10.0,
        message_timeout_s: float | None = 60.0,
        websocket_ping_interval_s: float | None = 20.0,
        websocket_ping_timeout_s: float | None = 20.0,
        provider: Any = None,  # as of ClientBase
        mode: str | None = None,
        max_message_size_mb: float = 100.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            base_url,
            connect_timeout_s,
            message_timeout_s,
            max_message_size_mb,
            websocket_ping_interval_s,
            websocket_ping_timeout_s,
            provider,
            mode or "production",
            headers=headers,
        )

    def list_tools(self, use_cache: bool = True) -> list[Tool]:
        """List the tools; a coroutine if the client is asynchronous.

        Args:
            use_cache: Whether to give what was listed before.

        Raises:
            NotSupported: The environment has no tools.
            EnvironmentFailed: They could not be listed.
            TransportError: As `step` does.
        """
        if self._awaited() is not None:
            return self._list_tools_async(use_cache)  # type: ignore[return-value]  # awaited by the caller
        if self._tools_cache is None or not use_cache:
            self._tools_cache = tools_of(self._sync_line().ask(self._request(McpMethod.TOOLS_LIST, {})))
        return self._tools_cache

    async def _list_tools_async(self, use_cache: bool) -> list[Tool]:
        if self._tools_cache is None or not use_cache:
            self._tools_cache = tools_of(await self._async_line().ask(self._request(McpMethod.TOOLS_LIST, {})))
        return self._tools_cache

    def _request(self, method: McpMethod, params: Mapping[str, Any]) -> Any:
        self._requests += 1
        return request_for(method, params, self._requests)

    def _step_payload(self, action: Any) -> Any:
        return step_payload(action)

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Observation]:
        return self._result(observed(payload), payload)

    def _parse_state(self, payload: dict[str, Any]) -> State:
        return State.model_validate(payload)


class MCPToolClient(MCPClientBase):
    """Drives an environment with tools, and calls them by name: `env.call_tool("add", a=1, b=2)`."""

    def call_tool(self, name: str, /, **arguments: Any) -> Any:
        """Call a tool, and give what it returns; a coroutine if the client is asynchronous.

        The environment does what the tool does, without a reward: for that, `step` with a `CallToolAction`.

        Raises:
            ToolFailed: There is no result; `.error_type` says why.
            TransportError: As `step` does.
        """
        request = self._request(McpMethod.TOOLS_CALL, {"name": name, "arguments": arguments})
        if self._awaited() is not None:
            return self._call_tool_async(name, request)
        return result_of(name, self._sync_line().ask(request))

    def get_tool(self, name: str) -> Tool | None:
        """Look a tool up; None if there is none of that name. Raises as `list_tools` does."""
        if self._awaited() is not None:
            return self._get_tool_async(name)  # type: ignore[return-value]  # as above
        return next((tool for tool in self.list_tools() if tool.name == name), None)

    def has_tool(self, name: str) -> bool:
        """Tell whether there is a tool of that name. Raises as `list_tools` does."""
        if self._awaited() is not None:
            return self._has_tool_async(name)  # type: ignore[return-value]  # as above
        return self.get_tool(name) is not None

    async def _call_tool_async(self, name: str, request: Any) -> Any:
        return result_of(name, await self._async_line().ask(request))

    async def _get_tool_async(self, name: str) -> Tool | None:
        return next((tool for tool in await self._list_tools_async(True) if tool.name == name), None)

    async def _has_tool_async(self, name: str) -> bool:
        return await self._get_tool_async(name) is not None
