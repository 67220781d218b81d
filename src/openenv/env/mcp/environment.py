"""`MCPEnvironment`: an environment whose actions are the tools of a FastMCP server.

`step_async` does everything; `step` is the same for callers that have no event loop. Async tools run on the loop of
their caller, sync ones on a thread of the environment's own, so that a tool that hangs costs its own time limit and
nothing else. With `BLOCKING = False` sync tools run inline, which the class then promises to be quick about.
"""

import inspect
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from openenv.env.interface import Environment
from openenv.env.mcp.rpc import answer
from openenv.env.mcp.running import OwnLoop, ToolThread, run_blocking
from openenv.env.mcp.types import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
    Tool,
    ToolError,
)
from openenv.env.rubrics.base import Rubric
from openenv.errors import ConfigurationError, MissingExtra, UsageError
from openenv.types import Action, Observation, State

if TYPE_CHECKING:
    from fastmcp import FastMCP
    from fastmcp.tools import Tool as ServerTool

    from openenv.env.mcp.toolbox import Toolbox

__all__ = ["MCP_TOOL_CALL_TIMEOUT", "MCPEnvironment", "get_server_tools"]

MCP_TOOL_CALL_TIMEOUT = 30.0
"""Seconds that a tool may take when the call does not say."""

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_MODES = (None, "simulation", "production")
_MACHINERY = ("mcp_server", "_toolbox", "_tool_thread", "_loop", "_own_tools")  # no part of a snapshot
_LEAD_S = 0.25
"""How much sooner than the server a tool is cut off, at most: it costs the call then, and not the session."""

_checked: "weakref.WeakSet[FastMCP[Any]]" = weakref.WeakSet()


