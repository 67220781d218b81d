"""The tools of a FastMCP server, called without a client in between.

A tool that is a function is validated and called by FastMCP's own `run`. What else stands between a call and its tool
(middleware, a mounted or a proxied server) goes through the server's own `call_tool`. Either way what went wrong is
told by the class of the exception, never by its words.
"""

import inspect
import logging
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastmcp import Context, FastMCP
from fastmcp.client.client import CallToolResult
from fastmcp.exceptions import FastMCPError, NotFoundError, ValidationError
from fastmcp.server.dependencies import without_injected_parameters
from fastmcp.server.middleware.dereference import DereferenceRefsMiddleware
from fastmcp.tools import FunctionTool
from fastmcp.tools import Tool as ServerTool
from fastmcp.tools.base import ToolResult

from openenv.env.mcp.lifespan import Lifespan
from openenv.env.mcp.running import OverTime, ToolThread, finish, within
from openenv.env.mcp.types import RESERVED_TOOL_NAMES, ToolError, ToolErrorType
from openenv.errors import ConfigurationError

__all__ = ["Outcome", "Toolbox", "make_tool", "refuse_reserved"]

logger = logging.getLogger(__name__)

Outcome = CallToolResult | ToolError
"""What comes of a call."""

_ONLY_LISTS = (DereferenceRefsMiddleware,)  # FastMCP's own, with no part in a call
_REASONS: dict[type[BaseException], ToolErrorType] = {
    NotFoundError: ToolErrorType.TOOL_NOT_FOUND,
    ValidationError: ToolErrorType.INVALID_ARGS,
    BaseException: ToolErrorType.EXECUTION_ERROR,
}


