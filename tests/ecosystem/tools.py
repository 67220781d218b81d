"""An environment of MCP tools, as they are written for OpenEnv."""

from typing import Any

from fastmcp import FastMCP

from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.mcp_environment import MCPEnvironment
from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation
from openenv.core.env_server.types import Action, Observation, State

__all__ = ["ToolsEnvironment", "tools_app"]


class ToolsEnvironment(MCPEnvironment):
    """`add` adds, `fail` fails."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        mcp: FastMCP[Any] = FastMCP("tools")

        @mcp.tool
        def add(a: int, b: int) -> int:
            """Add two numbers."""
            return a + b

        @mcp.tool
        def fail() -> str:
            raise ValueError("asked to")

        super().__init__(mcp)
        self._state = State(episode_id="none", step_count=0)

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> Observation:
        self._state = State(episode_id=episode_id or "unnamed", step_count=0)
        return Observation(done=False, reward=0.0, metadata={"options": options})

    def step(self, action: Action, timeout_s: float | None = None, **options: Any) -> Observation:
        self._state.step_count += 1
        stepped: Observation = super().step(action, timeout_s=timeout_s, **options)
        return stepped

    def _step_impl(self, action: Action, timeout_s: float | None = None, **options: Any) -> Observation:
        return Observation(done=False, metadata={"error": f"{type(action).__name__} is no tool call"})

    @property
    def state(self) -> State:
        return self._state


def tools_app(**options: Any) -> Any:
    return create_app(ToolsEnvironment, CallToolAction, CallToolObservation, env_name="tools", **options)