class MCPEnvironment(Environment[Action, Observation, State]):
    """An environment over a FastMCP server. Subclass it with `reset`, `state`, and `_step_impl` for other actions.

    Args:
        mcp_server: The server whose tools are the actions; environments may share one.
        transform: Applied to what a tool call observes.
        rubric: Scores each tool call; without one the reward is None.

    Attributes:
        mcp_server: The server.

    Raises:
        ConfigurationError: A tool has one of the reserved names.
        MissingExtra: FastMCP is not installed.
    """

    MCP_CAPABILITIES = ("tools", "resources", "prompts")
    """What the server tells clients of MCP that there is; classes without it are taken to have tools."""

    _mode: str | None = None
    """Set by the server that serves it: `simulation` or `production`; None counts as `simulation`."""

    def __init__(
        self,
        mcp_server: "FastMCP[Any]",
        transform: Callable[[Any], Any] | None = None,
        rubric: Rubric | None = None,
    ) -> None:
        super().__init__(transform, rubric)
        self.mcp_server = mcp_server
        thread = ToolThread("openenv-tools") if self.BLOCKING else None
        self._toolbox: Toolbox = _toolboxes().Toolbox(mcp_server, thread)
        self._tool_thread = thread
        self._loop = OwnLoop()
        if mcp_server not in _checked:  # those that come later are refused when they are listed
            _toolboxes().refuse_reserved(get_server_tools(mcp_server))
            _checked.add(mcp_server)

    def tool(self, mode: str | None = None) -> Callable[[FunctionT], FunctionT]:
        """Make a function a tool of this environment alone; also before `super().__init__()`.

        Args:
            mode: In which mode the server must be for the tool to exist; None for both. One that is made for a mode
                goes before one that is not, and either before the server's of that name.

        Raises:
            ConfigurationError: No such mode, or the name is reserved.
        """
        if mode not in _MODES:
            raise ConfigurationError(f"tool(mode={mode!r}): a mode is simulation, production, or None for both")

        def register(function: FunctionT) -> FunctionT:
            made = _toolboxes().make_tool(function)
            self.__dict__.setdefault("_own_tools", {})[made.name, mode] = made
            return function

        return register

    def step(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """Do as `step_async` does, for a caller without an event loop. In async code await that one instead."""
        return self._loop.run(self.step_async(action, timeout_s=timeout_s, **kwargs))

    async def step_async(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """List the tools, call one, or do what `_step_impl` does.

        A call that fails is an observation with an `error`, and no exception.
        """
        if isinstance(action, ListToolsAction):
            return ListToolsObservation(tools=await self._list_tools())
        if not isinstance(action, CallToolAction):
            return await self._step_other(action, timeout_s, kwargs)
        outcome = await self._call_tool(action.tool_name, action.arguments, timeout_s)
        error = outcome if isinstance(outcome, ToolError) else None
        result = None if error else outcome
        observation: Any = CallToolObservation(tool_name=action.tool_name, result=result, error=error)
        if self.rubric is not None:
            observation.reward = await self._apply_rubric_async(action, observation)
        return self._apply_transform(observation)

    async def handle_json_rpc(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer a request for tools, resources or prompts; None for a notification."""
        return await answer(request, self._toolbox, self._own(), MCP_TOOL_CALL_TIMEOUT)

    def get_callables(self) -> dict[str, Callable[..., Any]]:
        """Give the functions behind the tools, by name; those of a server that is mounted or proxied have none."""
        found = self._loop.run(self._toolbox.tools(self._own()))
        return {name: tool.fn for name, tool in found.items() if hasattr(tool, "fn")}

    @asynccontextmanager
    async def mcp_session(self) -> "AsyncGenerator[Any, None]":
        """Hold a FastMCP client of the server open, and with it whatever the server's lifespan holds."""
        async with import_module("fastmcp").Client(self.mcp_server) as client:
            yield client

    def close(self) -> Any:
        """Let go of what tools ran on, and end the server's lifespan; a subclass that overrides this calls it."""
        if self._tool_thread is not None:
            self._tool_thread.stop()
        self._toolbox.lifespan.end()
        self._loop.close()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _MACHINERY}

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = {name: value for name, value in vars(self).items() if name in _MACHINERY}
        vars(self).clear()
        vars(self).update(state, **kept)

    def _step_impl(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """Carry out an action that is no tool call; may be `async def`. Override it if there are such actions."""
        raise UsageError(
            f"{type(self).__name__} takes ListToolsAction and CallToolAction, not {type(action).__name__}; "
            "for other actions override _step_impl"
        )

    async def _step_other(self, action: Any, timeout_s: float | None, options: dict[str, Any]) -> Any:
        call = self._step_impl
        if self._tool_thread is None or inspect.iscoroutinefunction(call):
            made = call(action, timeout_s=timeout_s, **options)
        else:
            made = await self._tool_thread.run(lambda: call(action, timeout_s=timeout_s, **options))
        return await made if isinstance(made, Awaitable) else made

    async def _list_tools(self) -> list[Tool]:
        await self._toolbox.lifespan.begin()
        found = await self._toolbox.tools(self._own())
        # An empty description, not none: older clients take a list with none for an empty list.
        return [
            Tool(name=name, description=tool.description or "", input_schema=tool.parameters)
            for name, tool in found.items()
        ]

    async def _call_tool(self, name: str, arguments: Mapping[str, Any], timeout_s: float | None) -> Any:
        limit = MCP_TOOL_CALL_TIMEOUT if timeout_s is None else timeout_s - min(_LEAD_S, timeout_s / 5)
        return await self._toolbox.call(name, arguments, self._own(), limit)

    def _own(self) -> "dict[str, ServerTool]":
        """The tools made by `tool` that exist in the present mode, by name."""
        mode = self._mode or "simulation"
        made: dict[tuple[str, str | None], ServerTool] = self.__dict__.get("_own_tools", {})
        general = {name: tool for (name, its), tool in made.items() if its is None}
        return {**general, **{name: tool for (name, its), tool in made.items() if its == mode}}


def get_server_tools(mcp_server: "FastMCP[Any]") -> "dict[str, ServerTool]":
    """List the tools of a FastMCP server by name. Raises MissingExtra without FastMCP."""
    found: dict[str, ServerTool] = run_blocking(_toolboxes().Toolbox(mcp_server, None).tools({}))
    return found


def _toolboxes() -> Any:
    """The module that needs FastMCP, loaded when a tool is first spoken of."""
    try:
        import_module("fastmcp")
    except ImportError as error:
        raise MissingExtra("an environment with MCP tools", "mcp") from error
    return import_module("openenv.env.mcp.toolbox")