class Toolbox:
    """What a FastMCP server offers to one environment.

    Args:
        server: The server; environments may share one.
        thread: Where sync tools run; None for inline.
    """

    def __init__(self, server: "FastMCP[Any]", thread: ToolThread | None) -> None:
        self.server = server
        self._thread = thread
        self.lifespan = Lifespan(server)
        weakref.finalize(self, self.lifespan.end)  # for environments whose `close` does not call ours
        self._session: Any = _Nobody()
        self._ready: dict[str, _Ready] = {}

    async def tools(self, own: Mapping[str, ServerTool]) -> dict[str, ServerTool]:
        """List the tools by name, `own` ones in place of the server's. Raises as the server does."""
        listed: dict[str, ServerTool] = {}
        for tool in await self.server.list_tools():
            if tool.name in listed:  # of several versions the server says which counts
                tool = await self.server.get_tool(tool.name) or tool
            listed[tool.name] = tool
        refuse_reserved(listed)
        return {**listed, **own}

    async def call(
        self, name: str, arguments: Mapping[str, Any], own: Mapping[str, ServerTool], timeout_s: float
    ) -> Outcome:
        """Call a tool; whatever it raises is an outcome. One that is cut off goes on, if nothing can stop it."""
        try:
            await self.lifespan.begin()
            async with Context(self.server, session=self._session):
                tool = own.get(name) or await self.server.get_tool(name)
                if tool is None:
                    raise NotFoundError(f"Unknown tool: {name!r}")
                limit = min(timeout_s, tool.timeout or timeout_s)
                result = await within(self._call(tool, dict(arguments), is_own=name in own), limit)
            return _decoded(tool, result)
        except OverTime:
            sentence = f"Tool {name!r} did not finish within {limit:g} s."
            return ToolError(error_type=ToolErrorType.TIMEOUT, message=sentence)
        except Exception as error:  # noqa: BLE001  # whatever a tool raises, or a server that is somebody else's
            return self._error(name, error)

    async def _call(self, tool: ServerTool, arguments: dict[str, Any], *, is_own: bool) -> ToolResult:
        is_direct = type(tool) is FunctionTool and all(type(each) in _ONLY_LISTS for each in self.server.middleware)
        if not (is_own or is_direct):
            return await self.server.call_tool(tool.name, arguments)
        assert isinstance(tool, FunctionTool)  # as are those that are made here
        ready = self._made_ready(tool)
        if self._thread is None or not ready.is_plain:
            return await ready.tool.run(arguments)
        return await self._thread.run(lambda: finish(ready.tool.run(arguments)))

    def _made_ready(self, tool: FunctionTool) -> "_Ready":
        known = self._ready.get(tool.name)
        if known is None or known.registered is not tool:
            is_plain = tool.run_in_thread and _is_plain(tool.fn)
            in_thread = tool.run_in_thread and not is_plain and self._thread is not None
            fitted = tool.model_copy(update={"run_in_thread": in_thread, "timeout": None})
            known = self._ready[tool.name] = _Ready(tool, fitted, is_plain)
        return known

    def reason(self, error: BaseException) -> ToolErrorType:
        """Tell by the class of what FastMCP or a tool raised whose fault it is."""
        return next(_REASONS[kind] for kind in type(error).__mro__ if kind in _REASONS)

    def _error(self, name: str, error: BaseException) -> ToolError:
        reason = self.reason(error)
        said = str(error)
        if isinstance(error, FastMCPError):  # raised on purpose, in words for the agent
            logger.info("tool %r refused: %s", name, said)
        elif reason is ToolErrorType.EXECUTION_ERROR:
            logger.error("tool %r raised %s", name, type(error).__name__, exc_info=error)
            is_masked = getattr(self.server, "_mask_error_details", False)
            said = f"Error calling tool {name!r}" if is_masked else f"Error calling tool {name!r}: {error}"
        return ToolError(error_type=reason, message=said)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A tool as it is called here: its limit is kept outside, and a plain function runs where it is called.

    Attributes:
        registered: As FastMCP knows it.
        tool: As it is called.
        is_plain: Whether it is for the environment's thread.
    """

    registered: FunctionTool
    tool: FunctionTool
    is_plain: bool


class _Nobody:
    """Stands for the client in a `Context`: it listens to nothing, and has nothing to say."""

    async def send_log_message(self, *args: Any, **kwargs: Any) -> None: ...

    async def send_notification(self, *args: Any, **kwargs: Any) -> None: ...

    async def send_progress_notification(self, *args: Any, **kwargs: Any) -> None: ...


def make_tool(function: Callable[..., Any]) -> ServerTool:
    """Make a tool of a function, as a server does. Raises ConfigurationError for a reserved name."""
    tool = FunctionTool.from_function(function)
    refuse_reserved([tool.name])
    return tool


def refuse_reserved(names: Iterable[str]) -> None:
    """Raise ConfigurationError if one of the names is an environment's own."""
    taken = sorted(RESERVED_TOOL_NAMES.intersection(names))
    if taken:
        raise ConfigurationError(
            f"MCP tools cannot use reserved names: {', '.join(taken)}; that is what an environment does by itself, "
            "so give the tool another name"
        )


def _is_plain(function: Callable[..., Any]) -> bool:
    """Tell whether a function is called with the arguments and nothing else, and waits for nothing."""
    unwrapped = inspect.unwrap(function)
    while hasattr(unwrapped, "func"):  # of a partial
        unwrapped = unwrapped.func
    is_async = inspect.iscoroutinefunction(unwrapped) or inspect.isasyncgenfunction(unwrapped)
    return not is_async and without_injected_parameters(function) is function


def _decoded(tool: ServerTool, result: ToolResult) -> Outcome:
    """Give a result the shape in which FastMCP's client gives it, with `data` as JSON has it."""
    if getattr(result, "is_error", False):
        texts = [text for block in result.content if isinstance(text := getattr(block, "text", None), str)]
        said = "\n".join(texts) or f"Tool {tool.name!r} returned an error"
        return ToolError(error_type=ToolErrorType.EXECUTION_ERROR, message=said)
    data: Any = result.structured_content
    meta = (result.meta or {}).get("fastmcp")
    is_wrapped = isinstance(meta, dict) and meta.get("wrap_result")
    if data is not None and (is_wrapped or (tool.output_schema or {}).get("x-fastmcp-wrap-result")):
        data = data.get("result")
    return CallToolResult(result.content, result.structured_content, result.meta, data)
